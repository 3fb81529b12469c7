//! Readable mutations of values: needs, names, agents, tools, words and numbers.

use serde_json::{Value, json};

use super::sample::{Fields, Sample, with_keys};
use super::{Kind, kind};

/// All kinds of this file.
pub(crate) fn kinds() -> Vec<Kind> {
    [
        no_needs(),
        needs(),
        ids(),
        names(),
        agents(),
        tools(),
        others(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The plan with a field of each task changed; `None` from the change leaves the task as it is.
fn field(
    name: impl Into<String>,
    field: &'static str,
    change: impl Fn(&Value) -> Option<Value> + 'static,
) -> Kind {
    kind(name, move |plan| {
        let mut changed = false;
        let plan = plan.each(|_, task| {
            if let Some(value) = change(&task[field]) {
                changed = true;
                task[field] = value;
            }
        });
        changed.then(|| plan.text())
    })
}

fn no_needs() -> Vec<Kind> {
    let ways = [
        ("none in a list", json!(["none"])),
        ("None in a list", json!(["None"])),
        ("an empty text in a list", json!([""])),
        ("null in a list", json!([null])),
        ("a dash in a list", json!(["-"])),
        ("a null text in a list", json!(["null"])),
        ("N/A in a list", json!(["N/A"])),
        ("none", json!("none")),
        ("an empty text", json!("")),
        ("a dash", json!("-")),
        ("n/a", json!("n/a")),
        ("null", json!(null)),
        ("no needs in words", json!("No dependencies")),
        ("nothing in words", json!("nothing")),
        ("an empty object", json!({})),
        ("false", json!(false)),
        ("an empty list as a text", json!("[]")),
        ("a list in a list", json!([[]])),
    ];
    let is_empty = |needs: &Value| needs.as_array().is_some_and(Vec::is_empty);
    let one = |(name, way): (&'static str, Value)| {
        let change = move |needs: &Value| is_empty(needs).then(|| way.clone());
        field(format!("needs: {name}"), "needs", change)
    };
    ways.into_iter().map(one).collect()
}

/// Each need written in another way.
fn need(name: &'static str, write: fn(&str) -> Value) -> Kind {
    field(format!("needs: {name}"), "needs", move |needs| {
        let needs = needs.as_array().filter(|needs| !needs.is_empty())?;
        let needs = needs.iter().map(|need| write(need.as_str().unwrap()));
        Some(needs.collect())
    })
}

/// All needs of a task as one text.
fn joined(name: &'static str, join: fn(&[&str]) -> Value) -> Kind {
    field(format!("needs: {name}"), "needs", move |needs| {
        let needs = needs.as_array().filter(|needs| !needs.is_empty())?;
        let needs: Vec<&str> = needs.iter().filter_map(Value::as_str).collect();
        Some(join(&needs))
    })
}

fn title(name: &str) -> String {
    let words = name.split('-');
    let words = words.map(|word| word[..1].to_uppercase() + &word[1..]);
    words.collect::<Vec<_>>().join(" ")
}

fn camel(name: &str) -> String {
    let title = title(name).replace(' ', "");
    title[..1].to_lowercase() + &title[1..]
}

fn needs() -> Vec<Kind> {
    vec![
        need("underscores", |need| json!(need.replace('-', "_"))),
        need("blanks", |need| json!(need.replace('-', " "))),
        need("upper case", |need| json!(need.to_uppercase())),
        need("Title Case", |need| json!(title(need))),
        need("camelCase", |need| json!(camel(need))),
        need("back-ticks", |need| json!(format!("`{need}`"))),
        need("quotes", |need| json!(format!("\"{need}\""))),
        need("a dollar", |need| json!(format!("${need}"))),
        need("an expression", |need| {
            json!(format!("${{{{ tasks.{need} }}}}"))
        }),
        need("braces", |need| json!(format!("{{{need}}}"))),
        need("square brackets", |need| json!(format!("[{need}]"))),
        need("a number sign", |need| json!(format!("#{need}"))),
        need("the word task", |need| json!(format!("task {need}"))),
        need("the word task and a colon", |need| {
            json!(format!("task: {need}"))
        }),
        need("the path of the task", |need| {
            json!(format!("tasks.{need}"))
        }),
        need("blanks around", |need| json!(format!(" {need} "))),
        need("a full stop", |need| json!(format!("{need}."))),
        need("objects with a name", |need| json!({ "name": need })),
        need("objects with an id", |need| json!({ "id": need })),
        need("objects with a task", |need| json!({ "task": need })),
        joined("one text with commas", |needs| json!(needs.join(", "))),
        joined("one text with and", |needs| json!(needs.join(" and "))),
        joined("one text with semicolons", |needs| json!(needs.join("; "))),
        joined("one text with blanks", |needs| json!(needs.join(" "))),
        joined("one text with lines", |needs| json!(needs.join("\n"))),
        joined("a text in a list", |needs| json!([needs.join(", ")])),
        joined("a JSON text", |needs| json!(json!(needs).to_string())),
        joined("a Python text", |needs| {
            json!(format!("['{}']", needs.join("', '")))
        }),
        joined("with an empty one", |needs| {
            let needs = needs.iter().map(|need| json!(need));
            needs.chain([json!("")]).collect()
        }),
        joined("with a null", |needs| {
            let needs = needs.iter().map(|need| json!(need));
            needs.chain([Value::Null]).collect()
        }),
        joined("a list in a list", |needs| json!([needs])),
        joined("each twice", |needs| json!([needs, needs].concat())),
    ]
}

fn ids() -> Vec<Kind> {
    let by_id = |name: &'static str, keep: bool, id: fn(usize) -> Value| {
        kind(name, move |plan: &Sample| {
            let order = plan.clone();
            let plan = plan.each(|index, task| {
                let needs = task["needs"].as_array().unwrap().iter();
                task["needs"] = needs.map(|need| id(order.position(need))).collect();
                let rest = with_keys(task, |key| (keep || key != "name").then(|| key.to_owned()));
                let mut fields = Fields::from_iter([("id".to_owned(), id(index))]);
                fields.extend(rest);
                *task = fields;
            });
            Some(plan.text())
        })
    };
    vec![
        by_id("needs by number", true, |index| json!(index + 1)),
        by_id("needs by text id", true, |index| {
            json!(format!("t{}", index + 1))
        }),
        by_id("needs by id from zero", true, |index| json!(index)),
        by_id("only numbers", false, |index| json!(index + 1)),
        by_id("only text ids", false, |index| {
            json!(format!("task_{}", index + 1))
        }),
        kind("needs by the number of an id in text", |plan| {
            let order = plan.clone();
            let plan = plan.each(|index, task| {
                let needs = task["needs"].as_array().unwrap().iter();
                let needs = needs.map(|need| json!((order.position(need) + 1).to_string()));
                task["needs"] = needs.collect();
                task.insert("id".to_owned(), json!(index + 1));
            });
            Some(plan.text())
        }),
    ]
}

fn names() -> Vec<Kind> {
    let renamed = |name: &'static str, write: fn(usize, &str) -> String| {
        kind(format!("names: {name}"), move |plan: &Sample| {
            Some(plan.renamed(write).text())
        })
    };
    // Only the name is written differently, the needs are not.
    let alone = |name: &'static str, write: fn(&str) -> String| {
        field(
            format!("names: {name}, needs without"),
            "name",
            move |name| Some(json!(write(name.as_str().unwrap()))),
        )
    };
    vec![
        renamed("sentences", |_, name| format!("{}!", title(name))),
        renamed("with a slash", |_, name| name.replacen('-', "/", 1)),
        renamed("with a slash and blanks", |_, name| {
            name.replacen('-', " / ", 1)
        }),
        renamed("with quotes", |_, name| format!("\"{name}\"")),
        renamed("with apostrophes", |_, name| format!("the '{name}'")),
        renamed("in back-ticks", |_, name| format!("`{name}`")),
        renamed("in bold", |_, name| format!("**{name}**")),
        renamed("in brackets", |_, name| format!("[{name}]")),
        renamed("numbered", |index, name| {
            format!("{}. {}", index + 1, title(name))
        }),
        renamed("step and number", |index, name| {
            format!("Step {}: {}", index + 1, title(name))
        }),
        renamed("with an ampersand", |_, name| name.replacen('-', " & ", 1)),
        renamed("with a pipe", |_, name| name.replacen('-', " | ", 1)),
        renamed("with parentheses", |_, name| format!("{name} (part)")),
        renamed("in another script", |index, _| {
            ["调查", "分析", "总结", "比较", "检查", "写作", "排序"][index].to_owned()
        }),
        renamed("with accents", |_, name| format!("é-{name}")),
        renamed("camelCase", |_, name| camel(name)),
        renamed("very long", |index, name| {
            format!("{} {index} {}", title(name), "and so on ".repeat(8))
        }),
        renamed("that the run uses", |index, name| {
            if index == 0 {
                "plan".to_owned()
            } else {
                name.to_owned()
            }
        }),
        renamed("equal after repair", |index, _| {
            ["a/b", "a b", "a-b", "a_b", "a.b", "a:b", "a+b"][index].to_owned()
        }),
        alone("Title Case", title),
        alone("back-ticks", |name| format!("`{name}`")),
        alone("underscores", |name| name.replace('-', "_")),
    ]
}

