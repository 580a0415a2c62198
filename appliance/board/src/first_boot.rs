//! `brookbox.toml` on the disk's first partition: what a person can set before the box is started for the first time, on
//! the computer that wrote the disk.
//!
//! ```toml
//! name = "river-street"                 # the box is found as river-street.local
//! language = "de"                       # en, de, es, fr or ja
//! timezone = "Europe/Berlin"
//! country = "DE"                        # which Wi-Fi channels are allowed
//!
//! [owner]                               # sets the box up: nobody else can
//! username = "mara"
//! password_hash = "$argon2id$…"         # what `brookboxd hash-password` prints
//!
//! [wifi]
//! ssid = "Home"
//! password = "…"                        # or psk = 64 hexadecimal digits; neither for an open network
//!
//! [ssh]
//! authorized_keys = ["ssh-ed25519 …"]
//! ```

use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use serde::Deserialize;

/// A larger file is none.
pub const MOST_BYTES: u64 = 16 << 10;
/// Of a file that is far too large, so much is overwritten.
const MOST_OVERWRITTEN: u64 = 1 << 20;
const MOST_KEYS: usize = 16;
const MOST_KEY_BYTES: usize = 2048;
const LANGUAGES: [&str; 5] = ["en", "de", "es", "fr", "ja"];

/// What the file says. Everything may be missing; what is there is right.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FirstBoot {
    /// The box's name, one label.
    pub name: Option<String>,
    /// The page's language.
    pub language: Option<String>,
    /// As in the zone database: `Europe/Berlin`.
    pub timezone: Option<String>,
    /// Two capital letters (ISO 3166).
    pub country: Option<String>,
    /// Whose box it is.
    pub owner: Option<Owner>,
    /// The Wi-Fi to join.
    pub wifi: Option<Wifi>,
    /// Who may come in by SSH.
    pub ssh: Option<Ssh>,
}

/// `[owner]`
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Owner {
    /// What they sign in as.
    pub username: String,
    /// Argon2id in the PHC string format; not looked into here.
    pub password_hash: String,
}

/// `[wifi]`
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wifi {
    ssid: String,
    #[serde(default)]
    password: Option<String>,
    #[serde(default)]
    psk: Option<String>,
    #[serde(default)]
    hidden: bool,
}

/// `[ssh]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ssh {
    authorized_keys: Vec<String>,
}

impl std::fmt::Debug for Owner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Owner").field("username", &self.username).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Wifi {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Wifi").field("ssid", &self.ssid).finish_non_exhaustive()
    }
}

/// Reads the file at its place; `None` if there is none, or nothing but comments in it.
///
/// # Errors
/// What is wrong, in one sentence that repeats nothing of a value.
pub fn read(path: &Path) -> Option<Result<FirstBoot, String>> {
    let mut bytes = Vec::new();
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
        Err(error) => return Some(Err(format!("It cannot be read: {error}."))),
        Ok(file) => file,
    };
    if let Err(error) = file.take(MOST_BYTES + 1).read_to_end(&mut bytes) {
        return Some(Err(format!("It cannot be read: {error}.")));
    }
    read_bytes(&bytes)
}

/// The same of what stands in the file.
///
/// # Errors
/// As [`read`].
pub fn read_bytes(bytes: &[u8]) -> Option<Result<FirstBoot, String>> {
    if bytes.len() as u64 > MOST_BYTES {
        return Some(Err("It is larger than 16 KB.".to_owned()));
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return Some(Err("It is not a text (UTF-8).".to_owned())) };
    // Editors on Windows put a mark in front.
    let text = text.trim_start_matches('\u{feff}');
    let empty = text.lines().map(str::trim).all(|line| line.is_empty() || line.starts_with('#'));
    (!empty).then(|| parse(text))
}

