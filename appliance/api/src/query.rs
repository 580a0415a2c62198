//! Reading what stands behind the `?`, so that one answer names everything that is wrong with it.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use crate::problem::{Code, FieldError, Problem};

/// Longest text of a parameter, in bytes.
const TEXT: usize = 128;

/// The parameters of a request. Unknown ones are nobody's business, as on any web page.
pub(crate) struct Query {
    pairs: Vec<(String, String)>,
    errors: Vec<FieldError>,
}

impl<S: Send + Sync> FromRequestParts<S> for Query {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let pairs = axum::extract::Query::<Vec<(String, String)>>::from_request_parts(parts, state).await;
        let axum::extract::Query(pairs) = pairs.map_err(|_| Problem::new(Code::BadRequest))?;
        Ok(Self { pairs, errors: Vec::new() })
    }
}

impl Query {
    /// A whole number.
    pub(crate) fn number<T: FromStr + PartialOrd + Display>(
        &mut self,
        name: &str,
        range: RangeInclusive<T>,
    ) -> Option<T> {
        let message = format!("Give one whole number from {} to {}.", range.start(), range.end());
        let value = self.once(name, "out_of_range", &message)?;
        let number = value.parse().ok().filter(|number| range.contains(number));
        self.or_error(name, "out_of_range", message, number)
    }

    /// One of several words.
    pub(crate) fn word<T: Copy>(&mut self, name: &str, words: &[(&str, T)]) -> Option<T> {
        let known: Vec<_> = words.iter().map(|(word, _)| format!("`{word}`")).collect();
        let message = format!("Use one of {}.", known.join(", "));
        let value = self.once(name, "unknown_value", &message)?;
        let found = words.iter().find(|(word, _)| *word == value).map(|&(_, found)| found);
        self.or_error(name, "unknown_value", message, found)
    }

    /// A short text.
    pub(crate) fn text(&mut self, name: &str) -> Option<String> {
        let message = format!("Give one text of at most {TEXT} bytes.");
        let value = self.once(name, "too_long", &message)?;
        let short = Some(value).filter(|value| value.len() <= TEXT);
        self.or_error(name, "too_long", message, short)
    }

    /// Everything was read: says what was wrong.
    pub(crate) fn finish(self) -> Result<(), Problem> {
        if self.errors.is_empty() { Ok(()) } else { Err(Problem::new(Code::Invalid).errors(self.errors)) }
    }

    fn once(&mut self, name: &str, code: &'static str, message: &str) -> Option<String> {
        let mut values = self.pairs.iter().filter(|(known, _)| known == name).map(|(_, value)| value.clone());
        let (value, more) = (values.next()?, values.next());
        if more.is_some() {
            self.errors.push(FieldError { field: name.to_owned(), code, message: message.to_owned() });
            return None;
        }
        Some(value)
    }

    fn or_error<T>(&mut self, name: &str, code: &'static str, message: String, value: Option<T>) -> Option<T> {
        if value.is_none() {
            self.errors.push(FieldError { field: name.to_owned(), code, message });
        }
        value
    }
}
