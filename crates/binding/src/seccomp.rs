//! The default profile of system calls.

use caisson_seccomp::{Architecture, Context, default_profile};
use napi_derive::napi;

/// `linux.seccomp` as JSON: the default profile for a bounding set (`CAP_CHOWN`, …). `programs`: the architecture of
/// the image, as `linux.seccomp.architectures` names it; unknown or missing means this one. Undefined where there are
/// no filters for the architecture of this program.
#[napi(catch_unwind)]
pub fn default_seccomp(capabilities: Vec<String>, programs: Option<String>) -> Option<String> {
    let native = Architecture::NATIVE?;
    let programs = Architecture::ALL.iter().find(|one| Some(one.name()) == programs.as_deref());
    let context =
        Context { native, programs: programs.copied().unwrap_or(native), capabilities: &capabilities };
    serde_json::to_string(&default_profile(&context)).ok()
}
