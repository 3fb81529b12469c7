//! The checks that every definition passes, from a file or from code.

use std::collections::BTreeSet;

use serde_json::Value;

use zeph_diagnostics::{Diagnostic, list, quote, suggest};

use super::{code, program};
use crate::{AgentOutput, SubAgentDef};

/// The longest description; it goes into every prompt of a planner.
pub(super) const MAX_DESCRIPTION_BYTES: usize = 4 << 10;
/// The longest system prompt.
pub(super) const MAX_PROMPT_BYTES: usize = 256 << 10;
/// The most tools of one agent: the limit of providers for one request.
pub(super) const MAX_TOOLS: usize = 128;
/// The most tags of one agent.
pub(super) const MAX_TAGS: usize = 64;
/// The longest name of a model.
const MAX_MODEL_BYTES: usize = 256;
/// The deepest nesting of a schema. Code that walks a schema may rely on it.
pub(super) const MAX_DEPTH: usize = 32;

/// All problems of a definition, in the order of its fields, without their source.
pub(super) fn all(agent: &SubAgentDef) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    found.extend(agent_name(&agent.name));
    found.extend(description(&agent.description));
    if let Some(model) = &agent.model {
        found.extend(model_name(model));
    }
    if let Some(program) = &agent.program {
        let named = (agent.name.as_str(), agent.model.as_deref());
        found.extend(program::problems(program, named, &agent.tools));
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

/// The name of an agent: `[A-Za-z_][A-Za-z0-9_-]{0,63}`, the form of names in plan files.
pub(super) fn agent_name(name: &str) -> Option<Diagnostic> {
    let begins = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let goes_on = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let is_good = begins && name.len() <= 64 && name.chars().all(goes_on);
    let help = "use 1 to 64 of a-z, A-Z, 0-9, '_' and '-', beginning with a letter or '_'";
    bad_name(is_good, name, "the name of an agent", help)
}

fn bad_name(is_good: bool, name: &str, what: &str, help: &str) -> Option<Diagnostic> {
    let message = format!("{} cannot be {what}", quote(name));
    (!is_good).then(|| Diagnostic::new(code::BAD_NAME, message).help(help))
}

/// The description, which planners and routers read.
pub(super) fn description(text: &str) -> Option<Diagnostic> {
    check_text("description", text, MAX_DESCRIPTION_BYTES)
}

/// Checks that a text is not empty, within its limit and without hidden characters.
fn check_text(key: &str, text: &str, most: usize) -> Option<Diagnostic> {
    if text.trim().is_empty() {
        let message = format!("the {key} is empty");
        let help = "describe in a sentence what the agent is good at";
        return Some(Diagnostic::new(code::EMPTY_TEXT, message).help(help));
    }
    if text.len() > most {
        let message = format!("the {key} has {} bytes; the limit is {most}", text.len());
        return Some(Diagnostic::new(code::TOO_LARGE, message));
    }
    hidden(text).map(|_| hidden_characters(key))
}

pub(super) fn prompt(prompt: &str) -> Option<Diagnostic> {
    if prompt.trim().is_empty() {
        let help = "write the system prompt after the front matter";
        let one = Diagnostic::new(code::EMPTY_PROMPT, "there is no prompt");
        return Some(one.help(help));
    }
    check_text("prompt", prompt, MAX_PROMPT_BYTES)
}

pub(super) fn hidden_characters(key: &str) -> Diagnostic {
    let message = format!("the {key} has control, invisible or reordering characters");
    let help = "remove them: a person who reads the file does not see what a model reads";
    Diagnostic::new(code::HIDDEN_CHARACTERS, message).help(help)
}

/// The position of the first hidden character of a text.
pub(super) fn hidden(text: &str) -> Option<usize> {
    let clean = zeph_common::escape_terminal_block(text);
    if *clean == *text {
        return None;
    }
    let same = text.bytes().zip(clean.bytes());
    let at = same.take_while(|(one, other)| one == other).count();
    Some(text.floor_char_boundary(at))
}

pub(super) fn model_name(model: &str) -> Option<Diagnostic> {
    if (1..=MAX_MODEL_BYTES).contains(&model.len()) && is_visible_word(model) {
        return None;
    }
    let message = format!("{} cannot be the name of a model", quote(model));
    let help = "use 1 to 256 bytes without spaces, such as \"ollama::qwen3:8b\"";
    Some(Diagnostic::new(code::BAD_VALUE, message).help(help))
}

/// The characters that providers accept in the name of a tool, and the dot in names of MCP tools.
pub(super) fn tool_name(tool: &str) -> Option<Diagnostic> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let is_good = (1..=64).contains(&tool.len()) && tool.chars().all(plain);
    let help = "use 1 to 64 of a-z, A-Z, 0-9, '_', '-' and '.'";
    bad_name(is_good, tool, "the name of a tool", help)
}

