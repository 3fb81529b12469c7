//! `zeph why`: why a task is not running, the chain of causes, and the commands to type next.

#[cfg(test)]
mod tests;

use serde_json::{Value, json};
use zeph_executor::TaskErrorRecord;
use zeph_graph::{RunId, TaskId, Timestamp};
use zeph_memory::RawGraphStore;
use zeph_runtime::RunView;

use crate::args::WhyArgs;
use crate::context::{AppContext, now};
use crate::exit::{CliError, Exit};
use crate::out::Tone;
use crate::read::answers::Answers;
use crate::read::explain::{self, Reason};
use crate::read::failure;
use crate::read::outside::Outside;
use crate::read::page::{self, Page};
use crate::read::posted;
use crate::read::time_breakdown::TimeBreakdown;

/// The most links of a chain that are shown at each end.
const LINKS: usize = 6;

pub(crate) async fn run(cx: &AppContext, args: &WhyArgs) -> Result<Exit, CliError> {
    let (store, view) = cx.load_run(Some(&args.run)).await?;
    let task = view.task(&args.task)?;
    let outside = Outside::of(cx, &store, &view).await?;
    let why = Why::of(&store, &view, &outside, task, now()).await?;
    Ok(page::print(cx, || why.to_json(), |page| why.render(page)))
}

struct Why<'a> {
    view: &'a RunView,
    task: TaskId,
    reason: Reason,
    /// Why the last task of the chain has its state, if it has not ended.
    root: Option<Reason>,
    /// The error of the root cause.
    error: Option<TaskErrorRecord>,
    /// The run whose result it has.
    supplied_by: Option<RunId>,
    now: Timestamp,
}

impl<'a> Why<'a> {
    async fn of(
        store: &dyn RawGraphStore,
        view: &'a RunView,
        outside: &Outside,
        task: TaskId,
        now: Timestamp,
    ) -> Result<Self, CliError> {
        let mut reason = explain::of(view, outside, task, now);
        let last = reason.because.last().copied().unwrap_or(task);
        let unfinished = last != task && !view.scheduler.task(last).state().is_end();
        let root = unfinished.then(|| explain::of(view, outside, last, now));
        if let Some(root) = &root {
            reason.next.splice(0..0, root.next.iter().cloned());
        }
        let supplied = view.supplied(store, task).await?;
        let supplied_by = supplied.and_then(|(_, run)| run);
        if let Some(run) = &supplied_by {
            reason
                .text
                .push_str(&format!(" It has the result of run {run}."));
        }
        let answers = Answers::read(store, view).await?;
        if let Some(words) = answers.end_words(last, now) {
            let text = format!(" Its end was given{words}.");
            reason.text.push_str(&text);
        }
        // A task that completed in the end has nothing to explain.
        let error = match TimeBreakdown::of(view, now).task(last).error {
            Some(id) if !view.scheduler.task(last).state().is_completed() => {
                view.error(store, id).await?
            }
            Some(_) | None => None,
        };
        if let Some(error) = error.as_ref().filter(|_| last == task)
            && explain::is_skipped_by_executor(view, task)
        {
            let why = explain::first_line(error);
            reason.text = format!("It was skipped: {}.", why.trim_end_matches('.'));
        }
        Ok(Self {
            view,
            task,
            reason,
            root,
            error,
            supplied_by,
            now,
        })
    }

    fn render(&self, page: &mut Page) {
        let line = |id| {
            let (name, state) = (explain::name(self.view, id), explain::state(self.view, id));
            format!("{name}: {state}")
        };
        let name = explain::name(self.view, self.task);
        let error = self.error.as_ref();
        let state = explain::state_with(self.view, self.task, error);
        let tone = Tone::of_state(self.view.scheduler.task(self.task).state().word());
        page.painted_line(&[
            (Tone::Heading, &format!("{name} of run {}: ", self.view.run)),
            (tone, &state),
        ]);
        page.line(&self.reason.text);
        let chain = &self.reason.because;
        if chain.len() > 1 {
            let mut lines: Vec<String> = chain.iter().map(|&id| line(id)).collect();
            let middle = chain.len().saturating_sub(2 * LINKS);
            if middle > 1 {
                lines.splice(LINKS..LINKS + middle, [format!("… {middle} more …")]);
            }
            page.section("Because", &lines);
        }
        if let Some(root) = &self.root {
            page.block(4, &root.text);
        }
        if let Some(error) = &self.error {
            page.heading("Its error");
            failure::render(page, 2, error);
        }
        posted::render(page, &self.view.requests, self.now);
        page.next(&self.reason.next);
    }

    fn to_json(&self) -> Value {
        let link = |&id: &TaskId| explain::task_json(self.view, id);
        json!({
            "run": self.view.run.as_str(),
            "task": explain::name(self.view, self.task),
            "state": self.view.scheduler.task(self.task).state().word(),
            "reason": self.reason.code,
            "text": self.reason.text,
            "supplied_by": self.supplied_by.as_ref().map(RunId::as_str),
            "because": self.reason.because.iter().map(link).collect::<Vec<_>>(),
            "root": self.root.as_ref().map(|root| json!({ "reason": root.code, "text": root.text })),
            "error": self.error,
            "requests": posted::to_json(&self.view.requests),
            "next": self.reason.next,
        })
    }
}
