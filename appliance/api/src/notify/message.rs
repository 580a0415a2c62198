//! What is sent: a few events in the words of a language, as the services want it. It is made of a list of allowed values,
//! so that nothing else can be in it: no address of anybody, no key, no name that a stranger chose.

use std::collections::BTreeMap;

use brookbox_store::{NewEvent, Severity, TellBy};
use serde_json::{Map, Value, json};

use crate::notify::address::Address;
use crate::notify::kinds;

/// Values of an event that may be sent.
const ALLOWED: [&str; 8] = ["name", "reason", "count", "alarm", "username", "role", "by", "unclean"];
/// Most lines of a message; the others are counted.
const LINES: usize = 10;
/// Longest text, in characters: the least of what the usual services take.
const TEXT: usize = 1_900;

/// Reasons that are limits, each of its own kind.
const LIMITS: [&str; 2] = ["bitrate", "sessions"];

/// Something that happened, with its number.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) id: i64,
    pub(crate) event: NewEvent,
}

/// Words of one language, read when something is to be said.
pub(crate) struct Words(BTreeMap<String, String>);

impl Words {
    /// The words of a language; English if it is not known.
    pub(crate) fn of(language: &str) -> Self {
        let text = match language {
            "de" => include_str!("words/de.json"),
            "es" => include_str!("words/es.json"),
            "fr" => include_str!("words/fr.json"),
            "ja" => include_str!("words/ja.json"),
            _ => include_str!("words/en.json"),
        };
        // A test reads them all.
        Self(serde_json::from_str(text).unwrap_or_default())
    }

    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    /// An event as one sentence; that of the log if this language has no words for it, which a test rules out.
    fn sentence(&self, event: &NewEvent) -> String {
        let value = |name: &str| match event.params.get(name) {
            Some(Value::String(text)) => Some(text.clone()),
            Some(Value::Number(number)) => Some(number.to_string()),
            _ => None,
        };
        let word = |name: &str| self.get(name).unwrap_or_default().to_owned();
        let is_unclean = event.params.get("unclean") == Some(&Value::Bool(true));
        let code = if event.code == "box_started" && is_unclean { "box_restarted" } else { event.code.as_str() };
        let Some(template) = self.get(&format!("event.{code}")) else { return String::new() };
        let reason = value("reason").unwrap_or_default();
        let name = || value("name").unwrap_or_else(|| word("word.place"));
        let text = fill(template, |place| match place {
            "name" => name(),
            "why" => fill(self.get(&format!("reason.{reason}")).unwrap_or_default(), |_| name()),
            "refusal" => {
                word(&format!("refusal.{}", if LIMITS.contains(&reason.as_str()) { "limit" } else { &reason }))
            }
            "role" => word(&format!("role.{}", value("role").unwrap_or_default())),
            "count" => value("count").unwrap_or_else(|| "1".to_owned()),
            other => value(other).unwrap_or_else(|| word("word.somebody")),
        });
        text.trim().to_owned()
    }
}

/// Puts values in the `{places}` of a text, once: what people call things is not read as a place.
fn fill(template: &str, value: impl Fn(&str) -> String) -> String {
    let mut text = String::new();
    let mut rest = template;
    while let Some((before, (place, after))) =
        rest.split_once('{').and_then(|(before, rest)| Some((before, rest.split_once('}')?)))
    {
        text.push_str(before);
        text.push_str(&value(place));
        rest = after;
    }
    text.push_str(rest);
    text
}

/// Where a message goes on its server, and its JSON.
pub(crate) struct Message {
    pub(crate) target: String,
    pub(crate) body: Vec<u8>,
}

/// Some events. `left_out` more had no room.
pub(crate) fn of_events(
    service: TellBy,
    address: &Address,
    language: &str,
    box_name: &str,
    events: &[Told],
    left_out: u32,
) -> Message {
    let words = Words::of(language);
    let mut lines: Vec<_> = events.iter().take(LINES).map(|told| words.sentence(&told.event)).collect();
    let more = u32::try_from(events.len().saturating_sub(LINES)).unwrap_or_default().saturating_add(left_out);
    if more > 0 {
        lines.push(words.get("more").unwrap_or_default().replace("{count}", &more.to_string()));
    }
    let worst = events.iter().map(|told| told.event.severity).max().unwrap_or(Severity::Info);
    let details: Vec<_> = events.iter().map(|told| details(told, &words)).collect();
    build(service, address, box_name, &lines.join("\n"), worst, &details, false)
}

/// The test.
pub(crate) fn of_test(service: TellBy, address: &Address, language: &str, box_name: &str) -> Message {
    let words = Words::of(language);
    build(service, address, box_name, words.get("test").unwrap_or_default(), Severity::Info, &[], true)
}

fn build(
    service: TellBy,
    address: &Address,
    box_name: &str,
    text: &str,
    severity: Severity,
    events: &[Value],
    test: bool,
) -> Message {
    let text: String = text.chars().take(TEXT).collect();
    let (target, body) = match (service, address.topic()) {
        // ntfy takes JSON at its root, which spares headers their trouble with letters beyond ASCII.
        (TellBy::Ntfy, Some(topic)) => {
            let (priority, tags) = match severity {
                Severity::Info => (3, json!([])),
                Severity::Warning => (3, json!(["warning"])),
                Severity::Error => (4, json!(["rotating_light"])),
            };
            let body = json!({"topic": topic, "title": box_name, "message": text, "priority": priority, "tags": tags});
            ("/".to_owned(), body)
        }
        _ => {
            // `text` and `content` are where the chat services look.
            let line = format!("{box_name}: {text}");
            let body = json!({"box": box_name, "text": line, "content": line, "test": test, "events": events});
            (address.path.clone(), body)
        }
    };
    Message { target, body: body.to_string().into_bytes() }
}

