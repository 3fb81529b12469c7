//! The JSON Schema of plan files, for editors: made of the keys that the reader knows.

use serde_json::{Map, Value, json};
use zeph_common::Effort;
use zeph_graph::{Effect, FailureAnswer, ItemFailure, OnConflict, OverBudget, Trigger};

use crate::param::ParamKind;
use crate::task::{FALLBACK, keys as task_keys};
use crate::templated::{CHECK, CONDITION, JUDGE, LIST, SCHEMA, THAT};
use crate::{earlier, group, include, matrix, param, plan, subplan};

/// The JSON Schema (draft 2020-12) of a plan file, in every format.
///
/// It describes keys, types and words, and its descriptions appear in editors. What depends on several keys,
/// such as `needs`, is checked by [`Plan::load`](crate::Plan::load) alone: a text that the schema accepts may
/// still be no plan.
///
/// # Examples
/// ```
/// let schema = zeph_planfile::schema();
/// assert_eq!(schema["properties"]["max_parallel"]["minimum"], 1);
/// ```
#[must_use]
pub fn schema() -> Value {
    let mut root = table("", &plan::KEYS, top);
    root["$schema"] = "https://json-schema.org/draft/2020-12/schema".into();
    root["title"] = "A plan file of zeph".into();
    root["required"] = json!(["tasks"]);
    root["$defs"] = json!({
        "task": table("A task: one of `run`, `shell`, `prompt`, `ask` and `plan`, or a milestone.", &task_keys::all(), task),
        "defaults": table("Defaults for commands and prompts.", &task_keys::DEFAULTS, task),
        "param": {
            "description": "A default value, or a table.",
            "anyOf": [
                { "type": ["string", "number", "boolean", "array"] },
                table("", &param::KEYS, param_key),
            ],
        },
        "duration": {
            "type": "string",
            "description": "A number with a unit: \"250ms\", \"30s\", \"5m\", \"1h 30m\".",
            "pattern": "^[0-9]",
        },
        "env": {
            "type": "object",
            "additionalProperties": { "type": ["string", "number", "boolean"] },
        },
        "names": { "type": "array", "items": { "type": "string" } },
        "budget": {
            "anyOf": [
                { "type": "integer", "minimum": 1 },
                {
                    "type": "object",
                    "properties": {
                        "tokens": { "type": "integer", "minimum": 1 },
                        "usd": { "type": "number", "exclusiveMinimum": 0 },
                    },
                    "additionalProperties": false,
                    "minProperties": 1,
                },
            ],
        },
    });
    root
}

