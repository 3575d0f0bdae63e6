//! The stable codes and the phases of errors, for both languages: `ts/codes.ts` is generated from this file, so that a
//! new code is one line here, and a misspelt one does not compile. docs/errors.md explains them; none is ever renamed.
#![forbid(unsafe_code)]

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An enum whose variants have a public text each, and their documentation, for the generated file. In every format of
/// serde a variant is its text, never its number: a process of another version of this package may read it.
macro_rules! texts {
    ($(#[$about:meta])* $name:ident { $($(#[doc = $doc:literal])* $variant:ident = $text:literal,)+ }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[doc = $doc])* $variant,)+
        }

        impl $name {
            /// In the order of the documentation.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }

            /// One sentence, or nothing.
            pub const fn about(self) -> &'static str {
                match self {
                    $(Self::$variant => concat!($($doc),*),)+
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                let known = Self::ALL.iter().copied().find(|variant| variant.as_str() == text);
                known.ok_or_else(|| serde::de::Error::unknown_variant(&text, &[$($text),+]))
            }
        }
    };
}

texts! {
    /// What a program may depend on: stable, documented, never renamed.
    Code {
        /// The container is not in a state in which this can be done.
        InvalidState = "ERR_INVALID_STATE",
        /// The id, file or directory exists.
        Exists = "ERR_EXISTS",
        /// No such container, snapshot, file or directory.
        NotFound = "ERR_NOT_FOUND",
        /// Another user owns a state directory or may write to it.
        StateUnsafe = "ERR_STATE_UNSAFE",
        /// The state of a container cannot be read.
        StateDamaged = "ERR_STATE_DAMAGED",
        /// The state of a container is of a later version.
        StateVersion = "ERR_STATE_VERSION",
        /// A limit of time was exceeded.
        Timeout = "ERR_TIMEOUT",
        /// A hook failed.
        Hook = "ERR_HOOK",
        /// A configuration is invalid.
        InvalidSpec = "ERR_INVALID_SPEC",
        /// An option is invalid.
        InvalidOption = "ERR_INVALID_OPTION",
        /// A container id is invalid.
        InvalidId = "ERR_INVALID_ID",
        /// A configuration is valid and asks for what is not implemented or what this host lacks.
        UnsupportedSpec = "ERR_UNSUPPORTED_SPEC",
        /// A bundle or its root file system is missing or unusable.
        InvalidBundle = "ERR_INVALID_BUNDLE",
        /// User namespaces are denied.
        UsernsDenied = "ERR_USERNS_DENIED",
        /// A control group or controller is missing or denied.
        CgroupUnavailable = "ERR_CGROUP_UNAVAILABLE",
        /// Overlays cannot be mounted.
        OverlayUnavailable = "ERR_OVERLAY_UNAVAILABLE",
        /// The kernel lacks a system call.
        KernelTooOld = "ERR_KERNEL_TOO_OLD",
        /// `caisson-init` is missing.
        HelperMissing = "ERR_HELPER_MISSING",
        /// The addon is missing.
        BindingMissing = "ERR_BINDING_MISSING",
        /// Not Linux, or an architecture without a package.
        Platform = "ERR_PLATFORM",
        /// A path leads through a link or to another file than expected: another user could decide where it leads.
        UnsafePath = "ERR_UNSAFE_PATH",
        /// A system call failed: `syscall` and `errno` say which and why.
        Syscall = "ERR_SYSCALL",
        /// A process or thread of this package was killed, or broke its protocol.
        Internal = "ERR_INTERNAL",
        /// No such image.
        ImageNotFound = "ERR_IMAGE_NOT_FOUND",
        /// A blob is missing.
        BlobNotFound = "ERR_BLOB_NOT_FOUND",
        /// A document of an image is invalid.
        InvalidImage = "ERR_INVALID_IMAGE",
        /// An image of a kind that is not supported.
        UnsupportedImage = "ERR_UNSUPPORTED_IMAGE",
        /// Content does not have its digest.
        DigestMismatch = "ERR_DIGEST_MISMATCH",
        /// Content does not have its size.
        SizeMismatch = "ERR_SIZE_MISMATCH",
        /// A layer asks for what is never granted.
        LayerUnsafe = "ERR_LAYER_UNSAFE",
        /// A layer is not a tar archive, or is damaged.
        LayerInvalid = "ERR_LAYER_INVALID",
        /// More bytes, entries or depth than a limit allows.
        LimitExceeded = "ERR_LIMIT_EXCEEDED",
        /// A file or tree changed while it was read.
        Changed = "ERR_CHANGED",
        /// A digest is malformed.
        InvalidDigest = "ERR_INVALID_DIGEST",
        /// A digest algorithm is not supported.
        UnsupportedDigest = "ERR_UNSUPPORTED_DIGEST",
        /// A digest is not in a set.
        DigestNotFound = "ERR_DIGEST_NOT_FOUND",
        /// A short digest has several meanings.
        DigestAmbiguous = "ERR_DIGEST_AMBIGUOUS",
        /// A program exited with a status other than 0.
        Exit = "ERR_EXIT",
        /// A signal ended a program.
        Signal = "ERR_SIGNAL",
        /// The memory limit ended a program.
        Oom = "ERR_OOM",
        /// A stream of the caller failed.
        Stream = "ERR_STREAM",
        /// The program does not exist.
        ExecNotFound = "ERR_EXEC_NOT_FOUND",
        /// The program cannot be executed.
        ExecDenied = "ERR_EXEC_DENIED",
        /// An operation was asked to stop.
        Aborted = "ERR_ABORTED",
    }
}

impl Code {
    /// Never leaves `ts/native`: the reason of the caller's signal does in its place.
    pub const fn is_internal(self) -> bool {
        matches!(self, Self::Aborted)
    }
}

texts! {
    /// Where in the life of a container or image an error arose.
    Phase {
        Validate = "validate",
        Resolve = "resolve",
        Unpack = "unpack",
        Write = "write",
        Prepare = "prepare",
        Cgroup = "cgroup",
        Spawn = "spawn",
        Setup = "setup",
        Hook = "hook",
        Start = "start",
        Wait = "wait",
        Kill = "kill",
        Delete = "delete",
    }
}
