//! `zeph delete`: deletes a run that has ended, or many.

use std::sync::Arc;

use serde_json::json;
use zeph_graph::{RunId, Timestamp};
use zeph_memory::{Fence, ListQuery, RawGraphStore as _, RunRow, StoreError};
use zeph_memory_sqlite::SqliteStore;
use zeph_runtime::cancel_run;

use super::page::{self, Page, count};
use super::time::ago;
use crate::args::DeleteArgs;
use crate::context::{AppContext, command, no_such_run, now};
use crate::exit::{CliError, Exit};
use crate::out;

/// The most runs that are read and shown at once.
const PAGE: u32 = 500;
const SHOWN: usize = 20;

pub(crate) async fn run(cx: &AppContext, args: &DeleteArgs) -> Result<Exit, CliError> {
    let Some(run) = &args.run else {
        return delete_ended(cx, args).await;
    };
    let store = cx.open_existing_store().await?;
    // The name is required in full, because a deleted run cannot be restored.
    let run: RunId = run.parse().map_err(|_| {
        let name = zeph_common::escape_terminal(run);
        no_such_run(format!("{name:?} is not the name of a run"))
    })?;
    let mut row = store.get(&run).await?;
    if row.status.open && args.force {
        cancel_run(Arc::new(store.clone()), cx.owners(&store), &run, now()).await?;
        row = store.get(&run).await?;
    }
    if row.status.open {
        let state = &row.status.state;
        let text = format!("run {run} has not ended ({state}), so it is kept");
        return Err(CliError::new(Exit::Usage, text).code("open").help(format!(
            "`{}` ends it; `{}` does both",
            command(&["cancel", run.as_str()]),
            command(&["delete", "--force", run.as_str()])
        )));
    }
    let fence = claim(&store).await?;
    store.delete(&run, fence).await?;
    shrink(cx, &store).await;
    let json = || json!({ "run": run.as_str(), "deleted": true });
    let line = format!("run {run} is deleted");
    Ok(page::print(cx, json, |page| page.line(line)))
}

/// Deletes all ended runs that the flags select.
async fn delete_ended(cx: &AppContext, args: &DeleteArgs) -> Result<Exit, CliError> {
    let age = args.older_than;
    let (store, now) = (cx.open_existing_store().await?, now());
    let is_selected = |row: &RunRow| {
        let state = &row.status.state;
        age.is_none_or(|age| now.since(row.updated_at) >= age)
            && (args.state.is_empty() || args.state.contains(state))
    };
    let (mut selected, mut damaged) = (Vec::new(), 0);
    for row in ended_runs(&store).await? {
        // What the line of a damaged run says is not known to be true.
        if row.is_damaged {
            damaged += 1;
        } else if is_selected(&row) {
            selected.push(row);
        }
    }
    if damaged > 0 {
        let damaged = count(damaged, "damaged run");
        let verify = command(&["verify"]);
        out::warn(format!("{damaged} are kept: `{verify}` names the damage"));
    }
    if !args.dry_run && !selected.is_empty() {
        let fence = claim(&store).await?;
        let mut gone = Ok(());
        let mut deleted = Vec::with_capacity(selected.len());
        for row in selected {
            match store.delete(&row.run, fence).await {
                Ok(()) => deleted.push(row),
                // Another process has deleted it.
                Err(StoreError::NotFound { .. }) => {}
                Err(error) => {
                    gone = Err(error);
                    break;
                }
            }
        }
        selected = deleted;
        shrink(cx, &store).await;
        if let Err(error) = gone {
            out::warn(format!(
                "{} deleted before this",
                count(selected.len() as u64, "run")
            ));
            return Err(error.into());
        }
    }
    let json = || {
        let runs: Vec<&str> = selected.iter().map(|row| row.run.as_str()).collect();
        json!({ "runs": runs, "deleted": !args.dry_run })
    };
    Ok(page::print(cx, json, |page| {
        render(page, &selected, args.dry_run, now);
    }))
}

fn render(page: &mut Page, selected: &[RunRow], is_dry_run: bool, now: Timestamp) {
    let what = match (selected.len() as u64, is_dry_run) {
        (0, _) => return page.line("no run that has ended is selected"),
        (many, true) => format!(
            "would delete {}, and deletes nothing now:",
            count(many, "run")
        ),
        (many, false) => format!("deleted {}:", count(many, "run")),
    };
    page.line(what);
    let cells = |row: &RunRow| {
        let state = row.status.state.replace('_', " ");
        let ended = ago(row.updated_at, now);
        vec![row.run.to_string(), state, ended, row.title.clone()]
    };
    let rows: Vec<_> = selected.iter().take(SHOWN).map(cells).collect();
    page.table(2, &[], &rows);
    if selected.len() > SHOWN {
        page.block(2, &format!("and {} more", selected.len() - SHOWN));
    }
}

/// All runs that have ended, the newest first.
async fn ended_runs(store: &SqliteStore) -> Result<Vec<RunRow>, CliError> {
    let mut runs: Vec<RunRow> = Vec::new();
    loop {
        let query = ListQuery {
            limit: PAGE,
            before: runs.last().map(RunRow::cursor),
            open: Some(false),
        };
        let page = store.list(query).await?;
        if page.is_empty() {
            return Ok(runs);
        }
        runs.extend(page);
    }
}

async fn claim(store: &SqliteStore) -> Result<Fence, CliError> {
    let owner = format!("pid {} (delete)", std::process::id());
    Ok(store.claim(&owner, now()).await?)
}

/// The runs are deleted also if their space cannot be given back. While a process works on a run of the
/// database, it stays: the file is locked as long as it is rewritten.
async fn shrink(cx: &AppContext, store: &SqliteStore) {
    let query = ListQuery {
        limit: PAGE,
        open: Some(true),
        ..ListQuery::default()
    };
    let owners = cx.owners(store);
    let is_used = |rows: Vec<RunRow>| rows.iter().any(|row| owners.holder(row.epoch).is_some());
    if store.list(query).await.is_ok_and(is_used) {
        return;
    }
    if let Err(error) = store.shrink().await {
        let error = error.to_string();
        let error = zeph_common::escape_terminal(&error);
        out::warn(format!(
            "the space of deleted runs is not given back: {error}"
        ));
    }
}
