//! Addresses of RTMP servers: `rtmp://` and `rtmps://`.

use std::{fmt, str::FromStr};

use crate::SecretKey;

/// Address of a server and application. The stream name is apart from it, except where a text holds both: see
/// [`RtmpUrl::split_stream`].
///
/// `Debug` and `Display` show scheme, host, port and path: no login, no query.
#[derive(Clone, PartialEq, Eq)]
pub struct RtmpUrl {
    /// `rtmps`: TLS from the first byte.
    pub tls: bool,
    /// User name and password before an `@`, percent-decoded.
    pub login: Option<(String, SecretKey)>,
    /// Name or address; IPv6 without its brackets.
    pub host: String,
    /// 1935, or 443 for `rtmps`, where the text has none.
    pub port: u16,
    /// Everything after the first slash without slashes around its path: may be empty, nested, and have a `?query`.
    pub app: String,
}

/// Why a text is not an address of an RTMP server. Names no part of the text, which may hold a stream key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UrlError {
    /// Not `rtmp://` or `rtmps://`.
    #[error("the address has to begin with rtmp:// or rtmps://")]
    Scheme,
    /// Nothing where the host belongs, or characters that no host has.
    #[error("the address has no valid host name")]
    Host,
    /// Not 1 to 65535.
    #[error("the port has to be a number from 1 to 65535")]
    Port,
    /// White space or control characters.
    #[error("the address has a space or control character in it")]
    Space,
    /// Longer than anything real.
    #[error("the address is longer than {MAX_LEN} bytes")]
    TooLong,
    /// A `%` that is not followed by two hexadecimal digits, or what it stands for is not text.
    #[error("the login in the address is not percent-encoded text")]
    Login,
}

const MAX_LEN: usize = 4096;

impl RtmpUrl {
    /// `tcUrl` for `connect`: the address without login, the port only where it is not the scheme's own.
    #[must_use]
    pub fn tc_url(&self) -> String {
        format!("{}/{}", self.origin(), self.app)
    }

    /// Takes the last part of the path as a stream name, with the query: for a text that holds both, as a redirect does.
    /// `None` if there is only one part, the application.
    #[must_use]
    pub fn split_stream(&self) -> Option<(Self, SecretKey)> {
        // A slash in the query is not one of the path.
        let path_len = self.app.find('?').unwrap_or(self.app.len());
        let slash = self.app.get(..path_len)?.rfind('/')?;
        let (app, name) = self.app.split_at_checked(slash)?;
        let name = name.strip_prefix('/').filter(|name| !name.is_empty() && !name.starts_with('?'))?;
        Some((Self { app: app.to_owned(), ..self.clone() }, name.into()))
    }

    fn origin(&self) -> String {
        let scheme = if self.tls { "rtmps" } else { "rtmp" };
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        if self.port == default_port(self.tls) {
            format!("{scheme}://{host}")
        } else {
            format!("{scheme}://{host}:{}", self.port)
        }
    }
}

impl FromStr for RtmpUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        let text = text.trim();
        if text.len() > MAX_LEN {
            return Err(UrlError::TooLong);
        }
        if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(UrlError::Space);
        }
        let (scheme, rest) = text.split_once("://").ok_or(UrlError::Scheme)?;
        let tls = match scheme.to_ascii_lowercase().as_str() {
            "rtmp" => false,
            "rtmps" => true,
            _ => return Err(UrlError::Scheme),
        };
        // `rtmp://host?query` has an empty path.
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, app) = rest.split_at(end);
        let (login, address) = match authority.rsplit_once('@') {
            Some((login, address)) => (Some(parse_login(login)?), address),
            None => (None, authority),
        };
        let (host, port) = parse_address(address, tls)?;
        Ok(Self { tls, login, host, port, app: trim_slashes(app).to_owned() })
    }
}

impl fmt::Display for RtmpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.app.split('?').next().unwrap_or_default();
        let query = if path.len() < self.app.len() { "?…" } else { "" };
        write!(f, "{}/{path}{query}", self.origin())
    }
}

impl fmt::Debug for RtmpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RtmpUrl({self})")
    }
}

/// Resolves a reference as a reconnect request has it (Enhanced RTMP v2, "Reconnect Request"; RFC 3986 §5.2 without dots)
/// against the address of the connection.
pub(crate) fn resolve(base: &str, reference: &str) -> String {
    if reference.contains("://") {
        return reference.to_owned();
    }
    let (scheme, rest) = base.split_once("://").unwrap_or(("rtmp", base));
    if let Some(authority) = reference.strip_prefix("//") {
        return format!("{scheme}://{authority}");
    }
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    if let Some(path) = reference.strip_prefix('/') {
        return format!("{scheme}://{host}/{path}");
    }
    let path = path.split('?').next().unwrap_or_default();
    let directory = path.rsplit_once('/').map_or(String::new(), |(directory, _)| format!("{directory}/"));
    format!("{scheme}://{host}/{directory}{reference}")
}

/// Without slashes around the path; those of a query belong to it.
pub(crate) fn trim_slashes(app: &str) -> &str {
    let app = app.trim_start_matches('/');
    if app.contains('?') { app } else { app.trim_end_matches('/') }
}

fn default_port(tls: bool) -> u16 {
    if tls { 443 } else { 1935 }
}

fn parse_login(login: &str) -> Result<(String, SecretKey), UrlError> {
    let (user, password) = login.split_once(':').unwrap_or((login, ""));
    Ok((percent_decode(user)?, percent_decode(password)?.into()))
}

