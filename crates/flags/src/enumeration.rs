//! Declares an enumeration of the kernel as a type, with a name for each number.

/// Declares a type for one of several values: variants with the kernel's numbers and the specification's names.
macro_rules! enumeration {
    ($(#[$outer:meta])* $type:ident { $($(#[$inner:meta])* $name:ident = $value:expr, $text:literal;)* }) => {
        $(#[$outer])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $type {
            $($(#[$inner])* #[serde(rename = $text)] $name = $value,)*
        }

        impl $type {
            /// The kernel's number.
            pub const fn number(self) -> u32 {
                self as u32
            }

            /// In config.json.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }

        impl $crate::Named for $type {
            const NAMES: &[(Self, &str)] = &[$((Self::$name, $text)),*];
        }
    };
}

pub(crate) use enumeration;
