//! Actions: the scheduler returns exactly the actions that follow from the saved records.

use zeph_scheduler::Action;

use crate::audit::Expected;
use crate::hold;
use crate::violation::Check;

/// Checks for one start per `Started` record, one cancel per attempt that the engine ends, and no others.
///
/// # Errors
/// If an action is missing or surplus.
pub fn inv_10_actions(expected: &Expected, actions: &[Action]) -> Check {
    let is_ask = |action: &&Action| matches!(action, Action::Ask { .. });
    let others: Vec<Action> = actions.iter().filter(|a| !is_ask(a)).copied().collect();
    hold!(
        others == expected.actions,
        10,
        "one_cancel_per_ended_attempt",
        "actions {others:?}, the records call for {:?}",
        expected.actions
    );
    let times = |wanted: Action| actions.iter().filter(|&&a| a == wanted).count();
    let mut asked = 0;
    for (&question, &(task, least, most)) in &expected.asks {
        let times = times(Action::Ask { task, question });
        asked += times;
        hold!(
            (least..=most).contains(&times),
            10,
            "one_cancel_per_ended_attempt",
            "question {question} of {task} is put {times} times, instead of {least} to {most}"
        );
    }
    hold!(
        actions.iter().filter(is_ask).count() == asked,
        10,
        "one_cancel_per_ended_attempt",
        "{actions:?} puts a question that is not open"
    );
    Ok(())
}
