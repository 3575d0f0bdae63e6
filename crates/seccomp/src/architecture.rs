//! The architectures of the specification: what seccomp(2) calls them, and how their calls and arguments look.

use crate::named::named;
use crate::table::Column;

named! {
    /// An ABI for system calls.
    Architecture {
        X86 = "SCMP_ARCH_X86",
        X86_64 = "SCMP_ARCH_X86_64",
        /// Calls of x86-64 with bit 30 set: 64-bit registers, 32-bit pointers.
        X32 = "SCMP_ARCH_X32",
        Arm = "SCMP_ARCH_ARM",
        Aarch64 = "SCMP_ARCH_AARCH64",
        Loongarch64 = "SCMP_ARCH_LOONGARCH64",
        M68k = "SCMP_ARCH_M68K",
        Mips = "SCMP_ARCH_MIPS",
        Mips64 = "SCMP_ARCH_MIPS64",
        Mips64N32 = "SCMP_ARCH_MIPS64N32",
        Mipsel = "SCMP_ARCH_MIPSEL",
        Mipsel64 = "SCMP_ARCH_MIPSEL64",
        Mipsel64N32 = "SCMP_ARCH_MIPSEL64N32",
        Ppc = "SCMP_ARCH_PPC",
        Ppc64 = "SCMP_ARCH_PPC64",
        Ppc64le = "SCMP_ARCH_PPC64LE",
        S390 = "SCMP_ARCH_S390",
        S390x = "SCMP_ARCH_S390X",
        Sh = "SCMP_ARCH_SH",
        Sheb = "SCMP_ARCH_SHEB",
        Parisc = "SCMP_ARCH_PARISC",
        Parisc64 = "SCMP_ARCH_PARISC64",
        Riscv64 = "SCMP_ARCH_RISCV64",
    }
}

/// `__AUDIT_ARCH_64BIT`, `__AUDIT_ARCH_LE` and `__AUDIT_ARCH_CONVENTION_MIPS64_N32` of linux/audit.h.
const BITS_64: u32 = 0x8000_0000;
const LITTLE: u32 = 0x4000_0000;
const N32: u32 = 0x2000_0000;

/// `__X32_SYSCALL_BIT`: set in the numbers of x32, whose `arch` is that of x86-64.
pub(crate) const X32_BIT: u32 = 0x4000_0000;

impl Architecture {
    /// The architecture of this program, where the specification has it.
    pub const NATIVE: Option<Self> = if cfg!(all(target_arch = "x86_64", target_pointer_width = "64")) {
        Some(Self::X86_64)
    } else if cfg!(target_arch = "aarch64") {
        Some(Self::Aarch64)
    } else if cfg!(target_arch = "riscv64") {
        Some(Self::Riscv64)
    } else if cfg!(target_arch = "s390x") {
        Some(Self::S390x)
    } else if cfg!(all(target_arch = "powerpc64", target_endian = "little")) {
        Some(Self::Ppc64le)
    } else if cfg!(target_arch = "loongarch64") {
        Some(Self::Loongarch64)
    } else {
        None
    };

    /// `AUDIT_ARCH_*`, the `arch` of `struct seccomp_data`: the ELF machine with its flags.
    pub const fn audit(self) -> u32 {
        match self {
            Self::X86 => 3 | LITTLE,
            Self::X86_64 | Self::X32 => 62 | BITS_64 | LITTLE,
            Self::Arm => 40 | LITTLE,
            Self::Aarch64 => 183 | BITS_64 | LITTLE,
            Self::Loongarch64 => 258 | BITS_64 | LITTLE,
            Self::M68k => 4,
            Self::Mips => 8,
            Self::Mips64 => 8 | BITS_64,
            Self::Mips64N32 => 8 | BITS_64 | N32,
            Self::Mipsel => 8 | LITTLE,
            Self::Mipsel64 => 8 | BITS_64 | LITTLE,
            Self::Mipsel64N32 => 8 | BITS_64 | LITTLE | N32,
            Self::Ppc => 20,
            Self::Ppc64 => 21 | BITS_64,
            Self::Ppc64le => 21 | BITS_64 | LITTLE,
            Self::S390 => 22,
            Self::S390x => 22 | BITS_64,
            Self::Sh => 42 | LITTLE,
            Self::Sheb => 42,
            Self::Parisc => 15,
            Self::Parisc64 => 15 | BITS_64,
            Self::Riscv64 => 243 | BITS_64 | LITTLE,
        }
    }

    pub(crate) const fn is_little_endian(self) -> bool {
        self.audit() & LITTLE != 0
    }

    /// Whether registers have 64 bits: so they have in x32 and n32, whose callers can set the upper half, too.
    pub(crate) const fn has_wide_arguments(self) -> bool {
        self.audit() & BITS_64 != 0
    }

    /// The 64-bit architecture on whose kernels programs of this one run, itself in most cases.
    const fn kernel(self) -> Self {
        match self {
            Self::X86 | Self::X32 => Self::X86_64,
            Self::Arm => Self::Aarch64,
            Self::Mips | Self::Mips64N32 => Self::Mips64,
            Self::Mipsel | Self::Mipsel64N32 => Self::Mipsel64,
            Self::Ppc => Self::Ppc64,
            Self::S390 => Self::S390x,
            Self::Parisc => Self::Parisc64,
            other => other,
        }
    }

    /// Whether one kernel runs programs of both. Calls of another architecture never reach a filter.
    pub(crate) fn shares_kernel_with(self, other: Self) -> bool {
        self.kernel() == other.kernel()
    }

    pub(crate) const fn column(self) -> Column {
        match self {
            Self::X86 => Column::X86,
            Self::X86_64 => Column::X86_64,
            Self::X32 => Column::X32,
            Self::Arm => Column::Arm,
            Self::Aarch64 => Column::Aarch64,
            Self::Loongarch64 => Column::Loongarch64,
            Self::M68k => Column::M68k,
            Self::Mips | Self::Mipsel => Column::Mips,
            Self::Mips64 | Self::Mipsel64 => Column::Mips64,
            Self::Mips64N32 | Self::Mipsel64N32 => Column::MipsN32,
            Self::Ppc => Column::Ppc,
            Self::Ppc64 | Self::Ppc64le => Column::Ppc64,
            Self::S390 => Column::S390,
            Self::S390x => Column::S390x,
            Self::Sh | Self::Sheb => Column::Sh,
            Self::Parisc => Column::Parisc,
            Self::Parisc64 => Column::Parisc64,
            Self::Riscv64 => Column::Riscv64,
        }
    }
}
