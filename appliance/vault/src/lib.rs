//! Secrets at rest: AES-256-GCM under the machine key, Argon2id passwords, hashed tokens.
