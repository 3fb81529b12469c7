//! The settings files of the user and of the project: where they are, whose they must be, and whether the
//! project is trusted.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;
use serde::{Deserialize, Serialize};
use zeph_common::escape_terminal;
use zeph_config::Layers;
use zeph_orchestration::planfile::others_write;

use crate::exit::{CliError, Exit};
use crate::out;

/// The name of a project's settings file.
pub(crate) const FILE: &str = "zeph.toml";
/// The most bytes of a settings file, and of a file whose content is trusted with it.
const MAX_BYTES: u64 = 1 << 20;
/// The most files of agents and prompts that are trusted with a settings file.
const MAX_FILES: usize = 1_000;

/// A settings file with its text.
#[derive(Debug)]
pub(crate) struct SettingsFile {
    pub(crate) path: PathBuf,
    pub(crate) text: String,
}

/// The settings file of the user.
pub(crate) fn user_file() -> Result<Option<SettingsFile>, CliError> {
    let folder = match (variable("XDG_CONFIG_HOME"), variable("HOME")) {
        (Some(folder), _) if folder.is_absolute() => folder,
        (_, Some(home)) => home.join(".config"),
        (_, None) => return Ok(None),
    };
    let path = folder.join("zeph").join("config.toml");
    let opened = open(&path).map_err(|error| unreadable(&path, &error))?;
    opened.map(|file| read(path, file)).transpose()
}

/// [`FILE`] in the current folder or one above it, up to the root of the repository, the home folder, or
/// the border of the file system.
///
/// A file that another user could have written is ignored with a warning.
pub(crate) fn project_file() -> Result<Option<SettingsFile>, CliError> {
    // A deleted current folder has no project.
    let Ok(here) = std::env::current_dir() else {
        return Ok(None);
    };
    let device = |folder: &Path| fs::metadata(folder).map(|about| about.dev()).ok();
    let home = variable("HOME");
    for folder in here.ancestors() {
        if device(folder) != device(&here) {
            break;
        }
        let path = folder.join(FILE);
        if let Some(file) = open(&path).map_err(|error| unreadable(&path, &error))? {
            let reason =
                others_write(&file, folder, None).map_err(|error| unreadable(&path, &error))?;
            let Some(reason) = reason else {
                return read(path, file).map(Some);
            };
            let path = path.display().to_string();
            out::warn(format!("{} is ignored: {reason}", escape_terminal(&path)));
            return Ok(None);
        }
        if folder.join(".git").exists() || home.as_deref() == Some(folder) {
            break;
        }
    }
    Ok(None)
}

/// Opens a regular file; `None` if there is none.
fn open(path: &Path) -> std::io::Result<Option<File>> {
    // Opening a FIFO would otherwise wait for a writer.
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(OFlag::O_NONBLOCK.bits());
    let file = match options.open(path) {
        Ok(file) => file,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    if !file.metadata()?.is_file() {
        return Err(std::io::Error::other("it is not a regular file"));
    }
    Ok(Some(file))
}

fn read(path: PathBuf, file: File) -> Result<SettingsFile, CliError> {
    let mut text = String::new();
    match file.take(MAX_BYTES + 1).read_to_string(&mut text) {
        Ok(_) if text.len() as u64 <= MAX_BYTES => Ok(SettingsFile { path, text }),
        Ok(_) => Err(unreadable(
            &path,
            &std::io::Error::other("it is above 1 MiB"),
        )),
        Err(error) => Err(unreadable(&path, &error)),
    }
}

fn unreadable(path: &Path, error: &std::io::Error) -> CliError {
    let path = path.display().to_string();
    CliError::new(
        Exit::Usage,
        format!(
            "the settings in {} cannot be read: {error}",
            escape_terminal(&path)
        ),
    )
    .code("bad_configuration")
}

/// What this user has trusted, in a file of the state folder.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Trust {
    /// The settings files of projects, each with the hash of what was trusted.
    pub(crate) projects: BTreeMap<PathBuf, String>,
    /// The addresses of model services that this user has chosen.
    pub(crate) addresses: BTreeSet<String>,
    /// The folders of agents with programs that this user has chosen.
    pub(crate) agents: BTreeSet<PathBuf>,
}