/// Overwrites the file, replaces it by a text without a secret, and syncs all of it.
///
/// # Errors
/// Those of writing: something of the file may still be there.
pub fn replace(path: &Path, report: &str) -> io::Result<()> {
    let mut old = OpenOptions::new().write(true).open(path)?;
    let length = old.metadata()?.len().min(MOST_OVERWRITTEN);
    io::copy(&mut io::repeat(b'#').take(length), &mut old)?;
    old.sync_all()?;
    let new = path.with_extension("new");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    file.write_all(report.as_bytes()).and_then(|()| file.sync_all())?;
    fs::rename(&new, path)?;
    sync_folder(path)
}

/// Deletes a file that asks for something, so that it asks once; `false` if there is none.
///
/// # Errors
/// It is there and cannot be deleted for good: it must not take effect.
pub fn take(path: &Path) -> io::Result<bool> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
        Ok(()) => sync_folder(path).map(|()| true),
    }
}

fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
}

impl FirstBoot {
    /// What the system has to do, as files: their names and contents. `timezone`, `country` (one line each),
    /// `wifi.nmconnection` (a connection of NetworkManager) and `authorized_keys`.
    #[must_use]
    pub fn for_the_system(&self) -> Vec<(&'static str, String)> {
        let line = |text: &String| format!("{text}\n");
        let wifi = self.wifi.as_ref().map(Wifi::connection);
        let keys = self.ssh.as_ref().map(|ssh| ssh.authorized_keys.iter().map(line).collect());
        [
            ("timezone", self.timezone.as_ref().map(line)),
            ("country", self.country.as_ref().map(line)),
            ("wifi.nmconnection", wifi),
            ("authorized_keys", keys),
        ]
        .into_iter()
        .filter_map(|(name, text)| Some((name, text?)))
        .collect()
    }
}

impl Wifi {
    /// As NetworkManager keeps it (nm-settings-keyfile(5)). The name is a list of bytes, which needs no escapes.
    fn connection(&self) -> String {
        let mut text = "[connection]\nid=brookbox-wifi\ntype=wifi\n\n[wifi]\nmode=infrastructure\nssid=".to_owned();
        for byte in self.ssid.bytes() {
            let _ = write!(text, "{byte};");
        }
        let _ = write!(text, "\nhidden={}\n", self.hidden);
        if let Some(secret) = self.password.as_ref().or(self.psk.as_ref()) {
            let escaped = secret.replace('\\', "\\\\");
            // A space at the beginning would be lost.
            let escaped = escaped.strip_prefix(' ').map_or(escaped.clone(), |rest| format!("\\s{rest}"));
            let _ = write!(text, "\n[wifi-security]\nkey-mgmt=wpa-psk\npsk={escaped}\n");
        }
        text.push_str("\n[ipv4]\nmethod=auto\n\n[ipv6]\nmethod=auto\n");
        text
    }
}

fn parse(text: &str) -> Result<FirstBoot, String> {
    let file: FirstBoot = toml::from_str(text).map_err(|error| {
        let line =
            error.span().map_or(1, |span| text.bytes().take(span.start).filter(|byte| *byte == b'\n').count() + 1);
        // Other messages repeat what stands there, which may be a secret.
        match error.message().split_once(", expected") {
            Some((unknown, _)) if unknown.strip_prefix("unknown field ").is_some_and(is_name) => {
                format!("Line {line}: {}.", unknown.replace("unknown field", "there is no setting"))
            }
            _ if error.message().starts_with("missing field") => format!("Line {line}: {}.", error.message()),
            _ => format!("Line {line} is not understood."),
        }
    })?;
    check(&file).map_or(Ok(()), |what| Err(what.to_owned()))?;
    Ok(file)
}

