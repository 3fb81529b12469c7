//! Tasks: from the table of a task to its specification, with the data for later checks.

mod agent;
mod ask;
mod cache;
mod check;
pub(crate) mod command;
mod foreach;
mod retry;
mod rules;

use zeph_diagnostics::{Code, Diagnostic, Diagnostics, Entry, Node, Span, Table, Value, quote};
use zeph_graph::wire::{TaskSpec, WorkSpec};
use zeph_graph::{Retry, Trigger};

use serde_json::json;

use crate::code;
use crate::fields::micros;
use crate::foreign;
use crate::include::add_missing;
use crate::template::Template;
use crate::templated::CONDITION;

pub(crate) use foreach::lane as item_lane;
pub(crate) use rules::{FALLBACK, Rules};

/// A text of the plan that may have expressions.
#[derive(Clone, Debug)]
pub(crate) struct Use {
    pub(crate) text: String,
    pub(crate) place: Span,
    pub(crate) mode: Mode,
}

impl Use {
    pub(crate) fn new(text: impl Into<String>, node: &Node, mode: Mode) -> Self {
        Self {
            text: text.into(),
            place: node.span,
            mode,
        }
    }
}

/// The destination of a text, which limits the values that its expressions may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Filled in before the run, and stored: only parameters that are not secrets.
    Early,
    /// An argument or a folder, which other users can see: everything but secrets.
    Visible,
    /// Evaluated once for all items of a list, and stored: as `Visible`, but without the item.
    Once,
    /// Evaluated after an attempt: as `Visible`, and the result of the task itself as `result`.
    Result,
    /// The environment or standard input of a command: everything.
    Private,
    /// A script: nothing.
    Code,
}

/// The kind of a task's work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Kind {
    #[default]
    Milestone,
    Question,
    Command(Stdout),
    Agent,
}

/// What becomes of a command's standard output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Stdout {
    #[default]
    Text,
    Json,
    None,
}

/// A task as it was read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Draft {
    pub(crate) spec: TaskSpec,
    pub(crate) kind: Kind,
    pub(crate) place: Span,
    pub(crate) uses: Vec<Use>,
    /// The span of each element of `run`.
    pub(crate) argv: Vec<Span>,
    pub(crate) stdin: Option<Span>,
    /// Its retries, before a default policy fills in the keys that are missing.
    retry: Option<retry::RetryKeys>,
    /// The most items that run at the same time.
    pub(crate) max_parallel: Option<u32>,
    /// Whether it leaves artifacts.
    pub(crate) has_artifacts: bool,
    /// Its `cache`.
    pub(crate) cache: Option<Span>,
    /// Whether it is a cell of a matrix, but not the first one: its problems have been reported.
    pub(crate) is_other_cell: bool,
    marks: Vec<(Code, Span)>,
}

impl Draft {
    /// The span of a problem that the graph reported, if a more exact one than the task's is known.
    pub(crate) fn mark(&self, code: Code) -> Option<Span> {
        let found = self.marks.iter().find(|(of, _)| *of == code);
        found.map(|(_, place)| *place)
    }

    /// Fills in the missing keys of the retries from a policy, if the task has retries.
    pub(crate) fn resolve_retry(&mut self, defaults: Retry) {
        if let Some(keys) = self.retry {
            self.spec.retry = keys.resolve(defaults);
        }
    }

    /// The span of a text of the task.
    pub(crate) fn place_of(&self, text: &str) -> Span {
        let found = self.uses.iter().find(|one| one.text == text);
        found.map_or(self.place, |one| one.place)
    }
}

/// The keys of any task.
const COMMON: [&str; 8] = [
    "needs",
    "after",
    "when",
    "finally",
    "description",
    "approve",
    "priority",
    "hint",
];
/// The keys that are expanded before a task is read.
const EXPANDED: [&str; 3] = [crate::matrix::KEY, crate::subplan::KEY, "params"];
/// The keys that give a task its work.
const WORK: [&str; 4] = ["run", "shell", "prompt", "ask"];
/// Keys that only some tasks have, and which.
type Keys = (&'static [&'static str], &'static str);

