//! Instructions of classic BPF, emitted from the last to the first: every jump goes forward, so its target exists when
//! the jump is emitted.

use std::collections::HashMap;

use crate::Instruction;

/// Opcodes of linux/bpf_common.h.
pub(crate) mod opcode {
    /// `BPF_LD | BPF_W | BPF_ABS`: a word of `struct seccomp_data`.
    pub const LOAD: u16 = 0x20;
    /// `BPF_ALU | BPF_AND | BPF_K`
    pub const AND: u16 = 0x54;
    /// `BPF_JMP | BPF_JA`
    pub const JUMP: u16 = 0x05;
    /// `BPF_JMP | BPF_JEQ | BPF_K`
    pub const EQUAL: u16 = 0x15;
    /// `BPF_JMP | BPF_JGT | BPF_K`
    pub const GREATER: u16 = 0x25;
    /// `BPF_JMP | BPF_JGE | BPF_K`
    pub const GREATER_OR_EQUAL: u16 = 0x35;
    /// `BPF_JMP | BPF_JSET | BPF_K`
    pub const ANY_BIT: u16 = 0x45;
    /// `BPF_RET | BPF_K`
    pub const RETURN: u16 = 0x06;
}

/// An emitted instruction, counted from the end of the filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Label(usize);

#[derive(Debug, Default)]
pub(crate) struct Assembler {
    /// The last instruction first.
    reversed: Vec<Instruction>,
    returns: HashMap<u32, Label>,
}

impl Assembler {
    pub fn finish(mut self) -> Vec<Instruction> {
        self.reversed.reverse();
        self.reversed
    }

    pub fn len(&self) -> usize {
        self.reversed.len()
    }

    /// Loads a word of `struct seccomp_data`, then goes on at a label.
    pub fn load(&mut self, offset: u32, then: Label) -> Label {
        self.fall_into(then);
        self.push(opcode::LOAD, 0, 0, offset)
    }

    /// Keeps the bits of a mask, then goes on at a label.
    pub fn and(&mut self, mask: u32, then: Label) -> Label {
        self.fall_into(then);
        self.push(opcode::AND, 0, 0, mask)
    }

    /// Makes the label the instruction that follows the next one to be emitted.
    fn fall_into(&mut self, label: Label) {
        if label.0 + 1 != self.len() {
            self.bridge(label);
        }
    }

    /// An instruction that returns the value: one that a conditional jump can reach, or a new one.
    pub fn return_value(&mut self, value: u32) -> Label {
        match self.returns.get(&value) {
            Some(label) if self.distance(*label).is_some() => *label,
            _ => {
                let label = self.push(opcode::RETURN, 0, 0, value);
                self.returns.insert(value, label);
                label
            }
        }
    }

    /// A conditional jump, unless both ways lead to one place. Targets that it cannot reach are reached through an
    /// instruction of their own.
    pub fn branch(&mut self, code: u16, k: u32, yes: Label, no: Label) -> Label {
        if yes == no {
            return yes;
        }
        let (mut yes, mut no) = (yes, no);
        loop {
            match (self.distance(yes), self.distance(no)) {
                (Some(jt), Some(jf)) => return self.push(code, jt, jf, k),
                (None, _) => yes = self.bridge(yes),
                (_, None) => no = self.bridge(no),
            }
        }
    }

    /// A jump to a distant instruction, or a copy of it where it returns.
    fn bridge(&mut self, target: Label) -> Label {
        let Instruction { code, k, .. } = self.reversed[target.0];
        if code == opcode::RETURN {
            let label = self.push(code, 0, 0, k);
            self.returns.insert(k, label);
            return label;
        }
        let skipped = u32::try_from(self.len() - target.0 - 1).unwrap_or(u32::MAX);
        self.push(opcode::JUMP, 0, 0, skipped)
    }

    /// The offset of a target in a conditional jump that is emitted now.
    fn distance(&self, target: Label) -> Option<u8> {
        u8::try_from(self.len() - target.0 - 1).ok()
    }

    fn push(&mut self, code: u16, jt: u8, jf: u8, k: u32) -> Label {
        self.reversed.push(Instruction { code, jt, jf, k });
        Label(self.len() - 1)
    }
}
