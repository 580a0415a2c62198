//! The time in which a server takes media.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context as TaskContext, Poll, Waker, ready};
use std::time::Duration;

use brookbox_rtmp::{ClientEvent, ClientSession};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, timeout};

use super::dial::{Connected, flush};
use super::link::Link;
use super::sender::{Figures, Progress, Sender, Start, Stopped};
use crate::ReasonCode;
use crate::engine::Context;
use crate::log::News;
use crate::outward::io_cause;
use crate::programme::{Life, Programme, Reader, Shared};
use crate::reason::Cause;

/// How often a connection is measured. All connections are at the same moment, so that they share a wake-up.
const SAMPLE: Duration = Duration::from_millis(500);
/// Time for a proper end: the rest of a message, the commands, the server's own close.
const FINISH: Duration = Duration::from_millis(1_500);
/// What a server may say at once, and how often in one turn.
const READ_BYTES: usize = 4 << 10;
const MAX_READS: usize = 16;
/// Answers that wait for a server that does not read them.
const MAX_ANSWERS: usize = 64 << 10;

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
    pipe: Rc<Pipe>,
    session: ClientSession,
    programme: Shared,
    context: Rc<Context>,
    tick: Interval,
}

/// What the programme writes to at once, and the task when the server does not take everything.
struct Pipe(RefCell<PipeState>);

struct PipeState {
    link: Link,
    sender: Sender,
    task: Option<Waker>,
}

impl Reader for Pipe {
    fn more(&self, programme: &Programme, news: &News<'_>, now: u64) {
        // The task is in the middle of its turn, and sees what is new by itself.
        let Ok(mut state) = self.0.try_borrow_mut() else { return };
        let PipeState { link, sender, task } = &mut *state;
        let busy = sender.is_blocked();
        if busy && programme.life != Life::Ended {
            return; // the socket wakes the task
        }
        let mut write = |slices: &[IoSlice<'_>]| link.write_now(slices);
        let written = match sender.write_news(&programme.log, news, &mut write) {
            Ok(true) => Ok(Progress::Everything),
            Ok(false) => sender.write_all(programme, now, write),
            Err(stopped) => Err(stopped),
        };
        let done = matches!(written, Ok(Progress::Everything)) && programme.life != Life::Ended;
        if let Some(task) = task.as_ref().filter(|_| !done) {
            task.wake_by_ref();
        }
    }

    fn place(&self) -> u64 {
        self.0.try_borrow().map_or(u64::MAX, |state| state.sender.place())
    }
}

impl Streaming {
    pub(super) fn new(connected: Connected, programme: Shared, start: Start, context: &Rc<Context>) -> Self {
        let Connected { link, session } = connected;
        let now = context.clock.now();
        let sample = u64::try_from(SAMPLE.as_millis()).unwrap_or(500);
        let first = Instant::now() + Duration::from_millis(sample - now % sample);
        let mut tick = interval_at(first, SAMPLE);
        tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let sender = Sender::new(&programme.borrow(), start, session.stream_id(), now);
        let pipe = Rc::new(Pipe(RefCell::new(PipeState { link, sender, task: None })));
        let reader: Rc<dyn Reader> = pipe.clone();
        programme.borrow_mut().add_reader(Rc::downgrade(&reader));
        Self { pipe, session, programme, context: context.clone(), tick }
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
            let mut state = self.pipe.0.borrow_mut();
            let state = &mut *state;
            if let Poll::Ready(end) = read(&mut state.link, &mut self.session, &mut state.sender, cx) {
                return Poll::Ready(end);
            }
            let programme = self.programme.borrow();
            let now = self.context.clock.now();
            while self.tick.poll_tick(cx).is_ready() {
                let figures = state.sender.sample(&programme.log, &state.link, now);
                measured(figures, &state.sender);
                if figures.stalled {
                    let cause = Cause::with(ReasonCode::TooSlow, "nothing was acknowledged for 10 s");
                    return Poll::Ready(End::Failed(cause));
                }
            }
            state.poll_write(&programme, cx, now)
        })
        .await
    }

    /// Ends the stream as the protocol asks for, within a bounded time whatever the server does.
    pub(super) async fn finish(mut self) {
        let _ = timeout(FINISH, async {
            let rest = poll_fn(|cx| {
                let PipeState { link, sender, .. } = &mut *self.pipe.0.borrow_mut();
                let write = |slices: &[IoSlice<'_>]| Pin::new(&mut *link).poll_write_vectored(cx, slices);
                sender.poll_finish(&self.programme.borrow().log, write)
            });
            if rest.await.is_err() {
                return;
            }
            self.session.finish();
            // From here on only the task writes: the pipe's place in the programme is given up.
            let Some(state) = Rc::into_inner(self.pipe).map(|pipe| pipe.0.into_inner()) else { return };
            let mut link = state.link;
            if flush(&mut link, &mut self.session).await.is_err() || link.shutdown().await.is_err() {
                return;
            }
            // What it still says is read, so that the kernel ends the connection without a reset.
            let mut rest = [0; 1024];
            while link.read(&mut rest).await.is_ok_and(|n| n > 0) {}
        })
        .await;
    }
}

