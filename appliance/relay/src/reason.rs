//! Reasons, with their one plain sentence.

use crate::{Reason, ReasonCode};

/// What ended a try or a connection: the code, and what the server or the system said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// What it was.
    pub code: ReasonCode,
    /// In the words of others.
    pub details: Option<String>,
}

impl Cause {
    pub(crate) fn new(code: ReasonCode) -> Self {
        Self { code, details: None }
    }

    pub(crate) fn with(code: ReasonCode, details: impl ToString) -> Self {
        Self { code, details: Some(details.to_string()) }
    }

    /// The reason as people see it, for the destination `name`. `secrets` are taken out of what others said.
    pub(crate) fn reason(&self, name: &str, secrets: &[&str]) -> Reason {
        let details = self.details.as_deref().map(|d| redact(d, secrets));
        Reason { code: self.code, sentence: sentence(self.code, name), details }
    }
}

fn sentence(code: ReasonCode, name: &str) -> String {
    use ReasonCode as R;
    match code {
        R::BadKey => format!("{name} refused the stream key."),
        R::NotStarted => format!("{name} waits for a press on its own page."),
        R::Refused => format!("{name} refused the connection."),
        R::RemoteClosed => format!("{name} closed the connection."),
        R::TooSlow => format!("The way to {name} is too slow."),
        R::Dns => format!("The address of {name} was not found."),
        R::NoRoute => format!("There is no way from the box to {name}."),
        R::Timeout => format!("{name} does not answer."),
        R::Tls => format!("A secure connection to {name} failed."),
        R::TlsExpired => format!("The certificate of {name} has expired."),
        R::TlsName => format!("The certificate of {name} is for another name."),
        R::TlsUntrusted => format!("The certificate of {name} is not trusted."),
        R::ClockWrong => "The box's clock is wrong.".to_owned(),
        R::Codec => format!("{name} does not take this kind of video."),
        R::EncoderBusy => format!("The encoder has no room for {name}."),
        R::EncoderDied => format!("The encoder for {name} stopped."),
        R::AddressNotAllowed => format!("The address of {name} is not allowed."),
    }
}

/// Longest text of others that is kept.
const MAX_DETAILS: usize = 300;

/// Takes secrets and control characters out of text that came from outside, and bounds it.
fn redact(text: &str, secrets: &[&str]) -> String {
    let mut clean = text.to_owned();
    for secret in secrets.iter().filter(|s| s.len() >= 4) {
        clean = clean.replace(secret, "…");
        // Keys travel with a query; servers echo the part before it.
        if let Some((head, _)) = secret.split_once('?').filter(|(head, _)| head.len() >= 4) {
            clean = clean.replace(head, "…");
        }
    }
    clean.chars().filter(|c| !c.is_control()).take(MAX_DETAILS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_leaves_in_details() {
        let cause = Cause::with(ReasonCode::BadKey, "stream s3cr3t-key refused\u{7}: s3cr3t-key?a=1");
        let reason = cause.reason("Club", &["s3cr3t-key?a=1"]);
        assert_eq!(reason.sentence, "Club refused the stream key.");
        assert_eq!(reason.details.as_deref(), Some("stream … refused: …"));
    }

    #[test]
    fn details_are_bounded() {
        let reason = Cause::with(ReasonCode::Refused, "x".repeat(10_000)).reason("Club", &[]);
        assert_eq!(reason.details.unwrap().len(), MAX_DETAILS);
    }
}
