//! Tables for people and JSON for programs.

use std::fmt::Write as _;

use anyhow::Result;
use serde::Serialize;

use super::relays::Relay;
use super::run::{Extras, Pace, Sample};

/// Everything that was measured, and where.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// The command that made it.
    pub command: String,
    /// Processor, cores, system.
    pub machine: String,
    /// Versions of what was compared.
    pub versions: Vec<String>,
    /// Every measurement, in the order in which they were made.
    pub samples: Vec<Sample>,
    /// Figures of Brookbox alone.
    pub extras: Extras,
}

impl Report {
    /// A report about this machine.
    ///
    /// # Errors
    /// `/proc` cannot be read.
    pub fn new(command: String, versions: Vec<String>) -> Result<Self> {
        let cpuinfo = std::fs::read_to_string("/proc/cpuinfo")?;
        let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        let cores = std::thread::available_parallelism()?;
        let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease")?;
        let machine =
            format!("{cores} cores, {}, Linux {}", model.map_or("unknown processor", |(_, name)| name), kernel.trim());
        Ok(Self { command, machine, versions, ..Self::default() })
    }

    /// The tables, as Markdown.
    #[must_use]
    pub fn markdown(&self) -> String {
        let mut text = String::new();
        let _ = writeln!(text, "Made by `{}` on {}.", self.command, self.machine);
        let _ = writeln!(text, "Compared: {}.", self.versions.join("; "));
        for (pace, title) in [
            (Pace::RealTime, "One publisher at 6 Mbit/s in real time (1080p60, AAC)"),
            (
                Pace::FlatOut,
                "The same stream flat out: as fast as FFmpeg sends and the relay takes, up to 800 Mbit/s in",
            ),
        ] {
            let counts: Vec<_> = distinct(self.samples.iter().filter(|s| s.pace == pace).map(|s| s.destinations));
            if counts.is_empty() {
                continue;
            }
            let _ = write!(text, "\n## {title}\n");
            for count in counts {
                self.table(&mut text, pace, count);
            }
        }
        let extras = &self.extras;
        let _ = write!(
            text,
            "\n## Brookbox alone\n\n| | |\n| --- | ---: |\n\
             | start to `ready`, ten destinations | {:.0} ms |\n\
             | destination switched on in the middle of a stream, to its first picture | {:.0} ms |\n\
             | CPU while ten destinations wait and nothing is published | {:.2} % of a core |\n\
             | program | {:.1} MB |\n",
            extras.ready_ms, extras.join_ms, extras.idle_cpu_percent, extras.binary_mb
        );
        text
    }

    fn table(&self, text: &mut String, pace: Pace, count: usize) {
        let _ = write!(
            text,
            "\n**N = {count}**\n\n\
             | relay | CPU s per target-minute | × floor | CPU s per GB | × floor | MB/s out | RssAnon MB | VmRSS MB | \
             lost | missed at start | first picture ms | latency p50 ms | p99 ms | runs |\n\
             | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n"
        );
        let floor = self.of(Relay::Floor, pace, count);
        for relay in Relay::ALL {
            let samples = self.of(relay, pace, count);
            if samples.is_empty() {
                continue;
            }
            let m = |figure: fn(&Sample) -> f64| median(samples.iter().map(|sample| figure(sample)));
            let times = |figure: fn(&Sample) -> f64| m(figure) / median(floor.iter().map(|sample| figure(sample)));
            let lost: usize = samples.iter().map(|sample| sample.frames_lost).sum();
            let due: usize = samples.iter().map(|sample| sample.frames_due).sum();
            let missed: usize = samples.iter().map(|sample| sample.frames_missed_at_start).sum();
            let lost = if lost == 0 { "0".to_owned() } else { format!("{lost} of {due}") };
            let _ = writeln!(
                text,
                "| {} | {:.3} | {:.2} | {:.3} | {:.2} | {:.1} | {:.1} | {:.1} | {lost} | {missed} | {:.0} | {:.2} | {:.2} | {} |",
                relay.name(),
                m(|s| s.cpu_s_per_target_minute),
                times(|s| s.cpu_s_per_target_minute),
                m(|s| s.cpu_s_per_gb),
                times(|s| s.cpu_s_per_gb),
                m(|s| s.out_mb_per_s),
                m(|s| s.anon_mb),
                m(|s| s.rss_mb),
                m(|s| s.first_picture_ms),
                m(|s| s.latency_p50_ms),
                m(|s| s.latency_p99_ms),
                samples.len(),
            );
        }
    }

    fn of(&self, relay: Relay, pace: Pace, count: usize) -> Vec<&Sample> {
        self.samples.iter().filter(|s| s.relay == relay && s.pace == pace && s.destinations == count).collect()
    }
}

/// The middle value; not a number if there is none.
#[must_use]
pub fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => values[n / 2],
        n => f64::midpoint(values[n / 2 - 1], values[n / 2]),
    }
}

fn distinct(values: impl Iterator<Item = usize>) -> Vec<usize> {
    let mut all: Vec<_> = values.collect();
    all.sort_unstable();
    all.dedup();
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        assert!((median([3.0, 1.0, 2.0].into_iter()) - 2.0).abs() < 1e-9);
        assert!((median([4.0, 1.0, 2.0, 3.0].into_iter()) - 2.5).abs() < 1e-9);
        assert!(median(std::iter::empty()).is_nan());
    }
}
