//! `zeph show`: a run, or one of its tasks, in full.

mod notes;
mod run;
mod task;
#[cfg(test)]
mod tests;

use zeph_runtime::RunView;

use super::ledger::Ledger;
use super::owner::Owner;
use super::page::Page;
use crate::args::TaskRef;
use crate::cx::{Cx, now};
use crate::exit::{CliError, Exit};
use crate::out;

pub(crate) async fn run(cx: &Cx, args: &TaskRef) -> Result<Exit, CliError> {
    let store = cx.open_store_read_only().await?;
    let run = cx.find_run(&store, &args.run).await?;
    let view = RunView::load(&store, &run).await?;
    let owner = Owner::of(cx, &store, &run).await?;
    let now = now();
    // Without an owner nothing goes on after the last record.
    let until = if owner.is_nobody() {
        view.updated_at
    } else {
        now
    };
    let ledger = Ledger::of(&view, until);
    let mut page = Page::new();
    if let Some(name) = &args.task {
        let task = view.task(name)?;
        let shown = task::Shown::read(&store, &view, &ledger, task).await?;
        if cx.json() {
            out::json(&shown.to_json());
            return Ok(Exit::Completed);
        }
        shown.tell(&mut page, now);
    } else {
        let shown = run::Shown::read(&store, &view, &ledger).await?;
        if cx.json() {
            out::json(&shown.to_json());
            return Ok(Exit::Completed);
        }
        shown.tell(&mut page, now);
    }
    page.print();
    Ok(Exit::Completed)
}
