//! Additions that change what a plan means: each is refused, or its text reaches the one who does the task.

use serde_json::{Map, Value, json};

use super::Write;
use super::sample::{Sample, with_keys};

/// A kind of addition.
pub(crate) struct Change {
    pub(crate) name: String,
    pub(crate) write: Write,
    /// The end that the instruction of each changed task must have if the plan is accepted.
    pub(crate) kept: Option<&'static str>,
}

/// All kinds of this file.
pub(crate) fn kinds() -> Vec<Change> {
    [
        switches(),
        orders(),
        keys(),
        negated(),
        second_words(),
        at_root(),
        around(),
        texts(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn change(name: impl Into<String>, write: impl Fn(&Sample) -> Option<String> + 'static) -> Change {
    Change {
        name: name.into(),
        write: Box::new(write),
        kept: None,
    }
}

/// The plan with a key in each task.
fn in_task(name: &str, key: &'static str, value: impl Fn(usize) -> Value + 'static) -> Change {
    change(format!("{name} ({key})"), move |plan| {
        let plan = plan.each(|index, task| {
            task.insert(key.to_owned(), value(index));
        });
        Some(plan.text())
    })
}

/// The same with one value for every task.
fn each(name: &str, key: &'static str, value: Value) -> Change {
    in_task(name, key, move |_| value.clone())
}

fn switches() -> Vec<Change> {
    vec![
        each("not enabled", "enabled", json!(false)),
        each("not enabled, as a text", "enabled", json!("no")),
        each("not active", "is_active", json!(0)),
        each("disabled", "disabled", json!(true)),
        each("skipped", "skip", json!(true)),
        each("by hand", "manual", json!(true)),
        each("not by itself", "automated", json!(false)),
        each("optional", "isOptional", json!(true)),
        each("offline", "offline", json!(true)),
        each("a trial", "dry_run", json!(true)),
        each("not in parallel", "parallel", json!(false)),
        each(
            "not in parallel, in other words",
            "parallelizable",
            json!("no"),
        ),
        each("in the background", "async", json!(true)),
        each("critical", "critical", json!(true)),
        each("an approval", "requires_approval", json!(true)),
        each("a switch that is not known", "idempotent", json!(false)),
        each(
            "a switch among remarks",
            "metadata",
            json!({ "enabled": false }),
        ),
    ]
}

/// The sample without any need; `None` if it has one task.
fn independent(plan: &Sample, keep: bool) -> Sample {
    plan.each(|_, task| {
        if keep {
            task["needs"] = json!([]);
        } else {
            task.remove("needs");
        }
    })
}

fn orders() -> Vec<Change> {
    let ordered = |name: &str, key: &'static str, keep: bool, value: fn(usize) -> Value| {
        change(format!("{name} ({key})"), move |plan| {
            let plan = independent(plan, keep).each(|index, task| {
                task.insert(key.to_owned(), value(index));
            });
            Some(plan.text())
        })
    };
    let listed = |name: &str, list: fn(&Sample) -> Value| {
        change(name, move |plan| {
            let plan = independent(plan, true);
            Some(json!({ "reasoning": plan.reasoning, "tasks": list(&plan) }).to_string())
        })
    };
    vec![
        ordered("an order without needs", "order", false, |index| {
            json!(index)
        }),
        ordered("an order", "order", true, |index| json!(index + 1)),
        ordered("a sequence", "sequence", true, |index| json!(index + 1)),
        ordered("numbers of steps", "step_number", true, |index| {
            json!(index + 1)
        }),
        ordered("numbers of steps as texts", "step", true, |index| {
            json!(format!("{}", index + 1))
        }),
        ordered("stages", "stage", true, |index| json!(index + 1)),
        ordered("stages by name", "stage", true, |index| {
            json!(["read", "write"][index % 2])
        }),
        ordered("phases in words", "phase", true, |index| {
            json!(format!("Phase {}", index + 1))
        }),
        ordered(
            "an order among remarks",
            "metadata",
            true,
            |index| json!({ "order": index }),
        ),
        change("an order against the list (order)", |plan| {
            let plan = plan.each(|index, task| {
                task.insert("order".to_owned(), json!(100 - index));
            });
            Some(plan.text())
        }),
        change("names with numbers of steps, without needs", |plan| {
            let plan = independent(plan, false).each(|index, task| {
                task["name"] = json!(format!(
                    "Step {}: {}",
                    index + 1,
                    task["name"].as_str().unwrap()
                ));
            });
            Some(plan.text())
        }),
        change("only numbers of steps as names, without needs", |plan| {
            let plan = independent(plan, false).each(|index, task| {
                task.remove("name");
                task.insert("step".to_owned(), json!(index + 1));
            });
            Some(plan.text())
        }),
        listed(
            "a sequential list",
            |plan| json!({ "sequential": plan.tasks }),
        ),
        listed(
            "a list under a condition",
            |plan| json!({ "if_approved": plan.tasks }),
        ),
        listed("one phase for each task", |plan| {
            let one = |(index, task): (usize, &Map<String, Value>)| {
                (format!("phase{}", index + 1), json!(task))
            };
            Value::Object(plan.tasks.iter().enumerate().map(one).collect())
        }),
        listed("lists of stages", |plan| {
            plan.tasks.iter().map(|task| json!([task])).collect()
        }),
    ]
}

fn keys() -> Vec<Change> {
    let numbered = |name: &str, key: &'static str, value: fn(usize) -> Value| {
        change(format!("{name} ({key})"), move |plan| {
            let plan = plan.each(|index, task| {
                task.insert("id".to_owned(), json!(index + 1));
                if index > 0 {
                    task.insert(key.to_owned(), value(index));
                }
            });
            Some(plan.text())
        })
    };
    let named = |name: &str, key: &'static str| {
        change(format!("{name} ({key})"), move |plan| {
            let first = plan.tasks[0]["name"].clone();
            let mut plan = plan.clone();
            plan.tasks
                .last_mut()?
                .insert(key.to_owned(), json!([first]));
            Some(plan.text())
        })
    };
    vec![
        numbered(
            "a need by number under another word",
            "comes_from",
            |index| json!(index),
        ),
        numbered("a list of numbers", "preceded_by", |index| json!([index])),
        numbered("a number as a text", "input_from", |index| {
            json!(index.to_string())
        }),
        named("a need as context", "context"),
        named("a need under another word", "builds_on"),
        named("a need among remarks", "metadata_needs"),
        change("a need in an object of remarks (metadata)", |plan| {
            let first = plan.tasks[0]["name"].clone();
            let mut plan = plan.clone();
            let needs = json!({ "depends_on": [first] });
            plan.tasks.last_mut()?.insert("metadata".to_owned(), needs);
            Some(plan.text())
        }),
        each("what comes next", "next", json!(["write-text"])),
        each("a condition", "when", json!("the log is not empty")),
        each("a condition in other words", "only_if", json!("approved")),
        each("a time", "deadline", json!("2026-12-24")),
        each("a schedule", "schedule", json!("daily")),
        each("a time limit", "timeout", json!(30)),
        each("retries", "max_retries", json!(3)),
        each("a limit of cost", "cost_limit", json!(0.1)),
        each("a model", "model", json!("large")),
        each("a mode", "mode", json!("manual")),
        each("an environment", "environment", json!("production")),
        each("a folder", "cwd", json!("/srv")),
        each("a language of code", "runtime", json!("python")),
        each(
            "tools that are not allowed",
            "disallowed_tools",
            json!(["read_file"]),
        ),
        each("a key close to a field", "tols", json!(["read_file"])),
        each(
            "parts",
            "subtasks",
            json!([{ "name": "part", "prompt": "Do a part." }]),
        ),
        each("a list to go through", "foreach", json!(["a", "b"])),
        each("a review", "reviewer", json!("a person")),
        each(
            "a successor on failure",
            "fallback_task",
            json!("call support"),
        ),
        each("a result", "result", json!("Done.")),
        each("a state", "status", json!("completed")),
        each(
            "an instruction that is no text",
            "constraints",
            json!({ "year": 2024 }),
        ),
        each("a key that is not known", "quorum", json!(2)),
        each("a switch for remarks", "metadata", json!(false)),
        each(
            "a list of objects for remarks",
            "extra",
            json!([{ "when": "later" }]),
        ),
    ]
}

