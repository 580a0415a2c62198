//! Where the cases run, and what a case gets to work with.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use anyhow::{Context as _, Result, bail};

/// A place where the box can be tested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bed {
    /// `brookboxd` as an ordinary process on this machine.
    Local,
    /// The image under QEMU.
    Qemu,
    /// A real board on the network.
    Board,
}

impl Bed {
    /// Every bed.
    pub const ALL: &'static [Bed] = &[Self::Local, Self::Qemu, Self::Board];
    /// Cases that need the daemon's process, files or command line at hand.
    pub const AT_HAND: &'static [Bed] = &[Self::Local];
}

/// The programs and folders that cases use.
#[derive(Clone, Debug)]
pub struct Tools {
    /// The repository.
    pub root: PathBuf,
    /// What scripts and suite make; survives between runs.
    pub build: PathBuf,
    /// The daemon under test.
    pub brookboxd: PathBuf,
}

impl Tools {
    /// Finds the repository from this program's own place; `BROOKBOXD` names another daemon to test.
    ///
    /// # Errors
    /// The daemon has not been built.
    pub fn find() -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("hw-tests has a parent")?.to_owned();
        let beside = std::env::current_exe()?.parent().context("a program is in a folder")?.join("brookboxd");
        let brookboxd = std::env::var_os("BROOKBOXD").map_or(beside, PathBuf::from);
        if !brookboxd.exists() {
            bail!("{} is not there; build it first: cargo build -p brookboxd", brookboxd.display());
        }
        Ok(Self { build: root.join("build"), root, brookboxd })
    }

    /// FFmpeg as Debian 12 has it (5.1): legacy RTMP only.
    #[must_use]
    pub fn ffmpeg(&self) -> PathBuf {
        "ffmpeg".into()
    }

    /// FFmpeg 9, which speaks Enhanced RTMP.
    #[must_use]
    pub fn ffmpeg9(&self) -> PathBuf {
        self.build.join("venv/bin/ffmpeg9")
    }

    /// A file of the unpacked Debian packages.
    #[must_use]
    pub fn unpacked(&self, path: &str) -> PathBuf {
        self.build.join("peers/root").join(path)
    }
}

/// What one case works with: its own folder, the programs, and a place for figures worth telling.
#[derive(Debug)]
pub struct Ctx {
    /// The folder of this case; kept when it fails.
    pub dir: PathBuf,
    /// The programs.
    pub tools: Tools,
    notes: Mutex<Vec<String>>,
}

impl Ctx {
    /// A context with an empty folder.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn new(tools: &Tools, dir: PathBuf) -> Result<Self> {
        if dir.exists() {
            std::fs::remove_dir_all(&dir).with_context(|| format!("emptying {}", dir.display()))?;
        }
        std::fs::create_dir_all(&dir).with_context(|| format!("making {}", dir.display()))?;
        Ok(Self { dir, tools: tools.clone(), notes: Mutex::default() })
    }

    /// Adds a figure to the report.
    pub fn note(&self, text: impl Into<String>) {
        if let Ok(mut notes) = self.notes.lock() {
            notes.push(text.into());
        }
    }

    /// The figures so far.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        self.notes.lock().map(|notes| notes.clone()).unwrap_or_default()
    }

    /// A folder inside the case's own.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn folder(&self, name: &str) -> Result<PathBuf> {
        let path = self.dir.join(name);
        std::fs::create_dir_all(&path).with_context(|| format!("making {}", path.display()))?;
        Ok(path)
    }
}
