//! People's passwords: Argon2id (RFC 9106), few at a time.

use std::fmt;
use std::sync::{Condvar, Mutex, PoisonError};

use argon2::password_hash::phc;
use argon2::{Algorithm, Argon2, Block, Params, Version};
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::Error;

/// What new passwords are hashed with: 19 MiB, two passes, one lane (OWASP's password storage cheat sheet).
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;
const SALT_LEN: usize = 16;
const HASH_LEN: usize = 32;

/// The most that a hash from outside may ask for.
pub(crate) const MOST_MEMORY_KIB: u32 = 128 * 1024;
pub(crate) const MOST_PASSES: u32 = 4;
pub(crate) const MOST_LANES: u32 = 16;
const MOST_PHC_LEN: usize = 256;
/// Longest password in bytes: 128 characters of four bytes.
const MOST_PASSWORD: usize = 512;

/// Two run, sixteen wait: at 50–200 ms each, the last one waits for a second or two.
static GATE: Gate = Gate::new(2, 16);

/// Hashes a new password with a random salt. Takes tens of milliseconds and 19 MiB, which go back to the system; at
/// most two run at a time in this process.
///
/// # Errors
/// [`Error::TooLong`] above 512 bytes, [`Error::Busy`] if sixteen wait already, [`Error::Memory`], [`Error::Random`].
pub fn hash(password: &SecretString) -> Result<PasswordHash, Error> {
    let password = bytes_of(password)?;
    let mut salt = [0; SALT_LEN];
    getrandom::fill(&mut salt)?;
    let params = Params::new(MEMORY_KIB, PASSES, LANES, Some(HASH_LEN))
        .map_err(|_| Error::PasswordHash("its parameters are impossible"))?;
    let mut out = Zeroizing::new([0; HASH_LEN]);
    argon2id(password, &salt, &params, &mut *out)?;
    let unfit = |_| Error::PasswordHash("its salt or hash has an impossible length");
    let hash = phc::PasswordHash {
        algorithm: argon2::ARGON2ID_IDENT,
        version: Some(Version::V0x13.into()),
        params: phc::ParamsString::try_from(&params)
            .map_err(|_| Error::PasswordHash("its parameters are impossible"))?,
        salt: Some(phc::Salt::new(&salt).map_err(unfit)?),
        hash: Some(phc::Output::new(&*out).map_err(unfit)?),
    };
    PasswordHash::parse(&hash.to_string())
}

/// Whether this is the password behind the hash, with the hash's own parameters. Without a hash (there is no such user)
/// it works as long as with one, and says no: the time does not tell which names exist.
///
/// # Errors
/// [`Error::Busy`] if sixteen wait already, [`Error::Memory`]. A password above 512 bytes is just wrong.
pub fn verify(hash: Option<&PasswordHash>, password: &SecretString) -> Result<bool, Error> {
    let absent = PasswordHash::absent();
    let stored = hash.unwrap_or(&absent);
    let Ok(password) = bytes_of(password) else { return Ok(false) };
    let mut out = Zeroizing::new(vec![0; stored.hash.len()]);
    argon2id(password, &stored.salt, &stored.params, &mut out)?;
    Ok(bool::from(out.ct_eq(&stored.hash)) && hash.is_some())
}

/// An Argon2id hash in the PHC string format, checked: `$argon2id$v=19$m=19456,t=2,p=1$salt$hash`.
#[derive(Clone)]
pub struct PasswordHash {
    text: String,
    params: Params,
    salt: Vec<u8>,
    hash: Vec<u8>,
}

