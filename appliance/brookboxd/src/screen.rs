//! The attached screen: a plain console, no keyboard. It shows where the page is, and what goes on.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write, stdin};
use std::net::{IpAddr, SocketAddr};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::mpsc::{Sender, channel};
use std::thread::{self, sleep};
use std::time::Duration;

use brookbox_board::install::{self, Disk};
use qrcode::render::unicode::Dense1x2;
use qrcode::{EcLevel, QrCode};

use crate::config::Config;
use crate::failure::Failure;
use crate::hotspot::{self, Joining};
use crate::status::Status;

/// How often it is tried to reach the daemon.
const TRY_EVERY: Duration = Duration::from_secs(1);
/// A console has so many columns, and so many lie between the code and the text beside it.
const COLUMNS: usize = 80;
const GAP: usize = 2;
/// Most addresses that are shown.
const MOST_ADDRESSES: usize = 3;
/// Most disks that are offered.
const MOST_DISKS: usize = 3;
/// Clears the screen and what can be scrolled back to, and hides the cursor (console_codes(4)).
const CLEAR: &str = "\x1b[H\x1b[2J\x1b[3J\x1b[?25l";

/// What the screen has to show anew.
enum News {
    Status(Box<Status>),
    /// The daemon does not run.
    Absent,
    /// What *Install on this computer* has to say; empty where there is nothing to install on.
    Installer(Vec<String>),
}

/// Draws the state each time that it changes; ends only with standard output.
pub(crate) fn run(config: &Config) -> Result<(), Failure> {
    let (tell, news) = channel();
    if let Some(installer) = config.installer.clone() {
        let tell = tell.clone();
        thread::spawn(move || offer(&installer, &tell));
    }
    let socket = config.status_socket.clone();
    thread::spawn(move || follow(&socket, &tell));

    let (mut status, mut seen, mut offered, mut shown) = (None, false, Vec::new(), String::new());
    for news in news {
        match news {
            News::Status(now) => (status, seen) = (Some(now), true),
            News::Absent => status = None,
            News::Installer(lines) => offered = lines,
        }
        let absent = if seen { "Brookbox is restarting …" } else { "Brookbox is starting …" };
        let joining = config.hotspot.as_deref().and_then(hotspot::joining);
        let text = match &status {
            Some(status) => page(status, joining.as_ref(), &offered),
            None => waiting(absent, &offered),
        };
        if text != shown {
            let mut out = std::io::stdout().lock();
            out.write_all(CLEAR.as_bytes()).and_then(|()| out.write_all(text.as_bytes())).map_err(Failure::other)?;
            out.flush().map_err(Failure::other)?;
            shown = text;
        }
    }
    Ok(())
}

/// Tells what the daemon says, each time that it is there, until nobody listens.
fn follow(socket: &Path, tell: &Sender<News>) {
    loop {
        if let Ok(stream) = UnixStream::connect(socket) {
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                if let Ok(status) = serde_json::from_str(&line)
                    && tell.send(News::Status(status)).is_err()
                {
                    return;
                }
            }
        }
        if tell.send(News::Absent).is_err() {
            return;
        }
        sleep(TRY_EVERY);
    }
}

/// Offers to install on this computer where that can be, and does it for who types so; ends when it is done, or when no
/// keyboard can ever speak.
fn offer(installer: &Path, tell: &Sender<News>) {
    let mut typed = stdin().lock().lines();
    let mut said = None;
    loop {
        let disks = install::disks(installer).map(|found| found.disks).unwrap_or_default();
        let _ = tell.send(News::Installer(offers(&disks, said.take())));
        let Some(Ok(answer)) = typed.next() else { return };
        let Some(disk) = chosen(&answer, &disks) else { continue };
        let result = install::install(installer, disk, |progress| {
            let _ = tell.send(News::Installer(vec![format!("{progress}. Do not switch off.")]));
        });
        match result {
            Ok(()) => {
                let done = "Installed. When this machine has switched itself off, pull the stick and switch it on.";
                let _ = tell.send(News::Installer(vec![done.to_owned()]));
                return;
            }
            Err(error) => said = Some(error.to_string()),
        }
    }
}

/// What is offered, in lines; `said` is what went wrong before.
fn offers(disks: &[Disk], said: Option<String>) -> Vec<String> {
    let what = match disks {
        [] => None,
        [_] => Some("Install on this computer? Type install and press Enter, for this disk:".to_owned()),
        _ => Some("Install on this computer? Type install and a number, and press Enter:".to_owned()),
    };
    let numbered = disks.iter().take(MOST_DISKS).enumerate();
    said.into_iter().chain(what).chain(numbered.map(|(at, disk)| format!("  {}  {disk}", at + 1))).collect()
}

/// The disk that somebody chose by `install` or `install 2`; with several, a number has to be said.
fn chosen<'a>(typed: &str, disks: &'a [Disk]) -> Option<&'a Disk> {
    let mut words = typed.split_whitespace();
    let (word, number) = (words.next()?, words.next());
    if !word.eq_ignore_ascii_case("install") || words.next().is_some() {
        return None;
    }
    match number {
        Some(number) => disks.iter().take(MOST_DISKS).nth(number.parse::<usize>().ok()?.checked_sub(1)?),
        None => disks.first().filter(|_| disks.len() == 1),
    }
}

