//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Parser, Subcommand};

const ABOUT: &str = "Takes one live stream and sends it to many places, each independent of the others.";

const AFTER: &str = "\
Every option can also be given in the environment (in brackets) and in the configuration file.
A flag wins over the environment, the environment over the file, the file over the default.

Exit status: 0 ended cleanly, 64 the command line is wrong, 78 the configuration is wrong, 1 anything else.

Examples:
  brookboxd                                    run with the defaults of an ordinary user
  brookboxd --http 127.0.0.1:9000 --rtmp 0.0.0.0:1935
  brookboxd --config /etc/brookbox/brookboxd.toml check
  brookboxd show-key                           the stream key for OBS

See brookboxd(1) for the configuration file.";

/// The command line.
#[derive(Debug, Parser)]
#[command(name = "brookboxd", version, about = ABOUT, after_help = AFTER, max_term_width = 110)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) options: Options,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// What can be set by flag, environment or file.
#[derive(Debug, Default, clap::Args)]
#[command(next_help_heading = "Where things are")]
pub(crate) struct Options {
    /// Configuration file (TOML) [default: brookbox/brookboxd.toml in $XDG_CONFIG_HOME, then in /etc, if there]
    #[arg(long, global = true, env = "BROOKBOX_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Where data are kept; made if it is not there [default: $XDG_DATA_HOME/brookbox]
    #[arg(long, global = true, env = "BROOKBOX_DATA_DIR", value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Where the page and the API are served [default: 0.0.0.0:8080]
    #[arg(long, global = true, env = "BROOKBOX_HTTP", value_name = "ADDR:PORT")]
    pub(crate) http: Option<SocketAddr>,
    /// The same by HTTPS [default: off; 443 on the appliance]
    #[arg(long, global = true, env = "BROOKBOX_HTTPS", value_name = "ADDR:PORT")]
    pub(crate) https: Option<SocketAddr>,
    /// Where OBS publishes by RTMP [default: 0.0.0.0:1935]
    #[arg(long, global = true, env = "BROOKBOX_RTMP", value_name = "ADDR:PORT")]
    pub(crate) rtmp: Option<SocketAddr>,
    /// Where SRT is taken; not in this version
    #[arg(long, global = true, env = "BROOKBOX_SRT", value_name = "ADDR:PORT")]
    pub(crate) srt: Option<SocketAddr>,
    /// Whether the box announces itself on the network, as brookbox.local [default: on]
    #[arg(long, global = true, env = "BROOKBOX_MDNS", value_name = "on|off", value_parser = on_or_off)]
    pub(crate) mdns: Option<bool>,
    /// Where the built page lies [default: /usr/share/brookbox/web, if there]
    #[arg(long, global = true, env = "BROOKBOX_WEB_DIR", value_name = "DIR")]
    pub(crate) web_dir: Option<PathBuf>,
}

/// What can be done beside running.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Say what is wrong with the configuration and the data, with line and hint; changes nothing
    Check,
    /// Print the stream key of an input, to a terminal or a pipe of the data's owner
    ShowKey {
        /// Which input
        #[arg(default_value = "main")]
        input: String,
    },
    /// Print a one-time code with which a new box can be set up from another machine
    SetupCode,
    /// Give an owner a new random password, print it, and end every sign-in
    ResetPassword {
        /// Whose; not needed where there is one owner
        user: Option<String>,
    },
    /// Put the system that was started from a USB stick onto a disk of this machine, which erases that disk
    InstallTo {
        /// Which; without it the disks that there are are named
        disk: Option<String>,
    },
    /// Show the box's addresses and state on this console, for as long as it runs
    Screen,
    /// Ask the running daemon on every listener whether it is well, and have it do a durable write
    Healthy {
        /// Go on trying for so long, s
        #[arg(long, value_name = "SECONDS", default_value_t = 0)]
        wait: u64,
    },
    /// Read a password from standard input and print its hash, for brookbox.toml
    HashPassword,
    /// Print the description of the HTTP API (OpenAPI 3.1, JSON)
    Openapi,
}

fn on_or_off(text: &str) -> Result<bool, &'static str> {
    match text {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err("say on or off"),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn the_man_page_names_every_option_command_and_variable() {
        let page = include_str!("../brookboxd.1").replace("\\-", "-");
        let command = Args::command();
        for arg in command.get_arguments() {
            if let Some(long) = arg.get_long() {
                assert!(page.contains(&format!("--{long}")), "--{long}");
            }
            if let Some(env) = arg.get_env() {
                assert!(page.contains(&*env.to_string_lossy()), "{env:?}");
            }
        }
        for sub in command.get_subcommands().filter(|c| c.get_name() != "help") {
            assert!(page.contains(sub.get_name()), "{}", sub.get_name());
        }
    }
}
