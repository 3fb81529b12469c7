//! `zeph verify`: checks the file, and the hash chain of each run against its stored rows.

use std::fmt;

use serde_json::json;
use zeph_graph::{RunId, Seq};
use zeph_memory::{ChainHash, RawGraphStore, StoreError, Verified};

use super::page::{self, count};
use crate::args::VerifyArgs;
use crate::context::{AppContext, find_run};
use crate::exit::{CliError, Exit};
use crate::out;

pub(crate) async fn run(cx: &AppContext, args: &VerifyArgs) -> Result<Exit, CliError> {
    let head = args.head.as_deref().map(read_head).transpose()?;
    let store = cx.open_store_read_only().await?;
    let mut tally = Tally::default();
    if let Some(text) = &args.run {
        let run = find_run(&store, Some(text), None).await?;
        check(cx, &store, &run, head, &mut tally).await?;
    } else {
        let (runs, findings) = store.check().await?;
        for what in findings {
            tally.faults += 1;
            render_fault(cx, &what);
        }
        for run in &runs {
            check(cx, &store, run, None, &mut tally).await?;
        }
        if !cx.json() {
            out::note_line(tally.to_string());
        }
    }
    Ok(if tally.damaged + tally.faults == 0 {
        Exit::Completed
    } else {
        Exit::Store
    })
}

#[derive(Default)]
struct Tally {
    runs: u64,
    damaged: u64,
    /// Faults of the file that belong to no run.
    faults: u64,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let runs = count(self.runs, "run");
        match (self.damaged, self.faults) {
            (0, 0) => write!(f, "{runs}, none damaged"),
            (damaged, 0) => write!(f, "{runs}, {damaged} damaged: restore them from a backup"),
            (damaged, faults) => {
                let faults = count(faults, "fault");
                write!(
                    f,
                    "{runs}, {damaged} damaged, {faults} in the file: restore it from a backup"
                )
            }
        }
    }
}

/// Damage to the file that belongs to no run.
fn render_fault(cx: &AppContext, what: &str) {
    let json = || json!({ "run": null, "ok": false, "row": null, "what": what });
    page::print(cx, json, |page| page.line(format!("DAMAGED file: {what}")));
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
