//! The acceptance suite: the box as a black box between real publishers and real servers.
//!
//! Everything here talks to `brookboxd` as a stranger would: by its command line, its HTTP API and RTMP. Nothing of the
//! box's own crates is used, so that a fault in one of them cannot hide itself. Verdicts come from other people's
//! software wherever there is some ([`peers`]); where a peer has to misbehave in a way that no real one does on
//! request, it is scripted ([`fault`], [`wire`]).
//!
//! The cases are declared once, in [`cases::all`]; [`runner`] runs them on a [`bed::Bed`].
#![allow(
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test program: it prints, and a panic is a failed case, caught and reported by the runner"
)]

pub mod auth;
pub mod bed;
pub mod bench;
pub mod cases;
pub mod daemon;
pub mod fault;
pub mod frames;
pub mod media;
pub mod netns;
pub mod peers;
pub mod ports;
pub mod process;
pub mod procfs;
pub mod runner;
pub mod tags;
pub mod tap;
pub mod text;
pub mod wait;
pub mod websocket;
pub mod wire;
