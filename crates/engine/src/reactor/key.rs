//! Keys of the epoll set: the low bits are the kind, the others the number.

use crate::request::Handle;

/// Key of the mailbox's waker.
pub const WAKER: u64 = u64::MAX;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    Waker,
    Control(Handle),
    Process(Handle),
    Guard(u64),
    Watched(Handle),
    Stray(u64),
}

impl Key {
    pub fn encode(self) -> u64 {
        match self {
            Self::Waker => WAKER,
            Self::Control(serial) => serial << 3,
            Self::Process(serial) => (serial << 3) | 1,
            Self::Guard(serial) => (serial << 3) | 2,
            Self::Watched(serial) => (serial << 3) | 3,
            Self::Stray(serial) => (serial << 3) | 4,
        }
    }

    pub fn decode(key: u64) -> Self {
        let serial = key >> 3;
        match key & 7 {
            0 => Self::Control(serial),
            1 => Self::Process(serial),
            2 => Self::Guard(serial),
            3 => Self::Watched(serial),
            4 => Self::Stray(serial),
            _ => Self::Waker,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Key;

    #[test]
    fn keys_keep_their_kind() {
        for key in [
            Key::Waker,
            Key::Control(1),
            Key::Process(7),
            Key::Guard(1 << 40),
            Key::Watched(2),
            Key::Stray(3),
        ] {
            assert_eq!(Key::decode(key.encode()), key);
        }
    }
}
