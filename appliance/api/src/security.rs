//! What every request passes and every answer carries: sizes, the Host and Origin rules, the security headers.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use axum::http::uri::Authority;
use axum::http::{Method, StatusCode, Version};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::app::App;
use crate::net;
use crate::problem::{Code, Problem};

/// The two ends of a connection and how it came.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Connection {
    pub(crate) peer: SocketAddr,
    pub(crate) local: SocketAddr,
    /// Over TLS.
    pub(crate) secure: bool,
}

impl Connection {
    /// Where the request came from.
    pub(crate) fn address(&self) -> IpAddr {
        net::canonical(self.peer.ip())
    }
}

/// Longest path and query, in bytes.
const URI_BYTES: usize = 8 << 10;
/// Most bytes in a request's headers. hyper's own buffer is a little larger, so that this answer can be given.
const HEADER_BYTES: usize = 16 << 10;
/// Most headers in a request; hyper's own limit is higher for the same reason.
const HEADERS: usize = 100;
/// Longest that a request may take to arrive whole and be answered.
const REQUEST_TIME: Duration = Duration::from_secs(30);

const CSP: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; \
                   media-src 'self' blob:; font-src 'self'; connect-src 'self' ws://127.0.0.1:4455; \
                   worker-src 'self' blob:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'";

/// Headers of every answer.
pub(crate) const HEADERS_ALWAYS: [(HeaderName, HeaderValue); 4] = [
    (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(CSP)),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
];

/// The outermost layer.
pub(crate) async fn guard(State(app): State<App>, request: Request, next: Next) -> Response {
    let is_api = request.uri().path().starts_with("/api/");
    let mut response = match admit(&app, &request) {
        Ok(()) => match tokio::time::timeout(REQUEST_TIME, next.run(request)).await {
            Ok(response) => response,
            Err(_) => Refusal::Closing(Code::RequestTimeout.into()).into_response(),
        },
        Err(refusal) => refusal.into_response(),
    };
    let headers = response.headers_mut();
    for (name, value) in HEADERS_ALWAYS {
        headers.insert(name, value);
    }
    if is_api {
        headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    }
    app.counters.answered(response.status());
    response
}

/// Whether a method changes nothing.
pub(crate) fn is_read(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// Why a request goes no further.
enum Refusal {
    /// Whoever asks by a foreign name learns nothing, not even that this is a Brookbox.
    Silent(StatusCode),
    /// What else the peer has sent is not wanted.
    Closing(Problem),
    Told(Problem),
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let closes = !matches!(self, Self::Told(_));
        let mut response = match self {
            Self::Silent(status) => status.into_response(),
            Self::Closing(problem) | Self::Told(problem) => problem.into_response(),
        };
        if closes {
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

fn admit(app: &App, request: &Request) -> Result<(), Refusal> {
    let host = host(request).map_err(Refusal::Silent)?;
    let connection = connection(request).ok_or_else(|| Refusal::Closing(Code::Internal.into()))?;
    if !host_is_ours(app, &host, connection) {
        return Err(Refusal::Silent(StatusCode::MISDIRECTED_REQUEST));
    }
    check_size(request).map_err(Refusal::Closing)?;
    check_url_for_tokens(request).map_err(Refusal::Told)?;
    if !is_read(request.method()) {
        check_write(app, request, &host, connection).map_err(Refusal::Told)?;
    }
    Ok(())
}

/// The connection a request came on.
pub(crate) fn connection(request: &Request) -> Option<Connection> {
    request.extensions().get::<Connection>().copied()
}

/// The host a request is for (RFC 9112, section 3.2): exactly one Host header, and the same as in an absolute target.
fn host(request: &Request) -> Result<Authority, StatusCode> {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (Some(host), None) => host.to_str().ok().and_then(|host| host.parse::<Authority>().ok()),
        (None, _) if request.version() == Version::HTTP_10 => return Err(StatusCode::MISDIRECTED_REQUEST),
        _ => None,
    };
    let host = host.filter(|host| !host.as_str().contains('@')).ok_or(StatusCode::BAD_REQUEST)?;
    match request.uri().authority() {
        Some(target) if !target.as_str().eq_ignore_ascii_case(host.as_str()) => Err(StatusCode::MISDIRECTED_REQUEST),
        _ => Ok(host),
    }
}

/// Whether a name in the Host header is the box's: against DNS rebinding, where a foreign page's own name leads here.
fn host_is_ours(app: &App, host: &Authority, connection: Connection) -> bool {
    let name = host.host();
    if let Some(address) = literal(name) {
        // The address that the peer used is the box's own: it is the local end of this very connection.
        return address == net::canonical(connection.local.ip()) || app.hosts.allows_address(address);
    }
    name.eq_ignore_ascii_case("localhost") || app.hosts.allows(name) || app.hosts.is_own_name(name)
}

/// The schemes that the page may have been loaded by: the connection's own; and for a host that the configuration allows
/// also HTTPS, which a proxy in front may speak.
fn schemes(app: &App, host: &Authority, connection: Connection) -> &'static [Scheme] {
    let allowed = match literal(host.host()) {
        Some(address) => app.hosts.allows_address(address),
        None => app.hosts.allows(host.host()),
    };
    match (connection.secure, allowed) {
        (true, _) => &[HTTPS],
        (false, true) => &[HTTP, HTTPS],
        (false, false) => &[HTTP],
    }
}

/// An address as it is written in a Host header.
fn literal(name: &str) -> Option<IpAddr> {
    let address = match name.strip_prefix('[').and_then(|name| name.strip_suffix(']')) {
        Some(v6) => IpAddr::V6(v6.parse().ok()?),
        None => IpAddr::V4(name.parse().ok()?),
    };
    Some(net::canonical(address))
}

/// Whether the Host header names this machine itself, as a program on it would write it.
pub(crate) fn host_is_loopback(headers: &HeaderMap) -> bool {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()?.parse::<Authority>().ok());
    host.is_some_and(|host| match literal(host.host()) {
        Some(address) => address.is_loopback(),
        None => host.host().eq_ignore_ascii_case("localhost"),
    })
}

