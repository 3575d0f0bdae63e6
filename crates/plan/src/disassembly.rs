//! Classic BPF as text, in the notation of bpf_asm (Documentation/networking/filter.rst of Linux): with the number of
//! each instruction, the fields of `struct seccomp_data` by name, and what a filter returns as in config.json.

use caisson_seccomp::Instruction;

/// One line for each instruction: `3: jge #59, 7, 4`. Targets of jumps are numbers of instructions.
pub fn lines(instructions: &[Instruction]) -> impl Iterator<Item = String> {
    instructions.iter().enumerate().map(|(at, instruction)| format!("{at}: {}", line(at, *instruction)))
}

fn line(at: usize, Instruction { code, jt, jf, k }: Instruction) -> String {
    let after = |distance: u32| at + 1 + distance as usize;
    let jump = |name: &str| format!("{name} #{k}, {}, {}", after(jt.into()), after(jf.into()));
    match code {
        0x20 => format!("ld {}", field(k)),
        0x05 => format!("ja {}", after(k)),
        0x15 => jump("jeq"),
        0x25 => jump("jgt"),
        0x35 => jump("jge"),
        0x45 => jump("jset"),
        0x54 => format!("and #{k:#x}"),
        0x06 => format!("ret {}", verdict(k)),
        _ => format!("code {code:#x}, {jt}, {jf}, {k:#x}"),
    }
}

/// A word of `struct seccomp_data`: number, architecture, instruction pointer, six arguments of 64 bits.
fn field(offset: u32) -> String {
    let low_first = cfg!(target_endian = "little");
    let half = |offset: u32| if (offset.is_multiple_of(8)) == low_first { "low" } else { "high" };
    match offset {
        0 => "nr".to_owned(),
        4 => "arch".to_owned(),
        8 | 12 => format!("instruction_pointer.{}", half(offset)),
        16..=60 if offset.is_multiple_of(4) => format!("args[{}].{}", (offset - 16) / 8, half(offset)),
        _ => format!("[{offset}]"),
    }
}

/// `SECCOMP_RET_*`.
fn verdict(value: u32) -> String {
    let (action, data) = (value & 0xffff_0000, value & 0xffff);
    let name = match action {
        0x8000_0000 => "KILL_PROCESS",
        0x0000_0000 => "KILL_THREAD",
        0x0003_0000 => "TRAP",
        0x0005_0000 => return format!("ERRNO({data})"),
        0x7fc0_0000 => "NOTIFY",
        0x7ff0_0000 => return format!("TRACE({data})"),
        0x7ffc_0000 => "LOG",
        0x7fff_0000 => "ALLOW",
        _ => return format!("{value:#x}"),
    };
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_reads_as_a_program() {
        let step = |code, jt, jf, k| Instruction { code, jt, jf, k };
        let program = [
            step(0x20, 0, 0, 4),
            step(0x15, 0, 3, 0xc000_003e),
            step(0x20, 0, 0, 24),
            step(0x45, 0, 1, 6),
            step(0x06, 0, 0, 0x0005_0026),
            step(0x06, 0, 0, 0x7fff_0000),
        ];
        assert_eq!(
            lines(&program).collect::<Vec<_>>(),
            [
                "0: ld arch",
                "1: jeq #3221225534, 2, 5",
                "2: ld args[1].low",
                "3: jset #6, 4, 5",
                "4: ret ERRNO(38)",
                "5: ret ALLOW"
            ]
        );
    }
}
