//! What lies on the disk's first partition: `brookbox.toml` before the first visit, and the file that lets an owner in who
//! lost the password.
//!
//! What the daemon may not do itself it leaves as files in `system/` of the data directory, for the units that may.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use brookbox_board::first_boot::{self, FirstBoot};
use brookbox_store::{Claim, Role, Store, Time, User};
use brookbox_vault::PasswordHash;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::config::Config;

/// Where it is kept what became of `brookbox.toml`.
const SETTING: &str = "firstBoot";
/// Where files for the system lie, in the data directory.
pub(crate) const FOR_THE_SYSTEM: &str = "system";

const TAKEN: &str = "\
# Brookbox has read this file, and overwritten what stood in it.
# Until the box is set up, settings written here are read at the next start; then never again. See brookboxd(1).
";

/// What the first partition had to say at this start.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// What is wrong, in sentences for the screen.
    pub(crate) problems: Vec<String>,
    /// Whether an owner may set a new password for a while.
    pub(crate) reset: bool,
}

/// What became of the file, over restarts.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Kept {
    /// Its settings are being taken: it has to be overwritten, whatever the box is by now.
    unfinished: bool,
    problem: Option<String>,
}

/// Reads what is there. Nothing in it stops the daemon; only the store can fail.
///
/// # Errors
/// Those of the store.
pub(crate) fn run(config: &Config, store: &Store) -> Result<Outcome, brookbox_store::Error> {
    let mut outcome = Outcome::default();
    if let Some(path) = &config.first_boot {
        outcome.problems.extend(first_boot(path, &config.data_dir, store)?);
    }
    for path in &config.reset_files {
        match first_boot::take(path) {
            Ok(asked) => outcome.reset |= asked,
            Err(error) => outcome
                .problems
                .push(format!("{} is there and cannot be deleted, so it has no effect: {error}.", name(path))),
        }
    }
    // Nobody has a password to lose before the claim.
    outcome.reset &= store.claimed()?;
    for problem in &outcome.problems {
        tracing::warn!(problem, "first partition");
    }
    if outcome.reset {
        tracing::warn!("for 15 minutes an owner may set a new password from the local network, without the old one");
    }
    Ok(outcome)
}

/// Takes the file's settings, once; gives what is wrong.
fn first_boot(path: &Path, data_dir: &Path, store: &Store) -> Result<Option<String>, brookbox_store::Error> {
    let kept: Kept = store.setting(SETTING)?.unwrap_or_default();
    if store.claimed()? {
        return if kept.unfinished { finish(path, None, store) } else { Ok(None) };
    }
    // What was not finished is taken again: the cut may have come before the first setting.
    match first_boot::read(path) {
        None if kept.unfinished => finish(path, None, store),
        // Nothing new: what was wrong with the last one stands until somebody mends it.
        None => Ok(kept.problem),
        Some(read) => {
            store.put_setting(SETTING, &Kept { unfinished: true, problem: None })?;
            let problem = match read.and_then(hashed) {
                Ok((file, hash)) => take(&file, hash, data_dir, store)?,
                Err(problem) => Some(problem),
            };
            finish(path, problem.map(|problem| format!("{}: {problem} Nothing of it was taken.", name(path))), store)
        }
    }
}

/// The owner's hash is right, or nothing of the file is taken.
fn hashed(file: FirstBoot) -> Result<(FirstBoot, Option<PasswordHash>), String> {
    let hash = file.owner.as_ref().map(|owner| PasswordHash::parse(&owner.password_hash)).transpose();
    // The reason may repeat a part of it.
    let hash = hash.map_err(|_| "owner.password_hash: not what `brookboxd hash-password` prints.".to_owned())?;
    Ok((file, hash))
}

