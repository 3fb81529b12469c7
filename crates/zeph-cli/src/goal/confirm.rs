//! Confirmation of a plan: the plan as text, and the commands that answer.

use zeph_planner::plan::PlanOutput;
use zeph_runtime::{Accepts, QuestionView};

use super::shown::Proposal;
use crate::out::{Channel, quoted};
use crate::read::page::Page;

/// A plan as it is shown before it runs.
pub(crate) fn text(plan: PlanOutput, channel: Channel) -> String {
    let mut page = Page::behind(channel.label);
    Proposal(plan).render(&mut page);
    page.into_text().trim_end().to_owned()
}

/// Shortens a question about a plan that is shown with it; the problems of the last answer remain.
pub(crate) fn shorten(question: &mut QuestionView) {
    let wrong = question.text.rsplit_once("\n\n").map(|(why, _)| why);
    let wrong = wrong.map(|why| format!("{why} "));
    question.text = format!("{}Run this plan?", wrong.unwrap_or_default());
    question.accepts = Accepts::Choice(vec!["approve".to_owned()]);
}

/// The commands that answer, each with its effect.
pub(crate) fn commands(run: &str, question: u32, suffix: &str) -> [(String, String); 3] {
    let answer = |text: &str| format!("zeph answer {run} {question} {}{suffix}", quoted(text));
    [
        (answer("approve"), "run the plan".to_owned()),
        (
            answer("reject: make it smaller"),
            "plan the goal again, with this feedback".to_owned(),
        ),
        (
            answer("@plan.toml"),
            "run an edited plan file instead".to_owned(),
        ),
    ]
}
