//! OBS Studio, set up by one press: where the person sits who asks, and nowhere else.

use std::net::SocketAddr;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, header};
use brookbox_store::{Input, Store};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::app::App;
use crate::auth::Caller;
use crate::body;
use crate::fields::Fields;
use crate::obs::{self, PORT, Service};
use crate::problem::{Code, Problem};
use crate::security::{self, Connection};
use crate::sentences::Deed;

/// The port for which an RTMP address needs none.
const RTMP_PORT: u16 = 1935;

/// `POST /inputs/{id}/obs` and `…/obs/restore`
#[derive(ToSchema)]
pub(crate) struct ObsAccess {
    /// What OBS shows under *Tools → WebSocket Server Settings → Show Connect Info*: the password alone, or the whole
    /// `obsws://address:port/password`, of which the address is not used. Used once and not kept.
    #[schema(value_type = Option<String>, max_length = 256, write_only)]
    password: Option<SecretString>,
    #[schema(value_type = Option<u16>, minimum = 1, maximum = 65535, default = 4455)]
    port: u16,
    /// Whether OBS starts to stream at once. Only when it is set up.
    #[schema(value_type = Option<bool>, default = false)]
    start: bool,
}

impl ObsAccess {
    fn read(mut fields: Fields) -> Result<Self, Problem> {
        let text = fields.secret("password");
        let (pasted_port, password) = match text {
            Some(text) if text.expose_secret().len() > 256 => {
                fields.error("password", "too_long", "Give at most 256 characters.");
                (None, None)
            }
            Some(text) => pasted(&text),
            None => (None, None),
        };
        let port = fields.number("port", 1..=65_535).and_then(|port| u16::try_from(port).ok());
        let start = fields.flag("start").unwrap_or(false);
        fields.finish()?;
        Ok(Self { password, port: port.or(pasted_port).unwrap_or(PORT), start })
    }
}

/// Port and password out of what was pasted.
fn pasted(text: &SecretString) -> (Option<u16>, Option<SecretString>) {
    let text = text.expose_secret().trim();
    let Some(rest) = text.strip_prefix("obsws://") else { return (None, Some(text.into())) };
    let (authority, password) = rest.split_once('/').unwrap_or((rest, ""));
    let port = authority.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
    (port, Some(password).filter(|password| !password.is_empty()).map(Into::into))
}

/// What OBS sends to now.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ObsDone {
    /// The version of OBS, if it says so.
    #[schema(example = "32.0.1")]
    version: Option<String>,
    /// The server that was put into its settings; `null` after *Put OBS back*.
    #[schema(example = "rtmp://river-street.local/live")]
    server: Option<String>,
    /// Whether what was there before is kept for *Put OBS back*.
    can_restore: bool,
}

/// What is asked for, of which input, and where.
struct Wish {
    access: ObsAccess,
    input: Input,
    target: SocketAddr,
}

impl Wish {
    async fn read(app: &App, connection: Connection, id: String, body: body::Json) -> Result<Self, Problem> {
        let access = ObsAccess::read(body.fields()?)?;
        let input = app.db(move |store| store.input(&id)).await?;
        let target = obs::target(connection, access.port)?;
        Ok(Self { access, input, target })
    }
}

/// Sets up the OBS at the address of whoever asks.
pub(crate) async fn set_up(
    State(app): State<App>,
    caller: Caller,
    connection: Connection,
    headers: HeaderMap,
    Path(id): Path<String>,
    body: body::Json,
) -> Result<Json<ObsDone>, Problem> {
    let Wish { access, input, target } = Wish::read(&app, connection, id, body).await?;
    let server = server(&headers, connection, app.engine.rtmp().port());
    let service = Service::custom(&server, &input.key);
    let name = kept_under(&input.id, connection);
    let found = obs::find(target, access.password.as_ref()).await?;
    // Kept before OBS is changed: were there no room for it, nothing would have happened. Pressed twice, it stays what was
    // there before the first time, also when the page was reached by another name or the key was changed in between.
    let inputs = app.db(Store::inputs).await?;
    let before = &found.before.service;
    if !before.sends_with(inputs.iter().map(|input| &input.key)) && !before.same_server(&service) {
        let kept =
            json!({"address": target.ip(), "service": found.before.service.0.expose_secret()}).to_string().into();
        let name = name.clone();
        app.db(move |store| store.put_secret(&name, &kept)).await?;
    }
    let version = found.before.version.clone();
    found.set(&service, access.start).await?;
    let can_restore = kept(&app, name, connection).await?.is_some();
    let deed = Deed::ObsSetUp { input: &input.id, name: &input.name, address: target.ip() };
    app.note(deed.event(Some(&caller.user.username))).await;
    Ok(Json(ObsDone { version, server: Some(server), can_restore }))
}

