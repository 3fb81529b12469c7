//! `zeph delete`: deletes a run that has ended.

use serde_json::json;
use zeph_graph::RunId;
use zeph_memory::RawGraphStore as _;

use super::page::Page;
use crate::args::DeleteArgs;
use crate::context::{AppContext, now};
use crate::exit::{CliError, Exit};
use crate::out;

pub(crate) async fn run(cx: &AppContext, args: &DeleteArgs) -> Result<Exit, CliError> {
    let store = cx.open_existing_store().await?;
    // The name is required in full, because a deleted run cannot be restored.
    let Ok(run) = args.run.parse::<RunId>() else {
        return Err(CliError::new(
            Exit::Usage,
            format!(
                "{:?} is not the name of a run",
                zeph_common::escape_terminal(&args.run)
            ),
        )
        .code("no_such_run")
        .help("`zeph list` shows the names"));
    };
    let row = store.get(&run).await?;
    if row.status.open {
        return Err(CliError::new(
            Exit::Usage,
            format!(
                "run {run} has not ended ({}), so it is kept",
                row.status.state
            ),
        )
        .code("open")
        .help(format!(
            "`zeph cancel {run}` ends it; if the run is not active, `zeph resume {run}` applies the request"
        )));
    }
    let owner = format!("pid {} (delete)", std::process::id());
    let fence = store.claim(&owner, now()).await?;
    store.delete(&run, fence).await?;
    if cx.json() {
        out::json(&json!({ "run": run.as_str(), "deleted": true }));
    } else {
        let mut page = Page::new();
        page.line(format!("run {run} is deleted"));
        page.print();
    }
    Ok(Exit::Completed)
}
