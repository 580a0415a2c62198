//! The configuration: flag, environment, file, default; in this order.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::{env, fmt, fs};

use brookbox_relay::BoxLimits;
use brookbox_store::InputLimits;
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer};
use toml::de::DeTable;

use crate::args::Options;
use crate::failure::Failure;
use crate::{first_boot, hosts};

const HTTP: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::UNSPECIFIED), 8080);
const RTMP: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::UNSPECIFIED), 1935);
const SYSTEM_FILE: &str = "/etc/brookbox/brookboxd.toml";
const SYSTEM_WEB_DIR: &str = "/usr/share/brookbox/web";
/// A configuration larger than this is none.
const MAX_FILE: u64 = 256 << 10;

/// What the daemon runs with.
#[derive(Debug)]
pub(crate) struct Config {
    /// The file that was read, if there was one.
    pub(crate) file: Option<PathBuf>,
    pub(crate) data_dir: PathBuf,
    pub(crate) http: SocketAddr,
    pub(crate) https: Option<SocketAddr>,
    pub(crate) rtmp: SocketAddr,
    pub(crate) web_dir: Option<PathBuf>,
    pub(crate) extra_roots: Vec<PathBuf>,
    /// A certificate that was put in, with its key.
    pub(crate) certificate: Option<(PathBuf, PathBuf)>,
    pub(crate) variables: Option<PathBuf>,
    pub(crate) limits: BoxLimits,
    /// What a new input is given.
    pub(crate) input_limits: InputLimits,
    pub(crate) allowed_hosts: Vec<String>,
    pub(crate) claim_from_lan: bool,
    pub(crate) mdns: bool,
    /// `brookbox.toml` on the disk's first partition.
    pub(crate) first_boot: Option<PathBuf>,
    /// Files that let an owner in who lost the password.
    pub(crate) reset_files: Vec<PathBuf>,
    /// Where the screen reads the state; `None`: in the data directory.
    pub(crate) status_socket: PathBuf,
    /// Where it is asked for to install on this computer; `None`: this is no image.
    pub(crate) installer: Option<PathBuf>,
    /// A folder of notices for the screen, one sentence a file.
    pub(crate) notices: Option<PathBuf>,
    /// Where the system says how to join its set-up hotspot; `None`: there is none.
    pub(crate) hotspot: Option<PathBuf>,
}

/// The file. Unknown names are errors: a misspelt limit must not pass for one.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct File {
    data_dir: Option<PathBuf>,
    https: Option<SocketAddr>,
    rtmp: Option<SocketAddr>,
    srt: Option<SocketAddr>,
    web_dir: Option<PathBuf>,
    http: Http,
    tls: Tls,
    mdns: Mdns,
    first_boot: FirstBoot,
    screen: Screen,
    install: Install,
    variables: Variables,
    limits: Limits,
}

/// `[http]`, or just `http = "ADDR:PORT"`.
#[derive(Debug, Default)]
struct Http(HttpTable);

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct HttpTable {
    address: Option<SocketAddr>,
    allowed_hosts: Vec<String>,
    claim_from_lan: bool,
}

/// `[tls]`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Tls {
    extra_roots: Vec<PathBuf>,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
}

/// `[mdns]`
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Mdns {
    enabled: bool,
}

impl Default for Mdns {
    fn default() -> Self {
        Self { enabled: true }
    }
}

/// `[first_boot]`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct FirstBoot {
    file: Option<PathBuf>,
    reset_files: Vec<PathBuf>,
}

/// `[screen]`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Screen {
    socket: Option<PathBuf>,
    notices: Option<PathBuf>,
    hotspot: Option<PathBuf>,
}

/// `[install]`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Install {
    socket: Option<PathBuf>,
}

/// `[variables]`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Variables {
    file: Option<PathBuf>,
}

/// `[limits]`: those of the box, and what a new input is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Limits {
    rtmp_connections: u32,
    rtmp_connections_per_address: u32,
    rtmp_unauthenticated: u32,
    viewers: u32,
    input_bitrate_bps: u64,
    input_sessions: u32,
    log_seconds: u32,
    log_bytes: usize,
    message_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        let (whole, input) = (BoxLimits::default(), InputLimits::default());
        Self {
            rtmp_connections: whole.rtmp_connections,
            rtmp_connections_per_address: whole.rtmp_connections_per_address,
            rtmp_unauthenticated: whole.rtmp_unauthenticated,
            viewers: whole.viewers,
            input_bitrate_bps: input.bitrate_bps,
            input_sessions: input.sessions,
            log_seconds: whole.log_seconds,
            log_bytes: whole.log_bytes,
            message_bytes: whole.message_bytes,
        }
    }
}

