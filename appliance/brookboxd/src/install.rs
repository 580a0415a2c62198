//! `brookboxd install-to`: *Install on this computer* from a terminal.

use std::io::Write;
use std::path::Path;

use brookbox_board::install::{InstallError, disks, install};

use crate::failure::Failure;

impl From<InstallError> for Failure {
    fn from(error: InstallError) -> Self {
        Self::other(error)
    }
}

/// `brookboxd install-to [DISK]`: which disks there are, or onto this one.
pub(crate) fn run(socket: Option<&Path>, disk: Option<&str>) -> Result<(), Failure> {
    let Some(socket) = socket else {
        return Err(Failure::other("nothing here installs: this is no Brookbox image")
            .hint("[install] socket in the configuration names what does"));
    };
    let disks = disks(socket)?.disks;
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

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::os::unix::net::UnixListener;
    use std::thread;

    use super::*;

    #[test]
    fn only_a_disk_of_the_list_is_installed_on() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("socket");
        let listener = UnixListener::bind(&path).unwrap();
        let answering = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            BufReader::new(stream.try_clone().unwrap()).read_line(&mut String::new()).unwrap();
            let disk = r#"{"disk":"nvme0n1","model":"Fast 980","serial":"S1","bytes":256060514304,"used":true}"#;
            stream.write_all(format!("{disk}\n{{\"end\":true,\"stick\":true}}\n").as_bytes()).unwrap();
        });
        assert_eq!(run(Some(&path), Some("sda")).unwrap_err().code(), crate::failure::USAGE);
        answering.join().unwrap();
        assert!(run(None, None).is_err());
    }
}
