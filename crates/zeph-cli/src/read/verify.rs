//! `zeph verify`: checks the hash chain of a run against its stored rows.

use serde_json::json;
use zeph_graph::RunId;
use zeph_memory::{ChainHash, ListQuery, RawGraphStore, RunRow, StoreError, Verified};

use super::page::{Page, count};
use crate::args::VerifyArgs;
use crate::context::AppContext;
use crate::exit::{CliError, Exit};
use crate::out;

/// The number of runs in one page of the list.
const RUNS_AT_ONCE: u32 = 500;

pub(crate) async fn run(cx: &AppContext, args: &VerifyArgs) -> Result<Exit, CliError> {
    let head = args.head.as_deref().map(read_head).transpose()?;
    let store = cx.open_store_read_only().await?;
    let mut tally = Tally::default();
    if let Some(text) = &args.run {
        let run = cx.find_run(&store, text).await?;
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
    let finding = match verified {
        Ok(verified) => Finding::Sound(verified),
        Err(StoreError::Damaged { seq, what, .. }) => Finding::Damaged {
            row: seq.map(zeph_graph::Seq::get),
            what,
        },
        // The run was deleted after it was listed.
        Err(StoreError::NotFound { .. }) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    tally.runs += 1;
    tally.damaged += u64::from(matches!(finding, Finding::Damaged { .. }));
    render(cx, run, &finding);
    Ok(())
}

enum Finding {
    Sound(Verified),
    Damaged { row: Option<u64>, what: String },
}

fn render(cx: &AppContext, run: &RunId, finding: &Finding) {
    if cx.json() {
        out::json(&match finding {
            Finding::Sound(verified) => json!({
                "run": run.as_str(),
                "ok": true,
                "records": verified.rows,
                "contents": verified.contents,
                "head": verified.head.to_string(),
            }),
            Finding::Damaged { row, what } => {
                json!({ "run": run.as_str(), "ok": false, "row": row, "what": what })
            }
        });
        return;
    }
    let mut page = Page::of_width(None);
    page.line(match finding {
        Finding::Sound(verified) => format!(
            "ok {run} {} records {} contents head {}",
            verified.rows, verified.contents, verified.head
        ),
        Finding::Damaged {
            row: Some(row),
            what,
        } => format!("DAMAGED {run} row {row}: {what}"),
        Finding::Damaged { row: None, what } => format!("DAMAGED {run}: {what}"),
    });
    page.print();
}

fn read_head(text: &str) -> Result<ChainHash, CliError> {
    text.trim().parse().map_err(|_| {
        CliError::new(
            Exit::Usage,
            format!(
                "{:?} is not a head hash",
                zeph_common::escape_terminal(text)
            ),
        )
        .code("bad_head")
        .help("`zeph verify RUN` prints it: 64 hexadecimal digits")
    })
}
