//! What this program may not do to the system itself is left as files in a folder, for the units that may.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use brookbox_vault::write_private;

/// Leaves one file in `folder`, whole or not at all. What it replaces was not done yet.
///
/// # Errors
/// Those of the file system.
pub fn hand_over(folder: &Path, name: &str, text: &str) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    write_private(&folder.join(name), text.as_bytes())
}
