//! The HTTP API, live socket and static page.