impl PasswordHash {
    /// Reads a hash, which may come from outside: `[owner]` in a configuration file, a backup.
    ///
    /// # Errors
    /// [`Error::PasswordHash`] if it is no Argon2id hash of version 19 with a salt of 8–64 and a hash of 16–64 bytes,
    /// or asks for more than 128 MiB, 4 passes or 16 lanes.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let bad = Error::PasswordHash;
        if text.len() > MOST_PHC_LEN {
            return Err(bad("it is longer than 256 characters"));
        }
        let parsed = phc::PasswordHash::new(text).map_err(|_| bad("it is not in the PHC string format"))?;
        if parsed.algorithm != argon2::ARGON2ID_IDENT {
            return Err(bad("it is not Argon2id"));
        }
        if parsed.version != Some(Version::V0x13.into()) {
            return Err(bad("it is not of Argon2 version 19"));
        }
        let params = Params::try_from(&parsed).map_err(|_| bad("its parameters are wrong or missing"))?;
        if params.m_cost() > MOST_MEMORY_KIB || params.t_cost() > MOST_PASSES || params.p_cost() > MOST_LANES {
            return Err(bad("it asks for more than 128 MiB, 4 passes or 16 lanes"));
        }
        let salt = parsed.salt.ok_or(bad("it has no salt"))?.as_ref().to_vec();
        let hash = parsed.hash.ok_or(bad("it has no hash"))?.as_bytes().to_vec();
        if salt.len() < argon2::MIN_SALT_LEN || !(16..=64).contains(&hash.len()) {
            return Err(bad("its salt is shorter than 8 or its hash not of 16 to 64 bytes"));
        }
        Ok(Self { text: text.to_owned(), params, salt, hash })
    }

    /// The PHC string, for storing. Not for showing.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Stands in for the hash of a user who does not exist.
    fn absent() -> Self {
        let params = Params::new(MEMORY_KIB, PASSES, LANES, Some(HASH_LEN)).unwrap_or_default();
        Self { text: String::new(), params, salt: vec![0; SALT_LEN], hash: vec![0; HASH_LEN] }
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(…)")
    }
}

pub(crate) fn bytes_of(password: &SecretString) -> Result<&[u8], Error> {
    let bytes = password.expose_secret().as_bytes();
    match bytes.len() {
        len if len > MOST_PASSWORD => Err(Error::TooLong { what: "a password", len, most: MOST_PASSWORD }),
        _ => Ok(bytes),
    }
}

pub(crate) fn argon2id(password: &[u8], salt: &[u8], params: &Params, out: &mut [u8]) -> Result<(), Error> {
    let _turn = GATE.enter()?;
    let mut memory = memory(params)?;
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone())
        .hash_password_into_with_memory(password, salt, out, memory.as_mut_slice())
        .map_err(|_| Error::PasswordHash("its parameters are impossible"))
}

/// The working memory. More is reserved than used: above 32 MiB (its largest threshold) the C library maps an
/// allocation by itself and unmaps it when freed, while after the first such free it would take smaller ones from the
/// heap and keep their pages. What is never touched costs nothing.
fn memory(params: &Params) -> Result<Vec<Block>, Error> {
    const MAPPED: usize = 33 << 20;
    let blocks = params.block_count();
    let mut memory = Vec::new();
    memory.try_reserve_exact(blocks.max(MAPPED / Block::SIZE)).map_err(|_| Error::Memory(params.m_cost()))?;
    memory.resize(blocks, Block::new());
    Ok(memory)
}

/// Lets a few in at a time, a bounded number wait, and turns the others away.
struct Gate {
    state: Mutex<GateState>,
    left: Condvar,
    places: usize,
    queue: u64,
}

/// Who waits has a ticket, and places that are left go to the tickets in their order: nobody is overtaken.
struct GateState {
    inside: usize,
    /// The next ticket to be given out …
    next: u64,
    /// … and the next to be let in.
    served: u64,
}

struct Turn<'a>(&'a Gate);

impl Gate {
    const fn new(places: usize, queue: u64) -> Self {
        let state = Mutex::new(GateState { inside: 0, next: 0, served: 0 });
        Self { state, left: Condvar::new(), places, queue }
    }

