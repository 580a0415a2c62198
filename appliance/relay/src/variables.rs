//! `${NAME}` in a destination's address or key, from the file named in the configuration.

use secrecy::{ExposeSecret, SecretString};

/// Names and their values. Values are secrets.
#[derive(Clone, Debug, Default)]
pub(crate) struct Variables(pub(crate) Vec<(String, SecretString)>);

/// A name that has no value, or a `${` without its end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum VariableError {
    #[error("the variable ${{{0}}} is not in the variables file")]
    Unknown(String),
    #[error("a `${{` without its `}}`")]
    Unclosed,
}

impl Variables {
    /// Puts values in; once, so that a value is never read as a name.
    pub(crate) fn expand(&self, text: &str) -> Result<SecretString, VariableError> {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            let (name, after) = after.split_once('}').ok_or(VariableError::Unclosed)?;
            let value = self.0.iter().find(|(n, _)| n == name).map(|(_, v)| v);
            let value = value.ok_or_else(|| VariableError::Unknown(name.chars().take(64).collect()))?;
            out.push_str(before);
            out.push_str(value.expose_secret());
            rest = after;
        }
        out.push_str(rest);
        Ok(out.into())
    }
}

impl Variables {
    /// The values that a text asks for.
    pub(crate) fn used_in<'a>(&'a self, text: &'a str) -> impl Iterator<Item = &'a str> {
        let used = |name: &str| text.contains(&format!("${{{name}}}"));
        self.0.iter().filter(move |(name, _)| used(name)).map(|(_, value)| value.expose_secret())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_put_in_once() {
        let variables = Variables(vec![("A".into(), "x${B}".to_owned().into()), ("B".into(), "y".to_owned().into())]);
        let expand = |t: &str| variables.expand(t).map(|s| s.expose_secret().to_owned());
        assert_eq!(expand("rtmp://h/${B}?k=${A}&$b").unwrap(), "rtmp://h/y?k=x${B}&$b");
        assert_eq!(variables.used_in("rtmp://h/${B}").collect::<Vec<_>>(), ["y"]);
        assert_eq!(expand("${C}"), Err(VariableError::Unknown("C".into())));
        assert_eq!(expand("a${B"), Err(VariableError::Unclosed));
    }
}