impl Trust {
    /// Reads the file. Without one, and without a state folder, nothing is trusted.
    pub(crate) fn load() -> Result<Self, CliError> {
        let Some(path) = trust_path() else {
            return Ok(Self::default());
        };
        match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map_err(|error| unreadable(&path, &std::io::Error::other(error))),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(unreadable(&path, &error)),
        }
    }

    /// Changes the file as a whole: a crash leaves the old one or the new one.
    pub(crate) fn update(change: impl FnOnce(&mut Self)) -> Result<(), CliError> {
        let before = Self::load()?;
        let mut after = before.clone();
        change(&mut after);
        if after == before {
            return Ok(());
        }
        let path = trust_path().ok_or_else(no_home)?;
        let write = || {
            let folder = path.parent().unwrap_or(&path);
            fs::create_dir_all(folder)?;
            let mut file = tempfile::NamedTempFile::new_in(folder)?;
            serde_json::to_writer_pretty(&mut file, &after)?;
            file.flush()?;
            file.as_file().sync_all()?;
            file.persist(&path).map_err(|error| error.error)
        };
        write().map(drop).map_err(|error| {
            let message = format!("{} cannot be written: {error}", path.display());
            CliError::new(Exit::Usage, message).code("not_written")
        })
    }

    /// Whether the file counts in full: it was trusted, and neither it nor the files that it names have
    /// changed since. An error if the files that it names cannot be read.
    pub(crate) fn covers(&self, file: &SettingsFile) -> bool {
        let trusted = self.projects.get(&canonical(&file.path));
        trusted.is_some_and(|hash| Content::of(file).is_ok_and(|content| content.hash == *hash))
    }
}

/// What is trusted with a project's settings file: the file, and the agents and prompts that it names.
#[derive(Debug)]
pub(crate) struct Content {
    pub(crate) hash: String,
    /// The files of agents and prompts.
    pub(crate) files: Vec<PathBuf>,
}

impl Content {
    /// Reads and hashes the content.
    pub(crate) fn of(file: &SettingsFile) -> Result<Self, CliError> {
        let layers = Layers::new().project_file(&file.text, &file.path);
        let (resolved, _) = layers.resolve_leniently();
        let folders = [resolved.config.agents, resolved.config.prompts];
        let mut files = Vec::new();
        for folder in folders.into_iter().flatten() {
            let entries = match fs::read_dir(&folder) {
                Ok(entries) => entries,
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(error) => return Err(unreadable(&folder, &error)),
            };
            let named = entries.flatten().map(|entry| entry.path());
            files.extend(named.take(MAX_FILES + 1));
        }
        files.sort();
        if files.len() > MAX_FILES {
            let error = std::io::Error::other("it names more than 1,000 files");
            return Err(unreadable(&file.path, &error));
        }
        let mut hasher = blake3::Hasher::new();
        let mut part = |bytes: &[u8]| {
            hasher.update(&(bytes.len() as u64).to_le_bytes());
            hasher.update(bytes);
        };
        part(file.text.as_bytes());
        for path in &files {
            part(path.as_os_str().as_encoded_bytes());
            part(&start_of(path).map_err(|error| unreadable(path, &error))?);
        }
        let hash = hasher.finalize().to_hex().to_string();
        Ok(Self { hash, files })
    }
}

/// The first MiB of a file. Nothing of a folder or a device: the readers of agents and prompts refuse it.
pub(crate) fn start_of(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Ok(Some(file)) = open(path) {
        file.take(MAX_BYTES).read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}

/// The path under which a settings file is trusted.
pub(crate) fn canonical(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

fn trust_path() -> Option<PathBuf> {
    state_folder().map(|folder| folder.join("trust.json"))
}

/// Refuses a HOME that is no absolute path: the settings and the trust of the user would be those of the
/// current folder.
pub(crate) fn check_home() -> Result<(), CliError> {
    match variable("HOME") {
        Some(home) if !home.is_absolute() => {
            let home = home.display().to_string();
            let text = format!("HOME is a relative path: {:?}", escape_terminal(&home));
            Err(CliError::new(Exit::Usage, text)
                .code("bad_home")
                .help("set HOME to an absolute path"))
        }
        Some(_) | None => Ok(()),
    }
}

/// The folder for what the tool keeps; `None` without HOME.
pub(crate) fn state_folder() -> Option<PathBuf> {
    let state = match (variable("XDG_STATE_HOME"), variable("HOME")) {
        // The XDG specification requires that a relative path is ignored.
        (Some(state), _) if state.is_absolute() => state,
        (_, Some(home)) => home.join(".local/state"),
        (_, None) => return None,
    };
    Some(state.join("zeph"))
}

fn no_home() -> CliError {
    CliError::new(Exit::Usage, "trust cannot be kept: HOME is not set")
        .code("no_home")
        .help("set HOME or XDG_STATE_HOME")
}

/// A variable that names a path; an empty one counts as unset.
pub(crate) fn variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name)
        .filter(|text| !text.is_empty())
        .map(PathBuf::from)
}
