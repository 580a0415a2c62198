//! The time in which a server takes media.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context as TaskContext, Poll, ready};
use std::time::Duration;

use brookbox_rtmp::{ClientEvent, ClientSession};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, ReadBuf};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, timeout};

use super::dial::{Connected, flush, io_cause};
use super::link::Link;
use super::sender::{Figures, Sender, Start, Stopped};
use crate::ReasonCode;
use crate::engine::Context;
use crate::programme::Shared;
use crate::reason::Cause;

/// How often a connection is measured. All connections are at the same moment, so that they share a wake-up.
const SAMPLE: Duration = Duration::from_millis(500);
/// Time for a proper end: the rest of a message, the commands, the server's own close.
const FINISH: Duration = Duration::from_millis(1_500);
/// What a server may say at once.
const READ_BYTES: usize = 4 << 10;

/// Why sending ended.
pub(super) enum End {
    Superseded,
    ProgrammeEnded,
    /// The server asked for a new connection, perhaps elsewhere.
    Moved(Option<String>),
    Failed(Cause),
}

/// A server that takes media.
pub(super) struct Streaming {
    link: Link,
    session: ClientSession,
    sender: Sender,
    context: Rc<Context>,
    tick: Interval,
}

impl Streaming {
    pub(super) fn new(connected: Connected, programme: Shared, start: Start, context: &Rc<Context>) -> Self {
        let Connected { link, session } = connected;
        let now = context.clock.now();
        let sample = u64::try_from(SAMPLE.as_millis()).unwrap_or(500);
        let first = Instant::now() + Duration::from_millis(sample - now % sample);
        let mut tick = interval_at(first, SAMPLE);
        tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let sender = Sender::new(programme, start, session.stream_id(), now);
        Self { link, session, sender, context: context.clone(), tick }
    }

    /// Sends until something ends it. `measured` sees each measurement.
    pub(super) async fn run(
        &mut self,
        superseded: impl Future<Output = ()>,
        mut measured: impl FnMut(Figures, &Sender),
    ) -> End {
        let mut superseded = pin!(superseded);
        poll_fn(|cx| {
            if superseded.as_mut().poll(cx).is_ready() {
                return Poll::Ready(End::Superseded);
            }
            if let Poll::Ready(end) = self.poll_read(cx) {
                return Poll::Ready(end);
            }
            while self.tick.poll_tick(cx).is_ready() {
                let figures = self.sender.sample(&self.link, self.context.clock.now());
                measured(figures, &self.sender);
                if figures.stalled {
                    let cause = Cause::with(ReasonCode::TooSlow, "nothing was acknowledged for 10 s");
                    return Poll::Ready(End::Failed(cause));
                }
            }
            let now = self.context.clock.now();
            let stopped = ready!(self.sender.poll_write(Pin::new(&mut self.link), cx, now));
            Poll::Ready(match stopped {
                Stopped::Ended => End::ProgrammeEnded,
                Stopped::Io(error) => End::Failed(io_cause(&error)),
                Stopped::LeftBehind => {
                    End::Failed(Cause::with(ReasonCode::TooSlow, "it fell behind by more than the box keeps"))
                }
            })
        })
        .await
    }

    /// Takes what the server says.
    fn poll_read(&mut self, cx: &mut TaskContext<'_>) -> Poll<End> {
        let mut buffer = [0; READ_BYTES];
        loop {
            let mut buffer = ReadBuf::new(&mut buffer);
            if let Err(error) = ready!(Pin::new(&mut self.link).poll_read(cx, &mut buffer)) {
                return Poll::Ready(End::Failed(io_cause(&error)));
            }
            if buffer.filled().is_empty() {
                let cause = Cause::with(ReasonCode::RemoteClosed, "the server closed the connection");
                return Poll::Ready(End::Failed(cause));
            }
            if let Err(error) = self.session.handle_input(buffer.filled()) {
                return Poll::Ready(End::Failed(Cause::with(ReasonCode::RemoteClosed, error)));
            }
            while let Some(event) = self.session.poll_event() {
                match event {
                    ClientEvent::Closed { code, description } | ClientEvent::Refused { code, description, .. } => {
                        let said = format!("{code} {description}");
                        return Poll::Ready(End::Failed(Cause::with(ReasonCode::RemoteClosed, said)));
                    }
                    ClientEvent::ReconnectRequest { tc_url, .. } => return Poll::Ready(End::Moved(tc_url)),
                    ClientEvent::Redirect { url } => {
                        return Poll::Ready(End::Moved(Some(url.expose().to_owned())));
                    }
                    _ => {}
                }
            }
            let answers = self.session.output().len();
            self.sender.put(self.session.output());
            self.session.consume_output(answers);
        }
    }

    /// Ends the stream as the protocol asks for, within a bounded time whatever the server does.
    pub(super) async fn finish(mut self) {
        let _ = timeout(FINISH, async {
            let whole = poll_fn(|cx| self.sender.poll_finish_message(Pin::new(&mut self.link), cx)).await;
            if whole.is_err() {
                return;
            }
            self.session.finish();
            if flush(&mut self.link, &mut self.session).await.is_err() || self.link.shutdown().await.is_err() {
                return;
            }
            // What it still says is read, so that the kernel ends the connection without a reset.
            let mut rest = [0; 1024];
            while self.link.read(&mut rest).await.is_ok_and(|n| n > 0) {}
        })
        .await;
    }
}
