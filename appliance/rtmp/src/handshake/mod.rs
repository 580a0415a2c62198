//! The opening exchange (RTMP 1.0 §5.2), simple and with digests.
//!
//! The specification's handshake is an exchange of a time and random bytes. Flash Media Server 3 and its clients sign these
//! bytes (never published by Adobe, implemented by everybody): the *digest* form, in two *schemes* that differ in where the
//! digest hides. FFmpeg publishes with it, OBS does not. A [`Server`] takes either. A [`Client`] sends what it is told to and
//! takes either answer.

mod digest;

use crate::ErrorKind;
use digest::{DIGEST_LEN, Role};
use sha2::{Digest, Sha256};

pub use digest::Scheme;

/// C1, C2, S1 and S2 are this long each; C0 and S0 are one byte.
pub const PACKET_LEN: usize = 1536;

const VERSION: u8 = 3;
/// What the versions in the digest form stand for: a server of the Flash Media Server 3.5 age and a Flash Player 9.0.124.2;
/// all zero would mean the simple form.
const SERVER_VERSION: [u8; 4] = [3, 5, 7, 7];
const CLIENT_VERSION: [u8; 4] = [9, 0, 124, 2];

/// What a client opens with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Form {
    /// As in the specification; what OBS sends.
    #[default]
    Simple,
    /// Signed; what FFmpeg sends.
    Digest(Scheme),
}

/// The server's half: takes C0, C1 and C2, gives S0, S1 and S2.
#[derive(Debug)]
pub struct Server {
    packet: Packet,
    random: Random,
    version_seen: bool,
    answered: Option<Form>,
}

impl Server {
    /// `seed` makes the random bytes; it should differ for each connection.
    #[must_use]
    pub fn new(seed: [u8; 32]) -> Self {
        Self { packet: Packet::new(), random: Random::new(seed), version_seen: false, answered: None }
    }

    /// Takes what it needs from `input`, appends answers to `out`. `true` once C2 is complete; the rest of `input` is chunks.
    ///
    /// C2 is not compared with S1: clients of the field (FFmpeg among them) send other things.
    ///
    /// # Errors
    /// The first byte is not 3.
    pub fn handle(&mut self, input: &mut &[u8], out: &mut Vec<u8>) -> Result<bool, ErrorKind> {
        if !self.version_seen {
            let Some((&version, rest)) = input.split_first() else { return Ok(false) };
            *input = rest;
            check_version(version)?;
            self.version_seen = true;
        }
        loop {
            let Some(packet) = self.packet.fill(input) else { return Ok(false) };
            if self.answered.is_some() {
                return Ok(true);
            }
            self.answered = Some(answer(&packet, &mut self.random, out));
        }
    }

    /// What the client opened with, once C1 is complete.
    #[must_use]
    pub fn form(&self) -> Option<Form> {
        self.answered
    }

    /// Bytes held.
    #[must_use]
    pub fn buffered(&self) -> usize {
        self.packet.buffered()
    }
}

/// The client's half: gives C0, C1 and C2, takes S0, S1 and S2.
#[derive(Debug)]
pub struct Client {
    packet: Packet,
    random: Random,
    /// Where our digest is in C1, in the digest form: what the answer is checked against.
    sent: Option<[u8; DIGEST_LEN]>,
    version_seen: bool,
    answered: bool,
    verified: bool,
}

impl Client {
    /// Appends C0 and C1 to `out`. `seed` makes the random bytes; it should differ for each connection.
    #[must_use]
    pub fn new(form: Form, seed: [u8; 32], out: &mut Vec<u8>) -> Self {
        let mut random = Random::new(seed);
        let mut c1 = random.packet();
        let sent = match form {
            Form::Simple => {
                set_head(&mut c1, [0; 4]);
                None
            }
            Form::Digest(scheme) => {
                set_head(&mut c1, CLIENT_VERSION);
                Some(digest::sign(&mut c1, scheme, Role::Client))
            }
        };
        out.push(VERSION);
        out.extend_from_slice(&c1);
        Self { packet: Packet::new(), random, sent, version_seen: false, answered: false, verified: false }
    }

    /// Takes what it needs from `input`, appends C2 to `out`. `true` once S2 is complete; the rest of `input` is chunks.
    ///
    /// A server that does not know digests answers as in the simple form, which is taken as well.
    ///
    /// # Errors
    /// The first byte is not 3.
    pub fn handle(&mut self, input: &mut &[u8], out: &mut Vec<u8>) -> Result<bool, ErrorKind> {
        if !self.version_seen {
            let Some((&version, rest)) = input.split_first() else { return Ok(false) };
            *input = rest;
            check_version(version)?;
            self.version_seen = true;
        }
        loop {
            let Some(packet) = self.packet.fill(input) else { return Ok(false) };
            if self.answered {
                self.verified = self.sent.is_some_and(|sent| digest::answers(&packet, &sent, Role::Server));
                return Ok(true);
            }
            self.answered = true;
            let theirs = self.sent.and_then(|_| digest::find(&packet, Role::Server));
            match theirs {
                Some((_, theirs)) => out.extend_from_slice(&signed_answer(&mut self.random, &theirs, Role::Client)),
                None => out.extend_from_slice(&packet),
            }
        }
    }

