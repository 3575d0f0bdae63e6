//! Role `owner`: root of a user namespace with a range of ids, for one operation of an ordinary user. It is handed
//! files and gives them to owners that exist in that namespace alone, or directories and opens what is in them. It
//! starts at what it is handed and follows no link, so nothing can lead it anywhere.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use caisson_flags::Namespaces;
use caisson_plan::protocol::{MAX_MESSAGE, Opening, OwnerReply, OwnerRequest, decode, encode, fd};
use caisson_sys::{
    Error, Result, attribute, credentials, descriptor, errno, file, namespace, resolve, signal, socket,
};

/// Runs the role, until the other end of the socket is gone.
pub fn run() -> i32 {
    i32::from(serve().is_err())
}

fn serve() -> Result<()> {
    let control = descriptor::inherited(fd::CONTROL)?;
    credentials::set_name(c"caisson-owner")?;
    signal::reset()?;
    if let Err(error) = namespace::unshare(Namespaces::USER) {
        return answer(&control, &failed(&error), None);
    }
    answer(&control, &OwnerReply::Ready, None)?;
    while let Some(message) = socket::receive(&control, MAX_MESSAGE, true)? {
        credentials::set_dumpable(false)?; // the maps are written
        let reply = match (decode::<OwnerRequest>(&message.bytes), message.descriptors.as_slice()) {
            (Ok(request), [file]) => perform(file.as_fd(), request),
            _ => Err(Error::new("recvmsg", "no request", errno::EINVAL)),
        };
        let (reply, opened) = reply.unwrap_or_else(|error| (failed(&error), None));
        answer(&control, &reply, opened)?;
    }
    Ok(())
}

fn perform(file: BorrowedFd<'_>, request: OwnerRequest) -> Result<(OwnerReply, Option<OwnedFd>)> {
    match request {
        OwnerRequest::Give { uid, gid, mode, capability } => {
            file::change_owner(file, Some(uid), Some(gid))?;
            if let Some(mode) = mode {
                attribute::change_mode(file, mode)?;
            }
            if let Some(capability) = capability {
                attribute::set(file, "security.capability", &capability)?;
            }
            Ok((OwnerReply::Done, None))
        }
        OwnerRequest::Open { path, opening } => {
            let flags = match opening {
                Opening::Handle => file::O_PATH | file::O_NOFOLLOW,
                Opening::Directory => file::O_RDONLY | file::O_DIRECTORY | file::O_NOFOLLOW,
                Opening::File => file::O_RDONLY | file::O_NONBLOCK | file::O_NOFOLLOW,
            };
            Ok((OwnerReply::Opened, Some(resolve::open_beneath_plain(file, &path, flags)?)))
        }
        OwnerRequest::Attribute { name } => Ok((OwnerReply::Value(attribute::get(file, &name)?), None)),
    }
}

fn failed(error: &Error) -> OwnerReply {
    OwnerReply::Failed { call: error.call().to_owned(), errno: error.errno() }
}

fn answer(control: &OwnedFd, reply: &OwnerReply, opened: Option<OwnedFd>) -> Result<()> {
    match encode(reply) {
        Ok(bytes) => socket::send(control, &bytes, opened.as_ref().as_slice()),
        Err(_) => Ok(()), // an enum of short texts, bytes and numbers always encodes
    }
}