/// The first thing that is wrong.
fn check(file: &FirstBoot) -> Option<&'static str> {
    let wrong = |text: &Option<String>, right: fn(&str) -> bool| text.as_deref().is_some_and(|text| !right(text));
    let checks = [
        (wrong(&file.name, is_label), "name: use letters, digits and hyphens, with a letter or digit at both ends."),
        (wrong(&file.language, |text| LANGUAGES.contains(&text)), "language: one of en, de, es, fr, ja."),
        (wrong(&file.timezone, is_zone), "timezone: there is no such zone; say it as Europe/Berlin."),
        (wrong(&file.country, is_country), "country: two capital letters, as DE."),
        (
            file.owner.as_ref().is_some_and(|owner| !is_line(&owner.username, 64)),
            "owner.username: a name of at most 64 letters.",
        ),
        (
            file.wifi.as_ref().is_some_and(|wifi| wifi.ssid.is_empty() || wifi.ssid.len() > 32),
            "wifi.ssid: a name of 1 to 32 bytes.",
        ),
        (
            file.wifi.as_ref().is_some_and(|wifi| wifi.password.is_some() && wifi.psk.is_some()),
            "wifi: password or psk, not both.",
        ),
        (
            file.wifi.as_ref().is_some_and(|wifi| wrong(&wifi.password, is_passphrase)),
            "wifi.password: 8 to 63 letters, digits and signs (ASCII).",
        ),
        (file.wifi.as_ref().is_some_and(|wifi| wrong(&wifi.psk, is_psk)), "wifi.psk: 64 hexadecimal digits."),
        (
            file.ssh.as_ref().is_some_and(|ssh| {
                ssh.authorized_keys.len() > MOST_KEYS || !ssh.authorized_keys.iter().all(|key| is_key(key))
            }),
            "ssh.authorized_keys: at most 16 public keys, each as in a .pub file.",
        ),
    ];
    checks.into_iter().find_map(|(wrong, what)| wrong.then_some(what))
}

/// A misspelt name, in the parser's quotes; what is longer or odder may be a secret at the wrong place.
fn is_name(quoted: &str) -> bool {
    let name = quoted.trim_matches('`');
    (1..=24).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'_')
}

fn is_label(text: &str) -> bool {
    let good = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    good && (1..=63).contains(&text.len()) && !text.starts_with('-') && !text.ends_with('-')
}

fn is_zone(text: &str) -> bool {
    let parts = text.split('/').all(|part| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_+-".contains(&byte))
    });
    let zones = Path::new("/usr/share/zoneinfo");
    parts && text.len() <= 64 && (!zones.is_dir() || zones.join(text).is_file())
}

fn is_country(text: &str) -> bool {
    text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_uppercase())
}

fn is_line(text: &str, most: usize) -> bool {
    (1..=most).contains(&text.chars().count()) && text.trim() == text && !text.chars().any(char::is_control)
}

fn is_passphrase(text: &str) -> bool {
    (8..=63).contains(&text.len()) && text.bytes().all(|byte| (0x20..0x7f).contains(&byte))
}

