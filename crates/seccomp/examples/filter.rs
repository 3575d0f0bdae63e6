//! Reads a profile as JSON and writes its filter for this machine as hexadecimal digits: for benchmark/seccomp. Without
//! a profile it writes the default one, as JSON.
#![allow(clippy::print_stdout)]

use std::io::{Read as _, stdin};
use std::time::Instant;

use caisson_seccomp::{Architecture, Context, Profile, Target, compile, default_profile};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let native = Architecture::NATIVE.ok_or("this architecture has no filters")?;
    let mut text = String::new();
    stdin().read_to_string(&mut text)?;
    if text.trim().is_empty() {
        let profile = default_profile(&Context { native, programs: native, capabilities: &[] });
        println!("{}", serde_json::to_string(&profile)?);
        return Ok(());
    }
    let profile: Profile = serde_json::from_str(&text)?;
    let target = Target { native, listener: false };
    let mut times: Vec<_> = (0..101)
        .map(|_| {
            let start = Instant::now();
            compile(&profile, &target).map(|_| start.elapsed())
        })
        .collect::<Result<_, _>>()?;
    times.sort_unstable();
    for instruction in compile(&profile, &target)?.instructions {
        for byte in instruction.code.to_ne_bytes() {
            print!("{byte:02x}");
        }
        print!("{:02x}{:02x}", instruction.jt, instruction.jf);
        for byte in instruction.k.to_ne_bytes() {
            print!("{byte:02x}");
        }
    }
    println!(" {}", times[50].as_nanos());
    Ok(())
}
