//! `linux.resources` before it is read into types: those take an absent number for 0, and a limit of 0 is a limit. Also
//! the rules about it that concern more than one property.

use oci_spec::runtime::LinuxResources;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::issue::{Issues, SpecError};

const AT: &str = "linux.resources";

/// The part of a document that is looked at, as it was written.
#[derive(Deserialize)]
struct Probe {
    linux: Linux,
}

#[derive(Deserialize)]
struct Linux {
    resources: Map<String, Value>,
}

/// # Errors
/// Every property that is required and absent, and every rule that is broken.
pub(crate) fn check(bytes: &[u8], parsed: &mut LinuxResources) -> Result<(), SpecError> {
    let probe: Probe =
        serde_json::from_slice(bytes).map_err(|error| SpecError::invalid(AT, error.to_string()))?;
    let resources = &probe.linux.resources;
    let mut issues = Issues::default();
    for name in ["memory", "cpu", "pids", "blockIO", "network"] {
        refuse_list(resources.get(name), format!("{AT}.{name}"), &mut issues);
    }
    // An absent limit means unlimited, as if `pids` were absent; 0 is a limit.
    if resources.get("pids").and_then(Value::as_object).is_some_and(|pids| is_absent(pids.get("limit"))) {
        parsed.set_pids(None);
    }
    for (path, rule) in objects(resources, AT, "devices", &mut issues) {
        required(&path, rule, &["allow"], &mut issues);
        let kind = rule.get("type").and_then(Value::as_str).unwrap_or_default();
        if !is_absent(rule.get("type")) && !matches!(kind, "a" | "b" | "c") {
            issues.add(format!("{path}.type"), format!("invalid type {kind:?}: expected a, b or c"));
        }
        let access = rule.get("access").and_then(Value::as_str).unwrap_or_default();
        if access.is_empty() {
            // COMPAT(runc): refused, as it would allow or deny nothing.
            issues.add(format!("{path}.access"), "is missing: expected letters of \"rwm\"");
        }
        for name in ["major", "minor"] {
            let number = rule.get(name).and_then(Value::as_i64).unwrap_or(-1);
            if number != -1 && u32::try_from(number).is_err() {
                issues.add(format!("{path}.{name}"), "must be a device number, or -1 for every one");
            }
        }
        if !access.bytes().all(|letter| b"rwma".contains(&letter)) {
            issues.add(
                format!("{path}.access"),
                format!("invalid access {access:?}: expected letters of \"rwm\""),
            );
        }
    }
    // COMPAT(runc): `a` is all of them.
    let mut rules = parsed.devices().clone().unwrap_or_default();
    for rule in &mut rules {
        if rule.access().as_ref().is_some_and(|access| access.contains('a')) {
            rule.set_access(Some("rwm".to_owned()));
        }
    }
    parsed.set_devices(parsed.devices().is_some().then_some(rules));
    for (path, limit) in objects(resources, AT, "hugepageLimits", &mut issues) {
        required(&path, limit, &["pageSize", "limit"], &mut issues);
        let size = limit.get("pageSize").and_then(Value::as_str);
        if size.is_some_and(|size| !is_page_size(size)) {
            issues.add(
                format!("{path}.pageSize"),
                format!("invalid page size {:?}: expected one such as 2MB", size.unwrap_or_default()),
            );
        }
        if limit.get("limit").and_then(Value::as_i64).is_some_and(|limit| limit < 0) {
            issues.add(format!("{path}.limit"), "must not be negative");
        }
    }
    for name in ["limit", "reservation", "swap"] {
        let value = resources.get("memory").and_then(|memory| memory.get(name)).and_then(Value::as_i64);
        if value.is_some_and(|value| value < -1) {
            issues.add(format!("{AT}.memory.{name}"), "must be a number of bytes, or -1 for no limit");
        }
    }
    network(resources, &mut issues);
    let swappiness =
        resources.get("memory").and_then(|memory| memory.get("swappiness")).and_then(Value::as_u64);
    if swappiness.is_some_and(|swappiness| swappiness > 100) {
        issues.add(format!("{AT}.memory.swappiness"), "must be from 0 to 100");
    }
    burst(resources, &mut issues);
    block_io(resources, &mut issues);
    for (name, device) in resources.get("rdma").and_then(Value::as_object).into_iter().flatten() {
        refuse_list(Some(device), format!("{AT}.rdma.{name}"), &mut issues);
        if !is_word(name) {
            issues.add(format!("{AT}.rdma.{name}"), "must be the name of a device, without spaces");
        }
        if is_absent(device.get("hcaHandles")) && is_absent(device.get("hcaObjects")) {
            issues.add(format!("{AT}.rdma.{name}"), "needs hcaHandles or hcaObjects");
        }
    }
    for key in resources.get("unified").and_then(Value::as_object).into_iter().flat_map(Map::keys) {
        let controller = key.split_once('.').map_or("", |(controller, _)| controller);
        if controller.is_empty() || key.contains('/') {
            issues.add(format!("{AT}.unified[{key:?}]"), "must be the name of a file such as memory.high");
        }
    }
    issues.finish(false)
}