const ATTEMPT: Keys = (
    &[
        "output",
        "retry",
        "timeout",
        "total_timeout",
        "on_failure",
        "effect",
        "lanes",
        "foreach",
        "check",
    ],
    "only commands and prompts",
);
const COMMAND: Keys = (
    &[
        "stdin",
        "env",
        "pass_env",
        "cwd",
        "path",
        "ok_codes",
        "skip_codes",
        "retry_codes",
        "idle_timeout",
        "artifacts",
        "cache",
    ],
    "only commands",
);
const AGENT: Keys = (
    &[
        "agent",
        "model",
        "effort",
        "tools",
        "tags",
        "context",
        "max_output_tokens",
        "budget",
    ],
    "only prompts",
);

/// The keys that the reader knows, for the schema.
pub(crate) mod keys {
    pub(crate) use super::rules::KEYS as DEFAULTS;

    /// The keys of a task.
    pub(crate) fn all() -> Vec<&'static str> {
        let expanded = &super::EXPANDED;
        let (attempt, command, agent) = (super::ATTEMPT.0, super::COMMAND.0, super::AGENT.0);
        [
            &super::COMMON[..],
            expanded,
            &super::WORK,
            attempt,
            command,
            agent,
        ]
        .concat()
    }
}

/// Reads the keys of `[defaults]`.
pub(crate) fn read_defaults(node: &Node, problems: &mut Diagnostics) -> (Rules, Vec<Use>) {
    let mut uses = Vec::new();
    let Some(fields) =
        node.table_with_help("`defaults`", &rules::KEYS, foreign::task_key, problems)
    else {
        return (Rules::default(), uses);
    };
    let rules = Rules::read(&fields, &mut uses, problems);
    if let Some(place) = rules.fallback {
        let message = "`fallback` belongs to one task, not to `defaults`";
        let one = Diagnostic::new(code::MISPLACED_KEY, message).at(place);
        problems.push(one.help("a task can run in place of one other task only: write it there"));
    }
    (rules, uses)
}

/// Adds the keys of `[defaults]` that a task does not have, for a task that leaves its plan.
pub(crate) fn apply_default_nodes(task: &mut Entry, defaults: &[Entry]) {
    let Value::Table(fields) = &task.node.value else {
        return;
    };
    let has = |key: &str| fields.iter().any(|field| field.key == key);
    let is_command = has("run") || has("shell");
    if !is_command && !has("prompt") {
        return;
    }
    let fits = |entry: &&Entry| is_command || !COMMAND.0.contains(&entry.key.as_str());
    for default in defaults.iter().filter(fits) {
        let Value::Table(fields) = &mut task.node.value else {
            return;
        };
        match fields.iter_mut().find(|field| field.key == default.key) {
            None => fields.push(default.clone()),
            Some(own) if default.key == "env" => add_missing(&mut own.node, default.node.clone()),
            Some(_) => {}
        }
    }
}

/// Reads a task. An unreadable value is reported and omitted, so that the rest is checked too.
pub(crate) fn read(entry: &Entry, defaults: &Rules, problems: &mut Diagnostics) -> Draft {
    let mut draft = Draft {
        place: entry.key_span,
        ..Draft::default()
    };
    draft.spec.name.clone_from(&entry.key);
    draft.spec.span = Some(entry.key_span.into());
    let what = format!("the task {}", quote(&entry.key));
    let known = keys::all();
    let Some(fields) = entry
        .node
        .table_with_help(&what, &known, foreign::task_key, problems)
    else {
        return draft;
    };
    let work: Vec<&Entry> = WORK.iter().filter_map(|key| fields.entry(key)).collect();
    for second in work.iter().skip(1) {
        let message = format!("{what} has both `{}` and `{}`", work[0].key, second.key);
        problems.push(
            Diagnostic::new(code::TWO_KINDS_OF_WORK, message)
                .at(second.key_span)
                .help("make two tasks of it"),
        );
    }
    let of_plans: Keys = (&["params"], "only tasks with `plan`");
    misplaced(&fields, &[of_plans], "without `plan`", problems);
    common(&fields, &mut draft, problems);
    condition(&fields, &mut draft, problems);
    if !matches!(work.first(), Some(entry) if entry.key != "ask") {
        let priority = fields.read("priority", |node, _| rules::priority(node, problems));
        draft.spec.priority = priority.unwrap_or_default();
    }
    match work.first() {
        Some(entry) if entry.key == "ask" => {
            let keys = [ATTEMPT, COMMAND, AGENT];
            misplaced(&fields, &keys, "that asks a person", problems);
            draft.kind = Kind::Question;
            ask::read(&entry.node, &mut draft, problems);
        }
        Some(entry) if entry.key == "prompt" => {
            misplaced(&fields, &[COMMAND], "with a prompt", problems);
            agent::read(entry, &fields, defaults, &mut draft, problems);
            check::read(&fields, &mut draft, problems);
            foreach::read(&fields, &mut draft, problems);
        }
        Some(entry) => {
            misplaced(&fields, &[AGENT], "that runs a command", problems);
            command::read(entry, &fields, defaults, &mut draft, problems);
            check::read(&fields, &mut draft, problems);
            foreach::read(&fields, &mut draft, problems);
        }
        None => {
            without_work(&fields, problems);
            draft.spec.work = WorkSpec::default();
        }
    }
    draft
}

