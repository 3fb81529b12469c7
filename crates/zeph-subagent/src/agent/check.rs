//! What must hold for every definition, wherever it comes from.

use std::collections::BTreeSet;

use serde_json::Value;

use super::defect::show;
use crate::{AgentCode, AgentDefect, AgentOutput, SubAgentDef};

/// The longest description; it goes into every prompt of a planner.
pub(crate) const MAX_DESCRIPTION_BYTES: usize = 4 << 10;
/// The longest system prompt.
pub(crate) const MAX_PROMPT_BYTES: usize = 256 << 10;
/// The most tools of one agent: what providers take in one request.
pub(crate) const MAX_TOOLS: usize = 128;
/// The most tags of one agent.
pub(crate) const MAX_TAGS: usize = 64;
/// The longest name of a model.
const MAX_MODEL_BYTES: usize = 256;
/// How deep a schema may be nested. Whoever walks one may rely on it.
pub(crate) const MAX_DEPTH: usize = 32;

/// All defects of a definition, in the order of its fields, without their source.
pub(crate) fn all(agent: &SubAgentDef) -> Vec<AgentDefect> {
    let mut found = Vec::new();
    found.extend(agent_name(&agent.name));
    found.extend(text(
        "description",
        &agent.description,
        MAX_DESCRIPTION_BYTES,
    ));
    if let Some(model) = &agent.model {
        found.extend(model_name(model));
    }
    found.extend(count("tools", agent.tools.len(), MAX_TOOLS));
    found.extend(agent.tools.iter().filter_map(|tool| tool_name(tool)));
    found.extend(count("tags", agent.tags.len(), MAX_TAGS));
    found.extend(agent.tags.iter().filter_map(|tag| tag_name(tag)));
    found.extend(limits(agent));
    if let AgentOutput::Schema(schema) = &agent.output {
        found.extend(schema_form(schema));
    }
    found.extend(prompt(&agent.prompt));
    found
}

/// `[A-Za-z_][A-Za-z0-9_-]{0,63}`, the form that names have in plan files.
pub(crate) fn agent_name(name: &str) -> Option<AgentDefect> {
    let begins = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let goes_on = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if begins && name.len() <= 64 && name.chars().all(goes_on) {
        return None;
    }
    let message = format!("{} cannot be the name of an agent", show(name));
    let help = "use 1 to 64 letters, digits, '_' and '-', beginning with a letter or '_'";
    Some(AgentDefect::new(AgentCode::BadName, "name", message).help(help))
}

/// A text that must say something and hide nothing.
pub(crate) fn text(key: &str, text: &str, most: usize) -> Option<AgentDefect> {
    if text.trim().is_empty() {
        let message = format!("the {key} is empty");
        let help = "say in a sentence what the agent is good at";
        return Some(AgentDefect::new(AgentCode::EmptyText, key, message).help(help));
    }
    if text.len() > most {
        let message = format!("the {key} has {} bytes, and may have {most}", text.len());
        return Some(AgentDefect::new(AgentCode::TooLarge, key, message));
    }
    hidden(text).map(|_| hidden_defect(key))
}

pub(crate) fn prompt(prompt: &str) -> Option<AgentDefect> {
    if prompt.trim().is_empty() {
        let help = "write the system prompt behind the front matter";
        let defect = AgentDefect::new(AgentCode::EmptyPrompt, "prompt", "there is no prompt");
        return Some(defect.help(help));
    }
    text("prompt", prompt, MAX_PROMPT_BYTES)
}

pub(crate) fn hidden_defect(key: &str) -> AgentDefect {
    let message = format!("the {key} has control, invisible or reordering characters");
    let help = "remove them; who reads the file does not see what a model would read";
    AgentDefect::new(AgentCode::HiddenCharacters, key, message).help(help)
}

/// Where a text first has a character that a reader does not see.
pub(crate) fn hidden(text: &str) -> Option<usize> {
    let clean = zeph_common::escape_terminal_block(text);
    if *clean == *text {
        return None;
    }
    let same = text.bytes().zip(clean.bytes());
    let at = same.take_while(|(one, other)| one == other).count();
    Some(text.floor_char_boundary(at))
}

