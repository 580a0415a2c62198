//! The set-up hotspot, as far as the daemon's user has to do with it: it says whether anybody owns the box, and shows on the
//! screen what a service of the system's says how to join.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use tokio::sync::watch;

use crate::first_boot;

/// There for as long as nobody owns the box; among what is left for the system.
const OPEN: &str = "set-up-open";
/// Longest file that says how to join, in bytes.
const BYTES: u64 = 200;

/// How to join.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Joining {
    /// The network's name.
    pub(crate) name: String,
    pub(crate) password: String,
}

/// What the system's service says, while the hotspot is on.
pub(crate) fn joining(path: &Path) -> Option<Joining> {
    let mut text = String::new();
    File::open(path).ok()?.take(BYTES).read_to_string(&mut text).ok()?;
    let (name, rest) = text.split_once('\n')?;
    let joining = Joining { name: name.to_owned(), password: rest.lines().next()?.to_owned() };
    (!joining.name.is_empty() && !joining.password.is_empty()).then_some(joining)
}

/// Tells the system whether anybody owns the box, until somebody does.
pub(crate) async fn tell(data_dir: &Path, mut identity: watch::Receiver<brookbox_api::Identity>) {
    let said = |open| say(data_dir, open).inspect_err(|error| tracing::warn!(%error, "the set-up hotspot is not told"));
    let claimed = identity.borrow().claimed;
    if !claimed && said(true).is_ok() && identity.wait_for(|identity| identity.claimed).await.is_err() {
        return;
    }
    let _ = said(false);
}

fn say(data_dir: &Path, open: bool) -> io::Result<()> {
    let folder = data_dir.join(first_boot::FOR_THE_SYSTEM);
    if open {
        return brookbox_api::hand_over(&folder, OPEN, "");
    }
    match std::fs::remove_file(folder.join(OPEN)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_system_knows_whether_anybody_owns_the_box() {
        let dir = tempfile::tempdir().unwrap();
        let mark = dir.path().join("system/set-up-open");
        let identity = |claimed| brookbox_api::Identity { box_name: "brookbox".into(), claimed };
        let (now, seen) = watch::channel(identity(false));
        let path = dir.path().to_owned();
        let telling = tokio::spawn(async move { tell(&path, seen).await });
        while !mark.exists() {
            tokio::task::yield_now().await;
        }
        now.send(identity(true)).unwrap();
        telling.await.unwrap();
        assert!(!mark.exists());
        // A box that was claimed while the daemon was at rest.
        std::fs::write(&mark, "").unwrap();
        tell(dir.path(), watch::channel(identity(true)).1).await;
        assert!(!mark.exists());
    }

    #[test]
    fn how_to_join_is_two_lines() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("hotspot");
        assert_eq!(joining(&path), None);
        for (text, good) in [("Brookbox 1a2b\nabcd efgh\n", true), ("Brookbox\n", false), ("", false), ("\nx\n", false)]
        {
            std::fs::write(&path, text).unwrap();
            assert_eq!(joining(&path).is_some(), good, "{text:?}");
        }
        std::fs::write(&path, "Brookbox 1a2b\nabcd efgh\n").unwrap();
        assert_eq!(joining(&path), Some(Joining { name: "Brookbox 1a2b".into(), password: "abcd efgh".into() }));
    }
}
