//! What an answer is made of: every task's end, the most telling results first.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use zeph_executor::{ParentState, TaskInput, TaskOutput};

use super::params::{AnswerParams, AnswerTask};

/// The goal and all that came of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Material {
    /// What was wanted.
    pub goal: String,
    /// How each task ended; see [`Material::new`] for the order.
    pub results: Vec<TaskResult>,
    /// The most tokens of the answer; `None` leaves it to the aggregator.
    pub max_tokens: Option<u32>,
}

/// How a task ended, and what it left.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskResult {
    /// Its name.
    pub name: String,
    /// What it is about; may be empty.
    pub about: String,
    /// Its end; `None` if this answer does not depend on it, so that its end is not known here.
    pub state: Option<ParentState>,
    /// What it left, if anything.
    pub output: Option<Arc<TaskOutput>>,
    /// Whether no other result was made from it.
    pub last: bool,
    /// Why there is no result; empty if there is one.
    pub missing: String,
}

impl TaskResult {
    /// The word for its end.
    #[must_use]
    pub const fn state_word(&self) -> &'static str {
        word(self.state)
    }
}

const fn word(state: Option<ParentState>) -> &'static str {
    match state {
        Some(ParentState::Completed) => "completed",
        Some(ParentState::Failed) => "failed",
        Some(ParentState::Skipped) => "skipped",
        Some(ParentState::Canceled) => "canceled",
        None => "unknown",
    }
}

/// A task without a result, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missing {
    /// The task.
    pub task: String,
    /// Its end.
    pub state: String,
    /// Why there is no result.
    pub why: String,
}

impl Material {
    /// Orders what an answer is made of. Linear in the tasks and their needs.
    ///
    /// First come the results that no other result was made from: the plan's sinks, and, where a sink
    /// left nothing, what came nearest to it. Then the others, those near the plan's end first. Tasks
    /// without results come last, in the plan's order.
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
        let (mut last, mut inner, mut without) = (Vec::new(), Vec::new(), Vec::new());
        for task in &tasks {
            let parent = input.parents.get(&task.name);
            let output = parent.and_then(|parent| parent.output.clone());
            let is_last = output.is_some() && !used.contains(task.name.as_str());
            let result = TaskResult {
                name: task.name.clone(),
                about: task.about.clone(),
                state: parent.map(|parent| parent.state),
                missing: match output {
                    Some(_) => String::new(),
                    None => why(task, input),
                },
                output,
                last: is_last,
            };
            match (&result.output, is_last) {
                (Some(_), true) => last.push(result),
                (Some(_), false) => inner.push(result),
                (None, _) => without.push(result),
            }
        }
        inner.reverse();
        last.append(&mut inner);
        last.append(&mut without);
        Self {
            goal: params.goal.clone(),
            results: last,
            max_tokens: params.max_tokens,
        }
    }

    /// The tasks without a result, and those that failed although a value stands in for theirs.
    #[must_use]
    pub fn missing(&self) -> Vec<Missing> {
        let missing = self.results.iter().filter_map(|result| {
            let why = match (&result.output, result.state) {
                (Some(_), Some(ParentState::Completed)) => return None,
                (Some(_), _) => "a value was put in the place of its result".to_owned(),
                (None, _) => result.missing.clone(),
            };
            Some(Missing {
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

/// The tasks that some result was made from, directly or not.
fn used<'a>(tasks: &'a [AnswerTask], input: &TaskInput) -> HashSet<&'a str> {
    let needs: HashMap<&str, &[String]> = tasks
        .iter()
        .map(|task| (task.name.as_str(), task.needs.as_slice()))
        .collect();
    let left_something = |name: &str| {
        let parent = input.parents.get(name);
        parent.is_some_and(|parent| parent.output.is_some())
    };
    let mut used = HashSet::new();
    let mut open: Vec<&str> = needs
        .keys()
        .copied()
        .filter(|name| left_something(name))
        .collect();
    while let Some(name) = open.pop() {
        for need in needs.get(name).copied().unwrap_or_default() {
            // Each task is opened once, so needs that go in a circle end, too.
            if used.insert(need.as_str()) {
                open.push(need);
            }
        }
    }
    used
}

/// Why a task left nothing.
fn why(task: &AnswerTask, input: &TaskInput) -> String {
    let Some(parent) = input.parents.get(&task.name) else {
        return "its end is not known here".to_owned();
    };
    let own = match parent.state {
        ParentState::Completed => return "it completed without a result".to_owned(),
        ParentState::Failed => return "it failed".to_owned(),
        ParentState::Skipped => "it was skipped",
        ParentState::Canceled => "it was canceled",
    };
    let causes = task.needs.iter().filter_map(|need| {
        let state = input.parents.get(need)?.state;
        let lost = state != ParentState::Completed;
        lost.then(|| format!("{need} {}", ended(state)))
    });
    let causes: Vec<String> = causes.collect();
    if causes.is_empty() {
        own.to_owned()
    } else {
        format!("{own}, since {}", causes.join(" and "))
    }
}

const fn ended(state: ParentState) -> &'static str {
    match state {
        ParentState::Completed => "completed",
        ParentState::Failed => "failed",
        ParentState::Skipped => "was skipped",
        ParentState::Canceled => "was canceled",
    }
}

#[cfg(test)]
mod tests {
    use zeph_executor::{Parent, ParentState, TaskInput, TaskOutput};

    use super::super::params::{AnswerParams, AnswerTask};
    use super::Material;

    fn material(tasks: &[(&str, &[&str], Option<ParentState>)]) -> Material {
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
                Some(state) => Parent {
                    state: *state,
                    output: None,
                },
                None => continue,
            };
            input.parents.insert((*name).to_owned(), parent);
        }
        Material::new(&params, &input)
    }

    const DONE: Option<ParentState> = Some(ParentState::Completed);

    fn names(material: &Material) -> Vec<(&str, bool)> {
        let results = material.results.iter();
        results.map(|one| (one.name.as_str(), one.last)).collect()
    }

    #[test]
    fn sinks_come_first_then_what_is_near_the_end() {
        let all = material(&[
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
    fn what_came_nearest_stands_in_for_a_lost_sink_and_the_cause_is_told() {
        let lost = material(&[
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
            "it was skipped, since chart failed",
            "it failed",
            "its end is not known here",
        ];
        assert_eq!(missing, wanted);
    }

    #[test]
    fn needs_that_go_in_a_circle_or_nowhere_do_no_harm() {
        let odd = material(&[
            ("a", &["b", "x"], DONE),
            ("b", &["a"], DONE),
            ("a", &[], DONE),
        ]);
        assert_eq!(names(&odd), [("b", false), ("a", false)]);
    }
}