    /// Whether the server proved, in S2, that it knows the digest form.
    #[must_use]
    pub fn verified(&self) -> bool {
        self.verified
    }

    /// Bytes held.
    #[must_use]
    pub fn buffered(&self) -> usize {
        self.packet.buffered()
    }
}

/// §5.2.2 would answer a version that is not known by 3; but nobody speaks another one, and 22 begins TLS.
fn check_version(version: u8) -> Result<(), ErrorKind> {
    if version == VERSION { Ok(()) } else { Err(ErrorKind::Version(version)) }
}

/// S0, S1 and S2 for a C1.
fn answer(c1: &[u8; PACKET_LEN], random: &mut Random, out: &mut Vec<u8>) -> Form {
    let mut s1 = random.packet();
    out.push(VERSION);
    match digest::find(c1, Role::Client) {
        Some((scheme, theirs)) => {
            set_head(&mut s1, SERVER_VERSION);
            digest::sign(&mut s1, scheme, Role::Server);
            out.extend_from_slice(&s1);
            out.extend_from_slice(&signed_answer(random, &theirs, Role::Server));
            Form::Digest(scheme)
        }
        None => {
            set_head(&mut s1, [0; 4]);
            out.extend_from_slice(&s1);
            out.extend_from_slice(c1);
            Form::Simple
        }
    }
}

fn signed_answer(random: &mut Random, theirs: &[u8; DIGEST_LEN], role: Role) -> [u8; PACKET_LEN] {
    let mut packet = random.packet();
    digest::sign_answer(&mut packet, theirs, role);
    packet
}

/// Time (always 0: its epoch is ours to choose, §5.2.3) and version.
fn set_head(packet: &mut [u8; PACKET_LEN], version: [u8; 4]) {
    let [t0, t1, t2, t3, v0, v1, v2, v3, ..] = packet;
    [*t0, *t1, *t2, *t3] = [0; 4];
    [*v0, *v1, *v2, *v3] = version;
}

/// One packet being received.
#[derive(Debug)]
struct Packet(Vec<u8>);

impl Packet {
    fn new() -> Self {
        Self(Vec::new())
    }

    fn fill(&mut self, input: &mut &[u8]) -> Option<[u8; PACKET_LEN]> {
        let missing = PACKET_LEN.saturating_sub(self.0.len());
        let (now, rest) = input.split_at_checked(missing).unwrap_or((*input, &[]));
        *input = rest;
        self.0.extend_from_slice(now);
        let packet = <[u8; PACKET_LEN]>::try_from(self.0.as_slice()).ok()?;
        self.0 = Vec::new();
        Some(packet)
    }

    fn buffered(&self) -> usize {
        self.0.capacity()
    }
}

/// Random bytes out of a seed: SHA-256 over seed and counter. They need not be secret, only different.
#[derive(Debug)]
struct Random {
    seed: [u8; 32],
    counter: u64,
}

impl Random {
    fn new(seed: [u8; 32]) -> Self {
        Self { seed, counter: 0 }
    }

