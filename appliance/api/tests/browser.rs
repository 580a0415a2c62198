//! What a browser, and whoever pretends to be one, may do: hosts, origins, sizes, patience.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

mod common;

use std::time::{Duration, Instant};

use common::{PATIENCE, TestBox, parse, raw, read_answer};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

const CSP: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; font-src 'self'; connect-src 'self' ws://127.0.0.1:4455; worker-src 'self' blob:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'";

fn request(line: &str, headers: &[&str]) -> Vec<u8> {
    let mut text = format!("{line} HTTP/1.1\r\nConnection: close\r\n");
    for header in headers {
        text.push_str(&format!("{header}\r\n"));
    }
    text.push_str("\r\n");
    text.into_bytes()
}

#[tokio::test]
async fn foreign_names_get_421_and_nothing_else() {
    let test_box = TestBox::start_with(|config| {
        config.own_names = vec!["brookbox.local".into()];
        config.allowed_hosts = vec!["stream.example.org".into(), "192.0.2.33".into(), "2001:db8::33".into()];
    })
    .await;
    let port = test_box.http.port();
    for claimed in [false, true] {
        if claimed {
            test_box.claim().await;
        }
        for path in ["/healthz", "/", "/api/v1/setup", "/assets/x.js", "/metrics", "/nowhere"] {
            for host in [
                "evil.example",
                "127.0.0.1.evil.example",
                "localhost.evil.example",
                "brookbox.local.evil.example",
                "evil-brookbox.local",
                "192.168.1.1",
                "127.0.0.2",
                "[::1]",
                "0.0.0.0",
                "2130706433",
                "0x7f.1",
                "127.1",
                "localhost.",
            ] {
                let answer = raw(test_box.http, &request(&format!("GET {path}"), &[&format!("Host: {host}")])).await;
                assert_eq!((answer.status, answer.text.as_str()), (421, ""), "{host} {path}");
                assert_eq!(answer.header("content-security-policy"), Some(CSP));
                assert!(answer.header("set-cookie").is_none());
            }
        }
        for host in [
            &*format!("127.0.0.1:{port}"),
            "127.0.0.1",
            "localhost",
            "LOCALHOST:80",
            "brookbox.local",
            "BrookBox.Local:8080",
            "stream.example.org",
            "192.0.2.33:8080",
            "[2001:0db8::33]:8080",
        ] {
            let answer = raw(test_box.http, &request("GET /healthz", &[&format!("Host: {host}")])).await;
            assert_eq!((answer.status, answer.body), (200, json!({"status": "ok"})), "{host}");
        }
    }
    let named = raw(test_box.http, &request("GET /healthz", &["Host: river-street.local"])).await;
    assert_eq!(named.status, 200, "the name that was given at the claim");
}

#[tokio::test]
async fn a_host_header_is_there_once_and_agrees_with_the_target() {
    let test_box = TestBox::start().await;
    for (line, headers, status) in [
        ("GET /healthz", &[][..], 400),
        ("GET /healthz", &["Host: localhost", "Host: localhost"], 400),
        ("GET /healthz", &["Host: localhost", "Host: evil.example"], 400),
        ("GET /healthz", &["Host: "], 400),
        ("GET /healthz", &["Host: local host"], 400),
        ("GET /healthz", &["Host: user@localhost"], 400),
        ("GET /healthz", &["Host: localhost/path"], 400),
        ("GET http://evil.example/healthz", &["Host: localhost"], 421),
        ("GET http://localhost/healthz", &["Host: evil.example"], 421),
        ("GET http://localhost/healthz", &["Host: localhost"], 200),
    ] {
        let answer = raw(test_box.http, &request(line, headers)).await;
        assert_eq!(answer.status, status, "{line} {headers:?}");
    }
    let old = raw(test_box.http, b"GET /healthz HTTP/1.0\r\n\r\n").await;
    assert_eq!(old.status, 421);
}

