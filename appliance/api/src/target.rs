//! Where a destination leads: its address and key, checked when they are written. The engine checks again where the
//! address really leads, at each try.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use brookbox_relay::{Reach, reach};
use secrecy::{ExposeSecret, SecretString};

use crate::platforms::Platform;

/// Longest address, in bytes.
const URL_BYTES: usize = 1024;
/// Longest key, in bytes.
const KEY_BYTES: usize = 512;

/// What is wrong, as a field error: its code and what to do.
pub(crate) type Wrong = (&'static str, String);

/// Against what an address is checked.
pub(crate) struct Rules<'a> {
    pub(crate) platform: Option<&'a Platform>,
    pub(crate) allow_local: bool,
    pub(crate) key: Option<&'a SecretString>,
    pub(crate) variables: &'a BTreeSet<String>,
    /// The box's own ingest.
    pub(crate) ingest: SocketAddr,
    /// The box's address on the connection that asks.
    pub(crate) local: IpAddr,
}

/// Why an address is not taken.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// It is wrong.
    Wrong(Wrong),
    /// It leads where no destination may lead.
    NotAllowed(String),
}

impl Refused {
    fn wrong(code: &'static str, message: impl Into<String>) -> Self {
        Self::Wrong((code, message.into()))
    }
}

/// Checks an address and returns it as it is stored.
pub(crate) fn url(text: &str, rules: &Rules<'_>) -> Result<String, Refused> {
    if text.len() > URL_BYTES {
        return Err(Refused::wrong("too_long", format!("Use at most {URL_BYTES} characters.")));
    }
    if text.trim() != text {
        return Err(Refused::wrong("spaces", "Remove the spaces at the start and the end."));
    }
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Refused::wrong("characters", "Leave out spaces, line breaks and letters beyond ASCII."));
    }
    variables(text, rules.variables).map_err(Refused::Wrong)?;
    let parts = Parts::of(text)?;
    if parts.has_key(rules) {
        return Err(Refused::wrong(
            "key_in_url",
            "The stream key stands in the address. Put it into `key`, and only what comes before it here.",
        ));
    }
    if let Some(host) = parts.known_host() {
        check_reach(&host, parts.port, rules)?;
    }
    // Kick and the like show an address without its application.
    match rules.platform.and_then(|platform| platform.append_app.as_deref()) {
        Some(app) if parts.app.trim_matches('/').is_empty() => Ok(format!("{}/{app}", text.trim_end_matches('/'))),
        _ => Ok(text.to_owned()),
    }
}

/// Whether an address that needs no looking up is in the own network.
pub(crate) fn is_local(url: &str) -> bool {
    let host = Parts::of(url).ok().and_then(|parts| parts.known_host());
    host.and_then(|host| literal(&host)).is_some_and(|address| reach(address) == Reach::Local)
}

/// Whether a key that may go to one of the addresses `known` may go to `url` too without being given anew: to the same host
/// and port, or to another host of the same platform (by its `suffixes`), and never in the clear where it was encrypted.
pub(crate) fn may_follow(url: &str, known: &[&str], suffixes: &[String]) -> bool {
    let of_platform = |parts: &Parts<'_>| {
        parts.known_host().is_some_and(|host| suffixes.iter().any(|suffix| host.ends_with(suffix.as_str())))
    };
    let Ok(to) = Parts::of(url) else { return false };
    known.iter().filter_map(|known| Parts::of(known).ok()).any(|from| {
        let same = from.host.eq_ignore_ascii_case(to.host) && from.port == to.port;
        (same || (of_platform(&from) && of_platform(&to))) && (to.tls || !from.tls)
    })
}

