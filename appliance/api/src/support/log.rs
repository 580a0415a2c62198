//! The log as it goes into a support file: the program's own words, and of the values those that are named here.

use std::process::Stdio;
use std::time::Duration;

use brookbox_store::Time;
use serde_json::Value;
use tokio::io::AsyncReadExt;
use tokio::process::Command;
use tokio::time::timeout;

use super::guard::Guard;
use super::pseudonyms::{Pseudonyms, is_code};
use crate::logbook::{Entry, LogFilter, LogLevel, Logbook, cut};

/// Most entries that are taken.
const MOST: usize = 5_000;
/// Most that is read of the journal.
const MOST_BYTES: u64 = 16 << 20;
/// Longest that reading it may take.
const TIME: Duration = Duration::from_secs(6);
/// What a line of the journal may hold.
const LINE: usize = 4_000;

/// Values that are codes or numbers.
const CODES: [&str; 16] = [
    "code", "severity", "kind", "state", "fault", "problem", "service", "lost", "limit_ms", "from", "to", "number",
    "count", "tries", "probe", "reason",
];
/// What an error says where all its words are the program's own.
const OWN_ERRORS: [&str; 1] = ["brookbox_relay::ingest"];

/// The newest entries, the oldest first: of the journal, which survives restarts, or of this run of the program alone.
pub(super) async fn newest(logbook: &Logbook, journal: bool) -> (Vec<Entry>, &'static str) {
    if journal && let Some(entries) = from_journal().await {
        return (entries, "the journal");
    }
    let mut entries = logbook.newest(&LogFilter::default(), MOST);
    entries.reverse();
    (entries, "this run of the program")
}

/// As lines of text, without what may not go in; says how many entries were left out whole.
pub(super) fn lines(entries: &[Entry], names: &Pseudonyms, guard: &Guard) -> (String, usize) {
    let mut text = String::new();
    let mut left_out = 0;
    for entry in entries {
        let line = line(entry, names);
        match guard.finds(&line) {
            true => left_out += 1,
            false => text.push_str(&line),
        }
    }
    (text, left_out)
}

fn line(entry: &Entry, names: &Pseudonyms) -> String {
    let own = entry.target.starts_with("brookbox");
    // The program's messages are fixed texts: what changes stands in the fields. Libraries do it otherwise.
    let message = if own { entry.message.as_str() } else { "(left out)" };
    let mut line = format!("{} {:5} {} {message}", entry.time, entry.level.as_str(), entry.target);
    for (name, value) in &entry.fields {
        let value = value_of(entry, name, value, names).unwrap_or_else(|| "…".to_owned());
        line.push_str(&format!(" {name}={value}"));
    }
    line.push('\n');
    line
}

/// A value that may go in.
fn value_of(entry: &Entry, name: &str, value: &str, names: &Pseudonyms) -> Option<String> {
    // Optional values are told as `Some("…")`.
    let bare = value.trim_start_matches("Some(").trim_end_matches(')').trim_matches('"');
    let is_number = bare.parse::<f64>().is_ok();
    match name {
        _ if CODES.contains(&name) => (is_number || is_code(bare)).then(|| bare.to_owned()),
        "input" | "destination" if bare == "None" => Some("none".to_owned()),
        "input" | "destination" => Some(names.of(name, bare)),
        "peer" | "address" => names.peer(bare),
        "error" if OWN_ERRORS.contains(&entry.target.as_str()) => Some(cut(bare, 200)),
        // Of what the system says, its number says it all.
        "error" => {
            let (_, number) = value.split_once("(os error ")?;
            let number: u32 = number.split(')').next()?.parse().ok()?;
            Some(format!("os error {number}"))
        }
        _ => None,
    }
}

/// What systemd's journal has of this program and this user; `None` if there is none to be read.
async fn from_journal() -> Option<Vec<Entry>> {
    let user = format!("_UID={}", nix::unistd::getuid());
    let mut child = Command::new("journalctl")
        .args([
            "--output=json",
            "--no-pager",
            "--quiet",
            &format!("--lines={MOST}"),
            "SYSLOG_IDENTIFIER=brookboxd",
            &user,
        ])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .ok()?;
    let mut out = child.stdout.take()?.take(MOST_BYTES);
    let mut bytes = Vec::new();
    timeout(TIME, out.read_to_end(&mut bytes)).await.ok()?.ok()?;
    let text = String::from_utf8_lossy(&bytes);
    let entries: Vec<_> = text.lines().filter_map(journal_entry).collect();
    (!entries.is_empty()).then_some(entries)
}