impl PipeState {
    /// Writes what there is; woken when there is more, or the server takes more.
    fn poll_write(&mut self, programme: &Programme, cx: &mut TaskContext<'_>, now: u64) -> Poll<End> {
        let link = &mut self.link;
        let write = |slices: &[IoSlice<'_>]| Pin::new(&mut *link).poll_write_vectored(cx, slices);
        match self.sender.write_all(programme, now, write) {
            Ok(Progress::Everything) => {
                if let Err(error) = ready!(Pin::new(&mut self.link).poll_flush(cx)) {
                    return Poll::Ready(End::Failed(io_cause(&error)));
                }
                if programme.life == Life::Ended {
                    return Poll::Ready(End::ProgrammeEnded);
                }
            }
            Ok(Progress::Blocked) => {}
            Ok(Progress::Turn) => cx.waker().wake_by_ref(),
            Err(Stopped::Io(error)) => return Poll::Ready(End::Failed(io_cause(&error))),
            Err(Stopped::LeftBehind) => {
                let cause = Cause::with(ReasonCode::TooSlow, "it fell behind by more than the box keeps");
                return Poll::Ready(End::Failed(cause));
            }
        }
        self.task = Some(cx.waker().clone());
        Poll::Pending
    }
}

/// Takes what the server says; puts the answers before the next message.
fn read(link: &mut Link, session: &mut ClientSession, sender: &mut Sender, cx: &mut TaskContext<'_>) -> Poll<End> {
    let mut buffer = [const { MaybeUninit::uninit() }; READ_BYTES];
    for _ in 0..MAX_READS {
        let mut buffer = ReadBuf::uninit(&mut buffer);
        if let Err(error) = ready!(Pin::new(&mut *link).poll_read(cx, &mut buffer)) {
            return Poll::Ready(End::Failed(io_cause(&error)));
        }
        if buffer.filled().is_empty() {
            let cause = Cause::with(ReasonCode::RemoteClosed, "the server closed the connection");
            return Poll::Ready(End::Failed(cause));
        }
        if let Err(error) = session.handle_input(buffer.filled()) {
            return Poll::Ready(End::Failed(Cause::with(ReasonCode::RemoteClosed, error)));
        }
        while let Some(event) = session.poll_event() {
            match event {
                ClientEvent::Closed { code, description } | ClientEvent::Refused { code, description, .. } => {
                    let said = format!("{code} {description}");
                    return Poll::Ready(End::Failed(Cause::with(ReasonCode::RemoteClosed, said)));
                }
                ClientEvent::ReconnectRequest { tc_url, .. } => return Poll::Ready(End::Moved(tc_url)),
                ClientEvent::Redirect { url } => return Poll::Ready(End::Moved(Some(url.expose().to_owned()))),
                _ => {}
            }
        }
        let answers = session.output().len();
        sender.put(session.output());
        session.consume_output(answers);
        if sender.control_waiting() > MAX_ANSWERS {
            let cause = Cause::with(ReasonCode::TooSlow, "it asks without end and does not read the answers");
            return Poll::Ready(End::Failed(cause));
        }
    }
    // A server that talks without end leaves the clock and the others their turn.
    cx.waker().wake_by_ref();
    Poll::Pending
}
