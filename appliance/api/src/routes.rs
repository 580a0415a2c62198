//! The one table of routes: method, path, who may, what answers, and what it is for. The router, the OpenAPI document and
//! the test that tries every route with everybody are all made from it.

use axum::handler::Handler;
use axum::http::Method;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::IntoResponse;
use axum::routing::{MethodFilter, MethodRouter, on};
use axum::{Json, Router};
use brookbox_store::Role::{Operator, Owner, Viewer};

use crate::access::Access::{self, Claimed, Fresh, InPerson, Metrics, Open, Role, Watch};
use crate::app::App;
use crate::openapi::Doc;
use crate::platforms::Platform;
use crate::problem::{Code, Problem};
use crate::resources::{
    alarms, broadcast, broadcasts, destinations, events, figures, health, inputs, install, jobs, login, logs, me,
    metrics, notifications, obs, outputs, play, profiles, sessions, setup, signins, status, support, system, tokens,
    users, watch_links,
};
use crate::{auth, body, live, openapi, security, web};

/// One method on one path.
pub(crate) struct Route {
    pub(crate) method: Method,
    /// As in the OpenAPI document: `/api/v1/inputs/{id}`.
    pub(crate) path: &'static str,
    pub(crate) access: Access,
    pub(crate) doc: Doc,
    handler: MethodRouter<App>,
}

/// The whole API.
pub(crate) fn router(app: &App) -> Router {
    let mut router = Router::new();
    for Route { path, access, handler, doc, .. } in table() {
        let layer = from_fn_with_state((app.clone(), access, doc.body_bytes), auth::check);
        // An output's id holds a slash, which may come as it is. The router takes whole segments only.
        let path = path.replace("/outputs/{id}", "/outputs/{*id}").replace("{input}.flv", "{file}");
        router = router.route(&path, handler.layer(layer));
    }
    router
        .method_not_allowed_fallback(|| async { Problem::new(Code::MethodNotAllowed) })
        .fallback(web::page)
        .layer(from_fn(problems_only))
        .layer(from_fn_with_state(app.clone(), security::guard))
        .with_state(app.clone())
}

/// The framework's own refusals (a path that is not UTF-8, a query that cannot be read) as problems too.
async fn problems_only(request: axum::extract::Request, next: axum::middleware::Next) -> axum::response::Response {
    let response = next.run(request).await;
    let status = response.status();
    let is_text = response.headers().get("content-type").is_some_and(|kind| kind.as_bytes().starts_with(b"text/plain"));
    if !(status.is_client_error() && is_text) {
        return response;
    }
    let problem = if status == 404 { Problem::new(Code::NotFound) } else { Problem::new(Code::BadRequest) };
    problem.into_response()
}

