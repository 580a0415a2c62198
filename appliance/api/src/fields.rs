//! Reading a JSON object field by field, so that one answer names everything that is wrong with it.

use std::ops::RangeInclusive;

use secrecy::SecretString;
use serde_json::{Map, Value};

use crate::problem::{Code, FieldError, Problem};

/// Longest part of an unknown field's name that is repeated.
const NAME_SHOWN: usize = 40;

/// The fields of one object. What is taken is checked; what is left at the [`finish`](Self::finish) is unknown.
pub(crate) struct Fields {
    map: Map<String, Value>,
    prefix: String,
    errors: Vec<FieldError>,
    /// The first of these decides the problem's code; plain errors are `invalid`.
    code: Option<Code>,
    /// In a change, the only fields that may be `null`; elsewhere `null` counts as missing.
    nullable: Option<&'static [&'static str]>,
}

impl Fields {
    /// The fields of a body, which has to be an object.
    pub(crate) fn of(body: Value) -> Result<Self, Problem> {
        match body {
            Value::Object(map) => {
                Ok(Self { map, prefix: String::new(), errors: Vec::new(), code: None, nullable: None })
            }
            _ => {
                Err(Problem::new(Code::Invalid).detail("The body has to be a JSON object.").errors(vec![FieldError {
                    field: String::new(),
                    code: "wrong_type",
                    message: "The body has to be a JSON object: `{…}`.".into(),
                }]))
            }
        }
    }

