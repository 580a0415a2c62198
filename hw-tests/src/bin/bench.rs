//! Measures Brookbox beside other relays, side by side in the same run.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};
use brookbox_hw_tests::bed::Tools;
use brookbox_hw_tests::bench::{Pace, Plan, Relay, Report, extras, measure};
use brookbox_hw_tests::media::Clip;
use brookbox_hw_tests::process;
use clap::{Parser, ValueEnum};

/// Measures Brookbox beside nginx-rtmp, FFmpeg and a plain byte copier.
#[derive(Debug, Parser)]
struct Arguments {
    /// `full`: N = 1, 3, 10, 50, three interleaved repeats. `quick`: N = 10, once, short.
    #[arg(value_enum, default_value = "full")]
    size: Size,
    /// Numbers of destinations instead of the usual ones.
    #[arg(long, value_delimiter = ',')]
    destinations: Vec<usize>,
    /// Repeats instead of the usual ones.
    #[arg(long)]
    repeats: Option<usize>,
    /// Only relays with one of these words in their name; the floor is always there.
    #[arg(long, value_delimiter = ',')]
    relays: Vec<String>,
    /// Only this pace.
    #[arg(long, value_enum)]
    pace: Option<OnlyPace>,
    /// Where the tables go; a file of the same name with `.json` gets every measurement.
    #[arg(long)]
    output: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Size {
    Full,
    Quick,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum OnlyPace {
    RealTime,
    FlatOut,
}

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "printing is its work")]
fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let full = arguments.size == Size::Full;
    let tools = Tools::find()?;
    let counts = match (&arguments.destinations[..], full) {
        ([], true) => vec![1, 3, 10, 50],
        ([], false) => vec![10],
        (counts, _) => counts.to_vec(),
    };
    let repeats = arguments.repeats.unwrap_or(if full { 3 } else { 1 });
    let window = |pace| match (pace, full) {
        (Pace::RealTime, true) => Duration::from_secs(10),
        (Pace::RealTime, false) => Duration::from_secs(8),
        (Pace::FlatOut, true) => Duration::from_secs(5),
        (Pace::FlatOut, false) => Duration::from_secs(3),
    };
    let paces: Vec<_> = [(Pace::RealTime, OnlyPace::RealTime), (Pace::FlatOut, OnlyPace::FlatOut)]
        .into_iter()
        .filter(|(_, only)| arguments.pace.is_none_or(|wanted| wanted == *only))
        .map(|(pace, _)| pace)
        .collect();
    let chosen = |relay: &Relay| {
        let name = relay.name().to_lowercase();
        *relay == Relay::Floor
            || arguments.relays.is_empty()
            || arguments.relays.iter().any(|word| name.contains(&word.to_lowercase()))
    };
    let relays: Vec<_> = Relay::ALL.into_iter().filter(chosen).collect();
    eprintln!("making the clip, if it is not there …");
    Clip::Bench.file(&tools)?;
    let command: Vec<_> = std::env::args().skip(1).collect();
    let command = match &command[..] {
        [size] if size == "full" => "make bench".to_owned(),
        [size] if size == "quick" => "make bench-quick".to_owned(),
        _ => format!("scripts/bench.sh {}", command.join(" ")),
    };
    let mut report = Report::new(command, versions(&tools))?;
    let total = repeats * paces.len() * counts.len() * relays.len();
    // Interleaved: what the machine does in between touches every relay alike.
    for repeat in 1..=repeats {
        for pace in &paces {
            for count in &counts {
                for relay in &relays {
                    let plan = Plan { relay: *relay, destinations: *count, pace: *pace, window: window(*pace) };
                    let done = report.samples.len() + 1;
                    eprint!("[{done}/{total}] repeat {repeat}, {pace:?}, N = {count}, {} … ", relay.name());
                    match measure(&tools, plan) {
                        Ok(sample) => {
                            eprintln!(
                                "{:.3} CPU s per target-minute, {:.3} per GB, p99 {:.1} ms, {} lost",
                                sample.cpu_s_per_target_minute,
                                sample.cpu_s_per_gb,
                                sample.latency_p99_ms,
                                sample.frames_lost
                            );
                            report.samples.push(sample);
                        }
                        // Others may not be able to do it; Brookbox and the floor have to.
                        Err(error) if matches!(relay, Relay::Brookbox | Relay::Floor) => return Err(error),
                        Err(error) => eprintln!("failed: {error:#}"),
                    }
                }
            }
        }
    }
    eprintln!("Brookbox alone …");
    report.extras = extras(&tools, Duration::from_secs(if full { 20 } else { 5 }))?;
    let text = report.markdown();
    println!("{text}");
    let output = arguments.output.unwrap_or_else(|| tools.build.join("bench/report.md"));
    std::fs::write(&output, &text).with_context(|| format!("writing {}", output.display()))?;
    let json = output.with_extension("json");
    std::fs::write(&json, serde_json::to_string_pretty(&report)?)?;
    eprintln!("written to {} and {}", output.display(), json.display());
    Ok(())
}

fn versions(tools: &Tools) -> Vec<String> {
    let first_line = |command: &mut Command| {
        let out = process::output(command).ok().and_then(|out| String::from_utf8(out).ok());
        out.and_then(|text| text.lines().next().map(str::to_owned)).unwrap_or_else(|| "unknown".to_owned())
    };
    let brookbox = first_line(Command::new(&tools.brookboxd).arg("--version"));
    let ffmpeg = first_line(Command::new(tools.ffmpeg()).arg("-version"));
    let ffmpeg = ffmpeg.split(" Copyright").next().unwrap_or(&ffmpeg).to_owned();
    vec![brookbox, ffmpeg, "nginx 1.22 with its RTMP module 1.2.2 (Debian 12)".to_owned()]
}
