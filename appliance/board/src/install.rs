//! *Install on this computer*: a box that was started from a USB stick puts itself onto a disk of the machine. What may
//! write disks is a service of the system's; this asks it over a socket, one request a connection.

use std::fmt;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;

/// A disk that says nothing for so long has died.
const PATIENCE: Duration = Duration::from_secs(120);
/// No installation says more, in bytes.
const MOST: u64 = 1 << 20;

/// A disk that can take the system.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Disk {
    /// As the system calls it: `nvme0n1`.
    pub disk: String,
    /// As its maker calls it; may be empty.
    pub model: String,
    /// Its serial number; may be empty.
    pub serial: String,
    /// Its size.
    pub bytes: u64,
    /// Whether something is on it, which will be lost.
    pub used: bool,
    /// What is on it, as far as it is known: kind and name of each file system (`ntfs Windows`).
    #[serde(default)]
    pub holds: Vec<String>,
}

/// Where the system could be put.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Disks {
    /// Whether this machine was started from a USB stick. Where it was not, there is nothing to install and no disk.
    pub from_stick: bool,
    /// Disks in this machine that are large enough.
    pub disks: Vec<Disk>,
}

/// How far an installation has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What is being done.
    pub step: Step,
    /// Of this step, 0 to 100.
    pub percent: u8,
}

/// What is being done, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Step {
    /// Partitions and small file systems are made; what was on the disk is lost.
    Prepare,
    /// The system is copied.
    Copy,
    /// It is read back.
    Compare,
    /// Settings and data are copied. The daemon is stopped for that.
    Settings,
}

/// Why it was not installed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InstallError {
    /// Nobody answers there, or not as agreed.
    #[error("{path}: {what}")]
    Unreachable {
        /// The socket.
        path: String,
        /// What went wrong with it.
        what: String,
    },
    /// The service says why, in one sentence.
    #[error("not installed: {0}")]
    Refused(String),
}

/// A line of the service.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Said {
    Disk(Disk),
    Progress { step: Step, done: u64, total: u64 },
    Error { error: String },
    End { end: bool, stick: bool },
    Installed { installed: bool },
}

impl fmt::Display for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = if self.model.is_empty() { &self.disk } else { &self.model };
        // In powers of ten, as it stands on the disk.
        write!(f, "{name}, {} GB", self.bytes / 1_000_000_000)?;
        if self.used { f.write_str(", with something on it that will be lost") } else { f.write_str(", empty") }
    }
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { step, percent } = self;
        match step {
            Step::Prepare => f.write_str("Preparing the disk"),
            Step::Copy => write!(f, "Copying the system: {percent} %"),
            Step::Compare => write!(f, "Reading it back: {percent} %"),
            Step::Settings => f.write_str("Taking the settings along"),
        }
    }
}

/// The disks that the system could be put onto. Blocks.
///
/// # Errors
/// [`InstallError::Unreachable`].
pub fn disks(socket: &Path) -> Result<Disks, InstallError> {
    let mut found = Disks::default();
    ask(socket, "list", |said| match said {
        Said::Disk(disk) => {
            found.disks.push(disk);
            false
        }
        Said::End { end, stick } => {
            found.from_stick = stick;
            end
        }
        _ => false,
    })?;
    Ok(found)
}

/// Erases a disk, puts the system onto it, and tells how far it has come; after that the machine switches itself off. Blocks
/// for as long as that takes.
///
/// # Errors
/// It has not been installed.
pub fn install(socket: &Path, disk: &Disk, mut told: impl FnMut(Progress)) -> Result<(), InstallError> {
    ask(socket, &format!("install {} {}", disk.disk, disk.serial), |said| match said {
        Said::Progress { step, done, total } => {
            let percent = done.min(total).saturating_mul(100).checked_div(total).unwrap_or_default();
            told(Progress { step, percent: u8::try_from(percent).unwrap_or(100) });
            false
        }
        Said::Installed { installed } => installed,
        _ => false,
    })
}

