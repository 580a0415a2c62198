//! Files that leave the box, encrypted by a password: what was exported on one box is imported on another.
//!
//! | bytes | what |
//! | --- | --- |
//! | 8 | `BROOKBOX` |
//! | 1 | format, 1 |
//! | 1 | what is inside: 1 a profile |
//! | 4, 4, 4 | Argon2id (RFC 9106): memory in KiB, passes, lanes; big-endian |
//! | 16 | salt |
//! | 12 | nonce |
//! | n + 16 | AES-256-GCM (NIST SP 800-38D) of the content and its tag; all that stands before is authenticated with it |
//! | 32 | SHA-256 of all that stands before |
//!
//! The checksum tells a damaged file from a wrong password. It protects from nobody: that is what the tag is for, and a file
//! that was changed on purpose is as good as one with another password.

use aes_gcm::aead::{Aead, Payload};
use aes_gcm::{Aes256Gcm, Key, KeyInit, Nonce};
use argon2::Params;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::Error;
use crate::password::{self, MOST_LANES, MOST_MEMORY_KIB, MOST_PASSES};

/// Largest file, in bytes.
pub const MOST_EXPORT: usize = 1 << 20;

const MAGIC: &[u8; 8] = b"BROOKBOX";
const FORMAT: u8 = 1;
const SALT_LEN: usize = 16;
const NONCE_LEN: usize = 12;
const TAG_LEN: usize = 16;
const SUM_LEN: usize = 32;
const HEAD_LEN: usize = MAGIC.len() + 2 + 12 + SALT_LEN + NONCE_LEN;
/// What new files are made with: the second choice of RFC 9106 (section 4) with one lane. A file may be tried at leisure by
/// whoever finds it, so it costs more than a sign-in.
const MEMORY_KIB: u32 = 64 << 10;
const PASSES: u32 = 3;
const LANES: u32 = 1;

/// What is inside of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// A profile.
    Profile = 1,
}

/// Why a file is not read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// It is some other file.
    #[error("this is not a file that a Brookbox has exported")]
    Foreign,
    /// It is of a newer program, or holds something else.
    #[error("this file is of a newer Brookbox, or holds something else than is asked for")]
    Unknown,
    /// It is cut short, or bytes of it have changed.
    #[error("this file is damaged")]
    Damaged,
    /// The password is not the one it was made with.
    #[error("the password is wrong")]
    WrongPassword,
    /// Something else went wrong, that has nothing to do with the file.
    #[error(transparent)]
    Vault(#[from] Error),
}

/// An exported file that is whole and waits for its password.
pub struct Export<'a> {
    head: &'a [u8],
    params: Params,
    salt: &'a [u8],
    nonce: [u8; NONCE_LEN],
    sealed: &'a [u8],
}

impl<'a> Export<'a> {
    /// Takes a file apart. Costs next to nothing, whatever the file says of itself.
    ///
    /// # Errors
    /// [`ExportError::Foreign`], [`ExportError::Unknown`], [`ExportError::Damaged`].
    pub fn parse(file: &'a [u8], content: Content) -> Result<Self, ExportError> {
        let rest = file.strip_prefix(MAGIC).ok_or(ExportError::Foreign)?;
        let (&[format, kind], rest) = rest.split_first_chunk().ok_or(ExportError::Damaged)?;
        if format != FORMAT {
            return Err(ExportError::Unknown);
        }
        let (body, sum) = file.split_last_chunk::<SUM_LEN>().ok_or(ExportError::Damaged)?;
        if file.len() > MOST_EXPORT || Sha256::digest(body).as_slice() != sum {
            return Err(ExportError::Damaged);
        }
        if kind != content as u8 {
            return Err(ExportError::Unknown);
        }
        let (numbers, rest) = rest.split_first_chunk::<12>().ok_or(ExportError::Damaged)?;
        let (salt, rest) = rest.split_at_checked(SALT_LEN).ok_or(ExportError::Damaged)?;
        let (nonce, _) = rest.split_first_chunk::<NONCE_LEN>().ok_or(ExportError::Damaged)?;
        let (head, sealed) = body.split_at_checked(HEAD_LEN).ok_or(ExportError::Damaged)?;
        if sealed.len() < TAG_LEN {
            return Err(ExportError::Damaged);
        }
        Ok(Self { head, params: params(numbers)?, salt, nonce: *nonce, sealed })
    }

