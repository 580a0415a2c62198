//! The variables file: `NAME=value` lines for `${NAME}` in a destination's address or key.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use secrecy::SecretString;

use crate::failure::Failure;

/// A larger file is none.
const MAX_FILE: u64 = 256 << 10;

/// Whether users other than the owner and its group can read the file, which holds secrets.
pub(crate) fn is_open_to_all(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o007 != 0)
}

/// Reads the file. Values are secrets: an error names the line, never what is in it.
pub(crate) fn read(path: &Path) -> Result<Vec<(String, SecretString)>, Failure> {
    let at = |what: &str| Failure::configuration(format!("{}: {what}", path.display()));
    let metadata = fs::metadata(path).map_err(|e| at(&e.to_string()).hint("it is named in [variables] file"))?;
    if metadata.len() > MAX_FILE {
        return Err(at("larger than 256 KB: this is no list of variables"));
    }
    let text = fs::read_to_string(path).map_err(|e| at(&e.to_string()))?;
    let mut variables: Vec<(String, SecretString)> = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let wrong = |what: &str| Failure::configuration(format!("{}:{number}: {what}", path.display()));
        let (name, value) = line.split_once('=').ok_or_else(|| wrong("not of the form NAME=value"))?;
        let valid = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
        if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) || !name.chars().all(valid) {
            return Err(wrong("a name is made of A-Z, 0-9 and _, and does not begin with a digit"));
        }
        if variables.iter().any(|(known, _)| known == name) {
            return Err(wrong(&format!("{name} is there twice")));
        }
        variables.push((name.to_owned(), value.to_owned().into()));
    }
    Ok(variables)
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn read_text(text: &str) -> Result<Vec<(String, String)>, String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("variables");
        fs::write(&path, text).unwrap();
        let shown =
            |v: Vec<(String, SecretString)>| v.into_iter().map(|(n, s)| (n, s.expose_secret().to_owned())).collect();
        read(&path).map(shown).map_err(|f| format!("{f:?}"))
    }

    #[test]
    fn names_and_values_are_read() {
        let read = read_text("# keys\n\nCLUB_KEY=a=b?c\nX1=\n").unwrap();
        assert_eq!(read, [("CLUB_KEY".into(), "a=b?c".into()), ("X1".into(), String::new())]);
    }

    #[test]
    fn an_error_names_the_line_and_no_value() {
        for text in ["A=1\nsecretvalue\n", "A=1\nb-c=secretvalue", "A=1\nA=secretvalue"] {
            let error = read_text(text).unwrap_err();
            assert!(error.contains(":2:") && !error.contains("secretvalue"), "{error}");
        }
    }
}
