//! How a pool thread processes files: one file, with the kernel copying ahead on a free processor, or two files side by
//! side when all are busy, because two interleaved SHA-256 computations take little longer than one.

use crate::control::Control;
use crate::file::{Digests, Failure, Input};
use crate::{Algorithm, Hasher, overlap, pool};

/// Two buffers fit the second-level cache with room to spare.
pub(crate) const BUFFER: usize = 128 << 10;

/// Receives the result, on this thread.
pub(crate) type Done = Box<dyn FnOnce(Result<Digests, Failure>) + Send>;

/// A file in progress.
pub(crate) struct Lane {
    input: Input,
    hashers: Vec<Hasher>,
    size: u64,
    control: Control,
    done: Done,
    buffer: Vec<u8>,
}

impl Lane {
    pub(crate) fn new(input: Input, algorithms: &[Algorithm], control: Control, done: Done) -> Self {
        input.announce(&control);
        let hashers = algorithms.iter().map(|algorithm| Hasher::new(*algorithm)).collect();
        Self { input, hashers, size: 0, control, done, buffer: Vec::new() }
    }

    /// Whether a second file may run beside it.
    pub(crate) fn pairs(algorithms: impl Iterator<Item = Algorithm>) -> bool {
        algorithms.eq([Algorithm::Sha256])
    }

    fn take(&mut self, count: usize) {
        for hasher in &mut self.hashers {
            hasher.update(&self.buffer[..count]);
        }
        self.count(count);
    }

    fn count(&mut self, count: usize) {
        self.size += count as u64;
        self.control.count(count);
    }

    /// Fills the buffer; 0 at the end.
    fn fill(&mut self) -> Result<usize, Failure> {
        self.buffer.resize(BUFFER, 0);
        self.input.fill(&mut self.buffer, &self.control)
    }

    /// Reads on a second thread until the end (`true`) or until the processors are needed elsewhere (`false`).
    fn read_ahead(&mut self) -> Result<bool, Failure> {
        let Self { input, hashers, size, control, .. } = self;
        let mut fill = |buffer: &mut [u8]| input.fill(buffer, control);
        let mut take = |bytes: &[u8]| {
            for hasher in &mut *hashers {
                hasher.update(bytes);
            }
            *size += bytes.len() as u64;
            control.count(bytes.len());
        };
        overlap::read(&mut fill, &mut take, &|| !pool::is_crowded())
    }

    /// For a source that may block forever: does everything on this thread.
    pub(crate) fn wait(mut self) {
        let read = loop {
            self.buffer.resize(BUFFER, 0);
            match self.input.wait_and_fill(&mut self.buffer, &self.control) {
                Ok(0) => break Ok(()),
                Ok(count) => self.take(count),
                Err(failure) => break Err(failure),
            }
        };
        self.finish(read);
    }

    fn finish(self, read: Result<(), Failure>) {
        let Self { hashers, size, done, .. } = self;
        done(read.map(|()| Digests { digests: hashers.into_iter().map(Hasher::digest).collect(), size }));
    }
}

/// Runs until `first` and all lanes from `adopt` have ended.
pub(crate) fn run(first: Lane, adopt: &dyn Fn() -> Option<Lane>) {
    let mut next = Some(first);
    while let Some(lane) = next {
        next = alone(lane, adopt).and_then(|(one, two)| beside(one, two));
    }
}

/// Processes one file to its end (`None`) or until a second one can join it.
fn alone(mut lane: Lane, adopt: &dyn Fn() -> Option<Lane>) -> Option<(Lane, Lane)> {
    let pairs = Lane::pairs(lane.hashers.iter().map(Hasher::algorithm));
    loop {
        if lane.input.remaining(lane.size) >= overlap::WORTHWHILE
            && let Some(_second) = pool::spare()
        {
            match lane.read_ahead() {
                Ok(false) => {}
                Ok(true) => {
                    lane.finish(Ok(()));
                    return None;
                }
                Err(failure) => {
                    lane.finish(Err(failure));
                    return None;
                }
            }
        }
        if pairs && let Some(second) = adopt() {
            return Some((lane, second));
        }
        match lane.fill() {
            Ok(count @ 1..) => lane.take(count),
            end => {
                lane.finish(end.map(drop));
                return None;
            }
        }
    }
}

