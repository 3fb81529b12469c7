//! The input of an answer: the end of every task, the most important results first.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use zeph_common::{Boundary, escape_terminal, truncate};
use zeph_executor::{EndReason, ParentState, TaskInput, TaskOutput};

use super::params::{AnswerParams, AnswerTask};

/// The goal and the results of all tasks.
#[derive(Clone, Debug, PartialEq)]
pub struct AnswerInput {
    /// The goal.
    pub goal: String,
    /// The end of each task; see [`AnswerInput::new`] for the order.
    pub results: Vec<TaskResult>,
    /// The most tokens of the answer; `None` is the aggregator's own limit.
    pub max_tokens: Option<u32>,
}

/// The end of a task, and its result.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskResult {
    /// Its name.
    pub name: String,
    /// Its description; may be empty.
    pub about: String,
    /// Its end; `None` if it is not a parent of this answer, so that its end is unknown here.
    pub state: Option<ParentState>,
    /// Its result.
    pub output: Option<Arc<TaskOutput>>,
    /// Whether no other result was made from it.
    pub is_final: bool,
    /// The reason for a missing result; else empty.
    pub missing: String,
    /// Why the task did not complete, if it has no result and no other task explains it. Untrusted text.
    pub why: Option<EndReason>,
}

impl TaskResult {
    /// The word for its end.
    #[must_use]
    pub const fn state_word(&self) -> &'static str {
        match self.state {
            Some(ParentState::Completed) => "completed",
            Some(ParentState::Failed) => "failed",
            Some(ParentState::Skipped) => "skipped",
            Some(ParentState::Canceled) => "canceled",
            Some(ParentState::Unfinished) => "unfinished",
            None => "unknown",
        }
    }
}

/// A task without a result, and the reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MissingResult {
    /// The task.
    pub task: String,
    /// Its end.
    pub state: String,
    /// The reason for the missing result.
    pub why: String,
}

impl AnswerInput {
    /// Orders the results. Linear in the tasks and their dependencies.
    ///
    /// Final results, from which no other result was made, come first: those of the plan's sinks, or of
    /// their nearest ancestors with a result. Then come the others in reverse order of the plan, then the
    /// tasks without a result in the order of the plan.
    #[must_use]
    pub fn new(params: &AnswerParams, input: &TaskInput) -> Self {
        let mut named = HashSet::new();
        let listed = params.tasks.iter().cloned();
        let unlisted = input.parents.keys().map(|name| AnswerTask {
            name: name.clone(),
            ..AnswerTask::default()
        });
        let tasks: Vec<AnswerTask> = listed
            .chain(unlisted)
            .filter(|task| named.insert(task.name.clone()))
            .collect();
        let used = used(&tasks, input);
        let (mut finals, mut inner, mut without) = (Vec::new(), Vec::new(), Vec::new());
        for task in &tasks {
            let parent = input.parents.get(&task.name);
            let output = parent.and_then(|parent| parent.output.clone());
            let is_final = output.is_some() && !used.contains(task.name.as_str());
            let (missing, why) = match output {
                Some(_) => (String::new(), None),
                None => reason(task, input),
            };
            let result = TaskResult {
                name: task.name.clone(),
                about: task.about.clone(),
                state: parent.map(|parent| parent.state),
                missing,
                why,
                output,
                is_final,
            };
            match (&result.output, is_final) {
                (Some(_), true) => finals.push(result),
                (Some(_), false) => inner.push(result),
                (None, _) => without.push(result),
            }
        }
        inner.reverse();
        finals.append(&mut inner);
        finals.append(&mut without);
        Self {
            goal: params.goal.clone(),
            results: finals,
            max_tokens: params.max_tokens,
        }
    }

    /// The tasks without a result, and those whose result is a substitute value.
    #[must_use]
    pub fn missing(&self) -> Vec<MissingResult> {
        let missing = self.results.iter().filter_map(|result| {
            let why = match (&result.output, result.state) {
                (Some(_), Some(ParentState::Completed)) => return None,
                (Some(_), _) => "its result is a substitute value".to_owned(),
                (None, _) => match &result.why {
                    Some(why) => format!("{}: {}", result.missing, one_line(why)),
                    None => result.missing.clone(),
                },
            };
            Some(MissingResult {
                task: result.name.clone(),
                state: result.state_word().to_owned(),
                why,
            })
        });
        missing.collect()
    }

    /// The names of all tasks.
    pub(super) fn names(&self) -> HashSet<&str> {
        self.results.iter().map(|one| one.name.as_str()).collect()
    }
}

/// The tasks from which another result was made, directly or not.
fn used<'a>(tasks: &'a [AnswerTask], input: &TaskInput) -> HashSet<&'a str> {
    let needs: HashMap<&str, &[String]> = tasks
        .iter()
        .map(|task| (task.name.as_str(), task.needs.as_slice()))
        .collect();
    let has_result = |name: &str| {
        let parent = input.parents.get(name);
        parent.is_some_and(|parent| parent.output.is_some())
    };
    let mut used = HashSet::new();
    let mut open: Vec<&str> = needs
        .keys()
        .copied()
        .filter(|name| has_result(name))
        .collect();
    while let Some(name) = open.pop() {
        for need in needs.get(name).copied().unwrap_or_default() {
            // Each task is visited once, so cycles end.
            if used.insert(need.as_str()) {
                open.push(need);
            }
        }
    }
    used
}

