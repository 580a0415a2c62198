//! How the rest of the box talks to the engine.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};

use crate::outward::Outward;
use crate::{Destination, Excerpt, Id, Input, NewViewer, Report, Snapshot, ViewError, Viewing};

/// A command to the engine.
#[derive(Debug)]
pub(crate) enum Command {
    PutInput(Input),
    RemoveInput(Id),
    PutDestination(Destination),
    RemoveDestination(Id),
    Retry(Id),
    StartBroadcast,
    StopBroadcast,
    Disconnect(Id),
    Block(IpAddr, Duration),
    View(NewViewer, oneshot::Sender<Result<Viewing, ViewError>>),
    Excerpt(Id, bool, oneshot::Sender<Option<Excerpt>>),
    Listen,
    Ping,
    Stop,
}

/// The engine has ended; the daemon is on its way down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the engine has ended")]
pub struct Ended;

/// A way to talk to the engine from any thread.
///
/// Every command is answered once it is in force, and what [`snapshot`](Self::snapshot) gives afterwards shows it.
#[derive(Clone, Debug)]
pub struct Handle {
    commands: mpsc::Sender<(Command, oneshot::Sender<bool>)>,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    rtmp: SocketAddr,
    outward: Outward,
}

/// What the engine reports, in order. To be taken by one reader, which must keep up: the queue is bounded, and what
/// does not fit is counted in the log.
pub type Reports = mpsc::Receiver<Report>;

impl Handle {
    pub(crate) fn new(
        commands: mpsc::Sender<(Command, oneshot::Sender<bool>)>,
        snapshots: watch::Receiver<Arc<Snapshot>>,
        rtmp: SocketAddr,
        outward: Outward,
    ) -> Self {
        Self { commands, snapshots, rtmp, outward }
    }

    /// Where publishers connect; the port is real also when port 0 was asked for.
    #[must_use]
    pub fn rtmp(&self) -> SocketAddr {
        self.rtmp
    }

    /// Connections to the outside, by the same rules as a destination's.
    #[must_use]
    pub fn outward(&self) -> &Outward {
        &self.outward
    }

    /// The newest state.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshots.borrow().clone()
    }

    /// Sees every change of state at once, and figures every second.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.snapshots.clone()
    }

    /// Lets publishers in: to be called once every input and destination is known. Until then they wait, so that none is
    /// refused whose input is just being read.
    pub async fn listen(&self) -> Result<(), Ended> {
        self.call(Command::Listen).await.map(|_| ())
    }

    /// Returns once the engine's own thread has turned: what proves that it lives, for a watchdog.
    pub async fn ping(&self) -> Result<(), Ended> {
        self.call(Command::Ping).await.map(|_| ())
    }

    /// Adds an input or replaces it. A publisher stays unless the input was disabled or its key changed.
    pub async fn put_input(&self, input: Input) -> Result<(), Ended> {
        self.call(Command::PutInput(input)).await.map(|_| ())
    }

    /// Removes an input and closes its publisher. Says whether there was one.
    pub async fn remove_input(&self, id: Id) -> Result<bool, Ended> {
        self.call(Command::RemoveInput(id)).await
    }

    /// Adds a destination or replaces it. One that is live reconnects only if where or what it sends changed.
    pub async fn put_destination(&self, destination: Destination) -> Result<(), Ended> {
        self.call(Command::PutDestination(destination)).await.map(|_| ())
    }

    /// Ends a destination properly and forgets it. Says whether there was one.
    pub async fn remove_destination(&self, id: Id) -> Result<bool, Ended> {
        self.call(Command::RemoveDestination(id)).await
    }

    /// Tries a `retrying` or `failed` destination now. Says whether there is such a destination.
    pub async fn retry(&self, id: Id) -> Result<bool, Ended> {
        self.call(Command::Retry(id)).await
    }

    /// *Start sending*.
    pub async fn start_broadcast(&self) -> Result<(), Ended> {
        self.call(Command::StartBroadcast).await.map(|_| ())
    }

    /// *Stop sending*: ends every destination properly and keeps every switch.
    pub async fn stop_broadcast(&self) -> Result<(), Ended> {
        self.call(Command::StopBroadcast).await.map(|_| ())
    }

    /// Closes a session. Says whether there was one.
    pub async fn disconnect(&self, session: Id) -> Result<bool, Ended> {
        self.call(Command::Disconnect(session)).await
    }

    /// Lets somebody watch an input's programme.
    ///
    /// # Errors
    /// [`ViewError`] says why not.
    pub async fn view(&self, viewer: NewViewer) -> Result<Viewing, ViewError> {
        let (answer, answered) = oneshot::channel();
        self.call(Command::View(viewer, answer)).await?;
        answered.await.map_err(|_| Ended)?
    }

    /// The newest second of an input's programme, with `sound` if that is wanted. None: nothing comes in.
    pub async fn excerpt(&self, input: Id, sound: bool) -> Result<Option<Excerpt>, Ended> {
        let (answer, answered) = oneshot::channel();
        self.call(Command::Excerpt(input, sound, answer)).await?;
        answered.await.map_err(|_| Ended)
    }

    /// Blocks an address for a while: closes its connections that have shown no right key, and tells no more of what it is
    /// refused for. A right key is taken all the same.
    pub async fn block(&self, address: IpAddr, time: Duration) -> Result<(), Ended> {
        self.call(Command::Block(address, time)).await.map(|_| ())
    }

    /// Ends a block, if there is one.
    pub async fn unblock(&self, address: IpAddr) -> Result<(), Ended> {
        self.call(Command::Block(address, Duration::ZERO)).await.map(|_| ())
    }

    /// Ends every destination properly, closes the listener and ends the engine: within 4 s whatever the peers do.
    pub async fn stop(&self) -> Result<(), Ended> {
        self.call(Command::Stop).await.map(|_| ())
    }

    async fn call(&self, command: Command) -> Result<bool, Ended> {
        let (answer, answered) = oneshot::channel();
        self.commands.send((command, answer)).await.map_err(|_| Ended)?;
        answered.await.map_err(|_| Ended)
    }
}
