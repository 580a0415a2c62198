//! The support file: what somebody needs who is to find a fault, and nothing that anybody could misuse. It is built from a
//! list of fields (`parts`, `log`), names of people and things become pseudonyms, and a last look makes sure that no secret
//! is in it (`guard`). No network is needed.

mod guard;
mod log;
mod parts;
mod pseudonyms;

use std::io::{Cursor, Write};

use brookbox_store::{JobFile, Role, Time};
use serde_json::Value;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use self::guard::Guard;
use self::pseudonyms::Pseudonyms;
use crate::app::blocking;
use crate::jobs::{Fault, FileKind, Kind, Progress, Stop};
use crate::machine;
use crate::problem::{Code, Problem};
use crate::resources::status::Status;

/// A job that makes a support file.
pub(crate) static KIND: Kind = Kind {
    name: "supportFile",
    steps: &[
        ("settings", "Reading the settings and the state"),
        ("events", "Reading the events and the figures"),
        ("log", "Reading the log"),
        ("pack", "Packing the file"),
    ],
    can_cancel: true,
    role: Role::Owner,
    faults: &[KEY_FOUND],
    file: Some(FileKind { path: "/api/v1/system/support-file", media_type: "application/zip" }),
};

const KEY_FOUND: Fault = Fault {
    code: "key_found",
    sentence: "Something in it looked like a key, so no file was made. Please report this.",
};

/// What goes in: the name of each part, a stable code, and in English what it holds.
pub(crate) const PARTS: [(&str, &str, &str); 7] = [
    (
        "box.json",
        "box",
        "The version, the machine with its heat, power and disk, and how many people and tokens there are.",
    ),
    (
        "configuration.json",
        "configuration",
        "How inputs and destinations are set up, without keys, names and addresses.",
    ),
    ("state.json", "state", "What is sent and received at this moment."),
    ("events.json", "events", "What happened lately, without names."),
    ("broadcasts.json", "broadcasts", "Past broadcasts with their length and problems."),
    ("figures.json", "figures", "Bitrates, delays and dropped frames of the last hours."),
    ("log.txt", "log", "The program's own log, with codes and numbers only."),
];

const README: &str = "\
This file was made by a Brookbox to help find a fault.

It holds no stream key, no password and no token. Names of people, inputs and
destinations, host names and public addresses are replaced by made-up ones; the
same thing has the same made-up name in every support file of this box.

";

/// One part, ready to be packed.
type Part = (&'static str, String);

/// Makes the file.
pub(crate) async fn make(progress: Progress) -> Result<Option<JobFile>, Stop> {
    let app = progress.app.clone();
    progress.step(0).await?;
    let began = app.clone();
    let (names, guard, mut parts) = blocking(move || {
        let (store, snapshot) = (&began.store, began.engine.snapshot());
        let names = Pseudonyms::new(store)?;
        // After the pseudonyms: what they are made from is a secret too.
        let guard = Guard::new(store)?;
        let machine = machine::look(store.path());
        let status = Status::new(0, Time::now(), &snapshot, began.live.sources());
        let parts = vec![
            part("box.json", &parts::the_box(&began, &machine, store)?),
            part("configuration.json", &parts::configuration(store, &names)?),
            part("state.json", &parts::state(&snapshot, &status, &names)),
        ];
        Ok((names, guard, parts))
    })
    .await?;

    progress.step(1).await?;
    let reads = app.clone();
    let (names, more) = blocking(move || {
        let more = [
            part("events.json", &parts::events(&reads.store, &names)?),
            part("broadcasts.json", &parts::broadcasts(&reads.store, &names)?),
            part("figures.json", &parts::figures(&reads, &names)),
        ];
        Ok((names, more))
    })
    .await?;
    parts.extend(more);

    progress.step(2).await?;
    let (entries, source) = log::newest(&app.config.logbook, app.config.journal).await;

    progress.step(3).await?;
    let packed = tokio::task::spawn_blocking(move || {
        let (lines, left_out) = log::lines(&entries, &names, &guard);
        parts.push(("log.txt", lines));
        let mut readme = README.to_owned();
        for (file, _, says) in PARTS {
            readme.push_str(&format!("{file:<20}{says}\n"));
        }
        readme.push_str(&format!("\nThe log is of {source}; {left_out} of its lines were left out.\n"));
        parts.insert(0, ("README.txt", readme));
        if let Some((file, _)) = parts.iter().find(|(_, text)| guard.finds(text)) {
            tracing::error!(file, "no support file: something in it looks like a key");
            return Err(Stop::Failed(KEY_FOUND));
        }
        let now = Time::now();
        let bytes = pack(&parts, now, &progress)?;
        progress.check()?;
        let day = now.to_string();
        progress.write(format!("brookbox-support-{}.zip", day.split('T').next().unwrap_or_default()), &bytes).map(Some)
    });
    packed.await.map_err(|_| Stop::from(Problem::new(Code::Internal)))?
}

fn part(name: &'static str, value: &Value) -> Part {
    (name, serde_json::to_string_pretty(value).unwrap_or_default())
}

fn pack(parts: &[Part], now: Time, progress: &Progress) -> Result<Vec<u8>, Stop> {
    let options =
        SimpleFileOptions::default().compression_method(CompressionMethod::Deflated).last_modified_time(dos_time(now));
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (number, (name, text)) in parts.iter().enumerate() {
        progress.check()?;
        progress.percent(number, parts.len());
        zip.start_file(*name, options).map_err(std::io::Error::other)?;
        zip.write_all(text.as_bytes())?;
    }
    Ok(zip.finish().map_err(std::io::Error::other)?.into_inner())
}

/// A point in time as a zip file has it; a clock that is far off gives the format's first day.
fn dos_time(time: Time) -> zip::DateTime {
    let text = time.to_string();
    let number = |from: usize, to: usize| text.get(from..to).and_then(|digits| digits.parse::<u16>().ok());
    let byte = |from, to| number(from, to).and_then(|number| u8::try_from(number).ok());
    let parts = (|| Some((number(0, 4)?, byte(5, 7)?, byte(8, 10)?, byte(11, 13)?, byte(14, 16)?, byte(17, 19)?)))();
    parts
        .and_then(|(year, month, day, hour, minute, second)| {
            zip::DateTime::from_date_and_time(year, month, day, hour, minute, second).ok()
        })
        .unwrap_or_default()
}
