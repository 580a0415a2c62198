//! Errors as RFC 9457 `application/problem+json`, each with a stable `code`.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

/// Media type of every error.
pub(crate) const MEDIA_TYPE: &str = "application/problem+json";

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $status:ident, $title:literal;)*) => {
        /// The stable code of a [`Problem`].
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        pub(crate) enum Code { $($(#[$doc])* #[serde(rename = $code)] $name,)* }

        impl Code {
            /// Every code, in the order of declaration.
            pub(crate) const ALL: &[Self] = &[$(Self::$name,)*];

            /// As it stands in the answer.
            #[must_use]
            pub(crate) const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// The HTTP status it comes with.
            #[must_use]
            pub(crate) const fn status(self) -> StatusCode {
                match self { $(Self::$name => StatusCode::$status,)* }
            }

            /// One sentence that holds for every occurrence.
            #[must_use]
            pub(crate) const fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }
        }
    };
}

codes! {
    /// The body is no JSON.
    BadJson = "bad_json", BAD_REQUEST, "The body is not JSON.";
    /// The request itself is out of order: a doubled header, an address of the wrong form.
    BadRequest = "bad_request", BAD_REQUEST, "The request is not in order.";
    /// A token was sent in the address, where logs and histories keep it.
    TokenInUrl = "token_in_url", BAD_REQUEST, "A token belongs in the Authorization header, never in an address.";
    /// Nobody is signed in, or the sign-in or token has ended.
    NotSignedIn = "not_signed_in", UNAUTHORIZED, "Sign in first.";
    /// User name or password is wrong.
    WrongPassword = "wrong_password", UNAUTHORIZED, "The user name or the password is wrong.";
    /// The role or the token's scope does not reach.
    NotAllowed = "not_allowed", FORBIDDEN, "Your role or token does not allow this.";
    /// The password was entered more than ten minutes ago.
    PasswordNeeded = "password_needed", FORBIDDEN, "Enter your password again first (POST /me/confirm).";
    /// A write came from another page than the box's own, or without naming one.
    BadOrigin = "bad_origin", FORBIDDEN, "A write needs the box's own Origin or a Bearer token.";
    /// The set-up may not come from this address without the set-up code.
    SetupCodeNeeded = "setup_code_needed", FORBIDDEN, "From this address the set-up needs the code that `brookboxd setup-code` prints.";
    /// The set-up code is wrong, used or too old.
    SetupCodeWrong = "wrong_setup_code", FORBIDDEN, "The set-up code is wrong, used or older than 30 minutes.";
    /// Nobody with a hand on the box has asked for a new password, or not lately, or it is asked for from afar.
    ResetClosed = "password_reset_closed", FORBIDDEN, "A lost password is replaced for 15 minutes after a start with the file brookbox-reset-password, from the local network.";
    /// There is no such thing.
    NotFound = "not_found", NOT_FOUND, "There is no such thing here.";
    /// There is such a path, for other methods.
    MethodNotAllowed = "method_not_allowed", METHOD_NOT_ALLOWED, "This address does not know this method.";
    /// The request took too long to arrive.
    RequestTimeout = "request_timeout", REQUEST_TIMEOUT, "The request took too long.";
    /// Nobody has claimed the box.
    NotClaimed = "not_claimed", CONFLICT, "This box is not set up yet.";
    /// Somebody has claimed the box.
    AlreadyClaimed = "already_claimed", CONFLICT, "This box is set up already.";
    /// The last owner would be gone.
    LastOwner = "last_owner", CONFLICT, "The box needs at least one owner.";
    /// There are as many as the box keeps.
    LimitReached = "limit_reached", CONFLICT, "The box keeps no more of these.";
    /// Something else stands in the way.
    Conflict = "conflict", CONFLICT, "Something else stands in the way.";
    /// The body is larger than any sensible one.
    TooLarge = "too_large", PAYLOAD_TOO_LARGE, "The body is too large.";
    /// The address is longer than any sensible one.
    UriTooLong = "uri_too_long", URI_TOO_LONG, "The address is too long.";
    /// The body is of another type than JSON.
    UnsupportedMediaType = "unsupported_media_type", UNSUPPORTED_MEDIA_TYPE, "The body has to be application/json.";
    /// A field is unknown or wrong; `errors` says which.
    Invalid = "invalid", UNPROCESSABLE_ENTITY, "Some fields are not right.";
    /// The destination lies in the own network or at the box itself, which was not allowed.
    AddressNotAllowed = "address_not_allowed", UNPROCESSABLE_ENTITY, "This address is not allowed for a destination.";
    /// The file was made with another password.
    WrongFilePassword = "wrong_file_password", UNPROCESSABLE_ENTITY, "This is not the password that the file was made with.";
    /// The file is cut short or was changed.
    FileDamaged = "file_damaged", UNPROCESSABLE_ENTITY, "The file is damaged. Get it once more from where it was kept.";
    /// The file is something else.
    FileUnknown = "file_unknown", UNPROCESSABLE_ENTITY, "This is not a file that can be imported here.";
    /// Nothing was done lately that can be undone.
    NothingToUndo = "nothing_to_undo", CONFLICT, "There is nothing to undo.";
    /// Too many attempts; `Retry-After` says how long to wait.
    TooManyAttempts = "too_many_attempts", TOO_MANY_REQUESTS, "Too many attempts. Wait a little.";
    /// Nothing comes in that could be watched.
    NoPicture = "no_picture", CONFLICT, "Nothing is coming in at this input now.";
    /// The watch link was deleted or has expired, or there never was one.
    WatchLinkEnded = "watch_link_ended", NOT_FOUND, "This watch link has ended. Ask for a new one.";
    /// As many watch as may.
    TooManyViewers = "too_many_viewers", TOO_MANY_REQUESTS, "As many people are watching as may.";
    /// Too many live sockets.
    TooManySockets = "too_many_sockets", TOO_MANY_REQUESTS, "Too many live connections are open.";
    /// The header section is larger than any sensible one.
    HeadersTooLarge = "headers_too_large", REQUEST_HEADER_FIELDS_TOO_LARGE, "The request's headers are too large.";
    /// The live socket was asked for without a WebSocket upgrade.
    UpgradeRequired = "upgrade_required", UPGRADE_REQUIRED, "This address speaks WebSocket only.";
    /// The page was reached from where OBS is never set up.
    ObsNotHere = "obs_not_here", CONFLICT, "OBS is set up only on another computer in the box's own network.";
    /// Nothing answers where OBS should.
    ObsUnreachable = "obs_unreachable", BAD_GATEWAY, "OBS does not answer. Switch its WebSocket server on, and allow it in the computer's firewall.";
    /// The password of OBS is wrong or missing.
    ObsWrongPassword = "obs_wrong_password", UNPROCESSABLE_ENTITY, "This is not the password that OBS shows.";
    /// OBS streams: its settings cannot be changed now.
    ObsLive = "obs_live", CONFLICT, "OBS is streaming. Stop the stream in OBS first.";
    /// What answers is not OBS.
    ObsUnexpected = "obs_unexpected", BAD_GATEWAY, "What answered is not an OBS that could be set up.";
    /// Something broke inside the box; the log says what.
    Internal = "internal", INTERNAL_SERVER_ERROR, "Something went wrong inside the box.";
    /// The box is busy; `Retry-After` says when to come back.
    Busy = "busy", SERVICE_UNAVAILABLE, "The box is busy. Try again in a moment.";
    /// The disk is full. Nothing stored was lost; this change was not saved.
    StorageFull = "storage_full", INSUFFICIENT_STORAGE, "The disk is full: make room. This change was not saved.";
    /// The engine has ended; the box is on its way down.
    EngineEnded = "engine_ended", SERVICE_UNAVAILABLE, "The box is shutting down.";
}

/// What is wrong with one field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct FieldError {
    /// The field, with dots for fields inside: `limits.sessions`.
    #[schema(example = "url")]
    pub(crate) field: String,
    /// A stable code.
    #[schema(example = "key_in_url")]
    pub(crate) code: &'static str,
    /// What is wrong and what to do. Never repeats a secret.
    #[schema(example = "The stream key stands in the address. Put it into `key`.")]
    pub(crate) message: String,
}