/// What is known of the OBS at the address of whoever asks.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ObsKept {
    /// Whether what was there before it was set up is kept for *Put OBS back*.
    can_restore: bool,
}

/// Says whether there is something to be put back.
pub(crate) async fn get(
    State(app): State<App>,
    connection: Connection,
    Path(id): Path<String>,
) -> Result<Json<ObsKept>, Problem> {
    let input = app.db(move |store| store.input(&id)).await?;
    let can_restore = kept(&app, kept_under(&input.id, connection), connection).await?.is_some();
    Ok(Json(ObsKept { can_restore }))
}

/// Puts back what was there before.
pub(crate) async fn restore(
    State(app): State<App>,
    caller: Caller,
    connection: Connection,
    Path(id): Path<String>,
    body: body::Json,
) -> Result<Json<ObsDone>, Problem> {
    let Wish { access, input, target } = Wish::read(&app, connection, id, body).await?;
    let name = kept_under(&input.id, connection);
    let service = kept(&app, name.clone(), connection).await?;
    let service =
        service.ok_or_else(|| Problem::new(Code::NotFound).detail("Nothing is kept for the OBS at this address."))?;
    let found = obs::find(target, access.password.as_ref()).await?;
    let version = found.before.version.clone();
    found.set(&service, false).await?;
    app.db(move |store| store.delete_secret(&name)).await?;
    let deed = Deed::ObsPutBack { input: &input.id, address: target.ip() };
    app.note(deed.event(Some(&caller.user.username))).await;
    Ok(Json(ObsDone { version, server: None, can_restore: false }))
}

/// Each OBS has its own place.
fn kept_under(input: &str, connection: Connection) -> String {
    format!("{}/{}", all_kept_under(input), connection.address())
}

/// Where everything is kept of the OBS that were set up for an input.
pub(crate) fn all_kept_under(input: &str) -> String {
    format!("obs/{input}")
}

/// What is kept of the OBS at this address: somebody's key goes back to where it came from, and nowhere else.
async fn kept(app: &App, name: String, connection: Connection) -> Result<Option<Service>, Problem> {
    let Some(kept) = app.db(move |store| store.secret(&name)).await? else { return Ok(None) };
    let kept: Value = serde_json::from_str(kept.expose_secret()).unwrap_or_default();
    if kept.get("address") != Some(&json!(connection.address())) {
        return Ok(None);
    }
    Ok(kept.get("service").and_then(Value::as_str).map(|service| Service(service.into())))
}

/// The address by which the box was reached, for RTMP: by name if that was one.
fn server(headers: &HeaderMap, connection: Connection, port: u16) -> String {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()?.parse::<Authority>().ok());
    let host = host.filter(|_| !security::host_is_loopback(headers)).map(|host| host.host().to_owned());
    let host = host.unwrap_or_else(|| match connection.local.ip().to_canonical() {
        std::net::IpAddr::V6(address) => format!("[{address}]"),
        address => address.to_string(),
    });
    match port {
        RTMP_PORT => format!("rtmp://{host}/live"),
        port => format!("rtmp://{host}:{port}/live"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_pasted_gives_port_and_password_and_no_address() {
        let of = |text: &str| {
            let (port, password) = pasted(&text.into());
            (port, password.map(|password| password.expose_secret().to_owned()))
        };
        assert_eq!(of("secret"), (None, Some("secret".into())));
        assert_eq!(of("  secret\n"), (None, Some("secret".into())));
        assert_eq!(of("obsws://192.0.2.1:4456/p/q"), (Some(4456), Some("p/q".into())));
        assert_eq!(of("obsws://192.0.2.1:4456"), (Some(4456), None));
        assert_eq!(of("obsws://x:99999/p"), (None, Some("p".into())));
    }

    #[test]
    fn the_box_is_called_as_it_was_reached() {
        let connection = Connection {
            peer: "192.168.1.24:5000".parse().unwrap(),
            local: "192.168.1.40:80".parse().unwrap(),
            secure: false,
        };
        let of = |host: &'static str, port| {
            let headers = [(header::HOST, header::HeaderValue::from_static(host))].into_iter().collect();
            server(&headers, connection, port)
        };
        assert_eq!(of("river-street.local", 1935), "rtmp://river-street.local/live");
        assert_eq!(of("river-street.local:8080", 19350), "rtmp://river-street.local:19350/live");
        assert_eq!(of("192.168.1.40", 1935), "rtmp://192.168.1.40/live");
        assert_eq!(of("[fd12::1]:80", 1935), "rtmp://[fd12::1]/live");
        assert_eq!(of("localhost:8080", 1935), "rtmp://192.168.1.40/live", "what only the box itself can use");
    }
}
