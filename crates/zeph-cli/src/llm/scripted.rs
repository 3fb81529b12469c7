//! The scripted model: fixed replies for every purpose, to see the whole flow without a service.

use std::time::Duration;

use serde_json::json;
use zeph_common::{Boundary, truncate};
use zeph_llm::{
    Capabilities, LlmProvider, LlmRequest, LlmResponse, Prices, Purpose, Reply, ScriptedProvider,
};

/// The delay of a reply, so that the progress is visible.
const PACE: Duration = Duration::from_millis(300);
/// The bytes of the goal that replies repeat.
const GOAL_BYTES: usize = 120;

/// A provider that plans two or three tasks, performs each of them in one line, and cites them.
pub(super) fn provider() -> ScriptedProvider {
    let provider = ScriptedProvider::new(super::setup::SCRIPTED);
    let capabilities = Capabilities {
        prices: Some(Prices::FREE),
        ..LlmProvider::capabilities(&provider)
    };
    let reply = |make: fn(&LlmRequest) -> String| {
        Reply::made(move |request| Ok(LlmResponse::text(make(request)))).after(PACE)
    };
    provider
        .with_capabilities(capabilities)
        .for_purpose(Purpose::Plan, reply(plan))
        .for_purpose(Purpose::RepairPlan, reply(plan))
        .for_purpose(Purpose::Answer, reply(answer))
        .rule(|_| true, None, reply(work))
}

fn last(request: &LlmRequest) -> String {
    let last = request.messages.last();
    last.map_or_else(String::new, |message| message.text().to_string())
}

/// The first line of the goal, shortened.
fn goal(request: &LlmRequest) -> String {
    let asked = last(request);
    let goal = asked.lines().nth(1).unwrap_or_default();
    truncate(goal, GOAL_BYTES, Boundary::Char).to_string()
}

fn plan(request: &LlmRequest) -> String {
    let goal = goal(request);
    let task = |name: &str, needs: &[&str], prompt: String| {
        json!({
            "name": name, "needs": needs, "kind": "agent", "agent": null, "prompt": prompt,
            "tools": null, "command": null, "arguments": null, "trigger": null,
            "on_failure": null, "expected_tokens": 40,
        })
    };
    // Feedback on a rejected plan is a numbered list; the next plan is a different one.
    let has_feedback = last(request).lines().any(|line| line.starts_with("1. "));
    let (known, wrong) = ("List what is known about", "List what could go wrong with");
    let mut tasks = vec![task("survey", &[], format!("{known}: {goal}"))];
    let mut needs = vec!["survey"];
    if !has_feedback {
        tasks.push(task("risks", &[], format!("{wrong}: {goal}")));
        needs.push("risks");
    }
    tasks.push(task("draft", &needs, format!("Draft the result: {goal}")));
    let reasoning = "A made-up plan: look around, then write.";
    json!({ "reasoning": reasoning, "tasks": tasks }).to_string()
}

fn work(request: &LlmRequest) -> String {
    let asked = last(request);
    let asked = asked.lines().next().unwrap_or_default();
    format!(
        "A made-up reply to: {}",
        truncate(asked, GOAL_BYTES, Boundary::Char)
    )
}

/// One statement for each result of the prompt, each with its source.
fn answer(request: &LlmRequest) -> String {
    let asked = last(request);
    let goal = goal(request);
    let results = asked.lines().filter_map(|line| {
        let (name, rest) = line.split_once(" (")?;
        let (state, _) = rest.split_once(')')?;
        let is_name = !name.is_empty()
            && name
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
        let known = ["completed", "failed", "skipped", "canceled"];
        let is_state = known.iter().any(|one| state.starts_with(one));
        (is_name && is_state).then(|| format!("- {name} ended as {state} [{name}]."))
    });
    let results: Vec<String> = results.collect();
    format!("A made-up answer to: {goal}\n\n{}", results.join("\n"))
}
