//! The hosts of `[http] allowed_hosts`: each a name or an address and nothing more, since that is what a request's is
//! compared with.

use std::net::{IpAddr, Ipv6Addr};

/// What is to be done about one that could never be met; `None`: it is right.
pub(crate) fn wrong(host: &str) -> Option<String> {
    if is_host(host) {
        return None;
    }
    let alone = alone(host);
    Some(if is_host(alone) {
        format!("write \"{alone}\": the name alone holds for every port, by HTTP and HTTPS")
    } else {
        "a name or address alone, as \"box.example.org\" or \"192.0.2.7\"; no *, and xn--… for letters beyond ASCII"
            .into()
    })
}

fn is_host(text: &str) -> bool {
    let inside = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    if let Some(inside) = inside {
        return inside.parse::<Ipv6Addr>().is_ok();
    }
    let name = text.strip_suffix('.').unwrap_or(text);
    text.parse::<IpAddr>().is_ok() || (name.len() <= 253 && name.split('.').all(is_label))
}

/// RFC 1035, section 2.3.4; with `_`, which networks at home have.
fn is_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        && !label.starts_with('-')
        && !label.ends_with('-')
}

/// The host of an address: what is left without scheme, port and path.
fn alone(text: &str) -> &str {
    let text = text.trim();
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_or_an_address_is_right() {
        for host in [
            "box.example.org",
            "box",
            "BOX_2.lan.",
            "192.0.2.7",
            "fd12::1",
            "[fd12::1]",
            "xn--bcher-kva.example",
            "1.x",
        ] {
            assert_eq!(wrong(host), None, "{host}");
        }
    }

    #[test]
    fn anything_more_is_told_with_what_would_be_right() {
        for (host, right) in [
            ("box.example.org:8443", "\"box.example.org\""),
            ("https://box.example.org", "\"box.example.org\""),
            ("http://box.example.org:80/live?x", "\"box.example.org\""),
            (" box.example.org", "\"box.example.org\""),
            ("[fd12::1]:8080", "\"[fd12::1]\""),
            ("192.0.2.7:80", "\"192.0.2.7\""),
            ("*.example.org", "no *"),
            ("bücher.example", "xn--"),
            ("", "alone"),
            ("a..b", "alone"),
            ("-a.example", "alone"),
            ("[box]", "alone"),
        ] {
            let hint = wrong(host).unwrap_or_default();
            assert!(hint.contains(right), "{host}: {hint}");
        }
        assert!(wrong(&"a".repeat(64)).is_some() && wrong(&"a.".repeat(150)).is_some());
    }
}
