//! Converts the YAML tree of a front matter to a definition.

use std::collections::BTreeSet;
use std::time::Duration;

use zeph_common::Effort;
use zeph_diagnostics::{Diagnostic, Diagnostics, Node, Span, Value, quote};

use super::known::Known;
use super::program;
use crate::agent::{check, code};
use crate::{AgentLimits, AgentOutput, SubAgentDef};

/// The keys of a front matter. `prompt` is not one of them and has an error message of its own.
const KEYS: [&str; 10] = [
    "name",
    "description",
    "model",
    "effort",
    "program",
    "tools",
    "tags",
    "limits",
    "output",
    "prompt",
];
const LIMITS: [&str; 4] = [
    "max_turns",
    "max_output_tokens",
    "max_input_tokens",
    "timeout",
];

/// The definition that a front matter describes, without its prompt. A value with a problem is left out.
pub(super) fn read(
    root: &Node,
    opening: Span,
    tools: Option<&Known<'_>>,
    problems: &mut Diagnostics,
) -> Option<SubAgentDef> {
    let table = root.table("the front matter", &KEYS, problems)?;
    for key in ["name", "description"] {
        if table.get(key).is_none() {
            let one = Diagnostic::new(code::MISSING_KEY, format!("the key `{key}` is missing"));
            problems.push(one.at(opening).help(format!("add a line `{key}: …`")));
        }
    }
    if let Some(entry) = table.entry("prompt") {
        let message = "the front matter has no key `prompt`";
        let one = Diagnostic::new(code::UNKNOWN_KEY, message).at(entry.key_span);
        problems.push(one.help("write the prompt after the front matter"));
    }
    let mut checked = |key, check: fn(&str) -> Option<Diagnostic>| {
        table.read(key, |node, what| {
            let text = node.string(what, problems)?;
            let text = if key == "description" {
                text.trim()
            } else {
                text
            };
            problems.extend(check(text).map(|one| one.at(node.span)));
            Some(text.to_owned())
        })
    };
    let name = checked("name", check::agent_name).unwrap_or_default();
    let description = checked("description", check::description).unwrap_or_default();
    let mut agent = SubAgentDef::new(name, description, "");
    agent.model = checked("model", check::model_name);
    let words = Effort::ALL.map(|effort| (effort.word(), effort));
    agent.effort = table.read("effort", |node, what| node.word(what, &words, problems));
    let program = table.read("program", |node, what| {
        Some((program::read(node, what, problems)?, node.span))
    });
    let mut names = |key, check: fn(&str) -> Option<Diagnostic>, known, most| {
        table.read(key, |node, what| {
            let found = names(node, what, check, known, problems)?;
            problems.extend(check::count(key, found.len(), most).map(|one| one.at(node.span)));
            Some(found)
        })
    };
    agent.tools = names("tools", check::tool_name, tools, check::MAX_TOOLS).unwrap_or_default();
    agent.tags = names("tags", check::tag_name, None, check::MAX_TAGS).unwrap_or_default();
    let read_limits = table.read("limits", |node, what| limits(node, what, problems));
    agent.limits = read_limits.unwrap_or_default();
    let read_output = table.read("output", |node, what| output(node, what, problems));
    agent.output = read_output.unwrap_or_default();
    if let Some((program, span)) = program {
        let named = agent.model.as_deref();
        let found = crate::agent::program::problems(&program, (&agent.name, named), &agent.tools);
        problems.extend(found.into_iter().map(|one| one.at(span)));
        agent = agent.program(program);
    }
    Some(agent)
}

/// A list of names without repetition.
fn names(
    node: &Node,
    what: &str,
    check: fn(&str) -> Option<Diagnostic>,
    known: Option<&Known<'_>>,
    problems: &mut Diagnostics,
) -> Option<BTreeSet<String>> {
    let mut all = BTreeSet::new();
    let each = format!("an item of {what}");
    for item in node.list(what, problems)? {
        let Some(name) = item.string(&each, problems) else {
            continue;
        };
        let found = check(name).or_else(|| known?.problem(name));
        let is_new = all.insert(name.to_owned());
        let repeated = || {
            let message = format!("{} is listed twice", quote(name));
            (!is_new).then(|| Diagnostic::new(code::DUPLICATE_ENTRY, message))
        };
        problems.extend(found.or_else(repeated).map(|one| one.at(item.span)));
    }
    Some(all)
}

fn limits(node: &Node, what: &str, problems: &mut Diagnostics) -> Option<AgentLimits> {
    let table = node.table(what, &LIMITS, problems)?;
    let defaults = AgentLimits::default();
    let mut number = |key: &str| {
        let what = format!("`limits.{key}`");
        let node = table.get(key)?;
        let number = node.integer(&what, 0..=u32::MAX, problems)?;
        if number == 0 {
            problems.push(check::zero_limit(&what).at(node.span));
        }
        Some(number)
    };
    let mut limits = AgentLimits {
        max_turns: number("max_turns").unwrap_or(defaults.max_turns),
        max_output_tokens: number("max_output_tokens").unwrap_or(defaults.max_output_tokens),
        max_input_tokens: number("max_input_tokens").unwrap_or(defaults.max_input_tokens),
        timeout: None,
    };
    if let Some(node) = table.get("timeout") {
        let what = "`limits.timeout`";
        limits.timeout = node.duration(what, problems);
        if limits.timeout.is_some_and(|time: Duration| time.is_zero()) {
            problems.push(check::zero_limit(what).at(node.span));
        }
    }
    Some(limits)
}

fn output(node: &Node, what: &str, problems: &mut Diagnostics) -> Option<AgentOutput> {
    match &node.value {
        Value::Table(_) => {
            let schema = node.to_json();
            problems.extend(check::schema_form(&schema).map(|one| one.at(node.span)));
            Some(AgentOutput::Schema(schema))
        }
        Value::String(word) if word == "text" => Some(AgentOutput::Text),
        Value::String(word) if word == "json" => Some(AgentOutput::Json),
        Value::String(word) => {
            let message = format!("{what} cannot be {}", quote(word));
            let one = Diagnostic::new(code::BAD_VALUE, message).at(node.span);
            problems.push(one.help("write `text`, `json`, or a JSON schema as a table"));
            None
        }
        Value::Null | Value::Bool(_) | Value::Integer(_) | Value::Float(_) | Value::List(_) => {
            node.wrong_type(what, "`text`, `json` or a table", problems);
            None
        }
    }
}
