//! `zeph show`: a run, or one of its tasks, in full.

mod notes;
mod run;
mod task;
#[cfg(test)]
mod tests;

use zeph_runtime::RunView;

use super::owner::Owner;
use super::page::Page;
use super::time_breakdown::TimeBreakdown;
use crate::args::TaskRef;
use crate::context::{AppContext, now};
use crate::exit::{CliError, Exit};
use crate::out;

pub(crate) async fn run(cx: &AppContext, args: &TaskRef) -> Result<Exit, CliError> {
    let store = cx.open_store_read_only().await?;
    let run = cx.find_run(&store, &args.run).await?;
    let view = RunView::load(&store, &run).await?;
    let owner = Owner::of(cx, &store, &run).await?;
    let now = now();
    // Without an owner the run does not continue after the last record.
    let until = if owner.is_none() {
        view.updated_at
    } else {
        now
    };
    let time_breakdown = TimeBreakdown::of(&view, until);
    let mut page = Page::new();
    if let Some(name) = &args.task {
        let task = view.task(name)?;
        let shown = task::ShowView::read(&store, &view, &time_breakdown, task).await?;
        if cx.json() {
            out::json(&shown.to_json());
            return Ok(Exit::Completed);
        }
        shown.render(&mut page, now);
    } else {
        let shown = run::ShowView::read(&store, &view, &time_breakdown).await?;
        if cx.json() {
            out::json(&shown.to_json());
            return Ok(Exit::Completed);
        }
        shown.render(&mut page, now);
    }
    page.print();
    Ok(Exit::Completed)
}
