//! The kinds of damage: to the bytes of a file, and to the rows by SQL.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use crate::damage::rows;
use crate::damage::scene::DATABASE;
use crate::rng::Rng;

const PAGE: u64 = 4096;

/// A kind of damage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// To the bytes of a file.
    File(FileDamage),
    /// To rows, by SQL.
    Rows(RowDamage),
}

/// A damage to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileDamage {
    /// One bit is another.
    Bit,
    /// A page is zero.
    ZeroPage,
    /// A page is over another one.
    CopiedPage,
    /// It ends earlier.
    Cut,
    /// It is gone.
    Removed,
}

/// A damage to rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowDamage {
    /// A row is gone.
    Removed,
    /// A row is there a second time, under another key.
    Doubled,
    /// A cell of a row is another.
    Cell,
    /// Two rows have exchanged a cell.
    Exchanged,
    /// The rows of a run have another name.
    Renamed,
}

impl Kind {
    /// Draws a kind.
    pub fn draw(rng: &mut Rng) -> Self {
        const KINDS: [(Kind, u64); 10] = [
            (Kind::File(FileDamage::Bit), 30),
            (Kind::File(FileDamage::ZeroPage), 8),
            (Kind::File(FileDamage::CopiedPage), 8),
            (Kind::File(FileDamage::Cut), 6),
            (Kind::File(FileDamage::Removed), 1),
            (Kind::Rows(RowDamage::Removed), 10),
            (Kind::Rows(RowDamage::Doubled), 10),
            (Kind::Rows(RowDamage::Cell), 14),
            (Kind::Rows(RowDamage::Exchanged), 10),
            (Kind::Rows(RowDamage::Renamed), 3),
        ];
        KINDS[rng.weighted(&KINDS.map(|(_, weight)| weight))].0
    }

    /// Does the damage, and describes it; `None` if there is nothing to damage.
    pub(super) async fn apply(
        self,
        folder: &Path,
        rng: &mut Rng,
    ) -> Result<Option<String>, String> {
        match self {
            Self::File(damage) => damage.apply(folder, rng).map_err(|error| error.to_string()),
            Self::Rows(damage) => {
                let done = rows::damage(&folder.join(DATABASE), damage, rng).await;
                done.map_err(|error| error.to_string())
            }
        }
    }
}

impl FileDamage {
    fn apply(self, folder: &Path, rng: &mut Rng) -> std::io::Result<Option<String>> {
        let (name, path) = file(folder, rng)?;
        let size = fs::metadata(&path)?.len();
        if size == 0 {
            return Ok(None);
        }
        let file = OpenOptions::new().read(true).write(true).open(&path)?;
        let pages = size.div_ceil(PAGE);
        Ok(match self {
            Self::Bit => {
                let (at, bit) = (rng.below(size), rng.below(8));
                let mut byte = [0];
                file.read_exact_at(&mut byte, at)?;
                file.write_all_at(&[byte[0] ^ (1 << bit)], at)?;
                Some(format!("bit {bit} of byte {at} of {name}"))
            }
            Self::ZeroPage => {
                let page = rng.below(pages);
                let bytes = PAGE.min(size - page * PAGE);
                let zero = vec![0; usize::try_from(bytes).unwrap_or_default()];
                file.write_all_at(&zero, page * PAGE)?;
                Some(format!("page {page} of {name} is zero"))
            }
            Self::CopiedPage => {
                let (from, to) = (rng.below(size / PAGE + 1), rng.below(size / PAGE + 1));
                let bytes = PAGE.min(size - (from.max(to) * PAGE).min(size));
                let mut page = vec![0; usize::try_from(bytes).unwrap_or_default()];
                file.read_exact_at(&mut page, from * PAGE)?;
                file.write_all_at(&page, to * PAGE)?;
                (from != to && bytes > 0)
                    .then(|| format!("page {from} of {name} is over page {to}"))
            }
            Self::Cut => {
                let most = if rng.percent(50) {
                    size
                } else {
                    size.min(PAGE)
                };
                let left = size - rng.within(1, most);
                file.set_len(left)?;
                Some(format!("{name} has {left} bytes of {size}"))
            }
            Self::Removed => {
                fs::remove_file(path)?;
                Some(format!("{name} is removed"))
            }
        })
    }
}

/// A file of the database: mostly the database, or its log if it has one. The shared memory beside it is
/// built anew when the database is opened.
fn file(folder: &Path, rng: &mut Rng) -> std::io::Result<(&'static str, PathBuf)> {
    const FILES: [(&str, u64); 4] = [
        (DATABASE, 4),
        ("runs.db-wal", 4),
        ("runs.db-last", 1),
        ("runs.db-shm", 1),
    ];
    let is_there = |name: &str| folder.join(name).try_exists();
    let mut weights = [0; FILES.len()];
    for (weight, (name, of_file)) in weights.iter_mut().zip(FILES) {
        *weight = if is_there(name)? { of_file } else { 0 };
    }
    let (name, _) = FILES[rng.weighted(&weights)];
    Ok((name, folder.join(name)))
}