/// Values that say the contrary, or one of several.
fn negated() -> Vec<Change> {
    let tools = |name: &str, write: fn(&str) -> String| {
        change(format!("tools: {name}"), move |plan| {
            let mut changed = false;
            let plan = plan.each(|_, task| {
                if let Some(tool) = task["tools"][0].as_str() {
                    changed = true;
                    task["tools"] = json!([write(tool)]);
                }
            });
            changed.then(|| plan.text())
        })
    };
    let needs = |name: &str, write: fn(&str, &str) -> String| {
        change(format!("needs: {name}"), move |plan| {
            let mut plan = plan.clone();
            let names: Vec<String> = plan.names().map(str::to_owned).collect();
            let last = plan.tasks.last_mut()?;
            last["needs"] = json!([write(&names[0], names.get(names.len() - 2)?)]);
            (names.len() > 2).then(|| plan.text())
        })
    };
    vec![
        tools("an exclamation mark", |tool| format!("!{tool}")),
        tools("a minus", |tool| format!("-{tool}")),
        tools("a tilde", |tool| format!("~{tool}")),
        tools("all but one", |tool| format!("all except {tool}")),
        tools("not", |tool| format!("not {tool}")),
        needs("an exclamation mark", |one, _| format!("!{one}")),
        needs("a question mark", |one, _| format!("{one}?")),
        needs("one or the other", |one, other| format!("{one} | {other}")),
        needs("one or the other in words", |one, other| {
            format!("{one} or {other}")
        }),
        needs("either", |one, other| format!("{one} || {other}")),
        needs("an arrow", |one, other| format!("{one} -> {other}")),
        each("a number of times", "count", json!(3)),
        each("who does it", "by", json!("editor")),
        change("where it comes from (source)", |plan| {
            let first = plan.tasks[0]["name"].clone();
            let mut plan = plan.clone();
            plan.tasks.last_mut()?.insert("source".to_owned(), first);
            Some(plan.text())
        }),
    ]
}

