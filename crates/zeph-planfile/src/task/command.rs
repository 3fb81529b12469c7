//! Command tasks: `run`, `shell` and their keys.

use serde_json::{Map, Value as Json, json};
use zeph_common::FilePattern;
use zeph_diagnostics::{Diagnostic, Diagnostics, Entry, Node, Table, Value, quote};
use zeph_graph::wire::WorkSpec;

use super::{Draft, Kind, Mode, Rules, Stdout, Use, cache};
use crate::code;
use crate::fields::micros;
use crate::template::Template;

/// The action of tasks with a command.
pub(crate) const ACTION: &str = "command";

/// Reads a task that runs a command.
pub(super) fn read(
    work: &Entry,
    fields: &Table<'_>,
    defaults: &Rules,
    draft: &mut Draft,
    problems: &mut Diagnostics,
) {
    let mut params = Map::new();
    if work.key == "run" {
        let argv = read_argv(&work.node, draft, problems);
        params.insert("argv".to_owned(), argv.into());
    } else if let Some(script) = read_script(&work.node, draft, problems) {
        params.insert("shell".to_owned(), script.into());
    }
    if let Some(node) = fields.get("stdin")
        && let Value::String(text) = &node.value
    {
        // Not `Node::string`: unlike an argument, standard input may have NUL characters.
        draft.stdin = Some(node.span);
        params.insert("stdin".to_owned(), text.as_str().into());
        draft.uses.push(Use::new(text, node, Mode::Private));
    } else if let Some(node) = fields.get("stdin") {
        node.wrong_type("`stdin`", "a string", problems);
    }
    let rules = Rules::read(fields, &mut draft.uses, problems);
    let mut env = Map::new();
    for (name, value) in defaults.env.iter().chain(&rules.env) {
        env.insert(name.clone(), value.as_str().into());
    }
    if !env.is_empty() {
        params.insert("env".to_owned(), env.into());
    }
    let passed = rules.pass_env.as_ref().or(defaults.pass_env.as_ref());
    if let Some(names) = passed.filter(|names| !names.is_empty()) {
        params.insert("pass_env".to_owned(), json!(names));
    }
    if let Some(cwd) = rules.cwd.as_ref().or(defaults.cwd.as_ref()) {
        params.insert("cwd".to_owned(), cwd.as_str().into());
    }
    let path = rules.path.as_ref().or(defaults.path.as_ref());
    if let Some(folders) = path.filter(|folders| !folders.is_empty()) {
        params.insert("path".to_owned(), json!(folders));
    }
    let words = [
        ("text", Stdout::Text),
        ("json", Stdout::Json),
        ("none", Stdout::None),
    ];
    let stdout = fields.read("output", |node, what| node.word(what, &words, problems));
    let stdout = stdout.unwrap_or_default();
    draft.kind = Kind::Command(stdout);
    match stdout {
        Stdout::Text => None,
        Stdout::Json => params.insert("output".to_owned(), "json".into()),
        Stdout::None => params.insert("output".to_owned(), "none".into()),
    };
    let mut known: Vec<(i32, &str)> = Vec::new();
    for key in ["ok_codes", "skip_codes", "retry_codes"] {
        if let Some(node) = fields.get(key) {
            let codes = exit_codes(key, node, problems);
            let of_another = |code: &&i32| known.iter().find(|(other, _)| other == *code);
            if let Some((code, other)) = codes.iter().find_map(|code| of_another(&code)) {
                let message = format!("the exit code {code} is in `{other}` and in `{key}`");
                let one = Diagnostic::new(code::BAD_VALUE, message).at(node.span);
                problems.push(one.help("it means one of them: remove it from the other"));
            }
            known.extend(codes.iter().map(|code| (*code, key)));
            params.insert(key.to_owned(), json!(codes));
        }
    }
    if let Some(node) = fields.get("artifacts") {
        let patterns = file_patterns("artifacts", node, &mut draft.uses, problems);
        draft.has_artifacts = true;
        params.insert("artifacts".to_owned(), json!(patterns));
    }
    cache::read(fields, draft, problems);
    draft.spec.idle_timeout_us =
        fields.read("idle_timeout", |node, what| micros(node, what, problems));
    rules.apply(defaults, draft);
    draft.spec.work = WorkSpec::Action {
        name: ACTION.to_owned(),
        params: params.into(),
    };
}

