//! Targets for `brookbox-board`.

use brookbox_board::first_boot;

/// `brookbox.toml`: whatever stands in it is taken or refused in a sentence, which repeats no value, and what is handed on to
/// the system is one setting for each line.
pub fn first_boot(data: &[u8]) {
    let Some(read) = first_boot::read_bytes(data) else { return };
    match read {
        Ok(file) => {
            for (name, text) in file.for_the_system() {
                assert!(!name.is_empty() && !name.contains('/'), "{name}");
                let whole = text.is_empty() || text.ends_with('\n');
                assert!(whole && !text.contains(['\0', '\r']), "{name}: {text:?}");
                // A name or a key cannot add a line of its own.
                let most = match name {
                    "authorized_keys" => 16,
                    "wifi.nmconnection" => 20,
                    _ => 1,
                };
                assert!(text.lines().count() <= most, "{name}: {text:?}");
            }
        }
        Err(said) => {
            assert!(said.ends_with('.') && said.len() < 400 && !said.contains(['\n', '\r']), "{said:?}");
        }
    }
}
