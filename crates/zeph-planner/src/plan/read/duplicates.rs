//! Near duplicates: tasks with nearly the same words.

use std::collections::BTreeSet;

use zeph_diagnostics::{Diagnostic, Severity, quote};

use crate::plan::finding::warning;
use crate::plan::{PlannedTask, PlannedWork};

/// The number of tasks that are compared with each other.
const MAX_TASKS: usize = 100;
/// The number of words of a task that are compared.
const MAX_WORDS: usize = 300;
/// Tasks with fewer words are not compared.
const MIN_WORDS: usize = 4;
/// The similarity of near duplicates: 8 of 10 words.
const THRESHOLD: (usize, usize) = (8, 10);

/// A warning for each task that is nearly the same as an earlier task of its kind.
///
/// The similarity is the Jaccard index of the sets of words (runs of letters and digits, in lower case,
/// the first 300), at least 0.8. Two commands with the same command line are always duplicates.
pub(super) fn warnings(tasks: &[PlannedTask]) -> Vec<Diagnostic> {
    let tasks = &tasks[..tasks.len().min(MAX_TASKS)];
    let words: Vec<BTreeSet<String>> = tasks.iter().map(|task| words(task.work.about())).collect();
    let mut warnings = Vec::new();
    for (later, task) in tasks.iter().enumerate() {
        let earlier = (0..later).find(|&earlier| {
            let other = &tasks[earlier];
            task.work.kind() == other.work.kind()
                && (same_command(&task.work, &other.work)
                    || is_similar(&words[later], &words[earlier]))
        });
        if let Some(earlier) = earlier {
            let message = format!("nearly the same as {}", quote(&tasks[earlier].name));
            let warning = Diagnostic::new(warning::NEAR_DUPLICATE, message);
            warnings.push(warning.severity(Severity::Warning).path(&task.name));
        }
    }
    warnings
}

fn same_command(one: &PlannedWork, other: &PlannedWork) -> bool {
    let argv = |work: &PlannedWork| match work {
        PlannedWork::Command { argv, .. } => Some(argv.clone()),
        PlannedWork::Agent { .. } | PlannedWork::Question { .. } => None,
    };
    argv(one).is_some() && argv(one) == argv(other)
}

fn words(text: &str) -> BTreeSet<String> {
    let words = text
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty());
    words.take(MAX_WORDS).map(str::to_lowercase).collect()
}

fn is_similar(one: &BTreeSet<String>, other: &BTreeSet<String>) -> bool {
    if one.len().min(other.len()) < MIN_WORDS {
        return false;
    }
    let shared = one.intersection(other).count();
    let all = one.len() + other.len() - shared;
    shared * THRESHOLD.1 >= all * THRESHOLD.0
}
