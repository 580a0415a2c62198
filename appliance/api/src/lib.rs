//! The HTTP API, live socket and static page.
//!
//! A request passes `server` (connections), `security` (Host, Origin, sizes), the rule of its route (`auth`) and arrives
//! at a handler in `resources`. All routes with their rules stand in one table, `routes`; the OpenAPI document is made
//! from it. What people change goes to the store first and to the engine then; `bridge` does the same at the start and
//! keeps what the engine reports.

mod access;
mod advice;
mod app;
mod attention;
mod auth;
mod body;
mod bridge;
mod codes;
mod devices;
mod difference;
mod drift;
mod fields;
mod figures;
mod guess;
mod handover;
mod history;
mod install;
mod jobs;
mod live;
mod logbook;
mod lookout;
mod machine;
mod net;
mod notices;
mod notify;
mod obs;
mod openapi;
mod people;
mod platforms;
mod problem;
mod query;
mod resources;
mod routes;
mod security;
mod sentences;
mod server;
mod sockets;
mod support;
mod target;
mod upload;
mod vitals;
mod web;
mod writes;

pub use app::{Api, ApiConfig, Certificate, Identity};
pub use bridge::{SyncError, run_reports, sync};
pub use handover::hand_over;
pub use logbook::{LogLevel, Logbook};
pub use openapi::openapi;
pub use resources::setup::make_setup_code;
pub use server::{Died, serve, serve_both};