/// What stands there while the daemon does not.
fn waiting(what: &str, offered: &[String]) -> String {
    let mut text = format!("\n  {what}\n");
    for line in offered {
        let _ = writeln!(text, "\n  {}", clean(line));
    }
    text
}

/// What stands on the screen. An offer takes the place of the certificate, for which there is no room then. While the hotspot is
/// on, the code is the one that joins it.
fn page(status: &Status, joining: Option<&Joining>, offered: &[String]) -> String {
    let mut text = vec![format!("Brookbox {}", status.version), String::new()];
    let addresses = shown_addresses(&status.addresses);
    let first = addresses.first().map(|address| url(*address, status.listeners.http));
    if let Some(Joining { name, password }) = joining {
        text.extend([format!("Wi-Fi: {name}"), format!("Password: {password}"), "Join it, then open".to_owned()]);
    }
    if !status.host.is_empty() && first.is_some() {
        text.push(format!("http://{}{}", status.host, port(status.listeners.http)));
    }
    text.extend(addresses.iter().map(|address| url(*address, status.listeners.http)));
    if first.is_none() {
        text.push("No network. Plug in a cable, or join a Wi-Fi by brookbox.toml.".to_owned());
    }
    text.extend([String::new(), state(status), String::new()]);
    if let Some(minutes) = status.password_reset_min {
        text.push(format!("For {minutes} min an owner may set a new password on the page."));
    }
    text.extend(status.worst.iter().chain(&status.problems).map(|what| format!("! {what}")));
    let joins = joining.map(|Joining { name, password }| format!("WIFI:T:WPA;S:{name};P:{password};;"));
    let code = joins.or(first).as_deref().and_then(code).unwrap_or_default();
    let code: Vec<_> = code.lines().collect();
    let width = code.first().map_or(0, |line| line.chars().count());
    let room = COLUMNS - GAP - width.min(COLUMNS / 2);
    let text = text.iter().flat_map(|line| wrapped(&clean(line), room)).collect::<Vec<_>>();
    let mut page = String::new();
    for at in 0..code.len().max(text.len()) {
        let (left, right) = (code.get(at).copied().unwrap_or_default(), text.get(at).map_or("", String::as_str));
        let _ = writeln!(page, "{left:width$}{:GAP$}{right}", "");
    }
    for (at, line) in offered.iter().enumerate() {
        let _ =
            writeln!(page, "{}  {}", if at == 0 { "\n" } else { "" }, clean(line).chars().take(76).collect::<String>());
    }
    if let Some(fingerprint) = status.fingerprint.as_ref().filter(|_| offered.is_empty()) {
        page.push_str("\n  Certificate of https (SHA-256)\n");
        // Half of it, 16 bytes, a line.
        for half in fingerprint.as_bytes().chunks(48) {
            let _ = writeln!(page, "  {}", clean(&String::from_utf8_lossy(half)).trim_end_matches(':'));
        }
    }
    page
}

fn state(status: &Status) -> String {
    match status {
        Status { claimed: false, .. } => "Nobody owns this box yet: open the page to set it up.".to_owned(),
        Status { live, wanted, receiving, .. } if *live > 0 || (*receiving && *wanted > 0) => {
            format!("Live on {live} of {wanted}")
        }
        Status { receiving: true, .. } => "A stream comes in. No destination is on.".to_owned(),
        _ => "Ready, and waiting for a stream.".to_owned(),
    }
}

/// IPv4 where there is some: it is what people can type.
fn shown_addresses(all: &[IpAddr]) -> Vec<IpAddr> {
    let v4: Vec<_> = all.iter().copied().filter(IpAddr::is_ipv4).take(MOST_ADDRESSES).collect();
    let local = |address: &IpAddr| matches!(address, IpAddr::V6(v6) if !v6.is_unicast_link_local());
    if v4.is_empty() { all.iter().copied().filter(local).take(MOST_ADDRESSES).collect() } else { v4 }
}

fn url(address: IpAddr, http: SocketAddr) -> String {
    match address {
        IpAddr::V4(address) => format!("http://{address}{}", port(http)),
        IpAddr::V6(address) => format!("http://[{address}]{}", port(http)),
    }
}

fn port(http: SocketAddr) -> String {
    if http.port() == 80 { String::new() } else { format!(":{}", http.port()) }
}

/// A code for a telephone's camera, light on the console's dark.
fn code(url: &str) -> Option<String> {
    let code = QrCode::with_error_correction_level(url, EcLevel::L).ok()?;
    Some(code.render::<Dense1x2>().dark_color(Dense1x2::Light).light_color(Dense1x2::Dark).build())
}

/// Names come from people: what would move the cursor is left out.
fn clean(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).collect()
}

