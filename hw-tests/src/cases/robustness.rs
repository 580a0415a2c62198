//! Hostile and broken peers: none panics, hangs or exhausts the box, or keeps the real publisher out.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use nix::sys::socket::{self, AddressFamily, SockFlag, SockType, SockaddrIn};

use super::{BROADCAST_KEY, compare_file};
use crate::bed::Ctx;
use crate::daemon::Daemon;
use crate::fault::{Fault, Faulty};
use crate::frames::Part;
use crate::media::Clip;
use crate::peers::Recorder;
use crate::peers::ffmpeg::Publisher;
use crate::peers::nginx::NginxRtmp;
use crate::procfs;
use crate::runner::Case;
use crate::tap::{self, Tap};
use crate::wait::secs;
use crate::wire::{Amf, HANDSHAKE, Message, Wire, chunks, encode, kind};

pub(super) const CASES: &[Case] = &[
    Case::new("robustness/nasty input while a stream runs", nasty_beside_a_stream),
    Case::new("robustness/each nasty peer costs less than 2 MB", nasty_memory),
    Case::new("robustness/two thousand half-open handshakes and the publisher gets in", half_open),
    Case::new("robustness/one byte per second and the publisher gets in", slow_bytes),
    Case::new("robustness/a nasty publisher with the right key", nasty_with_key),
    Case::new("robustness/random bytes", random_bytes),
    Case::new("robustness/an endless flood from a stranger", endless_flood).timing(),
    Case::new("robustness/a destination server that floods", flooding_server),
];

