use std::io::Read;

use super::*;
use crate::Stop;

/// Compressible text and incompressible noise from a small generator.
fn content(length: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut bytes = Vec::with_capacity(length);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        if state.is_multiple_of(5) {
            bytes.extend_from_slice(&state.to_le_bytes());
        } else {
            bytes.extend_from_slice(format!("line {} of the text\n", state % 1000).as_bytes());
        }
    }
    bytes.truncate(length);
    bytes
}

fn pack(bytes: &[u8], settings: &Settings, piece: usize) -> (Vec<u8>, Sealed) {
    let mut out = Vec::new();
    let ((), sealed) = write(&mut out, settings, &Stop::default(), |writing| {
        bytes.chunks(piece.max(1)).try_for_each(|piece| writing.put(piece))
    })
    .unwrap();
    (out, sealed)
}

fn unpack(bytes: &[u8], compression: Compression) -> Vec<u8> {
    let mut out = Vec::new();
    match compression {
        Compression::None => out.extend_from_slice(bytes),
        // Not the multi-member reader: nothing may follow the one member.
        Compression::Gzip => drop(flate2::bufread::GzDecoder::new(bytes).read_to_end(&mut out).unwrap()),
        Compression::Zstd => out = zstd::decode_all(bytes).unwrap(),
    }
    out
}

const ALL: [Compression; 3] = [Compression::None, Compression::Gzip, Compression::Zstd];

#[test]
fn what_goes_in_comes_out() {
    for compression in ALL {
        for length in [0, 1, 511, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK + 12345] {
            let bytes = content(length);
            let (out, sealed) = pack(&bytes, &Settings::new(compression), 10_007);
            assert_eq!(unpack(&out, compression), bytes, "{compression:?} {length}");
            assert_eq!((sealed.size, sealed.length), (out.len() as u64, length as u64));
            let digest = |bytes: &[u8]| {
                let mut hasher = caisson_digest::Hasher::sha256();
                hasher.update(bytes);
                hasher.digest()
            };
            assert_eq!((sealed.digest, sealed.diff_id), (digest(&out), digest(&bytes)));
        }
    }
}

const CHUNK: usize = pipeline::BLOCK_SIZE;

#[test]
fn threads_and_pieces_change_nothing() {
    let bytes = content(9 * CHUNK + 77);
    for compression in ALL {
        for level in [None, Some(1), Some(9)] {
            if level.is_some() && compression == Compression::None {
                continue;
            }
            let of = |threads, piece| pack(&bytes, &Settings { compression, level, threads }, piece).0;
            let expected = of(1, bytes.len());
            for (threads, piece) in [(2, 4096), (3, 65_537), (8, CHUNK), (0, 100)] {
                assert!(of(threads, piece) == expected, "{compression:?} {level:?} {threads} {piece}");
            }
        }
    }
}

#[test]
fn the_header_of_gzip_says_nothing_about_the_machine() {
    let (out, _) = pack(b"x", &Settings::new(Compression::Gzip), 1);
    assert_eq!(out[..10], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]);
}

#[test]
fn levels_out_of_range_are_refused() {
    for (compression, level) in [
        (Compression::Gzip, 0),
        (Compression::Gzip, 10),
        (Compression::Zstd, 0),
        (Compression::Zstd, 20),
        (Compression::None, 1),
    ] {
        let settings = Settings { compression, level: Some(level), threads: 1 };
        let error = write(Vec::new(), &settings, &Stop::default(), |_| Ok(())).unwrap_err();
        assert_eq!(error.kind, Kind::Option, "{compression:?} {level}");
    }
}

#[test]
fn a_failing_output_ends_everything_with_its_own_error() {
    struct Full;
    impl std::io::Write for Full {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(rustix::io::Errno::NOSPC.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let bytes = content(40 * CHUNK);
    for compression in ALL {
        let error = write(Full, &Settings::new(compression), &Stop::default(), |writing| writing.put(&bytes))
            .unwrap_err();
        assert_eq!(error.errno, Some(rustix::io::Errno::NOSPC), "{compression:?}: {error}");
    }
}

#[test]
fn an_abort_and_a_failure_of_the_producer_end_it() {
    let stop = Stop::default();
    stop.stop();
    let bytes = content(2 * CHUNK);
    for compression in ALL {
        let settings = Settings::new(compression);
        let error = write(Vec::new(), &settings, &stop, |writing| writing.put(&bytes)).unwrap_err();
        assert_eq!(error.kind, Kind::Stopped);
        let failing = write(Vec::new(), &settings, &Stop::default(), |writing| {
            writing.put(&bytes)?;
            Err::<(), _>(Error::invalid("no more"))
        });
        assert_eq!(failing.unwrap_err().message, "no more");
    }
}
