//! A profile to a filter: a section for each architecture, and in it a search by number.

use caisson_flags::SeccompFlags;

use crate::architecture::X32_BIT;
use crate::assembler::{Assembler, Label, opcode};
use crate::decision::Outcome;
use crate::section::{Ranges, Rules};
use crate::tree::{self, Shared};
use crate::{Action, Architecture, Error, Filter, Flag, MAX_INSTRUCTIONS, Profile, check::check};

/// Offsets in `struct seccomp_data`.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;

/// What a filter is compiled for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Target {
    /// The architecture of the programs that run under the filter.
    pub native: Architecture,
    /// Notifications are taken although the profile has no `listenerPath`.
    pub listener: bool,
}

/// # Errors The first rule that the profile breaks, or a filter that seccomp(2) would refuse for its length.
pub fn compile(profile: &Profile, target: &Target) -> Result<Filter, Error> {
    if let Some(error) = check(profile, target.listener).into_iter().next() {
        return Err(error);
    }
    let rules = Rules::new(profile);
    let architectures = architectures(profile, target.native);
    let instructions = assemble(&rules, &architectures);
    if instructions.len() > MAX_INSTRUCTIONS {
        return Err(Error::new(
            "",
            format!("compiles to {} instructions: expected at most {MAX_INSTRUCTIONS}", instructions.len()),
        ));
    }
    let notifies = profile.notifies();
    Ok(Filter {
        instructions,
        flags: flags(profile, notifies),
        notifies,
        skipped: rules.skipped(&architectures),
    })
}

/// Those whose calls the kernel can see, the native one first. It is always among them.
fn architectures(profile: &Profile, native: Architecture) -> Vec<Architecture> {
    let mut architectures = vec![native];
    for architecture in profile.architectures.iter().flatten() {
        if architecture.shares_kernel_with(native) && !architectures.contains(architecture) {
            architectures.push(*architecture);
        }
    }
    architectures
}

fn assemble(rules: &Rules, architectures: &[Architecture]) -> Vec<crate::Instruction> {
    // COMPAT(libseccomp): calls of architectures that the profile does not list kill the thread.
    let foreign = Action::KillThread.value(None);
    let mut sections: Vec<(u32, Ranges)> = Vec::new();
    for architecture in architectures.iter().map(|one| one.audit()) {
        if sections.iter().all(|(known, _)| *known != architecture) {
            sections.push((architecture, ranges(rules, architectures, architecture, foreign)));
        }
    }
    let mut assembler = Assembler::default();
    let mut shared = Shared::default();
    let mut labels: Vec<(u32, Label)> = Vec::new();
    for (architecture, ranges) in sections.iter().rev() {
        let search = tree::emit(&mut assembler, &mut shared, ranges);
        labels.push((*architecture, assembler.load(NUMBER, search)));
    }
    let mut next = assembler.return_value(foreign);
    for (architecture, label) in labels {
        next = assembler.branch(opcode::EQUAL, architecture, label, next);
    }
    assembler.load(ARCHITECTURE, next);
    assembler.finish()
}

/// Outcomes of all numbers under one `arch`: that of x86-64 has the numbers of x32, too, with bit 30 set.
fn ranges(rules: &Rules, architectures: &[Architecture], audit: u32, foreign: u32) -> Ranges {
    let has = |wanted: Architecture| architectures.contains(&wanted);
    if audit != Architecture::X86_64.audit() {
        let architecture = architectures.iter().find(|one| one.audit() == audit);
        return architecture.map_or_else(Ranges::new, |one| rules.ranges(*one));
    }
    let foreign = Outcome::Return(foreign);
    let mut ranges = if has(Architecture::X86_64) {
        rules.ranges(Architecture::X86_64)
    } else {
        vec![(0, foreign.clone())]
    };
    let unknown = ranges.last().map_or_else(|| foreign.clone(), |(_, last)| last.clone());
    if has(Architecture::X32) {
        ranges.extend(rules.ranges(Architecture::X32));
    } else {
        // A tracer skips a call by setting its number to -1, which is not one of x32.
        ranges.extend([(X32_BIT, foreign), (u32::MAX, unknown)]);
    }
    ranges.dedup_by(|after, before| after.1 == before.1);
    ranges
}

/// COMPAT(runc): a missing list of flags means `SPEC_ALLOW`, an empty one none.
fn flags(profile: &Profile, notifies: bool) -> SeccompFlags {
    let value = |flag: &Flag| match flag {
        Flag::Tsync => SeccompFlags::TSYNC,
        Flag::Log => SeccompFlags::LOG,
        Flag::SpecAllow => SeccompFlags::SPEC_ALLOW,
        Flag::WaitKillableRecv => SeccompFlags::WAIT_KILLABLE_RECV,
    };
    let mut flags = match &profile.flags {
        None => SeccompFlags::SPEC_ALLOW,
        Some(list) => list.iter().map(value).fold(SeccompFlags::empty(), SeccompFlags::union),
    };
    if notifies {
        flags |= SeccompFlags::NEW_LISTENER;
        // Both return a number, which only this flag tells apart (seccomp(2)).
        if flags.contains(SeccompFlags::TSYNC) {
            flags |= SeccompFlags::TSYNC_ESRCH;
        }
    }
    flags
}