/// Checks a key.
pub(crate) fn key(key: &SecretString, known: &BTreeSet<String>) -> Result<(), Wrong> {
    let text = key.expose_secret();
    let wrong = |code, message: &str| Err((code, message.to_owned()));
    if text.is_empty() {
        wrong("required", "Paste the stream key that the platform shows.")
    } else if text.len() > KEY_BYTES {
        Err(("too_long", format!("Use at most {KEY_BYTES} characters.")))
    } else if text.trim() != text {
        wrong("spaces", "Remove the spaces at the start and the end.")
    } else if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        wrong("characters", "A stream key has no spaces, line breaks or letters beyond ASCII.")
    } else if ["rtmp://", "rtmps://", "srt://", "http://", "https://"].iter().any(|scheme| starts_with(text, scheme)) {
        wrong("url_in_key", "This is an address. Put it into `url`, and the stream key here.")
    } else {
        variables(text, known)
    }
}

fn starts_with(text: &str, start: &str) -> bool {
    text.get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start))
}

/// Whether each `${NAME}` is whole and known.
fn variables(text: &str, known: &BTreeSet<String>) -> Result<(), Wrong> {
    let mut rest = text;
    while let Some((_, after)) = rest.split_once("${") {
        let Some((name, after)) = after.split_once('}') else {
            return Err(("variable", "Close `${` with `}`.".to_owned()));
        };
        if !known.contains(name) {
            // The name is not repeated: it may be a secret that was put between the braces.
            return Err(("variable", "There is no variable of this name in the variables file.".to_owned()));
        }
        rest = after;
    }
    Ok(())
}

/// An address taken apart.
struct Parts<'a> {
    tls: bool,
    host: &'a str,
    /// The scheme's own if none is named.
    port: u16,
    /// What follows the first slash, with its query.
    app: &'a str,
}

impl<'a> Parts<'a> {
    fn of(text: &'a str) -> Result<Self, Refused> {
        let Some((scheme, rest)) = text.split_once("://") else {
            return Err(Refused::wrong("scheme", "Begin the address with `rtmp://` or `rtmps://`."));
        };
        let known = [("rtmp", 1935), ("rtmps", 443)].into_iter().find(|(name, _)| scheme.eq_ignore_ascii_case(name));
        let Some((scheme, scheme_port)) = known else {
            return Err(Refused::wrong("scheme", "Use an address that begins with `rtmp://` or `rtmps://`."));
        };
        if rest.contains('#') {
            return Err(Refused::wrong("characters", "Leave out everything from the `#` on."));
        }
        if rest.contains('\\') {
            return Err(Refused::wrong("characters", "Use `/`, not `\\`."));
        }
        let (authority, app) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
        let app = app.strip_prefix('/').unwrap_or(app);
        if authority.contains('@') {
            let message = "Leave out user name and password here: they have fields of their own.";
            return Err(Refused::wrong("user_in_url", message));
        }
        let (host, port) = split_port(authority)?;
        check_host(host)?;
        Ok(Self { tls: scheme == "rtmps", host, port: port.unwrap_or(scheme_port), app })
    }

    /// The host, unless it is made of variables.
    fn known_host(&self) -> Option<String> {
        (!self.host.contains("${")).then(|| self.host.trim_end_matches('.').to_ascii_lowercase())
    }

    /// Whether a stream key stands in the address.
    fn has_key(&self, rules: &Rules<'_>) -> bool {
        let key = rules.key.map(SecretString::expose_secret).unwrap_or_default();
        let path = self.app.split('?').next().unwrap_or_default().trim_end_matches('/');
        let last = path.rsplit('/').next().unwrap_or_default();
        // The key itself; short ones (`live`, `test`) may well be an application's name too.
        let is_key = key.len() >= 8 && self.app.contains(key);
        // A path that goes on behind the application of a platform whose address is known.
        let fixed = rules.platform.and_then(Platform::fixed_host_and_app);
        let behind = fixed.is_some_and(|(host, app)| {
            let rest = path.strip_prefix(app).and_then(|rest| rest.strip_prefix('/'));
            self.host.eq_ignore_ascii_case(host) && rest.is_some_and(|rest| !rest.is_empty())
        });
        is_key || behind || looks_like_key(last)
    }
}