    fn enter(&self) -> Result<Turn<'_>, Error> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.inside >= self.places {
            let ticket = state.next;
            if ticket - state.served >= self.queue {
                return Err(Error::Busy);
            }
            state.next += 1;
            drop(self.left.wait_while(state, |state| state.served <= ticket).unwrap_or_else(PoisonError::into_inner));
        } else {
            state.inside += 1;
        }
        Ok(Turn(self))
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.served < state.next {
            state.served += 1;
            self.0.left.notify_all();
        } else {
            state.inside -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_password_verifies_and_another_does_not() {
        let stored = hash(&"correct horse".into()).unwrap();
        assert!(stored.as_str().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", stored.as_str());
        assert_ne!(stored.as_str(), hash(&"correct horse".into()).unwrap().as_str(), "the salt is random");
        let again = PasswordHash::parse(stored.as_str()).unwrap();
        assert!(verify(Some(&again), &"correct horse".into()).unwrap());
        assert!(!verify(Some(&again), &"correct horsf".into()).unwrap());
        assert!(!verify(Some(&again), &"x".repeat(600).into()).unwrap());
        assert!(!verify(None, &"correct horse".into()).unwrap());
        assert!(matches!(hash(&"x".repeat(513).into()), Err(Error::TooLong { .. })));
        assert_eq!(format!("{stored:?}"), "PasswordHash(…)");
    }

    /// A vector of the reference implementation (phc-winner-argon2, `src/test.c`), with parameters other than ours.
    #[test]
    fn hashes_of_other_programs_verify() {
        let other = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
        let other = PasswordHash::parse(other).unwrap();
        assert!(verify(Some(&other), &"password".into()).unwrap());
        assert!(!verify(Some(&other), &"Password".into()).unwrap());
    }

    #[test]
    fn a_hash_that_asks_too_much_or_is_none_is_refused() {
        let with = |head: &str| format!("{head}$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc");
        PasswordHash::parse(&with("$argon2id$v=19$m=131072,t=4,p=16")).unwrap();
        for bad in [
            with("$argon2id$v=19$m=131073,t=2,p=1"),
            with("$argon2id$v=19$m=4294967295,t=2,p=1"),
            with("$argon2id$v=19$m=65536,t=5,p=1"),
            with("$argon2id$v=19$m=65536,t=2,p=17"),
            with("$argon2id$v=19$m=1,t=2,p=1"),
            with("$argon2id$v=16$m=65536,t=2,p=1"),
            with("$argon2id$m=65536,t=2,p=1"),
            with("$argon2i$v=19$m=65536,t=2,p=1"),
            with("$argon2d$v=19$m=65536,t=2,p=1"),
            "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ".to_owned(),
            "$argon2id$v=19$m=65536,t=2,p=1".to_owned(),
            "$2y$10$abcdefghijklmnopqrstuv".to_owned(),
            "hunter2".to_owned(),
            String::new(),
            "$".repeat(300),
        ] {
            assert!(matches!(PasswordHash::parse(&bad), Err(Error::PasswordHash(_))), "{bad}");
        }
    }

    #[test]
    fn two_are_inside_a_few_wait_and_the_rest_are_turned_away() {
        let gate = Gate::new(2, 3);
        let (inside, most, refused, passed) =
            (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..40 {
                scope.spawn(|| match gate.enter() {
                    Ok(_turn) => {
                        most.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                        std::thread::sleep(Duration::from_millis(20));
                        inside.fetch_sub(1, Ordering::SeqCst);
                        passed.fetch_add(1, Ordering::SeqCst);
                    }
                    Err(error) => {
                        assert!(matches!(error, Error::Busy));
                        refused.fetch_add(1, Ordering::SeqCst);
                    }
                });
            }
        });
        assert!(most.load(Ordering::SeqCst) <= 2);
        assert!(passed.load(Ordering::SeqCst) >= 5, "two inside and three waiting get through");
        assert_eq!(passed.load(Ordering::SeqCst) + refused.load(Ordering::SeqCst), 40);
        let (first, second) = (gate.enter().unwrap(), gate.enter().unwrap());
        drop((first, second));
        let state = gate.state.lock().unwrap();
        assert_eq!((state.inside, state.next - state.served), (0, 0));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "(\\$argon2id)?(\\$v=[0-9]{1,3})?(\\$[mtp,=0-9]{0,30})?[$A-Za-z0-9+/=]{0,90}") {
            let _ = PasswordHash::parse(&text);
        }
    }
}
