//! Why a task has its state, in words, with the commands to type next.

mod held;
mod words;

use zeph_graph::{AskWhy, Effect, Fault, Output, SkipWhy, TaskId, TaskState, Timestamp};
use zeph_orchestration::plan::plan_task;
use zeph_runtime::{Accepts, QuestionView, RunView};
use zeph_scheduler::Explanation;

use crate::goal::confirm;
use crate::read::hints;
use crate::read::owner::Owner;
use crate::read::page::{count, names, shell_word};

pub(crate) use held::{held, held_words};
pub(crate) use words::{name, state};

/// Why a task has its state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reason {
    /// The code, for programs.
    pub(crate) code: &'static str,
    /// A sentence for people; names in it are not escaped yet.
    pub(crate) text: String,
    /// The commands to type next.
    pub(crate) next: Vec<String>,
    /// The tasks that caused it or that it waits for, the root cause last.
    pub(crate) because: Vec<TaskId>,
}

impl Reason {
    fn new(code: &'static str, text: impl Into<String>) -> Self {
        let text = text.into();
        Self {
            code,
            text,
            next: Vec::new(),
            because: Vec::new(),
        }
    }

    fn next(mut self, commands: impl IntoIterator<Item = String>) -> Self {
        self.next.extend(commands);
        self
    }
}

/// Why that task has its state, from the stored run and its owner's lock.
pub(crate) fn of(view: &RunView, owner: &Owner, task: TaskId, now: Timestamp) -> Reason {
    let run = &view.run;
    match view.scheduler.explain(task) {
        Explanation::Parents { open, count } => parents(view, task, &open, count),
        Explanation::Held(_) => held::reason(view, owner, task),
        Explanation::Running { .. } if owner.is_none() => interrupted(view, task, "It was running"),
        Explanation::Running {
            attempt,
            since,
            deadline,
        } => Reason::new("running", words::running(attempt, since, deadline, now)),
        Explanation::BackingOff {
            until,
            attempt_counts,
            max_retries,
        } => {
            let resume = owner.is_none().then(|| format!("zeph resume {run}"));
            let text = words::backing_off(until, attempt_counts, max_retries, now);
            Reason::new("backing_off", text).next(resume)
        }
        Explanation::Asking {
            question,
            why,
            since,
            deadline,
        } => {
            let text = words::asking(question, why, since, deadline, now);
            Reason::new("asking", text).next(answers(view, Some(task)))
        }
        Explanation::Canceling { .. } if owner.is_none() => {
            interrupted(view, task, "It was being stopped")
        }
        Explanation::Canceling {
            attempt,
            why,
            deadline,
        } => Reason::new("canceling", words::canceling(attempt, why, deadline, now)),
        Explanation::Ended { state, because } => ended(view, task, state, because),
        _ => Reason::new("unknown", format!("It is {}.", state(view, task)))
            .next([format!("zeph show {run} {}", shell_word(name(view, task)))]),
    }
}

fn parents(view: &RunView, task: TaskId, open: &[TaskId], total: u32) -> Reason {
    let text = format!(
        "It waits for {} that {} not ended: {}.",
        count(total.into(), "task"),
        if total == 1 { "has" } else { "have" },
        names(open.iter().map(|&id| name(view, id)), total as usize)
    );
    // Follows the first open parent to a task that waits for no parent. Each step goes to a parent, so the
    // loop ends.
    let mut because = vec![task];
    let mut at = task;
    while let Explanation::Parents { open, .. } = view.scheduler.explain(at)
        && let Some(&first) = open.first()
    {
        because.push(first);
        at = first;
    }
    let next = [format!(
        "zeph why {} {}",
        view.run,
        shell_word(name(view, at))
    )];
    Reason {
        because,
        ..Reason::new("parents", text).next(next)
    }
}

/// The reason if the owner's process ended: the effect class decides what a resume does.
fn interrupted(view: &RunView, task: TaskId, what: &str) -> Reason {
    let then = match view.graph().task(task).rules().effect {
        Effect::Pure | Effect::Idempotent => "it runs again when the run is resumed",
        Effect::AtMostOnce => "it must not run twice, so a person is asked when the run is resumed",
    };
    let text = format!("{what} when the process of the run ended; {then}.");
    Reason::new("interrupted", text).next([format!("zeph resume {}", view.run)])
}

fn ended(view: &RunView, task: TaskId, state: TaskState, because: Vec<TaskId>) -> Reason {
    let run = &view.run;
    let reason = match state {
        TaskState::Completed {
            output: Output::Definition,
        } => Reason::new(
            "completed",
            "It completed with the value that its definition gives instead of a result.",
        ),
        TaskState::Failed { why } => {
            Reason::new("failed", format!("It failed: {}.", words::fault(why)))
        }
        TaskState::Skipped {
            why: SkipWhy::Upstream(parent),
        } => Reason::new(
            "skipped",
            format!(
                "It was skipped, because {} did not complete.",
                name(view, parent)
            ),
        ),
        TaskState::Skipped {
            why: SkipWhy::Declined,
        } => Reason::new(
            "skipped",
            "It was skipped: the answer to its approval was no.",
        ),
        TaskState::Canceled { why } => Reason::new("canceled", format!("It was canceled: {why}.")),
        TaskState::Completed { .. }
        | TaskState::Pending
        | TaskState::Ready
        | TaskState::Running { .. }
        | TaskState::BackingOff { .. }
        | TaskState::Asking { .. }
        | TaskState::Canceling { .. } => Reason::new("completed", "It completed."),
    };
    let root = because.last().copied().unwrap_or(task);
    let root = shell_word(name(view, root));
    let logs = (reason.code != "completed").then(|| format!("zeph logs {run} {root}"));
    let reason = reason.next([format!("zeph show {run} {root}")]).next(logs);
    Reason { because, ..reason }
}

/// The commands that answer open questions: of one task, or of all.
pub(crate) fn answers(view: &RunView, task: Option<TaskId>) -> Vec<String> {
    let wanted = task.map(|id| name(view, id));
    let mut lines = Vec::new();
    for question in view.questions() {
        if wanted.is_none_or(|wanted| wanted == question.task) {
            lines.extend(answer_lines(view, &question));
        }
    }
    lines
}

/// One line for each choice, or one with a placeholder.
pub(crate) fn answer_lines(view: &RunView, question: &QuestionView) -> Vec<String> {
    let line = |answer: &str| format!("zeph answer {} {} {answer}", view.run, question.id);
    if plan_task(view.graph(), &question.task).is_some() {
        let commands = confirm::commands(view.run.as_str(), question.id, "");
        return commands.into_iter().map(|(command, _)| command).collect();
    }
    let choices = question.accepts.choices();
    let choices = choices.into_iter().map(|choice| line(&shell_word(choice)));
    match question.accepts {
        Accepts::Failure => {
            let short = stopped_by_budget(view, question);
            let more =
                short.then(|| format!("zeph budget {} {}", view.run, hints::more_budget(view)));
            let value = line("'value:JSON'");
            more.into_iter().chain(choices).chain([value]).collect()
        }
        Accepts::Number => vec![line("NUMBER")],
        Accepts::Text => vec![line("TEXT")],
        Accepts::YesNo | Accepts::Choice(_) => choices.collect(),
    }
}

/// Whether a budget stopped the task that the question is about.
fn stopped_by_budget(view: &RunView, question: &QuestionView) -> bool {
    let mut open = view.scheduler.questions();
    open.any(|open| open.id.get() == question.id && open.why == AskWhy::Failure(Fault::Budget))
}