#[rustfmt::skip]
pub(crate) fn table() -> Vec<Route> {
    const GET: Method = Method::GET;
    const POST: Method = Method::POST;
    const PATCH: Method = Method::PATCH;
    const DELETE: Method = Method::DELETE;
    vec![
        // method, path, who may, what answers, what for
        route(GET, "/healthz", Open, health::health, Doc::new("The program answers").gives::<health::Health>(200)),
        route(GET, "/readyz", Open, health::ready, Doc::new("The program can work").gives::<health::Health>(200).or(&[Code::EngineEnded])),
        route(GET, "/metrics", Metrics, metrics::metrics, Doc::new("Figures in the OpenMetrics text format").gives_text(200)),
        route(GET, "/api/v1/openapi.json", Open, document, Doc::new("This document").gives_any(200)),

        route(GET, "/api/v1/setup", Open, setup::get, Doc::new("Says whether the box is somebody's").gives::<setup::Setup>(200)),
        route(POST, "/api/v1/setup", Open, setup::post, Doc::new("Claims the box, once").takes::<setup::NewOwner>().gives::<me::Me>(201)
            .or(&[Code::AlreadyClaimed, Code::SetupCodeNeeded, Code::SetupCodeWrong, Code::TooManyAttempts, Code::Busy])),
        route(POST, "/api/v1/setup/password", Claimed, setup::password, Doc::new("Replaces a lost password, for a while after a start with the file `brookbox-reset-password`")
            .takes::<setup::LostPassword>().gives::<setup::NewPassword>(200).or(&[Code::ResetClosed, Code::NotFound, Code::Busy])),
        route(POST, "/api/v1/login", Claimed, login::login, Doc::new("Signs in").takes::<login::Login>().gives::<me::Me>(200)
            .or(&[Code::WrongPassword, Code::TooManyAttempts, Code::Busy])),
        route(POST, "/api/v1/logout", InPerson(Viewer), login::logout, Doc::new("Signs out").gives_nothing()),
        route(GET, "/api/v1/me", Role(Viewer), me::get, Doc::new("Says who asks").gives::<me::Me>(200)),
        route(POST, "/api/v1/me/confirm", InPerson(Viewer), me::confirm, Doc::new("Enters the password again").takes::<me::Confirm>().gives::<me::Me>(200)
            .or(&[Code::WrongPassword, Code::TooManyAttempts, Code::Busy])),
        route(POST, "/api/v1/me/password", InPerson(Viewer), me::password, Doc::new("Changes one's own password and ends one's other sign-ins").takes::<me::PasswordChange>().gives_nothing()
            .or(&[Code::WrongPassword, Code::TooManyAttempts, Code::Busy])),

        route(GET, "/api/v1/signins", InPerson(Viewer), signins::list, Doc::new("Lists one's own sign-ins; for an owner, everybody's").lists::<signins::SignInView>()),
        route(GET, "/api/v1/signins/{id}", InPerson(Viewer), signins::get, Doc::new("Shows a sign-in").gives::<signins::SignInView>(200)),
        route(DELETE, "/api/v1/signins/{id}", InPerson(Viewer), signins::delete, Doc::new("Ends a sign-in").gives_nothing()),

        route(DELETE, "/api/v1/signins", InPerson(Viewer), signins::delete_all, Doc::new("Ends all of one's own sign-ins").says("The one that asks ends too, unless it is to stay: `?keep=current`.")
            .query_text("keep", "`current`: the one that asks stays.").gives_nothing().or(&[Code::Invalid])),

        route(GET, "/api/v1/tokens", Role(Owner), tokens::list, Doc::new("Lists the API tokens").lists::<tokens::TokenView>()),
        route(POST, "/api/v1/tokens", Fresh(Owner), tokens::create, Doc::new("Makes an API token").takes::<tokens::NewToken>().gives::<tokens::MadeToken>(201).or(&[Code::LimitReached])),
        route(GET, "/api/v1/tokens/{id}", Role(Owner), tokens::get, Doc::new("Shows an API token").gives::<tokens::TokenView>(200)),
        route(DELETE, "/api/v1/tokens/{id}", InPerson(Owner), tokens::delete, Doc::new("Deletes an API token").gives_nothing()),

        route(GET, "/api/v1/users", Role(Owner), users::list, Doc::new("Lists the people").lists::<users::UserView>()),
        route(POST, "/api/v1/users", Fresh(Owner), users::create, Doc::new("Lets somebody in").takes::<users::NewUser>().gives::<users::UserView>(201).or(&[Code::LimitReached, Code::Busy])),
        route(GET, "/api/v1/users/{id}", Role(Owner), users::get, Doc::new("Shows a person").gives::<users::UserView>(200)),
        route(PATCH, "/api/v1/users/{id}", Fresh(Owner), users::patch, Doc::new("Changes a name or a role").patches::<users::UserChange>().gives::<users::UserView>(200).or(&[Code::LastOwner])),
        route(DELETE, "/api/v1/users/{id}", Fresh(Owner), users::delete, Doc::new("Deletes somebody with all sign-ins and tokens of theirs").gives_nothing().or(&[Code::LastOwner])),
        route(POST, "/api/v1/users/{id}/reset", Fresh(Owner), users::reset, Doc::new("Gives somebody a new password and ends their sign-ins").takes::<users::Reset>().gives::<users::UserView>(200).or(&[Code::Busy])),
        route(DELETE, "/api/v1/users/{id}/signins", InPerson(Owner), users::sign_out, Doc::new("Ends all sign-ins of somebody").gives_nothing()),

        route(GET, "/api/v1/inputs", Role(Viewer), inputs::list, Doc::new("Lists the inputs").lists::<inputs::InputView>()),
        route(POST, "/api/v1/inputs", Role(Owner), inputs::create, Doc::new("Adds an input").takes::<inputs::NewInput>().gives::<inputs::InputView>(201).or(&[Code::LimitReached])),
        route(GET, "/api/v1/inputs/{id}", Role(Viewer), inputs::get, Doc::new("Shows an input").gives::<inputs::InputView>(200)),
        route(PATCH, "/api/v1/inputs/{id}", Role(Owner), inputs::patch, Doc::new("Changes an input").patches::<inputs::NewInput>().gives::<inputs::InputView>(200)),
        route(DELETE, "/api/v1/inputs/{id}", Role(Owner), inputs::delete, Doc::new("Deletes an input that no destination uses").gives_nothing().or(&[Code::Conflict])),
        route(POST, "/api/v1/inputs/{id}/key", Fresh(Owner), inputs::read_key, Doc::new("Reads the stream key; leaves an event").gives::<inputs::StreamKey>(200)),
        route(POST, "/api/v1/inputs/{id}/rotate-key", Role(Owner), inputs::rotate_key, Doc::new("Gives the input a new stream key").takes_optional::<inputs::KeyChange>().gives::<inputs::InputView>(200)),

        route(GET, "/api/v1/inputs/{id}/alarms", Role(Viewer), alarms::get, Doc::new("Shows which alarms of an input are muted").gives::<alarms::MutedAlarms>(200)),
        route(PATCH, "/api/v1/inputs/{id}/alarms", Role(Operator), alarms::patch, Doc::new("Mutes alarms of an input").patches::<alarms::MutedAlarms>().gives::<alarms::MutedAlarms>(200)),
        route(GET, "/api/v1/inputs/{id}/obs", Role(Owner), obs::get, Doc::new("Says whether there is something to be put back at the OBS on the computer that asks")
            .gives::<obs::ObsKept>(200)),
        route(POST, "/api/v1/inputs/{id}/obs", Fresh(Owner), obs::set_up, Doc::new("Sets up the OBS on the computer that asks to send here")
            .takes_optional::<obs::ObsAccess>().gives::<obs::ObsDone>(200)
            .or(&[Code::ObsNotHere, Code::ObsUnreachable, Code::ObsWrongPassword, Code::ObsLive, Code::ObsUnexpected])),
        route(POST, "/api/v1/inputs/{id}/obs/restore", Fresh(Owner), obs::restore, Doc::new("Puts the OBS on the computer that asks back to what it was")
            .takes_optional::<obs::ObsAccess>().gives::<obs::ObsDone>(200)
            .or(&[Code::ObsNotHere, Code::ObsUnreachable, Code::ObsWrongPassword, Code::ObsLive, Code::ObsUnexpected])),

        route(GET, "/api/v1/outputs", Role(Viewer), outputs::list, Doc::new("Lists the outputs").lists::<outputs::Output>()),
        route(GET, "/api/v1/outputs/{id}", Role(Viewer), outputs::get, Doc::new("Shows an output").gives::<outputs::Output>(200)),

        route(GET, "/api/v1/destinations", Role(Viewer), destinations::list, Doc::new("Lists the destinations").lists::<destinations::DestinationView>()),
        route(POST, "/api/v1/destinations", Role(Owner), destinations::create, Doc::new("Adds a destination").takes::<destinations::NewDestination>().gives::<destinations::DestinationView>(201)
            .or(&[Code::AddressNotAllowed, Code::LimitReached])),
        route(GET, "/api/v1/destinations/{id}", Role(Viewer), destinations::get, Doc::new("Shows a destination").gives::<destinations::DestinationView>(200)),
        route(PATCH, "/api/v1/destinations/{id}", Role(Owner), destinations::patch, Doc::new("Changes a destination").says("A token that leads it to another server has to give the stream key again, and the password where there is one.").patches::<destinations::NewDestination>().gives::<destinations::DestinationView>(200)
            .or(&[Code::AddressNotAllowed])),
        route(DELETE, "/api/v1/destinations/{id}", Role(Owner), destinations::delete, Doc::new("Ends a destination properly and deletes it").gives_nothing()),
        route(POST, "/api/v1/destinations/{id}/on", Role(Operator), destinations::on, Doc::new("Switches a destination on").gives::<destinations::DestinationView>(200)),
        route(POST, "/api/v1/destinations/{id}/off", Role(Operator), destinations::off, Doc::new("Switches a destination off").gives::<destinations::DestinationView>(200)),
        route(POST, "/api/v1/destinations/{id}/retry", Role(Operator), destinations::retry, Doc::new("Tries a destination now").gives::<destinations::DestinationView>(200)),
        route(POST, "/api/v1/broadcast/start", Role(Operator), broadcast::start, Doc::new("Starts every destination that waits for it").gives::<status::Broadcast>(200)),
        route(POST, "/api/v1/broadcast/stop", Role(Operator), broadcast::stop, Doc::new("Ends every destination properly and keeps every switch").gives::<status::Broadcast>(200)),

        route(GET, "/api/v1/profiles", Role(Viewer), profiles::list, Doc::new("Lists the profiles: named sets of destinations with their switches").lists::<profiles::ProfileView>()),
        route(POST, "/api/v1/profiles", Role(Owner), profiles::create, Doc::new("Saves the destinations as they are now as a profile").takes::<profiles::NewProfile>().gives::<profiles::ProfileView>(201).or(&[Code::LimitReached])),
        route(GET, "/api/v1/profiles/undo", Role(Viewer), profiles::get_undo, Doc::new("Says what can be undone: the last switch to a profile, or the last deletion of one").gives::<profiles::UndoState>(200)),
        route(POST, "/api/v1/profiles/undo", Role(Operator), profiles::undo, Doc::new("Undoes it").says("An undone switch can itself be undone. A deleted profile is brought back by an owner only.")
            .gives::<profiles::UndoView>(200).or(&[Code::NothingToUndo, Code::LimitReached])),
        route(POST, "/api/v1/profiles/import", InPerson(Owner), profiles::import, Doc::new("Adds a profile from an exported file").says("Nothing changes before the box is switched to it. Leave to send into the own network (`allowLocal`) is not imported.")
            .takes::<profiles::Import>().up_to(body::MOST_BYTES).gives::<profiles::ProfileView>(201)
            .or(&[Code::WrongFilePassword, Code::FileDamaged, Code::FileUnknown, Code::LimitReached, Code::Busy])),
        route(GET, "/api/v1/profiles/{id}", Role(Viewer), profiles::get, Doc::new("Shows a profile").gives::<profiles::ProfileView>(200)),
        route(PATCH, "/api/v1/profiles/{id}", Role(Owner), profiles::patch, Doc::new("Gives a profile another name").patches::<profiles::NewProfile>().gives::<profiles::ProfileView>(200)),
        route(DELETE, "/api/v1/profiles/{id}", Role(Owner), profiles::delete, Doc::new("Deletes a profile, which can be undone").gives_nothing()),
        route(POST, "/api/v1/profiles/{id}/save", Role(Owner), profiles::save, Doc::new("Saves the destinations as they are now in this profile").gives::<profiles::ProfileView>(200)),
        route(GET, "/api/v1/profiles/{id}/compare", Role(Viewer), profiles::compare, Doc::new("Shows row by row what a switch to this profile would change").gives::<profiles::Comparison>(200)),
        route(POST, "/api/v1/profiles/{id}/switch", Role(Operator), profiles::switch, Doc::new("Switches to this profile, row by row").says("Destinations that stay as they are go on undisturbed. Those that the profile does not know are switched off, not deleted.")
            .takes_optional::<profiles::Rows>().gives::<profiles::Comparison>(200).or(&[Code::LimitReached])),
        route(POST, "/api/v1/profiles/{id}/export", Fresh(Owner), profiles::export, Doc::new("Gives a profile as a file, encrypted by a password, stream keys included")
            .takes::<profiles::Export>().gives_media("application/octet-stream").or(&[Code::Busy])),

        route(GET, "/api/v1/notifications", Role(Owner), notifications::list, Doc::new("Lists whom the box tells what happens").lists::<notifications::NotificationView>()),
        route(POST, "/api/v1/notifications", Role(Owner), notifications::create, Doc::new("Tells somebody what happens, by webhook or ntfy").takes::<notifications::NewNotification>().gives::<notifications::NotificationView>(201)
            .or(&[Code::AddressNotAllowed, Code::LimitReached])),
        route(GET, "/api/v1/notifications/{id}", Role(Owner), notifications::get, Doc::new("Shows a notification").gives::<notifications::NotificationView>(200)),
        route(PATCH, "/api/v1/notifications/{id}", Role(Owner), notifications::patch, Doc::new("Changes a notification").patches::<notifications::NewNotification>().gives::<notifications::NotificationView>(200)
            .or(&[Code::AddressNotAllowed])),
        route(DELETE, "/api/v1/notifications/{id}", Role(Owner), notifications::delete, Doc::new("Deletes a notification").gives_nothing()),
        route(POST, "/api/v1/notifications/{id}/test", Role(Owner), notifications::test, Doc::new("Sends a test and says what became of it").gives::<notifications::LastTry>(200).or(&[Code::Busy, Code::Conflict])),

        route(GET, "/api/v1/sessions", Role(Viewer), sessions::list, Doc::new("Lists who is connected to the inputs").lists::<status::Session>()),
        route(GET, "/api/v1/sessions/{id}", Role(Viewer), sessions::get, Doc::new("Shows a session").gives::<status::Session>(200)),
        route(DELETE, "/api/v1/sessions/{id}", Role(Operator), sessions::delete, Doc::new("Closes a session").gives_nothing()),
        route(GET, "/api/v1/refusals", Role(Operator), sessions::refusals, Doc::new("Lists who was refused lately").lists::<sessions::Refusal>()),
        route(POST, "/api/v1/refusals/{address}/block", Role(Operator), sessions::block, Doc::new("Blocks an address for a while: closes its connections that have shown no right key, and tells no more of its wrong keys").takes_optional::<sessions::BlockTime>().gives::<sessions::Blocked>(200)),
        route(DELETE, "/api/v1/refusals/{address}/block", Role(Operator), sessions::unblock, Doc::new("Ends a block").gives_nothing().or(&[Code::Invalid])),

        route(GET, "/play/{input}.flv", Watch, play::play, Doc::new("What comes in at an input, as FLV without end")
            .says("Over HTTP, or over WebSocket as binary messages. It begins with the configuration and the newest keyframe. A \
                   viewer that does not keep up loses whole groups of pictures.")
            .gives_media("video/x-flv").or(&[Code::BadOrigin, Code::NoPicture, Code::TooManyViewers, Code::TooManySockets, Code::EngineEnded])),
        route(GET, "/play/watch", Watch, play::watch, Doc::new("Shows what a watch link's cookie opens").gives::<play::Watch>(200).or(&[Code::NotFound])),
        route(POST, "/play/watch", Claimed, play::exchange, Doc::new("Exchanges a watch link's secret for a cookie that reaches only /play").takes::<play::WatchToken>().gives::<play::Watch>(200)
            .or(&[Code::WatchLinkEnded, Code::NotAllowed])),
        route(GET, "/api/v1/watch-links", Role(Operator), watch_links::list, Doc::new("Lists the watch links").lists::<watch_links::WatchLinkView>()),
        route(POST, "/api/v1/watch-links", InPerson(Operator), watch_links::create, Doc::new("Makes a watch link").takes::<watch_links::NewWatchLink>().gives::<watch_links::MadeWatchLink>(201).or(&[Code::LimitReached, Code::NotFound])),
        route(GET, "/api/v1/watch-links/{id}", Role(Operator), watch_links::get, Doc::new("Shows a watch link").gives::<watch_links::WatchLinkView>(200)),
        route(DELETE, "/api/v1/watch-links/{id}", Role(Operator), watch_links::delete, Doc::new("Deletes a watch link and ends what is watched by it").gives_nothing()),

        route(GET, "/api/v1/status", Role(Viewer), system::status, Doc::new("Shows the whole live state").gives::<status::Status>(200)),
        route(GET, "/api/v1/live", Role(Viewer), live::live, Doc::new("The live state as a WebSocket")
            .says("`{\"type\":\"snapshot\",\"seq\":n,\"status\":{…}}`, then once a second and at each change of state \
                   `{\"type\":\"delta\",\"seq\":n+1,\"patch\":{…}}`: a merge patch (RFC 7396) on `status`, in which a field \
                   that is `null` may also be missing.")
            .query("since", "The last number that was seen: what came after it follows, or a snapshot.")
            .upgrades().or(&[Code::BadOrigin, Code::UpgradeRequired, Code::TooManySockets])),
        route(GET, "/api/v1/events", Role(Viewer), events::list, Doc::new("Lists events, the newest first")
            .query("before", "Only events with a smaller id.").query("limit", "How many, 1 to 500; 100 if not said.")
            .query_text("code", "Only those with this code.").query_text("input", "Only those of this input.").query_text("destination", "Only those of this destination.")
            .query_text("severity", "Only those that matter at least so much: `info`, `warning` or `error`.")
            .query("from", "Only those of this time or later, ms since 1970.").query("until", "Only those of this time or earlier, ms since 1970.")
            .lists::<events::EventView>().or(&[Code::Invalid])),
        route(GET, "/api/v1/broadcasts", Role(Viewer), broadcasts::list, Doc::new("Lists broadcasts, the newest first")
            .query("before", "Only those with a smaller id.").query("limit", "How many, 1 to 100; 20 if not said. Fewer if they are long.").lists::<broadcasts::BroadcastView>().or(&[Code::Invalid])),
        route(GET, "/api/v1/broadcasts/{id}", Role(Viewer), broadcasts::get, Doc::new("Shows a broadcast").gives::<broadcasts::BroadcastView>(200)),
        route(GET, "/api/v1/figures", Role(Viewer), figures::get, Doc::new("Figures for graphs: the last five minutes by the second, or the last day by ten seconds")
            .query("stepS", "Seconds between two values: 1 (if not said) or 10.").query("limit", "How many values, 1 to 300, or to 8640 of ten seconds each; 300 if not said.")
            .query_text("input", "Only this input.").query_text("destination", "Only this destination.").gives::<figures::FiguresView>(200).or(&[Code::Invalid])),
        route(GET, "/api/v1/platforms", Role(Viewer), system::platforms, Doc::new("Lists the platforms that are known").lists::<Platform>()),

        route(GET, "/api/v1/system", Role(Owner), system::get, Doc::new("Shows the box itself").gives::<system::System>(200)),
        route(PATCH, "/api/v1/system", Role(Owner), system::patch, Doc::new("Changes the box's name or language").patches::<system::SystemChange>().gives::<system::System>(200)),
        route(GET, "/api/v1/system/machine", Role(Viewer), system::machine, Doc::new("What the system says of the machine it runs on; `null` is what it does not say").gives::<crate::machine::Machine>(200)),
        route(GET, "/api/v1/system/logs", Role(Owner), logs::list, Doc::new("Lists the newest of the program's own log, the newest first")
            .says("To follow it, ask every second or two for what came `after` the newest id that is known. Ids begin anew when the box is restarted.")
            .query_text("level", "Only what matters at least so much: `trace`, `debug`, `info`, `warn` or `error`.").query_text("text", "Only entries that hold this text, in any letters' case.")
            .query("before", "Only entries with a smaller id.").query("after", "Only entries with a larger id.").query("limit", "How many, 1 to 500; 200 if not said.")
            .lists::<logs::LogEntry>().or(&[Code::Invalid])),
        route(GET, "/api/v1/system/support-file", Role(Owner), support::parts, Doc::new("Lists what goes into a support file").lists::<support::SupportPart>()),
        route(POST, "/api/v1/system/support-file", Role(Owner), support::create, Doc::new("Begins to make a support file; gives the job, or the one that is under way")
            .says("It is made without any network. It holds no key, password or token; names and public addresses are replaced by made-up ones.").gives::<jobs::JobView>(201)),
        route(GET, "/api/v1/system/support-file/{id}", Role(Owner), support::fetch, Doc::new("Gives the support file that a job has made, for an hour").gives_media("application/zip").or(&[Code::Conflict])),
        route(GET, "/api/v1/system/install", Role(Owner), install::get, Doc::new("Lists the disks that *Install on this computer* can take; none unless the image was started from a USB stick").gives::<install::Install>(200)),
        route(POST, "/api/v1/system/install", Fresh(Owner), install::post, Doc::new("Erases a disk and begins to install on it; gives the job, or the one that is under way")
            .says("In its last step the box is at rest, and then the machine switches itself off: pull the stick, and switch it on again. The box that starts then has everything of this one, also this job as done.")
            .takes::<install::InstallOn>().gives::<jobs::JobView>(201).or(&[Code::Conflict])),
        route(GET, "/api/v1/jobs", Role(Viewer), jobs::list, Doc::new("Lists long work, under way and ended, the newest first").lists::<jobs::JobView>()),
        route(GET, "/api/v1/jobs/{id}", Role(Viewer), jobs::get, Doc::new("Shows a job").gives::<jobs::JobView>(200)),
        route(DELETE, "/api/v1/jobs/{id}", Role(Operator), jobs::delete, Doc::new("Ends a job that is under way, as soon as it can; forgets one that has ended, with its file").gives_nothing().or(&[Code::Conflict])),
        route(DELETE, "/api/v1/system/claim", Role(Owner), system::dismiss_claim, Doc::new("Dismisses the notice of the claim").gives_nothing()),
    ]
}

fn route<H, T>(method: Method, path: &'static str, access: Access, handler: H, doc: Doc) -> Route
where
    H: Handler<T, App>,
    T: 'static,
{
    // The table uses the four methods that convert.
    let filter = MethodFilter::try_from(method.clone()).unwrap_or(MethodFilter::GET);
    Route { method, path, access, doc, handler: on(filter, handler) }
}

async fn document() -> Json<&'static serde_json::Value> {
    Json(&openapi::DOCUMENT)
}