/// Sends one request; `last` takes each line, and says whether it ends the answer.
fn ask(socket: &Path, request: &str, mut last: impl FnMut(Said) -> bool) -> Result<(), InstallError> {
    let at = |what: String| InstallError::Unreachable { path: socket.display().to_string(), what };
    let failed = |error: io::Error| at(error.to_string());
    let mut stream = UnixStream::connect(socket).map_err(failed)?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(failed)?;
    stream.write_all(format!("{request}\n").as_bytes()).map_err(failed)?;
    for line in BufReader::new(stream.take(MOST)).lines() {
        let line = line.map_err(failed)?;
        let said = serde_json::from_str(&line).map_err(|error| at(error.to_string()))?;
        if let Said::Error { error } = said {
            return Err(InstallError::Refused(error));
        }
        if last(said) {
            return Ok(());
        }
    }
    Err(at("it ended before it said so".to_owned()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;
    use std::thread;

    use super::*;

    const DISK: &str = r#"{"disk":"nvme0n1","model":"Fast 980","serial":"S1","bytes":256060514304,"used":true,"holds":["ntfs Windows"]}"#;

    /// Answers each connection with one of the texts; gives what was asked.
    fn service(answers: &[&str], ask: impl FnOnce(&Path)) -> Vec<String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("socket");
        let listener = UnixListener::bind(&path).unwrap();
        let answers: Vec<String> = answers.iter().map(|&text| text.to_owned()).collect();
        let answering = thread::spawn(move || {
            let answer = |answer: String| {
                let (mut stream, _) = listener.accept().unwrap();
                let mut request = String::new();
                BufReader::new(stream.try_clone().unwrap()).read_line(&mut request).unwrap();
                stream.write_all(answer.as_bytes()).unwrap();
                request
            };
            answers.into_iter().map(answer).collect()
        });
        ask(&path);
        answering.join().unwrap()
    }

    #[test]
    fn the_chosen_disk_is_installed_on_and_progress_told() {
        let list = format!("{DISK}\n{{\"end\":true,\"stick\":true}}\n");
        let work = "{\"step\":\"prepare\",\"done\":0,\"total\":1}\n{\"step\":\"copy\",\"done\":3,\"total\":4}\n\
                    {\"step\":\"compare\",\"done\":0,\"total\":0}\n{\"installed\":true}\n";
        let asked = service(&[&list, work], |socket| {
            let found = disks(socket).unwrap();
            assert!(found.from_stick);
            assert_eq!(found.disks[0].to_string(), "Fast 980, 256 GB, with something on it that will be lost");
            assert_eq!(found.disks[0].holds, ["ntfs Windows"]);
            let mut told = Vec::new();
            install(socket, &found.disks[0], |progress| told.push(progress.to_string())).unwrap();
            assert_eq!(told, ["Preparing the disk", "Copying the system: 75 %", "Reading it back: 0 %"]);
        });
        assert_eq!(asked, ["list\n", "install nvme0n1 S1\n"]);
    }

    #[test]
    fn where_it_was_not_started_from_a_stick_is_nothing_to_install() {
        service(&["{\"end\":true,\"stick\":false}\n"], |socket| {
            assert_eq!(disks(socket).unwrap(), Disks::default());
        });
    }

    #[test]
    fn what_goes_wrong_is_told() {
        let disk: Disk = serde_json::from_str(DISK).unwrap();
        for (answer, told) in [
            ("{\"error\":\"the disk cannot be written\"}\n", "not installed: the disk cannot be written"),
            ("{\"step\":\"copy\",\"done\":1,\"total\":2}\n", "it ended before it said so"),
            ("nonsense\n", "expected"),
        ] {
            service(&[answer], |socket| {
                let error = install(socket, &disk, |_| {}).unwrap_err().to_string();
                assert!(error.contains(told), "{error}");
            });
        }
        assert!(disks(Path::new("/nonexistent/socket")).is_err());
    }
}
