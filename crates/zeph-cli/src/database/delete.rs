//! `zeph delete`: deletes a run that has ended.

use serde_json::json;
use zeph_graph::RunId;
use zeph_memory::RawGraphStore as _;

use super::{claim, shrink};
use crate::args::DeleteArgs;
use crate::context::{AppContext, command, no_such_run};
use crate::exit::{CliError, Exit};
use crate::read::page;
use crate::read::request::cancel_whole;

pub(crate) async fn run(cx: &AppContext, args: &DeleteArgs) -> Result<Exit, CliError> {
    let store = cx.open_existing_store().await?;
    // The name is required in full, because a deleted run cannot be restored.
    let run: RunId = args.run.parse().map_err(|_| {
        let name = zeph_common::escape_terminal(&args.run);
        no_such_run(format!("{name:?} is not the name of a run"))
    })?;
    let mut row = store.get(&run).await?;
    if row.status.open && args.force {
        cancel_whole(cx, &store, &run).await?;
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
    let fence = claim(&store, "delete").await?;
    store.delete(&run, fence).await?;
    shrink(&store).await;
    let json = || json!({ "run": run.as_str(), "deleted": true });
    let line = format!("run {run} is deleted");
    Ok(page::print(cx, json, |page| page.line(line)))
}
