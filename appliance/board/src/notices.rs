//! What other parts of the system want a person to know, for as long as it is so: a file each, in one folder. Its name is a
//! stable code, its first line one plain sentence, further lines are details (fingerprints of keys).

use std::fs;
use std::io::Read;
use std::path::Path;

/// Most notices that are read.
const MOST: usize = 8;
/// Longest file, and longest line, in bytes and characters.
const BYTES: u64 = 2_000;
const LINE: usize = 400;

/// Something that a person has to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Stable.
    pub code: String,
    /// In English.
    pub sentence: String,
    /// What belongs to it, a line each.
    pub details: Vec<String>,
}

/// The notices in a folder, by their codes; none where there is no such folder.
#[must_use]
pub fn notices(folder: &Path) -> Vec<Notice> {
    let Ok(files) = fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<_> = files.filter_map(|file| Some(file.ok()?.path())).take(MOST).collect();
    paths.sort();
    paths.iter().filter_map(|path| read(path)).collect()
}

fn read(path: &Path) -> Option<Notice> {
    let mut bytes = Vec::new();
    fs::File::open(path).ok()?.take(BYTES).read_to_end(&mut bytes).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    let mut lines =
        text.lines().map(|line| line.trim().chars().filter(|letter| !letter.is_control()).take(LINE).collect());
    let sentence = lines.next().filter(|sentence: &String| !sentence.is_empty())?;
    let details = lines.filter(|line| !line.is_empty()).collect();
    Some(Notice { code: path.file_name()?.to_str()?.to_owned(), sentence, details })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_is_a_sentence_with_details() {
        let dir = tempfile::tempdir().unwrap();
        let put = |name: &str, text: &str| fs::write(dir.path().join(name), text).unwrap();
        put("ssh-on", "SSH is on.\nSHA256:abc mara@desk\n\n\x1b[2JSHA256:def\n");
        put("data-repaired", "  Some of it may be missing.\n");
        put("empty", "\nwhat nobody says\n");
        put("long", &"x".repeat(9_000));
        let found = notices(dir.path());
        assert_eq!(
            found.iter().map(|notice| notice.code.as_str()).collect::<Vec<_>>(),
            ["data-repaired", "long", "ssh-on"]
        );
        assert_eq!((found[0].sentence.as_str(), found[0].details.len()), ("Some of it may be missing.", 0));
        assert_eq!(found[1].sentence.len(), LINE);
        assert_eq!(found[2].details, ["SHA256:abc mara@desk", "[2JSHA256:def"]);
        assert!(notices(Path::new("/nonexistent")).is_empty());
    }
}
