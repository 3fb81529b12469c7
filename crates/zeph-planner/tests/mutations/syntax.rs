//! Readable mutations of the text: what stands around the JSON, and other notations for it.

use serde_json::{Value, json};

use super::sample::Sample;
use super::{Kind, finished, kind};

/// All kinds of this file.
pub(crate) fn kinds() -> Vec<Kind> {
    [around(), notation(), quotes(), endings()]
        .into_iter()
        .flatten()
        .collect()
}

fn text(name: &'static str, change: fn(&str) -> String) -> Kind {
    kind(name, move |plan| Some(change(&plan.pretty())))
}

fn around() -> Vec<Kind> {
    vec![
        text("as it is", str::to_owned),
        kind("in one line", |plan| Some(plan.text())),
        text("a fence", |plan| format!("```json\n{plan}\n```")),
        text("a fence without a language", |plan| {
            format!("```\n{plan}\n```")
        }),
        text("an open fence", |plan| format!("```json\n{plan}")),
        text("a fence in tildes", |plan| format!("~~~json\n{plan}\n~~~")),
        text("prose before", |plan| {
            format!("Here is the plan:\n\n{plan}")
        }),
        text("prose after", |plan| {
            format!("{plan}\n\nLet me know what you think!")
        }),
        text("brackets in prose", |plan| {
            format!("The plan [draft] (see {{goal}}): {plan}")
        }),
        text("prose and a fence", |plan| {
            format!("Sure!\n```json\n{plan}\n```\nDone.")
        }),
        text("a thought", |plan| {
            format!("<think>First {{a}}, then.</think>\n{plan}")
        }),
        text("the end of a thought", |plan| {
            format!("So be it.\n</think>\n{plan}")
        }),
        text("tags", |plan| format!("<plan>\n{plan}\n</plan>")),
        text("a channel", |plan| {
            format!("<|channel|>final<|message|>{plan}<|end|>")
        }),
        text("a byte order mark", |plan| format!("\u{FEFF}{plan}")),
        text("CRLF", |plan| plan.replace('\n', "\r\n")),
        text("tabs", |plan| plan.replace("  ", "\t")),
        text("no-break spaces", |plan| {
            plan.replace("\n  ", "\n\u{A0}\u{A0}")
        }),
        text("an assignment", |plan| format!("plan = {plan}")),
        text("a constant of JavaScript", |plan| {
            format!("const plan = {plan};")
        }),
        text("a label", |plan| format!("JSON:\n{plan}")),
        text("a semicolon", |plan| format!("{plan};")),
        text("the plan twice", |plan| format!("{plan}\n{plan}")),
        text("double braces", |plan| format!("{{{plan}}}")),
        text("parentheses", |plan| format!("({plan})")),
        text("an extra brace", |plan| format!("{plan}}}")),
        text("an end mark", |plan| format!("{plan}\n<|im_end|>")),
    ]
}

