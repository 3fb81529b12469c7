//! The names of tasks: repairs them, and finds the task that a dependency names.

use std::borrow::Cow;
use std::collections::BTreeMap;

use zeph_diagnostics::{Code, quote};

use super::shape::{NULL_TEXTS, TaskDraft};
use crate::plan::finding::{Findings, code, repair};
use crate::plan::name::{is_hostile, is_reserved, slug};

/// The longest text that is accepted as a name before repairs, in bytes.
const MAX_WRITTEN: usize = 200;
/// The longest dependency that is repaired, in bytes: as long as a name may be.
const MAX_REPAIRED: usize = 64;

/// The names of all tasks, with an index for dependencies.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// By position in the draft; empty for a task without a usable name.
    pub(super) names: Vec<String>,
    /// As written, without white space around it.
    written: BTreeMap<String, usize>,
    /// As repaired.
    repaired: BTreeMap<String, usize>,
    /// In lower case.
    folded: BTreeMap<String, usize>,
}

impl Names {
    /// Repairs and checks the names of all tasks.
    pub(super) fn new(tasks: &[TaskDraft], found: &mut Findings) -> Self {
        let mut names = Self::default();
        for (position, task) in tasks.iter().enumerate() {
            let written = task.name.as_deref();
            let name = written.and_then(|written| repaired(task, written, found));
            let name = name.unwrap_or_default();
            if let Some(written) = written.filter(|_| !name.is_empty()) {
                names.add(position, task, written.trim(), &name, found);
            }
            names.names.push(name);
        }
        names
    }

    fn add(
        &mut self,
        position: usize,
        task: &TaskDraft,
        written: &str,
        name: &str,
        found: &mut Findings,
    ) {
        let help = || Some("give each task a unique name, and correct the needs".to_owned());
        let folded = name.to_ascii_lowercase();
        if self.repaired.contains_key(name) {
            let message = format!("two tasks have the name {}", quote(name));
            found.problem(code::DUPLICATE_NAME, task.at("name"), message, help());
        } else if self.folded.contains_key(&folded) {
            let message = format!("{} differs from another name in case only", quote(name));
            found.problem(
                code::CASE_FOLDED_DUPLICATE,
                task.at("name"),
                message,
                help(),
            );
        }
        self.written.entry(written.to_owned()).or_insert(position);
        self.repaired.entry(name.to_owned()).or_insert(position);
        self.folded.entry(folded).or_insert(position);
    }

    /// The task that a dependency names.
    pub(super) fn find(&self, written: &str) -> Option<Found> {
        let trimmed = written.trim();
        if is_hostile(trimmed) {
            return None;
        }
        if let Some(&position) = self.written.get(trimmed) {
            return Some(Found {
                position,
                repair: None,
            });
        }
        // A shortened name may match the wrong task.
        if trimmed.len() > MAX_REPAIRED {
            return None;
        }
        let repaired = slug(trimmed).map(reserve)?;
        if let Some(&position) = self.repaired.get(&*repaired) {
            let same = *repaired == *trimmed;
            return Some(Found {
                position,
                repair: (!same).then_some(repair::SLUGGED_NAME),
            });
        }
        let position = *self.folded.get(&repaired.to_ascii_lowercase())?;
        Some(Found {
            position,
            repair: Some(repair::FOLDED_CASE),
        })
    }

    /// The help for a dependency that names no task.
    pub(super) fn help_for(&self, written: &str, found: &mut Findings) -> Option<String> {
        found.help_for(written, self.repaired.keys().map(String::as_str))
    }
}

/// The task that a dependency names.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    pub(super) position: usize,
    /// The repair that was needed to find it.
    pub(super) repair: Option<Code>,
}

/// The repaired name; `None` after a problem.
fn repaired(task: &TaskDraft, written: &str, found: &mut Findings) -> Option<String> {
    let at = task.at("name");
    let trimmed = written.trim();
    if trimmed.is_empty() {
        let help = Some("give each task a short, unique name".to_owned());
        found.problem(code::EMPTY_TEXT, at, "the name of a task is empty", help);
        return None;
    }
    // In a list of needs "none" is read as null, so it cannot be a name.
    let is_null = NULL_TEXTS.contains(&trimmed.to_ascii_lowercase().as_str());
    if trimmed.len() > MAX_WRITTEN || is_hostile(trimmed) || is_null {
        let message = format!("{} cannot be the name of a task", quote(written));
        let help = "use 1 to 64 letters, digits, '_' and '-', starting with a letter";
        found.problem(code::BAD_NAME, at, message, Some(help.to_owned()));
        return None;
    }
    if trimmed.len() < written.len() {
        let message = format!("white space around {} removed", quote(written));
        found.repair(repair::TRIMMED_NAME, &at, message);
    }
    // A name without any allowed letter is replaced by the index of the task.
    let slugged = slug(trimmed).unwrap_or_else(|| Cow::Owned(format!("task-{}", task.index + 1)));
    if *slugged != *trimmed {
        let message = format!("{} became {}", quote(trimmed), quote(&slugged));
        found.repair(repair::SLUGGED_NAME, &at, message);
    }
    let name = reserve(slugged.clone());
    if name != slugged {
        let message = format!(
            "{} became {}, because the run uses that name",
            quote(&slugged),
            quote(&name)
        );
        found.repair(repair::RESERVED_NAME, &at, message);
    }
    Some(name.into_owned())
}

/// A name that the run does not use itself.
fn reserve(name: Cow<'_, str>) -> Cow<'_, str> {
    if is_reserved(&name) {
        Cow::Owned(format!("{name}-task"))
    } else {
        name
    }
}
