//! Confirming a plan: which question is about one, and what a person can answer.

use zeph_graph::Work;
use zeph_memory::RawGraphStore;
use zeph_planner::plan::{ADOPT, AdoptParams, PlanOutput};
use zeph_runtime::RunView;

use super::shown::Proposal;
use crate::out::{Channel, quoted};
use crate::read::page::Page;

/// A plan that waits for a person's word.
pub(crate) struct Confirm {
    /// The plan as it is shown.
    pub(crate) text: String,
    /// The plan as it is edited.
    pub(crate) file: String,
}

/// The task whose plan a question is about; none if it is about something else.
pub(crate) fn plan_of(view: &RunView, question: &str) -> Option<String> {
    view.graph().tasks().find_map(|(_, task)| {
        let Work::Action { name, params } = task.work() else {
            return None;
        };
        if **name != *ADOPT {
            return None;
        }
        let params: AdoptParams = serde_json::from_value(params.to_value().ok()?).ok()?;
        (params.confirm.as_deref() == Some(question)).then_some(params.plan)
    })
}

/// The plan that a question is about.
pub(crate) async fn read(
    store: &dyn RawGraphStore,
    view: &RunView,
    question: &str,
    channel: Channel,
) -> Option<Confirm> {
    let plan = view.task(&plan_of(view, question)?).ok()?;
    let output = view.output(store, plan).await.ok()??;
    let output: PlanOutput = serde_json::from_value(output.value.clone()).ok()?;
    let proposal = Proposal(output);
    let mut page = Page::behind(channel.label);
    proposal.tell(&mut page);
    Some(Confirm {
        text: page.into_text().trim_end().to_owned(),
        file: proposal.0.plan_file,
    })
}

/// What to type from anywhere, and what for.
pub(crate) fn commands(run: &str, question: u32, suffix: &str) -> [(String, String); 3] {
    let answer = |text: &str| format!("zeph answer {run} {question} {}{suffix}", quoted(text));
    [
        (answer("approve"), "run the plan".to_owned()),
        (
            answer("reject: make it smaller"),
            "have it planned anew, heeding this".to_owned(),
        ),
        (
            answer("@plan.toml"),
            "run an edited plan file instead".to_owned(),
        ),
    ]
}
