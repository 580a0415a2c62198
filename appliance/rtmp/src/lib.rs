//! RTMP and Enhanced RTMP, both roles, sans-IO.

pub mod amf;
mod auth;
pub mod chunk;
mod client;
mod command;
mod error;
pub mod handshake;
mod link;
mod message;
mod secret;
mod server;
pub mod url;

pub use client::{ClientConfig, ClientEvent, ClientSession, LoginProgress, Stage};
pub use error::{Error, ErrorKind};
pub use message::{DataHead, Message, data_head, kind};
pub use secret::SecretKey;
pub use server::{Refusal, ServerConfig, ServerEvent, ServerLimits, ServerSession};