#[tokio::test]
async fn a_proxy_in_front_may_speak_https() {
    let test_box = TestBox::start_with(|config| config.allowed_hosts = vec!["box.example.org".into()]).await;
    let owner = test_box.claim().await;
    let cookie = format!("Cookie: {}={}", owner.cookies[0].0, owner.cookies[0].1);
    let own = test_box.http.to_string();
    for (host, origin, status) in [
        ("box.example.org", "https://box.example.org", 200),
        ("box.example.org", "http://box.example.org", 200),
        ("box.example.org:443", "https://box.example.org", 200),
        ("box.example.org:8443", "https://box.example.org:8443", 200),
        ("box.example.org:80", "https://box.example.org", 403),
        ("box.example.org", "https://box.example.org:8443", 403),
        ("box.example.org", "https://evil.example", 403),
        ("box.example.org", "https://127.0.0.1", 403),
        (&own, &format!("https://{own}"), 403),
    ] {
        let headers = [&format!("Host: {host}"), cookie.as_str(), &format!("Origin: {origin}")];
        let answer = raw(test_box.http, &request("POST /api/v1/broadcast/start", &headers)).await;
        assert_eq!(answer.status, status, "{host} from {origin}");
        // The socket's own check comes before that for the upgrade, which is not asked for here.
        let socket = raw(test_box.http, &request("GET /api/v1/live", &headers)).await;
        assert_eq!(socket.status, if status == 200 { 426 } else { 403 }, "socket: {host} from {origin}");
    }
}

#[tokio::test]
async fn a_proxy_on_this_machine_is_not_this_machine() {
    let test_box = TestBox::start_with(|config| config.allowed_hosts = vec!["box.example.org".into()]).await;
    let body = json!({"username": "stranger", "password": "a long password"}).to_string();
    let length = format!("Content-Length: {}", body.len());
    for (host, forwarded) in [("box.example.org", None), ("localhost", Some("X-Forwarded-For: 203.0.113.7"))] {
        let (host_line, origin) = (format!("Host: {host}"), format!("Origin: http://{host}"));
        let mut headers = vec![host_line.as_str(), &origin, "Content-Type: application/json", &length];
        headers.extend(forwarded);
        let seen = raw(test_box.http, &request("GET /api/v1/setup", &headers[..1])).await;
        assert_eq!(seen.body["codeNeeded"], host != "localhost", "{host}");
        let mut claim = request("POST /api/v1/setup", &headers);
        claim.extend_from_slice(body.as_bytes());
        let answer = raw(test_box.http, &claim).await;
        assert_eq!((answer.status, answer.code()), (403, "setup_code_needed"), "{host}: {answer:?}");
    }
    test_box.claim().await;
}

#[tokio::test]
async fn a_write_needs_the_boxs_own_origin_or_a_token() {
    let (test_box, owner) = TestBox::claimed().await;
    let cookie = format!("{}={}", owner.cookies[0].0, owner.cookies[0].1);
    let host = format!("Host: {}", test_box.http);
    let cookie = format!("Cookie: {cookie}");
    let ask = async |line: &str, origin: Option<&str>| {
        let origin = origin.map(|origin| format!("Origin: {origin}"));
        let mut headers = vec![host.as_str(), cookie.as_str()];
        headers.extend(origin.as_deref());
        raw(test_box.http, &request(line, &headers)).await
    };
    let own = format!("http://{}", test_box.http);
    for origin in [
        None,
        Some("null"),
        Some("http://evil.example"),
        Some("https://127.0.0.1"),
        Some("http://127.0.0.1"),
        Some("http://localhost"),
        Some("http://127.0.0.1:1"),
        Some(""),
    ] {
        for line in ["POST /api/v1/broadcast/start", "DELETE /api/v1/destinations/x", "POST /api/v1/logout", "PUT /x"] {
            let answer = ask(line, origin).await;
            assert_eq!((answer.status, answer.code()), (403, "bad_origin"), "{line} from {origin:?}");
        }
    }
    assert_eq!(ask("POST /api/v1/broadcast/start", Some(&own)).await.status, 200);
    assert_eq!(
        ask("GET /api/v1/inputs", Some("http://evil.example")).await.status,
        200,
        "reading is for the browser to guard"
    );

    let token = test_box.token(&[brookbox_store::Scope::Operate]);
    assert_eq!(token.post("/api/v1/broadcast/start", json!({})).await.status, 200, "a token needs no origin");
    // A token does not lend its freedom to the cookie beside it.
    let mut both = owner.clone();
    (both.origin, both.token) = (false, Some("bbx_wrong".into()));
    assert_eq!(both.post("/api/v1/broadcast/start", json!({})).await.status, 401);
}

