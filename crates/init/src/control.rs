//! The control socket: reports to the addon, and its word to go on.

use std::os::fd::{AsFd, OwnedFd};

use caisson_plan::protocol::{Command, Failure, MAX_MESSAGE, Report, Start, decode, encode};
use caisson_sys::{poll, process, socket};

use crate::failure::{Result, SetupError};

#[derive(Debug)]
pub struct Control {
    socket: OwnedFd,
}

/// What `wait` came back with.
#[derive(Debug)]
pub enum ControlMessage {
    Proceed,
    /// With the connection to the agent of the filter.
    Start(Start, Option<OwnedFd>),
    /// The caller is gone.
    End,
}

impl Control {
    pub fn new(socket: OwnedFd) -> Self {
        Self { socket }
    }

    /// Takes another number, `least` or more: the lower ones are for the program.
    pub fn move_above(&mut self, least: i32) -> Result<()> {
        self.socket = process::duplicate_above(self.socket.as_fd(), least)?;
        Ok(())
    }

    pub fn socket(&self) -> &OwnedFd {
        &self.socket
    }

    /// Sends a report, with a descriptor where it has one.
    pub fn report(&self, report: &Report, descriptor: Option<&OwnedFd>) -> Result<()> {
        let bytes = encode(report).map_err(|error| SetupError::internal(error.to_string()))?;
        socket::send(&self.socket, &bytes, descriptor.as_slice())?;
        Ok(())
    }

    /// A warning that cannot be delivered stops nothing: a caller that is gone shows soon enough.
    pub fn warn(&self, text: impl Into<String>) {
        let mut text = text.into();
        shorten(&mut text);
        let _ = self.report(&Report::Warning(text), None);
    }

    /// The last thing that a failing helper says.
    pub fn fail(&self, failure: Failure, report: fn(Failure) -> Report) {
        let mut failure = failure;
        shorten(&mut failure.message);
        let _ = self.report(&report(failure), None);
    }

    /// Waits for the caller's word.
    pub fn wait(&self) -> Result<ControlMessage> {
        match socket::receive(&self.socket, MAX_MESSAGE, true)? {
            None => Ok(ControlMessage::End),
            Some(message) => match decode(&message.bytes) {
                Ok(Command::Proceed) => Ok(ControlMessage::Proceed),
                Ok(Command::Start(start)) => {
                    Ok(ControlMessage::Start(start, message.descriptors.into_iter().next()))
                }
                Err(error) => Err(SetupError::internal(error.to_string())),
            },
        }
    }

    /// Whether the caller's end is closed already. Nothing is read: the word to go on may be here as well.
    pub fn is_closed(&self) -> bool {
        matches!(poll::hung_up(&self.socket, std::time::Duration::ZERO), Ok(true))
    }
}

fn shorten(text: &mut String) {
    if let Some((end, _)) = text.char_indices().find(|(index, _)| *index >= LONGEST_TEXT) {
        text.truncate(end);
    }
}

/// Leaves room for the other fields of a failure within a message.
const LONGEST_TEXT: usize = MAX_MESSAGE / 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_at_the_caller_takes_nothing_from_it() {
        let (ours, theirs) = socket::pair().unwrap();
        let control = Control::new(theirs);
        socket::send(&ours, &encode(&Command::Proceed).unwrap(), &[]).unwrap();
        assert!(!control.is_closed());
        assert!(matches!(control.wait(), Ok(ControlMessage::Proceed)));
        drop(ours);
        assert!(control.is_closed());
        assert!(matches!(control.wait(), Ok(ControlMessage::End)));
    }
}
