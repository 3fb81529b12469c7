//! The JSON Schema of plans, for the requests to a model.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::PlanRequest;
use super::accepted::{FAILURE_RULES, TRIGGERS};

/// All fields that a task can have; the schema of a host may have fewer.
pub(super) const TASK_FIELDS: [&str; 11] = [
    "name",
    "needs",
    "kind",
    "prompt",
    "agent",
    "tools",
    "command",
    "arguments",
    "trigger",
    "on_failure",
    "expected_tokens",
];

/// The JSON Schema of the plans that a host accepts.
///
/// Names of agents, tools and commands are enums. A field without possible values is left out. Every
/// other field is required, and null where it does not apply. `reasoning` comes before `tasks`, so that
/// the model writes its reasoning before the tasks. The LLM provider adapts the schema to its dialect.
pub(super) fn plan_schema(request: &PlanRequest) -> Value {
    let reasoning = "How the goal is divided, in two or three sentences.";
    let tasks = json!({
        "type": "array",
        "description": "The tasks, each after the tasks that it needs.",
        "items": closed_object("A task.", task_fields(request)),
        // An extension may need no further task.
        "minItems": u32::from(request.earlier.is_empty()),
        "maxItems": request.limits.max_tasks,
    });
    closed_object(
        "A plan.",
        vec![("reasoning", string_field(reasoning)), ("tasks", tasks)],
    )
}

fn string_field(about: &str) -> Value {
    json!({ "type": "string", "description": about })
}

fn task_fields(request: &PlanRequest) -> Vec<(&'static str, Value)> {
    let kinds = request.kinds();
    let agents: Vec<&str> = request.catalog.names().collect();
    let tools: Vec<&str> = request.rights.tools.iter().map(String::as_str).collect();
    let commands: Vec<&str> = request.commands.names().collect();
    let arguments = request.commands.iter().flat_map(|(_, one)| one.args.keys());
    let arguments: BTreeSet<&String> = arguments.collect();
    let mut fields = vec![
        ("name", string_field("Short and unique.")),
        (
            "needs",
            json!({
                "type": "array",
                "description": "Names of earlier tasks that must end first.",
                "items": { "type": "string" },
            }),
        ),
        (
            "kind",
            json!({ "type": "string", "description": "Who does the task.", "enum": kinds }),
        ),
        (
            "prompt",
            json!({ "type": ["string", "null"], "description": "The instruction, or the question." }),
        ),
    ];
    if !agents.is_empty() {
        let about = "The agent, or null to let the host choose.";
        fields.push(("agent", word_or_null(about, &agents)));
        if !tools.is_empty() {
            fields.push((
                "tools",
                json!({
                    "type": ["array", "null"],
                    "description": "The tools that the agent needs, or null for all of its tools.",
                    "items": { "type": "string", "enum": tools },
                }),
            ));
        }
    }
    if !commands.is_empty() {
        fields.push(("command", word_or_null("The command to run.", &commands)));
    }
    if !arguments.is_empty() {
        let mut name = string_field("The argument.");
        name["enum"] = json!(arguments);
        let value = string_field("Its value, a fixed text.");
        let argument = vec![("name", name), ("value", value)];
        let argument = closed_object("An argument of the command.", argument);
        fields.push((
            "arguments",
            json!({
                "type": ["array", "null"],
                "description": "The arguments of the command.",
                "items": argument,
            }),
        ));
    }
    let triggers = TRIGGERS.map(|(word, _)| word);
    fields.push(("trigger", word_or_null("When the task starts.", &triggers)));
    let rules = FAILURE_RULES.map(|(word, _)| word);
    fields.push((
        "on_failure",
        word_or_null("What a failure means; null is skip.", &rules),
    ));
    fields.push((
        "expected_tokens",
        json!({
            "type": ["integer", "null"],
            "description": "The expected length of the answer in tokens.",
            "minimum": 0,
        }),
    ));
    fields
}

/// A field whose value is one of these words or null.
fn word_or_null(about: &str, words: &[&str]) -> Value {
    let words = words.iter().copied().map(Value::from);
    let words: Vec<Value> = words.chain([Value::Null]).collect();
    json!({ "type": ["string", "null"], "description": about, "enum": words })
}

/// An object with exactly these fields.
fn closed_object(about: &str, fields: Vec<(&'static str, Value)>) -> Value {
    let required: Vec<&str> = fields.iter().map(|(name, _)| *name).collect();
    let required = json!(required);
    let named = fields
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value));
    let properties: Map<String, Value> = named.collect();
    json!({
        "type": "object",
        "description": about,
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}