#[tokio::test]
async fn no_answer_shares_anything_with_other_origins() {
    let (test_box, owner) = TestBox::claimed().await;
    for (method, path) in
        [("OPTIONS", "/api/v1/inputs"), ("GET", "/api/v1/inputs"), ("GET", "/"), ("TRACE", "/healthz")]
    {
        let text = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nOrigin: http://evil.example\r\nAccess-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: content-type\r\n\r\n",
            test_box.http
        );
        let answer = raw(test_box.http, text.as_bytes()).await;
        assert!(answer.headers.iter().all(|(name, _)| !name.starts_with("access-control")), "{method} {path}");
        assert_eq!(answer.header("content-security-policy"), Some(CSP), "{method} {path}");
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert!(answer.header("strict-transport-security").is_none());
    }
    drop(owner);
}

#[tokio::test]
async fn bodies_are_json_and_nothing_else() {
    let (test_box, owner) = TestBox::claimed().await;
    let send = async |type_: Option<&str>, body: &str| {
        let type_ = type_.map(|type_| format!("Content-Type: {type_}\r\n")).unwrap_or_default();
        let head = owner.credentials();
        let text = format!(
            "POST /api/v1/broadcast/start HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{head}{type_}Content-Length: {}\r\n\r\n{body}",
            test_box.http,
            body.len()
        );
        raw(test_box.http, text.as_bytes()).await
    };
    for type_ in [
        None,
        Some("text/plain"),
        Some("application/x-www-form-urlencoded"),
        Some("multipart/form-data; boundary=x"),
        Some("text/plain;application/json"),
        Some("application/json; charset=utf-16"),
        Some("application/octet-stream"),
    ] {
        let answer = send(type_, "{}").await;
        assert_eq!((answer.status, answer.code()), (415, "unsupported_media_type"), "{type_:?}");
    }
    assert_eq!(send(Some("application/json; charset=UTF-8"), "{}").await.status, 200);
    assert_eq!(send(None, "").await.status, 200, "without a body there is nothing to have a type");

    let broken = owner.clone();
    for (text, code) in
        [("{", "bad_json"), ("{\"a\":}", "bad_json"), ("[]", "invalid"), ("\"x\"", "invalid"), ("null", "invalid")]
    {
        let head = broken.credentials();
        let request = format!(
            "POST /api/v1/destinations HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{head}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{text}",
            test_box.http,
            text.len()
        );
        assert_eq!(raw(test_box.http, request.as_bytes()).await.code(), code, "{text}");
    }
    let deep = format!("{}{}", "[".repeat(30_000), "]".repeat(30_000));
    let answer = broken.send("POST", "/api/v1/destinations", Some(json!({"name": deep}))).await;
    assert_eq!(answer.status, 422);
    let head = broken.credentials();
    let request = format!(
        "POST /api/v1/destinations HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{head}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{deep}",
        test_box.http,
        deep.len()
    );
    assert_eq!(raw(test_box.http, request.as_bytes()).await.code(), "bad_json");
}