/// A tag: one word in any script, without hidden characters.
pub(super) fn tag_name(tag: &str) -> Option<Diagnostic> {
    let is_good = (1..=64).contains(&tag.len()) && is_visible_word(tag);
    bad_name(is_good, tag, "a tag", "use one word of 1 to 64 bytes")
}

fn is_visible_word(text: &str) -> bool {
    !text.contains(|c: char| c.is_whitespace() || c.is_control()) && hidden(text).is_none()
}

pub(super) fn count(key: &str, count: usize, most: usize) -> Option<Diagnostic> {
    (count > most).then(|| {
        let message = format!("there are {count} {key}; the limit is {most}");
        Diagnostic::new(code::TOO_MANY, message)
    })
}

fn limits(agent: &SubAgentDef) -> Vec<Diagnostic> {
    let limits = &agent.limits;
    let numbers = [
        ("`limits.max_turns`", limits.max_turns),
        ("`limits.max_output_tokens`", limits.max_output_tokens),
        ("`limits.max_input_tokens`", limits.max_input_tokens),
    ];
    let zero = numbers.into_iter().filter(|(_, number)| *number == 0);
    let mut found: Vec<Diagnostic> = zero.map(|(key, _)| zero_limit(key)).collect();
    if limits.timeout.is_some_and(|time| time.is_zero()) {
        found.push(zero_limit("`limits.timeout`"));
    }
    found
}

pub(super) fn zero_limit(key: &str) -> Diagnostic {
    let message = format!("{key} is zero, so the agent could do nothing");
    Diagnostic::new(code::ZERO_LIMIT, message).help("leave it out for the default")
}

pub(super) fn schema_form(schema: &Value) -> Option<Diagnostic> {
    if !schema.is_object() {
        let message = "the schema of the output must be an object";
        return Some(Diagnostic::new(code::WRONG_TYPE, message));
    }
    let mut open = vec![(schema, 1_usize)];
    while let Some((value, depth)) = open.pop() {
        if depth > MAX_DEPTH {
            let message = format!("the schema of the output is nested deeper than {MAX_DEPTH}");
            let one = Diagnostic::new(code::NESTED_TOO_DEEPLY, message);
            return Some(one);
        }
        match value {
            Value::Array(items) => open.extend(items.iter().map(|item| (item, depth + 1))),
            Value::Object(map) => {
                open.extend(map.values().map(|item| (item, depth + 1)));
                if map.keys().any(|key| hidden(key).is_some()) {
                    return Some(hidden_characters("output"));
                }
            }
            // A model also reads the names and descriptions in a schema.
            Value::String(text) if hidden(text).is_some() => {
                return Some(hidden_characters("output"));
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    None
}

/// Reports a tool that a host does not have.
pub(super) fn unknown_tool(tool: &str, known: &BTreeSet<&str>) -> Option<Diagnostic> {
    (!known.contains(tool)).then(|| {
        let one = Diagnostic::new(
            code::UNKNOWN_TOOL,
            format!("there is no tool {}", quote(tool)),
        );
        let help = if known.is_empty() {
            "the host has no tools".to_owned()
        } else {
            format!("known are {}", list(known.iter().copied()))
        };
        one.help(help).suggest(suggest(tool, known.iter().copied()))
    })
}