    /// Decrypts it. Takes a fraction of a second and as much memory as the file asks for, at most 128 MiB.
    ///
    /// # Errors
    /// [`ExportError::WrongPassword`]; [`ExportError::Vault`] with [`Error::Busy`] or [`Error::Memory`].
    pub fn open(&self, password: &SecretString) -> Result<SecretString, ExportError> {
        let cipher = cipher(password, self.salt, &self.params)?;
        let payload = Payload { msg: self.sealed, aad: self.head };
        let plain = cipher.decrypt(&Nonce::from(self.nonce), payload).map_err(|_| ExportError::WrongPassword)?;
        let plain = Zeroizing::new(plain);
        // Whoever could make this knew the password, and still wrote no text.
        let text = std::str::from_utf8(&plain).map_err(|_| ExportError::Damaged)?;
        Ok(text.into())
    }
}

/// Makes a file. Takes a fraction of a second and 64 MiB, which go back to the system.
///
/// # Errors
/// [`Error::TooLong`] if the file would be larger than [`MOST_EXPORT`]; [`Error::Busy`], [`Error::Memory`],
/// [`Error::Random`].
pub fn seal(content: Content, text: &SecretString, password: &SecretString) -> Result<Vec<u8>, Error> {
    let plain = text.expose_secret().as_bytes();
    let most = MOST_EXPORT - HEAD_LEN - TAG_LEN - SUM_LEN;
    let too_long = Error::TooLong { what: "the content", len: plain.len(), most };
    if plain.len() > most {
        return Err(too_long);
    }
    let (mut salt, mut nonce) = ([0; SALT_LEN], [0; NONCE_LEN]);
    getrandom::fill(&mut salt)?;
    getrandom::fill(&mut nonce)?;
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None)
        .map_err(|_| Error::PasswordHash("its parameters are impossible"))?;
    let numbers = [MEMORY_KIB, PASSES, LANES].map(u32::to_be_bytes).concat();
    let mut file = [MAGIC.as_slice(), &[FORMAT, content as u8], &numbers, &salt, &nonce].concat();
    let payload = Payload { msg: plain, aad: &file };
    let sealed = cipher(password, &salt, &params)?.encrypt(&Nonce::from(nonce), payload).map_err(|_| too_long)?;
    file.extend(sealed);
    let sum = Sha256::digest(&file);
    file.extend_from_slice(&sum);
    Ok(file)
}

/// What a file asks for, if it is within bounds.
fn params(numbers: &[u8; 12]) -> Result<Params, ExportError> {
    let mut numbers = numbers.chunks_exact(4).map(|four| four.iter().fold(0, |n, &byte| n << 8 | u32::from(byte)));
    let (memory, passes, lanes) =
        (numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default());
    if memory > MOST_MEMORY_KIB || passes > MOST_PASSES || lanes > MOST_LANES {
        return Err(ExportError::Unknown);
    }
    Params::new(memory, passes, lanes, None).map_err(|_| ExportError::Damaged)
}