#[tokio::test]
async fn what_is_too_large_is_told_so() {
    let (test_box, owner) = TestBox::claimed().await;
    // Just at the limit, just above it, far above it, and without a length that could be believed.
    let padded = |bytes: usize| {
        let frame = "{\"name\":\"\"}".len();
        format!("{{\"name\":\"{}\"}}", "x".repeat(bytes - frame))
    };
    for (bytes, status) in [(64 << 10, 422), ((64 << 10) + 1, 413), (900_000, 413)] {
        let body = padded(bytes);
        for chunked in [false, true] {
            let length = if chunked {
                "Transfer-Encoding: chunked".to_owned()
            } else {
                format!("Content-Length: {}", body.len())
            };
            let head = owner.credentials();
            let mut text = format!(
                "POST /api/v1/destinations HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{head}Content-Type: application/json\r\n{length}\r\n\r\n",
                test_box.http
            );
            if chunked {
                text.push_str(&format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len()));
            } else {
                text.push_str(&body);
            }
            let answer = raw(test_box.http, text.as_bytes()).await;
            assert_eq!(answer.status, status, "{bytes} bytes, chunked {chunked}: {answer:?}");
        }
    }
    let path = format!("/api/v1/inputs?{}", "x".repeat(9 << 10));
    assert_eq!(owner.get(&path).await.code(), "uri_too_long");
    let host = format!("Host: {}", test_box.http);
    let long = format!("X-Long: {}", "x".repeat(17 << 10));
    let answer = raw(test_box.http, &request("GET /healthz", &[&host, &long])).await;
    assert_eq!((answer.status, answer.code()), (431, "headers_too_large"));
    let many: Vec<_> = (0..120).map(|number| format!("X-{number}: y")).collect();
    let mut many: Vec<_> = many.iter().map(String::as_str).collect();
    many.push(&host);
    let answer = raw(test_box.http, &request("GET /healthz", &many)).await;
    assert_eq!((answer.status, answer.code()), (431, "headers_too_large"));
    // Far beyond, the connection just ends; the box does not read on.
    let mut stream = TcpStream::connect(test_box.http).await.unwrap();
    let endless = vec![b'x'; 64 << 10];
    let _ = stream.write_all(b"GET /healthz HTTP/1.1\r\nX: ").await;
    for _ in 0..16 {
        if stream.write_all(&endless).await.is_err() {
            break;
        }
    }
    let answer = read_answer(&mut stream).await;
    assert!(matches!(answer.status, 0 | 400 | 431), "{answer:?}");
}

#[tokio::test]
async fn a_token_in_an_address_is_refused() {
    let (test_box, owner) = TestBox::claimed().await;
    for path in
        ["/api/v1/inputs?token=x", "/api/v1/inputs?access_token=bbx_y", "/api/v1/live?since=bbx_abc", "/bbx_abc"]
    {
        let answer = owner.get(path).await;
        assert_eq!((answer.status, answer.code()), (400, "token_in_url"), "{path}");
    }
    drop(test_box);
}

#[tokio::test]
async fn two_ways_of_saying_where_a_body_ends_hide_no_second_request() {
    let (test_box, owner) = TestBox::claimed().await;
    let head = owner.credentials();
    let hidden = "POST /api/v1/broadcast/stop HTTP/1.1\r\nHost: localhost\r\n\r\n";
    for framing in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Transfer-Encoding: identity\r\nContent-Length: 5\r\n",
        "Content-Length: +5\r\n",
        "Content-Length: 5, 5\r\n",
        "Content-Length : 5\r\n",
        "Transfer-Encoding : chunked\r\n",
        " Content-Length: 5\r\n",
        "X: y\r\n folded: z\r\n",
    ] {
        let text = format!(
            "POST /api/v1/broadcast/start HTTP/1.1\r\nHost: {}\r\n{head}Content-Type: application/json\r\n{framing}\r\n0\r\n\r\n{hidden}",
            test_box.http
        );
        let mut stream = TcpStream::connect(test_box.http).await.unwrap();
        stream.write_all(text.as_bytes()).await.unwrap();
        let _ = stream.shutdown().await;
        let mut all = Vec::new();
        let _ = timeout(PATIENCE, stream.read_to_end(&mut all)).await.unwrap();
        // What is hidden has neither origin nor cookie: were it taken for a request, the box would still refuse it.
        assert!(!test_box.engine.snapshot().broadcast.stopped, "{framing}");
        let first = parse(&all).status;
        assert!(matches!(first, 0 | 200 | 400 | 415 | 422), "{framing}: {first}");
    }
}

#[tokio::test]
async fn those_who_take_their_time_do_not_keep_others_out() {
    let test_box = TestBox::start().await;
    // Heads that never end, by the hundred.
    let mut slow = Vec::new();
    for _ in 0..300 {
        let mut stream = TcpStream::connect(test_box.http).await.unwrap();
        stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: ").await.unwrap();
        slow.push(stream);
    }
    let begun = Instant::now();
    assert_eq!(test_box.client().get("/healthz").await.status, 200);
    assert!(begun.elapsed() < Duration::from_secs(2));
    // One byte now and then does not keep such a connection open.
    let mut one = slow.pop().unwrap();
    let begun = Instant::now();
    let gone = timeout(Duration::from_secs(25), async {
        loop {
            tokio::time::sleep(Duration::from_millis(500)).await;
            let mut byte = [0];
            if one.write_all(b"x").await.is_err() || matches!(one.try_read(&mut byte), Ok(0)) {
                return;
            }
        }
    });
    gone.await.expect("the box closes it");
    assert!(begun.elapsed() > Duration::from_secs(5), "it had its chance");
}

