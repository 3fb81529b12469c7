//! Commands: `run` and `shell` with all that belongs to them.

use serde_json::{Map, Value as Json, json};
use zeph_graph::wire::WorkSpec;

use super::{Draft, Kind, Mode, Rules, Use};
use crate::errors::PlanCode;
use crate::fields::{self, Fields};
use crate::node::{Entry, Node, Value};
use crate::place::{Problems, show};

/// The action that commands are.
pub(crate) const ACTION: &str = "command";

/// Reads a task that runs something.
pub(super) fn read(
    work: &Entry,
    fields: &Fields<'_>,
    defaults: &Rules,
    draft: &mut Draft,
    problems: &mut Problems,
) {
    let mut params = Map::new();
    if work.key == "run" {
        let argv = run(&work.node, draft, problems);
        params.insert("argv".to_owned(), argv.into());
    } else if let Some(script) = script(&work.node, draft, problems) {
        params.insert("shell".to_owned(), script.into());
    }
    if let Some(node) = fields.get("stdin")
        && let Value::Text(text) = &node.value
    {
        // Unlike an argument, standard input may have NUL characters.
        draft.stdin = Some(node.place);
        params.insert("stdin".to_owned(), text.as_str().into());
        note(text, node, Mode::Private, &mut draft.uses);
    } else if let Some(node) = fields.get("stdin") {
        fields::wrong_type(node, "`stdin`", "a text", problems);
    }
    let rules = Rules::read(fields, &mut draft.uses, problems);
    let mut env = Map::new();
    for (name, value) in defaults.env.iter().chain(&rules.env) {
        env.insert(name.clone(), value.as_str().into());
    }
    if !env.is_empty() {
        params.insert("env".to_owned(), env.into());
    }
    if let Some(cwd) = rules.cwd.as_ref().or(defaults.cwd.as_ref()) {
        params.insert("cwd".to_owned(), cwd.as_str().into());
    }
    let words = [("text", false), ("json", true)];
    let output = fields.get("output");
    let json = output.and_then(|node| fields::word(node, "`output`", &words, problems));
    draft.kind = Kind::Command {
        json: json == Some(true),
    };
    if json == Some(true) {
        params.insert("output".to_owned(), "json".into());
    }
    if let Some(node) = fields.get("ok_codes") {
        params.insert("ok_codes".to_owned(), ok_codes(node, problems));
    }
    rules.apply(defaults, draft);
    draft.spec.work = WorkSpec::Action {
        name: ACTION.to_owned(),
        params: params.into(),
    };
}

fn note(text: &str, node: &Node, mode: Mode, uses: &mut Vec<Use>) {
    uses.push(Use {
        text: text.to_owned(),
        place: node.place,
        mode,
    });
}

fn run(node: &Node, draft: &mut Draft, problems: &mut Problems) -> Vec<Json> {
    if let Value::Text(text) = &node.value {
        let message = "`run` must be a list of the program and its arguments";
        problems
            .add(PlanCode::WrongType, node.place, message)
            .help(format!("for a script write `shell = {}`", show(text)));
        return Vec::new();
    }
    let items = fields::list(node, "`run`", problems);
    let mut argv = Vec::new();
    for item in items.unwrap_or_default() {
        // A number is plain enough to be taken as it is written.
        let text = match &item.value {
            Value::Number(number) => Some(number.to_string()),
            Value::Null | Value::Bool(_) | Value::Text(_) | Value::List(_) | Value::Table(_) => {
                fields::text(item, "an argument in `run`", problems).map(str::to_owned)
            }
        };
        let text = text.unwrap_or_default();
        note(&text, item, Mode::Visible, &mut draft.uses);
        draft.argv.push(item.place);
        argv.push(text.into());
    }
    // A first element of a wrong type has been told of already.
    let unnamed = match items {
        Some([first, ..]) => matches!(&first.value, Value::Text(text) if text.is_empty()),
        Some([]) => true,
        None => false,
    };
    if unnamed {
        problems
            .add(PlanCode::BadValue, node.place, "`run` has no program")
            .help("write its name as the first element");
    }
    argv
}

fn script<'a>(node: &'a Node, draft: &mut Draft, problems: &mut Problems) -> Option<&'a str> {
    let script = fields::text(node, "`shell`", problems)?;
    if script.trim().is_empty() {
        problems.add(PlanCode::BadValue, node.place, "`shell` is empty");
    }
    note(script, node, Mode::Code, &mut draft.uses);
    Some(script)
}

/// Reads `env`.
pub(super) fn env(
    node: &Node,
    uses: &mut Vec<Use>,
    problems: &mut Problems,
) -> Vec<(String, String)> {
    let Some(fields) = Fields::open_any(node, "`env`", problems) else {
        return Vec::new();
    };
    let mut env = Vec::new();
    for entry in fields.entries() {
        if entry.key.is_empty() || entry.key.contains(['=', '\0']) {
            let message = format!("{} cannot name a variable", show(&entry.key));
            problems
                .add(PlanCode::BadValue, entry.key_place, message)
                .help("use a name without '=' and NUL");
            continue;
        }
        let text = match &entry.node.value {
            Value::Number(number) => number.to_string(),
            Value::Bool(value) => value.to_string(),
            Value::Null | Value::Text(_) | Value::List(_) | Value::Table(_) => {
                let Some(text) = fields::text(&entry.node, "a variable in `env`", problems) else {
                    continue;
                };
                note(text, &entry.node, Mode::Private, uses);
                text.to_owned()
            }
        };
        env.push((entry.key.clone(), text));
    }
    env
}

/// Reads `cwd`.
pub(super) fn cwd(node: &Node, uses: &mut Vec<Use>, problems: &mut Problems) -> Option<String> {
    let text = fields::text(node, "`cwd`", problems)?;
    if text.is_empty() {
        problems
            .add(PlanCode::BadValue, node.place, "`cwd` is empty")
            .help("leave it out for the plan's own folder");
        return None;
    }
    note(text, node, Mode::Visible, uses);
    Some(text.to_owned())
}

fn ok_codes(node: &Node, problems: &mut Problems) -> Json {
    let items = fields::list(node, "`ok_codes`", problems);
    if items.is_some_and(<[Node]>::is_empty) {
        problems
            .add(PlanCode::BadValue, node.place, "`ok_codes` is empty")
            .help("with none, no attempt could succeed");
    }
    let items = items.unwrap_or_default().iter();
    let codes = items.filter_map(|item| fields::integer(item, "an exit code", (0, 255), problems));
    let codes: Vec<i32> = codes.collect();
    json!(codes)
}