/// What a stranger can send after the handshake.
fn nasty_inputs() -> Vec<(&'static str, Vec<u8>)> {
    let command = |values: &[Amf]| Message { kind: kind::COMMAND, stream_id: 0, timestamp: 0, body: encode(values) };
    let raw = |kind, body: Vec<u8>| Message { kind, stream_id: 0, timestamp: 0, body };
    let as_chunks = |message: &Message| chunks(3, message, 128);
    let deep = {
        // connect, 1, then an object in an object in an object …, 200,000 deep, cut into whole chunks of 128 bytes.
        let mut body = encode(&[Amf::text("connect"), Amf::Number(1.0)]);
        for _ in 0..200_000 {
            body.extend_from_slice(&[3, 0, 1, b'a']);
        }
        as_chunks(&raw(kind::COMMAND, body))
    };
    let counts = {
        let mut body = encode(&[Amf::text("connect"), Amf::Number(1.0)]);
        body.extend_from_slice(&[10, 0xff, 0xff, 0xff, 0xff]);
        let mut all = as_chunks(&raw(kind::COMMAND, body));
        let mut body = encode(&[Amf::text("connect"), Amf::Number(1.0)]);
        body.extend_from_slice(&[8, 0xff, 0xff, 0xff, 0xff, 0, 3, b'a', b'b', b'c']);
        all.extend(as_chunks(&raw(kind::COMMAND, body)));
        all
    };
    let number = |value: u32| value.to_be_bytes().to_vec();
    let many_streams: Vec<u8> = (64..4000_u32)
        .flat_map(|csid| {
            let [high, low] = [(csid - 64) >> 8, (csid - 64) & 255].map(|n| u8::try_from(n).expect("a byte"));
            // A message of 60,000 bytes is begun on each of thousands of chunk streams.
            let mut chunk = vec![1, low, high, 0, 0, 0, 0, 0xea, 0x60, 9, 1, 0, 0, 0];
            chunk.extend([0; 128]);
            chunk
        })
        .collect();
    vec![
        ("16 MB announced and never sent", vec![3, 0, 0, 0, 0xff, 0xff, 0xff, 20, 0, 0, 0, 0, 2, 0]),
        ("many chunk streams begun", many_streams),
        ("a chunk of format 3 on a new stream", vec![0xc5; 4000]),
        ("a chunk of format 1 on a new stream", vec![0x45, 0, 0, 1, 0, 0, 9, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9]),
        ("zero chunk size", chunks(2, &raw(kind::CHUNK_SIZE, number(0)), 128)),
        ("chunk size with the top bit", chunks(2, &raw(kind::CHUNK_SIZE, number(0x8000_0001)), 128)),
        ("the largest chunk size, then a large message", {
            let mut all = chunks(2, &raw(kind::CHUNK_SIZE, number(0x7fff_ffff)), 128);
            all.extend([3, 0, 0, 0, 0xff, 0xff, 0xff, 20, 0, 0, 0, 0]);
            all.extend(vec![2; 3_000_000]);
            all
        }),
        ("a short Set Chunk Size", chunks(2, &raw(kind::CHUNK_SIZE, vec![1]), 128)),
        ("zero window size", chunks(2, &raw(kind::WINDOW, number(0)), 128)),
        ("zero window size, then many bytes", {
            let mut all = chunks(2, &raw(kind::WINDOW, number(0)), 128);
            all.extend((0..200).flat_map(|_| chunks(2, &raw(kind::WINDOW, number(1)), 128)));
            all
        }),
        ("abort of a stream that is not there", chunks(2, &raw(2, number(0xffff_ffff)), 128)),
        ("pings without end", (0..20_000).flat_map(|_| chunks(2, &raw(4, vec![0, 6, 0, 0, 0, 1]), 128)).collect()),
        ("empty messages of every type", (0..=255).flat_map(|kind| chunks(3, &raw(kind, Vec::new()), 128)).collect()),
        ("200,000 nested objects", deep),
        ("counts of 4 billion", counts),
        ("a command without values", as_chunks(&raw(kind::COMMAND, Vec::new()))),
        ("a command that is a number", as_chunks(&raw(kind::COMMAND, encode(&[Amf::Number(f64::NAN)])))),
        ("AMF that ends early", as_chunks(&raw(kind::COMMAND, vec![2, 0xff, 0xff, b'c']))),
        ("an unknown AMF marker", as_chunks(&raw(kind::COMMAND, vec![0x7f; 100]))),
        ("AMF3 command that is empty", as_chunks(&raw(17, Vec::new()))),
        ("a shared object", as_chunks(&raw(19, vec![0; 500]))),
        (
            "publish before connect",
            as_chunks(&command(&[Amf::text("publish"), Amf::Number(0.0), Amf::Null, Amf::text("x")])),
        ),
        ("media before publish", (0..200).flat_map(|_| chunks(6, &raw(kind::VIDEO, vec![0x17; 5000]), 128)).collect()),
        (
            "an aggregate with a length beyond its end",
            as_chunks(&raw(22, vec![9, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 1, 2])),
        ),
        (
            "connect a thousand times",
            (0..1000)
                .flat_map(|_| {
                    as_chunks(&command(&[
                        Amf::text("connect"),
                        Amf::Number(1.0),
                        Amf::object(&[("app", Amf::text("live"))]),
                    ]))
                })
                .collect(),
        ),
        (
            "createStream ten thousand times",
            (0..10_000)
                .flat_map(|_| as_chunks(&command(&[Amf::text("createStream"), Amf::Number(2.0), Amf::Null])))
                .collect(),
        ),
        (
            "a text of 60,000 characters as name",
            as_chunks(&command(&[Amf::Text("x".repeat(60_000)), Amf::Number(1.0)])),
        ),
    ]
}

/// Sends bytes and waits a moment for what the box makes of it. A box that closes in the middle is right to.
fn attack(wire: &mut Wire, bytes: &[u8]) {
    let _ = wire.socket.set_write_timeout(Some(secs(3)));
    let _ = wire.socket.write_all(bytes);
    let _ = wire.socket.set_read_timeout(Some(Duration::from_millis(150)));
    let mut scratch = [0; 4096];
    while wire.socket.read(&mut scratch).is_ok_and(|count| count > 0) {}
}

fn nasty_beside_a_stream(ctx: &Ctx) -> Result<()> {
    let mut nginx = NginxRtmp::start(ctx, "nginx")?;
    let mut daemon = Daemon::start(ctx)?;
    let club = daemon.add_destination("Club", &nginx.url(), BROADCAST_KEY)?;
    let mut publisher = Publisher::start(ctx, "publisher", Clip::BFrames, &daemon.publish_url()?)?;
    daemon.wait_state(&club, "live", secs(10))?;
    let mut tried = 0;
    while publisher.process.runs() {
        for (_, bytes) in nasty_inputs() {
            // A box that has had enough of this address does not answer it any more: that is no failure.
            if let Ok(mut wire) = Wire::connect(daemon.rtmp()) {
                attack(&mut wire, &bytes);
                tried += 1;
            }
        }
        handshakes(daemon.rtmp());
    }
    ctx.note(format!("{tried} nasty conversations"));
    publisher.done(secs(20))?;
    ensure!(daemon.process().runs(), "the daemon has ended");
    ensure!(tried >= nasty_inputs().len(), "only {tried} nasty inputs were let in");
    compare_file(ctx, Clip::BFrames, &nginx.finished(BROADCAST_KEY, secs(15))?, Part::All)?;
    no_panic(&daemon)
}