#[tokio::test]
async fn a_body_that_never_comes_is_not_waited_for_for_ever() {
    let (test_box, owner) = TestBox::claimed().await;
    let text = format!(
        "POST /api/v1/destinations HTTP/1.1\r\nHost: {}\r\n{}Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{{",
        test_box.http,
        owner.credentials()
    );
    let mut stream = TcpStream::connect(test_box.http).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut all = Vec::new();
    let _ = timeout(Duration::from_secs(40), stream.read_to_end(&mut all)).await.expect("an end");
    let answer = parse(&all);
    assert_eq!((answer.status, answer.code()), (408, "request_timeout"));
}

#[tokio::test]
async fn one_connection_too_many_is_told_so() {
    let test_box = TestBox::start().await;
    let mut open = Vec::new();
    for _ in 0..512 {
        open.push(TcpStream::connect(test_box.http).await.unwrap());
    }
    let mut answer = None;
    for _ in 0..50 {
        // The box accepts one after the other: the last ones may still wait in the system's queue.
        let mut stream = TcpStream::connect(test_box.http).await.unwrap();
        answer = Some(read_answer(&mut stream).await);
        if answer.as_ref().unwrap().status == 503 {
            break;
        }
    }
    let answer = answer.unwrap();
    assert_eq!((answer.status, answer.code()), (503, "busy"));
    assert_eq!(answer.header("content-security-policy"), Some(CSP));
    drop(open);
    common::eventually("room again", async || {
        let mut stream = TcpStream::connect(test_box.http).await.unwrap();
        let _ = stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await;
        read_answer(&mut stream).await.status == 200
    })
    .await;
}

#[tokio::test]
async fn noise_is_not_answered_with_anything_but_an_error() {
    let test_box = TestBox::start().await;
    for noise in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
        b"\x03\x00\x00\x00\x00\x00\x00\x00\x00",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\nHost: localhost\r\n\r\n",
        b"GET /\x00 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: \x00\r\n\r\n",
        b"CONNECT localhost:1 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        b"GET /%ff%fe HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        b"GET /api/v1/inputs/%ff HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        b"\r\n\r\n\r\n\r\n",
        b"",
    ] {
        let mut stream = TcpStream::connect(test_box.http).await.unwrap();
        stream.write_all(noise).await.unwrap();
        let _ = stream.shutdown().await;
        let answer = read_answer(&mut stream).await;
        assert!(answer.status == 0 || answer.status >= 400, "{noise:?}: {answer:?}");
    }
    assert_eq!(test_box.client().get("/healthz").await.status, 200);
}

#[tokio::test]
async fn a_connection_serves_one_request_after_the_other() {
    let (test_box, owner) = TestBox::claimed().await;
    let mut stream = TcpStream::connect(test_box.http).await.unwrap();
    let host = format!("Host: {}\r\n", test_box.http);
    let cookies = owner.credentials();
    // Two at once, then one more, with a body between.
    let text = format!(
        "GET /api/v1/me HTTP/1.1\r\n{host}{cookies}\r\n\
         POST /api/v1/broadcast/start HTTP/1.1\r\n{host}{cookies}Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{{}}\
         HEAD /api/v1/inputs HTTP/1.1\r\n{host}{cookies}Connection: close\r\n\r\n"
    );
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut all = String::new();
    timeout(PATIENCE, stream.read_to_string(&mut all)).await.unwrap().unwrap();
    let answers: Vec<_> = all.split("HTTP/1.1 ").skip(1).collect();
    assert_eq!(answers.len(), 3, "{all}");
    assert!(answers.iter().all(|answer| answer.starts_with("200 ")), "{all}");
    assert!(answers[1].contains("\"started\":true"));
    assert!(answers[2].ends_with("\r\n\r\n"), "HEAD has no body");
    assert!(answers[2].contains("content-length: ") && answers[2].contains("cache-control: no-store"));
}
