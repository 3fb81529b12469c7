//! The scripted model: fixed replies for every purpose, to see the whole flow without a service.

use std::time::Duration;

use serde_json::{Value, json};
use zeph_common::{Boundary, truncate};
use zeph_llm::{
    Capabilities, LlmProvider, LlmRequest, LlmResponse, OutputFormat, Prices, Purpose, Reply,
    ScriptedProvider,
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

/// The words before a schema in a prompt, as [`zeph_llm::AnswerSchema`] writes them.
const SCHEMA: &str = "Its JSON Schema is:\n";

/// The schema that a request asks for: in its format, or at the end of its instructions.
fn schema(request: &LlmRequest) -> Option<Value> {
    if let OutputFormat::Schema(output) = &request.output {
        return Some(output.schema.clone());
    }
    let mut texts = request.messages.iter().map(zeph_llm::Message::text);
    let (_, schema) = texts.find_map(|text| text.rsplit_once(SCHEMA))?;
    serde_json::from_str(schema.trim()).ok()
}

/// How deep a made-up value is at most.
const DEPTH: usize = 16;

/// A value that a schema allows, as far as it says what it wants in a plain way.
fn instance(schema: &Value, depth: usize) -> Value {
    if let Some(value) = schema.get("const").or_else(|| schema.pointer("/enum/0")) {
        return value.clone();
    }
    for one_of in ["anyOf", "oneOf", "allOf"] {
        if let Some(first) = schema.get(one_of).and_then(|list| list.get(0)) {
            return instance(first, depth);
        }
    }
    let number = |field: &str| schema.get(field).and_then(Value::as_u64).unwrap_or(0);
    let kind = schema.get("type");
    let kind = kind.and_then(|kind| kind.as_str().or_else(|| kind.get(0)?.as_str()));
    match kind {
        _ if depth == 0 => Value::Null,
        Some("string") => {
            let long = usize::try_from(number("minLength"))
                .unwrap_or(0)
                .min(10_000);
            // A strict schema has no `minLength`, but the answer is held to it.
            let text = format!("{:-<long$}", "a made-up text, long enough for most schemas");
            let most = schema.get("maxLength").and_then(Value::as_u64);
            let most = most.map_or(text.len(), |most| {
                usize::try_from(most).unwrap_or(usize::MAX)
            });
            text.chars().take(most).collect::<String>().into()
        }
        Some("integer" | "number") => schema.get("minimum").cloned().unwrap_or_else(|| json!(1)),
        Some("boolean") => json!(true),
        Some("null") => Value::Null,
        Some("array") => {
            let items = schema.get("items").unwrap_or(&Value::Null);
            let count = number("minItems").clamp(1, 100);
            (0..count).map(|_| instance(items, depth - 1)).collect()
        }
        _ if kind == Some("object") || schema.get("properties").is_some() => {
            let fields = schema.get("properties").and_then(Value::as_object);
            let fields = fields.into_iter().flatten();
            let made = fields.map(|(name, one)| (name.clone(), instance(one, depth - 1)));
            Value::Object(made.collect())
        }
        _ => json!("made up"),
    }
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
    if let Some(schema) = schema(request) {
        return instance(&schema, DEPTH).to_string();
    }
    let asked = last(request);
    // The goal of the run comes before the task.
    let task = asked.split_once("Your task, which is a part of it:\n");
    let asked = task.map_or(&*asked, |(_, task)| task);
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

#[cfg(test)]
mod tests {
    use super::{DEPTH, instance, schema, work};
    use serde_json::{Value, json};
    use zeph_llm::{AnswerSchema, LlmRequest, LlmResponse, SchemaSupport};

    #[test]
    fn a_reply_has_the_form_that_was_asked_for() {
        for wanted in [
            json!({ "type": "object", "properties": { "risk": { "enum": ["low", "high"] }, "why": { "type": "string", "minLength": 20 } }, "required": ["risk", "why"], "additionalProperties": false }),
            json!({ "type": "array", "items": { "type": "integer", "minimum": 7 }, "minItems": 2 }),
            json!({ "properties": { "a": { "anyOf": [{ "type": "null" }, { "type": "string" }] } } }),
            json!({ "type": ["string", "null"], "maxLength": 3 }),
            json!({ "const": 7 }),
            json!({}),
        ] {
            let asks = AnswerSchema::new("result", wanted.clone()).unwrap();
            for support in [
                SchemaSupport::Schema,
                SchemaSupport::Json,
                SchemaSupport::Prompt,
            ] {
                let request = asks.ask(&LlmRequest::new("Do."), support, "s").unwrap();
                let reply = LlmResponse::text(work(&request));
                assert!(asks.read(&reply).is_ok(), "{wanted} {support:?}");
            }
        }
        assert_eq!(schema(&LlmRequest::new("Do.")), None);
        let mut deep = json!({});
        for _ in 0..100 {
            deep = json!({ "type": "array", "items": deep });
        }
        let made = instance(&deep, DEPTH).to_string();
        assert_eq!(made.matches('[').count(), DEPTH, "{made}");
        assert_eq!(work(&LlmRequest::new("Do.")), "A made-up reply to: Do.");
        assert_eq!(instance(&Value::Bool(true), DEPTH), "made up");
    }
}
