//! Weights and throttling of block devices.

use std::path::Path;

use oci_spec::runtime::{LinuxBlockIo, LinuxThrottleDevice};

use crate::{Error, Operation, Result, Write};

pub(super) fn is_set(io: &LinuxBlockIo) -> bool {
    *io != LinuxBlockIo::default()
}

/// The files of version 1, and the keys of `io.max` in version 2.
type Ceiling<'a> = (&'a Option<Vec<LinuxThrottleDevice>>, &'static str, &'static str);

fn ceilings(io: &LinuxBlockIo) -> [Ceiling<'_>; 4] {
    [
        (io.throttle_read_bps_device(), "blkio.throttle.read_bps_device", "rbps"),
        (io.throttle_write_bps_device(), "blkio.throttle.write_bps_device", "wbps"),
        (io.throttle_read_iops_device(), "blkio.throttle.read_iops_device", "riops"),
        (io.throttle_write_iops_device(), "blkio.throttle.write_iops_device", "wiops"),
    ]
}

/// Weights belong to the CFQ scheduler (before Linux 5.0) or else to BFQ, which has files of its own.
pub(super) fn version_1(list: &mut Vec<Operation>, directory: &Path, io: &LinuxBlockIo) {
    let mut add = |write: Write| list.push(Operation::Write(write));
    if let Some(weight) = io.weight().filter(|weight| *weight != 0) {
        add(Write::new(directory, "blkio.weight", weight).or_else("blkio.bfq.weight", weight));
    }
    if let Some(weight) = io.leaf_weight().filter(|weight| *weight != 0) {
        add(Write::new(directory, "blkio.leaf_weight", weight));
    }
    for device in io.weight_device().iter().flatten() {
        let numbers = format!("{}:{}", device.major(), device.minor());
        if let Some(weight) = device.weight().filter(|weight| *weight != 0) {
            let value = format!("{numbers} {weight}");
            add(Write::new(directory, "blkio.weight_device", &value)
                .or_else("blkio.bfq.weight_device", &value));
        }
        if let Some(weight) = device.leaf_weight().filter(|weight| *weight != 0) {
            add(Write::new(directory, "blkio.leaf_weight_device", format!("{numbers} {weight}")));
        }
    }
    for (devices, file, _) in ceilings(io) {
        for device in devices.iter().flatten() {
            let value = format!("{}:{} {}", device.major(), device.minor(), device.rate());
            add(Write::new(directory, file, value));
        }
    }
}

pub(super) fn version_2(list: &mut Vec<Operation>, directory: &Path, io: &LinuxBlockIo) -> Result<()> {
    let leaf = io.weight_device().iter().flatten().any(|device| device.leaf_weight().is_some());
    if leaf || io.leaf_weight().is_some() {
        return Err(Error::new("linux.resources.blockIO.leafWeight does not exist in cgroup version 2")
            .hint("remove it, also from weightDevice"));
    }
    let mut add = |write: Write| list.push(Operation::Write(write));
    if let Some(weight) = io.weight().filter(|weight| *weight != 0) {
        add(Write::new(directory, "io.bfq.weight", weight).or_else("io.weight", io_weight(weight)));
    }
    for device in io.weight_device().iter().flatten() {
        if let Some(weight) = device.weight().filter(|weight| *weight != 0) {
            let numbers = format!("{}:{}", device.major(), device.minor());
            add(Write::new(directory, "io.bfq.weight", format!("{numbers} {weight}"))
                .or_else("io.weight", format!("{numbers} {}", io_weight(weight))));
        }
    }
    for (devices, _, key) in ceilings(io) {
        for device in devices.iter().flatten() {
            // Unlimited is 0 in version 1 and "max" here.
            let rate = if device.rate() == 0 { "max".to_owned() } else { device.rate().to_string() };
            let value = format!("{}:{} {key}={rate}", device.major(), device.minor());
            add(Write::new(directory, "io.max", value));
        }
    }
    Ok(())
}

/// Maps 10 … 1000 linearly to 1 … 10000.
fn io_weight(weight: u16) -> u64 {
    1 + u64::from(weight.max(10) - 10) * 9999 / 990
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_of_version_2() {
        assert_eq!([10, 100, 500, 1000].map(io_weight), [1, 910, 4950, 10_000]);
    }
}
