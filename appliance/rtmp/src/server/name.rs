//! Texts that a client names its stream and itself by.

use crate::{ErrorKind, SecretKey};

/// Application, key and query, wherever the client put them.
///
/// The key is what follows the last slash of the stream name, up to a `?`. Clients that ask only for an address and no stream
/// name leave the name empty; the key is then at the end of the application.
pub(super) fn split_name(app: &str, name: &str) -> (String, SecretKey, String) {
    let (path, query) = name.split_once('?').unwrap_or((name, ""));
    let path = path.trim_matches('/');
    if path.is_empty() {
        let (app, app_query) = app.split_once('?').unwrap_or((app, ""));
        let (before, key) = app.rsplit_once('/').unwrap_or(("", app));
        let query = if query.is_empty() { app_query } else { query };
        return (before.to_owned(), key.into(), query.to_owned());
    }
    let (directories, key) = path.rsplit_once('/').unwrap_or(("", path));
    let app = [app, directories].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/");
    (app, key.into(), query.to_owned())
}

/// Names and addresses are kept for as long as the connection lasts.
pub(super) fn checked_text(text: &str) -> Result<&str, ErrorKind> {
    if text.len() > MAX_TEXT { Err(ErrorKind::Command("a name is longer than 8192 bytes")) } else { Ok(text) }
}

const MAX_TEXT: usize = 8192;

/// A text of the peer that people will see.
pub(super) fn shown_text(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_wherever_they_are() {
        let split = |app, name| {
            let (app, key, query) = split_name(app, name);
            (app, key.expose().to_owned(), query)
        };
        let is = |app: &str, key: &str, query: &str| (app.to_owned(), key.to_owned(), query.to_owned());
        assert_eq!(split("live", "KEY"), is("live", "KEY", ""));
        assert_eq!(split("live", "KEY?a=b&c=d?e"), is("live", "KEY", "a=b&c=d?e"));
        assert_eq!(split("", "KEY"), is("", "KEY", ""));
        assert_eq!(split("a/b", "c/KEY?x=/y"), is("a/b/c", "KEY", "x=/y"));
        assert_eq!(split("", "c/KEY"), is("c", "KEY", ""));
        assert_eq!(split("live?t=1", "KEY"), is("live?t=1", "KEY", ""));
        assert_eq!(split("live/KEY", ""), is("live", "KEY", ""));
        assert_eq!(split("live/KEY?x=1", ""), is("live", "KEY", "x=1"));
        assert_eq!(split("live/KEY?sig=a/b", ""), is("live", "KEY", "sig=a/b"));
        assert_eq!(split("live/KEY", "?x=1"), is("live", "KEY", "x=1"));
        assert_eq!(split("KEY", "/"), is("", "KEY", ""));
        assert_eq!(split("", ""), is("", "", ""));
    }
}
