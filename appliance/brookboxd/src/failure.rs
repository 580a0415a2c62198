//! What can go wrong, with the exit code that tells which kind it was.

use std::fmt::Display;
use std::io::Write;

/// The command line is wrong (`EX_USAGE`).
pub(crate) const USAGE: u8 = 64;
/// The configuration is wrong (`EX_CONFIG`).
const CONFIGURATION: u8 = 78;
/// Anything else.
const OTHER: u8 = 1;

/// A failure as a person reads it: what is wrong, and what to do.
#[derive(Debug)]
pub(crate) struct Failure {
    code: u8,
    sentence: String,
    hint: Option<String>,
}

impl Failure {
    pub(crate) fn usage(sentence: impl Display) -> Self {
        Self { code: USAGE, sentence: sentence.to_string(), hint: None }
    }

    pub(crate) fn configuration(sentence: impl Display) -> Self {
        Self { code: CONFIGURATION, sentence: sentence.to_string(), hint: None }
    }

    pub(crate) fn other(sentence: impl Display) -> Self {
        Self { code: OTHER, sentence: sentence.to_string(), hint: None }
    }

    pub(crate) fn hint(mut self, hint: impl Display) -> Self {
        self.hint = Some(hint.to_string());
        self
    }

    pub(crate) fn code(&self) -> u8 {
        self.code
    }

    /// Writes it to standard error; there is nobody to tell if that fails.
    pub(crate) fn print(&self) {
        let mut err = std::io::stderr().lock();
        let _ = writeln!(err, "brookboxd: {}", self.sentence);
        if let Some(hint) = &self.hint {
            let _ = writeln!(err, "  hint: {hint}");
        }
    }
}
