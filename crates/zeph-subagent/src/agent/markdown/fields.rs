//! From nodes to a definition: the keys that there are, and what does not fit.

use std::collections::BTreeSet;
use std::ops::Range;
use std::time::Duration;

use serde_json::Value;

use super::front::Parts;
use super::told::Told;
use super::yaml::{Entry, Node, Yaml};
use crate::agent::defect::show;
use crate::agent::{check, near};
use crate::{AgentCode, AgentDefect, AgentLimits, AgentOutput, SubAgentDef};

const KEYS: [&str; 7] = [
    "name",
    "description",
    "model",
    "tools",
    "tags",
    "limits",
    "output",
];
const LIMITS: [&str; 4] = [
    "max_turns",
    "max_output_tokens",
    "max_input_tokens",
    "timeout",
];

/// The definition that a front matter describes, as far as it can be read; without its prompt.
pub(crate) fn read(
    root: Node,
    parts: &Parts<'_>,
    tools: Option<&BTreeSet<&str>>,
    told: &mut Told<'_>,
) -> Option<SubAgentDef> {
    let Yaml::Table(entries) = root.value else {
        return None;
    };
    let mut agent = SubAgentDef::new("", "", "");
    for key in ["name", "description"] {
        if !entries.iter().any(|entry| entry.key == key) {
            let message = format!("the key `{key}` is missing");
            let defect = AgentDefect::new(AgentCode::MissingKey, key, message);
            told.add(
                parts.opening.clone(),
                defect.help(format!("add a line `{key}: …`")),
            );
        }
    }
    for Entry {
        key,
        key_place,
        node,
    } in entries
    {
        let place = node.place.clone();
        match key.as_str() {
            "name" => agent.name = checked("name", &node, check::agent_name, told),
            "description" => agent.description = description(&node, told),
            "model" => agent.model = Some(checked("model", &node, check::model_name, told)),
            "tools" => agent.tools = names("tools", &node, check::tool_name, tools, told),
            "tags" => agent.tags = names("tags", &node, check::tag_name, None, told),
            "limits" => agent.limits = limits(node, told),
            "output" => agent.output = output(node, told),
            _ => unknown("", &key, key_place, &KEYS, told),
        }
        let too_many = match key.as_str() {
            "tools" => check::count("tools", agent.tools.len(), check::MAX_TOOLS),
            "tags" => check::count("tags", agent.tags.len(), check::MAX_TAGS),
            _ => None,
        };
        if let Some(defect) = too_many {
            told.add(place, defect);
        }
    }
    Some(agent)
}

fn unknown(within: &str, key: &str, place: Range<usize>, known: &[&str], told: &mut Told<'_>) {
    if told.is_full() {
        return;
    }
    let what = if within.is_empty() {
        "an agent"
    } else {
        within
    };
    let message = format!("{what} has no key {}", show(key));
    let path = match within {
        "" => zeph_common::escape_terminal(key).into_owned(),
        within => format!("{within}.{}", zeph_common::escape_terminal(key)),
    };
    let defect = AgentDefect::new(AgentCode::UnknownKey, &path, message);
    let defect = if within.is_empty() && key == "prompt" {
        defect.help("the prompt is what follows the front matter")
    } else {
        near::suggest(defect, key, known.iter().copied())
    };
    told.add(place, defect);
}

fn wrong_type(key: &str, node: &Node, wanted: &str, told: &mut Told<'_>) {
    let help = if wanted == "a text" && matches!(node.value, Yaml::Leaf(_)) {
        "put it in quotes"
    } else {
        ""
    };
    misfit(AgentCode::WrongType, key, node, (wanted, help), told);
}

/// Tells of a value that is not what it must be, unless it was told of before.
fn misfit(
    code: AgentCode,
    key: &str,
    node: &Node,
    (wanted, help): (&str, &str),
    told: &mut Told<'_>,
) {
    if matches!(node.value, Yaml::Refused) {
        return;
    }
    let message = format!("{key} must be {wanted}, and this is {}", node.kind());
    let defect = AgentDefect::new(code, key, message);
    let defect = if help.is_empty() {
        defect
    } else {
        defect.help(help)
    };
    told.add(node.place.clone(), defect);
}

fn text<'n>(key: &str, node: &'n Node, told: &mut Told<'_>) -> Option<&'n str> {
    match &node.value {
        Yaml::Leaf(Value::String(text)) => Some(text),
        Yaml::Leaf(_) | Yaml::List(_) | Yaml::Table(_) | Yaml::Refused => {
            wrong_type(key, node, "a text", told);
            None
        }
    }
}

/// A text that passes a check; the empty text if it is none.
fn checked(
    key: &str,
    node: &Node,
    check: fn(&str) -> Option<AgentDefect>,
    told: &mut Told<'_>,
) -> String {
    let Some(given) = text(key, node, told) else {
        return String::new();
    };
    if let Some(defect) = check(given) {
        told.add(node.place.clone(), defect);
    }
    given.to_owned()
}

