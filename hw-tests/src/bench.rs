//! The bench: one publisher, N destinations, several ways to get from the one to the others.
//!
//! FFmpeg publishes through the [`gate`], which notes when each frame came by; the relay under test sends to the
//! [`sink`], which notes when each arrived. Both are the same for every relay and are not counted; what is counted is
//! the CPU time and memory of the relay's own processes.

mod gate;
mod relays;
mod report;
mod run;
mod scan;
mod sink;

pub use relays::Relay;
pub use report::{Report, median};
pub use run::{Pace, Plan, Sample, extras, measure};