pub(crate) fn model_name(model: &str) -> Option<AgentDefect> {
    let plain = |c: char| !c.is_whitespace() && !c.is_control();
    let good = !model.is_empty() && model.len() <= MAX_MODEL_BYTES && model.chars().all(plain);
    if good && hidden(model).is_none() {
        return None;
    }
    let message = format!("{} cannot be the name of a model", show(model));
    let help = "use 1 to 256 bytes without spaces, such as \"ollama::qwen3:8b\"";
    Some(AgentDefect::new(AgentCode::BadValue, "model", message).help(help))
}

/// The names that providers take for a tool, and the dot of those that come from servers.
pub(crate) fn tool_name(tool: &str) -> Option<AgentDefect> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if (1..=64).contains(&tool.len()) && tool.chars().all(plain) {
        return None;
    }
    let message = format!("{} cannot be the name of a tool", show(tool));
    let help = "use 1 to 64 letters, digits, '_', '-' and '.'";
    Some(AgentDefect::new(AgentCode::BadName, "tools", message).help(help))
}

/// Any script, but a single word that shows what it is.
pub(crate) fn tag_name(tag: &str) -> Option<AgentDefect> {
    let plain = |c: char| !c.is_whitespace() && !c.is_control();
    let good = (1..=64).contains(&tag.len()) && tag.chars().all(plain);
    if good && hidden(tag).is_none() {
        return None;
    }
    let message = format!("{} cannot be a tag", show(tag));
    let help = "use one word of 1 to 64 bytes";
    Some(AgentDefect::new(AgentCode::BadName, "tags", message).help(help))
}

pub(crate) fn count(key: &str, count: usize, most: usize) -> Option<AgentDefect> {
    (count > most).then(|| {
        let message = format!("there are {count} {key}, and there may be {most}");
        AgentDefect::new(AgentCode::TooMany, key, message)
    })
}

fn limits(agent: &SubAgentDef) -> Vec<AgentDefect> {
    let limits = &agent.limits;
    let numbers = [
        ("limits.max_turns", limits.max_turns),
        ("limits.max_output_tokens", limits.max_output_tokens),
        ("limits.max_input_tokens", limits.max_input_tokens),
    ];
    let zero = numbers.into_iter().filter(|(_, number)| *number == 0);
    let mut found: Vec<AgentDefect> = zero.map(|(key, _)| zero_limit(key)).collect();
    if limits.timeout.is_some_and(|time| time.is_zero()) {
        found.push(zero_limit("limits.timeout"));
    }
    found
}

pub(crate) fn zero_limit(key: &str) -> AgentDefect {
    let message = format!("{key} is zero, and an agent with it could do nothing");
    AgentDefect::new(AgentCode::ZeroLimit, key, message).help("leave it out for the default")
}

pub(crate) fn schema_form(schema: &Value) -> Option<AgentDefect> {
    if !schema.is_object() {
        let message = "the schema of the output must be an object";
        return Some(AgentDefect::new(AgentCode::WrongType, "output", message));
    }
    let mut open = vec![(schema, 1_usize)];
    while let Some((value, depth)) = open.pop() {
        if depth > MAX_DEPTH {
            let message = format!("the schema of the output is nested deeper than {MAX_DEPTH}");
            let defect = AgentDefect::new(AgentCode::NestedTooDeeply, "output", message);
            return Some(defect);
        }
        match value {
            Value::Array(items) => open.extend(items.iter().map(|item| (item, depth + 1))),
            Value::Object(map) => {
                open.extend(map.values().map(|item| (item, depth + 1)));
                if map.keys().any(|key| hidden(key).is_some()) {
                    return Some(hidden_defect("output"));
                }
            }
            // Names and descriptions in a schema are read by a model, too.
            Value::String(text) if hidden(text).is_some() => return Some(hidden_defect("output")),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    None
}

/// Reports the tools that a host does not have.
pub(crate) fn unknown_tools<'a>(
    tools: impl IntoIterator<Item = &'a str>,
    known: &BTreeSet<&str>,
) -> Vec<AgentDefect> {
    let unknown = tools.into_iter().filter(|tool| !known.contains(tool));
    let told = unknown.map(|tool| {
        let message = format!("there is no tool {}", show(tool));
        let defect = AgentDefect::new(AgentCode::UnknownTool, "tools", message);
        super::near::suggest(defect, tool, known.iter().copied())
    });
    told.collect()
}