fn is_psk(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// A key without options: type, base64, and perhaps a comment.
fn is_key(text: &str) -> bool {
    let mut words = text.split(' ');
    let kind = words.next().unwrap_or_default();
    let body = words.next().unwrap_or_default();
    let kinds = ["ssh-ed25519", "ssh-rsa", "ecdsa-sha2-", "sk-ssh-ed25519@", "sk-ecdsa-sha2-"];
    is_line(text, MOST_KEY_BYTES)
        && kinds.iter().any(|known| kind.starts_with(known))
        && body.len() > 16
        && body.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = "\u{feff}name = \"river-street\"\r\nlanguage = \"de\"\r\ntimezone = \"UTC\"\r\ncountry = \"DE\"\r\n\
        [owner]\r\nusername = \"mara\"\r\npassword_hash = \"$argon2id$canary\"\r\n\
        [wifi]\r\nssid = \"Höme\"\r\npassword = \" back\\\\slash\"\r\n\
        [ssh]\r\nauthorized_keys = [\"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAbc mara@desk\"]\r\n";

    fn read_text(text: &[u8]) -> Option<Result<FirstBoot, String>> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("brookbox.toml");
        fs::write(&path, text).unwrap();
        read(&path)
    }

    #[test]
    fn everything_is_read_and_handed_on() {
        let file = read_text(WHOLE.as_bytes()).unwrap().unwrap();
        assert_eq!(file.name.as_deref(), Some("river-street"));
        assert_eq!(file.owner.as_ref().unwrap().username, "mara");
        assert!(!format!("{file:?}").contains("canary") && !format!("{file:?}").contains("slash"));
        let files = file.for_the_system();
        assert_eq!(files[0], ("timezone", "UTC\n".to_owned()));
        assert_eq!(files[1], ("country", "DE\n".to_owned()));
        assert!(files[2].1.contains("\nssid=72;195;182;109;101;\n"), "{}", files[2].1);
        assert!(files[2].1.contains("\npsk=\\sback\\\\slash\n"), "{}", files[2].1);
        assert_eq!(files[3], ("authorized_keys", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAbc mara@desk\n".to_owned()));
    }

    #[test]
    fn what_is_wrong_is_told_without_a_value() {
        for (text, told) in [
            ("nmae = \"x\"", "Line 1: there is no setting `nmae`."),
            ("\n[wifi]\nssid = \"x\"\npasword = \"hunter22\"", "Line 4: there is no setting `pasword`."),
            ("\"hunter22\" = 1", "Line 1 is not understood."),
            ("\"a\\nb\" = 1", "Line 1 is not understood."),
            ("name = hunter22", "Line 1 is not understood."),
            ("[wifi]\nssid = \"x\"\npsk = 1234567", "Line 3 is not understood."),
            ("[owner]\nusername = \"mara\"", "Line 1: missing field `password_hash`."),
            ("name = \"a_b\"", "name: use letters"),
            ("timezone = \"../../etc/passwd\"", "timezone: there is no such zone"),
            ("country = \"de\"", "country: two capital letters"),
            ("[wifi]\nssid = \"x\"\npassword = \"short\"", "wifi.password: 8 to 63"),
            ("[wifi]\nssid = \"x\"\npassword = \"hunter2222\"\npsk = \"00\"", "wifi: password or psk"),
            ("[ssh]\nauthorized_keys = [\"command=\\\"sh\\\" ssh-rsa AAAA\"]", "ssh.authorized_keys"),
            ("[ssh]\nauthorized_keys = [\"ssh-rsa AAAAAAAAAAAAAAAAAAAA\\nssh-rsa B\"]", "ssh.authorized_keys"),
        ] {
            let said = read_text(text.as_bytes()).unwrap().unwrap_err();
            assert!(said.starts_with(told), "{text}: {said}");
            assert!(!said.contains("hunter2"), "{said}");
        }
        assert_eq!(read_text(&[0xff; 9]).unwrap().unwrap_err(), "It is not a text (UTF-8).");
        assert_eq!(read_text(&[b'#'; 16385]).unwrap().unwrap_err(), "It is larger than 16 KB.");
        assert!(read_text(&[b'#'; 16384]).is_none(), "comments");
        assert!(read_text(b"# nothing\n\n").is_none());
        assert!(read(Path::new("/nonexistent/brookbox.toml")).is_none());
    }

    #[test]
    fn the_file_is_overwritten_before_it_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("brookbox.toml");
        fs::write(&path, WHOLE).unwrap();
        // What was there is looked at through a second name of the same file.
        let old = dir.path().join("old");
        fs::hard_link(&path, &old).unwrap();
        replace(&path, "# read\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "# read\n");
        let old = fs::read(&old).unwrap();
        assert_eq!((old.len(), old.iter().all(|byte| *byte == b'#')), (WHOLE.len(), true));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2, "nothing unfinished stays");
    }

    #[test]
    fn a_file_that_asks_asks_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("brookbox-reset-password");
        assert!(!take(&path).unwrap());
        fs::write(&path, "").unwrap();
        assert!(take(&path).unwrap());
        assert!(!path.exists());
        fs::create_dir(&path).unwrap();
        take(&path).unwrap_err();
    }
}
