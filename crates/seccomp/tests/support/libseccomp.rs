//! Filters of the installed libseccomp, by a small program in Python.

use std::io::Write as _;
use std::process::{Command, Stdio};

use caisson_seccomp::{Architecture, Instruction, Profile};
use serde_json::{Value, json};

/// The filters of profiles, or why libseccomp refuses one; `None` where it cannot be asked.
pub fn filters(profiles: &[Profile]) -> Option<Vec<Result<Vec<Instruction>, String>>> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/libseccomp.py");
    let mut python = Command::new("python3")
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let requests: String = profiles.iter().map(|profile| format!("{}\n", request(profile))).collect();
    let mut input = python.stdin.take()?;
    let writer = std::thread::spawn(move || input.write_all(requests.as_bytes()));
    let output = python.wait_with_output().ok()?;
    let _ = writer.join();
    if !output.status.success() {
        return None;
    }
    Some(String::from_utf8(output.stdout).ok()?.lines().map(parse).collect())
}

/// The profile with the numbers of its architectures; that of x32 is one of libseccomp's own.
fn request(profile: &Profile) -> Value {
    let token = |architecture: &Architecture| match architecture {
        Architecture::X32 => 0x4000_003e,
        other => other.audit(),
    };
    let mut request = json!(profile);
    request["tokens"] = profile.architectures.iter().flatten().map(token).collect();
    request
}

fn parse(line: &str) -> Result<Vec<Instruction>, String> {
    let digits: Option<Vec<u8>> = line
        .as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect();
    let bytes = digits.ok_or_else(|| line.to_owned())?;
    let instruction = |bytes: &[u8]| Instruction {
        code: u16::from_ne_bytes([bytes[0], bytes[1]]),
        jt: bytes[2],
        jf: bytes[3],
        k: u32::from_ne_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]),
    };
    Ok(bytes.chunks_exact(8).map(instruction).collect())
}