/// Handshakes that are none.
fn handshakes(address: &str) {
    for hello in [vec![], vec![3; 10], vec![0; 1537], vec![6; 1 + 2 * HANDSHAKE], b"GET / HTTP/1.1\r\n\r\n".to_vec()] {
        if let Ok(mut socket) = TcpStream::connect(address) {
            let _ = socket.write_all(&hello);
        }
    }
}

fn no_panic(daemon: &Daemon) -> Result<()> {
    let log = std::fs::read(daemon.dir().join("box.log"))?;
    let log = String::from_utf8_lossy(&log);
    let panic = log.lines().find(|line| line.contains("panicked"));
    ensure!(panic.is_none(), "it panicked: {panic:?}");
    Ok(())
}

fn nasty_memory(ctx: &Ctx) -> Result<()> {
    let mut daemon = Daemon::start(ctx)?;
    // What the allocator keeps from the first conversation is no peer's cost.
    for (_, bytes) in nasty_inputs() {
        attack(&mut Wire::connect(daemon.rtmp())?, &bytes);
    }
    let mut worst = (0, "none");
    for (name, bytes) in nasty_inputs() {
        let before = procfs::memory(daemon.pid())?.rss;
        // Eight at once, each kept open: what is held for one is an eighth of what all add.
        let mut peers = Vec::new();
        for _ in 0..8 {
            let mut wire = Wire::connect(daemon.rtmp()).with_context(|| name.to_owned())?;
            attack(&mut wire, &bytes);
            peers.push(wire);
        }
        let each = procfs::memory(daemon.pid())?.rss.saturating_sub(before) / 8;
        worst = worst.max((each, name));
        ensure!(each < 2_000_000, "{name}: {each} bytes for each peer");
        ensure!(daemon.process().runs(), "{name}: the daemon has ended");
    }
    ctx.note(format!("most: {} kB for {:?}", worst.0 / 1000, worst.1));
    no_panic(&daemon)
}

/// A connection from an address of its own in 127.0.0.0/8: many strangers, not one.
fn connect_from(source: Ipv4Addr, to: SocketAddr) -> Result<TcpStream> {
    let SocketAddr::V4(to) = to else { anyhow::bail!("{to} is not IPv4") };
    let fd = socket::socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    socket::bind(std::os::fd::AsRawFd::as_raw_fd(&fd), &SockaddrIn::from(std::net::SocketAddrV4::new(source, 0)))?;
    socket::connect(std::os::fd::AsRawFd::as_raw_fd(&fd), &SockaddrIn::from(to))?;
    Ok(TcpStream::from(fd))
}

fn half_open(ctx: &Ctx) -> Result<()> {
    let mut nginx = NginxRtmp::start(ctx, "nginx")?;
    let daemon = Daemon::start(ctx)?;
    daemon.add_destination("Club", &nginx.url(), BROADCAST_KEY)?;
    let address = daemon.rtmp().parse()?;
    let before = procfs::memory(daemon.pid())?.rss;
    let mut open = Vec::new();
    let mut refused = 0;
    for n in 0..2000_u16 {
        let [high, low] = n.to_be_bytes();
        match connect_from(Ipv4Addr::new(127, 1, high, low.max(1)), address) {
            Ok(mut socket) => {
                socket.set_nonblocking(true)?;
                // Half of C1, then nothing.
                match socket.write(&[3; 700]) {
                    Ok(_) => open.push(socket),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => open.push(socket),
                    Err(_) => refused += 1,
                }
            }
            Err(_) => refused += 1,
        }
    }
    let start = Instant::now();
    let mut publisher = Publisher::start(ctx, "publisher", Clip::BFrames, &daemon.publish_url()?)?;
    daemon.wait_input("receiving", secs(5)).context("the publisher among half-open handshakes")?;
    let grown = procfs::memory(daemon.pid())?.rss.saturating_sub(before);
    ctx.note(format!(
        "{} begun, {refused} refused, the box keeps {} sockets; the publisher is in after {:.1?}; {} kB more memory",
        open.len(),
        procfs::sockets(daemon.pid())?,
        start.elapsed(),
        grown / 1000
    ));
    ensure!(grown < 40_000_000, "{grown} bytes for half-open handshakes");
    publisher.done(secs(40))?;
    compare_file(ctx, Clip::BFrames, &nginx.finished(BROADCAST_KEY, secs(15))?, Part::All)
}

