//! `brookboxd healthy`: whether the running daemon does what it is for, asked from outside on every listener.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme, StreamOwned};

use crate::certificate::fingerprint;
use crate::config::Config;
use crate::failure::Failure;
use crate::status::{Status, WRITE, Written};

/// Each answer has to come within this.
const ANSWER: Duration = Duration::from_secs(5);
/// Between two tries.
const PAUSE: Duration = Duration::from_millis(500);
/// No answer that is asked for is longer, in bytes.
const MOST: u64 = 64 << 10;

/// Asks until all is well, at most for `wait`.
pub(crate) fn run(config: &Config, wait: Duration) -> Result<(), Failure> {
    let begun = Instant::now();
    loop {
        match ask(config) {
            Err(_) if begun.elapsed() + PAUSE < wait => std::thread::sleep(PAUSE),
            result => return result,
        }
    }
}

fn ask(config: &Config) -> Result<(), Failure> {
    let path = &config.status_socket;
    let at = |what: &dyn std::fmt::Display| Failure::other(format!("{}: {what}", path.display()));
    let mut stream = UnixStream::connect(path)
        .map_err(|error| at(&error).hint("brookboxd does not run, or with another --data-dir or configuration"))?;
    stream.set_read_timeout(Some(ANSWER)).map_err(|error| at(&error))?;
    let mut lines = BufReader::new(stream.try_clone().map_err(|error| at(&error))?).take(MOST).lines();
    let mut line = || lines.next().unwrap_or_else(|| Err(std::io::ErrorKind::UnexpectedEof.into()));
    let status: Status =
        line().map_err(|error| at(&error)).and_then(|line| serde_json::from_str(&line).map_err(|error| at(&error)))?;
    let listeners = status.listeners;

    let named = |what: &str, error: &dyn std::fmt::Display| Failure::other(format!("{what} does not answer: {error}"));
    http(connect(listeners.http).map_err(|error| named("HTTP", &error))?).map_err(|error| named("HTTP", &error))?;
    if let Some(address) = listeners.https {
        let expected = status.fingerprint.unwrap_or_default();
        connect(address).and_then(|tcp| http(tls(tcp, expected)?)).map_err(|error| named("HTTPS", &error))?;
    }
    connect(listeners.rtmp).and_then(rtmp).map_err(|error| named("RTMP", &error))?;

    stream.write_all(format!("{WRITE}\n").as_bytes()).map_err(|error| at(&error))?;
    // A line in between may tell of a change.
    loop {
        let line = line().map_err(|error| at(&error))?;
        if let Ok(Written { written, wrong }) = serde_json::from_str(&line) {
            let wrong = wrong.unwrap_or_default();
            return if written { Ok(()) } else { Err(Failure::other(format!("no write lasts: {wrong}"))) };
        }
    }
}

fn connect(address: SocketAddr) -> std::io::Result<TcpStream> {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    let stream = TcpStream::connect_timeout(&SocketAddr::new(ip, address.port()), ANSWER)?;
    stream.set_read_timeout(Some(ANSWER))?;
    stream.set_write_timeout(Some(ANSWER))?;
    Ok(stream)
}

/// The API answers, and says that it can work.
fn http(mut stream: impl Read + Write) -> std::io::Result<()> {
    stream.write_all(b"GET /readyz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")?;
    let mut first = [0; 12];
    stream.read_exact(&mut first)?;
    if &first == b"HTTP/1.1 200" { Ok(()) } else { Err(std::io::Error::other(String::from_utf8_lossy(&first))) }
}

/// The first byte of a server's answer to a handshake is its version, 3 (RTMP 1.0, section 5.2.2).
fn rtmp(mut stream: TcpStream) -> std::io::Result<()> {
    let mut hello = vec![0; 1537];
    if let Some(version) = hello.first_mut() {
        *version = 3;
    }
    stream.write_all(&hello)?;
    let mut version = [0];
    stream.read_exact(&mut version)?;
    if version == [3] { Ok(()) } else { Err(std::io::Error::other("no handshake")) }
}

fn tls(tcp: TcpStream, expected: String) -> std::io::Result<StreamOwned<ClientConnection, TcpStream>> {
    let provider = Arc::new(ring::default_provider());
    let verifier = Arc::new(OwnCertificate { expected, provider: provider.clone() });
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(std::io::Error::other)?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").map_err(std::io::Error::other)?;
    let connection = ClientConnection::new(Arc::new(config), name).map_err(std::io::Error::other)?;
    Ok(StreamOwned::new(connection, tcp))
}

/// Takes the very certificate that the daemon says it shows, and no other.
#[derive(Debug)]
struct OwnCertificate {
    expected: String,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for OwnCertificate {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if fingerprint(shown) == self.expected {
            return Ok(ServerCertVerified::assertion());
        }
        Err(rustls::Error::General("another certificate than the daemon's".to_owned()))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
