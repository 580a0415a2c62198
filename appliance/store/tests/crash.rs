//! Kills, power cuts, full disks: what was acknowledged is there, and nothing is half there.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail anywhere, its helpers too")]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use brookbox_store::{Claim, Error, Role, Store, Time, check};
use common::{again, destination, event, sign_in, user};
use secrecy::ExposeSecret;

/// Says to the writer below in which directory to work, and to be a writer at all.
const WRITE_IN: &str = "BROOKBOX_TEST_WRITE_IN";
const KILLS: u32 = 100;

/// The writer: claims the box, then writes without end, and says on stdout what has been acknowledged. A test only in
/// the process that [`killed_a_hundred_times_it_loses_nothing`] starts.
#[test]
fn writer() {
    let Some(dir) = std::env::var_os(WRITE_IN) else { return };
    let store = Store::open(Path::new(&dir)).unwrap();
    let say = |what: &str| writeln!(io::stdout(), "\nack {what}").unwrap();
    if !store.claimed().unwrap() {
        let owner = user("mara", Role::Owner);
        let sign_in = Some(sign_in(&owner, Time::now()));
        store.claim(&Claim { owner, sign_in, settings: vec![("boxName".into(), "killed".into())] }).unwrap();
    }
    say("claim 1");
    let start = store.setting::<u64>("round").unwrap().unwrap_or_default();
    for round in start + 1.. {
        let id = format!("d{}", round % 20);
        let mut sent = destination(&id);
        sent.position = i64::try_from(round).unwrap();
        sent.key = format!("key-of-round-{round}").into();
        store.put_destination(&sent).unwrap();
        say(&format!("{id} {round}"));
        let ids = store.append_events(&[event(1), event(2), event(3)]).unwrap();
        say(&format!("event {}", ids[2]));
        store.put_setting("round", &round).unwrap();
        say(&format!("round {round}"));
    }
}

/// What a writer has said, the newest of each kind.
fn acknowledged(lines: impl Iterator<Item = io::Result<String>>) -> BTreeMap<String, u64> {
    let lines = lines.map_while(Result::ok);
    let acks = lines
        .filter_map(|line| Some(line.strip_prefix("ack ")?.split_once(' ')?).map(|(a, b)| (a.to_owned(), b.parse())));
    acks.filter_map(|(what, number)| Some((what, number.ok()?))).collect()
}

#[test]
fn killed_a_hundred_times_it_loses_nothing() {
    let started = Instant::now();
    let mut dir = tempfile::tempdir().unwrap();
    let mut known = BTreeMap::<String, u64>::new();
    let (mut killed_in_set_up, mut writes) = (0, 0);
    for kill in 0..KILLS {
        // Every fifth one meets a new box, most of them before it is set up.
        let fresh = kill % 5 == 0;
        if fresh {
            (dir, known) = (tempfile::tempdir().unwrap(), BTreeMap::new());
        }
        let mut writer = again("writer", WRITE_IN, dir.path()).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(writer.stdout.take().unwrap()).lines();
        // Random enough: std's hasher is seeded anew in each process.
        let random = std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), kill) % 1000;
        if !fresh {
            let first = lines.by_ref().find(|line| line.as_ref().is_ok_and(|line| line.starts_with("ack ")));
            assert!(first.is_some(), "the writer begins");
        }
        std::thread::sleep(Duration::from_micros(random * if fresh { 10 } else { 60 }));
        writer.kill().unwrap();
        assert_eq!(writer.wait().unwrap().signal(), Some(9), "the writer ended by itself");
        let said = acknowledged(lines);
        killed_in_set_up += u32::from(known.is_empty() && said.is_empty());
        writes += said.len();
        known.extend(said);
        verify(dir.path(), &known);
    }
    println!(
        "{KILLS} kills, {killed_in_set_up} of them in set-up, after {writes} acknowledged writes, in {:?}",
        started.elapsed()
    );
    assert!(writes > 80, "the kills came between writes: {writes}");
}

/// Shows that the data are whole and that everything known is there. May leave a new box behind.
fn verify(dir: &Path, known: &BTreeMap<String, u64>) {
    let findings = check(dir);
    assert!(findings.is_empty() || known.is_empty(), "{findings:?}");
    let store = Store::open(dir).unwrap();
    assert!(check(dir).is_empty(), "{:?}", check(dir));
    assert_eq!(store.inputs().unwrap().len(), 1);

    let claimed = store.claimed().unwrap();
    assert!(claimed || !known.contains_key("claim"));
    let sign_ins: usize =
        store.users().unwrap().iter().map(|user| store.sign_ins(&user.id, Time::now()).unwrap().len()).sum();
    assert_eq!((claimed, sign_ins), (store.setting::<String>("boxName").unwrap().is_some(), usize::from(claimed)));

    let round = store.setting::<u64>("round").unwrap().unwrap_or_default();
    assert!(round >= known.get("round").copied().unwrap_or_default());
    let newest = store.events(None, 1).unwrap().first().map_or(0, |event| event.id as u64);
    assert!(newest >= known.get("event").copied().unwrap_or_default());
    assert_eq!(newest % 3, 0, "a batch is there whole or not at all");
    let destinations = store.destinations().unwrap();
    for found in &destinations {
        assert_eq!(found.key.expose_secret(), format!("key-of-round-{}", found.position), "a row is of one piece");
    }
    for (id, round) in known.iter().filter(|(what, _)| what.starts_with('d')) {
        let found = destinations.iter().find(|found| found.id == *id).expect("it was acknowledged");
        assert!(found.position as u64 >= *round);
    }
}

