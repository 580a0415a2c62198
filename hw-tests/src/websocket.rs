//! A WebSocket client that writes down what it is sent.

use std::fs::File;
use std::io::Write as _;
use std::net::TcpStream;
use std::path::Path;

use anyhow::{Context as _, Result};
use tungstenite::client::IntoClientRequest as _;
use tungstenite::http::HeaderValue;
use tungstenite::{Message, client};

use crate::wait::secs;

/// Writes the binary messages from `path` at `place` (`address:port`) to a file until the socket is closed; gives the code
/// it is closed with.
///
/// # Errors
/// No socket is opened, or it breaks off.
pub fn record(place: &str, path: &str, cookie: &str, to: &Path) -> Result<Option<u16>> {
    let mut request = format!("ws://{place}{path}").into_client_request()?;
    request.headers_mut().insert("origin", HeaderValue::from_str(&format!("http://{place}"))?);
    request.headers_mut().insert("cookie", HeaderValue::from_str(cookie)?);
    let stream = TcpStream::connect(place)?;
    stream.set_read_timeout(Some(secs(40)))?;
    let (mut socket, _) = client(request, stream).context("no WebSocket")?;
    let mut file = File::create(to)?;
    loop {
        match socket.read().context("the socket broke off without a goodbye")? {
            Message::Binary(bytes) => file.write_all(&bytes)?,
            Message::Close(frame) => return Ok(frame.map(|frame| frame.code.into())),
            _ => {}
        }
    }
}
