//! Who asks: cookies, tokens, and the rule of the route.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use brookbox_store::{Role, Scope, SignIn, Time, Token, User, WatchLink};
use brookbox_vault::TokenHash;
use secrecy::{ExposeSecret, SecretString};

use crate::access::{Access, role_of};
use crate::app::App;
use crate::body;
use crate::net;
use crate::problem::{Code, Problem};
use crate::security::{self, Connection};
use crate::sockets::Credential;

/// How long a password counts as just entered.
pub(crate) const PASSWORD_RECENT: Duration = Duration::from_secs(600);
/// How long a browser keeps the cookie; the box ends the sign-in by its own rules.
const COOKIE_AGE: Duration = brookbox_store::SIGN_IN_ABSOLUTE;
/// How long a browser keeps the device cookie: the longest that browsers allow.
const DEVICE_AGE: Duration = Duration::from_secs(400 * 86_400);

/// Who asks.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) user: User,
    via: Via,
}

#[derive(Clone, Debug)]
enum Via {
    SignIn(SignIn),
    Token(Token),
}

impl Caller {
    /// The role in force: for a token the lesser of what it was given and what its maker is now.
    pub(crate) fn role(&self) -> Option<Role> {
        match &self.via {
            Via::SignIn(_) => Some(self.user.role),
            Via::Token(token) => {
                let given = token.scopes.iter().filter_map(|&scope| role_of(scope)).max()?;
                Some(given.min(self.user.role))
            }
        }
    }

    /// The sign-in, unless it is a token that asks.
    pub(crate) fn sign_in(&self) -> Option<&SignIn> {
        match &self.via {
            Via::SignIn(sign_in) => Some(sign_in),
            Via::Token(_) => None,
        }
    }

    /// The token, unless it is a person who asks.
    pub(crate) fn token(&self) -> Option<&Token> {
        match &self.via {
            Via::SignIn(_) => None,
            Via::Token(token) => Some(token),
        }
    }

    /// The sign-in of somebody who asks in person.
    pub(crate) fn in_person(&self) -> Result<&SignIn, Problem> {
        self.sign_in().ok_or_else(|| Problem::new(Code::NotAllowed).detail("A token cannot do this; sign in."))
    }

    /// What open sockets are counted and closed by.
    pub(crate) fn credential(&self) -> Credential {
        match &self.via {
            Via::SignIn(sign_in) => Credential::SignIn(*sign_in.id_hash.as_bytes()),
            Via::Token(token) => Credential::Token(*token.hash.as_bytes()),
        }
    }

    /// Whether the caller may use a route with this rule.
    fn may(&self, access: Access) -> Result<(), Problem> {
        let at_least = |role| match self.role() {
            Some(own) if own >= role => Ok(()),
            _ => Err(Problem::new(Code::NotAllowed)),
        };
        match access {
            Access::Open | Access::Claimed => Ok(()),
            Access::Role(role) => at_least(role),
            Access::Watch => at_least(Role::Viewer),
            Access::InPerson(role) => self.in_person().and_then(|_| at_least(role)),
            Access::Fresh(role) => {
                let sign_in = self.in_person()?;
                at_least(role)?;
                if is_recent(sign_in.password_entered_at, Time::now()) {
                    Ok(())
                } else {
                    Err(Code::PasswordNeeded.into())
                }
            }
            Access::Metrics => match self.token() {
                Some(token) if token.scopes.contains(&Scope::Metrics) => Ok(()),
                _ => Err(Problem::new(Code::NotAllowed).detail("This needs a token with the scope `metrics`.")),
            },
        }
    }
}

/// Whether a password was entered in the last ten minutes. A time in the future means that the clock was set: unknown.
fn is_recent(entered: Time, now: Time) -> bool {
    entered <= now && now < entered.after(PASSWORD_RECENT)
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        // Put there by `check`, which every route of the table passes.
        parts.extensions.get::<Self>().cloned().ok_or_else(|| Code::NotSignedIn.into())
    }
}

/// Who watches.
pub(crate) enum Watcher {
    Caller(Box<Caller>),
    Link(Arc<WatchLink>),
}

impl<S: Send + Sync> FromRequestParts<S> for Watcher {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        if let Some(link) = parts.extensions.get::<Arc<WatchLink>>() {
            return Ok(Self::Link(link.clone()));
        }
        let caller = parts.extensions.get::<Caller>().cloned();
        caller.map(|caller| Self::Caller(Box::new(caller))).ok_or_else(|| Code::NotSignedIn.into())
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Connection {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts.extensions.get::<Self>().copied().ok_or_else(|| Code::Internal.into())
    }
}