/// A power cut leaves of the log what was synced, and behind that anything: nothing, zeros, garbage, a torn page. Since
/// each commit is synced before it is acknowledged, the log up to its length at that time holds it.
#[test]
fn of_a_torn_log_all_commits_before_the_tear_are_there() {
    let live = tempfile::tempdir().unwrap();
    let store = Store::open(live.path()).unwrap();
    let log = live.path().join("brookbox.db-wal");
    let mut commits = vec![(fs::metadata(&log).unwrap().len(), 0)];
    for round in 1..=40 {
        let batch: Vec<_> = (0..round % 7 + 1).map(event).collect();
        let newest = store.append_events(&batch).unwrap().pop().unwrap();
        commits.push((fs::metadata(&log).unwrap().len(), newest));
    }
    let (whole, first) = (fs::read(&log).unwrap(), usize::try_from(commits[0].0).unwrap());
    assert!(commits.is_sorted() && whole.len() > first, "nothing was moved into the database meanwhile");

    let steps = (0..60).map(|step| first + (whole.len() - first) * step / 59).chain([0, 31, 32, first / 2, first - 1]);
    for (number, tear) in steps.enumerate() {
        let dir = tempfile::tempdir().unwrap();
        for file in ["brookbox.db", "machine-key"] {
            fs::copy(live.path().join(file), dir.path().join(file)).unwrap();
        }
        let mut torn = whole[..tear].to_vec();
        let behind = [0, 4096 + 24, 100_000][number % 3].min(whole.len() - tear);
        torn.extend((0..behind).map(|at| if number % 2 == 0 { 0 } else { (at * 7 + number).to_le_bytes()[0] }));
        fs::write(dir.path().join("brookbox.db-wal"), torn).unwrap();

        let there = commits.iter().rev().find(|(len, _)| *len <= tear as u64).map_or(0, |(_, newest)| *newest);
        let store = Store::open(dir.path()).unwrap();
        let newest = store.events(None, 1).unwrap().first().map_or(0, |event| event.id);
        assert_eq!(newest, there, "torn at {tear} of {}", whole.len());
        assert!(check(dir.path()).is_empty(), "{:?}", check(dir.path()));
    }
}

/// Says to the test below that it runs on a small disk.
const SMALL_DISK: &str = "BROOKBOX_TEST_SMALL_DISK";

/// Runs a command with 1 MiB of memory as the disk at `dir`, which nobody else sees.
fn on_small_disk(dir: &Path, command: &Command) -> ExitStatus {
    let script = "mount -t tmpfs -o size=1m,mode=700 none \"$0\" && exec \"$@\"";
    let mut outer = Command::new("unshare");
    outer.args(["--user", "--map-root-user", "--mount", "sh", "-c", script]).arg(dir);
    outer.arg(command.get_program()).args(command.get_args()).env(SMALL_DISK, dir);
    outer.status().unwrap()
}

/// A real full disk: a file system of 1 MiB in a mount namespace of its own. Where such a namespace cannot be had,
/// `a_full_database_says_so_and_loses_nothing` beside the code still holds.
#[test]
fn a_full_disk_says_so_and_loses_nothing() {
    let Some(dir) = std::env::var_os(SMALL_DISK) else {
        let dir = tempfile::tempdir().unwrap();
        let inner = again("a_full_disk_says_so_and_loses_nothing", SMALL_DISK, dir.path());
        if !on_small_disk(dir.path(), &Command::new("true")).success() {
            println!("skipped: no mount namespace to be had here");
        } else {
            assert!(on_small_disk(dir.path(), &inner).success());
        }
        return;
    };
    let dir = Path::new(&dir);
    let store = Store::open(dir).unwrap();
    store.add_destination(&destination("d1")).unwrap();
    let mut newest = 0;
    let error = loop {
        match store.append_events(&[event(1), event(2)]) {
            Ok(ids) => newest = ids[1],
            Err(error) => break error,
        }
    };
    assert!(matches!(error, Error::Full { .. }), "{error:?}");
    assert!(error.to_string().contains("full") && newest > 100);
    let stays = |store: &Store| {
        assert_eq!(store.events(None, 1).unwrap()[0].id, newest);
        assert_eq!(store.destination("d1").unwrap().key.expose_secret(), destination("d1").key.expose_secret());
    };
    stays(&store);
    let change = store.update_destination::<Error>("d1", |it| {
        it.name = "x".repeat(100_000);
        Ok(())
    });
    assert!(matches!(change, Err(Error::Full { .. })), "{change:?}");
    stays(&store);
    drop(store);
    let store = Store::open(dir).unwrap();
    stays(&store);
    assert!(check(dir).is_empty(), "{:?}", check(dir));
    drop(store);

    // Room again, after a filler that took it is gone.
    let filler = dir.join("filler");
    let mut file = fs::File::create(&filler).unwrap();
    while file.write_all(&[0; 4096]).is_ok() {}
    drop(file);
    match Store::open(dir) {
        Ok(store) => assert!(matches!(store.append_events(&[event(1), event(2)]), Err(Error::Full { .. }))),
        Err(error) => assert!(matches!(error, Error::Full { .. }), "{error:?}"),
    }
    fs::remove_file(&filler).unwrap();
    let store = Store::open(dir).unwrap();
    stays(&store);
    assert!(check(dir).is_empty());

    // A new box on a full disk: said plainly, and it works once there is room.
    drop(store);
    let mut file = fs::File::create(&filler).unwrap();
    while file.write_all(&[0; 512]).is_ok() {}
    let error = Store::open(&dir.join("new")).unwrap_err();
    assert!(matches!(error, Error::Full { .. }), "{error:?}");
    for name in ["filler", "brookbox.db", "brookbox.db-wal"] {
        let _ = fs::remove_file(dir.join(name));
    }
    drop(file);
    assert_eq!(Store::open(&dir.join("new")).unwrap().inputs().unwrap().len(), 1);
}