fn description(node: &Node, told: &mut Told<'_>) -> String {
    let Some(given) = text("description", node, told) else {
        return String::new();
    };
    let given = given.trim();
    if let Some(defect) = check::text("description", given, check::MAX_DESCRIPTION_BYTES) {
        told.add(node.place.clone(), defect);
    }
    given.to_owned()
}

/// A list of names without repetition.
fn names(
    key: &str,
    node: &Node,
    check: fn(&str) -> Option<AgentDefect>,
    known: Option<&BTreeSet<&str>>,
    told: &mut Told<'_>,
) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    let Yaml::List(items) = &node.value else {
        let help = format!("write `{key}: [one, two]`");
        misfit(AgentCode::WrongType, key, node, ("a list", &help), told);
        return all;
    };
    for (index, item) in items.iter().enumerate() {
        if told.is_full() {
            break;
        }
        let path = format!("{key}[{index}]");
        let Some(name) = text(&path, item, told) else {
            continue;
        };
        let found = check(name).or_else(|| {
            let known = known?;
            check::unknown_tools([name], known).pop()
        });
        let twice = || {
            let message = format!("{} is listed twice", show(name));
            AgentDefect::new(AgentCode::DuplicateEntry, &path, message)
        };
        let repeated = !all.insert(name.to_owned());
        if let Some(defect) = found.or_else(|| repeated.then(twice)) {
            let key = path.clone();
            told.add(item.place.clone(), AgentDefect { key, ..defect });
        }
    }
    all
}

fn limits(node: Node, told: &mut Told<'_>) -> AgentLimits {
    let mut limits = AgentLimits::default();
    let Yaml::Table(entries) = node.value else {
        wrong_type("limits", &node, "a table", told);
        return limits;
    };
    for entry in entries {
        let key = format!("limits.{}", entry.key);
        let node = &entry.node;
        match entry.key.as_str() {
            "max_turns" => limits.max_turns = number(&key, node, told),
            "max_output_tokens" => limits.max_output_tokens = number(&key, node, told),
            "max_input_tokens" => limits.max_input_tokens = number(&key, node, told),
            "timeout" => limits.timeout = duration(&key, node, told),
            _ => unknown("limits", &entry.key, entry.key_place, &LIMITS, told),
        }
    }
    limits
}

/// A whole number above zero; 1 if it is none.
fn number(key: &str, node: &Node, told: &mut Told<'_>) -> u32 {
    let Yaml::Leaf(Value::Number(number)) = &node.value else {
        wrong_type(key, node, "a whole number", told);
        return 1;
    };
    let defect = match number.as_u64().map(u32::try_from) {
        Some(Ok(0)) => check::zero_limit(key),
        Some(Ok(number)) => return number,
        Some(Err(_)) | None => {
            let message = format!("{key} must be a whole number from 1 to {}", u32::MAX);
            let found = format!("{message}, and is {number}");
            AgentDefect::new(AgentCode::BadValue, key, found)
        }
    };
    told.add(node.place.clone(), defect);
    1
}

fn duration(key: &str, node: &Node, told: &mut Told<'_>) -> Option<Duration> {
    let help = "write a text with a unit, such as \"30s\", \"5m\" or \"1h 30m\"";
    let Yaml::Leaf(Value::String(text)) = &node.value else {
        misfit(
            AgentCode::BadDuration,
            key,
            node,
            ("a duration", help),
            told,
        );
        return None;
    };
    let defect = match humantime::parse_duration(text) {
        Ok(time) if time.is_zero() => check::zero_limit(key),
        Ok(time) => return Some(time),
        Err(error) => {
            let message = format!("{key} is not a duration: {}: {error}", show(text));
            AgentDefect::new(AgentCode::BadDuration, key, message).help(help)
        }
    };
    told.add(node.place.clone(), defect);
    None
}

fn output(node: Node, told: &mut Told<'_>) -> AgentOutput {
    let help = "write `text`, `json`, or a JSON schema as a table";
    match &node.value {
        Yaml::Table(_) => {
            let place = node.place.clone();
            let schema = node.into_json();
            if let Some(defect) = check::schema_form(&schema) {
                told.add(place, defect);
            }
            AgentOutput::Schema(schema)
        }
        Yaml::Leaf(Value::String(word)) if word == "text" => AgentOutput::Text,
        Yaml::Leaf(Value::String(word)) if word == "json" => AgentOutput::Json,
        Yaml::Leaf(Value::String(word)) => {
            let message = format!("output cannot be {}", show(word));
            let defect = AgentDefect::new(AgentCode::BadValue, "output", message);
            told.add(node.place.clone(), defect.help(help));
            AgentOutput::Text
        }
        Yaml::Leaf(_) | Yaml::List(_) | Yaml::Refused => {
            let wanted = ("a word or a table", help);
            misfit(AgentCode::WrongType, "output", &node, wanted, told);
            AgentOutput::Text
        }
    }
}
