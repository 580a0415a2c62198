//! Files that come from outside, fed with anything: nothing panics, and what opens is what was put in.

use brookbox_store::portable;
use brookbox_vault::Export;
use brookbox_vault::export::Content;

/// An exported file. Its password is not tried: that costs a fraction of a second by design.
pub fn export(data: &[u8]) {
    if Export::parse(data, Content::Profile).is_ok() {
        assert!(data.starts_with(b"BROOKBOX"));
        let mut cut = data.to_vec();
        cut.pop();
        assert!(Export::parse(&cut, Content::Profile).is_err(), "a file that is cut short is damaged");
    }
}

/// What is inside of one.
pub fn profile(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok((name, destinations)) = portable::read_profile(text) else { return };
    let again = portable::write_profile(&name, &destinations).expect("what was read can be written");
    let again = secrecy::ExposeSecret::expose_secret(&again);
    let (same, all) = portable::read_profile(again).expect("what was written can be read");
    assert_eq!((same, all.len()), (name, destinations.len()));
}
