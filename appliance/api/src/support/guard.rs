//! The last look at what goes into a support file. What goes in is chosen by name, so nothing is ever found here; were
//! there a mistake in the choice, no file is made.

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use brookbox_store::Store;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

/// A secret shorter than this is a part of ordinary words too.
const LEAST: usize = 8;
/// Letters and digits in a row that are longer and as mixed as this are a key.
const RANDOM: usize = 20;
const RANDOM_CHANGES: usize = 5;
/// Four letters or digits, four times: how some platforms write their keys.
const GROUP: usize = 4;

/// Knows every secret of the box, in the forms that secrets are written in.
pub(super) struct Guard {
    forms: Vec<SecretString>,
}

impl Guard {
    /// Of all that is stored.
    pub(super) fn new(store: &Store) -> Result<Self, brookbox_store::Error> {
        let mut secrets: Vec<SecretString> = store.inputs()?.into_iter().map(|input| input.key).collect();
        for told in store.notifications()? {
            secrets.push(told.url);
            secrets.extend(told.token);
        }
        let profiles = store.profiles()?.into_iter().flat_map(|profile| profile.destinations);
        for destination in profiles.chain(store.destinations()?) {
            secrets.push(destination.key);
            secrets.extend(destination.password);
        }
        for user in store.users()? {
            secrets.push(user.password_hash.as_str().into());
        }
        for kept in store.secret_values()? {
            match serde_json::from_str(kept.expose_secret()) {
                Ok(value @ (Value::Object(_) | Value::Array(_))) => texts(&value, &mut secrets),
                _ => secrets.push(kept),
            }
        }
        Ok(Self::of(&secrets))
    }

    fn of(secrets: &[SecretString]) -> Self {
        let long = secrets.iter().map(|secret| secret.expose_secret().trim()).filter(|secret| secret.len() >= LEAST);
        Self { forms: long.flat_map(forms).map(SecretString::from).collect() }
    }

    /// Whether a text holds a secret of the box, or something that looks like one.
    pub(super) fn finds(&self, text: &str) -> bool {
        looks_like_key(text) || self.forms.iter().any(|form| text.contains(form.expose_secret()))
    }
}

/// All texts in a value: OBS's own settings are kept as one.
fn texts(value: &Value, into: &mut Vec<SecretString>) {
    match value {
        Value::String(text) => match serde_json::from_str(text) {
            Ok(inner @ (Value::Object(_) | Value::Array(_))) => texts(&inner, into),
            _ => into.push(text.as_str().into()),
        },
        Value::Array(list) => list.iter().for_each(|value| texts(value, into)),
        Value::Object(map) => map.values().for_each(|value| texts(value, into)),
        _ => {}
    }
}

/// As it is, in percent-encoding, hexadecimal and Base64.
fn forms(secret: &str) -> Vec<String> {
    let bytes = secret.as_bytes();
    let percent = |byte: &u8, all: bool| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' if !all => char::from(*byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let encoded = |all| bytes.iter().map(|byte| percent(byte, all)).collect::<String>();
    let mut forms = vec![secret.to_owned(), encoded(false), encoded(true), encoded(true).to_lowercase()];
    forms.extend([hex.to_uppercase(), hex]);
    forms.push(serde_json::to_string(secret).unwrap_or_default().trim_matches('"').to_owned());
    // Within a longer text it may begin at each of three places; what hangs on its neighbours is left away.
    for (before, skip) in [(0, 0), (1, 2), (2, 3)] {
        let padded: Vec<u8> = std::iter::repeat_n(0, before).chain(bytes.iter().copied()).collect();
        for text in [BASE64_STANDARD.encode(&padded), BASE64_URL_SAFE_NO_PAD.encode(&padded)] {
            let whole = padded.len() / 3 * 4;
            forms.extend(text.get(skip..whole).map(str::to_owned));
        }
    }
    forms.sort();
    forms.dedup();
    forms.retain(|form| form.len() >= LEAST);
    forms
}