/// Processes two files until one of them has ended; returns the other.
fn beside(mut one: Lane, mut two: Lane) -> Option<Lane> {
    loop {
        let first = match one.fill() {
            Ok(count @ 1..) => count,
            end => {
                one.finish(end.map(drop));
                return Some(two);
            }
        };
        let second = match two.fill() {
            Ok(count @ 1..) => count,
            end => {
                one.take(first);
                two.finish(end.map(drop));
                return Some(one);
            }
        };
        let (left, right) = (&one.buffer[..first], &two.buffer[..second]);
        Hasher::update_two(&mut one.hashers[0], &mut two.hashers[0], left, right);
        one.count(first);
        two.count(second);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::fs::OpenOptions;
    use std::io::Write;
    use std::path::PathBuf;
    use std::sync::mpsc::{Receiver, channel};

    use super::*;
    use crate::Source;

    struct Made(PathBuf);

    impl Made {
        fn new(name: &str, content: &[u8]) -> Self {
            let path = std::env::temp_dir().join(format!("caisson-lane-{}-{name}", std::process::id()));
            std::fs::write(&path, content).unwrap();
            Self(path)
        }

        fn lane(&self, algorithms: &[Algorithm]) -> (Lane, Receiver<Result<Digests, Failure>>) {
            let (send, receive) = channel();
            let input = Input::open(Source::Path(self.0.as_os_str().as_encoded_bytes().to_vec())).unwrap();
            let done = Box::new(move |result| send.send(result).unwrap());
            (Lane::new(input, algorithms, Control::default(), done), receive)
        }
    }

    impl Drop for Made {
        fn drop(&mut self) {
            let _ = std::fs::remove_file(&self.0);
        }
    }

    fn content(length: usize, seed: usize) -> Vec<u8> {
        (0..length).map(|at| ((at * seed) >> 3) as u8).collect()
    }

    fn expected(content: &[u8]) -> Result<Digests, Failure> {
        let mut hasher = Hasher::sha256();
        hasher.update(content);
        Ok(Digests { digests: vec![hasher.digest()], size: content.len() as u64 })
    }

    /// Files of all lengths, each started as soon as there is room, on one thread: each gets its own digest.
    #[test]
    fn files_side_by_side_do_not_mix() {
        let lengths =
            [BUFFER * 3 + 5, 10, 0, BUFFER, BUFFER + 64, BUFFER * 5, 1, BUFFER * 2 + 63, 64, BUFFER * 4];
        let contents: Vec<_> =
            lengths.iter().enumerate().map(|(at, length)| content(*length, at + 3)).collect();
        let files: Vec<_> = contents
            .iter()
            .enumerate()
            .map(|(at, content)| Made::new(&format!("beside-{at}"), content))
            .collect();
        let (mut lanes, ends): (Vec<_>, Vec<_>) =
            files.iter().map(|file| file.lane(&[Algorithm::Sha256])).unzip();
        lanes.reverse();
        let first = lanes.pop().unwrap();
        let others = RefCell::new(lanes);
        run(first, &|| others.borrow_mut().pop());
        assert!(others.borrow().is_empty(), "all were taken along");
        for (end, content) in ends.iter().zip(&contents) {
            assert_eq!(end.try_recv().unwrap(), expected(content));
        }
    }

    #[test]
    fn a_stop_of_one_is_none_of_the_other() {
        let whole = content(BUFFER * 6, 5);
        let (one, two) = (Made::new("stopped", &whole), Made::new("goes-on", &whole));
        let ((stopped, its_end), (other, other_end)) =
            (one.lane(&[Algorithm::Sha256]), two.lane(&[Algorithm::Sha256]));
        stopped.control.stop();
        let second = RefCell::new(Some(other));
        run(stopped, &|| second.borrow_mut().take());
        assert_eq!(its_end.try_recv().unwrap(), Err(Failure::Stopped));
        assert_eq!(other_end.try_recv().unwrap(), expected(&whole));
    }

    #[test]
    fn several_algorithms_stay_alone() {
        let file = Made::new("several", &content(BUFFER * 2, 3));
        let (lane, end) = file.lane(&[Algorithm::Sha512, Algorithm::Sha256]);
        run(lane, &|| panic!("nothing may join"));
        assert_eq!(
            end.try_recv().unwrap().unwrap().digests[1],
            expected(&content(BUFFER * 2, 3)).unwrap().digests[0]
        );
    }

    #[test]
    fn a_file_that_grows_is_read_to_the_end_that_it_has_then() {
        for length in [100, overlap::WORTHWHILE as usize] {
            let mut whole = content(length, 7);
            let file = Made::new(&format!("grows-{length}"), &whole);
            let (lane, end) = file.lane(&[Algorithm::Sha256]);
            let control = lane.control.clone();
            OpenOptions::new().append(true).open(&file.0).unwrap().write_all(&content(BUFFER, 9)).unwrap();
            whole.extend(content(BUFFER, 9));
            run(lane, &|| None);
            assert_eq!(end.try_recv().unwrap(), expected(&whole));
            assert_eq!(control.progress().total, Some(length as u64), "the size when it was opened");
        }
    }
}
