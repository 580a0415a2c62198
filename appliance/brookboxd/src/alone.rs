//! One daemon for one data directory: a second would send every stream twice and take the first one's status socket away.

use std::fmt::Display;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use crate::failure::Failure;

/// Locked for as long as the daemon runs; holds its process id. It stays when the daemon ends: only the lock counts, and
/// that goes with the process, however it ends.
const LOCK_FILE: &str = "brookboxd.lock";
/// More than a process id needs.
const MOST: u64 = 20;

/// Takes the data directory for this process until the result is dropped; makes it if it is not there. Commands beside the
/// daemon do not ask.
pub(crate) fn alone(data_dir: &Path) -> Result<Flock<File>, Failure> {
    let failed = |path: &Path, error: &dyn Display| {
        Failure::other(format!("{}: {error}", path.display())).hint(format!(
            "run brookboxd as the user to whom {} belongs, or give another by --data-dir",
            data_dir.display()
        ))
    };
    let path = data_dir.join(LOCK_FILE);
    DirBuilder::new().recursive(true).mode(0o700).create(data_dir).map_err(|error| failed(data_dir, &error))?;
    let mut open = OpenOptions::new();
    open.read(true).write(true).create(true).truncate(false).mode(0o600);
    let file = open.open(&path).map_err(|error| failed(&path, &error))?;
    let mut lock = Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(file, errno)| match errno {
        Errno::EWOULDBLOCK => taken(data_dir, file),
        errno => failed(&path, &errno),
    })?;
    // For people alone, so that a full disk is no reason not to start.
    if let Err(error) = lock.set_len(0).and_then(|()| writeln!(lock, "{}", std::process::id())) {
        tracing::warn!(file = %path.display(), %error, "the process id was not noted");
    }
    Ok(lock)
}

fn taken(data_dir: &Path, file: File) -> Failure {
    let mut noted = String::new();
    let id = match file.take(MOST).read_to_string(&mut noted) {
        Ok(_) => noted.trim().parse::<u32>().map_err(|_| ErrorKind::InvalidData.into()),
        Err(error) => Err(error),
    };
    let (who, kill) = id.map_or_else(
        |_: std::io::Error| (String::new(), String::new()),
        |id| (format!(" (process {id})"), format!("kill {id}, or ")),
    );
    Failure::other(format!("another brookboxd{who} runs on the data in {}", data_dir.display())).hint(format!(
        "stop that one ({kill}systemctl stop brookboxd), or give this one data of its own by --data-dir DIR"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_told_of_the_first_and_comes_in_when_that_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        let first = alone(&data).unwrap();
        let second = alone(&data).unwrap_err();
        assert_eq!(second.code(), 1);
        let (told, id) = (format!("{second:?}"), std::process::id());
        assert!(told.contains(&format!("(process {id}) runs on the data in {}", data.display())), "{told}");
        assert!(told.contains(&format!("kill {id}")), "{told}");
        drop(first);
        alone(&data).unwrap();
        std::fs::write(data.join(LOCK_FILE), "some longer text than any number").unwrap();
        let odd = alone(&data).unwrap();
        assert_eq!(std::fs::read_to_string(data.join(LOCK_FILE)).unwrap(), format!("{id}\n"));
        drop(odd);
    }
}
