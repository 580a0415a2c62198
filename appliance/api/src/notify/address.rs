//! Where somebody is told: an `http://` or `https://` address, checked when it is written. It is checked again where it
//! really leads, at each try.

use std::net::{IpAddr, SocketAddr};

use brookbox_store::TellBy;

use crate::target::{self, Refused};

/// Longest address, in bytes.
const URL_BYTES: usize = 1024;

/// An address taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) tls: bool,
    /// A name or an address, without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// From the first slash on, with its query.
    pub(crate) path: String,
}

/// What an address is checked against.
#[derive(Clone, Copy)]
pub(crate) struct Rules {
    pub(crate) allow_local: bool,
    /// The box's end of the connection that asks: its own page is never told.
    pub(crate) local: SocketAddr,
}

impl Address {
    /// Takes an address apart, and says what is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, Refused> {
        let wrong = |code, message: &str| Err(Refused::Wrong((code, message.to_owned())));
        if text.len() > URL_BYTES {
            return wrong("too_long", "Use at most 1024 characters.");
        }
        if text.trim() != text {
            return wrong("spaces", "Remove the spaces at the start and the end.");
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte)) {
            return wrong("characters", "Leave out spaces, braces, quotes and letters beyond ASCII.");
        }
        let (tls, rest) = match text.split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("https") => (true, rest),
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => (false, rest),
            _ => return wrong("scheme", "Begin the address with `https://` or `http://`."),
        };
        let rest = rest.split('#').next().unwrap_or_default();
        let (authority, path) = rest.find(['/', '?']).map_or((rest, "/"), |at| rest.split_at(at));
        if authority.contains('@') {
            return wrong("user_in_url", "Leave out user name and password here. Put a token into `token`.");
        }
        let (host, port) = target::split_port(authority)?;
        target::check_host(host)?;
        let host = host.trim_start_matches('[').trim_end_matches(']').trim_end_matches('.').to_ascii_lowercase();
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        Ok(Self { tls, host, port: port.unwrap_or(if tls { 443 } else { 80 }), path })
    }

    /// Checks what can be known of an address without asking anybody.
    pub(crate) fn check(&self, service: TellBy, rules: Rules) -> Result<(), Refused> {
        if service == TellBy::Ntfy && self.topic().is_none() {
            let message = "Give the address of a topic, as in `https://ntfy.sh/my-topic`.";
            return Err(Refused::Wrong(("topic", message.to_owned())));
        }
        let Some(address) = target::literal(&self.host) else { return Ok(()) };
        let own: IpAddr = rules.local.ip().to_canonical();
        if self.port == rules.local.port() && (address == own || address.is_loopback()) {
            return Err(Refused::NotAllowed("This is the box itself.".to_owned()));
        }
        target::check_place(address, rules.allow_local)
    }

    /// What may be shown of it: most services take whoever knows the rest for a friend.
    pub(crate) fn shown(&self) -> String {
        format!("{}/…", self.origin())
    }

    /// Scheme, host and port, without a port that the scheme means anyway.
    pub(crate) fn origin(&self) -> String {
        format!("{}://{}", if self.tls { "https" } else { "http" }, self.authority())
    }

    /// As in a `Host` header.
    pub(crate) fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        if self.port == if self.tls { 443 } else { 80 } { host } else { format!("{host}:{}", self.port) }
    }

    /// The topic of an ntfy server, which is its whole path.
    pub(crate) fn topic(&self) -> Option<&str> {
        let topic = self.path.strip_prefix('/')?.trim_end_matches('/');
        let is_topic = (1..=64).contains(&topic.len())
            && topic.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
        is_topic.then_some(topic)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(text: &str, service: TellBy, allow_local: bool) -> Result<String, String> {
        let rules = Rules { allow_local, local: "192.168.1.9:8080".parse().unwrap() };
        let address = Address::parse(text).and_then(|address| address.check(service, rules).map(|()| address));
        address.map(|address| address.shown()).map_err(|refused| match refused {
            Refused::Wrong((code, _)) => code.to_owned(),
            Refused::NotAllowed(_) => "not_allowed".to_owned(),
        })
    }

    #[test]
    fn good_addresses_show_their_host_alone() {
        for (good, shown) in [
            ("https://hooks.example.com/T0/B0/secret?x=y#part", "https://hooks.example.com/…"),
            ("HTTPS://Example.COM:443", "https://example.com/…"),
            ("https://example.com:8443/a", "https://example.com:8443/…"),
            ("http://93.184.216.34?key=x", "http://93.184.216.34/…"),
            ("https://[2606:2800:220:1::1]:81/", "https://[2606:2800:220:1::1]:81/…"),
        ] {
            assert_eq!(checked(good, TellBy::Webhook, false).unwrap(), shown);
        }
        assert!(checked("https://ntfy.sh/my-topic_1", TellBy::Ntfy, false).is_ok());
        assert!(checked("http://192.168.1.20/hook", TellBy::Webhook, true).is_ok());
        assert_eq!(Address::parse("http://a.example?x=1").unwrap().path, "/?x=1");
    }

    #[test]
    fn wrong_addresses_say_what_is_wrong() {
        for (bad, code) in [
            ("ftp://example.com/", "scheme"),
            ("example.com/hook", "scheme"),
            ("https://", "host"),
            ("https:///hook", "host"),
            ("https://user:secret@example.com/", "user_in_url"),
            ("https://example.com:0/", "port"),
            ("https://127.1/", "host"),
            ("https://exa mple.com/", "characters"),
            ("https://example.com/${KEY}", "characters"),
            ("https://example.com/a\\b", "characters"),
            ("https://example.com/\r\nHost: x", "characters"),
            (" https://example.com", "spaces"),
            ("http://192.168.1.20/hook", "not_allowed"),
            ("http://localhost/hook", "not_allowed"),
            ("http://[::ffff:10.0.0.1]/hook", "not_allowed"),
            ("http://169.254.169.254/latest", "not_allowed"),
        ] {
            assert_eq!(checked(bad, TellBy::Webhook, false).unwrap_err(), code, "{bad}");
        }
        let long = format!("https://example.com/{}", "x".repeat(1024));
        assert_eq!(checked(&long, TellBy::Webhook, false).unwrap_err(), "too_long");
        for bad in ["https://ntfy.sh", "https://ntfy.sh/", "https://ntfy.sh/a/b", "https://ntfy.sh/a?x=1"] {
            assert_eq!(checked(bad, TellBy::Ntfy, false).unwrap_err(), "topic", "{bad}");
        }
        for own in ["http://192.168.1.9:8080/", "http://127.0.0.1:8080/", "http://169.254.169.254/"] {
            assert_eq!(checked(own, TellBy::Webhook, true).unwrap_err(), "not_allowed", "{own}");
        }
    }
}
