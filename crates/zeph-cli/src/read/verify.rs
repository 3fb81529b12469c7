//! `zeph verify`: checks the hash chain of a run against its stored rows.

use serde_json::json;
use zeph_graph::{RunId, Seq};
use zeph_memory::{ChainHash, ListQuery, RawGraphStore, RunRow, StoreError, Verified};

use super::page::{self, count};
use crate::args::VerifyArgs;
use crate::context::{AppContext, find_run};
use crate::exit::{CliError, Exit};
use crate::out;

/// The number of runs in one page of the list.
const RUNS_AT_ONCE: u32 = 500;

pub(crate) async fn run(cx: &AppContext, args: &VerifyArgs) -> Result<Exit, CliError> {
    let head = args.head.as_deref().map(read_head).transpose()?;
    let store = cx.open_store_read_only().await?;
    let mut tally = Tally::default();
    if let Some(text) = &args.run {
        let run = find_run(&store, Some(text), None).await?;
        check(cx, &store, &run, head, &mut tally).await?;
    } else {
        let mut query = ListQuery {
            limit: RUNS_AT_ONCE,
            ..ListQuery::default()
        };
        loop {
            let page = store.list(query.clone()).await?;
            query.before = page.last().map(RunRow::cursor);
            if page.is_empty() {
                break;
            }
            for row in page {
                check(cx, &store, &row.run, None, &mut tally).await?;
            }
        }
        if !cx.json() {
            let runs = count(tally.runs, "run");
            out::note_line(match tally.damaged {
                0 => format!("{runs}, none damaged"),
                damaged => format!("{runs}, {damaged} damaged: restore them from a backup"),
            });
        }
    }
    Ok(if tally.damaged == 0 {
        Exit::Completed
    } else {
        Exit::Store
    })
}

#[derive(Default)]
struct Tally {
    runs: u64,
    damaged: u64,
}

async fn check(
    cx: &AppContext,
    store: &dyn RawGraphStore,
    run: &RunId,
    head: Option<ChainHash>,
    tally: &mut Tally,
) -> Result<(), CliError> {
    let verified = match head {
        Some(head) => zeph_memory::verify_against(store, run, head).await,
        None => zeph_memory::verify(store, run).await,
    };
    let (json, line) = match verified {
        Ok(Verified {
            rows,
            contents,
            head,
            ..
        }) => {
            let json = json!({
                "run": run.as_str(),
                "ok": true,
                "records": rows,
                "contents": contents,
                "head": head.to_string(),
            });
            let line = format!("ok {run} {rows} records {contents} contents head {head}");
            (json, line)
        }
        Err(StoreError::Damaged { seq, what, .. }) => {
            tally.damaged += 1;
            let row = seq.map(Seq::get);
            let place = row.map(|row| format!(" row {row}")).unwrap_or_default();
            let json = json!({ "run": run.as_str(), "ok": false, "row": row, "what": what });
            (json, format!("DAMAGED {run}{place}: {what}"))
        }
        // The run was deleted after it was listed.
        Err(StoreError::NotFound { .. }) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    tally.runs += 1;
    page::print(cx, || json, |page| page.line(line));
    Ok(())
}

fn read_head(text: &str) -> Result<ChainHash, CliError> {
    text.trim().parse().map_err(|_| {
        let text = zeph_common::escape_terminal(text);
        CliError::new(Exit::Usage, format!("{text:?} is not a head hash"))
            .code("bad_head")
            .help("`zeph verify RUN` prints it: 64 hexadecimal digits")
    })
}
