//! Errors of Postgres as errors of the port.

use std::io;

use zeph_graph::{RunId, Seq};
use zeph_memory::StoreError;

/// The most bytes of one commit. The server refuses a message of 1 GiB, and copies what it gets.
pub(crate) const MAX_BYTES: u64 = 500_000_000;

// Codes of Postgres: https://www.postgresql.org/docs/current/errcodes-appendix.html
const UNIQUE_VIOLATION: &str = "23505";
const SERIALIZATION_FAILURE: &str = "40001";
const DEADLOCK: &str = "40P01";
const DISK_FULL: &str = "53100";
const TOO_MANY_CONNECTIONS: &str = "53300";
const LOCK_NOT_AVAILABLE: &str = "55P03";
const INDEX_CORRUPTED: &str = "XX002";
const DATA_CORRUPTED: &str = "XX001";
/// A server that only follows another one, as after a switch to the other.
const READ_ONLY_TRANSACTION: &str = "25006";
const IDLE_IN_TRANSACTION: &str = "25P03";

/// What to type if the certificate of a server is not accepted.
const TLS: &str = "with TLS: `sslrootcert=FILE` in the address names the authority of the certificate, \
    `sslmode=require` checks no certificate, `sslmode=disable` sends everything in clear";

fn code(error: &sqlx::Error) -> Option<String> {
    let code = error.as_database_error()?.code()?;
    Some(code.into_owned())
}

/// Whether a row of that key is there already.
pub(crate) fn is_duplicate(error: &sqlx::Error) -> bool {
    code(error).is_some_and(|code| code == UNIQUE_VIOLATION)
}

/// Whether the connection is gone, or there is none: another one may succeed.
pub(crate) fn is_lost(error: &sqlx::Error) -> bool {
    match code(error) {
        // The classes "connection exception" and, of "operator intervention", the end of the server or session.
        Some(code) => {
            code.starts_with("08")
                || code.starts_with("57P0")
                || matches!(
                    &*code,
                    IDLE_IN_TRANSACTION | READ_ONLY_TRANSACTION | TOO_MANY_CONNECTIONS
                )
        }
        None => {
            let sqlx::Error::Io(error) = error else {
                // With a protocol error the server ended in the middle of a message.
                return matches!(
                    error,
                    sqlx::Error::PoolTimedOut
                        | sqlx::Error::WorkerCrashed
                        | sqlx::Error::Protocol(_)
                );
            };
            error.kind() != io::ErrorKind::PermissionDenied
        }
    }
}

/// A failure that concerns the whole database.
pub(crate) fn io(what: &str, error: sqlx::Error) -> StoreError {
    match code(&error).as_deref() {
        Some(SERIALIZATION_FAILURE | DEADLOCK | LOCK_NOT_AVAILABLE | TOO_MANY_CONNECTIONS) => {
            StoreError::Busy {
                source: error.into(),
            }
        }
        Some(DISK_FULL) => StoreError::Full {
            source: error.into(),
        },
        // The class "program limit exceeded".
        Some(code) if code.starts_with("54") => StoreError::TooLarge {
            bytes: MAX_BYTES + 1,
            limit: MAX_BYTES,
        },
        None if matches!(error, sqlx::Error::Tls(_)) => {
            StoreError::io(format!("{what} ({TLS})"), error)
        }
        Some(_) | None => StoreError::io(what, error),
    }
}

pub(crate) fn writing(error: sqlx::Error) -> StoreError {
    io("writing", error)
}

/// A failure to read one run; data that cannot be decoded is damage to that run.
pub(crate) fn reading(run: &RunId, seq: Option<Seq>, error: sqlx::Error) -> StoreError {
    let unreadable = matches!(
        error,
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_)
    );
    let damaged = code(&error);
    if unreadable || matches!(damaged.as_deref(), Some(DATA_CORRUPTED | INDEX_CORRUPTED)) {
        StoreError::damaged(run, seq, format!("it cannot be read ({error})"))
    } else {
        io("reading the run", error)
    }
}
