//! The page: which file, how compressed, how long kept.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

mod common;

use std::fs;

use common::{TestBox, raw};
use tempfile::TempDir;

async fn with_page() -> (TestBox, TempDir) {
    let dir = TempDir::new().unwrap();
    let web = dir.path().join("web");
    fs::create_dir_all(web.join("assets")).unwrap();
    for (name, text) in [
        ("index.html", "<!doctype html>page"),
        ("index.html.gz", "gzipped page"),
        ("assets/app-1a2b3c.js", "script"),
        ("assets/app-1a2b3c.js.br", "brotli script"),
        ("assets/app-1a2b3c.js.gz", "gzipped script"),
        ("favicon.svg", "<svg/>"),
        (".secret", "hidden"),
    ] {
        fs::write(web.join(name), text).unwrap();
    }
    fs::write(dir.path().join("outside.txt"), "outside").unwrap();
    let test_box = TestBox::start_with(|config| config.web_dir = Some(web)).await;
    (test_box, dir)
}

async fn get(test_box: &TestBox, path: &str, headers: &str) -> common::Answer {
    let text = format!("GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{headers}\r\n", test_box.http);
    raw(test_box.http, text.as_bytes()).await
}

#[tokio::test]
async fn every_page_is_the_index_and_is_asked_for_again() {
    let (test_box, _dir) = with_page().await;
    for path in ["/", "/setup", "/destinations/abc", "/login?next=/x", "/watch/token-like", "/a/b/c"] {
        let answer = get(&test_box, path, "").await;
        assert_eq!((answer.status, answer.text.as_str()), (200, "<!doctype html>page"), "{path}");
        assert_eq!(answer.header("cache-control"), Some("no-cache"));
        assert_eq!(answer.header("content-type"), Some("text/html"));
        assert!(answer.header("content-security-policy").is_some());
    }
    let compressed = get(&test_box, "/setup", "Accept-Encoding: gzip, br\r\n").await;
    assert_eq!((compressed.text.as_str(), compressed.header("content-encoding")), ("gzipped page", Some("gzip")));
    assert_eq!(compressed.header("content-type"), Some("text/html"));
    let changed = get(&test_box, "/", "").await.header("last-modified").unwrap().to_owned();
    let again = get(&test_box, "/", &format!("If-Modified-Since: {changed}\r\n")).await;
    assert_eq!((again.status, again.text.as_str()), (304, ""));
}

#[tokio::test]
async fn hashed_files_are_kept_for_ever_and_come_compressed() {
    let (test_box, _dir) = with_page().await;
    for (accept, encoding, text) in [
        ("", None, "script"),
        ("Accept-Encoding: gzip\r\n", Some("gzip"), "gzipped script"),
        ("Accept-Encoding: gzip, deflate, br\r\n", Some("br"), "brotli script"),
        ("Accept-Encoding: br;q=0, gzip\r\n", Some("gzip"), "gzipped script"),
    ] {
        let answer = get(&test_box, "/assets/app-1a2b3c.js", accept).await;
        assert_eq!((answer.status, answer.text.as_str()), (200, text), "{accept}");
        assert_eq!(answer.header("content-encoding"), encoding);
        assert_eq!(answer.header("cache-control"), Some("public, max-age=31536000, immutable"));
        assert_eq!(answer.header("content-type"), Some("text/javascript"));
        assert!(answer.header("vary").is_some_and(|vary| vary.eq_ignore_ascii_case("accept-encoding")), "{answer:?}");
    }
    let icon = get(&test_box, "/favicon.svg", "").await;
    assert_eq!((icon.status, icon.header("cache-control")), (200, Some("no-cache")));
}

#[tokio::test]
async fn what_is_not_there_is_not_there() {
    let (test_box, _dir) = with_page().await;
    for path in [
        "/nothing.js",
        "/assets/nothing.js",
        "/assets/",
        "/assets",
        "/play",
        "/play",
        "/play/a/b",
        "/whip/main",
        "/whep/main",
        "/api",
        "/api/v2/status",
        "/api/v1/nothing",
        "/.secret",
        "/%2esecret",
        "/%2Esecret",
        "/assets%2f..%2f.secret",
        "/%5c%2e%2e%5coutside.txt",
        "/../outside.txt",
        "/assets/../../outside.txt",
        "/..%2foutside.txt",
        "/%2e%2e/outside.txt",
        "/assets/%2e%2e/%2e%2e/outside.txt",
        "//etc/passwd",
        "/index.html%00.js",
        "/..\\outside.txt",
    ] {
        let answer = get(&test_box, path, "").await;
        assert!(!answer.text.contains("outside") && !answer.text.contains("hidden"), "{path}: {answer:?}");
        if !path.starts_with("//") && path != "/assets" {
            assert_eq!(answer.status, 404, "{path}: {answer:?}");
            assert_eq!(answer.code(), "not_found", "{path}");
        }
    }
    let wrong = test_box.client().post("/", serde_json::json!({})).await;
    assert_eq!((wrong.status, wrong.code()), (405, "method_not_allowed"));
    let bare = TestBox::start().await;
    assert_eq!(bare.client().get("/").await.code(), "not_found");
}

#[tokio::test]
async fn a_reader_that_stops_reading_is_let_go() {
    let (test_box, dir) = with_page().await;
    fs::write(dir.path().join("web/assets/large.bin"), vec![7; 8 << 20]).unwrap();
    let small = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    small.set_recv_buffer_size(4096).unwrap();
    small.connect(&test_box.http.into()).unwrap();
    let text = format!("GET /assets/large.bin HTTP/1.1\r\nHost: {}\r\n\r\n", test_box.http);
    small.send(text.as_bytes()).unwrap();
    let begun = std::time::Instant::now();
    let client = test_box.client();
    // The one that asks is a connection too.
    while !client.get("/metrics").await.text.contains("\nbrookbox_http_connections 1\n") {
        assert!(begun.elapsed() < std::time::Duration::from_secs(90), "it is still held");
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    }
    assert!(begun.elapsed() > std::time::Duration::from_secs(10), "it had its chance");
}
