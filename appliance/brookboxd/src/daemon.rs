//! Running: from the configuration to `ready`, and down again.

use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::time::Duration;

use brookbox_api::{Api, ApiConfig};
use brookbox_relay::{Handle, Reports, Settings};
use brookbox_store::Store;
use sd_notify::NotifyState;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::alone::alone;
use crate::commands::store_failure;
use crate::config::Config;
use crate::discovery::Discovery;
use crate::failure::Failure;
use crate::https::Https;
use crate::status::{self, Listeners};
use crate::{discovery, first_boot, hotspot, log, variables, watchdog};

/// The HTTP side has this long to end what it is answering.
const HTTP_END: Duration = Duration::from_millis(500);
/// Everything has ended within this, whatever hangs.
const STOP_TIME: Duration = Duration::from_millis(4_500);

/// Runs until a signal asks to end, or the engine dies.
pub(crate) fn run(config: Config) -> Result<(), Failure> {
    let logs = log::start();
    // Found now and not when a broadcast starts; the system's own certificates are read at the first use.
    if let Some(failure) = config.wrong_roots().into_iter().next() {
        return Err(failure);
    }
    let _alone = alone(&config.data_dir)?;
    let store = Store::open_limited(&config.data_dir, config.input_limits).map_err(|error| store_failure(&error))?;
    let variables = config.variables.as_deref().map_or_else(|| Ok(Vec::new()), variables::read)?;
    if let Some(file) = config.variables.as_deref().filter(|file| variables::is_open_to_all(file)) {
        tracing::warn!(file = %file.display(), "every user can read the variables file, which holds secrets: chmod 600");
    }
    let variable_names = variables.iter().map(|(name, _)| name.clone()).collect();
    let mut first = first_boot::run(&config, &store).map_err(|error| store_failure(&error))?;
    let (http, http_address) = listen("HTTP", "--http", config.http)?;
    let box_name: Option<String> = store.setting("boxName").map_err(|error| store_failure(&error))?;
    let host = format!("{}.local", box_name.as_deref().unwrap_or("brookbox"));
    let https = config.https.map(|address| {
        let (listener, _) = listen("HTTPS", "--https", address)?;
        Https::new(listener, config.certificate.clone(), config.data_dir.clone(), &host)
    });
    let https = https.transpose()?;
    let https_address = https.as_ref().map(|https| https.address);
    first.problems.extend(https.iter().flat_map(|https| https.problems.clone()));
    let settings = Settings {
        rtmp: config.rtmp,
        extra_roots: config.extra_roots.clone(),
        variables,
        limits: config.limits,
        broadcast: store.broadcast().map_err(|error| store_failure(&error))?.unwrap_or_default(),
        own_listeners: [http_address].into_iter().chain(https_address).collect(),
    };
    let (engine, reports) =
        brookbox_relay::start(settings).map_err(|error| busy("RTMP", "--rtmp", config.rtmp, &error))?;
    let api = Api::new(
        ApiConfig {
            web_dir: config.web_dir.clone(),
            allowed_hosts: config.allowed_hosts.clone(),
            input_limits: config.input_limits,
            claim_from_lan: config.claim_from_lan,
            system_dir: config.first_boot.is_some().then(|| config.data_dir.join(first_boot::FOR_THE_SYSTEM)),
            password_reset: first.reset,
            variable_names,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            logbook: logs.book,
            journal: logs.journal,
            installer: config.installer.clone(),
            notices: config.notices.clone(),
            ..ApiConfig::default()
        },
        store.clone(),
        engine.clone(),
    )
    .map_err(|error| store_failure(&error))?;
    let mut ready = format!("ready http={http_address} rtmp={}", engine.rtmp());
    if let Some(address) = https_address {
        ready.push_str(&format!(" https={address}"));
    }
    let listeners = Listeners { http: http_address, https: https_address, rtmp: engine.rtmp() };
    let screen = Screen {
        data_dir: config.hotspot.is_some().then(|| config.data_dir.clone()),
        listeners,
        socket: config.status_socket.clone(),
        problems: first.problems,
        notices: config.notices.clone(),
    };
    let announced = config.mdns.then(|| discovery::id(&store)).transpose().map_err(|error| store_failure(&error))?;
    // HTTP, storage and password hashing: a thread of their own, beside the engine's.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(16)
        .thread_keep_alive(Duration::from_secs(2))
        .build()
        .map_err(Failure::other)?;
    let result = runtime.block_on(serve(http, https, api, store, engine, reports, announced, screen, &ready));
    runtime.shutdown_timeout(HTTP_END);
    result
}

/// What the screen is to show, and where it asks.
struct Screen {
    /// Where the set-up hotspot is told whether anybody owns the box.
    data_dir: Option<PathBuf>,
    listeners: Listeners,
    socket: PathBuf,
    problems: Vec<String>,
    notices: Option<PathBuf>,
}