/// Forms that the platforms' keys have: no application is called so.
fn looks_like_key(text: &str) -> bool {
    // YouTube: four or five groups of four.
    let groups: Vec<_> = text.split('-').collect();
    let youtube = (4..=5).contains(&groups.len())
        && groups.iter().all(|group| group.len() == 4 && group.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    let digits = |text: &str| text.len() >= 5 && text.bytes().all(|byte| byte.is_ascii_digit());
    // Twitch: live_123456789_abc…; Kick and IVS: sk_region_…; Facebook: FB-123…-0-abc.
    let twitch = text.strip_prefix("live_").and_then(|rest| rest.split('_').next()).is_some_and(digits);
    let ivs = text.strip_prefix("sk_").is_some_and(|rest| rest.len() >= 16);
    let facebook = text.strip_prefix("FB-").and_then(|rest| rest.split('-').next()).is_some_and(digits);
    youtube || twitch || ivs || facebook
}

pub(crate) fn split_port(authority: &str) -> Result<(&str, Option<u16>), Refused> {
    let brackets = "Put an IPv6 address into brackets, as in `[2001:db8::1]:1935`.";
    // The colons of an IPv6 address stand in brackets.
    let end = authority.find(']').map(|at| at + 1).or_else(|| authority.find(':')).unwrap_or(authority.len());
    let (host, tail) = authority.split_at(end);
    if tail.is_empty() {
        return Ok((host, None));
    }
    let port = tail.strip_prefix(':').ok_or_else(|| Refused::wrong("host", brackets))?;
    if port.contains(':') {
        return Err(Refused::wrong("host", brackets));
    }
    if port.starts_with("${") && port.ends_with('}') {
        return Ok((host, None));
    }
    let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    match port.parse() {
        Ok(number) if digits && number != 0 => Ok((host, Some(number))),
        _ => Err(Refused::wrong("port", "Use a port from 1 to 65535, as in `host:1935`.")),
    }
}

pub(crate) fn check_host(host: &str) -> Result<(), Refused> {
    let wrong = |message: &str| Err(Refused::wrong("host", message));
    if host.is_empty() {
        return wrong("Name a host behind the `://`.");
    }
    if host.contains("${") {
        return Ok(());
    }
    if let Some(v6) = host.strip_prefix('[') {
        return match v6.strip_suffix(']').map(str::parse::<std::net::Ipv6Addr>) {
            Some(Ok(_)) => Ok(()),
            _ => wrong("This is no IPv6 address."),
        };
    }
    let name = host.strip_suffix('.').unwrap_or(host);
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    if name.len() > 253 || !name.split('.').all(label) {
        return wrong("This is no host name. Names of other scripts are written in their xn-- form.");
    }
    // `127.1` and `0x7f000001` are addresses to some resolvers and names to others.
    let last = name.rsplit('.').next().unwrap_or_default();
    let number = last.bytes().all(|byte| byte.is_ascii_digit()) || last.to_ascii_lowercase().starts_with("0x");
    if number && host.parse::<std::net::Ipv4Addr>().is_err() {
        return wrong("Write an IPv4 address as four numbers, as in `192.0.2.7`.");
    }
    Ok(())
}

/// The address that a host is without being looked up.
pub(crate) fn literal(host: &str) -> Option<IpAddr> {
    match host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
        Ok(address) => Some(address.to_canonical()),
        Err(_) => (host == "localhost" || host.ends_with(".localhost")).then(|| IpAddr::from([127, 0, 0, 1])),
    }
}

/// Where an address that needs no looking up leads.
fn check_reach(host: &str, port: u16, rules: &Rules<'_>) -> Result<(), Refused> {
    let Some(address) = literal(host) else { return Ok(()) };
    let own = address.is_loopback() || address == rules.local || address == rules.ingest.ip().to_canonical();
    if own && port == rules.ingest.port() {
        return Err(Refused::NotAllowed("This is the box's own ingest: it would send the stream to itself.".into()));
    }
    check_place(address, rules.allow_local)
}

