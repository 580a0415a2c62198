//! Free ports for servers that have to be told theirs.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};

/// Below Linux' range for outgoing connections, so that none of those takes a port between its choice and its use.
const RANGE: std::ops::Range<u16> = 20_000..32_000;

static NEXT: AtomicU16 = AtomicU16::new(0);

/// A port on loopback that nobody listens on; never the same twice in one run.
///
/// # Panics
/// If the whole range is taken.
#[must_use]
pub fn free() -> u16 {
    let span = RANGE.end - RANGE.start;
    // Two runs side by side start at different places.
    let own = u16::try_from(std::process::id() % u32::from(span)).expect("a remainder of a u16");
    for _ in 0..span {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = RANGE.start + (own.wrapping_mul(37) % span + step % span) % span;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
    panic!("no free port in {RANGE:?}");
}
