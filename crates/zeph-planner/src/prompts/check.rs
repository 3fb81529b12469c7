//! The checks of prompts: reads a folder, and reports all problems of its templates at once.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read as _;
use std::path::Path;

use minijinja::{Environment, Error, Value};
use zeph_diagnostics::{Code, Diagnostic, Diagnostics, Source, list, quote};

use super::{PromptName, SUFFIX};

/// The codes of problems of prompts.
pub mod code {
    zeph_diagnostics::codes! {
        /// The folder or a file in it cannot be read.
        UNREADABLE = "unreadable",
        /// The file is not UTF-8.
        NOT_UTF8 = "not_utf8",
        /// The file has more than 256 KiB.
        TOO_LARGE = "too_large",
        /// The name of the file is not that of a prompt.
        UNKNOWN_PROMPT = "unknown_prompt",
        /// The text is not a template.
        SYNTAX = "syntax",
        /// The template uses an unknown variable.
        UNKNOWN_VARIABLE = "unknown_variable",
        /// The template does not use a required variable.
        MISSING_VARIABLE = "missing_variable",
        /// The template fails with possible values.
        FAILS = "fails",
    }
}

/// A problem of a file or a template of that name.
fn problem(code: Code, name: &str, message: impl Into<String>) -> Diagnostic {
    Diagnostic::new(code, message).in_source(&Source::new(name, ""))
}

/// A problem that the template engine found.
pub(super) fn template_problem(code: Code, name: PromptName, error: &Error) -> Diagnostic {
    let detail = error.detail();
    let why = detail.map_or_else(|| error.kind().to_string(), str::to_owned);
    let why = zeph_common::escape_terminal(&why);
    let message = match error.line() {
        Some(line) => format!("line {line}: {why}"),
        None => why.into_owned(),
    };
    problem(code, name.word(), message)
}

/// The prompts in a folder, and the problems of the other files.
pub(super) fn read_folder(
    folder: &Path,
    max_bytes: u64,
) -> (BTreeMap<PromptName, String>, Diagnostics) {
    let (mut texts, mut problems) = (BTreeMap::new(), Diagnostics::new());
    let shown = folder.to_string_lossy();
    let unreadable = |error: &std::io::Error| {
        problem(code::UNREADABLE, &shown, format!("cannot be read: {error}"))
    };
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => return (texts, unreadable(&error).into()),
    };
    let mut files = BTreeSet::new();
    for entry in entries {
        match entry {
            Ok(entry) => files.extend(Some(entry.file_name())),
            Err(error) => problems.push(unreadable(&error)),
        }
    }
    let words = || PromptName::ALL.iter().map(|name| name.word());
    for file in files {
        let shown = file.to_string_lossy();
        let Some(stem) = shown.strip_suffix(SUFFIX) else {
            continue;
        };
        let Some(name) = PromptName::ALL.iter().find(|name| name.word() == stem) else {
            let message = format!("no prompt is named {}", quote(stem));
            let near = problems.suggest(stem, words());
            let help = format!("expected one of {}", list(words()));
            problems.push(
                problem(code::UNKNOWN_PROMPT, &shown, message)
                    .help(help)
                    .suggest(near),
            );
            continue;
        };
        match read_file(&folder.join(&file), max_bytes) {
            Ok(text) => drop(texts.insert(*name, text)),
            Err((code, why)) => problems.push(problem(code, &shown, why)),
        }
    }
    (texts, problems)
}

fn read_file(path: &Path, max_bytes: u64) -> Result<String, (Code, String)> {
    let mut bytes = Vec::new();
    let file = fs::File::open(path);
    let read = file.and_then(|file| file.take(max_bytes + 1).read_to_end(&mut bytes));
    if let Err(error) = read {
        return Err((code::UNREADABLE, format!("cannot be read: {error}")));
    }
    if bytes.len() as u64 > max_bytes {
        let message = format!("has more than {max_bytes} bytes");
        return Err((code::TOO_LARGE, message));
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        (code::NOT_UTF8, format!("is not UTF-8 at byte {at}"))
    })
}

/// Checks the variables of a template, and renders it with test values.
pub(super) fn template(
    environment: &Environment<'_>,
    name: PromptName,
    problems: &mut Diagnostics,
) {
    let Ok(template) = environment.get_template(name.word()) else {
        return;
    };
    let before = problems.len();
    let used: BTreeSet<String> = template.undeclared_variables(false).into_iter().collect();
    let samples = name.samples();
    let known: BTreeSet<&str> = samples[0]
        .as_object()
        .into_iter()
        .flat_map(|map| map.keys().map(String::as_str))
        .collect();
    let is_global = |name: &str| environment.globals().any(|(global, _)| global == name);
    for variable in &used {
        if known.contains(variable.as_str()) || is_global(variable) {
            continue;
        }
        let message = format!("unknown variable {}", quote(variable));
        let near = problems.suggest(variable, known.iter().copied());
        let help = format!("expected one of {}", list(known.iter().copied()));
        problems.push(
            problem(code::UNKNOWN_VARIABLE, name.word(), message)
                .help(help)
                .suggest(near),
        );
    }
    for required in name.required() {
        if !used.contains(*required) {
            let message = format!("the required variable `{required}` is not used");
            problems.push(problem(code::MISSING_VARIABLE, name.word(), message));
        }
    }
    if problems.len() == before {
        // Variables inside loops are only evaluated when the template is rendered.
        let failed = samples.into_iter().find_map(|sample| {
            let sample = Value::from(minijinja::value::Serde(sample));
            template.render(sample).err()
        });
        problems.extend(failed.map(|error| template_problem(code::FAILS, name, &error)));
    }
}
