//! The commands that care for the database: delete, prune, backup, export, import.

pub(crate) mod backup;
pub(crate) mod delete;
pub(crate) mod prune;
pub(crate) mod transfer;

use crate::store::Database;
use zeph_memory::{Fence, ListQuery, RawGraphStore, RunRow};

use crate::context::now;
use crate::exit::CliError;
use crate::out;

/// The open runs whose owners are looked for.
const PAGE: u32 = 500;

/// An epoch for the changes of this command.
async fn claim(store: &dyn RawGraphStore, command: &str) -> Result<Fence, CliError> {
    let owner = format!("pid {} ({command})", std::process::id());
    Ok(store.claim(&owner, now()).await?)
}

/// Gives the space of deleted runs back; returns the number of bytes. The runs are deleted also if that
/// fails. While a process works on a run of the database, the space stays: the file is locked as long as it is
/// rewritten.
async fn shrink(store: &Database) -> u64 {
    let query = ListQuery {
        limit: PAGE,
        open: Some(true),
        ..ListQuery::default()
    };
    // A server gives the space back by itself.
    let (Some(owners), Some(file)) = (store.owners(), store.file()) else {
        return 0;
    };
    let is_used = |rows: Vec<RunRow>| rows.iter().any(|row| owners.holder(row.epoch).is_some());
    if store.list(query).await.is_ok_and(is_used) {
        return 0;
    }
    file.shrink().await.unwrap_or_else(|error| {
        let error = error.to_string();
        let error = zeph_common::escape_terminal(&error);
        out::warn(format!(
            "the space of deleted runs is not given back: {error}"
        ));
        0
    })
}
