//! Every dependency has a licence that is allowed, comes from the one registry, and is none that is banned: `deny.toml`.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a panic is how a test fails")]

use std::path::Path;
use std::process::Command;

use serde_json::Value;
use spdx::{Expression, ParseMode};

fn packages() -> Vec<Value> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let cargo = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked"])
        .current_dir(root)
        .output()
        .unwrap();
    assert!(cargo.status.success(), "{}", String::from_utf8_lossy(&cargo.stderr));
    let mut metadata: Value = serde_json::from_slice(&cargo.stdout).unwrap();
    let Value::Array(packages) = metadata["packages"].take() else { panic!("cargo metadata lists no packages") };
    packages
}

fn policy() -> toml::Table {
    include_str!("../../deny.toml").parse().unwrap()
}

/// Whether a licence expression can be met by the allowed licences.
fn is_allowed(expression: &str, allowed: &[&str]) -> bool {
    // Old manifests say `MIT/Apache-2.0`.
    let parsed = Expression::parse_mode(expression, ParseMode::LAX);
    parsed.is_ok_and(|e| e.evaluate(|requirement| allowed.contains(&requirement.to_string().as_str())))
}

#[test]
fn licences_are_allowed() {
    let policy = policy();
    let allowed: Vec<_> =
        policy["licenses"]["allow"].as_array().unwrap().iter().filter_map(toml::Value::as_str).collect();
    let mut wrong = Vec::new();
    for package in packages().iter().filter(|p| !p["source"].is_null()) {
        let licence = package["license"].as_str().unwrap_or_default();
        if !is_allowed(licence, &allowed) {
            wrong.push(format!("{} {}: {licence:?}", package["name"], package["version"]));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn everything_comes_from_one_registry_or_from_here() {
    let packages = packages();
    let mut sources: Vec<_> = packages.iter().filter_map(|p| p["source"].as_str()).collect();
    sources.sort_unstable();
    sources.dedup();
    assert!(matches!(sources[..], [only] if only.starts_with("registry+")), "{sources:?}");
}

#[test]
fn nothing_banned_is_there() {
    let policy = policy();
    let banned = policy["bans"]["deny"].as_array().unwrap();
    for package in packages() {
        let name = package["name"].as_str().unwrap();
        assert!(!banned.iter().any(|b| b["crate"].as_str() == Some(name)), "{name}");
    }
}

#[test]
fn expressions_are_understood() {
    let allowed = ["MIT", "Apache-2.0 WITH LLVM-exception"];
    assert!(is_allowed("MIT/Apache-2.0", &allowed));
    assert!(is_allowed("(GPL-3.0 OR MIT)", &allowed));
    assert!(is_allowed("Apache-2.0 WITH LLVM-exception", &allowed));
    assert!(!is_allowed("GPL-3.0-only", &allowed));
    assert!(!is_allowed("MIT AND GPL-2.0-only", &allowed));
    assert!(!is_allowed("", &allowed));
}
