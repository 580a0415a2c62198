//! Just enough of a WebSocket client to write down what is sent (RFC 6455).

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};

use crate::wait::secs;

/// Larger frames than this are none.
const MOST: u64 = 64 << 20;

/// Writes the binary messages from `path` at `place` (`address:port`) to a file until the socket is closed; gives the code
/// it is closed with.
///
/// # Errors
/// No socket is opened, or it breaks off.
pub fn record(place: &str, path: &str, cookie: &str, to: &Path) -> Result<Option<u16>> {
    const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
    /// What the key of the standard's example is answered with (section 1.3).
    const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
    let mut stream = TcpStream::connect(place)?;
    stream.set_read_timeout(Some(secs(40)))?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {place}\r\nOrigin: http://{place}\r\nCookie: {cookie}\r\nConnection: Upgrade\r\n\
         Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n\r\n"
    )?;
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        ensure!(reader.read_line(&mut head)? > 0, "the answer breaks off: {head}");
    }
    ensure!(head.starts_with("HTTP/1.1 101 "), "{head}");
    ensure!(head.contains(ACCEPT), "the key was not answered: {head}");
    let mut file = File::create(to)?;
    loop {
        let mut start = [0; 2];
        reader.read_exact(&mut start).context("the socket broke off without a goodbye")?;
        ensure!(start[1] & 0x80 == 0, "a server masks nothing (section 5.1)");
        let length = match start[1] {
            126 => u64::from(u16::from_be_bytes(read(&mut reader)?)),
            127 => u64::from_be_bytes(read(&mut reader)?),
            length => length.into(),
        };
        ensure!(length <= MOST, "a frame of {length} bytes");
        let mut payload = Vec::new();
        (&mut reader).take(length).read_to_end(&mut payload)?;
        ensure!(payload.len() as u64 == length, "a frame breaks off");
        match start[0] & 0x0f {
            0 | 2 => file.write_all(&payload)?,
            8 => return Ok(payload.first_chunk().map(|code| u16::from_be_bytes(*code))),
            9 | 10 => {}
            kind => bail!("a frame of kind {kind}"),
        }
    }
}

fn read<const N: usize>(from: &mut impl Read) -> Result<[u8; N]> {
    let mut bytes = [0; N];
    from.read_exact(&mut bytes)?;
    Ok(bytes)
}
