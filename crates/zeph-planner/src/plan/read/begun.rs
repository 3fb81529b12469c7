//! Reading the beginning of a plan: the tasks of an answer that is still being received.

use serde_json::{Map, Value};
use zeph_diagnostics::Code;

use super::{Ending, reading};
use crate::plan::finding::repair;
use crate::plan::{Plan, PlanRequest};

/// The keys beside the tasks that change nothing about them.
const BESIDE: [&str; 2] = ["reasoning", "tasks"];
/// Repairs of a task that no later text of the answer can contradict.
const HARMLESS: [Code; 5] = [
    repair::ABSENT_FIELD,
    repair::NOTHING_TEXT,
    repair::DERIVED_KIND,
    repair::IDLE_FIELD,
    repair::NARROWED_TOOLS,
];

/// The tasks of an answer so far, as a plan; `text` ends with one of them. `None` if one of them cannot start yet.
///
/// Only an answer that is written as it was asked for has a beginning that means the same as the whole: an object
/// with the reasoning and the tasks, each of which lists what it needs and passes all checks.
pub(in crate::plan) fn read_begun(text: &str, request: &PlanRequest) -> Option<Plan> {
    let text = format!("{}]}}", without_fence(text));
    let value: Map<String, Value> = serde_json::from_str(&text).ok()?;
    let is_usual = value.keys().all(|key| BESIDE.contains(&&**key));
    let tasks = value.get("tasks")?.as_array()?;
    if !is_usual || !tasks.iter().all(|task| task["needs"].is_array()) {
        return None;
    }
    let reading = reading(&text, Ending::Finished, request);
    let plan = reading.outcome.ok()?;
    let is_plain = (reading.repairs.iter()).all(|one| HARMLESS.contains(&one.code));
    (is_plain && plan.tasks.len() == tasks.len()).then_some(plan)
}

/// The text after the first line of a fence.
fn without_fence(text: &str) -> &str {
    let text = text.trim_start();
    let fenced = text
        .strip_prefix("```")
        .and_then(|rest| rest.split_once('\n'));
    match fenced {
        Some((word, rest)) if word.trim().chars().all(char::is_alphanumeric) => rest,
        Some(_) | None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::read_begun;
    use crate::plan::PlanRequest;
    use zeph_subagent::{AgentCatalog, SubAgentDef};

    fn request() -> PlanRequest {
        let mut catalog = AgentCatalog::new();
        catalog
            .add(SubAgentDef::new("writer", "Writes", "You write."))
            .expect("is new");
        PlanRequest::new("g", catalog)
    }

    fn names(text: &str) -> Option<Vec<String>> {
        let plan = read_begun(text, &request())?;
        Some(plan.tasks.into_iter().map(|task| task.name).collect())
    }

    #[test]
    fn complete_tasks_of_a_usual_answer_can_start() {
        let one = r#"{"reasoning": "r", "tasks": [{"name": "a", "needs": [], "prompt": "x"}"#;
        assert_eq!(names(one), Some(vec!["a".to_owned()]));
        let two =
            format!(r#"{one}, {{"name": "b", "needs": ["a"], "agent": "writer", "prompt": "y"}}"#);
        let both = Some(vec!["a".to_owned(), "b".to_owned()]);
        assert_eq!(names(&two), both);
        assert_eq!(names(&format!("```json\n{two}")), both);
    }

    #[test]
    fn an_unusual_answer_has_to_be_whole() {
        for text in [
            // Another key may say something about the tasks.
            r#"{"status": "draft", "tasks": [{"name": "a", "needs": [], "prompt": "x"}"#,
            // What it needs may follow elsewhere.
            r#"{"tasks": [{"name": "a", "prompt": "x"}"#,
            r#"{"tasks": [{"name": "a", "needs": null, "prompt": "x"}"#,
            r#"{"tasks": [{"name": "a", "needs": ["b"], "prompt": "x"}"#,
            // Under other words.
            r#"{"steps": [{"name": "a", "needs": [], "prompt": "x"}"#,
            r#"{"tasks": [{"title": "a", "needs": [], "prompt": "x"}"#,
            r#"{"tasks": [{"name": "Write it", "needs": [], "prompt": "x"}"#,
            r#"{"tasks": [{"name": "a", "needs": [], "prompt": "x", "priority": 1}"#,
            r#"{"tasks": [{"name": "a", "needs": [], "prompt": "x", "agent": "Writer"}"#,
            r#"{"tasks": [{"name": "a", "needs": [], "prompt": "x", "agent": "ghost"}"#,
            // In prose, and in pieces.
            r#"Never run this: {"tasks": [{"name": "a", "needs": [], "prompt": "x"}"#,
            r#"{"tasks": [{"name": "a", "needs": [], "prompt": "x""#,
            "",
        ] {
            assert_eq!(names(text), None, "{text}");
        }
    }
}
