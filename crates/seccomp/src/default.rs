//! The profile that containers get without one of their own: default deny, with the calls that programs need. Which
//! calls these are is agreed among container engines; docs/seccomp.md lists the differences from them.

mod allowed;

use crate::architecture::Architecture;
use crate::{Action, Argument, Operator, Profile, Rule, names};
use allowed::{ALLOWED, BY_ARCHITECTURE, BY_CAPABILITY};

/// `CLONE_NEWNS`, `NEWCGROUP`, `NEWUTS`, `NEWIPC`, `NEWUSER`, `NEWPID`, `NEWNET` of clone(2). `NEWTIME` is not among
/// them: clone(2) cannot pass it.
const NEW_NAMESPACES: u64 = 0x7e02_0000;
const ENOSYS: u32 = 38;
const EPERM: u32 = 1;

/// Address families up to this one: `AF_ALG` (kernel crypto, CVE-2026-31431) comes next, and `AF_VSOCK` (the
/// hypervisor) is 40.
const AF_ALG: u64 = 38;
/// The other families above `AF_ALG`: NFC, KCM, QIPCRTR, SMC, XDP, MCTP.
const LATER_FAMILIES: [u64; 6] = [39, 41, 42, 43, 44, 45];

/// personality(2): `PER_LINUX`, `PER_LINUX32`, each with and without `UNAME26`, and the query.
const PERSONALITIES: [u64; 5] = [0, 0x8, 0x2_0000, 0x2_0008, 0xffff_ffff];

/// What the default profile depends on.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The architecture of the kernel.
    pub native: Architecture,
    /// The architecture of the image's programs, which other programs may accompany.
    pub programs: Architecture,
    /// The bounding set: `CAP_SYS_ADMIN`, ….
    pub capabilities: &'a [String],
}

/// The profile of a container that has none of its own. Kernels that caisson runs on need no further distinction.
pub fn default_profile(context: &Context) -> Profile {
    let Context { native, programs, capabilities } = *context;
    let has = |name: &str| capabilities.iter().any(|capability| capability == name);
    let architectures = with_subarchitectures(native);
    let mut rules = vec![allow(ALLOWED.split_ascii_whitespace())];
    let of_target = BY_ARCHITECTURE.iter().filter(|(architecture, _)| architectures.contains(architecture));
    rules.extend(of_target.map(|(_, names)| allow(names.iter().copied())));
    rules.extend(
        BY_CAPABILITY
            .iter()
            .filter(|(capability, _)| has(capability))
            .map(|(_, names)| allow(names.iter().copied())),
    );
    // SECURITY: `socketcall` hides the family. Its other sub-calls follow from their names, so that only images of an
    // architecture whose C library makes sockets this way need it.
    if programs != native && names::number(programs, "socketcall").is_some() {
        rules.push(allow(["socketcall"].into_iter()));
    }
    // SECURITY: families are listed one by one. The kernel takes the lower half of the argument as the family, so that
    // "greater than 40", the rule of other engines, allows AF_ALG with a bit in the upper half.
    let family = |op, value| allow_if("socket", Argument { index: 0, value, value_two: None, op });
    rules.push(family(Operator::Less, AF_ALG));
    rules.extend(LATER_FAMILIES.map(|value| family(Operator::Equal, value)));
    rules.extend(PERSONALITIES.map(|value| {
        allow_if("personality", Argument { index: 0, value, value_two: None, op: Operator::Equal })
    }));
    if !has("CAP_SYS_ADMIN") {
        // On s390 the flags are the second argument.
        let index = u32::from(matches!(native, Architecture::S390 | Architecture::S390x));
        let op = Operator::MaskedEqual;
        rules.push(allow_if("clone", Argument { index, value: NEW_NAMESPACES, value_two: Some(0), op }));
        // The flags of clone3 are in memory. C libraries take ENOSYS as a reason to use clone.
        rules.push(Rule { errno_ret: Some(ENOSYS), ..rule(Action::Errno, ["clone3"].into_iter()) });
    }
    Profile {
        default_action: Action::Errno,
        default_errno_ret: Some(EPERM),
        architectures: Some(architectures),
        flags: None,
        listener_path: None,
        listener_metadata: None,
        syscalls: Some(rules),
    }
}

/// An architecture and those whose programs run beside it.
fn with_subarchitectures(native: Architecture) -> Vec<Architecture> {
    let others = Architecture::ALL.iter().copied();
    let mut architectures = vec![native];
    architectures.extend(others.filter(|other| *other != native && other.shares_kernel_with(native)));
    architectures
}

fn allow<'a>(names: impl Iterator<Item = &'a str>) -> Rule {
    rule(Action::Allow, names)
}

fn allow_if(name: &str, argument: Argument) -> Rule {
    Rule { args: Some(vec![argument]), ..rule(Action::Allow, [name].into_iter()) }
}

fn rule<'a>(action: Action, names: impl Iterator<Item = &'a str>) -> Rule {
    Rule { names: names.map(str::to_owned).collect(), action, errno_ret: None, args: None }
}
