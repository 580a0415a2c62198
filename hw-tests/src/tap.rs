//! A destination with a stopwatch: notes when each message arrived whole.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::wire::{Amf, Heard, Server};

/// One message as it arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// When its last byte was read.
    pub at: Instant,
    /// Type.
    pub kind: u8,
    /// Its timestamp, ms.
    pub timestamp: u32,
    /// Tells it from others, see [`Message::fingerprint`](crate::wire::Message::fingerprint).
    pub fingerprint: u64,
    /// A coded picture.
    pub picture: bool,
}

/// What one connection brought.
#[derive(Clone, Debug, Default)]
pub struct Visit {
    /// The application it connected to.
    pub app: String,
    /// The key it published with.
    pub key: String,
    /// The codecs of Enhanced RTMP that it announced.
    pub four_ccs: Vec<String>,
    /// Everything that arrived.
    pub arrivals: Vec<Arrival>,
    /// It said FCUnpublish or deleteStream.
    pub ended_properly: bool,
    /// The connection is gone.
    pub closed: bool,
}

/// A reconnect request of Enhanced RTMP that has still to be sent.
#[derive(Debug)]
struct Request {
    /// To whoever publishes with this key.
    key: String,
    /// Where to, if elsewhere.
    tc_url: Option<String>,
}

/// A server on loopback that takes any number of publishers and keeps a record of each.
#[derive(Debug)]
pub struct Tap {
    /// Where it listens.
    pub port: u16,
    visits: Arc<Mutex<Vec<Visit>>>,
    request: Arc<Mutex<Option<Request>>>,
    _acceptor: JoinHandle<()>,
}

impl Tap {
    /// Starts one.
    ///
    /// # Errors
    /// No port can be had.
    pub fn start() -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        let visits = Arc::new(Mutex::new(Vec::new()));
        let request = Arc::new(Mutex::new(None));
        let (shared, requests) = (Arc::clone(&visits), Arc::clone(&request));
        let acceptor = std::thread::spawn(move || {
            for socket in listener.incoming().map_while(Result::ok) {
                let (visits, request) = (Arc::clone(&shared), Arc::clone(&requests));
                std::thread::spawn(move || {
                    let index = {
                        let mut visits = visits.lock().unwrap_or_else(PoisonError::into_inner);
                        visits.push(Visit::default());
                        visits.len() - 1
                    };
                    // What breaks the protocol ends the visit; the case sees what is missing.
                    let _ = Server::accept(socket).and_then(|server| listen(server, &visits, &request, index));
                    visits.lock().unwrap_or_else(PoisonError::into_inner)[index].closed = true;
                });
            }
        });
        Ok(Self { port, visits, request, _acceptor: acceptor })
    }

    /// Where a destination sends to, without the key.
    #[must_use]
    pub fn url(&self) -> String {
        format!("rtmp://127.0.0.1:{}/live", self.port)
    }

    /// Asks whoever publishes with this key to connect anew, elsewhere or here: with its next message.
    pub fn ask_to_reconnect(&self, key: &str, tc_url: Option<String>) {
        let request = Request { key: key.to_owned(), tc_url };
        *self.request.lock().unwrap_or_else(PoisonError::into_inner) = Some(request);
    }

    /// Every connection so far.
    #[must_use]
    pub fn visits(&self) -> Vec<Visit> {
        self.visits.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The connections that published with this key.
    #[must_use]
    pub fn visits_of(&self, key: &str) -> Vec<Visit> {
        self.visits().into_iter().filter(|visit| visit.key == key).collect()
    }

    /// How many pictures arrived for this key in all.
    #[must_use]
    pub fn pictures(&self, key: &str) -> usize {
        let visits = self.visits.lock().unwrap_or_else(PoisonError::into_inner);
        let of_key = visits.iter().filter(|visit| visit.key == key);
        of_key.flat_map(|visit| &visit.arrivals).filter(|arrival| arrival.picture).count()
    }
}

fn listen(
    mut server: Server,
    visits: &Mutex<Vec<Visit>>,
    request: &Mutex<Option<Request>>,
    index: usize,
) -> Result<()> {
    let mut own_key = String::new();
    while let Some(heard) = server.hear()? {
        if let Heard::Publish(key) = &heard {
            own_key.clone_from(key);
        } else if let Some(Request { tc_url, .. }) =
            request.lock().unwrap_or_else(PoisonError::into_inner).take_if(|request| request.key == own_key)
        {
            let mut info = vec![
                ("level", Amf::text("status")),
                ("code", Amf::text("NetConnection.Connect.ReconnectRequest")),
                ("description", Amf::text("The streaming server is undergoing updates.")),
            ];
            info.extend(tc_url.map(|url| ("tcUrl", Amf::text(&url))));
            server.wire().command(0, &[Amf::text("onStatus"), Amf::Number(0.0), Amf::Null, Amf::object(&info)])?;
        }
        let mut visits = visits.lock().unwrap_or_else(PoisonError::into_inner);
        let visit = &mut visits[index];
        match heard {
            Heard::Publish(key) => visit.key = key,
            Heard::Unpublish => visit.ended_properly = true,
            Heard::Media(message, at) => visit.arrivals.push(Arrival {
                at,
                kind: message.kind,
                timestamp: message.timestamp,
                fingerprint: message.fingerprint(),
                picture: message.is_picture(),
            }),
            Heard::Connect(object) => {
                visit.app = object.field("app").and_then(Amf::as_text).unwrap_or_default().to_owned();
                if let Some(Amf::Object(list)) = object.field("fourCcList") {
                    visit.four_ccs = list.iter().filter_map(|(_, code)| code.as_text().map(str::to_owned)).collect();
                }
            }
            Heard::CreateStream => {}
        }
    }
    Ok(())
}

/// How unevenly pictures arrived: for each two in a row, by how much the time between their arrivals differs from the
/// time between their timestamps. Sorted.
#[must_use]
pub fn unevenness(arrivals: &[Arrival]) -> Vec<Duration> {
    let pictures: Vec<_> = arrivals.iter().filter(|arrival| arrival.picture).collect();
    let mut all: Vec<_> = pictures
        .windows(2)
        .map(|pair| {
            let apart = pair[1].at - pair[0].at;
            let due = Duration::from_millis(u64::from(pair[1].timestamp.wrapping_sub(pair[0].timestamp)));
            apart.abs_diff(due)
        })
        .collect();
    all.sort();
    all
}

/// The longest time between two arrivals in a row.
#[must_use]
pub fn longest_gap(arrivals: &[Arrival]) -> Duration {
    arrivals.windows(2).map(|pair| pair[1].at - pair[0].at).max().unwrap_or_default()
}

/// The value below which this share of the sorted values lies.
#[must_use]
pub fn percentile(sorted: &[Duration], share: f64) -> Duration {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "an index"
    )]
    let index = ((sorted.len() as f64 * share).ceil() as usize).clamp(1, sorted.len().max(1)) - 1;
    sorted.get(index).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_nearest_ranks() {
        let all: Vec<_> = (1..=100).map(Duration::from_millis).collect();
        assert_eq!(percentile(&all, 0.5), Duration::from_millis(50));
        assert_eq!(percentile(&all, 0.99), Duration::from_millis(99));
        assert_eq!(percentile(&all[..1], 0.99), Duration::from_millis(1));
        assert_eq!(percentile(&[], 0.99), Duration::ZERO);
    }
}