/// A second word for a field, with another value.
fn second_words() -> Vec<Change> {
    vec![
        each("another agent", "assigned_to", json!("data analysts")),
        each("other tools", "allowed_tools", json!(["none of these"])),
        each("other needs", "depends_on", json!(["another task"])),
        each("another kind", "type", json!("review")),
        each("another rule", "on_error", json!("continue")),
        each("other arguments", "params", json!({ "count": "3" })),
        each(
            "an object as a second instruction",
            "details",
            json!({ "a": 1 }),
        ),
        each("a switch as a second instruction", "question", json!(true)),
    ]
}

fn at_root() -> Vec<Change> {
    let root = |key: &'static str, value: Value| {
        change(format!("at the root: {key}"), move |plan| {
            let mut plan = plan.value();
            plan[key] = value.clone();
            Some(plan.to_string())
        })
    };
    vec![
        root("approve", json!(false)),
        root("tools", json!([])),
        root("tools", json!(["read_file"])),
        root("mode", json!("sequential")),
        root("strategy", json!("sequential")),
        root("parallel", json!(false)),
        root("max_parallel", json!(1)),
        root("execution_order", json!(["b", "a"])),
        root("dependencies", json!({ "b": ["a"] })),
        root("edges", json!([["a", "b"]])),
        root("condition", json!("only if the log is there")),
        root("constraints", json!("Only the year 2024.")),
        root("on_failure", json!("abort")),
        root("agent", json!("editor")),
        root("deadline", json!("today")),
        root("enabled", json!(false)),
        root("status", json!("rejected")),
        root("metadata", json!("only if the log is there")),
        root("steps", json!([{ "name": "extra", "prompt": "One more." }])),
    ]
}

