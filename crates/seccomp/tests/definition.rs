//! Filters against the definition: random profiles on every architecture, and every call close to what they mention.

mod support;

use caisson_seccomp::{Architecture, Profile, Target, compile};
use proptest::prelude::*;
use support::definition::verdict;
use support::interpreter::{Call, run, verify};
use support::random::{numbers, profile, values};

/// The architectures that a filter for `native` covers.
fn listed(profile: &Profile, native: Architecture) -> Vec<Architecture> {
    let mut listed = vec![native];
    listed.extend(profile.architectures.iter().flatten());
    listed
}

/// Architectures whose programs run on the kernel of `native`.
fn callers(native: Architecture) -> Vec<Architecture> {
    use Architecture as A;
    let families: [&[A]; 6] = [
        &[A::X86_64, A::X86, A::X32],
        &[A::Aarch64, A::Arm],
        &[A::Mips64, A::Mips, A::Mips64N32],
        &[A::Mipsel64, A::Mipsel, A::Mipsel64N32],
        &[A::S390x, A::S390],
        &[A::Parisc64, A::Parisc],
    ];
    families
        .iter()
        .find(|family| family.contains(&native))
        .map_or_else(|| vec![native], |family| family.to_vec())
}

/// # Panics
/// At the first call whose verdict is another one.
fn agrees(profile: &Profile, native: Architecture, choices: &[usize]) {
    let Ok(filter) = compile(profile, &Target { native, listener: false }) else { return };
    verify(&filter.instructions);
    let listed = listed(profile, native);
    let values = values(profile);
    for architecture in callers(native) {
        for number in numbers(profile, architecture) {
            for choice in choices.windows(6) {
                let mut arguments = [0; 6];
                for (argument, index) in arguments.iter_mut().zip(choice) {
                    *argument = values[index % values.len()];
                }
                let audit = architecture.audit();
                let is_little_endian = audit & 0x4000_0000 != 0;
                let call = Call { number, architecture: audit, arguments, is_little_endian };
                let wanted = verdict(profile, &listed, architecture, number, arguments);
                let (found, _) = run(&filter.instructions, &call);
                assert_eq!(
                    format!("{found:#x}"),
                    format!("{wanted:#x}"),
                    "{architecture}, number {number}, {arguments:#x?} with {}",
                    serde_json::to_string_pretty(profile).unwrap_or_default()
                );
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_filter_returns_what_the_profile_says(
        profile in profile(),
        native in proptest::sample::select(Architecture::ALL.to_vec()),
        choices in proptest::collection::vec(any::<usize>(), 6..40),
    ) {
        agrees(&profile, native, &choices);
    }
}