#[expect(clippy::too_many_arguments, reason = "everything that runs, put together in one place")]
async fn serve(
    http: TcpListener,
    https: Option<Https>,
    api: Api,
    store: Store,
    engine: Handle,
    reports: Reports,
    announced: Option<String>,
    screen: Screen,
    ready: &str,
) -> Result<(), Failure> {
    let http = tokio::net::TcpListener::from_std(http).map_err(Failure::other)?;
    let http_address = http.local_addr().map_err(Failure::other)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(Failure::other)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Failure::other)?;
    // First of all: to probe for the name takes most of a second, and nothing here waits for that.
    let mut found = announced.map(|id| Discovery::begin(api.clone(), id, http_address, engine.rtmp()));
    brookbox_api::sync(&store, &engine).await.map_err(Failure::other)?;
    engine.listen().await.map_err(Failure::other)?;
    let reporting = tokio::spawn(brookbox_api::run_reports(store.clone(), reports));
    let (stop, mut stopped) = watch::channel(false);
    let host = host_now(&api, found.as_ref());
    let https = https.map(|https| https.serve(api.clone(), host)).transpose()?;
    let announced = found.as_ref().map(Discovery::announced);
    if let Some(data_dir) = screen.data_dir {
        let identity = api.identity();
        tokio::spawn(async move { hotspot::tell(&data_dir, identity).await });
    }
    let showing = tokio::spawn(status::serve(
        &screen.socket,
        status::Source {
            api: api.clone(),
            engine: engine.clone(),
            store: store.clone(),
            listeners: screen.listeners,
            host: announced.map(|told| Box::new(move || told.borrow().host.clone()) as Box<_>),
            problems: screen.problems,
            notices: screen.notices,
        },
    ));
    let mut serving = tokio::spawn(brookbox_api::serve_both(http, https, api, async move {
        let _ = stopped.wait_for(|stop| *stop).await;
    }));
    let mut snapshots = engine.subscribe();
    let up = async {
        announce(ready)?;
        let settling = async {
            if let Some(found) = &mut found {
                found.settled().await;
            }
        };
        tokio::join!(watchdog::feed(&engine), settling);
        Ok(())
    };
    let result = tokio::select! {
        result = up => result,
        _ = terminate.recv() => Ok(()),
        _ = interrupt.recv() => Ok(()),
        () = async { while snapshots.changed().await.is_ok() {} } => {
            Err(Failure::other("the engine has died").hint("its last words are in the log"))
        }
        _ = &mut serving => Err(Failure::other("the HTTP side has died").hint("its last words are in the log")),
    };
    tracing::info!("stopping");
    let _ = sd_notify::notify(&[NotifyState::Stopping]);
    // It holds the engine, whose last words are waited for.
    showing.abort();
    let down = async {
        let goodbye = async {
            if let Some(found) = found {
                found.end().await;
            }
        };
        let _ = tokio::join!(engine.stop(), goodbye);
        // What the engine said last is stored before this ends.
        drop(engine);
        let _ = reporting.await;
        let _ = stop.send(true);
        if !serving.is_finished() {
            let _ = timeout(HTTP_END, serving).await;
        }
    };
    if timeout(STOP_TIME, down).await.is_err() {
        tracing::warn!("not everything ended in time");
    }
    result
}

/// The host name by which the box is found at each moment.
fn host_now(api: &Api, found: Option<&Discovery>) -> impl FnMut() -> String + Send + 'static {
    let (identity, announced) = (api.identity(), found.map(Discovery::announced));
    move || {
        let announced = announced.as_ref().map(|announced| announced.borrow().host.clone());
        announced.filter(|host| !host.is_empty()).unwrap_or_else(|| format!("{}.local", identity.borrow().box_name))
    }
}

fn listen(what: &str, flag: &str, address: SocketAddr) -> Result<(TcpListener, SocketAddr), Failure> {
    let listener = TcpListener::bind(address)
        .and_then(|listener| listener.set_nonblocking(true).map(|()| listener))
        .map_err(|error| busy(what, flag, address, &error))?;
    let address = listener.local_addr().map_err(Failure::other)?;
    Ok((listener, address))
}

/// Tells that all listeners are there: one line for people and scripts, one datagram for systemd.
fn announce(ready: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{ready}").and_then(|()| out.flush()).map_err(Failure::other)?;
    if let Err(error) = sd_notify::notify(&[NotifyState::Ready]) {
        tracing::warn!(%error, "systemd was not told that the daemon is ready");
    }
    tracing::info!(listeners = ready, "ready");
    Ok(())
}

fn busy(what: &str, flag: &str, address: SocketAddr, error: &std::io::Error) -> Failure {
    let failure = Failure::other(format!("cannot listen on {address} for {what}: {error}"));
    match error.kind() {
        std::io::ErrorKind::AddrInUse => failure
            .hint(format!("another program is there, perhaps another brookboxd; choose another by {flag} ADDR:PORT")),
        std::io::ErrorKind::PermissionDenied => {
            failure.hint("ports below 1024 need root, or the capability CAP_NET_BIND_SERVICE")
        }
        std::io::ErrorKind::AddrNotAvailable => failure.hint("this machine does not have that address"),
        _ => failure,
    }
}