fn around() -> Vec<Change> {
    let wrapped = |name: &str, wrap: fn(Value) -> Value| {
        change(format!("around: {name}"), move |plan| {
            Some(wrap(plan.value()).to_string())
        })
    };
    let texts = |name: &str, write: fn(&Sample) -> String| {
        change(format!("around: {name}"), move |plan| Some(write(plan)))
    };
    fn other(plan: &Sample) -> String {
        let changed = plan.each(|_, task| task["prompt"] = json!("Something else."));
        changed.text()
    }
    vec![
        wrapped("no tools", |plan| json!({ "plan": plan, "tools": [] })),
        wrapped(
            "an approval",
            |plan| json!({ "plan": plan, "approve": "no" }),
        ),
        wrapped(
            "a condition",
            |plan| json!({ "if": "there is a log", "plan": plan }),
        ),
        wrapped(
            "a limit",
            |plan| json!({ "result": { "plan": plan, "max_parallel": 1 } }),
        ),
        wrapped("a switch", |plan| json!({ "plan": plan, "dry_run": true })),
        wrapped(
            "a state",
            |plan| json!({ "status": "rejected", "plan": plan }),
        ),
        wrapped(
            "a tool that is no call",
            |plan| json!({ "tool": "read_file", "plan": plan }),
        ),
        wrapped("an order", |plan| json!({ "sequential": plan["tasks"] })),
        wrapped(
            "a plan not to follow",
            |plan| json!({ "rejected_plan": plan }),
        ),
        wrapped(
            "a plan for a case",
            |plan| json!({ "plan": { "on_failure": plan } }),
        ),
        wrapped(
            "a list with a switch",
            |plan| json!([plan, { "enabled": false }]),
        ),
        wrapped("a list with a number", |plan| json!([plan, 2])),
        wrapped("two plans in a text", |plan| {
            let other = json!({ "tasks": [{ "name": "x", "prompt": "Another." }] });
            json!({ "content": format!("{plan}\n{other}") })
        }),
        wrapped("a task after the plan in a text", |plan| {
            let other = json!({ "name": "x", "prompt": "One more." });
            json!({ "content": format!("{plan}\n{other}") })
        }),
        texts("a limit before JSON lines", |plan| {
            let first = json!({ "reasoning": plan.reasoning, "max_parallel": 1 });
            let tasks = plan.tasks.iter().map(|task| json!(task).to_string());
            let lines: Vec<String> = [first.to_string()].into_iter().chain(tasks).collect();
            lines.join("\n")
        }),
        texts("another plan", |plan| {
            format!("{}\n{}", plan.text(), other(plan))
        }),
        texts("a task after the plan", |plan| {
            format!(
                "{}\n{}",
                plan.text(),
                json!({ "name": "x", "prompt": "One more." })
            )
        }),
        texts("tools after the plan", |plan| {
            format!("{}\n{{\"tools\": []}}", plan.text())
        }),
    ]
}

/// Texts that are a part of the instruction.
fn texts() -> Vec<Change> {
    const TEXT: &str = "Only the year 2024.";
    let kept = |key: &'static str, end: &'static str| Change {
        kept: Some(end),
        ..each("a text", key, json!(TEXT))
    };
    let title = change("a task and its details", |plan| {
        let plan = plan.each(|_, task| {
            let name = task["name"].clone();
            let prompt = task["prompt"].clone();
            *task = with_keys(task, |key| {
                (key != "prompt" && key != "name").then(|| key.to_owned())
            });
            task.insert("id".to_owned(), name);
            task.insert("task".to_owned(), prompt);
            task.insert("details".to_owned(), json!(TEXT));
        });
        Some(plan.text())
    });
    vec![
        kept("description", "\n\nOnly the year 2024."),
        kept("instructions", "\n\nOnly the year 2024."),
        kept("details", "\n\nOnly the year 2024."),
        kept("objective", "\n\nOnly the year 2024."),
        kept("constraints", "\n\nconstraints: Only the year 2024."),
        kept(
            "expected_output",
            "\n\nexpected_output: Only the year 2024.",
        ),
        kept("notes", "\n\nnotes: Only the year 2024."),
        kept(
            "Acceptance Criteria",
            "\n\nAcceptance Criteria: Only the year 2024.",
        ),
        kept(
            "additional_info",
            "\n\nadditional_info: Only the year 2024.",
        ),
        kept("language", "\n\nlanguage: Only the year 2024."),
        Change {
            kept: Some("\n\nOnly the year 2024."),
            ..title
        },
    ]
}