    /// The fields of an object as a merge patch makes it (RFC 7396). A `null` removes what can be missing, which is named
    /// by `nullable`; anywhere else it would set a default that nobody asked for, and is a value of the wrong type.
    pub(crate) fn patched(mut now: Value, patch: Value, nullable: &'static [&'static str]) -> Result<Self, Problem> {
        let sent = patch.clone();
        merge(&mut now, patch);
        put_nulls(&mut now, sent);
        Ok(Self { nullable: Some(nullable), ..Self::of(now)? })
    }

    /// Whether the field is there; `null` is not, but where it is a value of the wrong type.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.map.get(name).is_some_and(|value| !self.is_missing(name, value))
    }

    /// Whether a change says that the field is to be removed.
    pub(crate) fn is_removed(&self, name: &str) -> bool {
        self.nullable.is_some() && self.map.get(name).is_some_and(|value| self.is_missing(name, value))
    }

    /// Takes a field as it is, unless it counts as missing.
    fn take(&mut self, name: &str) -> Option<Value> {
        let value = self.map.remove(name)?;
        (!self.is_missing(name, &value)).then_some(value)
    }

    fn is_missing(&self, name: &str, value: &Value) -> bool {
        value.is_null() && self.nullable.is_none_or(|nullable| nullable.contains(&name))
    }

    /// Notes an error.
    pub(crate) fn error(&mut self, name: &str, code: &'static str, message: impl Into<String>) {
        self.errors.push(FieldError { field: format!("{}{name}", self.prefix), code, message: message.into() });
    }

    /// Notes an error that gives the whole problem its code.
    pub(crate) fn error_with(&mut self, problem: Code, name: &str, message: impl Into<String>) {
        self.code.get_or_insert(problem);
        self.error(name, problem.as_str(), message);
    }

    /// A text, whatever it holds.
    pub(crate) fn string(&mut self, name: &str) -> Option<String> {
        match self.take(name)? {
            Value::String(text) => Some(text),
            other => {
                self.wrong_type(name, "a text", &other);
                None
            }
        }
    }

    /// A text on one line of so many characters, without control characters or white space at its ends.
    pub(crate) fn line(&mut self, name: &str, length: RangeInclusive<usize>) -> Option<String> {
        let text = self.string(name)?;
        let count = text.chars().count();
        if text.chars().any(|letter| letter.is_control() || turns_text(letter)) {
            self.error(name, "characters", "Leave out line breaks and control characters.");
        } else if text.trim() != text {
            self.error(name, "spaces", "Remove the spaces at the start and the end.");
        } else if count < *length.start() {
            self.error(name, "too_short", format!("Give at least {} characters.", length.start()));
        } else if count > *length.end() {
            self.error(name, "too_long", format!("Give at most {} characters.", length.end()));
        } else {
            return Some(text);
        }
        None
    }

    /// A secret, whatever it holds.
    pub(crate) fn secret(&mut self, name: &str) -> Option<SecretString> {
        self.string(name).map(SecretString::from)
    }

    /// Yes or no.
    pub(crate) fn flag(&mut self, name: &str) -> Option<bool> {
        match self.take(name)? {
            Value::Bool(flag) => Some(flag),
            other => {
                self.wrong_type(name, "`true` or `false`", &other);
                None
            }
        }
    }

    /// A whole number in a range.
    pub(crate) fn number(&mut self, name: &str, range: RangeInclusive<u64>) -> Option<u64> {
        let value = self.take(name)?;
        let Some(number) = value.as_u64() else {
            if value.is_number() {
                self.out_of_range(name, &range);
            } else {
                self.wrong_type(name, "a whole number", &value);
            }
            return None;
        };
        if range.contains(&number) {
            return Some(number);
        }
        self.out_of_range(name, &range);
        None
    }

    /// One of several words.
    pub(crate) fn word<T: Copy>(&mut self, name: &str, words: &[(&str, T)]) -> Option<T> {
        let text = self.string(name)?;
        let found = words.iter().find(|(word, _)| *word == text).map(|&(_, value)| value);
        if found.is_none() {
            let words: Vec<_> = words.iter().map(|(word, _)| format!("`{word}`")).collect();
            self.error(name, "unknown_value", format!("Use one of {}.", words.join(", ")));
        }
        found
    }

    /// A list of short texts.
    pub(crate) fn lines(&mut self, name: &str, most: usize) -> Option<Vec<String>> {
        let list = match self.take(name)? {
            Value::Array(list) => list,
            other => {
                self.wrong_type(name, "a list", &other);
                return None;
            }
        };
        let texts: Option<Vec<_>> = list.iter().map(|value| value.as_str().map(str::to_owned)).collect();
        let texts = texts.filter(|texts| texts.len() <= most);
        if texts.is_none() {
            self.error(name, "wrong_type", format!("This has to be a list of at most {most} texts."));
        }
        texts
    }

    /// A list of words, each at most once.
    pub(crate) fn words<T: Copy + PartialEq>(&mut self, name: &str, words: &[(&str, T)]) -> Option<Vec<T>> {
        let list = match self.take(name)? {
            Value::Array(list) => list,
            other => {
                self.wrong_type(name, "a list", &other);
                return None;
            }
        };
        let mut found = Vec::new();
        for value in list {
            match words.iter().find(|(word, _)| value.as_str() == Some(word)) {
                Some(&(_, word)) if !found.contains(&word) => found.push(word),
                Some(_) => {}
                None => {
                    let words: Vec<_> = words.iter().map(|(word, _)| format!("`{word}`")).collect();
                    self.error(name, "unknown_value", format!("Each has to be one of {}.", words.join(", ")));
                    return None;
                }
            }
        }
        Some(found)
    }

    /// Reads the fields of an object inside.
    pub(crate) fn inside<T>(&mut self, name: &str, read: impl FnOnce(&mut Fields) -> T) -> Option<T> {
        let map = match self.take(name)? {
            Value::Object(map) => map,
            other => {
                self.wrong_type(name, "an object", &other);
                return None;
            }
        };
        // In a change, nothing that stands deeper can be removed.
        let nullable = self.nullable.map(|_| &[][..]);
        let prefix = format!("{}{name}.", self.prefix);
        let mut fields = Self { map, prefix, errors: Vec::new(), code: None, nullable };
        let value = read(&mut fields);
        fields.note_unknown();
        self.errors.append(&mut fields.errors);
        Some(value)
    }

    /// Notes a missing field. Takes what was read, so that a field that was there and wrong is not also missing.
    pub(crate) fn need<T>(&mut self, name: &str, was_there: bool, value: Option<T>) -> Option<T> {
        if value.is_none() && !was_there {
            self.error(name, "required", "This field is needed.");
        }
        value
    }

    /// Lets a field pass that the server sets: only with the value that it has.
    pub(crate) fn read_only(&mut self, name: &str, now: &Value) {
        if self.map.remove(name).is_some_and(|value| value != *now) {
            self.error(name, "read_only", "This field is set by the box. Leave it out.");
        }
    }

    /// Lets a field pass whatever it holds.
    pub(crate) fn ignore(&mut self, name: &str) {
        self.map.remove(name);
    }

    /// Everything was taken: says what was wrong.
    pub(crate) fn finish(mut self) -> Result<(), Problem> {
        self.note_unknown();
        if self.errors.is_empty() {
            return Ok(());
        }
        let code = self.code.unwrap_or(Code::Invalid);
        Err(Problem::new(code).errors(self.errors))
    }

    fn note_unknown(&mut self) {
        for name in std::mem::take(&mut self.map).into_iter().map(|(name, _)| name) {
            let shown: String = name.chars().filter(|letter| !letter.is_control()).take(NAME_SHOWN).collect();
            self.error(&shown, "unknown_field", "There is no such field here. Check its spelling, or leave it out.");
        }
    }

    fn wrong_type(&mut self, name: &str, wanted: &str, found: &Value) {
        let found = match found {
            Value::Null => "null",
            Value::Bool(_) => "true or false",
            Value::Number(_) => "a number",
            Value::String(_) => "a text",
            Value::Array(_) => "a list",
            Value::Object(_) => "an object",
        };
        self.error(name, "wrong_type", format!("This has to be {wanted}, not {found}."));
    }

    fn out_of_range(&mut self, name: &str, range: &RangeInclusive<u64>) {
        let message = format!("Give a whole number from {} to {}.", range.start(), range.end());
        self.error(name, "out_of_range", message);
    }
}