fn cipher(password: &SecretString, salt: &[u8], params: &Params) -> Result<Aes256Gcm, Error> {
    let mut key = Zeroizing::new([0; 32]);
    password::argon2id(password::bytes_of(password)?, salt, params, &mut *key)?;
    Ok(Aes256Gcm::new(<&Key<Aes256Gcm>>::from(&*key)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TEXT: &str = r#"[{"name":"Club","key":"canary-key"}]"#;

    /// A file that costs little to open, with parameters of one's own.
    fn file(numbers: [u32; 3], password: &str) -> Vec<u8> {
        let numbers = numbers.map(u32::to_be_bytes).concat();
        let mut file = [MAGIC.as_slice(), &[FORMAT, 1], &numbers, &[7; SALT_LEN], &[9; NONCE_LEN]].concat();
        let params = params(&numbers.try_into().unwrap()).unwrap_or_default();
        let payload = Payload { msg: TEXT.as_bytes(), aad: &file };
        let cipher = cipher(&password.into(), &[7; SALT_LEN], &params).unwrap();
        file.extend(cipher.encrypt(&Nonce::from([9; NONCE_LEN]), payload).unwrap());
        signed(file)
    }

    fn signed(mut file: Vec<u8>) -> Vec<u8> {
        file.extend_from_slice(&Sha256::digest(&file));
        file
    }

    fn open(file: &[u8], password: &str) -> Result<SecretString, ExportError> {
        Export::parse(file, Content::Profile)?.open(&password.into())
    }

    #[test]
    fn what_is_exported_opens_with_its_password_alone() {
        let file = seal(Content::Profile, &TEXT.into(), &"correct horse".into()).unwrap();
        assert_eq!(open(&file, "correct horse").unwrap().expose_secret(), TEXT);
        assert!(matches!(open(&file, "correct horsf"), Err(ExportError::WrongPassword)));
        assert!(!file.windows(6).any(|window| window == b"canary"));
        assert_ne!(file, seal(Content::Profile, &TEXT.into(), &"correct horse".into()).unwrap());
        let long = "x".repeat(MOST_EXPORT);
        assert!(matches!(seal(Content::Profile, &long.into(), &"p".into()), Err(Error::TooLong { .. })));
    }

    #[test]
    fn damaged_foreign_newer_and_wrong_are_told_apart() {
        let good = file([64, 1, 1], "correct horse");
        assert_eq!(open(&good, "correct horse").unwrap().expose_secret(), TEXT);
        assert!(matches!(open(&good, "wrong"), Err(ExportError::WrongPassword)));
        assert!(matches!(open(b"PK\x03\x04 a zip file", "x"), Err(ExportError::Foreign)));
        assert!(matches!(open(b"", "x"), Err(ExportError::Foreign)));
        for len in 8..good.len() {
            assert!(matches!(open(&good[..len], "correct horse"), Err(ExportError::Damaged)), "{len}");
        }
        for at in 10..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 0x10;
            assert!(matches!(open(&bad, "correct horse"), Err(ExportError::Damaged)), "{at}");
        }
        let mut newer = good.clone();
        newer[8] = 2;
        assert!(matches!(open(&newer, "correct horse"), Err(ExportError::Unknown)));
        let mut other = good[..good.len() - SUM_LEN].to_vec();
        other[9] = 2;
        assert!(matches!(open(&signed(other), "correct horse"), Err(ExportError::Unknown)));
        // Changed by somebody who knows how to make a checksum: no password opens it.
        let mut forged = good[..good.len() - SUM_LEN].to_vec();
        *forged.last_mut().unwrap() ^= 1;
        assert!(matches!(open(&signed(forged), "correct horse"), Err(ExportError::WrongPassword)));
    }

    #[test]
    fn a_file_that_asks_too_much_is_refused_before_it_costs_anything() {
        let with = |numbers: [u32; 3]| {
            let mut file = file([64, 1, 1], "x");
            file[10..22].copy_from_slice(&numbers.map(u32::to_be_bytes).concat());
            let cut = file.len() - SUM_LEN;
            signed(file[..cut].to_vec())
        };
        for numbers in [[131_073, 1, 1], [u32::MAX, 1, 1], [64, 5, 1], [64, 1, 17]] {
            let refused = Export::parse(&with(numbers), Content::Profile).err();
            assert!(matches!(refused, Some(ExportError::Unknown)), "{numbers:?}");
        }
        for numbers in [[0, 1, 1], [64, 0, 1], [64, 1, 0], [8, 1, 4]] {
            let refused = Export::parse(&with(numbers), Content::Profile).err();
            assert!(matches!(refused, Some(ExportError::Damaged)), "{numbers:?}");
        }
    }

    /// A file as the first version wrote it: whatever changes, it must open.
    #[test]
    fn the_format_stays() {
        let file = include_bytes!("../testdata/export-1.bin");
        assert_eq!(open(file, "correct horse").unwrap().expose_secret(), TEXT);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(head in any::<bool>(), bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let file = if head { signed([MAGIC.as_slice(), &[FORMAT, 1], &bytes].concat()) } else { bytes };
            let _ = Export::parse(&file, Content::Profile);
        }
    }
}
