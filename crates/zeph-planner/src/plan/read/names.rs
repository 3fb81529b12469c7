//! The names of tasks: repairs them, and finds the task that a dependency names.

use std::borrow::Cow;
use std::collections::BTreeMap;

use zeph_diagnostics::{Code, quote};

use super::draft::TaskDraft;
use super::fields::is_null_text;
use crate::plan::finding::{Findings, code, repair};
use crate::plan::name::{is_hostile, is_reserved, slug};

/// The longest text that is accepted as a name before repairs, in bytes.
const MAX_WRITTEN: usize = 200;
/// The longest dependency that is repaired, in bytes: as long as a name may be.
const MAX_REPAIRED: usize = 64;

/// The names of all tasks, with an index for dependencies.
#[derive(Default)]
pub(super) struct Names {
    /// By position in the draft; `None` for a task without a usable name of its own.
    pub(super) names: Vec<Option<String>>,
    /// Positions by the name as written, without white space around it.
    written: BTreeMap<String, usize>,
    /// Positions by the repaired name in lower case.
    folded: BTreeMap<String, usize>,
}

impl Names {
    /// Repairs and checks the names of all tasks.
    pub(super) fn new(tasks: &[TaskDraft], found: &mut Findings) -> Self {
        let mut names = Self::default();
        for (position, task) in tasks.iter().enumerate() {
            let written = task.name.as_deref().unwrap_or_default();
            let name = task
                .name
                .as_ref()
                .and_then(|_| repaired(task, written, found));
            let name = name.filter(|name| names.is_new(name, task, found));
            if let Some(name) = &name {
                let written = written.trim().to_owned();
                names.written.entry(written).or_insert(position);
                names.folded.insert(name.to_ascii_lowercase(), position);
            }
            names.names.push(name);
        }
        names
    }

    /// Whether no earlier task has the name; otherwise a problem.
    fn is_new(&self, name: &str, task: &TaskDraft, found: &mut Findings) -> bool {
        let Some(earlier) = self.position(name) else {
            return true;
        };
        let (code, message) = if self.names[earlier].as_deref() == Some(name) {
            let message = format!("two tasks have the name {}", quote(name));
            (code::DUPLICATE_NAME, message)
        } else {
            let message = format!("{} differs from another name in case only", quote(name));
            (code::CASE_FOLDED_DUPLICATE, message)
        };
        let help = "give each task a unique name, and correct the needs";
        found.problem(code, task.at("name"), message, help);
        false
    }

    /// The position and the name of the task that a dependency names, and the repair that it took.
    pub(super) fn find(&self, written: &str) -> Option<(usize, &str, Option<Code>)> {
        let trimmed = written.trim();
        if is_hostile(trimmed) {
            return None;
        }
        let trimming = (trimmed.len() < written.len()).then_some(repair::TRIMMED_NAME);
        if let Some(&position) = self.written.get(trimmed) {
            return Some((position, self.names[position].as_deref()?, trimming));
        }
        // A shortened name may match the wrong task.
        let slug = slug(trimmed).filter(|_| trimmed.len() <= MAX_REPAIRED);
        let slug = slug.map(reserve)?;
        let position = self.position(&slug)?;
        let name = self.names[position].as_deref()?;
        let repair = if *slug != *name {
            Some(repair::FOLDED_CASE)
        } else {
            let slugging = (*slug != *trimmed).then_some(repair::SLUGGED_NAME);
            slugging.or(trimming)
        };
        Some((position, name, repair))
    }

    /// The position of the task with that repaired name.
    pub(super) fn position(&self, name: &str) -> Option<usize> {
        self.folded.get(&name.to_ascii_lowercase()).copied()
    }

    /// The known names, for a help.
    pub(super) fn known(&self) -> impl Iterator<Item = &str> + Clone {
        self.names.iter().flatten().map(String::as_str)
    }
}

/// The repaired name; `None` after a problem.
fn repaired(task: &TaskDraft, written: &str, found: &mut Findings) -> Option<String> {
    let at = task.at("name");
    let trimmed = written.trim();
    if trimmed.is_empty() {
        let help = "give each task a short, unique name";
        found.problem(code::EMPTY_TEXT, at, "the name of a task is empty", help);
        return None;
    }
    // In a list of needs "none" is read as null, so it cannot be a name.
    if trimmed.len() > MAX_WRITTEN || is_hostile(trimmed) || is_null_text(trimmed) {
        let message = format!("{} cannot be the name of a task", quote(written));
        let help = "use 1 to 64 of a-z, A-Z, 0-9, '_' and '-', starting with a letter";
        found.problem(code::BAD_NAME, at, message, help);
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
        let (old, new) = (quote(&slugged), quote(&name));
        let message = format!("{old} became {new}, because the run uses that name");
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
