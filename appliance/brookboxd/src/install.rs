//! *Install on this computer*: a box that was started from a USB stick puts itself onto a disk of the machine. What may
//! write disks is a service of the system's; this asks it over a socket, one request a connection.

use std::fmt;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;

use crate::failure::Failure;

/// A disk that says nothing for so long has died.
const PATIENCE: Duration = Duration::from_secs(120);
/// No installation says more, in bytes.
const MOST: u64 = 1 << 20;

/// A disk that can take the system.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Disk {
    /// As the system calls it: `nvme0n1`.
    disk: String,
    model: String,
    serial: String,
    bytes: u64,
    /// Whether something is on it, which will be lost.
    used: bool,
}

/// How far an installation has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Progress {
    pub(crate) step: Step,
    /// Of this step, 0 to 100.
    pub(crate) percent: u8,
}

/// What is being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Step {
    Prepare,
    Copy,
    Compare,
    Settings,
}

/// A line of the installer.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Said {
    Disk(Disk),
    Progress { step: Step, done: u64, total: u64 },
    Error { error: String },
    End { end: bool },
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

/// The disks that the system could be put onto; none unless it was started from a USB stick.
///
/// # Errors
/// Nobody answers there, or not as agreed.
pub(crate) fn disks(socket: &Path) -> Result<Vec<Disk>, Failure> {
    let mut disks = Vec::new();
    ask(socket, "list", |said| match said {
        Said::Disk(disk) => {
            disks.push(disk);
            false
        }
        Said::End { end } => end,
        _ => false,
    })?;
    Ok(disks)
}

/// Erases a disk, puts the system onto it, and tells how far it has come; after that the machine switches itself off.
///
/// # Errors
/// It has not been installed, in one sentence.
pub(crate) fn install(socket: &Path, disk: &Disk, mut told: impl FnMut(Progress)) -> Result<(), Failure> {
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

/// `brookboxd install-to [DISK]`: which disks there are, or onto this one.
pub(crate) fn run(socket: Option<&Path>, disk: Option<&str>) -> Result<(), Failure> {
    let Some(socket) = socket else {
        return Err(Failure::other("nothing here installs: this is no Brookbox image")
            .hint("[install] socket in the configuration names what does"));
    };
    let disks = disks(socket)?;
    let say = |text: String| writeln!(std::io::stdout(), "{text}").map_err(Failure::other);
    match disk {
        None if disks.is_empty() => {
            say("There is no disk to install on: it takes a start from a USB stick, and a disk in the machine."
                .to_owned())
        }
        None => disks.iter().try_for_each(|disk| say(format!("{}  {disk}", disk.disk))),
        Some(name) => {
            let Some(disk) = disks.iter().find(|disk| disk.disk == name) else {
                return Err(Failure::usage(format!("there is no disk {name:?} to install on"))
                    .hint("brookboxd install-to names those that there are"));
            };
            let mut shown = None;
            install(socket, disk, |progress| {
                if shown != Some(progress) {
                    shown = Some(progress);
                    // Whoever reads no longer stops no installation.
                    let _ = say(progress.to_string());
                }
            })?;
            say("Installed. This machine switches itself off: pull the stick, and switch it on again.".to_owned())
        }
    }
}

/// Sends one request; `last` takes each line, and says whether it ends the answer.
fn ask(socket: &Path, request: &str, mut last: impl FnMut(Said) -> bool) -> Result<(), Failure> {
    let at = |what: &dyn fmt::Display| Failure::other(format!("{}: {what}", socket.display()));
    let mut stream = UnixStream::connect(socket).map_err(|error| at(&error))?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(|error| at(&error))?;
    stream.write_all(format!("{request}\n").as_bytes()).map_err(|error| at(&error))?;
    for line in BufReader::new(stream.take(MOST)).lines() {
        let line = line.map_err(|error| at(&error))?;
        let said = serde_json::from_str(&line).map_err(|error| at(&error))?;
        if let Said::Error { error } = said {
            return Err(Failure::other(format!("not installed: {error}")));
        }
        if last(said) {
            return Ok(());
        }
    }
    Err(at(&"it ended before it said so"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;
    use std::thread;

    use super::*;

    const DISK: &str = r#"{"disk":"nvme0n1","model":"Fast 980","serial":"S1","bytes":256060514304,"used":true}"#;

    /// Answers each connection with one of the texts; gives what was asked.
    fn installer(answers: &[&str], ask: impl FnOnce(&Path)) -> Vec<String> {
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
        let list = format!("{DISK}\n{{\"end\":true}}\n");
        let work = "{\"step\":\"prepare\",\"done\":0,\"total\":1}\n{\"step\":\"copy\",\"done\":3,\"total\":4}\n\
                    {\"step\":\"compare\",\"done\":0,\"total\":0}\n{\"installed\":true}\n";
        let asked = installer(&[&list, work], |socket| {
            let disks = disks(socket).unwrap();
            assert_eq!(disks[0].to_string(), "Fast 980, 256 GB, with something on it that will be lost");
            let mut told = Vec::new();
            install(socket, &disks[0], |progress| told.push(progress.to_string())).unwrap();
            assert_eq!(told, ["Preparing the disk", "Copying the system: 75 %", "Reading it back: 0 %"]);
        });
        assert_eq!(asked, ["list\n", "install nvme0n1 S1\n"]);
    }

    #[test]
    fn what_goes_wrong_is_told() {
        let disk: Disk = serde_json::from_str(DISK).unwrap();
        for (answer, told) in [
            ("{\"error\":\"the disk cannot be written\"}\n", "not installed: the disk cannot be written"),
            ("{\"step\":\"copy\",\"done\":1,\"total\":2}\n", "it ended before it said so"),
            ("nonsense\n", "expected"),
        ] {
            installer(&[answer], |socket| {
                let failure = install(socket, &disk, |_| {}).unwrap_err();
                assert!(format!("{failure:?}").contains(told), "{failure:?}");
            });
        }
        assert!(disks(Path::new("/nonexistent/socket")).is_err());
    }

    #[test]
    fn only_a_disk_of_the_list_is_installed_on() {
        let list = format!("{DISK}\n{{\"end\":true}}\n");
        installer(&[&list], |socket| {
            assert_eq!(run(Some(socket), Some("sda")).unwrap_err().code(), crate::failure::USAGE);
        });
        assert!(run(None, None).is_err());
    }
}
