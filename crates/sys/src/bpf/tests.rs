use proptest::prelude::*;

use super::*;

#[test]
fn a_total_rule_ends_the_program() {
    let rule = |allow, kind, access| DeviceRule { allow, kind, major: None, minor: None, access };
    let program = generate(&[rule(false, None, 7), rule(true, Some(DeviceKind::Char), 1)]);
    assert_eq!(program.len(), 6 + 5 + 2);
    let jump = program.iter().find(|i| i.code == JUMP_NOT_EQUAL).unwrap();
    assert_eq!(jump.offset, 4); // over the rest of its block
    assert_eq!(program.last().unwrap().code, EXIT);
}

#[test]
#[allow(clippy::print_stdout)] // a skipped test says why
fn the_same_list_is_loaded_once() {
    let list =
        |major| [DeviceRule { allow: true, kind: None, major: Some(major), minor: None, access: ALL_ACCESS }];
    let first = match loaded(&list(1)) {
        Ok(program) => program,
        Err(error) => return println!("SKIPPED: loading BPF programs is not allowed here: {error}"),
    };
    assert!(Arc::ptr_eq(&first, &loaded(&list(1)).unwrap()));
    for major in 2..10 {
        loaded(&list(major)).unwrap();
    }
    assert!(!Arc::ptr_eq(&first, &loaded(&list(1)).unwrap()));
    forget_device_programs();
    assert!(LOADED.lock().unwrap().is_empty());
}

#[test]
#[allow(clippy::print_stdout)] // a skipped test says why
fn the_kernel_accepts_the_program() {
    // Partial access keeps the verifier from merging its states: many of them are its hard case.
    let rules: Vec<_> = (0..300)
        .map(|n| DeviceRule {
            allow: n % 3 != 1,
            kind: Some(DeviceKind::Char),
            major: Some(n / 2),
            minor: (n % 5 != 0).then_some(n),
            access: 1 + n % 7,
        })
        .collect();
    match load(&generate(&rules)) {
        Ok(_) => {}
        Err(error) if error.errno() == libc::EPERM => {
            println!("SKIPPED: loading BPF programs is not allowed here: {error}");
        }
        Err(error) => panic!("{error}"),
    }
}

/// The result of the program for a request, as the kernel would compute it.
fn run(program: &[Instruction], kind: DeviceKind, access: u32, major: u32, minor: u32) -> u32 {
    let context = [access << 16 | kind as u32, major, minor];
    let mut registers = [0u32; 6];
    let mut next = 0;
    loop {
        let Instruction { code, registers: pair, offset, immediate } = program[next];
        let (to, from) = (usize::from(pair & 15), usize::from(pair >> 4));
        let immediate = immediate.cast_unsigned();
        next += 1;
        let jumps = match code {
            LOAD_WORD => {
                assert_eq!(from, 1);
                registers[to] = context[usize::try_from(offset).unwrap() / 4];
                continue;
            }
            MOVE_REGISTER => {
                registers[to] = registers[from];
                continue;
            }
            MOVE => {
                registers[to] = immediate;
                continue;
            }
            AND => {
                registers[to] &= immediate;
                continue;
            }
            SHIFT_RIGHT => {
                registers[to] >>= immediate;
                continue;
            }
            JUMP_EQUAL => registers[to] == immediate,
            JUMP_NOT_EQUAL => registers[to] != immediate,
            EXIT => return registers[0],
            other => panic!("unknown instruction {other:#x}"),
        };
        if jumps {
            next += usize::try_from(offset).unwrap();
        }
    }
}

/// The definition: for each letter, the last rule about the device and this letter.
fn allows(rules: &[DeviceRule], kind: DeviceKind, access: u32, major: u32, minor: u32) -> bool {
    [1, 2, 4].into_iter().filter(|letter| access & letter != 0).all(|letter| {
        let is_about = |rule: &&DeviceRule| {
            rule.access & letter != 0
                && rule.kind.is_none_or(|k| k == kind)
                && rule.major.is_none_or(|m| m == major)
                && rule.minor.is_none_or(|m| m == minor)
        };
        rules.iter().rev().find(is_about).is_some_and(|rule| rule.allow)
    })
}

fn any_rule() -> impl Strategy<Value = DeviceRule> {
    let number = || prop_oneof![Just(None), Just(Some(1)), Just(Some(u32::MAX))];
    let kind = prop_oneof![Just(None), Just(Some(DeviceKind::Block)), Just(Some(DeviceKind::Char))];
    (any::<bool>(), kind, number(), number(), 1u32..8)
        .prop_map(|(allow, kind, major, minor, access)| DeviceRule { allow, kind, major, minor, access })
}

proptest! {
    #[test]
    fn the_program_decides_as_the_rules_do(rules in proptest::collection::vec(any_rule(), 0..7)) {
        let program = generate(&rules);
        for kind in [DeviceKind::Block, DeviceKind::Char] {
            for access in 1..8 {
                for (major, minor) in [(1, 1), (1, 2), (2, 1), (u32::MAX, 1), (1, u32::MAX), (2, 2)] {
                    prop_assert_eq!(
                        run(&program, kind, access, major, minor),
                        u32::from(allows(&rules, kind, access, major, minor)),
                        "{:?} {} {}:{}", kind, access, major, minor
                    );
                }
            }
        }
    }
}

/// An access that this program does not know is not allowed by any rule.
#[test]
fn an_unknown_access_is_denied() {
    let rule = DeviceRule { allow: true, kind: None, major: Some(1), minor: None, access: 6 };
    assert_eq!(run(&generate(&[rule]), DeviceKind::Char, 8 | 2, 1, 1), 0);
}
