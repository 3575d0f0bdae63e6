//! Role `owner`: root of a user namespace with a range of ids, for one unpacking by an ordinary user. It is handed files and
//! gives them to owners that exist in that namespace alone. It knows no path, so no link can lead it anywhere.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use caisson_plan::protocol::{MAX_MESSAGE, OwnerReply, OwnerRequest, decode, encode, fd};
use caisson_sys::namespace::{self, NEW_USER};
use caisson_sys::{Error, Result, attribute, credentials, descriptor, errno, file, signal, socket};

/// Runs the role, until the other end of the socket is gone.
pub fn run() -> i32 {
    i32::from(serve().is_err())
}

fn serve() -> Result<()> {
    let control = descriptor::inherited(fd::CONTROL)?;
    credentials::set_name(c"caisson-owner")?;
    signal::reset()?;
    if let Err(error) = namespace::unshare(NEW_USER) {
        return answer(&control, &failed(&error));
    }
    answer(&control, &OwnerReply::Ready)?;
    while let Some(message) = socket::receive(&control, MAX_MESSAGE, true)? {
        credentials::set_dumpable(false)?; // the maps are written
        let reply = match (decode::<OwnerRequest>(&message.bytes), message.descriptors.as_slice()) {
            (Ok(request), [file]) => give(file.as_fd(), &request),
            _ => Err(Error::new("recvmsg", "no request", errno::EINVAL)),
        };
        answer(&control, &reply.map_or_else(|error| failed(&error), |()| OwnerReply::Done))?;
    }
    Ok(())
}

fn give(file: BorrowedFd<'_>, request: &OwnerRequest) -> Result<()> {
    file::change_owner(file, Some(request.uid), Some(request.gid))?;
    if let Some(mode) = request.mode {
        attribute::change_mode(file, mode)?;
    }
    if let Some(capability) = &request.capability {
        attribute::set(file, "security.capability", capability)?;
    }
    Ok(())
}

fn failed(error: &Error) -> OwnerReply {
    OwnerReply::Failed { call: error.call().to_owned(), errno: error.errno() }
}

fn answer(control: &OwnedFd, reply: &OwnerReply) -> Result<()> {
    match encode(reply) {
        Ok(bytes) => socket::send(control, &bytes, &[]),
        Err(_) => Ok(()), // an enum of short texts and numbers always encodes
    }
}
