//! What the kernel says of a TCP connection. One system call each; the only unsafe code of this crate.
#![allow(unsafe_code, reason = "TCP_INFO, SIOCOUTQ and SO_RCVLOWAT have no safe wrapper in a library")]

use std::os::fd::{AsFd, AsRawFd};

use nix::libc;

nix::ioctl_read_bad!(siocoutq, libc::TIOCOUTQ, libc::c_int);

/// Bytes written to a connection that the peer has not acknowledged yet, sent or not.
pub(crate) fn unacknowledged(socket: impl AsFd) -> Option<u64> {
    let mut bytes: libc::c_int = 0;
    // SAFETY: the descriptor is open for the length of the call, and SIOCOUTQ writes one int.
    unsafe { siocoutq(socket.as_fd().as_raw_fd(), &raw mut bytes) }.ok()?;
    u64::try_from(bytes).ok()
}

/// The beginning of Linux' `struct tcp_info` (include/uapi/linux/tcp.h): the kernel fills as much as is asked for.
#[repr(C)]
#[derive(Default)]
struct TcpInfo {
    bytes: [u8; 8],
    before_rtt: [u32; 15],
    rtt_us: u32,
}

/// The smoothed round trip of a connection, ms.
pub(crate) fn round_trip_ms(socket: impl AsFd) -> Option<f64> {
    let mut info = TcpInfo::default();
    let mut len = libc::socklen_t::try_from(size_of::<TcpInfo>()).ok()?;
    // SAFETY: `info` is plain integers of exactly `len` bytes, which getsockopt may fill.
    let result = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            (&raw mut info).cast(),
            &raw mut len,
        )
    };
    let filled = result == 0 && usize::try_from(len).is_ok_and(|len| len >= size_of::<TcpInfo>());
    (filled && info.rtt_us > 0).then(|| f64::from(info.rtt_us) / 1000.0)
}

/// Lets a reader be woken only once `bytes` have come.
pub(crate) fn wake_at(socket: impl AsFd, bytes: libc::c_int) {
    let Ok(len) = libc::socklen_t::try_from(size_of::<libc::c_int>()) else { return };
    // SAFETY: the option takes one int, which lives for the length of the call. If the kernel refuses it, the reader is
    // woken more often: nothing to be done.
    unsafe {
        libc::setsockopt(
            socket.as_fd().as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_RCVLOWAT,
            (&raw const bytes).cast(),
            len,
        )
    };
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn what_is_written_and_not_read_is_seen() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        assert_eq!(unacknowledged(&client), Some(0));
        client.set_nonblocking(true).unwrap();
        while client.write(&[0; 65536]).is_ok() {}
        assert!(unacknowledged(&client).unwrap() > 0, "the peer's window is full");
        let mut sink = vec![0; 1 << 20];
        server.set_read_timeout(Some(std::time::Duration::from_millis(200))).unwrap();
        while server.read(&mut sink).is_ok_and(|n| n > 0) {}
        assert_eq!(unacknowledged(&client), Some(0));
        assert!(round_trip_ms(&client).is_some_and(|ms| ms < 1000.0));
    }
}
