//! The daemon of a Brookbox: takes one stream and sends it to many places.
//!
//! Only arguments, wiring, signals and exit codes are here. See `brookboxd(1)`.

mod alone;
mod args;
mod certificate;
mod commands;
mod config;
mod daemon;
mod discovery;
mod failure;
mod first_boot;
mod healthy;
mod hosts;
mod hotspot;
mod https;
mod install;
mod log;
mod memory;
mod screen;
mod status;
mod variables;
mod watchdog;

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

use crate::args::{Args, Command};
use crate::config::Config;
use crate::failure::Failure;

fn main() -> ExitCode {
    memory::give_back();
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => {
            // Help and version are answers, not failures.
            let code = if error.use_stderr() { failure::USAGE } else { 0 };
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    match run(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.print();
            ExitCode::from(failure.code())
        }
    }
}

fn run(args: Args) -> Result<(), Failure> {
    let Args { options, command } = args;
    match command {
        Some(Command::Openapi) => commands::openapi(),
        Some(Command::Check) => commands::check(&options),
        Some(Command::ShowKey { input }) => commands::show_key(&Config::load(&options)?, &input),
        Some(Command::InstallTo { disk }) => {
            install::run(Config::load(&options)?.installer.as_deref(), disk.as_deref())
        }
        Some(Command::Screen) => screen::run(&Config::load(&options)?),
        Some(Command::Healthy { wait }) => healthy::run(&Config::load(&options)?, Duration::from_secs(wait)),
        Some(Command::HashPassword) => commands::hash_password(),
        Some(Command::SetupCode) => commands::setup_code(&Config::load(&options)?),
        Some(Command::ResetPassword { user }) => commands::reset_password(&Config::load(&options)?, user.as_deref()),
        None => daemon::run(Config::load(&options)?),
    }
}