/// Takes all settings; gives what went wrong with the files for the system.
fn take(
    file: &FirstBoot,
    hash: Option<PasswordHash>,
    data_dir: &Path,
    store: &Store,
) -> Result<Option<String>, brookbox_store::Error> {
    for (name, text) in file.for_the_system() {
        if let Err(error) = write(&data_dir.join(FOR_THE_SYSTEM), name, &text) {
            return Ok(Some(format!("{name} cannot be handed on: {error}.")));
        }
    }
    let mut settings: Vec<(String, Value)> = Vec::new();
    let mut set = |name: &str, value: &Option<String>| {
        settings.extend(value.as_ref().map(|value| (name.to_owned(), Value::from(value.as_str()))));
    };
    set("boxName", &file.name);
    set("language", &file.language);
    set("timeZone", &file.timezone);
    let now = Time::now();
    if let Some((owner, password_hash)) = file.owner.as_ref().zip(hash) {
        let username = owner.username.clone();
        settings.push(("claim".to_owned(), json!({"at": now, "address": "brookbox.toml", "username": username})));
        let owner = User {
            id: brookbox_vault::id()?,
            username,
            role: Role::Owner,
            password_hash,
            created_at: now,
            last_seen: None,
        };
        store.claim(&Claim { owner, sign_in: None, settings })?;
        tracing::info!("the owner in brookbox.toml has claimed the box");
    } else {
        for (name, value) in settings {
            store.put_setting(&name, &value)?;
        }
    }
    Ok(None)
}

/// Overwrites the file, and keeps what was wrong with it.
fn finish(path: &Path, problem: Option<String>, store: &Store) -> Result<Option<String>, brookbox_store::Error> {
    let told = problem.as_ref().map_or(String::new(), |problem| format!("#\n# {problem}\n"));
    let (unfinished, problem) = match first_boot::replace(path, &format!("{TAKEN}{told}")) {
        Ok(()) => (false, problem),
        // Tried again at the next start.
        Err(error) => {
            (true, Some(format!("{} may still hold secrets, it cannot be overwritten: {error}.", name(path))))
        }
    };
    store.put_setting(SETTING, &Kept { unfinished, problem: problem.clone() })?;
    Ok(problem)
}

/// Writes a file for the system, whole or not at all.
pub(crate) fn write(folder: &Path, name: &str, text: &str) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let (path, new) = (folder.join(name), folder.join(format!("{name}.new")));
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all())?;
    fs::rename(&new, &path)?;
    File::open(folder)?.sync_all()
}

fn name(path: &Path) -> String {
    path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}

