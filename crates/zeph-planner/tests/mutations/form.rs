//! Readable mutations of the form: wrappers, keys, further keys, containers.

use serde_json::{Map, Value, json};

use super::sample::{Fields, Sample, with_keys};
use super::{Kind, kind};

/// All kinds of this file.
pub(crate) fn kinds() -> Vec<Kind> {
    [wrappers(), containers(), aliases(), key_styles(), further()]
        .into_iter()
        .flatten()
        .collect()
}

fn wrapped(name: &'static str, wrap: fn(Value) -> Value) -> Kind {
    kind(name, move |plan| Some(wrap(plan.value()).to_string()))
}

fn wrappers() -> Vec<Kind> {
    vec![
        wrapped("in plan", |plan| json!({ "plan": plan })),
        wrapped("in response", |plan| json!({ "response": plan })),
        wrapped(
            "in result and status",
            |plan| json!({ "status": "ok", "result": plan }),
        ),
        wrapped(
            "in two objects",
            |plan| json!({ "output": { "plan": plan } }),
        ),
        wrapped("in a list", |plan| json!([plan])),
        wrapped(
            "a tool call",
            |plan| json!({ "name": "create_plan", "arguments": plan }),
        ),
        wrapped(
            "a tool call with text arguments",
            |plan| json!({ "name": "create_plan", "arguments": plan.to_string() }),
        ),
        wrapped("a function call of a service", |plan| {
            let call = json!({ "name": "plan", "arguments": plan.to_string() });
            json!({ "tool_calls": [{ "id": "call_1", "type": "function", "function": call }] })
        }),
        wrapped(
            "parameters of a call",
            |plan| json!({ "tool": "plan", "parameters": plan }),
        ),
        wrapped("a JSON text", |plan| json!(plan.to_string())),
        wrapped(
            "a JSON text in a field",
            |plan| json!({ "content": plan.to_string() }),
        ),
        wrapped(
            "in a message",
            |plan| json!({ "role": "assistant", "content": plan }),
        ),
        kind("a JSON text without its quotes", |plan| {
            let text = json!(plan.text()).to_string();
            Some(text[1..text.len() - 1].to_owned())
        }),
        wrapped("in a list in a field", |plan| json!({ "plans": [plan] })),
    ]
}

fn containers() -> Vec<Kind> {
    fn lines(tasks: &[Fields]) -> String {
        let lines: Vec<String> = tasks.iter().map(|task| json!(task).to_string()).collect();
        lines.join("\n")
    }
    fn whole(plan: &Sample, tasks: &Value) -> Option<String> {
        Some(json!({ "reasoning": plan.reasoning, "tasks": tasks }).to_string())
    }
    let by_name = |plan: &Sample, keep: bool| {
        let tasks = plan.tasks.iter().map(|task| {
            let name = task["name"].as_str().unwrap().to_owned();
            let rest = with_keys(task, |key| (keep || key != "name").then(|| key.to_owned()));
            (name, Value::Object(rest))
        });
        Value::Object(tasks.collect())
    };
    vec![
        kind("a bare list of tasks", |plan| {
            Some(json!(plan.tasks).to_string())
        }),
        kind("tasks by name", move |plan| {
            whole(plan, &by_name(plan, false))
        }),
        kind("tasks by name, named again", move |plan| {
            whole(plan, &by_name(plan, true))
        }),
        kind("each task in an object", |plan| {
            let tasks: Vec<Value> = plan
                .tasks
                .iter()
                .map(|task| json!({ "task": task }))
                .collect();
            whole(plan, &json!(tasks))
        }),
        kind("each task below its name", move |plan| {
            let Value::Object(tasks) = by_name(plan, false) else {
                return None;
            };
            let one = |(name, task): (String, Value)| Value::Object(Map::from_iter([(name, task)]));
            let tasks: Vec<Value> = tasks.into_iter().map(one).collect();
            whole(plan, &json!(tasks))
        }),
        kind("the list of tasks as a JSON text", |plan| {
            whole(plan, &json!(json!(plan.tasks).to_string()))
        }),
        kind("the list of tasks in an object", |plan| {
            whole(plan, &json!({ "task": plan.tasks }))
        }),
        kind("JSON lines", |plan| Some(lines(&plan.tasks))),
        kind("JSON lines with commas", |plan| {
            Some(lines(&plan.tasks).replace("}\n{", "},\n{"))
        }),
        kind("JSON lines after the reasoning", |plan| {
            let first = json!({ "reasoning": plan.reasoning });
            Some(format!("{first}\n{}", lines(&plan.tasks)))
        }),
        kind("tasks before the reasoning", |plan| {
            Some(json!({ "tasks": plan.tasks, "reasoning": plan.reasoning }).to_string())
        }),
        kind("tasks in reverse", |plan| {
            let tasks: Vec<&Fields> = plan.tasks.iter().rev().collect();
            whole(plan, &json!(tasks))
        }),
        kind("only what has a value", |plan| {
            let tasks: Vec<Fields> = plan
                .tasks
                .iter()
                .map(|task| with_keys(task, |key| (!task[key].is_null()).then(|| key.to_owned())))
                .collect();
            whole(plan, &json!(tasks))
        }),
        kind("without reasoning", |plan| {
            Some(json!({ "tasks": plan.tasks }).to_string())
        }),
    ]
}

