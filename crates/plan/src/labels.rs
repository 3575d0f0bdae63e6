//! `process.apparmorProfile`, `process.selinuxLabel` and `linux.mountLabel`: labels of security modules.

use crate::config::Config;
use crate::host::{Host, MissingModule, Options};
use crate::issue::{Issues, SpecError};

/// The labels that are applied; none where the configuration has none, or its module is not active and that is a
/// warning only.
#[derive(Debug, Default)]
pub(crate) struct Labels {
    pub apparmor_profile: Option<String>,
    pub selinux_label: Option<String>,
    pub mount_label: Option<String>,
}

struct Label<'c> {
    path: &'static str,
    value: Option<&'c str>,
    module: &'static str,
    /// COMPAT(runc): what it says where the module is not active.
    refusal: &'static str,
}

const HINT: &str = "missingSecurityModule: 'warn' (--missing-security-module warn) does without the label";

fn all<'c>(config: &'c Config) -> [Label<'c>; 3] {
    let process = config.document.process.as_ref();
    let given = |value: Option<&'c Option<String>>| value?.as_deref().filter(|value| !value.is_empty());
    [
        Label {
            path: "process.apparmorProfile",
            value: given(process.map(|process| &process.apparmor_profile)),
            module: "apparmor",
            refusal: "unable to apply apparmor profile: apparmor: config provided but apparmor not supported",
        },
        Label {
            path: "process.selinuxLabel",
            value: given(process.map(|process| &process.selinux_label)),
            module: "selinux",
            refusal: "selinux label is specified in config, but selinux is disabled or not supported",
        },
        Label {
            path: "linux.mountLabel",
            value: given(Some(&config.linux.mount_label)),
            module: "selinux",
            refusal: "mount label is specified in config, but selinux is disabled or not supported",
        },
    ]
}

/// A quotation mark would end the value among the options of a mount.
pub(crate) fn check(config: &Config, issues: &mut Issues) {
    for Label { path, value, .. } in all(config) {
        if value.is_some_and(|value| value.contains(['\0', '"', '\n'])) {
            issues.add(path, "must not hold a NUL, a newline or a quotation mark");
        }
    }
}

/// SECURITY: a label that cannot be applied would leave the container unconfined, so it is refused unless the caller
/// has said that it may be missing.
pub(crate) fn decide(
    config: &Config,
    options: &Options,
    host: &Host,
    warnings: &mut Vec<String>,
) -> Result<Labels, SpecError> {
    let mut missing = Issues::default();
    let labels = all(config).map(|Label { path, value, module, refusal }| {
        let value = value?;
        if host.security_modules.iter().any(|active| active == module) {
            return Some(value.to_owned());
        }
        match options.missing_security_module {
            MissingModule::Refuse => missing.add_with_hint(path, refusal, HINT),
            MissingModule::Warn => warnings.push(format!("{path} has no effect: {module} is not active")),
        }
        None
    });
    missing.finish(true)?;
    let [apparmor_profile, selinux_label, mount_label] = labels;
    Ok(Labels { apparmor_profile, selinux_label, mount_label })
}
