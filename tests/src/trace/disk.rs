//! The disk: what was written and synced, in order, and what a loss of power can leave of it.
//!
//! The rules are those of POSIX: the bytes of a file are on the disk when the file was synced after them, and
//! a name when its folder was. Everything later may be there or not, a file in parts of 512 bytes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::rng::Rng;

/// What a disk writes at once.
const SECTOR: u64 = 512;

/// The number of a file; its names come and go.
pub(super) type FileNumber = usize;

/// A change, or a promise of the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// A new folder.
    Folder(PathBuf),
    /// A name of a file: a new one, or another one.
    Name(PathBuf, FileNumber),
    /// A name is gone.
    NoName(PathBuf),
    /// A name is another one.
    Renamed(PathBuf, PathBuf),
    /// Bytes at a place.
    Bytes(FileNumber, u64, Vec<u8>),
    /// Another size.
    Size(FileNumber, u64),
    /// The bytes of a file that were written before this many changes are on the disk.
    Synced(FileNumber, usize),
    /// The names in a folder that changed before this many changes are on the disk.
    SyncedNames(PathBuf, usize),
}

/// What is lost of the changes that were not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Loss {
    /// All of them.
    All,
    /// All bytes, but no name.
    Bytes,
    /// Random parts of 512 bytes, and random sizes; with all names or with none.
    Sectors,
    /// All after a random one.
    Tail,
    /// Nothing.
    Nothing,
}

impl Loss {
    /// Every kind.
    pub(super) const ALL: [Self; 5] = [
        Self::All,
        Self::Bytes,
        Self::Sectors,
        Self::Tail,
        Self::Nothing,
    ];
}

/// Whether a disk does what a sync promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Honesty {
    /// It does.
    Honest,
    /// It ignores the syncs of files whose name ends so.
    IgnoresSyncsOf(&'static str),
}

/// The files after a loss of power, and the folders, which have no bytes.
pub(super) type State = BTreeMap<PathBuf, Option<Vec<u8>>>;

/// The disk after the first `point` changes and a loss of power.
pub(super) fn after_loss(
    changes: &[Change],
    point: usize,
    loss: Loss,
    honesty: Honesty,
    rng: &mut Rng,
) -> State {
    let changes = &changes[..point];
    let synced = Synced::of(changes, honesty);
    let (names_kept, cut) = match loss {
        Loss::All => (0, 0),
        Loss::Bytes => (point, 0),
        Loss::Sectors => (if rng.percent(50) { point } else { 0 }, 0),
        Loss::Tail => {
            let cut = usize::try_from(rng.below(point as u64 + 1)).unwrap_or(point);
            (cut, cut)
        }
        Loss::Nothing => (point, point),
    };
    let mut files: BTreeMap<FileNumber, Vec<u8>> = BTreeMap::new();
    let mut names: BTreeMap<PathBuf, Option<FileNumber>> = BTreeMap::new();
    for (at, change) in changes.iter().enumerate() {
        match change {
            Change::Bytes(file, place, bytes) => {
                let kept = at < cut || synced.has_bytes(*file, at);
                let content = files.entry(*file).or_default();
                if kept {
                    put(content, *place, bytes);
                } else if loss == Loss::Sectors {
                    put_some(content, *place, bytes, rng);
                }
            }
            Change::Size(file, size) => {
                let kept = at < cut || synced.has_bytes(*file, at);
                if kept || (loss == Loss::Sectors && rng.percent(50)) {
                    let size = usize::try_from(*size).unwrap_or_default();
                    files.entry(*file).or_default().resize(size, 0);
                }
            }
            Change::Folder(path) => {
                if at < names_kept || synced.has_names(path, at) {
                    names.insert(path.clone(), None);
                }
            }
            Change::Name(path, file) => {
                if at < names_kept || synced.has_names(path, at) {
                    names.insert(path.clone(), Some(*file));
                }
            }
            Change::NoName(path) => {
                if at < names_kept || synced.has_names(path, at) {
                    names.remove(path);
                }
            }
            Change::Renamed(from, to) => {
                if (at < names_kept || synced.has_names(to, at))
                    && let Some(file) = names.remove(from)
                {
                    names.insert(to.clone(), file);
                }
            }
            Change::Synced(..) | Change::SyncedNames(..) => {}
        }
    }
    let folders: BTreeSet<PathBuf> = names
        .iter()
        .filter(|(_, file)| file.is_none())
        .map(|(path, _)| path.clone())
        .collect();
    let made: BTreeSet<&Path> = changes
        .iter()
        .filter_map(|change| {
            if let Change::Folder(path) = change {
                Some(path.as_path())
            } else {
                None
            }
        })
        .collect();
    // What is in a folder that is lost cannot be reached.
    names.retain(|path, _| {
        path.ancestors()
            .skip(1)
            .all(|folder| !made.contains(folder) || folders.contains(folder))
    });
    let bytes = |file: FileNumber| files.get(&file).cloned().unwrap_or_default();
    names
        .into_iter()
        .map(|(path, file)| (path, file.map(bytes)))
        .collect()
}