/// Other words for the fields of a task.
const TASK_KEYS: [(&str, &[&str]); 10] = [
    (
        "needs",
        &[
            "dependencies",
            "depends_on",
            "deps",
            "requires",
            "dependsOn",
            "Depends On",
            "prerequisites",
            "need",
            "after",
            "blocked_by",
        ],
    ),
    (
        "prompt",
        &[
            "description",
            "instruction",
            "instructions",
            "task",
            "details",
            "content",
        ],
    ),
    ("name", &["id", "title", "task_name", "step", "task_id"]),
    (
        "agent",
        &["assigned_agent", "agent_name", "assignee", "assigned_to"],
    ),
    ("tools", &["allowed_tools", "tool", "Tools", "tool_names"]),
    ("kind", &["type", "task_type"]),
    ("on_failure", &["onFailure", "on_error"]),
    ("trigger", &["trigger_rule"]),
    ("arguments", &["args", "parameters"]),
    ("expected_tokens", &["tokens", "estimated_tokens"]),
];

fn aliases() -> Vec<Kind> {
    let mut kinds = Vec::new();
    for (field, words) in TASK_KEYS {
        for word in words {
            kinds.push(kind(format!("{word} for {field}"), move |plan| {
                let rename = |key: &str| Some(if key == field { *word } else { key }.to_owned());
                let renamed = plan.each(|_, task| *task = with_keys(task, rename));
                Some(renamed.text())
            }));
        }
    }
    for (field, word) in [
        ("tasks", "steps"),
        ("tasks", "subtasks"),
        ("tasks", "task_list"),
        ("tasks", "Tasks"),
        ("reasoning", "rationale"),
        ("reasoning", "thoughts"),
        ("reasoning", "explanation"),
    ] {
        kinds.push(kind(format!("{word} for {field}"), move |plan| {
            let value = plan.value();
            let rename = |key: &str| Some(if key == field { word } else { key }.to_owned());
            Some(json!(with_keys(value.as_object().unwrap(), rename)).to_string())
        }));
    }
    kinds.push(kind("title and description", |plan| {
        let rename = |key: &str| match key {
            "name" => Some("title".to_owned()),
            "prompt" => Some("description".to_owned()),
            key => Some(key.to_owned()),
        };
        Some(plan.each(|_, task| *task = with_keys(task, rename)).text())
    }));
    kinds.push(kind("the words of another tool", |plan| {
        let rename = |key: &str| match key {
            "name" => Some("id".to_owned()),
            "prompt" => Some("task".to_owned()),
            "needs" => Some("dependencies".to_owned()),
            "agent" => Some("agent_name".to_owned()),
            key => Some(key.to_owned()),
        };
        let tasks: Vec<Fields> = plan
            .tasks
            .iter()
            .map(|task| with_keys(task, rename))
            .collect();
        Some(json!({ "analysis": plan.reasoning, "steps": tasks }).to_string())
    }));
    kinds
}

