//! Every file in `appliance/fuzz/seeds`, run through its fuzz target: what the fuzzer starts from, and what it once found.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    unreachable_pub,
    reason = "a test panics where it fails"
)]

#[path = "../../fuzz/src/rtmp.rs"]
mod targets;

fn replay(target: &str, run: fn(&[u8])) {
    let folder = format!("{}/../fuzz/seeds/{target}", env!("CARGO_MANIFEST_DIR"));
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty());
    for file in files {
        // Which one it was, for the one that panics.
        println!("{}", file.display());
        run(&std::fs::read(file).unwrap());
    }
}

#[test]
fn handshake() {
    replay("handshake", targets::handshake);
}

#[test]
fn chunks() {
    replay("chunks", targets::chunks);
}

#[test]
fn amf() {
    replay("amf", targets::amf);
}

#[test]
fn server_session() {
    replay("server_session", targets::server_session);
}

#[test]
fn client_session() {
    replay("client_session", targets::client_session);
}

#[test]
fn url() {
    replay("url", targets::url);
}