fn agents() -> Vec<Kind> {
    let agent = |name: &'static str, write: fn(&str) -> Value| {
        field(format!("agent: {name}"), "agent", move |agent| {
            agent.as_str().map(write)
        })
    };
    vec![
        agent("with blanks", |name| json!(name.replace('-', " "))),
        agent("with underscores", |name| json!(name.replace('-', "_"))),
        agent("Title Case", |name| json!(title(name))),
        agent("PascalCase", |name| json!(title(name).replace(' ', ""))),
        agent("in a list", |name| json!([name])),
        agent("in an object", |name| json!({ "name": name })),
        agent("in back-ticks", |name| json!(format!("`{name}`"))),
        agent("in brackets", |name| json!(format!("[{name}]"))),
        agent("with an at sign", |name| json!(format!("@{name}"))),
        agent("with the word agent", |name| json!(format!("{name} agent"))),
        agent("with the word agent before", |name| {
            json!(format!("agent: {name}"))
        }),
    ]
}

fn tools() -> Vec<Kind> {
    let some = |name: &'static str, write: fn(&[&str]) -> Value| {
        field(format!("tools: {name}"), "tools", move |tools| {
            let tools = tools.as_array().filter(|tools| !tools.is_empty())?;
            let tools: Vec<&str> = tools.iter().filter_map(Value::as_str).collect();
            Some(write(&tools))
        })
    };
    let none = |name: &'static str, way: Value| {
        field(format!("no tools: {name}"), "tools", move |tools| {
            let is_empty = tools.as_array().is_some_and(Vec::is_empty);
            is_empty.then(|| way.clone())
        })
    };
    vec![
        some("one text with commas", |tools| json!(tools.join(", "))),
        some("blanks for underscores", |tools| {
            tools
                .iter()
                .map(|tool| json!(tool.replace('_', " ")))
                .collect()
        }),
        some("as calls", |tools| {
            tools
                .iter()
                .map(|tool| json!(format!("{tool}()")))
                .collect()
        }),
        some("camelCase", |tools| {
            tools
                .iter()
                .map(|tool| json!(camel(&tool.replace('_', "-"))))
                .collect()
        }),
        some("objects", |tools| {
            tools.iter().map(|tool| json!({ "name": tool })).collect()
        }),
        none("none", json!("none")),
        none("a list with none", json!(["none"])),
        none("a list with null", json!([null])),
        none("in words", json!("no tools")),
        none("an empty object", json!({})),
    ]
}

