//! The floor of the bench: the simplest honest program that sends one stream of bytes to many places.
//!
//! It takes one connection, reads up to 64 KB at a time and writes what it read to every other connection at once. It
//! knows nothing of RTMP, keeps nothing and cannot do anything else.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [listen, to, count] = &arguments[..] else { return ExitCode::from(64) };
    match copy(listen, to, count.parse().unwrap_or(0)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn copy(listen: &str, to: &str, count: usize) -> std::io::Result<()> {
    let listener = TcpListener::bind(listen)?;
    let mut sinks = Vec::with_capacity(count);
    for _ in 0..count {
        let sink = TcpStream::connect(to)?;
        sink.set_nodelay(true)?;
        sinks.push(sink);
    }
    let (mut source, _) = listener.accept()?;
    let mut buffer = vec![0; 64 << 10];
    loop {
        let count = source.read(&mut buffer)?;
        if count == 0 {
            return Ok(());
        }
        let (bytes, _) = buffer.split_at(count);
        for sink in &mut sinks {
            sink.write_all(bytes)?;
        }
    }
}
