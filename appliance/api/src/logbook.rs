//! The newest of the program's own log, in memory: for Diagnostics and for the support file where there is no journal.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use brookbox_store::Time;

/// Most entries that are kept.
const MOST_ENTRIES: usize = 2_000;
/// Most bytes of them: what is kept must not grow with what is told.
const MOST_BYTES: usize = 512 << 10;
/// Longest message and value, in bytes; what is longer is cut.
const MOST_MESSAGE: usize = 1_000;
const MOST_VALUE: usize = 400;
/// Most fields of one entry.
const MOST_FIELDS: usize = 16;
/// What an entry takes besides its texts, about.
const ENTRY_BYTES: usize = 120;
/// The program's own words; what libraries say is kept from a warning on.
const OWN: &str = "brookbox";

/// How much an entry matters, the least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LogLevel {
    /// Every step.
    Trace,
    /// For whoever looks for a fault.
    Debug,
    /// Good to know.
    Info,
    /// Something went wrong and mends itself.
    Warn,
    /// Somebody has to look.
    Error,
}

impl LogLevel {
    /// The word in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

/// One entry of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Grows by one; begins anew with the program.
    pub(crate) id: u64,
    pub(crate) time: Time,
    pub(crate) level: LogLevel,
    /// The part of the program that says it.
    pub(crate) target: String,
    pub(crate) message: String,
    pub(crate) fields: Vec<(String, String)>,
}

impl Entry {
    fn bytes(&self) -> usize {
        let fields: usize = self.fields.iter().map(|(name, value)| name.len() + value.len() + 48).sum();
        ENTRY_BYTES + self.target.len() + self.message.len() + fields
    }

    /// Whether a text, in small letters, stands anywhere in it.
    fn has(&self, text: &str) -> bool {
        let has = |part: &str| part.to_lowercase().contains(text);
        has(&self.message)
            || has(&self.target)
            || self.fields.iter().any(|(name, value)| has(&format!("{name}={value}")))
    }
}

/// What is wanted of the log.
#[derive(Clone, Debug, Default)]
pub(crate) struct LogFilter {
    pub(crate) at_least: Option<LogLevel>,
    /// In any letters' case.
    pub(crate) text: Option<String>,
    pub(crate) before: Option<u64>,
    pub(crate) after: Option<u64>,
}

/// The newest of the log. Clones share it.
#[derive(Clone, Default)]
pub struct Logbook {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Default)]
struct Inner {
    entries: VecDeque<Entry>,
    bytes: usize,
    next: u64,
}

impl Logbook {
    /// Notes what is told now. What libraries say below a warning is left out: some of them tell whole requests.
    pub fn note(&self, level: LogLevel, target: &str, message: &str, fields: Vec<(String, String)>) {
        if !(target.starts_with(OWN) || level >= LogLevel::Warn) {
            return;
        }
        let fields =
            fields.into_iter().take(MOST_FIELDS).map(|(name, value)| (name, cut(&value, MOST_VALUE))).collect();
        let message = cut(message, MOST_MESSAGE);
        let mut inner = self.lock();
        let entry = Entry { id: inner.next, time: Time::now(), level, target: target.to_owned(), message, fields };
        inner.next += 1;
        inner.bytes += entry.bytes();
        inner.entries.push_back(entry);
        while inner.entries.len() > MOST_ENTRIES || inner.bytes > MOST_BYTES {
            let Some(oldest) = inner.entries.pop_front() else { break };
            inner.bytes -= oldest.bytes();
        }
    }

    /// What a filter lets pass, the newest first.
    pub(crate) fn newest(&self, filter: &LogFilter, limit: usize) -> Vec<Entry> {
        let text = filter.text.as_ref().map(|text| text.to_lowercase());
        let inner = self.lock();
        let newest = inner.entries.iter().rev();
        let wanted = newest
            .filter(|entry| filter.before.is_none_or(|before| entry.id < before))
            .take_while(|entry| filter.after.is_none_or(|after| entry.id > after))
            .filter(|entry| filter.at_least.is_none_or(|least| entry.level >= least))
            .filter(|entry| text.as_ref().is_none_or(|text| entry.has(text)));
        wanted.take(limit).cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Logbook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Logbook").field("entries", &self.lock().entries.len()).finish_non_exhaustive()
    }
}

/// The start of a text, without what would break a line.
pub(crate) fn cut(text: &str, most: usize) -> String {
    let fits = text.char_indices().map(|(at, letter)| at + letter.len_utf8()).take_while(|&end| end <= most).last();
    let start = text.get(..fits.unwrap_or_default()).unwrap_or_default();
    start.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(book: &Logbook, filter: &LogFilter, limit: usize) -> Vec<String> {
        book.newest(filter, limit).into_iter().map(|entry| entry.message).collect()
    }

    #[test]
    fn the_newest_comes_first_and_filters_hold() {
        let book = Logbook::default();
        book.note(LogLevel::Info, "brookbox_relay::engine", "event", vec![("code".into(), "Publisher_Started".into())]);
        book.note(LogLevel::Warn, "brookbox_api::web", "a file cannot be read", vec![]);
        book.note(LogLevel::Info, "hyper::proto", "cookie: brookbox=secret", vec![]);
        book.note(LogLevel::Error, "rustls", "broken\r\nfake line", vec![]);
        let all = LogFilter::default();
        assert_eq!(messages(&book, &all, 9), ["broken  fake line", "a file cannot be read", "event"]);
        assert_eq!(messages(&book, &all, 1).len(), 1);
        let of = |at_least, text: &str, before, after| {
            let text = Some(text.to_owned()).filter(|text| !text.is_empty());
            messages(&book, &LogFilter { at_least, text, before, after }, 9).len()
        };
        assert_eq!(of(Some(LogLevel::Warn), "", None, None), 2);
        assert_eq!(of(None, "CODE=publisher", None, None), 1);
        assert_eq!(of(None, "api::WEB", None, None), 1);
        assert_eq!((of(None, "", Some(2), None), of(None, "", None, Some(0)), of(None, "", None, Some(2))), (2, 2, 0));
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let book = Logbook::default();
        for _ in 0..MOST_ENTRIES + 10 {
            book.note(LogLevel::Info, "brookbox", "x", vec![]);
        }
        assert_eq!(book.lock().entries.len(), MOST_ENTRIES);
        let long = "é".repeat(5_000);
        for _ in 0..1_000 {
            let fields = (0..40).map(|number| (number.to_string(), long.clone())).collect();
            book.note(LogLevel::Info, "brookbox", &long, fields);
        }
        let inner = book.lock();
        assert!(inner.bytes <= MOST_BYTES && inner.entries.len() > 10, "{} {}", inner.bytes, inner.entries.len());
        assert_eq!(inner.bytes, inner.entries.iter().map(Entry::bytes).sum::<usize>());
        assert_eq!(inner.entries[0].message.len(), MOST_MESSAGE);
    }
}
