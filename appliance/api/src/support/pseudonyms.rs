//! Names that say nothing: the same one for the same thing in every support file of this box, and in none of another's.

use std::collections::BTreeSet;
use std::net::IpAddr;

use brookbox_store::Store;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

/// Where what they are made from is kept.
const SECRET: &str = "support/pseudonyms";

/// Gives pseudonyms.
pub(super) struct Pseudonyms {
    salt: SecretString,
}

impl Pseudonyms {
    /// As this box has always given them; the first time it makes up what they hang on.
    pub(super) fn new(store: &Store) -> Result<Self, brookbox_store::Error> {
        if let Some(salt) = store.secret(SECRET)? {
            return Ok(Self { salt });
        }
        let salt = brookbox_vault::session_id()?;
        store.put_secret(SECRET, &salt)?;
        Ok(Self { salt })
    }

    /// For something of a kind: `destination-3f9a1c`.
    pub(super) fn of(&self, kind: &str, value: &str) -> String {
        let parts = [self.salt.expose_secret(), kind, value];
        let hash = parts.iter().fold(Sha256::new(), |hash, part| {
            // With its length, so that no two lists of parts are the same bytes.
            hash.chain_update((part.len() as u64).to_le_bytes()).chain_update(part.as_bytes())
        });
        let tail: String = hash.finalize().iter().take(3).map(|byte| format!("{byte:02x}")).collect();
        format!("{kind}-{tail}")
    }

    /// An address: as it is where every home has the same, and by a pseudonym elsewhere. IPv6 addresses of a home may
    /// hold a device's own number.
    pub(super) fn address(&self, address: IpAddr) -> String {
        let address = address.to_canonical();
        match address {
            IpAddr::V4(v4) if v4.is_private() || v4.is_loopback() || v4.is_link_local() || v4.is_unspecified() => {
                v4.to_string()
            }
            IpAddr::V6(v6) if v6.is_loopback() || v6.is_unspecified() => v6.to_string(),
            _ if crate::net::is_home(address) => self.of("home", &address.to_string()),
            _ => self.of("public", &address.to_string()),
        }
    }

    /// An address with a port, or without one; what is none is left out.
    pub(super) fn peer(&self, peer: &str) -> Option<String> {
        let address = peer.parse::<std::net::SocketAddr>().map(|peer| peer.ip()).or_else(|_| peer.parse::<IpAddr>());
        address.ok().map(|address| self.address(address))
    }
}

/// The family of a program that sends, from what it calls itself. Nothing of the text itself is told.
pub(super) fn program(name: &str) -> &'static str {
    const KNOWN: [(&str, &str); 9] = [
        ("obs-output", "OBS Studio"),
        ("lavf", "FFmpeg"),
        ("gstreamer", "GStreamer"),
        ("fmle", "an FMLE-compatible encoder"),
        ("streamlabs", "Streamlabs"),
        ("larix", "Larix"),
        ("vmix", "vMix"),
        ("xsplit", "XSplit"),
        ("wirecast", "Wirecast"),
    ];
    let name = name.to_lowercase();
    KNOWN.iter().find(|(part, _)| name.contains(part)).map_or("another program", |(_, family)| family)
}

/// A network interface's name; some hold the card's own number.
pub(super) fn interface(name: &str) -> &str {
    let known = ["lo", "eth", "enp", "ens", "eno", "end", "wlan", "wlp", "usb", "br", "docker", "veth", "wg", "tun"];
    let kind = known.iter().find(|kind| name.strip_prefix(**kind).is_some_and(|rest| rest.len() <= 6));
    if kind.is_some() { name } else { "interface" }
}

/// Short words that only a program writes: codes, never names.
pub(super) fn is_code(text: &str) -> bool {
    let letters: BTreeSet<_> = text.chars().filter(|letter| !matches!(letter, 'a'..='z' | '_')).collect();
    (1..=40).contains(&text.len()) && letters.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pseudonyms_are_stable_on_a_box_and_differ_between_two() {
        let of = |dir: &std::path::Path| {
            let store = Store::open(dir).unwrap();
            let names = Pseudonyms::new(&store).unwrap();
            ["Club", "Other"].map(|name| names.of("destination", name))
        };
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        assert_eq!(of(one.path()), of(one.path()));
        assert_ne!(of(one.path())[0], of(one.path())[1]);
        assert_ne!(of(one.path()), of(other.path()));
    }

    #[test]
    fn only_addresses_that_every_home_has_are_told() {
        let dir = tempfile::tempdir().unwrap();
        let names = Pseudonyms::new(&Store::open(dir.path()).unwrap()).unwrap();
        let of = |peer: &str| names.peer(peer).unwrap();
        assert_eq!(
            (of("192.168.1.24:5000"), of("127.0.0.1"), of("[::1]:9")),
            ("192.168.1.24".into(), "127.0.0.1".into(), "::1".into())
        );
        assert_eq!(of("[::ffff:10.0.0.9]:1"), "10.0.0.9");
        for (peer, kind) in [
            ("203.0.113.9:1", "public-"),
            ("[2001:db8::9]:1", "public-"),
            ("100.64.0.1", "public-"),
            ("[fe80::211:22ff:fe33:4455]:1", "home-"),
            ("fd12::211:22ff:fe33:4455", "home-"),
        ] {
            // Six digits by chance and nothing else: any part of an address that tells something has a separator in it.
            let pseudonym = of(peer);
            let digits = pseudonym.strip_prefix(kind).unwrap();
            assert!(digits.len() == 6 && digits.bytes().all(|digit| digit.is_ascii_hexdigit()), "{peer}: {pseudonym}");
        }
        assert_eq!(names.peer("river-street.local"), None);
    }

    #[test]
    fn texts_of_strangers_are_not_repeated() {
        assert_eq!(program("obs-output module (libobs version 32.0.1)"), "OBS Studio");
        assert_eq!(program("live_1_mykey"), "another program");
        assert_eq!(
            (interface("eth0"), interface("wlp3s0"), interface("enx001122334455")),
            ("eth0", "wlp3s0", "interface")
        );
        assert!(is_code("bad_key") && !is_code("Club") && !is_code("my key") && !is_code("") && !is_code("k3y"));
    }
}