/// The layer of one route: lets in whom its rule lets in.
pub(crate) async fn check(
    State((app, access, body_bytes)): State<(App, Access, usize)>,
    mut request: Request,
    next: Next,
) -> Response {
    let admitted = match security::connection(&request) {
        // The body, which is not to be shared between threads, stays out of this.
        Some(connection) => admit(&app, access, request.headers(), connection).await,
        None => Err(Code::Internal.into()),
    };
    match admitted {
        Ok(admitted) => {
            match admitted {
                Admitted::Anybody => {}
                Admitted::Caller(caller) => _ = request.extensions_mut().insert(*caller),
                Admitted::Link(link) => _ = request.extensions_mut().insert(link),
            }
            answer(request, next, body_bytes).await
        }
        Err(problem) => problem.into_response(),
    }
}

/// A write that has begun is done to its end, whether or not anybody waits for the answer: what was stored and not told
/// to the engine would differ until the next start. It begins when its body is there.
async fn answer(request: Request, next: Next, body_bytes: usize) -> Response {
    if security::is_read(request.method()) {
        return next.run(request).await;
    }
    let (parts, body) = request.into_parts();
    let body = match body::read(body, body_bytes).await {
        Ok(body) => body,
        Err(problem) => return problem.into_response(),
    };
    let write = next.run(Request::from_parts(parts, Body::from(body)));
    tokio::spawn(write).await.unwrap_or_else(|error| {
        tracing::error!(%error, "a request did not end well");
        Problem::new(Code::Internal).into_response()
    })
}

/// Who was let in.
enum Admitted {
    Anybody,
    Caller(Box<Caller>),
    Link(Arc<WatchLink>),
}

async fn admit(app: &App, access: Access, headers: &HeaderMap, connection: Connection) -> Result<Admitted, Problem> {
    if access == Access::Open {
        return Ok(Admitted::Anybody);
    }
    if access == Access::Metrics && is_from_this_machine(headers, connection) {
        return Ok(Admitted::Anybody);
    }
    if !app.claimed() {
        return Err(Code::NotClaimed.into());
    }
    if !access.needs_caller() {
        return Ok(Admitted::Anybody);
    }
    let caller = match caller(app, headers, connection).await {
        Err(problem) if access == Access::Watch && problem.code() == Code::NotSignedIn => {
            let link = watch_link(app, headers, connection).await?;
            return link.map(|link| Admitted::Link(Arc::new(link))).ok_or(problem);
        }
        caller => caller?,
    };
    caller.may(access)?;
    Ok(Admitted::Caller(Box::new(caller)))
}

/// The watch link that a request's cookie names, for those who may use one.
pub(crate) async fn watch_link(
    app: &App,
    headers: &HeaderMap,
    connection: Connection,
) -> Result<Option<WatchLink>, Problem> {
    let Some(secret) = cookie(headers, watch_cookie(connection.secure)) else { return Ok(None) };
    let hash = TokenHash::of(&secret);
    let found = app.db(move |store| store.watch_link(&hash, Time::now())).await?;
    if found.is_some() {
        check_watch_address(connection)?;
    }
    Ok(found)
}

/// A watch link is for the box's own network.
pub(crate) fn check_watch_address(connection: Connection) -> Result<(), Problem> {
    let address = connection.address();
    if net::is_home(address) || address.is_loopback() {
        return Ok(());
    }
    Err(Problem::new(Code::NotAllowed).detail("A watch link works in the box's own network only."))
}

/// Whether a program on this very machine asks, and not a proxy on it for somebody else.
pub(crate) fn is_from_this_machine(headers: &HeaderMap, connection: Connection) -> bool {
    let forwarded = ["forwarded", "via", "x-real-ip", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"];
    connection.address().is_loopback()
        && security::host_is_loopback(headers)
        && !forwarded.iter().any(|name| headers.contains_key(*name))
}

/// Who asks. A token goes before a cookie: who shows one means it.
async fn caller(app: &App, headers: &HeaderMap, connection: Connection) -> Result<Caller, Problem> {
    let now = Time::now();
    let found = if headers.contains_key(header::AUTHORIZATION) {
        let token = security::bearer(headers).ok_or(Code::NotSignedIn)?;
        let hash = TokenHash::of(&token.into());
        app.db(move |store| store.token(&hash, now)).await?.map(|(token, user)| Caller { user, via: Via::Token(token) })
    } else {
        let hash = session_hash(headers, connection.secure).ok_or(Code::NotSignedIn)?;
        let found = app.db(move |store| store.sign_in(&hash, now)).await?;
        found.map(|(sign_in, user)| Caller { user, via: Via::SignIn(sign_in) })
    };
    found.ok_or_else(|| Code::NotSignedIn.into())
}

/// The hash of the sign-in that a request's cookie names.
fn session_hash(headers: &HeaderMap, secure: bool) -> Option<TokenHash> {
    cookie(headers, session_cookie(secure)).map(|secret| TokenHash::of(&secret))
}

/// The hash of the device that a request's cookie names.
pub(crate) fn device_hash(headers: &HeaderMap, secure: bool) -> Option<TokenHash> {
    cookie(headers, device_cookie(secure)).map(|secret| TokenHash::of(&secret))
}

/// Over https the name itself makes browsers insist on `Secure`, `Path=/` and no `Domain`; cookies of the two do not mix.
const fn session_cookie(secure: bool) -> &'static str {
    if secure { "__Host-brookbox" } else { "brookbox" }
}