fn others() -> Vec<Kind> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    vec![
        field("a kind in capitals", "kind", move |kind| {
            text(kind).map(|kind| json!(title(&kind)))
        }),
        field("a kind in a list", "kind", |kind| Some(json!([kind]))),
        field("a rule in capitals", "on_failure", move |rule| {
            text(rule).map(|rule| json!(rule.to_uppercase()))
        }),
        field("a trigger in words", "trigger", move |trigger| {
            text(trigger).map(|trigger| json!(trigger.replace('_', " ")))
        }),
        field("a number as a text", "expected_tokens", |tokens| {
            tokens.as_u64().map(|tokens| json!(tokens.to_string()))
        }),
        field("a number with a point", "expected_tokens", |tokens| {
            tokens.as_f64().map(|tokens| json!(tokens))
        }),
        field("a number with its unit", "expected_tokens", |tokens| {
            tokens
                .as_u64()
                .map(|tokens| json!(format!("~{tokens} tokens")))
        }),
        field("null as a text", "trigger", |trigger| {
            trigger.is_null().then(|| json!("null"))
        }),
        field("none for a command", "command", |command| {
            command.is_null().then(|| json!("none"))
        }),
        field("no arguments as a list", "arguments", |arguments| {
            arguments.is_null().then(|| json!([]))
        }),
        field("no arguments as an object", "arguments", |arguments| {
            arguments.is_null().then(|| json!({}))
        }),
        field("arguments as an object", "arguments", |arguments| {
            let first = arguments.get(0)?;
            let pair = (first["name"].as_str()?.to_owned(), first["value"].clone());
            Some(Value::Object([pair].into_iter().collect()))
        }),
        field("an argument as a number", "arguments", |arguments| {
            let first = arguments.get(0)?;
            Some(json!([{ "name": first["name"], "value": 20 }]))
        }),
        field("arguments with a key", "arguments", |arguments| {
            let first = arguments.get(0)?;
            Some(json!([{ "key": first["name"], "value": first["value"] }]))
        }),
        field("a prompt in a list", "prompt", |prompt| {
            Some(json!([prompt]))
        }),
        field("blanks around a prompt", "prompt", move |prompt| {
            text(prompt).map(|prompt| json!(format!("\n {prompt} \n")))
        }),
    ]
}