/// The pretty text with the end of each line that ends in a pattern changed.
fn line_ends(plan: &str, pattern: &str, write: &str) -> String {
    let lines = plan.lines().map(|line| match line.strip_suffix(pattern) {
        Some(start) => format!("{start}{write}"),
        None => line.to_owned(),
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn notation() -> Vec<Kind> {
    vec![
        text("trailing commas", |plan| {
            line_ends(&line_ends(plan, "}", "},"), "]", "],")
                .trim_end_matches(',')
                .to_owned()
        }),
        text("a comment in each line", |plan| {
            line_ends(plan, ",", ", // see above")
        }),
        text("a comment of Python", |plan| {
            line_ends(plan, ",", ",  # next")
        }),
        text("a comment at the top", |plan| {
            plan.replacen('{', "{\n  // The plan, step by step", 1)
        }),
        text("comments with stars", |plan| {
            plan.replace("\"name\"", "/* a task's name */ \"name\"")
        }),
        text("comments between tasks", |plan| {
            plan.replace("    {\n", "    // A step\n    {\n")
        }),
        text("bare keys", bare_keys),
        text("wide punctuation", |plan| {
            plan.replace("\": ", "\"：").replace(",\n", "，\n")
        }),
        text("equals signs", |plan| {
            bare_keys(plan)
                .replace("name: ", "name = ")
                .replace("agent: ", "agent = ")
        }),
        text("arrows", |plan| plan.replace("\": ", "\" => ")),
        kind("prompts in three quotes", |plan| {
            let mut text = plan.pretty();
            for task in &plan.tasks {
                let prompt = task["prompt"].as_str()?;
                let written = json!(prompt).to_string();
                text = text.replace(&written, &format!("\"\"\"{prompt}\"\"\""));
            }
            Some(text)
        }),
        text("no comma between tasks", |plan| {
            plan.replace("    },\n    {", "    }\n    {")
        }),
        text("no comma between lines", |plan| {
            plan.replace(",\n      \"kind\"", "\n      \"kind\"")
        }),
        text("blanks around null", |plan| plan.replace("null", " null ")),
        text("escaped slashes", |plan| plan.replace('/', "\\/")),
        text("escaped apostrophes", |plan| plan.replace('\'', "\\'")),
        text("a key twice with the same value", |plan| {
            plan.replace(
                "\"command\": null,",
                "\"command\": null,\n      \"command\": null,",
            )
        }),
        text("a name twice", |plan| twice(plan, "\"name\": ")),
        text("an agent twice", |plan| twice(plan, "\"agent\": ")),
    ]
}

/// Each line with a key written twice.
fn twice(plan: &str, key: &str) -> String {
    let lines = plan.lines().map(|line| {
        let line = line.to_owned();
        if line.trim_start().starts_with(key) && line.ends_with(',') {
            format!("{line}\n{line}")
        } else {
            line
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn bare_keys(plan: &str) -> String {
    let lines = plan.lines().map(|line| {
        let start = line.trim_start();
        let indent = &line[..line.len() - start.len()];
        match start.split_once("\": ") {
            Some((key, rest)) if key.starts_with('"') => format!("{indent}{}: {rest}", &key[1..]),
            _ => line.to_owned(),
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The value with quotes that another writer would use.
fn quoted(value: &Value, string: fn(&str) -> String, words: [&str; 3]) -> String {
    match value {
        Value::Null => words[0].to_owned(),
        Value::Bool(true) => words[1].to_owned(),
        Value::Bool(false) => words[2].to_owned(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => string(text),
        Value::Array(items) => {
            let items = items.iter().map(|item| quoted(item, string, words));
            format!("[{}]", items.collect::<Vec<_>>().join(", "))
        }
        Value::Object(map) => {
            let pairs = map
                .iter()
                .map(|(key, value)| format!("{}: {}", string(key), quoted(value, string, words)));
            format!("{{{}}}", pairs.collect::<Vec<_>>().join(", "))
        }
    }
}

fn python(text: &str) -> String {
    if text.contains('\'') && !text.contains('"') {
        format!("\"{text}\"")
    } else {
        format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
    }
}

fn quotes() -> Vec<Kind> {
    const JSON: [&str; 3] = ["null", "true", "false"];
    const PYTHON: [&str; 3] = ["None", "True", "False"];
    let way = |name: &'static str, string: fn(&str) -> String, words: [&'static str; 3]| {
        kind(name, move |plan: &Sample| {
            Some(quoted(&plan.value(), string, words))
        })
    };
    let json: fn(&str) -> String = |text| Value::from(text).to_string();
    vec![
        way("Python", python, PYTHON),
        way("single quotes", python, JSON),
        way("words of Python", json, PYTHON),
        way("words in capitals", json, ["NULL", "TRUE", "FALSE"]),
        way("undefined", json, ["undefined", "true", "false"]),
        way(
            "smart quotes",
            |text| format!("“{}”", text.replace('"', "\\\"")),
            JSON,
        ),
        way(
            "smart quotes, plain inside",
            |text| format!("“{text}”"),
            JSON,
        ),
        way(
            "German quotes",
            |text| format!("„{}“", text.replace('"', "\\\"")),
            JSON,
        ),
        way(
            "smart single quotes",
            |text| format!("‘{}’", text.replace('\'', "\\'")),
            JSON,
        ),
        way("back-ticks as quotes", |text| format!("`{text}`"), JSON),
        way(
            "full width quotes",
            |text| format!("＂{}＂", text.replace('"', "\\\"")),
            JSON,
        ),
        way(
            "letters as escapes",
            |text| {
                let escaped = text.chars().map(|c| format!("\\u{:04x}", u32::from(c)));
                format!("\"{}\"", escaped.collect::<String>())
            },
            JSON,
        ),
        text("a mix of quotes", |plan| {
            plan.replace("\"kind\"", "'kind'")
                .replace("\"agent\"", "'agent'")
        }),
    ]
}

fn endings() -> Vec<Kind> {
    vec![
        finished("the last brace missing", |plan| {
            let text = plan.pretty();
            text.strip_suffix('}').map(str::to_owned)
        }),
        finished("the last brace of a fence missing", |plan| {
            let text = plan.pretty();
            Some(format!("```json\n{}\n```", text.strip_suffix('}')?))
        }),
        finished("the last brace of a wrapper missing", |plan| {
            let text = format!("{{\"plan\": {}}}", plan.text());
            text.strip_suffix('}').map(str::to_owned)
        }),
        finished("two last braces missing", |plan| {
            let text = format!("{{\"plan\": {}}}", plan.text());
            text.strip_suffix("}}").map(str::to_owned)
        }),
    ]
}