const fn device_cookie(secure: bool) -> &'static str {
    if secure { "__Host-brookbox-device" } else { "brookbox-device" }
}

/// This one has a path of its own, which `__Host-` does not allow.
const fn watch_cookie(secure: bool) -> &'static str {
    if secure { "__Secure-brookbox-watch" } else { "brookbox-watch" }
}

/// The first cookie of this name.
fn cookie(headers: &HeaderMap, name: &str) -> Option<SecretString> {
    let pairs = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = pairs.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(found, _)| *found == name).map(|(_, value)| value.into())
}

/// `Set-Cookie` for a new sign-in.
pub(crate) fn set_session(secret: &SecretString, secure: bool) -> (HeaderName, HeaderValue) {
    set_cookie(session_cookie(secure), secret.expose_secret(), COOKIE_AGE, secure)
}

/// `Set-Cookie` that takes the sign-in away.
pub(crate) fn clear_session(secure: bool) -> (HeaderName, HeaderValue) {
    set_cookie(session_cookie(secure), "", Duration::ZERO, secure)
}

/// `Set-Cookie` for a device from which somebody has signed in.
pub(crate) fn set_device(secret: &SecretString, secure: bool) -> (HeaderName, HeaderValue) {
    set_cookie(device_cookie(secure), secret.expose_secret(), DEVICE_AGE, secure)
}

/// `Set-Cookie` for somebody who watches: it reaches nothing but `/play`, and ends with the link.
pub(crate) fn set_watch(secret: &SecretString, link: &WatchLink, secure: bool) -> (HeaderName, HeaderValue) {
    let left = u64::try_from(link.expires_at.as_ms() - Time::now().as_ms()).unwrap_or_default();
    let age = Duration::from_millis(left);
    set_cookie_at(watch_cookie(secure), secret.expose_secret(), "/play", age, secure)
}

fn set_cookie(name: &str, value: &str, age: Duration, secure: bool) -> (HeaderName, HeaderValue) {
    set_cookie_at(name, value, "/", age, secure)
}

fn set_cookie_at(name: &str, value: &str, path: &str, age: Duration, secure: bool) -> (HeaderName, HeaderValue) {
    let secure = if secure { "; Secure" } else { "" };
    let text = format!("{name}={value}; Path={path}; Max-Age={}; HttpOnly; SameSite=Strict{secure}", age.as_secs());
    // Names and values are letters and digits of our own making; were they not, an empty header gives nothing away.
    let mut header = HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(""));
    header.set_sensitive(true);
    (header::SET_COOKIE, header)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_are_as_the_rules_say() {
        let (_, plain) = set_session(&"secret".into(), false);
        assert_eq!(plain, "brookbox=secret; Path=/; Max-Age=7776000; HttpOnly; SameSite=Strict");
        let (_, secure) = set_session(&"secret".into(), true);
        assert_eq!(secure, "__Host-brookbox=secret; Path=/; Max-Age=7776000; HttpOnly; SameSite=Strict; Secure");
        let (_, cleared) = clear_session(false);
        assert_eq!(cleared, "brookbox=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict");
        assert_eq!(format!("{plain:?}"), "Sensitive");
    }

    #[test]
    fn a_cookie_is_found_among_others_by_its_whole_name() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, HeaderValue::from_static("a=b; xbrookbox=no;brookbox-device=dev"));
        headers.append(header::COOKIE, HeaderValue::from_static("brookbox=yes; brookbox=later"));
        assert_eq!(cookie(&headers, "brookbox").unwrap().expose_secret(), "yes");
        assert_eq!(cookie(&headers, "brookbox-device").unwrap().expose_secret(), "dev");
        assert!(cookie(&headers, "__Host-brookbox").is_none());
    }

    #[test]
    fn a_password_is_recent_for_ten_minutes() {
        let entered = Time::from_ms(1_000_000);
        assert!(is_recent(entered, entered));
        assert!(is_recent(entered, Time::from_ms(1_599_999)));
        assert!(!is_recent(entered, Time::from_ms(1_600_000)));
        assert!(!is_recent(entered, Time::from_ms(999_999)), "the clock was set back");
    }
}
