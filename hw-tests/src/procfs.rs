//! What Linux tells of processes and sockets.

use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result};

/// Memory of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// Everything resident (`VmRSS`), bytes.
    pub rss: u64,
    /// The private part (`RssAnon`), bytes.
    pub anon: u64,
    /// The most that was ever resident (`VmHWM`), bytes.
    pub peak: u64,
}

/// Memory of a process.
///
/// # Errors
/// There is no such process.
pub fn memory(pid: u32) -> Result<Memory> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let field = |name: &str| -> Result<u64> {
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        let kilobytes = line.and_then(|rest| rest.split_whitespace().next()).with_context(|| format!("no {name}"))?;
        Ok(kilobytes.parse::<u64>()? * 1024)
    };
    Ok(Memory { rss: field("VmRSS")?, anon: field("RssAnon")?, peak: field("VmHWM")? })
}

/// CPU time that the threads of a process have used, in user and kernel. What ended threads used is not in it.
///
/// # Errors
/// There is no such process.
pub fn cpu(pid: u32) -> Result<Duration> {
    let mut sum = Duration::ZERO;
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        // Nanoseconds on a CPU come first. A thread that has just ended has no file any more.
        let Ok(stat) = fs::read_to_string(task?.path().join("schedstat")) else { continue };
        let spent = stat.split(' ').next().context("odd schedstat")?;
        sum += Duration::from_nanos(spent.parse()?);
    }
    Ok(sum)
}

/// The direct children of a process.
///
/// # Errors
/// `/proc` cannot be read.
pub fn children(parent: u32) -> Result<Vec<u32>> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        // Gone in between: no child any more.
        let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else { continue };
        let of = stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(1)?.parse::<u32>().ok());
        if of == Some(parent) {
            found.push(pid);
        }
    }
    Ok(found)
}

/// How many sockets a process has open.
///
/// # Errors
/// There is no such process.
pub fn sockets(pid: u32) -> Result<usize> {
    let open = fs::read_dir(format!("/proc/{pid}/fd"))?.flatten().filter_map(|fd| fs::read_link(fd.path()).ok());
    Ok(open.filter(|target| target.to_string_lossy().starts_with("socket:")).count())
}

/// Whether somebody on this machine listens on a TCP port of IPv4.
///
/// # Errors
/// `/proc` cannot be read.
pub fn listens(port: u16) -> Result<bool> {
    let wanted = format!(":{port:04X}");
    Ok(fs::read_to_string("/proc/net/tcp")?.lines().skip(1).any(|line| {
        let mut fields = line.split_whitespace().skip(1);
        // Local address, remote address, state; 0A is LISTEN.
        fields.next().is_some_and(|local| local.ends_with(&wanted)) && fields.nth(1) == Some("0A")
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_memory_and_uses_time() {
        let pid = std::process::id();
        let memory = memory(pid).expect("own status");
        assert!(memory.rss > 0 && memory.anon <= memory.rss && memory.rss <= memory.peak);
        let before = cpu(pid).expect("own stat");
        let start = std::time::Instant::now();
        while start.elapsed() < Duration::from_millis(60) {
            std::hint::spin_loop();
        }
        assert!(cpu(pid).expect("own stat") > before);
    }

    #[test]
    fn a_listener_is_seen() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("binds");
        let port = listener.local_addr().expect("bound").port();
        assert!(listens(port).expect("readable"));
        drop(listener);
        assert!(!listens(port).expect("readable"));
    }
}
