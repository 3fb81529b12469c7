//! The kinds of damage: to the bytes of a file, and to the rows by SQL.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use sqlx::Connection as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};

use crate::damage::rows;
use crate::damage::scene::DATABASE;
use crate::rng::Rng;

const PAGE: u64 = 4096;

/// A kind of damage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One bit of a file is another.
    Bit,
    /// A page of a file is zero.
    ZeroPage,
    /// A page of a file is over another one.
    CopiedPage,
    /// A file ends earlier.
    Cut,
    /// A file is gone.
    Removed,
    /// A row is gone.
    RowRemoved,
    /// A row is there a second time, under another key.
    RowDoubled,
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
            (Kind::Bit, 30),
            (Kind::ZeroPage, 8),
            (Kind::CopiedPage, 8),
            (Kind::Cut, 6),
            (Kind::Removed, 1),
            (Kind::RowRemoved, 10),
            (Kind::RowDoubled, 10),
            (Kind::Cell, 14),
            (Kind::Exchanged, 10),
            (Kind::Renamed, 3),
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
            Self::Bit | Self::ZeroPage | Self::CopiedPage | Self::Cut | Self::Removed => self
                .to_a_file(folder, rng)
                .map_err(|error| error.to_string()),
            Self::RowRemoved | Self::RowDoubled | Self::Cell | Self::Exchanged | Self::Renamed => {
                let done = self.to_rows(&folder.join(DATABASE), rng).await;
                done.map_err(|error| error.to_string())
            }
        }
    }

    fn to_a_file(self, folder: &Path, rng: &mut Rng) -> std::io::Result<Option<String>> {
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
            Self::Removed
            | Self::RowRemoved
            | Self::RowDoubled
            | Self::Cell
            | Self::Exchanged
            | Self::Renamed => {
                fs::remove_file(path)?;
                Some(format!("{name} is removed"))
            }
        })
    }

    async fn to_rows(self, path: &Path, rng: &mut Rng) -> Result<Option<String>, sqlx::Error> {
        let options = SqliteConnectOptions::new().filename(path);
        let mut db = SqliteConnection::connect_with(&options).await?;
        let what = rows::damage(&mut db, self, rng).await?;
        db.close().await?;
        Ok(what)
    }
}

/// A file of the database: mostly the database, or its log if it has one.
fn file(folder: &Path, rng: &mut Rng) -> std::io::Result<(String, PathBuf)> {
    let mut files = vec![folder.join(DATABASE)];
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with("runs.db-") && path.is_file() {
            files.extend([path.clone(), path]);
        }
    }
    files.sort();
    let path = rng.pick(&files).cloned().unwrap_or_default();
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    Ok((name.into_owned(), path))
}
