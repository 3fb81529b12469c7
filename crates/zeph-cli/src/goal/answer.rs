//! The answer to a goal: what a run was for.

use zeph_common::escape_terminal_block;
use zeph_graph::{TaskState, Work};
use zeph_memory::RawGraphStore;
use zeph_planner::answer::{Answer, WrittenBy};
use zeph_planner::plan::ANSWER;
use zeph_runtime::RunView;

use crate::exit::CliError;
use crate::out::{self, Channel};

/// The answer of a run, if it has one.
pub(crate) async fn read(
    store: &dyn RawGraphStore,
    view: &RunView,
) -> Result<Option<Answer>, CliError> {
    let is_answer = |work: &Work| matches!(work, Work::Action { name, .. } if **name == *ANSWER);
    let done = view.graph().tasks().find(|(id, task)| {
        let state = view.scheduler.task(*id).state();
        is_answer(task.work()) && matches!(state, TaskState::Completed { .. })
    });
    let Some((task, _)) = done else {
        return Ok(None);
    };
    let output = view.output(store, task).await?;
    // A value that a person gave instead of an answer is no such object.
    Ok(output.and_then(|output| serde_json::from_value(output.value.clone()).ok()))
}

/// Tells it on stdout, and what is to be known about it where the story is told.
pub(crate) fn tell(channel: Channel, answer: &Answer) {
    // Where the story and the answer go to different places, nothing needs to be set apart.
    let apart = out::is_watched();
    let gap = || {
        if apart {
            channel.line("");
        }
    };
    gap();
    let text = escape_terminal_block(answer.text.trim_end());
    out::line(channel.labelled(&text));
    gap();
    if let (WrittenBy::Deterministic, Some(why)) = (answer.by, &answer.why) {
        channel.line(format!(
            "no model wrote the answer, the results stand as they are: {}",
            zeph_common::escape_terminal(why)
        ));
    }
    if answer.cut {
        channel.line("not all of the results went into the answer: they are too long");
    }
}
