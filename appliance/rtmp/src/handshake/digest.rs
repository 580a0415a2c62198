//! Signatures in the packets of the digest form.
//!
//! C1 and S1: bytes 0..4 time, 4..8 version (not zero), then two blocks of 764 bytes, one of which holds the digest behind a
//! four-byte field whose bytes, added up modulo 728, give its place. The digest is HMAC-SHA256 over the packet without the
//! digest itself. C2 and S2 end in a digest over the rest, its key made from the digest that is answered.

use super::PACKET_LEN;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

pub(super) const DIGEST_LEN: usize = 32;

const SERVER_NAME: &[u8] = b"Genuine Adobe Flash Media Server 001";
const CLIENT_NAME: &[u8] = b"Genuine Adobe Flash Player 001";
/// The part that both keys share and that only answers (C2, S2) use.
const KEY_TAIL: [u8; 32] = [
    0xf0, 0xee, 0xc2, 0x4a, 0x80, 0x68, 0xbe, 0xe8, 0x2e, 0x00, 0xd0, 0xd1, 0x02, 0x9e, 0x7e, 0x57, 0x6e, 0xec, 0x5d,
    0x2d, 0x29, 0x80, 0x6f, 0xab, 0x93, 0xb8, 0xe6, 0x36, 0xcf, 0xeb, 0x31, 0xae,
];

/// Which of the two blocks holds the digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// The first block: place field at byte 8.
    First,
    /// The second block: place field at byte 772.
    Second,
}

impl Scheme {
    const fn field(self) -> usize {
        match self {
            Self::First => 8,
            Self::Second => 772,
        }
    }
}

/// Who signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Client,
    Server,
}

impl Role {
    fn name(self) -> &'static [u8] {
        match self {
            Self::Client => CLIENT_NAME,
            Self::Server => SERVER_NAME,
        }
    }
}

/// Puts the digest into a C1 or S1 and returns it.
pub(super) fn sign(packet: &mut [u8; PACKET_LEN], scheme: Scheme, role: Role) -> [u8; DIGEST_LEN] {
    let digest = {
        let (before, _, after) = split(packet, scheme);
        hmac(role.name(), &[before, after])
    };
    let place = place(packet, scheme);
    packet.iter_mut().skip(place).zip(digest).for_each(|(byte, signed)| *byte = signed);
    digest
}

/// Finds the digest in a C1 or S1, wherever it is, and checks it.
pub(super) fn find(packet: &[u8; PACKET_LEN], role: Role) -> Option<(Scheme, [u8; DIGEST_LEN])> {
    [Scheme::First, Scheme::Second].into_iter().find_map(|scheme| {
        let (before, digest, after) = split(packet, scheme);
        let digest = <[u8; DIGEST_LEN]>::try_from(digest).ok()?;
        (hmac(role.name(), &[before, after]) == digest).then_some((scheme, digest))
    })
}

/// Puts the digest at the end of a C2 or S2 that answers a packet with the digest `theirs`.
pub(super) fn sign_answer(packet: &mut [u8; PACKET_LEN], theirs: &[u8; DIGEST_LEN], role: Role) {
    if let Some((rest, end)) = packet.split_last_chunk_mut::<DIGEST_LEN>() {
        *end = answer_digest(rest, theirs, role);
    }
}

/// Whether a C2 or S2 answers the packet with the digest `ours`.
pub(super) fn answers(packet: &[u8; PACKET_LEN], ours: &[u8; DIGEST_LEN], role: Role) -> bool {
    packet.split_last_chunk::<DIGEST_LEN>().is_some_and(|(rest, end)| *end == answer_digest(rest, ours, role))
}

fn answer_digest(rest: &[u8], answered: &[u8; DIGEST_LEN], role: Role) -> [u8; DIGEST_LEN] {
    let key = [role.name(), &KEY_TAIL].concat();
    hmac(&hmac(&key, &[answered]), &[rest])
}

fn place(packet: &[u8; PACKET_LEN], scheme: Scheme) -> usize {
    let field = scheme.field();
    let sum: usize = packet.iter().skip(field).take(4).map(|&byte| usize::from(byte)).sum();
    field + 4 + sum % 728
}

/// What is before, in and after the digest. It ends at byte 772 + 4 + 727 + 32 = 1535 at the latest, so nothing is cut.
fn split(packet: &[u8; PACKET_LEN], scheme: Scheme) -> (&[u8], &[u8], &[u8]) {
    let (before, rest) = packet.split_at(place(packet, scheme));
    let (digest, after) = rest.split_at(DIGEST_LEN.min(rest.len()));
    (before, digest, after)
}

fn hmac(key: &[u8], parts: &[&[u8]]) -> [u8; DIGEST_LEN] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}
