//! Changes of links and addresses, told by the kernel (rtnetlink(7)).

use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixDatagram as StdDatagram;
use std::time::Duration;

use nix::libc;
use nix::sys::socket::{AddressFamily, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, socket};
use tokio::net::UnixDatagram;
use tokio::time::sleep;

/// Where the kernel does not tell, the links are looked at this often.
const POLL: Duration = Duration::from_millis(500);

/// Tells that links or addresses may have changed.
pub(super) struct Changes(Option<UnixDatagram>);

impl Changes {
    pub(super) fn watch() -> Self {
        let opened = open().inspect_err(|error| {
            tracing::warn!(%error, "the kernel does not tell of changed addresses: they are looked at twice a second");
        });
        Self(opened.ok())
    }

    /// Returns at the next change.
    pub(super) async fn next(&mut self) {
        let Some(socket) = &self.0 else { return sleep(POLL).await };
        // What has changed is looked up afterwards, all at once: the messages only wake.
        let mut message = [0; 8192];
        match socket.recv(&mut message).await {
            Ok(1..) => while socket.try_recv(&mut message).is_ok_and(|length| length > 0) {},
            // So many that some were lost: as good as one.
            Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => {}
            Ok(0) | Err(_) => self.0 = None,
        }
    }
}

/// A netlink socket is read like any socket of datagrams, which is all that is done with it.
fn open() -> io::Result<UnixDatagram> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let socket = socket(AddressFamily::Netlink, SockType::Raw, flags, SockProtocol::NetlinkRoute)?;
    let groups = libc::RTMGRP_LINK | libc::RTMGRP_IPV4_IFADDR | libc::RTMGRP_IPV6_IFADDR;
    bind(socket.as_raw_fd(), &NetlinkAddr::new(0, groups.unsigned_abs()))?;
    UnixDatagram::from_std(StdDatagram::from(socket))
}