fn check_size(request: &Request) -> Result<(), Problem> {
    if request.uri().path_and_query().is_some_and(|target| target.as_str().len() > URI_BYTES) {
        return Err(Code::UriTooLong.into());
    }
    let headers = request.headers();
    // Four bytes for the colon, the space and the line's end.
    let bytes: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    if headers.len() > HEADERS || bytes > HEADER_BYTES {
        return Err(Code::HeadersTooLarge.into());
    }
    Ok(())
}

/// A token in an address ends up in histories and logs: it is refused even where it would not be read.
fn check_url_for_tokens(request: &Request) -> Result<(), Problem> {
    let query = request.uri().query().unwrap_or_default();
    let named = query.split('&').filter_map(|pair| pair.split('=').next());
    let named = named.into_iter().any(|name| matches!(name, "token" | "access_token" | "api_key"));
    if named || request.uri().path_and_query().is_some_and(|target| target.as_str().contains("bbx_")) {
        return Err(Problem::new(Code::TokenInUrl)
            .detail("Whoever can read a log or a history has this token now: delete it and make a new one."));
    }
    Ok(())
}

/// A write comes from the box's own page, or from a program that shows a token; and it speaks JSON.
fn check_write(app: &App, request: &Request, host: &Authority, connection: Connection) -> Result<(), Problem> {
    let headers = request.headers();
    if bearer(headers).is_none() && !origin_is(headers, host, schemes(app, host, connection)) {
        return Err(Code::BadOrigin.into());
    }
    let type_ = headers.get(header::CONTENT_TYPE).map(|value| value.to_str().unwrap_or_default());
    let json = match type_ {
        Some(type_) => is_json(type_, request.method()),
        None => !has_body(headers),
    };
    if !json || headers.contains_key(header::CONTENT_ENCODING) {
        return Err(Code::UnsupportedMediaType.into());
    }
    Ok(())
}

fn has_body(headers: &HeaderMap) -> bool {
    headers.contains_key(header::TRANSFER_ENCODING)
        || headers.get(header::CONTENT_LENGTH).is_some_and(|length| length.as_bytes() != b"0")
}

fn is_json(type_: &str, method: &Method) -> bool {
    let (essence, parameters) = type_.split_once(';').unwrap_or((type_, ""));
    let essence = essence.trim().to_ascii_lowercase();
    let patch = method == Method::PATCH && essence == "application/merge-patch+json";
    let parameters = parameters.trim().to_ascii_lowercase();
    (essence == "application/json" || patch)
        && matches!(parameters.as_str(), "" | "charset=utf-8" | "charset=\"utf-8\"")
}