/// A line of `journalctl --output=json`, with the fields that `tracing-journald` writes.
fn journal_entry(line: &str) -> Option<Entry> {
    let value: Value = serde_json::from_str(line).ok()?;
    let map = value.as_object()?;
    let text = |name: &str| map.get(name).and_then(Value::as_str);
    let micros: i64 = text("__REALTIME_TIMESTAMP")?.parse().ok()?;
    let level = match text("PRIORITY")? {
        "7" => LogLevel::Trace,
        "6" => LogLevel::Debug,
        "5" => LogLevel::Info,
        "4" => LogLevel::Warn,
        _ => LogLevel::Error,
    };
    let fields = map.iter().filter_map(|(name, value)| {
        let name = name.strip_prefix("F_")?.to_lowercase();
        Some((name, cut(value.as_str()?, 400)))
    });
    Some(Entry {
        id: 0,
        time: Time::from_ms(micros / 1000),
        level,
        target: cut(text("TARGET")?, 200),
        message: cut(text("MESSAGE").unwrap_or_default(), LINE),
        fields: fields.collect(),
    })
}

#[cfg(test)]
mod tests {
    use brookbox_store::Store;

    use super::*;

    #[test]
    fn only_named_values_go_in() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let (names, guard) = (Pseudonyms::new(&store).unwrap(), Guard::new(&store).unwrap());
        let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let entry = |target: &str, message: &str, fields| Entry {
            id: 1,
            time: Time::from_ms(0),
            level: LogLevel::Warn,
            target: target.into(),
            message: message.into(),
            fields,
        };
        let entries = [
            entry(
                "brookbox_relay::engine",
                "event",
                vec![
                    field("code", "destination_live"),
                    field("destination", "abc"),
                    field("params", "{\"name\": \"Mara's Club\"}"),
                    field("peer", "203.0.113.9:51234"),
                    field("reason", "Mara"),
                ],
            ),
            entry("brookbox_api::web", "a file", vec![field("error", "/home/mara/x: gone (os error 2)")]),
            entry("brookbox_relay::ingest", "broke", vec![field("error", "byte 9 of the peer's stream: version 4")]),
            entry("rustls", "certificate of club.example", vec![field("error", "no")]),
            entry("brookbox_api", "aB3dE6gH9jK2mN5pQ8sT", vec![]),
        ];
        let (text, left_out) = lines(&entries, &names, &guard);
        assert_eq!(left_out, 1);
        for gone in ["Mara", "mara", "203.0.113", "club.example", "abc", "aB3d"] {
            assert!(!text.contains(gone), "{gone}: {text}");
        }
        for there in ["code=destination_live", "destination=destination-", "error=os error 2", "version 4", "reason=…"]
        {
            assert!(text.contains(there), "{there}: {text}");
        }
    }

    #[test]
    fn a_line_of_the_journal_is_an_entry() {
        // As `journalctl --output=json` writes what `tracing-journald` sent.
        let line = r#"{"__CURSOR":"s=1;i=2","__REALTIME_TIMESTAMP":"1795269699000123","_UID":"990","PRIORITY":"4",
            "SYSLOG_IDENTIFIER":"brookboxd","TARGET":"brookbox_relay::ingest","CODE_FILE":"ingest.rs",
            "MESSAGE":"the publisher broke the protocol","F_PEER":"192.168.1.24:5000","F_ERROR":[1,2]}"#;
        let entry = journal_entry(line).unwrap();
        assert_eq!((entry.level, entry.target.as_str()), (LogLevel::Warn, "brookbox_relay::ingest"));
        assert_eq!(entry.fields, [("peer".to_owned(), "192.168.1.24:5000".to_owned())]);
        assert_eq!(entry.time, Time::from_ms(1_795_269_699_000));
        assert_eq!(journal_entry("{}"), None);
        assert_eq!(journal_entry("not json"), None);
    }
}