/// Reads `run`.
fn read_argv(node: &Node, draft: &mut Draft, problems: &mut Diagnostics) -> Vec<Json> {
    if let Value::String(text) = &node.value {
        let message = "`run` must be a list of the program and its arguments";
        problems.push(
            Diagnostic::new(code::WRONG_TYPE, message)
                .at(node.span)
                .help(format!("for a script write `shell = {}`", quote(text))),
        );
        return Vec::new();
    }
    let items = node.list("`run`", problems);
    let mut argv = Vec::new();
    for item in items.unwrap_or_default() {
        // A number is accepted too. It is passed in its JSON form, so `1e3` becomes `1000.0`.
        let text = match &item.value {
            Value::Integer(_) | Value::Float(_) => Some(item.to_json().to_string()),
            Value::Null | Value::Bool(_) | Value::String(_) | Value::List(_) | Value::Table(_) => {
                item.string("an argument in `run`", problems)
                    .map(str::to_owned)
            }
        };
        let text = text.unwrap_or_default();
        draft.uses.push(Use::new(&*text, item, Mode::Visible));
        draft.argv.push(item.span);
        argv.push(text.into());
    }
    // A first element of a wrong type is reported above.
    let has_no_program = match items {
        Some([first, ..]) => matches!(&first.value, Value::String(text) if text.is_empty()),
        Some([]) => true,
        None => false,
    };
    if has_no_program {
        problems.push(
            Diagnostic::new(code::BAD_VALUE, "`run` has no program")
                .at(node.span)
                .help("write its name as the first element"),
        );
    }
    argv
}

/// Reads `shell`.
fn read_script(node: &Node, draft: &mut Draft, problems: &mut Diagnostics) -> Option<String> {
    // A shell takes the `\r` of a line break as a part of the last word.
    let script = node.string("`shell`", problems)?.replace("\r\n", "\n");
    if script.trim().is_empty() {
        problems.push(Diagnostic::new(code::BAD_VALUE, "`shell` is empty").at(node.span));
    }
    draft.uses.push(Use::new(&*script, node, Mode::Code));
    Some(script)
}

/// Reads `env`.
pub(crate) fn env(
    node: &Node,
    uses: &mut Vec<Use>,
    problems: &mut Diagnostics,
) -> Vec<(String, String)> {
    let Some(fields) = node.any_table("`env`", problems) else {
        return Vec::new();
    };
    let mut env = Vec::new();
    for entry in fields.entries() {
        if entry.key.is_empty() || entry.key.contains(['=', '\0']) {
            let message = format!("{} cannot name a variable", quote(&entry.key));
            problems.push(
                Diagnostic::new(code::BAD_VALUE, message)
                    .at(entry.key_span)
                    .help("use a name without '=' and NUL"),
            );
            continue;
        }
        let text = match &entry.node.value {
            Value::Integer(_) | Value::Float(_) | Value::Bool(_) => {
                entry.node.to_json().to_string()
            }
            Value::Null | Value::String(_) | Value::List(_) | Value::Table(_) => {
                let Some(text) = entry.node.string("a variable in `env`", problems) else {
                    continue;
                };
                uses.push(Use::new(text, &entry.node, Mode::Private));
                text.to_owned()
            }
        };
        env.push((entry.key.clone(), text));
    }
    env
}