/// The token of an `Authorization: Bearer` header, if that is the one such header.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut all = headers.get_all(header::AUTHORIZATION).iter();
    let (scheme, token) = all.next()?.to_str().ok()?.split_once(' ')?;
    (all.next().is_none() && scheme.eq_ignore_ascii_case("bearer")).then(|| token.trim())
}

/// How an origin begins, and the port it means if it names none.
type Scheme = (&'static str, u16);
const HTTP: Scheme = ("http://", 80);
const HTTPS: Scheme = ("https://", 443);

/// Whether the page that asks is the box's own: `Origin` is one of these schemes and the host of this request.
fn origin_is(headers: &HeaderMap, host: &Authority, schemes: &[Scheme]) -> bool {
    let mut origins = headers.get_all(header::ORIGIN).iter();
    let (Some(origin), None) = (origins.next(), origins.next()) else { return false };
    let Ok(origin) = origin.to_str() else { return false };
    schemes.iter().any(|&(scheme, port)| {
        let origin = origin.strip_prefix(scheme).and_then(|origin| origin.parse::<Authority>().ok());
        origin.is_some_and(|origin| {
            !origin.as_str().contains('@')
                && origin.host().eq_ignore_ascii_case(host.host())
                && origin.port_u16().unwrap_or(port) == host.port_u16().unwrap_or(port)
        })
    })
}

/// The same for a socket, whose upgrade is a GET: a page has to be the box's own, a program shows its token.
pub(crate) fn check_upgrade(app: &App, headers: &HeaderMap, connection: Connection) -> Result<(), Problem> {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()?.parse::<Authority>().ok());
    let own = host.is_some_and(|host| origin_is(headers, &host, schemes(app, &host, connection)));
    // A page of another origin is refused whatever it shows; only a program may come without any origin.
    if own || (!headers.contains_key(header::ORIGIN) && bearer(headers).is_some()) {
        return Ok(());
    }
    Err(Code::BadOrigin.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| {
                (HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value).unwrap())
            })
            .collect()
    }

    #[test]
    fn an_origin_is_exact() {
        let is = |origin: &str, host: &str, secure| {
            let schemes = if secure { &[HTTPS] } else { &[HTTP] };
            origin_is(&headers(&[("origin", origin)]), &host.parse().unwrap(), schemes)
        };
        assert!(is("http://brookbox.local", "brookbox.local", false));
        assert!(is("http://brookbox.local", "BROOKBOX.local:80", false));
        assert!(is("http://127.0.0.1:8080", "127.0.0.1:8080", false));
        assert!(is("https://brookbox.local", "brookbox.local", true));
        assert!(is("http://[::1]:8080", "[::1]:8080", false));
        for (origin, host, secure) in [
            ("https://brookbox.local", "brookbox.local", false),
            ("http://brookbox.local", "brookbox.local", true),
            ("http://brookbox.local:8080", "brookbox.local", false),
            ("http://brookbox.local.evil.example", "brookbox.local", false),
            ("http://evil.example", "brookbox.local", false),
            ("http://evil@brookbox.local", "brookbox.local", false),
            ("http://brookbox.local/", "brookbox.local", false),
            ("null", "brookbox.local", false),
            ("", "brookbox.local", false),
        ] {
            assert!(!is(origin, host, secure), "{origin} for {host}");
        }
        let twice = headers(&[("origin", "http://a"), ("origin", "http://a")]);
        assert!(!origin_is(&twice, &"a".parse().unwrap(), &[HTTP]));
    }

    #[test]
    fn json_is_json() {
        for good in ["application/json", "Application/JSON", "application/json; charset=utf-8", "application/json;"] {
            assert!(is_json(good, &Method::POST), "{good}");
        }
        assert!(is_json("application/merge-patch+json", &Method::PATCH));
        for bad in [
            "text/plain",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=application/json",
            "application/json, text/plain",
            "application/json; charset=utf-16",
            "application/merge-patch+json",
            "text/plain; application/json",
            "",
        ] {
            assert!(!is_json(bad, &Method::POST), "{bad}");
        }
    }

    #[test]
    fn addresses_in_host_headers() {
        assert_eq!(literal("127.0.0.1"), Some("127.0.0.1".parse().unwrap()));
        assert_eq!(literal("[::1]"), Some("::1".parse().unwrap()));
        assert_eq!(literal("[::ffff:10.0.0.1]"), Some("10.0.0.1".parse().unwrap()));
        for none in ["::1", "127.1", "0x7f.0.0.1", "2130706433", "localhost", "[localhost]"] {
            assert_eq!(literal(none), None, "{none}");
        }
    }
}