fn slow_bytes(ctx: &Ctx) -> Result<()> {
    let mut nginx = NginxRtmp::start(ctx, "nginx")?;
    let daemon = Daemon::start(ctx)?;
    daemon.add_destination("Club", &nginx.url(), BROADCAST_KEY)?;
    let address: SocketAddr = daemon.rtmp().parse()?;
    let mut peers = Vec::new();
    for n in 1..=200_u8 {
        if let Ok(socket) = connect_from(Ipv4Addr::new(127, 2, 0, n), address) {
            socket.set_nonblocking(true)?;
            peers.push(socket);
        }
    }
    let trickle = |peers: &mut Vec<TcpStream>| peers.retain_mut(|peer| peer.write(&[3]).is_ok_and(|count| count == 1));
    for _ in 0..3 {
        trickle(&mut peers);
        std::thread::sleep(secs(1));
    }
    let mut publisher = Publisher::start(ctx, "publisher", Clip::BFrames, &daemon.publish_url()?)?;
    daemon.wait_input("receiving", secs(5)).context("the publisher among slow peers")?;
    // A handshake that takes longer than its deadline is over: everybody is gone in the end.
    let start = Instant::now();
    let mut left = 0;
    while publisher.process.runs() {
        trickle(&mut peers);
        left = peers.len();
        std::thread::sleep(secs(1));
    }
    ctx.note(format!("{left} of 200 slow peers left after {:.0?}", start.elapsed() + secs(3)));
    publisher.done(secs(20))?;
    compare_file(ctx, Clip::BFrames, &nginx.finished(BROADCAST_KEY, secs(15))?, Part::All)?;
    while !peers.is_empty() && start.elapsed() < secs(40) {
        trickle(&mut peers);
        std::thread::sleep(secs(1));
    }
    ensure!(peers.is_empty(), "{} peers may send one byte per second for ever", peers.len());
    Ok(())
}

