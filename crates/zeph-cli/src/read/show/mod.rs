//! `zeph show`: a run, or one of its tasks, in full.

mod notes;
mod run;
mod task;
#[cfg(test)]
mod tests;
mod value;

use super::page;
use super::time_breakdown::TimeBreakdown;
use crate::args::TaskRef;
use crate::context::{AppContext, now};
use crate::exit::{CliError, Exit};

pub(crate) async fn run(cx: &AppContext, args: &TaskRef) -> Result<Exit, CliError> {
    let (store, view) = cx.load_run(Some(&args.run)).await?;
    let now = now();
    // Without an owner the run does not continue after the last record.
    let owner = cx.owner_of(&store, &view.run).await?;
    let until = match owner {
        Some(_) => now,
        None => view.updated_at,
    };
    let times = TimeBreakdown::of(&view, until);
    Ok(if let Some(name) = &args.task {
        let task = view.task(name)?;
        let shown = task::ShowView::read(&store, &view, owner.as_deref(), &times, task).await?;
        page::print(cx, || shown.to_json(), |page| shown.render(page, now))
    } else {
        let shown = run::ShowView::read(&store, &view, &times).await?;
        page::print(cx, || shown.to_json(), |page| shown.render(page, now))
    })
}