fn details(told: &Told, words: &Words) -> Value {
    let event = &told.event;
    let params: Map<_, _> = event
        .params
        .iter()
        .filter(|(name, _)| ALLOWED.contains(&name.as_str()))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    json!({
        "id": told.id,
        "time": event.time,
        "code": event.code,
        "kind": kinds::kind_of(&event.code),
        "severity": event.severity,
        "input": event.input,
        "destination": event.destination,
        "params": params,
        "sentence": words.sentence(event),
    })
}

#[cfg(test)]
mod tests {
    use brookbox_store::Time;

    use super::*;

    const LANGUAGES: [&str; 5] = ["en", "de", "es", "fr", "ja"];

    fn event(code: &str, params: Value) -> NewEvent {
        NewEvent {
            time: Time::from_ms(0),
            code: code.into(),
            severity: Severity::Warning,
            input: None,
            destination: None,
            params: params.as_object().unwrap().clone(),
            sentence: "never sent".into(),
        }
    }

    #[test]
    fn every_language_has_words_for_everything_with_the_same_places() {
        let places = |text: &str| {
            let mut places: Vec<_> =
                text.split('{').skip(1).map(|part| part.split('}').next().unwrap().to_owned()).collect();
            places.sort();
            places
        };
        let english = Words::of("en").0;
        for language in LANGUAGES {
            let words = Words::of(language).0;
            assert!(words.keys().eq(english.keys()), "{language}");
            for (key, text) in &words {
                assert_eq!(places(text), places(&english[key]), "{language}: {key}");
                assert!(!text.trim().is_empty(), "{language}: {key}");
            }
            for code in kinds::KINDS.iter().flat_map(|(_, codes)| *codes) {
                let sentence =
                    Words::of(language).sentence(&event(code, json!({"reason": "timeout", "role": "owner"})));
                assert!(sentence.chars().count() > 5 && !sentence.contains('{'), "{language}: {code}: {sentence}");
            }
        }
    }

    #[test]
    fn sentences_say_what_is_known() {
        let say = |language: &str, code: &str, params: Value| Words::of(language).sentence(&event(code, params));
        let club = json!({"name": "Club", "reason": "bad_key"});
        assert_eq!(
            say("en", "destination_failed", club.clone()),
            "Club refused the stream key. Somebody has to look at it."
        );
        assert_eq!(
            say("de", "destination_failed", club),
            "Club hat den Streamschlüssel abgelehnt. Jemand muss danach sehen."
        );
        assert_eq!(say("en", "box_started", json!({})), "The box has started.");
        let unclean = json!({"unclean": true});
        assert_eq!(say("en", "box_started", unclean), "The box has started again. It was not shut down before.");
        let odd = json!({"name": "{by} {", "reason": "dns"});
        assert_eq!(
            say("en", "destination_failed", odd),
            "The address of {by} { was not found. Somebody has to look at it."
        );
    }

    #[test]
    fn what_is_not_on_the_list_is_not_sent() {
        let address = Address::parse("https://hooks.example.com/canary-path").unwrap();
        let secret = json!({
            "name": "Club", "reason": "bad_key", "address": "203.0.113.9", "peer": "203.0.113.9:1", "program": "canary-program",
            "key": "canary-key",
        });
        for service in [TellBy::Webhook, TellBy::Ntfy] {
            for code in kinds::KINDS.iter().flat_map(|(_, codes)| *codes) {
                let told = [Told { id: 7, event: event(code, secret.clone()) }];
                let message = of_events(service, &address, "en", "river-street", &told, 3);
                let text = String::from_utf8(message.body).unwrap();
                for canary in ["canary-key", "canary-program", "203.0.113", "never sent"] {
                    assert!(!text.contains(canary), "{code}: {text}");
                }
                assert!(text.contains("And 3 more."), "{text}");
            }
        }
    }

    #[test]
    fn each_service_gets_what_it_takes() {
        let told = [Told { id: 7, event: event("destination_failed", json!({"name": "Club", "reason": "dns"})) }];
        let topic = Address::parse("https://ntfy.sh/my-topic").unwrap();
        let ntfy = of_events(TellBy::Ntfy, &topic, "ja", "river-street", &told, 0);
        let body: Value = serde_json::from_slice(&ntfy.body).unwrap();
        assert_eq!((ntfy.target.as_str(), &body["topic"]), ("/", &json!("my-topic")));
        assert_eq!(body["message"], "Club のアドレスが見つかりません。 確認が必要です。");
        let hook = Address::parse("https://hooks.example.com/a/b?c=d").unwrap();
        let many = vec![told[0].clone(); 30];
        let webhook = of_events(TellBy::Webhook, &hook, "en", "river-street", &many, 0);
        let body: Value = serde_json::from_slice(&webhook.body).unwrap();
        assert_eq!(webhook.target, "/a/b?c=d");
        assert!(body["text"].as_str().unwrap().ends_with("\nAnd 20 more."), "{body}");
        assert_eq!((&body["events"][0]["id"], &body["events"][0]["kind"]), (&json!(7), &json!("destination_failed")));
        assert_eq!(body["text"], body["content"]);
    }
}
