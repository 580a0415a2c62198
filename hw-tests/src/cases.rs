//! Every case, declared once.

mod control;
mod passthrough;

use crate::runner::Case;

/// Every case there is.
#[must_use]
pub fn all() -> Vec<Case> {
    [control::CASES, passthrough::CASES].concat()
}