fn nasty_with_key(ctx: &Ctx) -> Result<()> {
    let nginx = NginxRtmp::start(ctx, "nginx")?;
    let mut daemon = Daemon::start(ctx)?;
    daemon.add_destination("Club", &nginx.url(), BROADCAST_KEY)?;
    let key = daemon.key()?;
    let media = |kind, timestamp, body: Vec<u8>| Message { kind, stream_id: 1, timestamp, body };
    let nasty: Vec<(&str, Vec<Message>)> = vec![
        (
            "empty bodies",
            vec![media(kind::VIDEO, 0, vec![]), media(kind::AUDIO, 0, vec![]), media(kind::DATA, 0, vec![])],
        ),
        ("one byte", (0..=255).map(|byte| media(kind::VIDEO, 0, vec![byte])).collect()),
        ("every first two bytes of video", every_pair(kind::VIDEO)),
        ("every first two bytes of audio", every_pair(kind::AUDIO)),
        ("enhanced headers cut short", (0..64).map(|n| media(kind::VIDEO, n, vec![0x96; n as usize])).collect()),
        ("mod-ex in mod-ex", vec![media(kind::VIDEO, 0, [0x97, 0xff].repeat(4000))]),
        ("timestamps back and forth", {
            let times = [0, 5000, 10, 0xffff_ffff, 0, 0x8000_0000, 1, 0x00ff_ffff, 0x0100_0000];
            times.map(|time| media(kind::VIDEO, time, vec![0x17, 1, 0, 0, 0, 0, 0, 0, 1, 0x65])).to_vec()
        }),
        (
            "configuration of nonsense",
            vec![
                media(kind::VIDEO, 0, vec![0x17, 0, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
                media(kind::AUDIO, 0, vec![0xaf, 0, 0xff, 0xff, 0xff]),
            ],
        ),
        ("metadata of nonsense", vec![media(kind::DATA, 0, vec![8; 60_000])]),
        ("nal lengths beyond the end", vec![media(kind::VIDEO, 40, [&[0x17, 1, 0, 0, 0][..], &[0xff; 400]].concat())]),
    ];
    for (name, messages) in nasty {
        let mut wire = Wire::connect(daemon.rtmp()).with_context(|| name.to_owned())?;
        let status = wire.publish("live", &key)?;
        ensure!(status == "NetStream.Publish.Start", "before {name}: {status}");
        for message in &messages {
            if wire.send(6, message).is_err() {
                break;
            }
        }
        let _ = wire.unpublish(&key);
        drop(wire);
        ensure!(daemon.process().runs(), "{name}: the daemon has ended");
        daemon.wait_input("none", secs(40)).with_context(|| name.to_owned())?;
    }
    // After all of that a real publisher finds everything in order.
    let mut nginx = nginx;
    Publisher::start(ctx, "publisher", Clip::BFrames, &daemon.publish_url()?)?.done(secs(40))?;
    compare_file(ctx, Clip::BFrames, &nginx.finished(BROADCAST_KEY, secs(15))?, Part::All)?;
    no_panic(&daemon)
}

fn every_pair(kind: u8) -> Vec<Message> {
    let body = |first: u8, second: u8| vec![first, second, 0, 0, 0, b'h', b'v', b'c', b'1', 1, 2, 3];
    let pairs = (0..=255_u8).flat_map(|first| [0_u8, 1, 2, 0x10, 0xff].map(|second| body(first, second)));
    pairs.map(|body| Message { kind, stream_id: 1, timestamp: 0, body }).collect()
}

fn random_bytes(ctx: &Ctx) -> Result<()> {
    let mut daemon = Daemon::start(ctx)?;
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random.to_le_bytes()
    };
    for _ in 0..40 {
        let bytes: Vec<u8> = (0..4000).flat_map(|_| next()).collect();
        attack(&mut Wire::connect(daemon.rtmp())?, &bytes);
        if let Ok(mut socket) = TcpStream::connect(daemon.rtmp()) {
            let _ = socket.write_all(&bytes);
        }
        if let Ok(mut socket) = TcpStream::connect(daemon.http()) {
            let _ = socket.write_all(&bytes);
        }
    }
    ensure!(daemon.process().runs(), "the daemon has ended");
    ensure!(daemon.call("GET", "/healthz", None)?.status == 200, "it is not well");
    let status = Wire::connect(daemon.rtmp())?.publish("live", &daemon.key()?)?;
    ensure!(status == "NetStream.Publish.Start", "the publisher afterwards: {status}");
    no_panic(&daemon)
}

/// Messages of one byte each, as fast as they are taken, while a stream runs.
fn endless_flood(ctx: &Ctx) -> Result<()> {
    /// How long the floods go on, with a new connection for each one that is closed.
    const FLOOD: Duration = secs(6);
    /// No stranger stays for longer: the box gives it ten seconds to show a key.
    const STAY: Duration = secs(11);
    let mut nginx = NginxRtmp::start(ctx, "nginx")?;
    let tap = Tap::start()?;
    let daemon = Daemon::start(ctx)?;
    daemon.add_destination("Timed", &tap.url(), "timed")?;
    let club = daemon.add_destination("Club", &nginx.url(), BROADCAST_KEY)?;
    let mut publisher = Publisher::start(ctx, "publisher", Clip::BFrames, &daemon.publish_url()?)?;
    daemon.wait_state(&club, "live", secs(10))?;
    let address = daemon.rtmp().to_owned();
    let flood = move || -> Result<(u32, u64, Duration)> {
        let start = Instant::now();
        let (mut floods, mut sent, mut longest) = (0, 0, Duration::ZERO);
        while start.elapsed() < FLOOD {
            let Ok(mut wire) = Wire::connect(&address) else {
                // Not let in any more: as good as closed.
                std::thread::sleep(Duration::from_millis(20));
                continue;
            };
            let begun = Instant::now();
            floods += 1;
            sent += flood_until_closed(&mut wire, STAY)?;
            longest = longest.max(begun.elapsed());
        }
        Ok((floods, sent, longest))
    };
    let floods = [std::thread::spawn(flood.clone()), std::thread::spawn(flood)];
    let mut slowest = Duration::ZERO;
    while publisher.process.runs() {
        let asked = Instant::now();
        daemon.status()?;
        slowest = slowest.max(asked.elapsed());
        std::thread::sleep(Duration::from_millis(50));
    }
    ctx.note(format!("GET /status took {slowest:.0?} at most"));
    ensure!(slowest < secs(1), "GET /status took {slowest:.1?}");
    publisher.done(secs(20))?;
    compare_file(ctx, Clip::BFrames, &nginx.finished(BROADCAST_KEY, secs(15))?, Part::All)?;
    undisturbed(ctx, &tap)?;
    for flood in floods {
        let (floods, sent, longest) = flood.join().map_err(|_| anyhow::anyhow!("a flood panicked"))??;
        ctx.note(format!(
            "{floods} floods of {} MB in all, {longest:.1?} at most before the box closed",
            sent / 1_000_000
        ));
        ensure!(longest < STAY, "a flood went on for {longest:.1?}");
    }
    no_panic(&daemon)
}

/// Whoever published as `timed` did so without a pause.
fn undisturbed(ctx: &Ctx, tap: &Tap) -> Result<()> {
    let visits = tap.visits_of("timed");
    let gap = visits.iter().map(|visit| tap::longest_gap(&visit.arrivals)).max().context("nothing arrived")?;
    ctx.note(format!("{gap:.0?} at most between two arrivals"));
    ensure!(visits.len() == 1 && gap < secs(1), "nothing arrived for {gap:.1?} over {} connections", visits.len());
    Ok(())
}

/// Gives the bytes sent.
fn flood_until_closed(wire: &mut Wire, limit: Duration) -> Result<u64> {
    let start = Instant::now();
    let window = Message { kind: kind::WINDOW, stream_id: 0, timestamp: 0, body: vec![0xff; 4] };
    wire.send(2, &window)?;
    // An empty message on chunk stream 4; each byte that follows is a chunk that is another one.
    wire.socket.write_all(&[4, 0, 0, 0, 0, 0, 0, 19, 0, 0, 0, 0])?;
    wire.socket.set_write_timeout(Some(secs(1)))?;
    let bytes = vec![0xc4; 1 << 20];
    let mut sent = 0;
    while start.elapsed() < limit {
        match wire.socket.write(&bytes) {
            Ok(count) => sent += count as u64,
            // Not read, but not closed either.
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => break,
        }
    }
    Ok(sent)
}

fn flooding_server(ctx: &Ctx) -> Result<()> {
    let mut nginx = NginxRtmp::start(ctx, "nginx")?;
    let tap = Tap::start()?;
    let server = Faulty::start(Fault::Floods)?;
    let mut daemon = Daemon::start(ctx)?;
    daemon.add_destination("Timed", &tap.url(), "timed")?;
    daemon.add_destination("Club", &nginx.url(), BROADCAST_KEY)?;
    let flooding = daemon.add_destination("Floods", &server.url(), "floods")?;
    let mut publisher = Publisher::start(ctx, "publisher", Clip::BFrames, &daemon.publish_url()?)?;
    let mut retried = None;
    while publisher.process.runs() {
        let status = daemon.destination(&flooding)?;
        if retried.is_none() && status["state"] == "retrying" {
            retried = Some(status["reason"].clone());
        }
        let resident = procfs::memory(daemon.pid())?.rss;
        ensure!(resident < 60_000_000, "{resident} bytes resident; the flooding one: {status}");
        std::thread::sleep(Duration::from_millis(20));
    }
    publisher.done(secs(20))?;
    compare_file(ctx, Clip::BFrames, &nginx.finished(BROADCAST_KEY, secs(15))?, Part::All)?;
    undisturbed(ctx, &tap)?;
    ensure!(daemon.process().runs(), "the daemon has ended");
    let reason = retried.context("the flooding one was not given up")?;
    #[expect(clippy::cast_precision_loss, reason = "for people")]
    let peak = procfs::memory(daemon.pid())?.peak as f64 / 1e6;
    ctx.note(format!("{peak:.0} MB resident at most; the flooding one after {} visits: {reason}", server.visits()));
    no_panic(&daemon)
}
