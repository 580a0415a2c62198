//! What survives a restart: inputs, destinations, people, sign-ins, events (SQLite).
