//! Enums whose variants have a name in the specification: the one table for parsing, for the features document and for
//! the TypeScript that is generated from it.

macro_rules! named {
    ($(#[$about:meta])* $type:ident { $($(#[$inner:meta])* $variant:ident = $name:literal,)+ }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $type {
            $($(#[$inner])* #[serde(rename = $name)] $variant,)+
        }

        impl $type {
            /// In the order of the specification.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The name in config.json.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.name())
            }
        }
    };
}

pub(crate) use named;
