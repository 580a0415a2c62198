//! A stream name or password that no log can show.

use std::fmt;
use zeroize::Zeroize;

/// A stream name or password. `Debug` shows nothing of it, there is no `Display`, and the memory is overwritten when it is
/// dropped.
///
/// Comparison takes a time that depends on the contents; who decides about access compares digests instead.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct SecretKey(String);

impl SecretKey {
    /// Takes the secret over.
    pub fn new(secret: impl Into<String>) -> Self {
        Self(secret.into())
    }

    /// The secret itself, for the wire and for look-ups. Not for messages.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether there is nothing to hide.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<String> for SecretKey {
    fn from(secret: String) -> Self {
        Self(secret)
    }
}

impl From<&str> for SecretKey {
    fn from(secret: &str) -> Self {
        Self(secret.to_owned())
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(…)")
    }
}

impl Drop for SecretKey {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_nothing() {
        let key = SecretKey::new("canary-7Q2x");
        assert_eq!(format!("{key:?} {:?}", Some(key.clone())), "SecretKey(…) Some(SecretKey(…))");
        assert_eq!(key.expose(), "canary-7Q2x");
    }
}
