//! Suggested commands: they answer a question, or raise a budget.

use zeph_graph::{AskWhy, Fault, Usd};
use zeph_orchestration::plan::plan_questions;
use zeph_runtime::{Accepts, QuestionView, RunView};

use crate::out::{argument, quoted};

/// The tokens that a few calls need, by a rough estimate.
const FEW_CALLS: u64 = 20_000;

/// Whether a question is about a task that a budget stopped.
pub(crate) fn asks_for_budget(question: &QuestionView) -> bool {
    question.about == AskWhy::Failure(Fault::Budget)
}

/// A command that raises the budget of a run enough for a few more calls.
pub(crate) fn more_budget(view: &RunView) -> String {
    let (budget, spent) = (view.scheduler.budget(), view.scheduler.spent());
    let twice = |limit: u64, spent: u64| limit.max(spent).saturating_mul(2);
    let mut command = format!("zeph budget {}", view.run);
    if let Some(limit) = budget.tokens() {
        // A call reserves its request and the longest answer, which is some thousand tokens.
        let tokens = twice(limit, spent.tokens).max(spent.tokens.saturating_add(FEW_CALLS));
        command.push_str(&format!(" --tokens {tokens}"));
    }
    if let Some(limit) = budget.micro_usd() {
        let usd = Usd(twice(limit, spent.micro_usd).max(1));
        command.push_str(&format!(" --usd {usd}"));
    }
    if budget.is_unlimited() {
        // The run has no budget: a task used up its own, or there is no limit at all.
        command.push_str(" --tokens N");
    }
    command
}

/// The commands that answer a question: one for each choice, or one with a placeholder.
pub(crate) fn answers(run: &str, question: &QuestionView, suffix: &str) -> Vec<String> {
    let choices = question.accepts.choices().into_iter().map(argument);
    let other = match question.accepts {
        Accepts::Failure => Some("'value:JSON'"),
        Accepts::Number => Some("NUMBER"),
        Accepts::Text => Some("TEXT"),
        Accepts::YesNo | Accepts::Choice(_) => None,
    };
    let answers = choices.chain(other.map(str::to_owned));
    // The suffix is before the answer, because an answer that looks like a flag is written after `--`.
    let command = |answer| format!("zeph answer {run} {}{suffix} {answer}", question.id);
    answers.map(command).collect()
}

/// The commands that answer a question about a plan, each with its effect.
pub(crate) fn plan_answers(run: &str, question: u32, suffix: &str) -> [(String, String); 3] {
    let answers = [
        ("approve", "run the plan"),
        (
            "reject: make it smaller",
            "plan the goal again, with this feedback",
        ),
        ("@plan.toml", "run an edited plan file instead"),
    ];
    answers.map(|(answer, effect)| {
        let command = format!("zeph answer {run} {question}{suffix} {}", quoted(answer));
        (command, effect.to_owned())
    })
}

/// The open questions of a stored run, each with the commands that answer it or raise the budget.
pub(crate) fn questions(view: &RunView) -> Vec<(QuestionView, Vec<String>)> {
    let run = view.run.as_str();
    let plans = plan_questions(view.graph());
    let commands = |question: &QuestionView| {
        if plans.contains(&question.task) {
            return plan_answers(run, question.id, "")
                .map(|(command, _)| command)
                .into();
        }
        let more = asks_for_budget(question).then(|| more_budget(view));
        more.into_iter().chain(answers(run, question, "")).collect()
    };
    let open = view.questions().into_iter();
    open.map(|question| {
        let commands = commands(&question);
        (question, commands)
    })
    .collect()
}
