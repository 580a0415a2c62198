//! Small networks of network namespaces: machines on switches, with nothing of this machine's own network. Needs root.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Result;

use crate::process::{self, Process};

/// Machines and switches; gone when this is dropped.
#[derive(Debug)]
pub struct Network {
    prefix: String,
    names: Vec<String>,
    links: usize,
}

impl Network {
    /// An empty one; `None` where no namespaces can be made.
    #[must_use]
    pub fn new() -> Option<Self> {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let prefix = format!("bbx{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        nix::unistd::geteuid().is_root().then(|| Self { prefix, names: Vec::new(), links: 0 })
    }

    /// Adds a switch.
    ///
    /// # Errors
    /// The system refuses.
    pub fn switch(&mut self, name: &str) -> Result<()> {
        self.add(name)?;
        self.ip(name, "link add br0 type bridge")?;
        self.ip(name, "link set br0 up")
    }

    /// Adds a machine.
    ///
    /// # Errors
    /// The system refuses.
    pub fn machine(&mut self, name: &str) -> Result<()> {
        self.add(name)?;
        // Addresses are there at once: the second that others are asked for them says nothing here.
        let sysctl =
            "echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad; echo 0 >/proc/sys/net/ipv6/conf/all/accept_dad";
        process::output(self.inside(name, "sh").args(["-c", sysctl]))?;
        self.ip(name, "link set lo up")
    }

    /// Lays a cable from a machine to a switch; gives the name of the machine's interface.
    ///
    /// # Errors
    /// The system refuses.
    pub fn cable(&mut self, machine: &str, switch: &str, addresses: &[&str]) -> Result<String> {
        self.links += 1;
        let (near, far) = (format!("eth{}", self.links), format!("port{}", self.links));
        let peer = format!("link add {near} type veth peer name {far} netns {}", self.full(switch));
        self.ip(machine, &peer)?;
        self.ip(switch, &format!("link set {far} master br0 up"))?;
        self.ip(machine, &format!("link set {near} up"))?;
        for address in addresses {
            self.ip(machine, &format!("addr add {address} dev {near}"))?;
        }
        Ok(near)
    }

    /// Lays a cable between two switches.
    ///
    /// # Errors
    /// The system refuses.
    pub fn join(&mut self, one: &str, other: &str) -> Result<()> {
        self.links += 1;
        let (near, far) = (format!("port{}a", self.links), format!("port{}b", self.links));
        self.ip(one, &format!("link add {near} type veth peer name {far} netns {}", self.full(other)))?;
        self.ip(one, &format!("link set {near} master br0 up"))?;
        self.ip(other, &format!("link set {far} master br0 up"))
    }

    /// `ip …` on a machine.
    ///
    /// # Errors
    /// The command fails.
    pub fn ip(&self, machine: &str, command: &str) -> Result<()> {
        process::output(Command::new("ip").arg("-n").arg(self.full(machine)).args(command.split(' '))).map(drop)
    }

    /// A command on a machine.
    #[must_use]
    pub fn inside(&self, machine: &str, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.full(machine)]).arg(program.as_ref());
        command
    }

    /// A process on a machine, with the lines that it prints.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(
        &self,
        machine: &str,
        dir: &Path,
        program: impl AsRef<Path>,
        prepare: impl FnOnce(&mut Command),
    ) -> Result<(Process, std::sync::mpsc::Receiver<String>)> {
        Process::start_reading(machine, dir, "ip", |command| {
            command.args(["netns", "exec", &self.full(machine)]).arg(program.as_ref());
            prepare(command);
        })
    }

    fn add(&mut self, name: &str) -> Result<()> {
        let full = self.full(name);
        process::output(Command::new("ip").args(["netns", "add", &full]))?;
        self.names.push(full);
        Ok(())
    }

    fn full(&self, name: &str) -> String {
        format!("{}-{name}", self.prefix)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for name in &self.names {
            // One that is gone is as good.
            let _ = Command::new("ip").args(["netns", "del", name]).status();
        }
    }
}
