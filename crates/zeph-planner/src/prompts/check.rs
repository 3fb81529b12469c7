//! Checks of prompts: everything that is wrong with a set of them, at once.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::io::Read as _;
use std::path::Path;

use minijinja::{Environment, Error, Value};

use super::{ENDING, PromptName};

/// What kind of defect a prompt has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum PromptFault {
    /// The folder or a file in it cannot be read.
    Unreadable,
    /// The file is not UTF-8.
    NotUtf8,
    /// The file has more than 256 KiB.
    TooLarge,
    /// No prompt has the name of the file.
    UnknownPrompt,
    /// The text is not a template.
    Syntax,
    /// The template uses a variable that there is not.
    UnknownVariable,
    /// The template does not use a variable that it cannot do without.
    MissingVariable,
    /// The template fails with the values that it may be given.
    Fails,
}

impl PromptFault {
    /// The stable word, such as `unknown_variable`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::NotUtf8 => "not_utf8",
            Self::TooLarge => "too_large",
            Self::UnknownPrompt => "unknown_prompt",
            Self::Syntax => "syntax",
            Self::UnknownVariable => "unknown_variable",
            Self::MissingVariable => "missing_variable",
            Self::Fails => "fails",
        }
    }
}

/// One thing that is wrong with a prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PromptDefect {
    /// What kind of defect it is.
    pub fault: PromptFault,
    /// The prompt or the file; inert.
    pub prompt: String,
    /// The line in the template, from 1, if it is known.
    pub line: Option<usize>,
    /// What is wrong, and what to do; inert.
    pub message: String,
}

impl PromptDefect {
    fn new(fault: PromptFault, prompt: &str, message: &str) -> Self {
        Self {
            fault,
            prompt: zeph_common::escape_terminal(prompt).into_owned(),
            line: None,
            message: zeph_common::escape_terminal(message).into_owned(),
        }
    }

    fn of(fault: PromptFault, name: PromptName, error: &Error) -> Self {
        let why = error
            .detail()
            .map_or_else(|| error.kind().to_string(), str::to_owned);
        Self {
            line: error.line(),
            ..Self::new(fault, name.word(), &why)
        }
    }
}

impl fmt::Display for PromptDefect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "prompt {}", self.prompt)?;
        if let Some(line) = self.line {
            write!(f, ", line {line}")?;
        }
        write!(f, ": [{}] {}", self.fault.word(), self.message)
    }
}

/// All defects of a set of prompts, at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PromptDefects(Vec<PromptDefect>);

impl PromptDefects {
    pub(super) fn result(all: Vec<PromptDefect>) -> Result<(), Self> {
        if all.is_empty() {
            Ok(())
        } else {
            Err(Self(all))
        }
    }

    /// The defects: of files first, then of templates in the order of their names.
    #[must_use]
    pub fn as_slice(&self) -> &[PromptDefect] {
        &self.0
    }
}

impl fmt::Display for PromptDefects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, one) in self.0.iter().enumerate() {
            let line_break = if index == 0 { "" } else { "\n" };
            write!(f, "{line_break}{one}")?;
        }
        Ok(())
    }
}

impl std::error::Error for PromptDefects {}

/// The prompts in a folder, and what keeps others from being read.
pub(super) fn read_folder(
    folder: &Path,
    most: u64,
) -> (BTreeMap<PromptName, String>, Vec<PromptDefect>) {
    let (mut texts, mut defects) = (BTreeMap::new(), Vec::new());
    let shown = folder.to_string_lossy();
    let unreadable = |error: &std::io::Error| {
        let message = format!("cannot be read: {error}");
        PromptDefect::new(PromptFault::Unreadable, &shown, &message)
    };
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => return (texts, vec![unreadable(&error)]),
    };
    let mut files = BTreeSet::new();
    for entry in entries {
        match entry {
            Ok(entry) => files.extend(Some(entry.file_name())),
            Err(error) => defects.push(unreadable(&error)),
        }
    }
    for file in files {
        let shown = file.to_string_lossy();
        let Some(stem) = shown.strip_suffix(ENDING) else {
            continue;
        };
        let Some(name) = PromptName::ALL.iter().find(|name| name.word() == stem) else {
            let words: Vec<&str> = PromptName::ALL.iter().map(|name| name.word()).collect();
            let message = format!("there is no such prompt; there are {}", words.join(", "));
            defects.push(PromptDefect::new(
                PromptFault::UnknownPrompt,
                &shown,
                &message,
            ));
            continue;
        };
        match read_file(&folder.join(&file), most) {
            Ok(text) => drop(texts.insert(*name, text)),
            Err((fault, why)) => defects.push(PromptDefect::new(fault, &shown, &why)),
        }
    }
    (texts, defects)
}

fn read_file(path: &Path, most: u64) -> Result<String, (PromptFault, String)> {
    let mut bytes = Vec::new();
    let read = fs::File::open(path).and_then(|file| file.take(most + 1).read_to_end(&mut bytes));
    if let Err(error) = read {
        return Err((PromptFault::Unreadable, format!("cannot be read: {error}")));
    }
    if bytes.len() as u64 > most {
        return Err((PromptFault::TooLarge, format!("has more than {most} bytes")));
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        (PromptFault::NotUtf8, format!("is not UTF-8 at byte {at}"))
    })
}

pub(super) fn syntax(name: PromptName, error: &Error) -> PromptDefect {
    PromptDefect::of(PromptFault::Syntax, name, error)
}

/// What is wrong with a template that could be read: its variables, and how it fares with samples.
pub(super) fn template(environment: &Environment<'_>, name: PromptName) -> Vec<PromptDefect> {
    let Ok(template) = environment.get_template(name.word()) else {
        return Vec::new();
    };
    let used: BTreeSet<String> = template.undeclared_variables(false).into_iter().collect();
    let samples = name.samples();
    let known: BTreeSet<&str> = samples[0]
        .as_object()
        .into_iter()
        .flat_map(|map| map.keys().map(String::as_str))
        .collect();
    let global = |name: &str| environment.globals().any(|(global, _)| global == name);
    let mut defects = Vec::new();
    for variable in &used {
        if known.contains(variable.as_str()) || global(variable) {
            continue;
        }
        let words: Vec<&str> = known.iter().copied().collect();
        let message = format!("there is no `{variable}`; there are {}", words.join(", "));
        defects.push(PromptDefect::new(
            PromptFault::UnknownVariable,
            name.word(),
            &message,
        ));
    }
    for needed in name
        .needed()
        .iter()
        .filter(|needed| !used.contains(**needed))
    {
        let message = format!("`{needed}` is not used; without it the prompt is of no use");
        defects.push(PromptDefect::new(
            PromptFault::MissingVariable,
            name.word(),
            &message,
        ));
    }
    if defects.is_empty() {
        // Names inside of loops are only seen when the template runs.
        let failed = samples.into_iter().find_map(|sample| {
            let sample = Value::from(minijinja::value::Serde(sample));
            template.render(sample).err()
        });
        defects.extend(failed.map(|error| PromptDefect::of(PromptFault::Fails, name, &error)));
    }
    defects
}