/// The reason for the missing result of a task: in the words of this program, and in those of the task, unless
/// another task explains it.
fn reason(task: &AnswerTask, input: &TaskInput) -> (String, Option<EndReason>) {
    let Some(parent) = input.parents.get(&task.name) else {
        return ("its end is unknown here".to_owned(), None);
    };
    let own = match parent.state {
        ParentState::Completed => return ("it completed without a result".to_owned(), None),
        ParentState::Failed => return ("it failed".to_owned(), parent.why.clone()),
        ParentState::Skipped => "it was skipped",
        ParentState::Canceled => "it was canceled",
        ParentState::Unfinished => "it had not ended",
    };
    let causes = task.needs.iter().filter_map(|need| {
        let state = input.parents.get(need)?.state;
        let lost = state != ParentState::Completed;
        lost.then(|| format!("{need} {}", ended(state)))
    });
    let causes: Vec<String> = causes.collect();
    if causes.is_empty() {
        (own.to_owned(), parent.why.clone())
    } else {
        let causes = causes.join(" and ");
        (format!("{own}, because {causes}"), None)
    }
}

/// A reason in one line, of limited length and without control characters.
fn one_line(why: &EndReason) -> String {
    const MAX_BYTES: usize = 300;
    let words: Vec<&str> = why.message.split_whitespace().collect();
    let words = words.join(" ");
    let text = truncate(&escape_terminal(&words), MAX_BYTES, Boundary::Word).to_string();
    let code = truncate(&escape_terminal(&why.code), 40, Boundary::Char).to_string();
    format!("{text} [{code}]")
}

const fn ended(state: ParentState) -> &'static str {
    match state {
        ParentState::Completed => "completed",
        ParentState::Failed => "failed",
        ParentState::Skipped => "was skipped",
        ParentState::Canceled => "was canceled",
        ParentState::Unfinished => "had not ended",
    }
}

#[cfg(test)]
mod tests {
    use zeph_executor::{EndReason, Parent, ParentState, TaskInput, TaskOutput};

    use super::super::params::{AnswerParams, AnswerTask};
    use super::AnswerInput;

    fn input_of(tasks: &[(&str, &[&str], Option<ParentState>)]) -> AnswerInput {
        let mut input = TaskInput::default();
        let mut params = AnswerParams::default();
        for (name, needs, state) in tasks {
            params.tasks.push(AnswerTask {
                name: (*name).to_owned(),
                needs: needs.iter().map(|need| (*need).to_owned()).collect(),
                about: String::new(),
            });
            let parent = match state {
                Some(ParentState::Completed) => Parent::completed(TaskOutput::from(*name)),
                Some(state) => Parent::ended(*state, None),
                None => continue,
            };
            input.parents.insert((*name).to_owned(), parent);
        }
        AnswerInput::new(&params, &input)
    }

    const DONE: Option<ParentState> = Some(ParentState::Completed);

    fn names(input: &AnswerInput) -> Vec<(&str, bool)> {
        let results = input.results.iter();
        results
            .map(|one| (one.name.as_str(), one.is_final))
            .collect()
    }

    #[test]
    fn sinks_come_first_then_the_tasks_near_them() {
        let all = input_of(&[
            ("read", &[], DONE),
            ("count", &["read"], DONE),
            ("group", &["read"], DONE),
            ("report", &["count", "group"], DONE),
            ("aside", &[], DONE),
        ]);
        let wanted = [
            ("report", true),
            ("aside", true),
            ("group", false),
            ("count", false),
            ("read", false),
        ];
        assert_eq!(names(&all), wanted);
        assert!(all.missing().is_empty());
    }

    #[test]
    fn the_nearest_ancestor_replaces_a_sink_without_result() {
        let lost = input_of(&[
            ("read", &[], DONE),
            ("count", &["read"], DONE),
            ("report", &["count", "chart"], Some(ParentState::Skipped)),
            ("chart", &[], Some(ParentState::Failed)),
            ("elsewhere", &[], None),
        ]);
        let order = names(&lost);
        assert_eq!(order[..2], [("count", true), ("read", false)]);
        let missing: Vec<String> = lost.missing().into_iter().map(|one| one.why).collect();
        let wanted = [
            "it was skipped, because chart failed",
            "it failed",
            "its end is unknown here",
        ];
        assert_eq!(missing, wanted);
    }

    #[test]
    fn a_failure_is_listed_with_its_reason_in_one_line() {
        let mut input = TaskInput::default();
        let message = format!("the model\nrefused \u{1b}[31m{}", "because ".repeat(100));
        let why = EndReason::new("model_refused", message);
        let failed = Parent::ended(ParentState::Failed, Some(why));
        input.parents.insert("beta".to_owned(), failed);
        let why = EndReason::new("condition", "its condition does not hold");
        let skipped = Parent::ended(ParentState::Skipped, Some(why));
        input.parents.insert("gamma".to_owned(), skipped);
        let missing = AnswerInput::new(&AnswerParams::default(), &input).missing();
        let beta = &missing[0].why;
        assert!(beta.starts_with("it failed: the model refused "), "{beta}");
        assert!(beta.ends_with(" [model_refused]") && beta.len() < 400);
        assert!(!beta.contains(char::is_control), "{beta}");
        let wanted = "it was skipped: its condition does not hold [condition]";
        assert_eq!(missing[1].why, wanted);
    }

    #[test]
    fn cycles_and_unknown_needs_are_harmless() {
        let odd = input_of(&[
            ("a", &["b", "x"], DONE),
            ("b", &["a"], DONE),
            ("a", &[], DONE),
        ]);
        assert_eq!(names(&odd), [("b", false), ("a", false)]);
    }
}
