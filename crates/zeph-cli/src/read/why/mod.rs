//! `zeph why`: why a task is not running, the chain of causes, and the commands to type next.

#[cfg(test)]
mod tests;

use serde_json::{Value, json};
use zeph_executor::TaskErrorRecord;
use zeph_graph::{TaskId, Timestamp};
use zeph_memory::RawGraphStore;
use zeph_runtime::RunView;

use crate::args::WhyArgs;
use crate::context::{AppContext, now};
use crate::exit::{CliError, Exit};
use crate::out;
use crate::read::explain::{self, Reason};
use crate::read::failure;
use crate::read::owner::Owner;
use crate::read::page::Page;
use crate::read::time_breakdown::TimeBreakdown;

/// The most links of a chain that are shown at each end.
const LINKS: usize = 6;

pub(crate) async fn run(cx: &AppContext, args: &WhyArgs) -> Result<Exit, CliError> {
    let store = cx.open_store_read_only().await?;
    let run = cx.find_run(&store, &args.run).await?;
    let view = RunView::load(&store, &run).await?;
    let task = view.task(&args.task)?;
    let owner = Owner::of(cx, &store, &run).await?;
    let answer = Why::of(&store, &view, &owner, task, now()).await?;
    if cx.json() {
        out::json(&answer.to_json());
    } else {
        let mut page = Page::new();
        answer.render(&mut page);
        page.print();
    }
    Ok(Exit::Completed)
}

struct Why<'a> {
    view: &'a RunView,
    task: TaskId,
    reason: Reason,
    /// Why the last task of the chain has its state, if it has not ended.
    root: Option<Reason>,
    /// The error of the root cause.
    error: Option<TaskErrorRecord>,
}

impl<'a> Why<'a> {
    async fn of(
        store: &dyn RawGraphStore,
        view: &'a RunView,
        owner: &Owner,
        task: TaskId,
        now: Timestamp,
    ) -> Result<Self, CliError> {
        let mut reason = explain::of(view, owner, task, now);
        let last = reason.because.last().copied().unwrap_or(task);
        let unfinished = last != task && !view.scheduler.task(last).state().is_end();
        let root = unfinished.then(|| explain::of(view, owner, last, now));
        if let Some(root) = &root {
            reason.next.splice(0..0, root.next.iter().cloned());
        }
        // A task that completed in the end has nothing to explain.
        let said = if view.scheduler.task(last).state().is_completed() {
            None
        } else {
            TimeBreakdown::of(view, now).task(last).error
        };
        let ids: Vec<_> = said.into_iter().collect();
        let error = failure::read(store, &view.run, &ids)
            .await?
            .into_values()
            .next();
        Ok(Self {
            view,
            task,
            reason,
            root,
            error,
        })
    }

    fn render(&self, page: &mut Page) {
        let name = explain::name(self.view, self.task);
        page.line(format!(
            "{name} of run {}: {}",
            self.view.run,
            explain::state(self.view, self.task)
        ));
        page.line(&self.reason.text);
        let chain = &self.reason.because;
        if chain.len() > 1 {
            page.heading("Because");
            let middle = chain.len().saturating_sub(2 * LINKS);
            for (i, &id) in chain.iter().enumerate() {
                if middle > 1 && i >= LINKS && i < LINKS + middle {
                    if i == LINKS {
                        page.block(2, &format!("… {middle} more …"));
                    }
                    continue;
                }
                page.block(
                    2,
                    &format!(
                        "{}: {}",
                        explain::name(self.view, id),
                        explain::state(self.view, id)
                    ),
                );
            }
        }
        if let Some(root) = &self.root {
            page.block(4, &root.text);
        }
        if let Some(error) = &self.error {
            page.heading("Its error");
            failure::render(page, 2, error);
        }
        if !self.reason.next.is_empty() {
            page.heading("Next");
            for line in &self.reason.next {
                page.block(2, line);
            }
        }
    }

    fn to_json(&self) -> Value {
        let link = |&id: &TaskId| {
            json!({
                "task": explain::name(self.view, id),
                "state": self.view.scheduler.task(id).state().word(),
                "text": explain::state(self.view, id),
            })
        };
        json!({
            "run": self.view.run.as_str(),
            "task": explain::name(self.view, self.task),
            "state": self.view.scheduler.task(self.task).state().word(),
            "reason": self.reason.code,
            "text": self.reason.text,
            "because": self.reason.because.iter().map(link).collect::<Vec<_>>(),
            "root": self.root.as_ref().map(|root| json!({ "reason": root.code, "text": root.text })),
            "error": self.error,
            "next": self.reason.next,
        })
    }
}
