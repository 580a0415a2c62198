//! The board and the system below: what it is, and how it is found on the network.

pub mod first_boot;
pub mod install;
pub mod mdns;
mod model;
mod notices;

pub use model::kind;
pub use notices::{Notice, notices};

use std::net::IpAddr;

/// Every address of this machine's but loopback, of interfaces that are up.
#[must_use]
pub fn addresses() -> Vec<IpAddr> {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default().into_iter();
    interfaces.filter(|interface| interface.is_oper_up() && !interface.is_loopback()).map(|own| own.ip()).collect()
}
