//! Weights and ceilings for block devices.

use std::path::Path;

use oci_spec::runtime::{LinuxBlockIo, LinuxThrottleDevice};

use crate::{Error, Result, files};

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

/// Weights belong to the CFQ scheduler (before Linux 5.0) or to BFQ, which has files of its own.
pub(super) fn version_1(directory: &Path, io: &LinuxBlockIo) -> Result<()> {
    let bfq = directory.join("blkio.bfq.weight").exists();
    let prefix = if bfq { "blkio.bfq" } else { "blkio" };
    if let Some(weight) = io.weight().filter(|weight| *weight != 0) {
        files::write(directory, &format!("{prefix}.weight"), &weight.to_string())?;
    }
    if let Some(weight) = io.leaf_weight().filter(|weight| *weight != 0) {
        files::write(directory, "blkio.leaf_weight", &weight.to_string())?;
    }
    for device in io.weight_device().iter().flatten() {
        let numbers = format!("{}:{}", device.major(), device.minor());
        if let Some(weight) = device.weight().filter(|weight| *weight != 0) {
            files::write(directory, &format!("{prefix}.weight_device"), &format!("{numbers} {weight}"))?;
        }
        if let Some(weight) = device.leaf_weight().filter(|weight| *weight != 0) {
            files::write(directory, "blkio.leaf_weight_device", &format!("{numbers} {weight}"))?;
        }
    }
    for (devices, file, _) in ceilings(io) {
        for device in devices.iter().flatten() {
            let value = format!("{}:{} {}", device.major(), device.minor(), device.rate());
            files::write(directory, file, &value)?;
        }
    }
    Ok(())
}

pub(super) fn version_2(directory: &Path, io: &LinuxBlockIo) -> Result<()> {
    let leaf = io.weight_device().iter().flatten().any(|device| device.leaf_weight().is_some());
    if leaf || io.leaf_weight().is_some() {
        return Err(Error::new("linux.resources.blockIO.leafWeight does not exist in cgroup version 2")
            .hint("remove it, also from weightDevice"));
    }
    let bfq = directory.join("io.bfq.weight").exists();
    if let Some(weight) = io.weight().filter(|weight| *weight != 0) {
        if bfq {
            files::write(directory, "io.bfq.weight", &weight.to_string())?;
        } else {
            files::write(directory, "io.weight", &io_weight(weight).to_string())?;
        }
    }
    for device in io.weight_device().iter().flatten() {
        if let Some(weight) = device.weight().filter(|weight| *weight != 0) {
            let value = format!("{}:{} {weight}", device.major(), device.minor());
            files::write(directory, "io.bfq.weight", &value)?;
        }
    }
    for (devices, _, key) in ceilings(io) {
        for device in devices.iter().flatten() {
            // No ceiling is 0 in version 1 and "max" here.
            let rate = if device.rate() == 0 { "max".to_owned() } else { device.rate().to_string() };
            let value = format!("{}:{} {key}={rate}", device.major(), device.minor());
            files::write(directory, "io.max", &value)?;
        }
    }
    Ok(())
}

/// 10 … 1000 to 1 … 10000, in a straight line.
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
