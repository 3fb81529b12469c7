//! `zeph prune`: deletes ended runs by age, number and end, and gives their space back.

use serde_json::json;
use zeph_common::format_size;
use zeph_graph::Timestamp;
use zeph_memory::RunRow;
use zeph_orchestration::store::Prune;

use super::shrink;
use crate::args::PruneArgs;
use crate::context::{AppContext, command, now};
use crate::exit::{CliError, Exit};
use crate::out;
use crate::read::page::{self, Page, count};
use crate::read::time::ago;

/// The runs that are listed.
const SHOWN: usize = 20;

pub(crate) async fn run(cx: &AppContext, args: &PruneArgs) -> Result<Exit, CliError> {
    let (store, now) = (cx.open_existing_store().await?, now());
    let prune = Prune {
        older_than: args.older_than,
        keep: args.keep.unwrap_or_default(),
        ends: args.state.clone(),
    };
    let mut found = prune.select(&store, now).await?;
    if found.damaged > 0 {
        let damaged = count(found.damaged, "damaged run");
        let verify = command(&["verify"]);
        out::warn(format!("{damaged} are kept: `{verify}` names the damage"));
    }
    let mut freed = 0;
    if !args.dry_run && !found.runs.is_empty() {
        let gone = found.delete(&store, now).await;
        freed = shrink(&store).await;
        if let Err(error) = gone {
            let runs = count(found.runs.len() as u64, "run");
            out::warn(format!("{runs} deleted before this"));
            return Err(error.into());
        }
    }
    let json = || {
        let runs: Vec<&str> = found.runs.iter().map(|row| row.run.as_str()).collect();
        json!({ "runs": runs, "deleted": !args.dry_run, "freed_bytes": freed })
    };
    Ok(page::print(cx, json, |page| {
        render(page, &found.runs, args.dry_run, now);
        if freed > 0 {
            page.line(format!("gave {} back", format_size(freed)));
        }
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