fn percent_decode(text: &str) -> Result<String, UrlError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut parts = text.split('%');
    bytes.extend_from_slice(parts.next().unwrap_or_default().as_bytes());
    for part in parts {
        let (digits, rest) = part.split_at_checked(2).ok_or(UrlError::Login)?;
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(UrlError::Login);
        }
        bytes.push(u8::from_str_radix(digits, 16).map_err(|_| UrlError::Login)?);
        bytes.extend_from_slice(rest.as_bytes());
    }
    String::from_utf8(bytes).map_err(|_| UrlError::Login)
}

fn parse_address(address: &str, tls: bool) -> Result<(String, u16), UrlError> {
    let (host, port) = match address.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest.split_once(']').ok_or(UrlError::Host)?;
            host.parse::<std::net::Ipv6Addr>().map_err(|_| UrlError::Host)?;
            (host, if after.is_empty() { None } else { Some(after.strip_prefix(':').ok_or(UrlError::Host)?) })
        }
        None => {
            let (host, port) = address.split_once(':').map_or((address, None), |(host, port)| (host, Some(port)));
            let valid = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
            if host.is_empty() || host.len() > 253 || !host.chars().all(valid) {
                return Err(UrlError::Host);
            }
            (host, port)
        }
    };
    let port = match port {
        // `host:` is allowed by RFC 3986 §3.2.3.
        None | Some("") => default_port(tls),
        Some(port) if port.bytes().all(|digit| digit.is_ascii_digit()) => match port.parse() {
            Ok(0) | Err(_) => return Err(UrlError::Port),
            Ok(port) => port,
        },
        Some(_) => return Err(UrlError::Port),
    };
    Ok((host.to_ascii_lowercase(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<RtmpUrl, UrlError> {
        text.parse()
    }

    #[test]
    fn parts() {
        let url = parse("rtmp://Live.Example.com/app/inst?x=/y").unwrap();
        assert_eq!(
            (url.tls, url.host.as_str(), url.port, url.app.as_str()),
            (false, "live.example.com", 1935, "app/inst?x=/y")
        );
        assert_eq!(url.tc_url(), "rtmp://live.example.com/app/inst?x=/y");
        let url = parse("RTMPS://[2001:db8::1]:8443/app/").unwrap();
        assert_eq!((url.tls, url.host.as_str(), url.port, url.app.as_str()), (true, "2001:db8::1", 8443, "app"));
        assert_eq!(url.tc_url(), "rtmps://[2001:db8::1]:8443/app");
        let url = parse("rtmps://host:443").unwrap();
        assert_eq!((url.port, url.app.as_str(), url.tc_url().as_str()), (443, "", "rtmps://host/"));
        let url = parse("rtmp://us%40er:p%3a%20w@host/app").unwrap();
        assert_eq!(url.login, Some(("us@er".to_owned(), "p: w".into())));
        assert_eq!(parse("rtmp://host?x=1").unwrap().app, "?x=1");
        assert_eq!(parse("rtmp://host/app?sig=ab/").unwrap().app, "app?sig=ab/");
    }

    #[test]
    fn refused() {
        for (text, error) in [
            ("", UrlError::Scheme),
            ("http://host/app", UrlError::Scheme),
            ("rtmp:/host", UrlError::Scheme),
            ("rtmp://", UrlError::Host),
            ("rtmp:///app", UrlError::Host),
            ("rtmp://ho\u{e4}st/app", UrlError::Host),
            ("rtmp://[::1/app", UrlError::Host),
            ("rtmp://[nonsense]/app", UrlError::Host),
            ("rtmp://[::1]x/app", UrlError::Host),
            ("rtmp://host:0/app", UrlError::Port),
            ("rtmp://host:65536/app", UrlError::Port),
            ("rtmp://host:+1/app", UrlError::Port),
            ("rtmp://host/a pp", UrlError::Space),
            ("rtmp://ho\0st/app", UrlError::Space),
            ("rtmp://us%4@host/app", UrlError::Login),
            ("rtmp://us%+4@host/app", UrlError::Login),
            ("rtmp://us%ff@host/app", UrlError::Login),
        ] {
            assert_eq!(parse(text), Err(error), "{text:?}");
        }
        assert_eq!(parse(&format!("rtmp://host/{}", "a".repeat(5000))), Err(UrlError::TooLong));
    }

    #[test]
    fn stream_names_in_the_address() {
        let split =
            |text: &str| parse(text).unwrap().split_stream().map(|(url, name)| (url.app, name.expose().to_owned()));
        assert_eq!(split("rtmp://h/app/KEY?a=b/c"), Some(("app".into(), "KEY?a=b/c".into())));
        assert_eq!(split("rtmp://h/app/inst/KEY"), Some(("app/inst".into(), "KEY".into())));
        assert_eq!(split("rtmp://h/app?x=/y"), None);
        assert_eq!(split("rtmp://h/app"), None);
        assert_eq!(split("rtmp://h"), None);
    }

    #[test]
    fn shown_without_secrets() {
        let url = parse("rtmp://user:canary@host:1936/app?token=canary").unwrap();
        assert_eq!(format!("{url} {url:?}"), "rtmp://host:1936/app?… RtmpUrl(rtmp://host:1936/app?…)");
    }

    #[test]
    fn references() {
        let base = "rtmp://old:1936/one/two?q";
        for (reference, whole) in [
            ("rtmp://foo.mydomain.com:1935/realtimeapp", "rtmp://foo.mydomain.com:1935/realtimeapp"),
            ("//192.0.2.0/realtimeapp", "rtmp://192.0.2.0/realtimeapp"),
            ("/realtimeapp", "rtmp://old:1936/realtimeapp"),
            ("three", "rtmp://old:1936/one/three"),
        ] {
            assert_eq!(resolve(base, reference), whole);
        }
        assert_eq!(resolve("rtmp://old", "three"), "rtmp://old/three");
    }
}
