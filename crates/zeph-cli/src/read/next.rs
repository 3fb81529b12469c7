//! Suggested commands: they answer a question, or raise a budget.

use zeph_graph::{AskWhy, Fault, Usd};
use zeph_orchestration::plan::plan_questions;
use zeph_runtime::{Accepts, QuestionView, RunView};

use super::posted;
use crate::context::{answer_at_terminal, answer_command, command};

/// The tokens that a few calls need, by a rough estimate.
const FEW_CALLS: u64 = 20_000;

/// Whether a question is about a task that a budget stopped.
pub(crate) fn asks_for_budget(question: &QuestionView) -> bool {
    question.about == AskWhy::Failure(Fault::Budget)
}

/// A command that raises the budget of a run enough for a few more calls, or limits a run without one.
pub(crate) fn more_budget(view: &RunView) -> String {
    let mut words = vec!["budget".to_owned(), view.run.to_string()];
    let (budget, spent) = (view.scheduler.budget(), view.scheduler.spent());
    let twice = |limit: u64, spent: u64| limit.max(spent).saturating_mul(2);
    if let Some(limit) = budget.tokens() {
        // A call reserves its request and the longest answer, which is some thousand tokens.
        let tokens = twice(limit, spent.tokens).max(spent.tokens.saturating_add(FEW_CALLS));
        words.extend(["--tokens".to_owned(), tokens.to_string()]);
    }
    if let Some(limit) = budget.micro_usd() {
        let usd = Usd(twice(limit, spent.micro_usd).max(1));
        words.extend(["--usd".to_owned(), usd.to_string()]);
    }
    if budget.is_unlimited() {
        let tokens = spent.tokens.saturating_add(FEW_CALLS);
        words.extend(["--tokens".to_owned(), tokens.to_string()]);
    }
    command(&words.iter().map(String::as_str).collect::<Vec<_>>())
}

/// The commands that answer a question: one for each choice, and one that asks at the terminal if other
/// answers are accepted. A command with a made-up answer would be one by accident.
pub(crate) fn answers(run: &str, question: &QuestionView) -> Vec<String> {
    let choices = question.words().into_iter();
    let choices = choices.map(|choice| answer_command(run, question.id, choice));
    let asks = match question.accepts {
        Accepts::Failure | Accepts::Number | Accepts::Text => {
            Some(answer_at_terminal(run, question.id))
        }
        Accepts::YesNo | Accepts::Choice(_) => None,
    };
    choices.chain(asks).collect()
}

/// The commands that answer a question about a plan, each with its effect.
pub(crate) fn plan_answers(run: &str, question: u32) -> [(String, String); 3] {
    [
        (answer_command(run, question, "approve"), "run the plan"),
        (
            answer_command(run, question, "reject"),
            "plan the goal again",
        ),
        (
            answer_at_terminal(run, question),
            "edit the plan, or say what should be different",
        ),
    ]
    .map(|(command, effect)| (command, effect.to_owned()))
}

/// The open questions of a stored run, each with the commands that answer it or raise the budget.
pub(crate) fn questions(view: &RunView) -> Vec<(QuestionView, Vec<String>)> {
    let run = view.run.as_str();
    let plans = plan_questions(view.graph());
    let commands = |question: &QuestionView| {
        if view.posted_answer(question.id).is_some() {
            return vec![posted::replace_command(view, question.id)];
        }
        if plans.contains(&question.task) {
            return plan_answers(run, question.id)
                .map(|(command, _)| command)
                .into();
        }
        // A task that used up its own budget is not helped by a larger one of the run.
        let is_limited = !view.scheduler.budget().is_unlimited();
        let more = (is_limited && asks_for_budget(question)).then(|| more_budget(view));
        more.into_iter().chain(answers(run, question)).collect()
    };
    let open = view.questions().into_iter();
    open.map(|question| {
        let commands = commands(&question);
        (question, commands)
    })
    .collect()
}