fn key_styles() -> Vec<Kind> {
    fn words(key: &str) -> Vec<String> {
        key.split('_').map(str::to_owned).collect()
    }
    fn capital(word: &str) -> String {
        word[..1].to_uppercase() + &word[1..]
    }
    let style = |name: &'static str, write: fn(&str) -> String| {
        kind(name, move |plan: &Sample| {
            let rename = |key: &str| Some(write(key));
            let plan = plan.each(|_, task| *task = with_keys(task, rename));
            let value = plan.value();
            Some(json!(with_keys(value.as_object().unwrap(), rename)).to_string())
        })
    };
    vec![
        style("camelCase keys", |key| {
            let words = words(key);
            let rest: String = words[1..].iter().map(|word| capital(word)).collect();
            format!("{}{rest}", words[0])
        }),
        style("PascalCase keys", |key| {
            words(key).iter().map(|word| capital(word)).collect()
        }),
        style("Title Case keys", |key| {
            let words: Vec<String> = words(key).iter().map(|word| capital(word)).collect();
            words.join(" ")
        }),
        style("UPPER CASE keys", str::to_uppercase),
        style("kebab-case keys", |key| key.replace('_', "-")),
        style("keys with a blank", |key| format!(" {key}")),
        style("keys with a colon", |key| format!("{key}:")),
        style("keys in asterisks", |key| format!("**{key}**")),
    ]
}

/// Keys that say nothing about what a plan does.
fn further() -> Vec<Kind> {
    let in_task = |name: &'static str, key: &'static str, value: fn(usize) -> Value| {
        kind(name, move |plan: &Sample| {
            let plan = plan.each(|index, task| {
                task.insert(key.to_owned(), value(index));
            });
            Some(plan.text())
        })
    };
    let at_root = |name: &'static str, key: &'static str, value: fn() -> Value| {
        kind(name, move |plan: &Sample| {
            let mut plan = plan.value();
            plan[key] = value();
            Some(plan.to_string())
        })
    };
    vec![
        in_task("an id beside the name", "id", |index| json!(index + 1)),
        in_task("a text id beside the name", "id", |index| {
            json!(format!("T{index}"))
        }),
        in_task("a priority", "priority", |index| json!(index)),
        in_task("a priority in words", "priority", |_| json!("high")),
        in_task("a status", "status", |_| json!("pending")),
        in_task("a state", "state", |_| json!("Not started")),
        in_task("not completed", "completed", |_| json!(false)),
        in_task("no progress", "progress", |_| json!(0)),
        in_task("a title beside the name", "title", |_| json!("A step")),
        in_task("a time", "estimated_time", |_| json!("5 minutes")),
        in_task("a duration", "duration_minutes", |_| json!(5)),
        in_task("tags", "tags", |_| json!(["weekly", "text"])),
        in_task("metadata", "metadata", |_| json!({ "source": "model" })),
        in_task("an order", "order", |index| json!(index)),
        in_task("a version of a task", "version", |_| json!("1.0")),
        in_task("a reason", "rationale", |_| {
            json!("It is needed for the text.")
        }),
        in_task("an importance", "importance", |_| json!("medium")),
        in_task("complexity", "complexity", |_| json!("low")),
        in_task("a phase", "phase", |_| json!(1)),
        in_task("empty texts", "comment", |_| json!("")),
        in_task("a result that is null", "result", |_| Value::Null),
        at_root("a version", "version", || json!(1)),
        at_root("a schema", "$schema", || {
            json!("https://example.org/plan.json")
        }),
        at_root("the goal again", "goal", || json!("A weekly report")),
        at_root("a plan's title", "title", || json!("Plan")),
        at_root("a count", "total_tasks", || json!(3)),
        at_root(
            "metadata of the plan",
            "metadata",
            || json!({ "by": "model" }),
        ),
        at_root("the state of the plan", "status", || json!("draft")),
        at_root("notes of the plan", "notes", || json!(["short"])),
    ]
}