/// An error, RFC 9457.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Problem {
    /// Always `about:blank`: `code` says what it is.
    #[serde(rename = "type")]
    kind: &'static str,
    /// One sentence that holds for every occurrence of this code.
    title: &'static str,
    /// The HTTP status.
    #[schema(example = 422)]
    status: u16,
    /// What it is, stable.
    #[schema(schema_with = crate::openapi::codes_schema)]
    code: Code,
    /// What happened this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    detail: Option<String>,
    /// Only with `invalid` and `address_not_allowed`: which fields.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    errors: Vec<FieldError>,
    #[serde(skip)]
    retry_after_s: Option<u64>,
}

impl Problem {
    /// A problem with nothing to add to its title.
    #[must_use]
    pub(crate) fn new(code: Code) -> Self {
        Self {
            kind: "about:blank",
            title: code.title(),
            status: code.status().as_u16(),
            code,
            detail: None,
            errors: Vec::new(),
            retry_after_s: None,
        }
    }

    /// Says what happened this time. Never a secret.
    #[must_use]
    pub(crate) fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Adds wrong fields.
    #[must_use]
    pub(crate) fn errors(mut self, errors: Vec<FieldError>) -> Self {
        self.errors = errors;
        self
    }

    /// Says where its wrong fields are: `destinations[2]`.
    #[must_use]
    pub(crate) fn inside(mut self, place: &str) -> Self {
        for error in &mut self.errors {
            error.field = format!("{place}.{}", error.field);
        }
        self
    }

    /// Says when to come back, as `Retry-After`.
    #[must_use]
    pub(crate) fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after_s = Some(seconds.max(1));
        self
    }

    /// The code.
    #[must_use]
    pub(crate) fn code(&self) -> Code {
        self.code
    }

    /// The body alone, for answers that are written without the router.
    pub(crate) fn body(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

impl From<Code> for Problem {
    fn from(code: Code) -> Self {
        Self::new(code)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = (self.code.status(), Json(&self)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = self.retry_after_s {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.code == Code::NotSignedIn {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn codes_are_distinct_and_agree_with_what_is_serialised() {
        let mut seen = BTreeSet::new();
        for &code in Code::ALL {
            assert!(seen.insert(code.as_str()), "{} stands twice", code.as_str());
            assert_eq!(serde_json::to_value(code).unwrap(), code.as_str());
            assert!(code.status().is_client_error() || code.status().is_server_error());
            assert!(code.title().ends_with('.'), "{} is no sentence", code.title());
        }
    }

    #[test]
    fn a_problem_has_its_media_type_and_its_waiting_time() {
        let response = Problem::new(Code::TooManyAttempts).retry_after(0).into_response();
        assert_eq!(response.status(), 429);
        assert_eq!(response.headers()["content-type"], MEDIA_TYPE);
        assert_eq!(response.headers()["retry-after"], "1");
    }
}