/// Up to which change the bytes of each file, and the names of each folder, are on the disk.
struct Synced<'a> {
    bytes: BTreeMap<FileNumber, usize>,
    names: BTreeMap<&'a Path, usize>,
}

impl<'a> Synced<'a> {
    fn of(changes: &'a [Change], honesty: Honesty) -> Self {
        let mut synced = Self {
            bytes: BTreeMap::new(),
            names: BTreeMap::new(),
        };
        let mut ignored = BTreeSet::new();
        for change in changes {
            match change {
                Change::Name(path, file) => {
                    if let Honesty::IgnoresSyncsOf(suffix) = honesty
                        && path.to_string_lossy().ends_with(suffix)
                    {
                        ignored.insert(*file);
                    }
                }
                Change::Synced(file, before) if !ignored.contains(file) => {
                    let most = synced.bytes.entry(*file).or_default();
                    *most = (*most).max(*before);
                }
                Change::SyncedNames(folder, before) => {
                    let most = synced.names.entry(folder).or_default();
                    *most = (*most).max(*before);
                }
                Change::Synced(..)
                | Change::Folder(_)
                | Change::NoName(_)
                | Change::Renamed(..)
                | Change::Bytes(..)
                | Change::Size(..) => {}
            }
        }
        synced
    }

    fn has_bytes(&self, file: FileNumber, at: usize) -> bool {
        self.bytes.get(&file).is_some_and(|before| at < *before)
    }

    fn has_names(&self, path: &Path, at: usize) -> bool {
        let before = path.parent().and_then(|folder| self.names.get(folder));
        before.is_some_and(|before| at < *before)
    }
}

fn put(content: &mut Vec<u8>, place: u64, bytes: &[u8]) {
    let start = usize::try_from(place).unwrap_or_default();
    let end = start + bytes.len();
    if content.len() < end {
        content.resize(end, 0);
    }
    content[start..end].copy_from_slice(bytes);
}

/// Puts about half of the sectors.
fn put_some(content: &mut Vec<u8>, place: u64, bytes: &[u8], rng: &mut Rng) {
    let (mut place, mut left) = (place, bytes);
    while !left.is_empty() {
        let most = usize::try_from(SECTOR - place % SECTOR).unwrap_or_default();
        let (sector, rest) = left.split_at(most.min(left.len()));
        if rng.percent(50) {
            put(content, place, sector);
        }
        place += sector.len() as u64;
        left = rest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changes() -> Vec<Change> {
        let path = PathBuf::from("/new/a");
        vec![
            Change::Folder("/new".into()),
            Change::SyncedNames("/".into(), 1),
            Change::Name(path.clone(), 0),
            Change::Bytes(0, 0, vec![1; 1024]),
            Change::Synced(0, 4),
            Change::SyncedNames("/new".into(), 5),
            Change::Bytes(0, 0, vec![2; 1024]),
            Change::NoName(path),
        ]
    }

    fn state(point: usize, loss: Loss, honesty: Honesty) -> State {
        after_loss(&changes(), point, loss, honesty, &mut Rng::new(1))
    }

    fn content(point: usize, loss: Loss) -> Option<Vec<u8>> {
        let state = state(point, loss, Honesty::Honest);
        state.get(Path::new("/new/a"))?.clone()
    }

    #[test]
    fn what_was_synced_is_there_and_the_rest_may_be() {
        assert_eq!(content(6, Loss::All), Some(vec![1; 1024]));
        assert_eq!(content(8, Loss::All), Some(vec![1; 1024]));
        assert_eq!(content(8, Loss::Bytes), None);
        assert_eq!(content(7, Loss::Nothing), Some(vec![2; 1024]));
        assert_eq!(content(8, Loss::Nothing), None);
        // A name without its bytes, and bytes without their name.
        assert_eq!(content(4, Loss::Bytes), Some(vec![]));
        assert_eq!(content(5, Loss::All), None);
    }

    #[test]
    fn a_sector_is_there_as_a_whole_or_not_at_all() {
        let mut seen = BTreeSet::new();
        for seed in 0..50 {
            let rng = &mut Rng::new(seed);
            let state = after_loss(&changes(), 7, Loss::Sectors, Honesty::Honest, rng);
            let content = state[Path::new("/new/a")].clone().unwrap();
            let sectors = content.chunks(512).map(|sector| {
                assert!(sector.iter().all(|byte| *byte == sector[0]));
                sector[0]
            });
            seen.insert(sectors.collect::<Vec<_>>());
        }
        assert_eq!(seen.len(), 4);
    }

    #[test]
    fn a_folder_that_was_not_synced_takes_its_files_along() {
        let mut changes = changes();
        changes[1] = Change::SyncedNames("/".into(), 0);
        let rng = &mut Rng::new(1);
        let state = after_loss(&changes, 6, Loss::All, Honesty::Honest, rng);
        assert_eq!(state, State::new());
    }

    #[test]
    fn a_disk_may_ignore_syncs_of_a_file() {
        let honesty = Honesty::IgnoresSyncsOf("a");
        let state = state(6, Loss::All, honesty);
        assert_eq!(state[Path::new("/new/a")], Some(vec![]));
    }
}