impl Limits {
    fn of_box(self) -> BoxLimits {
        BoxLimits {
            rtmp_connections: self.rtmp_connections,
            rtmp_connections_per_address: self.rtmp_connections_per_address,
            rtmp_unauthenticated: self.rtmp_unauthenticated,
            viewers: self.viewers,
            log_seconds: self.log_seconds,
            log_bytes: self.log_bytes,
            message_bytes: self.message_bytes,
        }
    }

    fn of_inputs(self) -> InputLimits {
        InputLimits { bitrate_bps: self.input_bitrate_bps, sessions: self.input_sessions }
    }
}

impl<'de> Deserialize<'de> for Http {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Http;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("ADDR:PORT or the table [http]")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Http, E> {
                let address = text.parse().map_err(|_| E::invalid_value(de::Unexpected::Str(text), &"ADDR:PORT"))?;
                Ok(Http(HttpTable { address: Some(address), ..HttpTable::default() }))
            }

            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Http, A::Error> {
                HttpTable::deserialize(de::value::MapAccessDeserializer::new(map)).map(Http)
            }
        }
        deserializer.deserialize_any(Either)
    }
}

impl Config {
    /// Puts the four sources together.
    pub(crate) fn load(options: &Options) -> Result<Self, Failure> {
        let path = options.config.clone().or_else(default_file);
        let file = path.as_deref().map_or_else(|| Ok(File::default()), read)?;
        if options.srt.is_some() {
            return Err(Failure::usage("this version has no SRT listener").hint("leave out --srt; publish by RTMP"));
        }
        let data_dir = match options.data_dir.clone().or(file.data_dir) {
            Some(dir) => dir,
            None => default_data_dir()?,
        };
        let status_socket = file.screen.socket.unwrap_or_else(|| data_dir.join("status"));
        let web_dir = options.web_dir.clone().or(file.web_dir);
        let web_dir = web_dir.or_else(|| Some(PathBuf::from(SYSTEM_WEB_DIR)).filter(|dir| dir.is_dir()));
        Ok(Self {
            file: path,
            data_dir,
            http: options.http.or(file.http.0.address).unwrap_or(HTTP),
            https: options.https.or(file.https),
            rtmp: options.rtmp.or(file.rtmp).unwrap_or(RTMP),
            web_dir,
            extra_roots: file.tls.extra_roots,
            certificate: file.tls.certificate.zip(file.tls.key),
            variables: file.variables.file,
            limits: file.limits.of_box(),
            input_limits: file.limits.of_inputs(),
            allowed_hosts: file.http.0.allowed_hosts,
            claim_from_lan: file.http.0.claim_from_lan,
            mdns: options.mdns.unwrap_or(file.mdns.enabled),
            reset_files: first_boot::reset_files(file.first_boot.reset_files, file.first_boot.file.as_deref()),
            first_boot: file.first_boot.file,
            status_socket,
            installer: file.install.socket,
            notices: file.screen.notices,
            hotspot: file.screen.hotspot,
        })
    }
}

impl Config {
    /// What is wrong with the files of extra certificates, one failure a file.
    pub(crate) fn wrong_roots(&self) -> Vec<Failure> {
        let wrong = |root| brookbox_relay::check_roots(std::slice::from_ref(root)).err();
        let failure = |error| {
            Failure::configuration(format!("[tls] extra_roots: {error}"))
                .hint("a file of certificates in PEM form, readable by this user")
        };
        self.extra_roots.iter().filter_map(wrong).map(failure).collect()
    }
}

fn default_file() -> Option<PathBuf> {
    let home = env::var_os("HOME").map(|home| Path::new(&home).join(".config"));
    let user = env::var_os("XDG_CONFIG_HOME").map(PathBuf::from).or(home);
    let user = user.map(|dir| dir.join("brookbox/brookboxd.toml"));
    user.into_iter().chain([PathBuf::from(SYSTEM_FILE)]).find(|path| path.is_file())
}

fn default_data_dir() -> Result<PathBuf, Failure> {
    let home = env::var_os("HOME").map(|home| Path::new(&home).join(".local/share"));
    let data = env::var_os("XDG_DATA_HOME").map(PathBuf::from).or(home);
    let data = data.filter(|dir| dir.is_absolute()).map(|dir| dir.join("brookbox"));
    data.ok_or_else(|| Failure::usage("there is no place for data: HOME is not set").hint("give one by --data-dir DIR"))
}

