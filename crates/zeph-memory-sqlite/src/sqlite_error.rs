//! Errors of SQLite as errors of the port.

use std::path::Path;

use zeph_graph::{RunId, Seq};
use zeph_memory::StoreError;

// Primary result codes of SQLite: https://www.sqlite.org/rescode.html
const BUSY: i32 = 5;
const LOCKED: i32 = 6;
const READ_ONLY: i32 = 8;
const CORRUPT: i32 = 11;
const FULL: i32 = 13;
const TOO_BIG: i32 = 18;
const CONSTRAINT: i32 = 19;
const NOT_A_DATABASE: i32 = 26;
/// An extended code: the file that readers and writers share cannot grow.
const NO_SPACE_TO_SHARE: i32 = 10 | (19 << 8);

/// The most bytes of one value. SQLite accepts slightly more, which leaves room for the rest of a row.
pub(crate) const MAX_BYTES: u64 = 999_000_000;

fn code(error: &sqlx::Error) -> Option<i32> {
    error.as_database_error()?.code()?.parse().ok()
}

fn primary_code(error: &sqlx::Error) -> Option<i32> {
    code(error).map(|code| code & 0xff)
}

/// Whether a row is there already, or breaks a rule of its table.
pub(crate) fn is_constraint(error: &sqlx::Error) -> bool {
    primary_code(error) == Some(CONSTRAINT)
}

/// A failure that concerns the whole database.
pub(crate) fn io(what: &str, error: sqlx::Error) -> StoreError {
    if matches!(error, sqlx::Error::PoolTimedOut) {
        return StoreError::Busy {
            source: error.into(),
        };
    }
    if code(&error) == Some(NO_SPACE_TO_SHARE) {
        return StoreError::Full {
            source: error.into(),
        };
    }
    match primary_code(&error) {
        Some(BUSY | LOCKED) => StoreError::Busy {
            source: error.into(),
        },
        Some(FULL) => StoreError::Full {
            source: error.into(),
        },
        Some(TOO_BIG) => StoreError::TooLarge {
            bytes: MAX_BYTES + 1,
            limit: MAX_BYTES,
        },
        Some(READ_ONLY) => {
            let text = "the file, its folder or its disk may only be read";
            let kind = std::io::ErrorKind::ReadOnlyFilesystem;
            StoreError::io(what, std::io::Error::new(kind, text))
        }
        _ => StoreError::io(what, error),
    }
}

/// A failure to open a file as a database.
pub(crate) fn opening(path: &Path, error: sqlx::Error) -> StoreError {
    match primary_code(&error) {
        Some(CORRUPT | NOT_A_DATABASE) => {
            not_a_database(path, format!("SQLite cannot read it ({error})"))
        }
        _ => io("opening the database", error),
    }
}

/// A failure to read one run; data that cannot be decoded is damage to that run.
pub(crate) fn reading(run: &RunId, seq: Option<Seq>, error: sqlx::Error) -> StoreError {
    let unreadable = matches!(
        error,
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_)
    );
    if unreadable || primary_code(&error) == Some(CORRUPT) {
        StoreError::damaged(run, seq, format!("it cannot be read ({error})"))
    } else {
        io("reading the run", error)
    }
}

pub(crate) fn not_a_database(path: &Path, why: impl Into<String>) -> StoreError {
    StoreError::NotADatabase {
        path: path.into(),
        why: why.into(),
    }
}