/// An object with these keys and no others. A key without a description accepts everything.
fn table(about: &str, keys: &[&str], of: impl Fn(&str) -> Option<(&'static str, Value)>) -> Value {
    let property = |key: &&str| {
        let mut schema = json!({});
        if let Some((about, of)) = of(key) {
            schema = of;
            schema["description"] = about.into();
        }
        ((*key).to_owned(), schema)
    };
    let properties: Map<String, Value> = keys.iter().map(property).collect();
    let mut made = json!({
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
    });
    if !about.is_empty() {
        made["description"] = about.into();
    }
    made
}

fn text() -> Value {
    json!({ "type": "string" })
}

fn of(name: &str) -> Value {
    json!({ "$ref": format!("#/$defs/{name}") })
}

fn words(words: &[&str]) -> Value {
    json!({ "enum": words })
}

fn one_or_more() -> Value {
    json!({ "anyOf": [text(), of("names")] })
}

fn tables(of: &Value) -> Value {
    json!({ "type": "object", "additionalProperties": of })
}

fn integer(least: i64) -> Value {
    json!({ "type": "integer", "minimum": least })
}

fn top(key: &str) -> Option<(&'static str, Value)> {
    Some(match key {
        plan::SCHEMA => (
            "The address of this schema, for editors. It has no effect.",
            text(),
        ),
        "goal" => ("The purpose of the plan. May use `params`.", text()),
        earlier::KEY => (
            "The tasks of the run that the plan is added to, which its tasks may need.",
            of("names"),
        ),
        group::KEY => (
            "The group of its runs: at most one run of a group works at a time. May use `params`.",
            text(),
        ),
        group::ON_CONFLICT => (
            "What a run does while another one of its group works.",
            words(OnConflict::WORDS),
        ),
        "max_parallel" => ("How many attempts may run at a time.", integer(1)),
        "timeout" => ("Time limit of the whole run.", of("duration")),
        "budget" => (
            "Upper limit of the cost of all prompts together.",
            of("budget"),
        ),
        "over_budget" => (
            "What happens to a task that exceeds the budget.",
            words(OverBudget::WORDS),
        ),
        include::KEY => (
            "Files with shared `params`, `lanes`, `defaults` and `env`.",
            one_or_more(),
        ),
        "env" => ("Variables of all commands.", of("env")),
        "env_file" => ("Files of variables for all commands.", one_or_more()),
        "params" => ("The parameters of the plan, by name.", tables(&of("param"))),
        "lanes" => (
            "Named limits that tasks share: how many units each has. A shared lane counts the attempts of all runs of the database.",
            tables(&json!({ "anyOf": [integer(1), {
                "type": "object",
                "properties": {
                    "limit": { "type": "integer", "minimum": 1 },
                    "shared": { "type": "boolean" },
                },
                "required": ["limit"],
                "additionalProperties": false,
            }] })),
        ),
        "defaults" => ("Defaults for commands and prompts.", of("defaults")),
        "tasks" => (
            "The tasks, by name.",
            json!({ "type": "object", "additionalProperties": of("task"), "minProperties": 1 }),
        ),
        _ => return None,
    })
}

fn param_key(key: &str) -> Option<(&'static str, Value)> {
    let kinds = ParamKind::WORDS.map(|(word, _)| word);
    Some(match key {
        "type" => ("The accepted type.", words(&kinds)),
        "default" => (
            "Used when no value is given. Without it the parameter is required.",
            json!({}),
        ),
        "description" => ("Its purpose.", text()),
        "choices" => (
            "The accepted values.",
            json!({ "type": "array", "minItems": 1 }),
        ),
        "pattern" => (
            "A regular expression that has to match the whole text.",
            json!({ "type": "string", "format": "regex" }),
        ),
        "min" => ("The smallest accepted number.", json!({ "type": "number" })),
        "max" => ("The largest accepted number.", json!({ "type": "number" })),
        "secret" => (
            "The value is never stored or shown.",
            json!({ "type": "boolean" }),
        ),
        "env" => (
            "The environment variable that has the value, unless `-p` gives one.",
            text(),
        ),
        _ => return None,
    })
}

fn task(key: &str) -> Option<(&'static str, Value)> {
    common(key)
        .or_else(|| attempt(key))
        .or_else(|| command(key))
        .or_else(|| agent(key))
}

/// The keys of every task, and those that say what it does.
fn common(key: &str) -> Option<(&'static str, Value)> {
    let after = json!({ "default": {}, "after": of("duration"), "text": text() });
    Some(match key {
        "needs" => ("The tasks that have to end before it starts.", of("names")),
        "after" => (
            "Which ends of its needs let it start.",
            words(Trigger::WORDS),
        ),
        CONDITION => (
            "One expression; if it is false, the task is skipped.",
            text(),
        ),
        "finally" => (
            "It starts when every task without it has ended, whatever the reason.",
            json!({ "type": "boolean" }),
        ),
        "approve" => (
            "A person must agree before the task starts; \"no\" skips it.",
            json!({ "anyOf": [
                text(),
                { "type": "object", "properties": after, "required": ["text"], "additionalProperties": false },
            ] }),
        ),
        "priority" => (
            "Higher starts first.",
            json!({ "type": "integer", "minimum": i32::MIN, "maximum": i32::MAX }),
        ),
        "hint" => ("The usual duration.", of("duration")),
        "description" => ("A text for people. May use `params`.", text()),
        matrix::KEY => (
            "One task for each combination of the values of its axes.",
            json!({
                "type": "object",
                "properties": { "exclude": cells(), "include": cells() },
                "additionalProperties": {
                    "type": "array",
                    "items": { "type": ["string", "number", "boolean"] },
                    "minItems": 1,
                },
            }),
        ),
        subplan::KEY => (
            "A plan file whose tasks take the place of this one.",
            text(),
        ),
        "params" => (
            "Values for the parameters of `plan`.",
            json!({ "type": "object" }),
        ),
        "run" => (
            "The program and its arguments. No shell is involved.",
            json!({ "type": "array", "items": { "type": ["string", "number"] }, "minItems": 1 }),
        ),
        "shell" => ("A script for `sh -c`. No expressions.", text()),
        "prompt" => ("The instruction for a model.", text()),
        "ask" => (
            "A question to a person.",
            json!({ "anyOf": [text(), question()] }),
        ),
        _ => return None,
    })
}

fn cells() -> Value {
    json!({ "type": "array", "items": { "type": "object" } })
}

fn foreach() -> Value {
    let list = json!({ "anyOf": [text(), { "type": "array" }] });
    let long = json!({
        "in": list,
        "max": integer(1),
        "max_parallel": integer(1),
        "on_failure": words(ItemFailure::WORDS),
    });
    json!({ "anyOf": [
        list,
        { "type": "object", "properties": long, "required": ["in"], "additionalProperties": false },
    ] })
}

fn check() -> Value {
    let parts = json!({ SCHEMA: { "type": "object" }, THAT: text(), JUDGE: text() });
    json!({ "anyOf": [
        text(),
        { "type": "object", "properties": parts, "minProperties": 1, "additionalProperties": false },
    ] })
}

fn question() -> Value {
    json!({
        "type": "object",
        "properties": {
            "text": text(),
            "answer": words(&["text", "number", "yes_no"]),
            "choices": of("names"),
            "default": {},
            "after": of("duration"),
        },
        "required": ["text"],
        "additionalProperties": false,
    })
}

/// The keys of commands and prompts.
fn attempt(key: &str) -> Option<(&'static str, Value)> {
    let retry = json!({ "max": integer(0), "base": of("duration"), "cap": of("duration") });
    let ask = json!({ "default": words(FailureAnswer::WORDS), "after": of("duration") });
    Some(match key {
        "output" => (
            "\"text\", \"json\", for commands \"none\", for prompts also the JSON Schema of the answer.",
            json!({ "anyOf": [words(&["text", "json", "none"]), { "type": "object" }] }),
        ),
        "timeout" => ("Time limit of one attempt.", of("duration")),
        LIST => ("The task runs once for each item of a list.", foreach()),
        CHECK => (
            "What a result must satisfy to be accepted: an expression that is true, a JSON Schema, a question that a model answers with yes.",
            check(),
        ),
        "total_timeout" => ("Time limit of all attempts together.", of("duration")),
        "retry" => (
            "The number of retries, or their number and waits.",
            json!({ "anyOf": [
                integer(0),
                { "type": "object", "properties": retry, "required": ["max"], "additionalProperties": false },
            ] }),
        ),
        "on_failure" => (
            "What happens when no retry is left: \"abort\", \"skip\", \"ask\", \"retry\", a value, a question with a default, or another task that runs instead.",
            json!({ "anyOf": [
                words(&["abort", "skip", "ask", "retry"]),
                { "type": "object", "properties": {
                    "value": {},
                    "ask": { "type": "object", "properties": ask, "additionalProperties": false },
                    FALLBACK: text(),
                }, "minProperties": 1, "maxProperties": 1, "additionalProperties": false },
            ] }),
        ),
        "effect" => (
            "What a second attempt does to the outside world.",
            words(Effect::WORDS),
        ),
        "lanes" => (
            "The lanes that an attempt uses: one unit each, or a number of units.",
            json!({ "anyOf": [of("names"), tables(&integer(1))] }),
        ),
        _ => return None,
    })
}

fn command(key: &str) -> Option<(&'static str, Value)> {
    Some(match key {
        "stdin" => ("The standard input.", text()),
        "env" => ("Variables in addition to the inherited ones.", of("env")),
        "pass_env" => (
            "Variables that the command inherits although they hold a key or a secret.",
            of("names"),
        ),
        "cwd" => (
            "The working directory, relative to the folder of the plan.",
            text(),
        ),
        "path" => (
            "Folders that are searched for programs before those of PATH.",
            of("names"),
        ),
        "ok_codes" => ("The exit codes that mean success.", exit_codes()),
        "skip_codes" => ("The exit codes that skip the task.", exit_codes()),
        "retry_codes" => (
            "The exit codes that are retried; without it all others.",
            exit_codes(),
        ),
        "artifacts" => (
            "Patterns of the files that are kept for dependants, relative to the folder of the task.",
            json!({ "type": "array", "items": text(), "minItems": 1 }),
        ),
        "cache" => (
            "The result of an equal command of an earlier run counts, if these files are the same.",
            json!({
                "type": "object",
                "properties": {
                    "inputs": {
                        "description": "Patterns of the files on which the result depends, relative to the folder of the task.",
                        "type": "array", "items": text(), "minItems": 1,
                    },
                },
                "required": ["inputs"],
                "additionalProperties": false,
            }),
        ),
        "idle_timeout" => (
            "The longest time of an attempt without output.",
            of("duration"),
        ),
        _ => return None,
    })
}

fn exit_codes() -> Value {
    json!({
        "type": "array",
        "items": { "type": "integer", "minimum": 0, "maximum": 255 },
        "minItems": 1,
    })
}

fn agent(key: &str) -> Option<(&'static str, Value)> {
    Some(match key {
        "agent" => ("The agent that does the task.", text()),
        "model" => ("The model, in place of the agent's.", text()),
        "effort" => (
            "How much the model thinks before it answers.",
            json!({ "enum": Effort::ALL.map(Effort::word) }),
        ),
        "tools" => ("Fewer tools than the agent has.", of("names")),
        "tags" => ("Tags that the chosen agent must have.", of("names")),
        "context" => (
            "The needs whose results are added to the prompt.",
            of("names"),
        ),
        "max_output_tokens" => (
            "The maximum length of the answer.",
            json!({ "type": "integer", "minimum": 1, "maximum": 1 << 20 }),
        ),
        "budget" => ("Upper limit of the cost of all attempts.", of("budget")),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::schema;
    use crate::{param, plan, task::keys};

    #[test]
    fn every_key_of_the_reader_is_described() {
        let schema = schema();
        let param = &schema["$defs"]["param"]["anyOf"][1];
        for (table, known) in [
            (&schema, plan::KEYS.to_vec()),
            (param, param::KEYS.to_vec()),
            (&schema["$defs"]["task"], keys::all()),
            (&schema["$defs"]["defaults"], keys::DEFAULTS.to_vec()),
        ] {
            for key in known {
                let about = table["properties"][key]["description"].as_str();
                assert!(
                    about.is_some_and(|about| !about.is_empty()),
                    "{key} is not described"
                );
            }
        }
    }
}