fn read(path: &Path) -> Result<File, Failure> {
    let named = |what: &dyn fmt::Display| Failure::configuration(format!("{}: {what}", path.display()));
    let length = fs::metadata(path).map_err(|e| named(&e))?.len();
    if length > MAX_FILE {
        return Err(named(&"larger than 256 KB: this is no configuration"));
    }
    let text = fs::read_to_string(path).map_err(|e| named(&e))?;
    parse(&text).map_err(|wrong| {
        let place = wrong.line.map_or_else(String::new, |line| format!(":{line}"));
        let failure = Failure::configuration(format!("{}{place}: {}", path.display(), wrong.sentence));
        match wrong.hint {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    })
}

/// What is wrong in a file, and in which line.
#[derive(Debug)]
struct Wrong {
    line: Option<usize>,
    sentence: String,
    hint: Option<String>,
}

fn parse(text: &str) -> Result<File, Wrong> {
    let file: File = toml::from_str(text).map_err(|error| {
        let line = error.span().map(|span| line_of(text, span.start));
        let message = error.message();
        // The parser's "expected one of" is the hint; what is wrong comes first.
        let (sentence, hint) = match message.split_once(", expected ") {
            Some((wrong, expected)) => (wrong.to_owned(), Some(format!("expected {expected}"))),
            None => (message.trim().replace('\n', "; "), None),
        };
        Wrong { line, sentence, hint }
    })?;
    if file.srt.is_some() {
        let sentence = "srt: this version has no SRT listener".to_owned();
        return Err(Wrong { line: line_with(text, &["srt"]), sentence, hint: Some("leave out this line".to_owned()) });
    }
    let alone = match (&file.tls.certificate, &file.tls.key) {
        (Some(_), None) => Some("certificate"),
        (None, Some(_)) => Some("key"),
        _ => None,
    };
    if let Some(alone) = alone {
        let sentence = format!("[tls] {alone} stands alone");
        let hint = "certificate and key go together: two files in PEM form".to_owned();
        return Err(Wrong { line: line_with(text, &["tls", alone]), sentence, hint: Some(hint) });
    }
    for (number, host) in file.http.0.allowed_hosts.iter().enumerate() {
        if let Some(hint) = hosts::wrong(host) {
            let sentence = format!("[http] allowed_hosts: {host:?} is not a host alone");
            return Err(Wrong { line: line_of_host(text, number), sentence, hint: Some(hint) });
        }
    }
    let limits = &file.limits;
    let bounds = [
        ("rtmp_connections", u64::from(limits.rtmp_connections), 1, 100_000),
        ("rtmp_connections_per_address", u64::from(limits.rtmp_connections_per_address), 1, 100_000),
        ("rtmp_unauthenticated", u64::from(limits.rtmp_unauthenticated), 1, 100_000),
        ("viewers", u64::from(limits.viewers), 1, 256),
        ("input_bitrate_bps", limits.input_bitrate_bps, 100_000, 1_000_000_000),
        ("input_sessions", u64::from(limits.input_sessions), 1, 64),
        ("log_seconds", u64::from(limits.log_seconds), 1, 300),
        ("log_bytes", limits.log_bytes as u64, 1 << 20, 1 << 30),
        ("message_bytes", limits.message_bytes as u64, 1 << 16, 0xff_ffff),
    ];
    for (name, value, least, most) in bounds {
        if !(least..=most).contains(&value) {
            let sentence = format!("{name} = {value} is out of range");
            return Err(Wrong {
                line: line_with(text, &["limits", name]),
                sentence,
                hint: Some(format!("from {least} to {most}")),
            });
        }
    }
    Ok(file)
}

/// The line of a setting, by its tables and its name.
fn line_with(text: &str, path: &[&str]) -> Option<usize> {
    let file = DeTable::parse(text).ok()?;
    let (name, tables) = path.split_last()?;
    let mut table = file.get_ref();
    for name in tables {
        table = table.get(*name)?.get_ref().as_table()?;
    }
    let (key, _) = table.get_key_value(*name)?;
    Some(line_of(text, key.span().start))
}

/// The line of one of the hosts in a list that may take several.
fn line_of_host(text: &str, number: usize) -> Option<usize> {
    let file = DeTable::parse(text).ok()?;
    let http = file.get_ref().get("http")?.get_ref().as_table()?;
    let host = http.get("allowed_hosts")?.get_ref().as_array()?.get(number)?;
    Some(line_of(text, host.span().start))
}

fn line_of(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|b| *b == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_file_is_right() {
        let page = include_str!("../brookboxd.1");
        let (_, example) = page.split_once(".\\\" example\n.EX\n").unwrap();
        let (example, _) = example.split_once("\n.EE").unwrap();
        let file = parse(&example.replace("\\-", "-")).unwrap();
        assert_eq!(file.limits, Limits::default(), "the page shows the defaults");
        assert_eq!((file.limits.of_box(), file.limits.of_inputs()), Default::default());
        assert_eq!(file.http.0.allowed_hosts, ["box.example.org"]);
        assert_eq!(file.tls.extra_roots, [PathBuf::from("/etc/brookbox/club-ca.pem")]);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line_and_a_hint() {
        for (text, line, sentence, hint) in [
            ("\n[limits]\nlog_secods = 3\n", 3, "unknown field `log_secods`", "log_seconds"),
            ("rtmp = \"0.0.0.0\"\n", 1, "invalid socket address", ""),
            ("[limits]\nlog_seconds = 0\n", 2, "log_seconds = 0 is out of range", "from 1 to 300"),
            ("[tls]\ncertificate = \"a.pem\"\n", 2, "certificate stands alone", "go together"),
            ("[mdns]\nenabeld = true\n", 2, "unknown field `enabeld`", "enabled"),
            ("srt = \"0.0.0.0:9000\"\n", 1, "srt: this version has no SRT listener", "leave out"),
            ("[tls]\nextra_roots = \"x\"\n", 2, "invalid type", "a sequence"),
            ("[http]\nhosts = []\n", 2, "unknown field `hosts`", "allowed_hosts"),
            ("a = = 1", 1, "", ""),
            // A name that begins like another, is in another table, or is written in another way.
            (
                "[limits]\nrtmp_connections_per_address = 5\nrtmp_connections = 0\n",
                3,
                "rtmp_connections = 0 is out of range",
                "from 1 to 100000",
            ),
            ("# log_seconds = 5\n[limits]\n\"log_seconds\" = 0\n", 3, "log_seconds = 0", ""),
            ("mdns.enabled = true\nlimits.viewers = 0\n", 2, "viewers = 0", ""),
            ("limits = { viewers = 1,\n  log_seconds = 0 }\n", 2, "log_seconds = 0", ""),
            ("data_dir = \"x\"\ntls.key = \"a.pem\"\n", 2, "key stands alone", "go together"),
            ("[limits]\ninput_sessions = 65\n", 2, "input_sessions = 65 is out of range", "from 1 to 64"),
            (
                "[limits]\ninput_bitrate_bps = 99_999\n",
                2,
                "input_bitrate_bps = 99999 is out of range",
                "from 100000 to",
            ),
            ("[http]\nallowed_hosts = [\"box.example.org:8443\"]\n", 2, "box.example.org:8443", "\"box.example.org\""),
            (
                "[http]\nallowed_hosts = [\n  \"a.example\",\n  \"https://box.example.org\",\n]\n",
                4,
                "https://box.example.org",
                "\"box.example.org\"",
            ),
        ] {
            let wrong = parse(text).unwrap_err();
            assert_eq!(wrong.line, Some(line), "{text}: {wrong:?}");
            assert!(wrong.sentence.contains(sentence), "{text}: {wrong:?}");
            assert!(wrong.hint.unwrap_or_default().contains(hint), "{text}");
        }
    }

    #[test]
    fn what_this_version_has_not_is_the_fault_of_the_file_or_of_the_command_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("brookboxd.toml");
        fs::write(&path, "srt = \"127.0.0.1:0\"\n").unwrap();
        let in_file = Options { config: Some(path.clone()), ..Options::default() };
        let failure = Config::load(&in_file).unwrap_err();
        assert_eq!(failure.code(), 78);
        assert!(format!("{failure:?}").contains("brookboxd.toml:1: "), "{failure:?}");
        fs::write(&path, "").unwrap();
        let as_flag = Options { srt: Some("127.0.0.1:0".parse().unwrap()), ..in_file };
        assert_eq!(Config::load(&as_flag).unwrap_err().code(), 64);
    }

    #[test]
    fn a_file_of_roots_is_read_before_anything_starts() {
        let dir = tempfile::tempdir().unwrap();
        let (path, pem) = (dir.path().join("brookboxd.toml"), dir.path().join("club.pem"));
        fs::write(&path, format!("data_dir = {:?}\n[tls]\nextra_roots = [{pem:?}]\n", dir.path())).unwrap();
        let config = Config::load(&Options { config: Some(path), ..Options::default() }).unwrap();
        for wrong in
            [None, Some("no certificate"), Some("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")]
        {
            if let Some(text) = wrong {
                fs::write(&pem, text).unwrap();
            }
            let failures = config.wrong_roots();
            assert_eq!(failures.iter().map(Failure::code).collect::<Vec<_>>(), [78], "{wrong:?}");
            assert!(format!("{failures:?}").contains("club.pem: "), "{failures:?}");
        }
    }

    #[test]
    fn http_is_an_address_or_a_table() {
        assert_eq!(parse("http = \"127.0.0.1:0\"").unwrap().http.0.address.unwrap().port(), 0);
        assert_eq!(parse("[http]\naddress = \"127.0.0.1:9\"").unwrap().http.0.address.unwrap().port(), 9);
    }
}