/// A text in lines of so many columns, broken between words where there are some.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let word: Vec<char> = word.chars().collect();
        for part in word.chunks(width) {
            let last = lines.last().map_or(0, |line| line.chars().count());
            if last > 0 && last + 1 + part.len() > width {
                lines.push(String::new());
            }
            if let Some(line) = lines.last_mut() {
                if !line.is_empty() {
                    line.push(' ');
                }
                line.extend(part);
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::Listeners;

    fn status() -> Status {
        Status {
            version: "0.1.0".into(),
            host: "river-street.local".into(),
            addresses: vec!["192.168.178.101".parse().unwrap(), "fe80::1".parse().unwrap()],
            listeners: Listeners {
                http: "[::]:80".parse().unwrap(),
                https: Some("[::]:443".parse().unwrap()),
                rtmp: "[::]:1935".parse().unwrap(),
            },
            fingerprint: Some(["AB"; 32].join(":")),
            claimed: true,
            password_reset_min: None,
            receiving: true,
            live: 3,
            wanted: 4,
            worst: Some("Club: The server refuses the stream key, which has to be mended by somebody soon.".into()),
            problems: vec![],
        }
    }

    #[test]
    fn it_fits_on_a_console() {
        let page = page(&status(), None, &[]);
        assert!(page.lines().count() <= 25, "{page}");
        assert!(page.lines().all(|line| line.chars().count() <= 80), "{page}");
        for told in ["http://river-street.local", "http://192.168.178.101", "Live on 3 of 4", "! Club: The server"] {
            assert!(page.contains(told), "{told}: {page}");
        }
        assert_eq!(page.matches("AB").count(), 32);
        assert!(page.contains('█') || page.contains('▀'), "a code");
    }

    #[test]
    fn it_says_what_to_do() {
        let told = |change: fn(&mut Status)| {
            let mut status = status();
            change(&mut status);
            page(&status, None, &[])
        };
        assert!(told(|status| status.claimed = false).contains("Nobody owns this box yet"));
        assert!(told(|status| (status.live, status.receiving) = (0, false)).contains("waiting for a stream"));
        assert!(told(|status| (status.live, status.wanted) = (0, 0)).contains("No destination is on"));
        assert!(told(|status| status.addresses.clear()).contains("No network."));
        assert!(told(|status| status.password_reset_min = Some(14)).contains("For 14 min an owner"));
        assert!(
            told(|status| status.problems.push("brookbox.toml: Line 1".into())).contains("! brookbox.toml: Line 1")
        );
        assert!(told(|status| status.listeners.http.set_port(8080)).contains("http://river-street.local:8080"));
    }

    #[test]
    fn the_hotspot_is_joined_by_what_the_screen_says() {
        let joining = Joining { name: "Brookbox 1a2b".into(), password: "k7fm2xw9qrst".into() };
        let status = Status { addresses: vec!["10.42.0.1".parse().unwrap()], ..status() };
        let page = page(&status, Some(&joining), &[]);
        assert!(page.lines().count() <= 25, "{page}");
        assert!(page.lines().all(|line| line.chars().count() <= 80), "{page}");
        for told in ["Wi-Fi: Brookbox 1a2b", "Password: k7fm2xw9qrst", "http://10.42.0.1"] {
            assert!(page.contains(told), "{told}: {page}");
        }
    }

    fn disk(name: &str) -> Disk {
        let text = format!(r#"{{"disk":"{name}","model":"Fast 980","serial":"S","bytes":256060514304,"used":true}}"#);
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn an_offer_fits_and_is_taken_by_a_whole_word() {
        let disks = [disk("nvme0n1"), disk("sda"), disk("sdb"), disk("sdc")];
        let page = page(&status(), None, &offers(&disks, Some("not installed: the disk cannot be written".into())));
        assert!(page.lines().count() <= 24, "{page}");
        assert!(page.lines().all(|line| line.chars().count() <= 80), "{page}");
        assert!(page.contains("  3  Fast 980, 256 GB, with something") && !page.contains("  4  "), "{page}");
        for (typed, all, one) in [
            ("install", None, Some(0)),
            (" Install 2 ", Some(1), None),
            ("install 4", None, None),
            ("install 0", None, None),
            ("install 1 2", None, None),
            ("y", None, None),
            ("", None, None),
        ] {
            assert_eq!(chosen(typed, &disks), all.map(|at: usize| &disks[at]), "{typed:?}");
            assert_eq!(chosen(typed, &disks[..1]), one.map(|at: usize| &disks[at]), "{typed:?}");
        }
        assert!(offers(&[], None).is_empty());
        assert!(waiting("Brookbox is restarting …", &offers(&disks[..1], None)).contains("Type install and press"));
    }

    #[test]
    fn a_name_cannot_move_the_cursor() {
        let mut status = status();
        status.worst = Some("\x1b[2JClub\u{9b}5A: gone".into());
        let page = page(&status, None, &[]);
        assert!(page.contains("! [2JClub5A: gone") && !page.contains(['\x1b', '\u{9b}']));
    }

    #[test]
    fn lines_break_between_words() {
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(wrapped("abcdefghij", 4), ["abcd", "efgh", "ij"]);
        assert_eq!(wrapped("", 4), [""]);
    }
}