fn burst(resources: &Map<String, Value>, issues: &mut Issues) {
    let number = |name: &str| resources.get("cpu").and_then(|cpu| cpu.get(name)).and_then(Value::as_u64);
    if let (Some(quota @ 1..), Some(burst)) = (number("quota"), number("burst"))
        && burst > quota
    {
        issues.add(format!("{AT}.cpu.burst"), format!("{burst} is above the quota {quota}"));
    }
}

fn network(resources: &Map<String, Value>, issues: &mut Issues) {
    let Some(network) = resources.get("network").and_then(Value::as_object) else { return };
    for (path, interface) in objects(network, &format!("{AT}.network"), "priorities", issues) {
        required(&path, interface, &["name", "priority"], issues);
        if interface.get("name").and_then(Value::as_str).is_some_and(|name| !is_word(name)) {
            issues.add(format!("{path}.name"), "must be the name of an interface, without spaces");
        }
    }
}

fn block_io(resources: &Map<String, Value>, issues: &mut Issues) {
    let Some(block_io) = resources.get("blockIO").and_then(Value::as_object) else { return };
    let at = format!("{AT}.blockIO");
    for (path, device) in objects(block_io, &at, "weightDevice", issues) {
        required(&path, device, &["major", "minor"], issues);
        if is_absent(device.get("weight")) && is_absent(device.get("leafWeight")) {
            issues.add(path, "needs weight or leafWeight");
        }
    }
    for direction in ["Read", "Write"] {
        for unit in ["Bps", "IOPS"] {
            for (path, device) in objects(block_io, &at, &format!("throttle{direction}{unit}Device"), issues)
            {
                required(&path, device, &["major", "minor", "rate"], issues);
            }
        }
    }
}

/// serde reads a list as the properties of an object.
fn refuse_list(value: Option<&Value>, path: String, issues: &mut Issues) {
    if value.is_some_and(Value::is_array) {
        issues.add(path, "must be an object");
    }
}

/// The objects of a list, each with its path.
fn objects<'a>(
    parent: &'a Map<String, Value>,
    at: &str,
    name: &str,
    issues: &mut Issues,
) -> Vec<(String, &'a Map<String, Value>)> {
    let mut found = Vec::new();
    for (index, item) in parent.get(name).and_then(Value::as_array).into_iter().flatten().enumerate() {
        let path = format!("{at}.{name}[{index}]");
        match item {
            Value::Object(object) => found.push((path, object)),
            // serde reads a list as the properties of an object.
            _ => issues.add(path, "must be an object"),
        }
    }
    found
}

fn required(path: &str, object: &Map<String, Value>, names: &[&str], issues: &mut Issues) {
    for name in names.iter().filter(|name| is_absent(object.get(**name))) {
        issues.add(format!("{path}.{name}"), "is missing");
    }
}

/// A name that is one word of a line for the kernel.
fn is_word(name: &str) -> bool {
    !name.is_empty() && !name.contains([' ', '\t', '\n', '\0'])
}

fn is_absent(value: Option<&Value>) -> bool {
    value.is_none_or(Value::is_null)
}

/// `64KB`, `2MB`, `1GB`: what the kernel calls its files by.
fn is_page_size(text: &str) -> bool {
    let digits =
        text.strip_suffix("KB").or_else(|| text.strip_suffix("MB")).or_else(|| text.strip_suffix("GB"));
    digits.is_some_and(|digits| {
        !digits.starts_with('0') && !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
    })
}