/// Whether a letter turns the direction of those around it, so that a name could look like another text.
const fn turns_text(letter: char) -> bool {
    matches!(letter, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Applies a JSON merge patch (RFC 7396, section 2).
pub(crate) fn merge(target: &mut Value, patch: Value) {
    let Value::Object(patch) = patch else {
        *target = patch;
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Some(target) = target.as_object_mut() else { return };
    for (name, value) in patch {
        if value.is_null() {
            target.remove(&name);
        } else {
            merge(target.entry(name).or_insert(Value::Null), value);
        }
    }
}

/// Puts each `null` of a merge patch that was applied back to where it removed something, or found nothing.
fn put_nulls(target: &mut Value, patch: Value) {
    let (Value::Object(target), Value::Object(patch)) = (target, patch) else { return };
    for (name, value) in patch {
        match target.get_mut(&name) {
            Some(inside) => put_nulls(inside, value),
            None => _ = target.insert(name, value),
        }
    }
}

/// The merge patch that leads from one value to another, `None` if they are the same. `null` inside an object means that
/// the field goes away, so a field that becomes `null` is removed on the reader's side: what reads missing as `null`
/// sees no difference.
pub(crate) fn diff(from: &Value, to: &Value) -> Option<Value> {
    if from == to {
        return None;
    }
    let (Value::Object(from), Value::Object(to)) = (from, to) else { return Some(to.clone()) };
    let mut patch = Map::new();
    for (name, new) in to {
        let old = from.get(name);
        match old {
            Some(old) => {
                if let Some(change) = diff(old, new) {
                    patch.insert(name.clone(), change);
                }
            }
            None => {
                patch.insert(name.clone(), new.clone());
            }
        }
    }
    for name in from.keys().filter(|name| !to.contains_key(*name)) {
        patch.insert(name.clone(), Value::Null);
    }
    Some(Value::Object(patch))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn the_examples_of_rfc_7396() {
        for (mut target, patch, result) in [
            (json!({"a":"b"}), json!({"a":"c"}), json!({"a":"c"})),
            (json!({"a":"b"}), json!({"b":"c"}), json!({"a":"b","b":"c"})),
            (json!({"a":"b"}), json!({"a":null}), json!({})),
            (json!({"a":"b","b":"c"}), json!({"a":null}), json!({"b":"c"})),
            (json!({"a":["b"]}), json!({"a":"c"}), json!({"a":"c"})),
            (json!({"a":"c"}), json!({"a":["b"]}), json!({"a":["b"]})),
            (json!({"a":{"b":"c"}}), json!({"a":{"b":"d","c":null}}), json!({"a":{"b":"d"}})),
            (json!({"a":[{"b":"c"}]}), json!({"a":[1]}), json!({"a":[1]})),
            (json!(["a", "b"]), json!(["c", "d"]), json!(["c", "d"])),
            (json!({"a":"b"}), json!(["c"]), json!(["c"])),
            (json!({"a":"foo"}), json!(null), json!(null)),
            (json!({"a":"foo"}), json!("bar"), json!("bar")),
            (json!({"e":null}), json!({"a":1}), json!({"e":null,"a":1})),
            (json!([1, 2]), json!({"a":"b","c":null}), json!({"a":"b"})),
            (json!({}), json!({"a":{"bb":{"ccc":null}}}), json!({"a":{"bb":{}}})),
        ] {
            merge(&mut target, patch);
            assert_eq!(target, result);
        }
    }

    /// A value without `null` in objects, as merge patches can carry it.
    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<bool>().prop_map(Value::from),
            any::<u8>().prop_map(Value::from),
            "[a-c]{0,2}".prop_map(Value::from)
        ];
        leaf.prop_recursive(4, 24, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
                prop::collection::btree_map("[a-d]", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn a_diff_applied_gives_the_new_value(from in value(), to in value()) {
            let mut patched = from.clone();
            match diff(&from, &to) {
                Some(patch) => merge(&mut patched, patch),
                None => prop_assert_eq!(&from, &to),
            }
            prop_assert_eq!(patched, to);
        }
    }

    #[test]
    fn null_in_a_change_removes_what_can_be_missing_and_is_wrong_elsewhere() {
        let now = json!({"name": "Club", "flag": false, "url": "rtmp://a/b", "limits": {"sessions": 4, "rate": 5}});
        let patch = json!({"flag": null, "url": null, "limits": {"sessions": null}, "id": null, "odd": null});
        let mut fields = Fields::patched(now, patch, &["url"]).unwrap();
        assert!(fields.has("flag") && fields.is_removed("url") && !fields.is_removed("flag"));
        fields.read_only("id", &json!("x"));
        assert_eq!(
            (fields.line("name", 1..=80).unwrap(), fields.flag("flag"), fields.string("url")),
            ("Club".into(), None, None)
        );
        fields.inside("limits", |limits| {
            assert_eq!((limits.number("rate", 1..=9), limits.number("sessions", 1..=9)), (Some(5), None));
        });
        let problem = serde_json::to_value(fields.finish().unwrap_err()).unwrap();
        let errors = problem["errors"].as_array().unwrap().iter();
        let errors: Vec<_> =
            errors.map(|error| (error["field"].as_str().unwrap(), error["code"].as_str().unwrap())).collect();
        assert_eq!(
            errors,
            [("id", "read_only"), ("flag", "wrong_type"), ("limits.sessions", "wrong_type"), ("odd", "unknown_field")]
        );
        assert_eq!(problem["errors"][1]["message"], "This has to be `true` or `false`, not null.");
        assert!(Fields::patched(json!({}), Value::Null, &[]).is_err(), "a body that is no object");
    }

    #[test]
    fn every_error_is_named_at_once() {
        let mut fields = Fields::of(json!({
            "name": " x ", "count": 70, "flag": "yes", "what": null, "limits": {"sessions": -1, "odd": 1}, "more": 1
        }))
        .unwrap();
        assert_eq!(fields.line("name", 1..=80), None);
        assert_eq!(fields.number("count", 1..=64), None);
        assert_eq!(fields.flag("flag"), None);
        let there = fields.has("what");
        let what = fields.string("what");
        fields.need("what", there, what);
        fields.inside("limits", |limits| limits.number("sessions", 1..=16));
        let problem = serde_json::to_value(fields.finish().unwrap_err()).unwrap();
        let errors: Vec<_> = problem["errors"]
            .as_array()
            .unwrap()
            .iter()
            .map(|error| (error["field"].as_str().unwrap(), error["code"].as_str().unwrap()))
            .collect();
        assert_eq!(
            errors,
            [
                ("name", "spaces"),
                ("count", "out_of_range"),
                ("flag", "wrong_type"),
                ("what", "required"),
                ("limits.sessions", "out_of_range"),
                ("limits.odd", "unknown_field"),
                ("more", "unknown_field"),
            ]
        );
        assert_eq!(problem["code"], "invalid");
    }
}
