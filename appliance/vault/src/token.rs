//! Random ids, keys and tokens, their hashes and their hints.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::Error;

/// Letters and digits that are not taken for one another: without `0 O o` and `1 I l`.
const READABLE: &[u8] = b"23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnpqrstuvwxyz";
/// The same, for what is typed by hand: capitals alone.
const TYPEABLE: &[u8] = b"23456789ABCDEFGHJKLMNPQRSTUVWXYZ";
const BASE62: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const LOWER: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyz";

/// Characters of base 62 that hold 256 bits.
const BITS_256: usize = 43;
/// Prefix of an API token, by which people and secret scanners know it.
const TOKEN_PREFIX: &str = "bbx_";

/// A stream key: 24 characters of `[A-Za-z0-9]` (139 bits), none of them easily mistaken for another.
pub fn stream_key() -> Result<SecretString, Error> {
    random_text(READABLE, 24).map(|text| text.as_str().into())
}

/// An API token: `bbx_` and 256 bits in base 62.
pub fn api_token() -> Result<SecretString, Error> {
    let text = random_text(BASE62, BITS_256)?;
    Ok(Zeroizing::new(format!("{TOKEN_PREFIX}{}", text.as_str())).as_str().into())
}

/// The secret of a sign-in: 256 bits in base 62.
pub fn session_id() -> Result<SecretString, Error> {
    random_text(BASE62, BITS_256).map(|text| text.as_str().into())
}

/// The secret of a watch link: 130 bits in base 62, short enough for a QR code.
pub fn watch_secret() -> Result<SecretString, Error> {
    random_text(BASE62, 22).map(|text| text.as_str().into())
}

/// A code to be typed by hand once: `XXXX-XXXX-XXXX`, 60 bits.
pub fn setup_code() -> Result<SecretString, Error> {
    let text = random_text(TYPEABLE, 12)?;
    let mut code = Zeroizing::new(String::with_capacity(14));
    for (at, letter) in text.chars().enumerate() {
        if at > 0 && at % 4 == 0 {
            code.push('-');
        }
        code.push(letter);
    }
    Ok(code.as_str().into())
}

/// An id, which is no secret: 16 of `[0-9a-z]` (82 bits), safe in URLs and file names.
pub fn id() -> Result<String, Error> {
    random_text(LOWER, 16).map(|text| text.to_string())
}

/// What may be shown of a key: `…` and its last four characters; of one shorter than eight, nothing but the `…`.
#[must_use]
pub fn key_hint(key: &SecretString) -> String {
    let key = key.expose_secret();
    match key.char_indices().rev().nth(3) {
        _ if key.is_empty() => String::new(),
        Some((at, _)) if key.chars().count() >= 8 => format!("…{}", key.get(at..).unwrap_or_default()),
        _ => "…".to_owned(),
    }
}

/// Whether two secrets are the same, in a time that says nothing of where they differ.
#[must_use]
pub fn same(one: &SecretString, other: &SecretString) -> bool {
    // Compared as hashes, so that the lengths do not show either.
    TokenHash::of(one) == TokenHash::of(other)
}

/// SHA-256 of a token or sign-in id: what is stored of it. Compares in constant time.
///
/// Only for secrets of full entropy. Passwords go to [`password`](crate::password).
#[derive(Clone, Copy)]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    /// The hash of a secret.
    #[must_use]
    pub fn of(secret: &SecretString) -> Self {
        Self(Sha256::digest(secret.expose_secret().as_bytes()).into())
    }

    /// A hash that was stored.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// For storing.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl PartialEq for TokenHash {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for TokenHash {}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash(…)")
    }
}

/// `len` letters, each with the same chance: bytes beyond the last whole multiple of the alphabet are thrown away.
fn random_text(alphabet: &'static [u8], len: usize) -> Result<Zeroizing<String>, Error> {
    let mask = alphabet.len().next_power_of_two() - 1;
    let mut text = Zeroizing::new(String::with_capacity(len));
    let mut bytes = Zeroizing::new([0; 64]);
    while text.len() < len {
        getrandom::fill(&mut *bytes)?;
        let letters = bytes.iter().filter_map(|&byte| alphabet.get(usize::from(byte) & mask));
        let missing = len - text.len();
        text.extend(letters.take(missing).map(|&letter| char::from(letter)));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    #[test]
    fn each_has_its_form() {
        let is = |text: &str, alphabet: &[u8]| text.bytes().all(|byte| alphabet.contains(&byte));
        for _ in 0..200 {
            let key = stream_key().unwrap();
            assert!(key.expose_secret().len() == 24 && is(key.expose_secret(), READABLE));
            let token = api_token().unwrap();
            let rest = token.expose_secret().strip_prefix("bbx_").unwrap();
            assert!(rest.len() == 43 && is(rest, BASE62));
            let session = session_id().unwrap();
            assert!(session.expose_secret().len() == 43 && is(session.expose_secret(), BASE62));
            let watch = watch_secret().unwrap();
            assert!(watch.expose_secret().len() == 22 && is(watch.expose_secret(), BASE62));
            let id = id().unwrap();
            assert!(id.len() == 16 && is(&id, LOWER));
            let code = setup_code().unwrap();
            let groups: Vec<_> = code.expose_secret().split('-').collect();
            assert!(groups.len() == 3 && groups.iter().all(|group| group.len() == 4 && is(group, TYPEABLE)));
        }
        assert!("0OoIl1".bytes().all(|byte| !READABLE.contains(&byte)));
    }

    #[test]
    fn nothing_comes_twice_and_every_letter_comes_as_often() {
        let mut seen = BTreeSet::new();
        let mut letters = BTreeMap::<u8, usize>::new();
        for _ in 0..4000 {
            let key = stream_key().unwrap();
            key.expose_secret().bytes().for_each(|letter| *letters.entry(letter).or_default() += 1);
            assert!(seen.insert(key.expose_secret().to_owned()));
        }
        assert_eq!(letters.len(), READABLE.len());
        // 96,000 letters, 1,714 of each on average with a deviation of 41; a modulo bias would be 14 % or more.
        for (letter, count) in letters {
            assert!((1714 - 250..1714 + 250).contains(&count), "{}: {count}", char::from(letter));
        }
    }

    #[test]
    fn hints_show_the_end_and_never_the_whole() {
        let hint = |key: &str| key_hint(&key.into());
        assert_eq!(hint("abcdefgh7Q2x"), "…7Q2x");
        assert_eq!(hint("12345678"), "…5678");
        assert_eq!(hint("1234567"), "…");
        assert_eq!(hint("x"), "…");
        assert_eq!(hint(""), "");
        assert_eq!(hint("schlüsselüüüü"), "…üüüü");
    }

    #[test]
    fn hashes_are_sha_256_compare_and_stay_hidden() {
        let hash = TokenHash::of(&"abc".into());
        assert_eq!(hash.as_bytes()[..4], [0xba, 0x78, 0x16, 0xbf], "FIPS 180-4, example of one block");
        assert_eq!(hash, TokenHash::from_bytes(*hash.as_bytes()));
        assert_ne!(hash, TokenHash::of(&"abd".into()));
        assert!(same(&"abc".into(), &"abc".into()) && !same(&"abc".into(), &"abcd".into()));
        assert_eq!(format!("{hash:?}"), "TokenHash(…)");
    }
}