/// Where the files are that let an owner back in: those named, or the one beside `brookbox.toml`.
pub(crate) fn reset_files(named: Vec<PathBuf>, first_boot: Option<&Path>) -> Vec<PathBuf> {
    if named.is_empty() {
        return first_boot.map(|path| path.with_file_name("brookbox-reset-password")).into_iter().collect();
    }
    named
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Card {
        dir: tempfile::TempDir,
        store: Store,
    }

    impl Card {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            fs::create_dir(dir.path().join("card")).unwrap();
            let store = Store::open(&dir.path().join("data")).unwrap();
            Self { dir, store }
        }

        fn file(&self) -> PathBuf {
            self.dir.path().join("card/brookbox.toml")
        }

        fn start(&self) -> Outcome {
            let mut config = Config::load(&crate::args::Options {
                config: Some("/dev/null".into()),
                data_dir: Some(self.dir.path().join("data")),
                ..Default::default()
            })
            .unwrap();
            config.first_boot = Some(self.file());
            config.reset_files = reset_files(Vec::new(), config.first_boot.as_deref());
            run(&config, &self.store).unwrap()
        }

        fn start_with(&self, text: &str) -> Outcome {
            fs::write(self.file(), text).unwrap();
            self.start()
        }

        fn owner(&self) -> Option<String> {
            self.store.users().unwrap().first().map(|user| user.username.clone())
        }
    }

    fn owner(name: &str) -> String {
        let hash = brookbox_vault::password::hash(&"a long password".into()).unwrap();
        format!("[owner]\nusername = \"{name}\"\npassword_hash = \"{}\"\n", hash.as_str())
    }

    #[test]
    fn a_whole_file_claims_the_box_and_leaves_nothing_of_itself() {
        let card = Card::new();
        let text = format!(
            "name = \"river\"\ntimezone = \"UTC\"\n{}[wifi]\nssid = \"Home\"\npassword = \"secret-canary\"\n",
            owner("mara")
        );
        assert!(card.start_with(&text).problems.is_empty());
        assert_eq!(card.owner().as_deref(), Some("mara"));
        assert_eq!(card.store.setting::<String>("boxName").unwrap().as_deref(), Some("river"));
        assert_eq!(card.store.setting::<String>("timeZone").unwrap().as_deref(), Some("UTC"));
        let claim: Value = card.store.setting("claim").unwrap().unwrap();
        assert_eq!(claim["address"], "brookbox.toml");
        let system = card.dir.path().join("data/system");
        assert_eq!(fs::read_to_string(system.join("timezone")).unwrap(), "UTC\n");
        assert!(fs::read_to_string(system.join("wifi.nmconnection")).unwrap().contains("psk=secret-canary\n"));
        assert_eq!(fs::read_to_string(card.file()).unwrap(), TAKEN);
    }

    #[test]
    fn it_is_read_only_while_the_box_is_nobodys() {
        let card = Card::new();
        card.start_with(&owner("mara"));
        let other = owner("eve");
        assert!(card.start_with(&other).problems.is_empty());
        assert_eq!(card.owner().as_deref(), Some("mara"));
        assert_eq!(fs::read_to_string(card.file()).unwrap(), other, "not even touched");
    }

    #[test]
    fn a_wrong_file_is_told_taken_in_no_part_and_overwritten_all_the_same() {
        let wrong_hash =
            "name = \"river\"\n[owner]\nusername = \"mara\"\npassword_hash = \"secret-canary\"\n".to_owned();
        let unknown = format!("nmae = \"secret-canary\"\n{}", owner("mara"));
        let costly = "[owner]\nusername = \"mara\"\n\
                      password_hash = \"$argon2id$v=19$m=1048576,t=9,p=1$c29tZXNhbHQ$c29tZWhhc2hzb21laGFzaA\"\n"
            .to_owned();
        let large = format!("# secret-canary {}\n", "x".repeat(17_000));
        for (text, told) in [
            (wrong_hash, "owner.password_hash"),
            (unknown, "`nmae`"),
            (costly, "owner.password_hash"),
            (large, "16 KB"),
        ] {
            let card = Card::new();
            let outcome = card.start_with(&text);
            assert!(outcome.problems[0].contains(told), "{outcome:?}");
            assert!(!format!("{outcome:?}").contains("canary"));
            assert_eq!((card.owner(), card.store.setting::<String>("boxName").unwrap()), (None, None));
            let left = fs::read_to_string(card.file()).unwrap();
            assert!(left.starts_with(TAKEN) && left.contains(told) && !left.contains("canary"), "{left}");
            assert_eq!(card.start().problems, outcome.problems, "it stands until it is mended");
            assert!(card.start_with(&owner("mara")).problems.is_empty());
            assert!(card.start().problems.is_empty());
        }
    }

    #[test]
    fn a_power_cut_in_the_middle_leaves_no_secret() {
        let card = Card::new();
        card.start_with(&owner("mara"));
        fs::write(card.file(), "[wifi]\nssid = \"x\"\npassword = \"secret-canary\"\n").unwrap();
        card.store.put_setting(SETTING, &Kept { unfinished: true, problem: None }).unwrap();
        assert!(card.start().problems.is_empty());
        assert_eq!(fs::read_to_string(card.file()).unwrap(), TAKEN);
        assert!(!card.dir.path().join("data/system").exists(), "it is somebody's box");
    }

    #[test]
    fn a_power_cut_before_anything_was_taken_loses_no_setting() {
        let card = Card::new();
        card.store.put_setting(SETTING, &Kept { unfinished: true, problem: None }).unwrap();
        assert!(card.start_with(&owner("mara")).problems.is_empty());
        assert_eq!(card.owner().as_deref(), Some("mara"));
        assert_eq!(fs::read_to_string(card.file()).unwrap(), TAKEN);
        // Cut again while the file was being overwritten.
        let card = Card::new();
        card.store.put_setting(SETTING, &Kept { unfinished: true, problem: None }).unwrap();
        assert!(card.start_with("##########").problems.is_empty());
        assert_eq!(fs::read_to_string(card.file()).unwrap(), TAKEN);
    }

    #[test]
    fn a_lost_password_is_asked_for_once_and_only_of_a_box_that_has_one() {
        let card = Card::new();
        let asks = card.dir.path().join("card/brookbox-reset-password");
        fs::write(&asks, "").unwrap();
        assert!(!card.start().reset, "nobody's box");
        assert!(!asks.exists());
        card.start_with(&owner("mara"));
        fs::write(&asks, "").unwrap();
        assert!(card.start().reset);
        assert!(!asks.exists() && !card.start().reset);
        fs::create_dir(&asks).unwrap();
        let outcome = card.start();
        assert!(!outcome.reset && outcome.problems[0].contains("cannot be deleted"), "{outcome:?}");
    }
}
