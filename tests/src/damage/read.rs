//! Everything that can be read from a database, as one text, and whether damage was reported.

use std::fmt::Write as _;
use std::path::Path;

use zeph_memory::{ListQuery, RawGraphStore as _, RunRow};
use zeph_memory_sqlite::SqliteStore;
use zeph_runtime::RunView;

/// What was read.
pub(super) struct Reading {
    /// The first word about damage; `None` if nothing reported any.
    pub(super) reported: Option<String>,
    /// Everything else.
    pub(super) text: String,
}

/// Reads and verifies all of a database.
pub(super) async fn read(path: &Path) -> Reading {
    let mut text = String::new();
    let reported = read_into(path, &mut text).await.err();
    Reading { reported, text }
}

async fn read_into(path: &Path, text: &mut String) -> Result<(), String> {
    let store = SqliteStore::open_read_only(path).await;
    let store = store.map_err(|error| error.to_string())?;
    let check = store.check().await.map_err(|error| error.to_string())?;
    if let Some(finding) = check.findings.first() {
        return Err(finding.clone());
    }
    for run in &check.runs {
        let verified = zeph_memory::verify(&store, run).await;
        verified.map_err(|error| error.to_string())?;
    }
    let rows = store.list(ListQuery::default()).await;
    for row in rows.map_err(|error| error.to_string())? {
        if row.is_damaged {
            return Err(format!("the line of {} is marked", row.run));
        }
        // No hash covers the epoch of the owner, and nothing that is read depends on it.
        let row = RunRow { epoch: 0, ..row };
        let _ = writeln!(text, "{row:?}");
    }
    for run in &check.runs {
        let view = RunView::load(&store, run).await;
        let view = view.map_err(|error| error.to_string())?;
        let report = view.full_report(&store).await;
        let report = report.map_err(|error| error.to_string())?;
        let _ = writeln!(text, "{run} {report:#?}");
        let outline = store
            .outline(run)
            .await
            .map_err(|error| error.to_string())?;
        let contents = store.contents(run, &outline.stored).await;
        for content in contents.map_err(|error| error.to_string())? {
            let _ = writeln!(text, "{run} {content:?}");
        }
        let inbox = store.inbox(run).await.map_err(|error| error.to_string())?;
        for request in inbox {
            let _ = writeln!(text, "{run} {request:?}");
        }
    }
    store.close().await.map_err(|error| error.to_string())
}