/// Reads `when`: the preparation of the task.
fn condition(fields: &Table<'_>, draft: &mut Draft, problems: &mut Diagnostics) {
    let Some(node) = fields.get(CONDITION) else {
        return;
    };
    if let Some(text) = one_expression(CONDITION, node, problems) {
        draft.uses.push(Use::new(text, node, Mode::Once));
        draft.spec.prepare = Some(json!({ CONDITION: text }));
    }
}

/// A text that is one expression, the value of that key.
fn one_expression<'n>(key: &str, node: &'n Node, problems: &mut Diagnostics) -> Option<&'n str> {
    let text = node.string(&format!("`{key}`"), problems)?;
    if Template::parse(text).is_ok_and(|one| one.sole().is_some()) {
        return Some(text);
    }
    let message = format!("`{key}` must be one expression");
    let one = Diagnostic::new(code::BAD_VALUE, message).at(node.span);
    let help = format!(
        "write the whole condition as one: `{key} = \"${{{{ {} }}}}\"`",
        text.trim()
    );
    problems.push(if text.contains("${{") {
        one
    } else {
        one.help(help)
    });
    None
}

/// A task without work, which only joins its dependencies. An `agent` without a `prompt` is an error.
fn without_work(fields: &Table<'_>, problems: &mut Diagnostics) {
    let keys = [ATTEMPT, COMMAND, (&AGENT.0[1..], AGENT.1)];
    let kind = "without `run`, `shell`, `prompt` or `ask`";
    misplaced(fields, &keys, kind, problems);
    if let Some(agent) = fields.entry("agent") {
        problems.push(
            Diagnostic::new(code::MISSING_KEY, "an agent needs a `prompt`")
                .at(agent.key_span)
                .help("write what it is to do: `prompt = \"…\"`"),
        );
    }
}

fn misplaced(fields: &Table<'_>, keys: &[Keys], kind: &str, problems: &mut Diagnostics) {
    for (keys, who) in keys {
        for entry in keys.iter().filter_map(|key| fields.entry(key)) {
            let message = format!("`{}` has no meaning on a task {kind}", entry.key);
            let one = Diagnostic::new(code::MISPLACED_KEY, message).at(entry.key_span);
            problems.push(one.help(format!("{who} have it")));
        }
    }
}

/// Reads the keys that every task may have.
fn common(fields: &Table<'_>, draft: &mut Draft, problems: &mut Diagnostics) {
    if let Some(node) = fields.get("needs") {
        for item in node.list("`needs`", problems).unwrap_or_default() {
            if let Some(name) = item.string("a name in `needs`", problems) {
                draft.spec.needs.push(name.to_owned());
                draft.spec.needs_spans.push(item.span.into());
            }
        }
    }
    let after = fields.read("after", |node, what| {
        if let Value::String(word) = &node.value
            && let Some(help) = foreign::after_word(word)
        {
            let message = format!("{what} cannot be {}", quote(word));
            let one = Diagnostic::new(code::BAD_VALUE, message).at(node.span);
            problems.push(one.help(help));
            return None;
        }
        node.parse(what, Trigger::WORDS, problems)
    });
    draft.spec.trigger = after.unwrap_or_default();
    let finally = fields.read("finally", |node, what| node.boolean(what, problems));
    draft.spec.finally = finally.unwrap_or_default();
    if let Some(node) = fields.get("description")
        && let Some(text) = node.string("`description`", problems)
    {
        let metadata = &mut draft.spec.metadata;
        metadata.insert("description".to_owned(), text.to_owned());
        draft.uses.push(Use::new(text, node, Mode::Early));
    }
    draft.spec.hint_us = fields.read("hint", |node, what| micros(node, what, problems));
    if let Some(node) = fields.get("approve") {
        draft.spec.approve = ask::approve(node, &mut draft.uses, problems);
    }
}