/// Whether an address may be reached at all.
pub(crate) fn check_place(address: IpAddr, allow_local: bool) -> Result<(), Refused> {
    match reach(address) {
        Reach::Public => Ok(()),
        Reach::Local if allow_local => Ok(()),
        Reach::Local => {
            Err(Refused::NotAllowed("This address is in the own network. Set `allowLocal` if that is meant.".into()))
        }
        Reach::Never => Err(Refused::NotAllowed("The box may never send to this address.".into())),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::platforms::platform;

    fn check_for(text: &str, id: &str, allow_local: bool, key: &str) -> Result<String, Refused> {
        let variables = ["HOST".to_owned(), "PORT".to_owned(), "APP".to_owned()].into();
        let key = SecretString::from(key);
        url(
            text,
            &Rules {
                platform: platform(id),
                allow_local,
                key: Some(&key),
                variables: &variables,
                ingest: "0.0.0.0:1935".parse().unwrap(),
                local: "192.168.1.9".parse().unwrap(),
            },
        )
    }

    fn check(text: &str) -> Result<String, Refused> {
        check_for(text, "custom", false, "a-key-of-mine")
    }

    #[test]
    fn good_addresses_stay_as_they_are() {
        for good in [
            "rtmp://192.0.2.7/app",
            "rtmps://a.rtmps.youtube.com:443/live2",
            "rtmps://b.rtmps.youtube.com:443/live2?backup=1",
            "RTMP://Example.COM/app/nested?x=y",
            "rtmp://example.com",
            "rtmp://example.com:1/",
            "rtmp://[2001:db8::1]:1936/app",
            "rtmp://${HOST}/app",
            "rtmp://${HOST}:${PORT}/${APP}",
            "rtmp://example.com./app",
            "rtmp://my_host.example/app",
        ] {
            assert_eq!(check(good), Ok(good.to_owned()));
        }
    }

    #[test]
    fn wrong_addresses_say_what_is_wrong() {
        for (bad, code) in [
            ("http://example.com/app", "scheme"),
            ("srt://example.com:9000", "scheme"),
            ("example.com/app", "scheme"),
            ("rtmp:/example.com/app", "scheme"),
            ("rtmp://", "host"),
            ("rtmp:///app", "host"),
            ("rtmp://:1935/app", "host"),
            ("rtmp://exa mple.com/app", "characters"),
            (" rtmp://example.com/app", "spaces"),
            ("rtmp://example.com/app\n", "spaces"),
            ("rtmp://example.com/a\u{7f}pp", "characters"),
            ("rtmp://exämple.com/app", "characters"),
            ("rtmp://user:secret@example.com/app", "user_in_url"),
            ("rtmp://example.com:0/app", "port"),
            ("rtmp://example.com:65536/app", "port"),
            ("rtmp://example.com:+80/app", "port"),
            ("rtmp://example.com:/app", "port"),
            ("rtmp://[::1/app", "host"),
            ("rtmp://[::g]/app", "host"),
            ("rtmp://2001:db8::1/app", "host"),
            ("rtmp://[::1]x/app", "host"),
            ("rtmp://-a.example/app", "host"),
            ("rtmp://a..example/app", "host"),
            ("rtmp://127.1/app", "host"),
            ("rtmp://0x7f000001/app", "host"),
            ("rtmp://2130706433/app", "host"),
            ("rtmp://1.2.3.4.5/app", "host"),
            ("rtmp://example.com/app#x", "characters"),
            ("rtmp://example.com\\@evil/app", "characters"),
            ("rtmp://${HOST/app", "variable"),
            ("rtmp://${UNKNOWN}/app", "variable"),
        ] {
            match check(bad) {
                Err(Refused::Wrong((found, _))) => assert_eq!(found, code, "{bad}"),
                other => panic!("{bad}: {other:?}"),
            }
        }
    }

    #[test]
    fn a_key_in_the_address_is_found() {
        let is_key = |text: &str, id: &str, key: &str| {
            matches!(check_for(text, id, false, key), Err(Refused::Wrong(("key_in_url", _))))
        };
        assert!(is_key("rtmp://example.com/app/my-secret-key", "custom", "my-secret-key"));
        assert!(is_key("rtmp://example.com/app?key=my-secret-key", "custom", "my-secret-key"));
        assert!(is_key("rtmps://a.rtmps.youtube.com/live2/anything", "youtube", ""));
        assert!(is_key("rtmp://x.example/live2/abcd-1234-efgh-5678-ijkl", "custom", ""));
        assert!(is_key("rtmp://x.example/app/live_123456789_AbCdEf", "custom", ""));
        assert!(is_key("rtmps://x.example/app/sk_us-west-2_AbCdEfGhIjKl", "custom", ""));
        assert!(is_key("rtmps://x.example/rtmp/FB-123456789-0-AbCd", "custom", ""));
        assert!(!is_key("rtmp://example.com/live", "custom", "live"));
        assert!(!is_key("rtmps://a.rtmps.youtube.com/live2/", "youtube", ""));
        assert!(!is_key("rtmp://x.example/one/two/three", "custom", ""));
    }

    #[test]
    fn the_own_network_is_asked_for_and_some_places_are_never_allowed() {
        let refused = |text: &str, allow| matches!(check_for(text, "custom", allow, ""), Err(Refused::NotAllowed(_)));
        for local in [
            "127.0.0.1",
            "10.0.0.1",
            "192.168.1.1",
            "[::1]",
            "[fd12::1]",
            "[::ffff:10.0.0.1]",
            "localhost",
            "LOCALHOST.",
        ] {
            let address = format!("rtmp://{local}:1936/app");
            assert!(refused(&address, false), "{local}");
            assert!(!refused(&address, true), "{local}");
        }
        for never in ["0.0.0.0", "169.254.169.254", "224.0.0.1", "[::]", "[ff02::1]", "[::ffff:169.254.169.254]"] {
            assert!(refused(&format!("rtmp://{never}/app"), true), "{never}");
        }
        for own in ["127.0.0.1", "127.0.0.1:1935", "[::1]:1935", "localhost", "192.168.1.9"] {
            assert!(refused(&format!("rtmp://{own}/live"), true), "{own}");
        }
        assert!(!refused("rtmps://127.0.0.1/live", true), "without a port this is 443, another program");
        assert!(refused("rtmps://127.0.0.1:1935/live", true));
        assert!(!refused("rtmp://192.168.1.8/live", true));
    }

    #[test]
    fn kick_gets_its_application() {
        let kick = |text: &str| check_for(text, "kick", false, "").unwrap();
        assert_eq!(
            kick("rtmps://x.global-contribute.live-video.net"),
            "rtmps://x.global-contribute.live-video.net/app"
        );
        assert_eq!(kick("rtmps://x.live-video.net:443/"), "rtmps://x.live-video.net:443/app");
        assert_eq!(kick("rtmps://x.live-video.net/app"), "rtmps://x.live-video.net/app");
    }

    #[test]
    fn keys_are_checked_and_never_repeated() {
        let known = ["KEY".to_owned()].into();
        let code = |text: &str| key(&text.into(), &known).map_err(|(code, _)| code);
        for good in ["x", "abcd-1234?a=b&c=d", "${KEY}", "FB-1-0-Ab?s_bl=1&a=%2F", "a${KEY}b"] {
            assert_eq!(code(good), Ok(()), "{good}");
        }
        for (bad, wanted) in [
            ("", "required"),
            (" x", "spaces"),
            ("a b", "characters"),
            ("schlüssel", "characters"),
            ("RTMP://host/app/key", "url_in_key"),
            ("${OTHER}", "variable"),
            ("${KEY", "variable"),
        ] {
            assert_eq!(code(bad), Err(wanted), "{bad}");
        }
        let (_, message) = key(&"${CANARY-SECRET}".into(), &known).unwrap_err();
        assert!(!message.contains("CANARY"));
    }

    proptest! {
        #[test]
        fn nothing_panics(text in "\\PC{0,60}", tail in "(rtmps?://)?[\\[\\]:@/$\\{\\}.a0-]{0,30}") {
            let _ = check(&text);
            let _ = check(&tail);
            let _ = key(&text.as_str().into(), &BTreeSet::new());
        }
    }
}
