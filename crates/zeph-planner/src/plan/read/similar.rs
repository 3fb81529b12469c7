//! Near-duplicates: tasks that ask for nearly the same.

use std::collections::BTreeSet;

use crate::plan::finding::show;
use crate::plan::{PlanWarning, PlannedTask, PlannedWork, WarningCode};

/// Tasks that are compared, each with each.
const COMPARED: usize = 100;
/// Words of a task that are compared.
const WORDS: usize = 300;
/// Fewer words say too little to be compared.
const LEAST_WORDS: usize = 4;
/// From here on two tasks count as nearly the same: 8 of 10 words.
const ALIKE: (usize, usize) = (8, 10);

/// A warning for each task that says nearly the same as an earlier one of its kind.
///
/// Compared are the sets of words (runs of letters and digits, in lower case, the first 300) of what
/// tasks are about: shared words over all words (Jaccard), at least 0.8. A command is also compared
/// by its command line: the same one twice is told whatever the words.
pub(super) fn warnings(tasks: &[PlannedTask]) -> Vec<PlanWarning> {
    let tasks = &tasks[..tasks.len().min(COMPARED)];
    let words: Vec<BTreeSet<String>> = tasks.iter().map(|task| words(task.work.about())).collect();
    let mut warnings = Vec::new();
    for (later, task) in tasks.iter().enumerate() {
        let earlier = (0..later).find(|&earlier| {
            let other = &tasks[earlier];
            task.work.kind() == other.work.kind()
                && (same_command(&task.work, &other.work) || alike(&words[later], &words[earlier]))
        });
        if let Some(earlier) = earlier {
            warnings.push(PlanWarning {
                code: WarningCode::NearDuplicate,
                task: task.name.clone(),
                message: format!("asks for nearly the same as {}", show(&tasks[earlier].name)),
            });
        }
    }
    warnings
}

fn same_command(one: &PlannedWork, other: &PlannedWork) -> bool {
    match (one, other) {
        (PlannedWork::Command { argv: one, .. }, PlannedWork::Command { argv: other, .. }) => {
            one == other
        }
        (
            PlannedWork::Agent { .. } | PlannedWork::Command { .. } | PlannedWork::Question { .. },
            _,
        ) => false,
    }
}

fn words(text: &str) -> BTreeSet<String> {
    let words = text
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty());
    words.take(WORDS).map(str::to_lowercase).collect()
}

fn alike(one: &BTreeSet<String>, other: &BTreeSet<String>) -> bool {
    if one.len().min(other.len()) < LEAST_WORDS {
        return false;
    }
    let shared = one.intersection(other).count();
    let all = one.len() + other.len() - shared;
    shared * ALIKE.1 >= all * ALIKE.0
}