    fn packet(&mut self) -> [u8; PACKET_LEN] {
        let mut packet = [0; PACKET_LEN];
        for block in packet.chunks_mut(DIGEST_LEN) {
            let hash = Sha256::new().chain_update(self.seed).chain_update(self.counter.to_be_bytes()).finalize();
            self.counter += 1;
            block.iter_mut().zip(hash).for_each(|(byte, random)| *byte = random);
        }
        packet
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(form: Form, step: usize) -> (Client, Server) {
        let (mut to_server, mut to_client) = (Vec::new(), Vec::new());
        let mut client = Client::new(form, [1; 32], &mut to_server);
        let mut server = Server::new([2; 32]);
        let (mut client_done, mut server_done) = (false, false);
        for _ in 0..10_000 {
            let n = step.min(to_server.len());
            let now: Vec<u8> = to_server.drain(..n).collect();
            let mut rest = &now[..];
            server_done |= server.handle(&mut rest, &mut to_client).unwrap();
            assert!(rest.is_empty());
            let n = step.min(to_client.len());
            let now: Vec<u8> = to_client.drain(..n).collect();
            let mut rest = &now[..];
            client_done |= client.handle(&mut rest, &mut to_server).unwrap();
            assert!(rest.is_empty());
            if client_done && server_done && to_server.is_empty() {
                return (client, server);
            }
        }
        panic!("handshake does not end");
    }

    #[test]
    fn forms_and_fragmentation() {
        for step in [1, 7, 1536, 1537, 5000] {
            for form in [Form::Simple, Form::Digest(Scheme::First), Form::Digest(Scheme::Second)] {
                let (client, server) = run(form, step);
                assert_eq!(server.form(), Some(form));
                assert_eq!(client.verified(), form != Form::Simple);
            }
        }
    }

    /// The digest's place, key and names are those of programs that were not written here.
    #[test]
    fn digests_of_other_programs() {
        let ffmpeg = include_bytes!("../../tests/captures/publisher-ffmpeg-5.1.bin");
        let nginx = include_bytes!("../../tests/captures/publisher-nginx-rtmp-1.2.2.bin");
        for capture in [&ffmpeg[..], nginx] {
            let (mut server, mut out) = (Server::new([0; 32]), Vec::new());
            server.handle(&mut &capture[..1 + PACKET_LEN], &mut out).unwrap();
            assert_eq!(server.form(), Some(Form::Digest(Scheme::First)));
        }
        for capture in [
            &include_bytes!("../../tests/captures/publisher-obs-29.0.bin")[..],
            include_bytes!("../../tests/captures/publisher-gstreamer-1.22.bin"),
            include_bytes!("../../tests/captures/publisher-librtmp-2.4.bin"),
        ] {
            let (mut server, mut out) = (Server::new([0; 32]), Vec::new());
            server.handle(&mut &capture[..1 + PACKET_LEN], &mut out).unwrap();
            assert_eq!(server.form(), Some(Form::Simple));
        }

        // nginx-rtmp's C2 answers the S1 that this seed gives: it found our digest there.
        let (mut server, mut out) = (Server::new([0; 32]), Vec::new());
        server.handle(&mut &nginx[..1 + PACKET_LEN], &mut out).unwrap();
        let packet = |bytes: &[u8]| <[u8; PACKET_LEN]>::try_from(bytes).unwrap();
        let (_, ours) = digest::find(&packet(&out[1..1 + PACKET_LEN]), Role::Server).unwrap();
        assert!(digest::answers(&packet(&nginx[1 + PACKET_LEN..1 + 2 * PACKET_LEN]), &ours, Role::Client));

        // Its S2 answers the C1 that this seed gives, whichever block our digest was in.
        for (scheme, capture) in [
            (Scheme::First, include_bytes!("../../tests/captures/handshake-nginx-rtmp-first.bin")),
            (Scheme::Second, include_bytes!("../../tests/captures/handshake-nginx-rtmp-second.bin")),
        ] {
            let mut client = Client::new(Form::Digest(scheme), [125; 32], &mut Vec::new());
            assert!(client.handle(&mut &capture[..], &mut Vec::new()).unwrap());
            assert!(client.verified());
        }
    }

    #[test]
    fn the_answer_takes_the_scheme_of_the_question() {
        for scheme in [Scheme::First, Scheme::Second] {
            let (mut c01, mut s012, mut c2) = (Vec::new(), Vec::new(), Vec::new());
            let mut client = Client::new(Form::Digest(scheme), [1; 32], &mut c01);
            Server::new([2; 32]).handle(&mut &c01[..], &mut s012).unwrap();
            let s1 = s012[1..1 + PACKET_LEN].try_into().unwrap();
            let (found, theirs) = digest::find(&s1, Role::Server).unwrap();
            assert_eq!(found, scheme);
            client.handle(&mut &s012[..], &mut c2).unwrap();
            assert!(digest::answers(&c2.try_into().unwrap(), &theirs, Role::Client));
        }
    }

    /// §5.2.3: four zero bytes behind the time tell old servers that there is nothing to verify.
    #[test]
    fn the_simple_form_has_version_zero() {
        let (mut c01, mut s012) = (Vec::new(), Vec::new());
        let _ = Client::new(Form::Simple, [1; 32], &mut c01);
        assert_eq!((c01.len(), &c01[..9]), (1 + PACKET_LEN, &[3, 0, 0, 0, 0, 0, 0, 0, 0][..]));
        Server::new([2; 32]).handle(&mut &c01[..], &mut s012).unwrap();
        assert_eq!(s012[..9], c01[..9]);
        assert_eq!(s012[1 + PACKET_LEN..], c01[1..], "S2 repeats C1");
    }

    #[test]
    fn simple_answer_to_a_digest_client_is_taken() {
        let mut c01 = Vec::new();
        let mut client = Client::new(Form::Digest(Scheme::First), [1; 32], &mut c01);
        let mut answer = vec![3];
        answer.extend_from_slice(&[0xab; PACKET_LEN]);
        answer.extend_from_slice(&c01[1..]);
        let (mut rest, mut c2) = (&answer[..], Vec::new());
        assert!(client.handle(&mut rest, &mut c2).unwrap());
        assert_eq!(c2, [0xab; PACKET_LEN], "C2 repeats S1");
        assert!(!client.verified());
    }

    #[test]
    fn other_versions_are_refused_at_the_first_byte() {
        let mut out = Vec::new();
        assert_eq!(Server::new([0; 32]).handle(&mut &b"GET / HTTP"[..], &mut out), Err(ErrorKind::Version(71)));
        assert_eq!(Server::new([0; 32]).handle(&mut &[6][..], &mut out), Err(ErrorKind::Version(6)));
        assert!(out.is_empty());
        assert_eq!(
            Client::new(Form::Simple, [0; 32], &mut out).handle(&mut &b"HTTP"[..], &mut Vec::new()),
            Err(ErrorKind::Version(72))
        );
    }
}