/// Reads the name of an environment variable.
pub(crate) fn variable(node: &Node, what: &str, problems: &mut Diagnostics) -> Option<String> {
    let name = node.string(what, problems)?;
    if name.is_empty() || name.contains(['=', '$', '{', '}']) || name.contains(char::is_whitespace)
    {
        let message = format!("{what} cannot be {}", quote(name));
        problems.push(
            Diagnostic::new(code::BAD_VALUE, message)
                .at(node.span)
                .help("write the name of a variable, such as \"DEPLOY_TOKEN\""),
        );
        return None;
    }
    Some(name.to_owned())
}

/// Reads `pass_env`.
pub(super) fn pass_env(node: &Node, problems: &mut Diagnostics) -> Vec<String> {
    let items = node.list("`pass_env`", problems).unwrap_or_default().iter();
    let what = "a variable in `pass_env`";
    items
        .filter_map(|item| variable(item, what, problems))
        .collect()
}

/// Reads `path`. The output of a task in it would decide which programs run.
pub(super) fn path(node: &Node, uses: &mut Vec<Use>, problems: &mut Diagnostics) -> Vec<String> {
    let items = node.list("`path`", problems).unwrap_or_default().iter();
    let folder = |item: &Node| {
        let text = item.string("a folder in `path`", problems)?;
        if text.is_empty() || text.contains(':') {
            let message = format!("a folder in `path` cannot be {}", quote(text));
            let one = Diagnostic::new(code::BAD_VALUE, message).at(item.span);
            problems.push(one.help("write one folder for each item, such as \"./bin\""));
            return None;
        }
        uses.push(Use::new(text, item, Mode::Early));
        Some(text.to_owned())
    };
    items.filter_map(folder).collect()
}

/// Reads `cwd`.
pub(super) fn cwd(node: &Node, uses: &mut Vec<Use>, problems: &mut Diagnostics) -> Option<String> {
    let text = node.string("`cwd`", problems)?;
    if text.is_empty() {
        problems.push(
            Diagnostic::new(code::BAD_VALUE, "`cwd` is empty")
                .at(node.span)
                .help("remove the key to use the folder of the plan"),
        );
        return None;
    }
    uses.push(Use::new(text, node, Mode::Visible));
    Some(text.to_owned())
}

/// Reads patterns of files. One with an expression is checked again when it has its value.
pub(super) fn file_patterns(
    key: &str,
    node: &Node,
    uses: &mut Vec<Use>,
    problems: &mut Diagnostics,
) -> Vec<String> {
    let items = node.list(&format!("`{key}`"), problems).unwrap_or_default();
    if items.is_empty() && matches!(node.value, Value::List(_)) {
        let one = Diagnostic::new(code::BAD_VALUE, format!("`{key}` is empty")).at(node.span);
        problems
            .push(one.help("list at least one pattern, such as \"dist/*.tar.gz\" or \"src/**\""));
    }
    let mut patterns = Vec::new();
    for item in items {
        let Some(text) = item.string(&format!("a pattern in `{key}`"), problems) else {
            continue;
        };
        let is_fixed = Template::parse(text).is_ok_and(|one| !one.has_expressions());
        if let Some(why) = is_fixed.then(|| FilePattern::parse(text).err()).flatten() {
            let message = format!("{} in `{key}` is no pattern of files: {why}", quote(text));
            let one = Diagnostic::new(code::BAD_VALUE, message).at(item.span);
            problems.push(one.help("write a path relative to the folder of the task, such as \"dist/*.tar.gz\" or \"out/**\""));
        }
        uses.push(Use::new(text, item, Mode::Visible));
        patterns.push(text.to_owned());
    }
    patterns
}

fn exit_codes(key: &str, node: &Node, problems: &mut Diagnostics) -> Vec<i32> {
    let items = node.list(&format!("`{key}`"), problems);
    if items.is_some_and(<[Node]>::is_empty) {
        problems.push(
            Diagnostic::new(code::BAD_VALUE, format!("`{key}` is empty"))
                .at(node.span)
                .help("list at least one exit code, such as 0"),
        );
    }
    let items = items.unwrap_or_default().iter();
    let codes = items.filter_map(|item| item.integer("an exit code", 0..=255, problems));
    codes.collect()
}