/// Whether something in a text looks like a key, whoever's it is.
pub(super) fn looks_like_key(text: &str) -> bool {
    let marks = ["bbx_", "$argon2", "-----BEGIN", "Bearer ", "://", "live_"];
    marks.iter().any(|mark| text.contains(mark))
        || text.split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '-' || letter == '_')).any(is_key)
}

fn is_key(word: &str) -> bool {
    let class = |letter: char| match letter {
        'a'..='z' => 0,
        'A'..='Z' => 1,
        '0'..='9' => 2,
        _ => 3,
    };
    let classes: Vec<_> = word.chars().map(class).collect();
    let changes = classes.windows(2).filter(|two| two.first() != two.last()).count();
    let mixed = classes.contains(&2) && (classes.contains(&0) || classes.contains(&1));
    let groups = word.split('-').filter(|group| group.len() == GROUP && !group.contains('_')).count();
    let is_time = word.starts_with("20") && word.contains('T') && word.len() <= "2026-11-21T13".len();
    !is_time && (word.len() >= RANDOM && mixed && changes >= RANDOM_CHANGES || groups >= GROUP)
}

#[cfg(test)]
mod tests {
    use brookbox_store::{Notification, TellBy, Time};

    use super::*;

    #[test]
    fn a_secret_is_found_in_every_form() {
        let guard = Guard::of(&["s3cret/Key+1 ä".into(), "short".into()]);
        let secret = "s3cret/Key+1 ä";
        let base64 = |before: &str| BASE64_STANDARD.encode(format!("{before}{secret} and more"));
        for text in [
            secret.to_owned(),
            "s3cret%2FKey%2B1%20%C3%A4".to_owned(),
            secret.bytes().map(|byte| format!("%{byte:02x}")).collect(),
            secret.bytes().map(|byte| format!("{byte:02X}")).collect(),
            base64(""),
            base64("a"),
            base64("ab"),
            base64("abc"),
        ] {
            assert!(guard.finds(&format!("before {text} after")), "{text}");
        }
        assert!(!guard.finds("short words are no secret"));
    }

    #[test]
    fn where_people_are_told_is_a_secret_too() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let (address, token) = ("ntfy.example/a-topic-nobody-guesses", "a plain token");
        let notification = Notification {
            id: "n".into(),
            name: "Phone".into(),
            service: TellBy::Ntfy,
            url: address.into(),
            token: Some(token.into()),
            kinds: Vec::new(),
            language: "en".into(),
            enabled: true,
            allow_local: false,
            created_at: Time::now(),
        };
        assert!(!Guard::new(&store).unwrap().finds(token));
        store.add_notification(&notification).unwrap();
        let guard = Guard::new(&store).unwrap();
        assert!(guard.finds(address) && guard.finds(token) && !guard.finds("Phone"));
    }

    #[test]
    fn what_looks_like_a_key_is_told_from_what_is_ordinary() {
        for key in [
            "bbx_0000",
            "key=live_123_abc",
            "abcd-efgh-1234-ijkl-mnop",
            "aB3dE6gH9jK2mN5pQ8sT",
            "FB-1234567890-0-Abc12dEf34",
            "rtmp://host/app",
            "$argon2id$v=19",
            "550e8400-e29b-41d4-a716-446655440000",
        ] {
            assert!(looks_like_key(key), "{key}");
        }
        for ordinary in [
            "2026-11-21T13:01:39.000Z",
            "destination_switched_off by person-a31f07",
            "brookbox_relay::destination::sender",
            "Raspberry Pi 5 Model B Rev 1.0",
            "\"bitrateBps\":5950000,\"keyframeIntervalMs\":2000",
            "1234567890123456789012345",
            "0.0.0.0:1935 [::]:8080",
            "byte 123456 of the peer's stream: chunk size 0x80000000, expected 1 to 0x7fffffff",
        ] {
            assert!(!looks_like_key(ordinary), "{ordinary}");
        }
    }
}
