//! Agent tasks: `prompt` and its keys.

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json, json};
use zeph_common::Effort;
use zeph_diagnostics::{Code, Diagnostic, Diagnostics, Entry, Node, Table, Value, quote};
use zeph_graph::wire::WorkSpec;

use super::{Draft, Kind, Mode, Rules, Use};
use crate::budget;
use crate::code;
use crate::matrix::group_of;
use crate::references::{Reference, references_in};
use crate::template::{escape, texts_mut};

/// The action of tasks with a prompt.
pub(crate) const ACTION: &str = "agent";

/// The keys with names that a host knows, and the codes of its problems with them.
const NAMED: [(&str, [Code; 2]); 2] = [
    ("agent", [Code::new("unknown_agent"), Code::new("no_agent")]),
    (
        "tools",
        [Code::new("unknown_tool"), Code::new("tool_not_allowed")],
    ),
];

/// Reads a task that asks a model.
pub(super) fn read(
    work: &Entry,
    fields: &Table<'_>,
    defaults: &Rules,
    draft: &mut Draft,
    problems: &mut Diagnostics,
) {
    let prompt = prompt(&work.node, draft, problems);
    let agent = fields.read("agent", |node, what| name(node, what, problems));
    for (key, codes) in NAMED {
        if let Some(node) = fields.get(key) {
            draft.marks.extend(codes.map(|code| (code, node.span)));
        }
    }
    let model = fields.read("model", |node, what| model(node, what, problems));
    let words = Effort::ALL.map(|effort| (effort.word(), effort.word()));
    let effort = fields.read("effort", |node, what| node.word(what, &words, problems));
    let mut names = |key: &str| {
        let node = fields.get(key)?;
        Some(names(node, key, problems))
    };
    let (tools, tags) = (names("tools"), names("tags"));
    // The names of tasks; those of cells have other characters.
    let context = fields.read("context", |node, what| node.strings(what, problems));
    let context = context.map(|names| names.into_iter().map(str::to_owned).collect::<Vec<_>>());
    let context = match context {
        Some(context) => {
            check_context(&context, fields, draft, problems);
            context
        }
        None => unnamed_needs(&prompt, draft),
    };
    let output = fields.read("output", |node, what| output_format(node, what, problems));
    draft.kind = Kind::Agent;
    let max_output = fields.read("max_output_tokens", |node, what| {
        node.integer::<u32>(what, 1..=1 << 20, problems)
    });
    let budget = fields.read("budget", |node, _| budget::read(node, problems));
    draft.spec.budget = budget.unwrap_or_default();
    // Absent parameters are omitted, so that the journal's header stays short.
    let mut params = Map::new();
    let mut put = |key: &str, value: Option<Json>| {
        params.extend(value.map(|value| (key.to_owned(), value)));
    };
    put("agent", agent.map(Json::from));
    put("prompt", Some(prompt.into()));
    put("model", model.map(Json::from));
    put("effort", effort.map(Json::from));
    put("tools", tools.map(Json::from));
    put("tags", tags.map(Json::from));
    put("output", output);
    put("context", Some(context.into()));
    put("max_output_tokens", max_output.map(Json::from));
    let rules = Rules::read(fields, &mut draft.uses, problems);
    rules.apply(defaults, draft);
    draft.spec.work = WorkSpec::Action {
        name: ACTION.to_owned(),
        params: params.into(),
    };
}

fn prompt(node: &Node, draft: &mut Draft, problems: &mut Diagnostics) -> String {
    let Some(text) = node.string("`prompt`", problems) else {
        return String::new();
    };
    if text.trim().is_empty() {
        problems.push(Diagnostic::new(code::BAD_VALUE, "`prompt` is empty").at(node.span));
    }
    draft.uses.push(Use::new(text, node, Mode::Visible));
    text.to_owned()
}

/// A name is not a template: the characters of an expression are refused, like all other special ones.
fn name(node: &Node, what: &str, problems: &mut Diagnostics) -> Option<String> {
    let text = node.string(what, problems)?;
    let fits = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ':');
    if text.is_empty() || text.len() > 128 || !text.chars().all(fits) {
        let message = format!("{what} cannot be {}", quote(text));
        problems.push(
            Diagnostic::new(code::BAD_VALUE, message)
                .at(node.span)
                .help("use 1 to 128 letters, digits, '_', '-', '.' and ':'"),
        );
        return None;
    }
    Some(text.to_owned())
}

/// The name of a model: no template either.
fn model(node: &Node, what: &str, problems: &mut Diagnostics) -> Option<String> {
    let text = node.string(what, problems)?;
    let fits = |c: char| c.is_ascii_graphic() && !"${}".contains(c);
    if text.is_empty() || text.len() > 200 || !text.chars().all(fits) {
        let message = format!("{what} cannot be {}", quote(text));
        let one = Diagnostic::new(code::BAD_VALUE, message).at(node.span);
        problems.push(one.help("name service and model: `model = \"ollama::qwen3:8b\"`"));
        return None;
    }
    Some(text.to_owned())
}

fn names(node: &Node, key: &str, problems: &mut Diagnostics) -> Vec<String> {
    let items = node.list(&format!("`{key}`"), problems).unwrap_or_default();
    let what = format!("a name in `{key}`");
    let mut seen = BTreeSet::new();
    let found = items.iter().filter_map(|item| name(item, &what, problems));
    found.filter(|name| seen.insert(name.clone())).collect()
}

/// Checks that the context of a prompt names only dependencies of its task.
fn check_context(
    context: &[String],
    fields: &Table<'_>,
    draft: &Draft,
    problems: &mut Diagnostics,
) {
    for name in context
        .iter()
        .filter(|name| !draft.spec.needs.contains(name))
    {
        let place = fields.get("context").map_or(fields.span, |node| node.span);
        let near = problems.suggest(name, draft.spec.needs.iter().map(String::as_str));
        let message = format!("`context` names {} without needing it", quote(name));
        let one = Diagnostic::new(code::NOT_A_NEED, message).at(place);
        problems.push(
            one.help(format!("add {} to `needs`", quote(name)))
                .suggest(near),
        );
    }
}

/// The dependencies that the text of the prompt does not use; their results are added to the prompt.
fn unnamed_needs(prompt: &str, draft: &Draft) -> Vec<String> {
    let used = references_in(prompt).into_iter();
    let named: BTreeSet<String> = used
        .filter_map(|one| match one {
            Reference::Task { name, .. } => Some(name),
            Reference::Param(_) | Reference::Run(_) | Reference::Item | Reference::ItemIndex => {
                None
            }
        })
        .collect();
    let needs = draft.spec.needs.iter();
    let is_named = |name: &str| {
        named.contains(name) || group_of(name).is_some_and(|group| named.contains(group))
    };
    needs.filter(|name| !is_named(name)).cloned().collect()
}

/// `text`, `json`, or a table that is the schema of the answer.
fn output_format(node: &Node, what: &str, problems: &mut Diagnostics) -> Option<Json> {
    if let Value::Table(_) = node.value {
        let mut schema = node.to_json();
        // The texts of a schema are not templates.
        for text in texts_mut(&mut schema) {
            *text = escape(text.as_str().unwrap_or_default()).into();
        }
        return Some(json!({ "schema": schema }));
    }
    let words = [("text", "text"), ("json", "json")];
    node.word(what, &words, problems).map(Json::from)
}
