//! Declares a set of flags as a type, with a name for each flag.

/// Declares a type for a set of flags: constants, set operators, and names for JSON.
macro_rules! flag_set {
    ($(#[$outer:meta])* $type:ident { $($(#[$inner:meta])* $name:ident = $value:expr, $text:literal;)* }) => {
        $(#[$outer])*
        #[derive(Clone, Copy, PartialEq, Eq, Default, Hash)]
        pub struct $type(u64);

        impl $type {
            $($(#[$inner])* pub const $name: Self = Self($value);)*

            pub const fn from_bits(bits: u64) -> Self {
                Self(bits)
            }

            pub const fn bits(self) -> u64 {
                self.0
            }

            pub const fn empty() -> Self {
                Self(0)
            }

            pub const fn is_empty(self) -> bool {
                self.0 == 0
            }

            /// For constants, which cannot use operators.
            pub const fn union(self, other: Self) -> Self {
                Self(self.0 | other.0)
            }

            /// Whether all of `other` are set.
            pub const fn contains(self, other: Self) -> bool {
                self.0 & other.0 == other.0
            }

            /// Whether any of `other` is set.
            pub const fn intersects(self, other: Self) -> bool {
                self.0 & other.0 != 0
            }

            /// Names of the flags; flags without a name become one number.
            pub fn names(self) -> Vec<String> {
                let mut rest = self;
                let mut names = Vec::new();
                for (flag, name) in <Self as $crate::Named>::NAMES {
                    if !flag.is_empty() && rest.contains(*flag) {
                        names.push((*name).to_owned());
                        rest &= !*flag;
                    }
                }
                if !rest.is_empty() {
                    names.push(format!("{:#x}", rest.0));
                }
                names
            }
        }

        impl $crate::Named for $type {
            const NAMES: &[(Self, &str)] = &[$((Self::$name, $text)),*];
        }

        impl std::ops::BitOr for $type {
            type Output = Self;
            fn bitor(self, other: Self) -> Self {
                Self(self.0 | other.0)
            }
        }

        impl std::ops::BitAnd for $type {
            type Output = Self;
            fn bitand(self, other: Self) -> Self {
                Self(self.0 & other.0)
            }
        }

        impl std::ops::Not for $type {
            type Output = Self;
            fn not(self) -> Self {
                Self(!self.0)
            }
        }

        impl std::ops::BitOrAssign for $type {
            fn bitor_assign(&mut self, other: Self) {
                self.0 |= other.0;
            }
        }

        impl std::ops::BitAndAssign for $type {
            fn bitand_assign(&mut self, other: Self) {
                self.0 &= other.0;
            }
        }

        impl std::fmt::Debug for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(if self.is_empty() { "0" } else { "" })?;
                f.write_str(&self.names().join("|"))
            }
        }

        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if serializer.is_human_readable() {
                    serde::Serialize::serialize(&self.names(), serializer)
                } else {
                    serializer.serialize_u64(self.0)
                }
            }
        }

        /// The protocol uses numbers; the names in JSON are for readers.
        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                serde::Deserialize::deserialize(deserializer).map(Self)
            }
        }
    };
}

pub(crate) use flag_set;
