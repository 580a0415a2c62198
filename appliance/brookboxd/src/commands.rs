//! What can be done beside running. Their answers go to standard output.

use std::collections::BTreeSet;
use std::io::{BufRead, ErrorKind, Read, Write};

use brookbox_store::{Error as StoreError, Finding, Role, Severity, Store};
use secrecy::{ExposeSecret, SecretString};

use crate::args::Options;
use crate::certificate::Source;
use crate::config::Config;
use crate::failure::Failure;
use crate::variables;

/// Of a line that is far too long, no more is read.
const MOST_PASSWORD: u64 = 1024;

/// Prints the description of the API.
pub(crate) fn openapi() -> Result<(), Failure> {
    print(&brookbox_api::openapi())
}

/// Says what is wrong with configuration and data; everything that can be told at once.
pub(crate) fn check(options: &Options) -> Result<(), Failure> {
    let config = Config::load(options)?;
    let mut wrong = 0;
    if let Some(file) = &config.file {
        print(&format!("configuration  {}  well", file.display()))?;
    } else {
        print("configuration  none, the defaults hold")?;
    }
    for failure in config.wrong_roots() {
        wrong += 1;
        failure.print();
    }
    if let Some((certificate, key)) = config.certificate.clone()
        && let Err(failure) = (Source::Given { certificate, key }).load("localhost", &BTreeSet::new(), &mut Vec::new())
    {
        wrong += 1;
        failure.print();
    }
    if let Some(file) = &config.variables {
        if let Err(failure) = variables::read(file) {
            wrong += 1;
            failure.print();
        } else if variables::is_open_to_all(file) {
            let path = file.display();
            print(&format!("{path}: every user can read it, and it holds secrets\n  hint: chmod 600 {path}"))?;
        }
    }
    match &config.web_dir {
        Some(dir) if !dir.join("index.html").is_file() => {
            wrong += 1;
            print(&format!(
                "web_dir: {}: there is no index.html\n  hint: build the page: npm ci && npm run build, in web/",
                dir.display()
            ))?;
        }
        Some(dir) => print(&format!("page           {}  well", dir.display()))?,
        None => print("page           none: only the API is served")?,
    }
    if config.data_dir.is_dir() {
        let findings = brookbox_store::check(&config.data_dir);
        if findings.is_empty() {
            print(&format!("data           {}  well", config.data_dir.display()))?;
        }
        for Finding { severity, file, sentence, hint } in findings {
            wrong += u32::from(severity == Severity::Error);
            print(&format!("{}: {sentence}\n  hint: {hint}", file.display()))?;
        }
    } else {
        print(&format!("data           {}  not there yet, made at the first start", config.data_dir.display()))?;
    }
    match wrong {
        0 => Ok(()),
        1 => Err(Failure::configuration("one thing is wrong")),
        n => Err(Failure::configuration(format!("{n} things are wrong"))),
    }
}

/// Prints an input's stream key.
pub(crate) fn show_key(config: &Config, input: &str) -> Result<(), Failure> {
    let store = open(config)?;
    let found = store.input(input).map_err(|error| match error {
        StoreError::NotFound(_) => {
            let ids = store.inputs().unwrap_or_default().into_iter().map(|i| i.id).collect::<Vec<_>>();
            Failure::other(format!("there is no input {input:?}")).hint(format!("there is: {}", ids.join(", ")))
        }
        other => store_failure(&other),
    })?;
    print(found.key.expose_secret())
}

/// Prints a one-time code for the set-up from another machine.
pub(crate) fn setup_code(config: &Config) -> Result<(), Failure> {
    let store = open(config)?;
    if store.claimed().map_err(|e| store_failure(&e))? {
        let hint = "sign in on the page; a lost password is replaced by: brookboxd reset-password";
        return Err(Failure::other("this box is set up already").hint(hint));
    }
    let code = brookbox_api::make_setup_code(&store).map_err(|e| store_failure(&e))?;
    print(code.expose_secret())
}

/// Gives an owner a new password and prints it.
pub(crate) fn reset_password(config: &Config, name: Option<&str>) -> Result<(), Failure> {
    let store = open(config)?;
    let users = store.users().map_err(|e| store_failure(&e))?;
    let owners: Vec<_> = users.iter().filter(|user| user.role == Role::Owner).collect();
    let names = owners.iter().map(|user| user.username.as_str()).collect::<Vec<_>>().join(", ");
    let user = match name {
        Some(name) => users.iter().find(|user| user.username.eq_ignore_ascii_case(name)),
        None if owners.len() > 1 => {
            return Err(Failure::usage("there are several owners").hint(format!("name one of: {names}")));
        }
        None => owners.first().copied(),
    };
    let Some(user) = user else {
        return Err(match name {
            Some(name) => Failure::other(format!("there is nobody called {name:?}")).hint(format!("owners: {names}")),
            None => Failure::other("this box is not set up yet").hint("open its page"),
        });
    };
    let password = brookbox_vault::stream_key().map_err(Failure::other)?;
    let hash = brookbox_vault::password::hash(&password).map_err(Failure::other)?;
    store.reset_password(&user.id, &hash).map_err(|e| store_failure(&e))?;
    tell_password(&user.username, &password)
}

/// Reads a password and prints its hash.
pub(crate) fn hash_password() -> Result<(), Failure> {
    let mut line = String::new();
    std::io::stdin().lock().take(MOST_PASSWORD).read_line(&mut line).map_err(Failure::other)?;
    let password = line.trim_end_matches(['\r', '\n']);
    if !(10..=128).contains(&password.chars().count()) {
        return Err(Failure::other("a password has 10 to 128 characters").hint("type it in one line on standard input"));
    }
    let hash = brookbox_vault::password::hash(&password.into()).map_err(Failure::other)?;
    print(hash.as_str())
}

fn tell_password(user: &str, password: &SecretString) -> Result<(), Failure> {
    print(&format!(
        "The new password of {user} is: {}\nEvery sign-in, API token and watch link has ended. Change the password on the page.",
        password.expose_secret()
    ))
}

fn open(config: &Config) -> Result<Store, Failure> {
    Store::open_existing(&config.data_dir).map_err(|error| store_failure(&error))
}

/// A failure of the store, with what to do.
pub(crate) fn store_failure(error: &StoreError) -> Failure {
    let failure = Failure::other(error);
    match error {
        StoreError::Absent { .. } => failure.hint("start brookboxd once, or give the right place by --data-dir DIR"),
        _ => failure,
    }
}

fn print(text: &str) -> Result<(), Failure> {
    match writeln!(std::io::stdout(), "{text}") {
        // Whoever reads has seen enough, as with `brookboxd openapi | head`.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(Failure::other),
    }
}
