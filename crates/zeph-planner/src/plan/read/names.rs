//! Names: each task gets one in the form that names have, and each need finds the task it means.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::shape::{NOTHING, TaskDraft};
use crate::plan::finding::{Findings, show, suggest};
use crate::plan::name::{is_hostile, is_reserved, slug};
use crate::plan::{PlanCode, RepairCode};

/// The longest text that is looked at as a name; a longer one is no name at all.
const LONGEST: usize = 200;
/// The longest need that is written in the form of names, in bytes: as long as a name may be.
const LONGEST_MENDED: usize = 64;

/// The names of all tasks, and the ways to find a task by what a need says.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// By position in the draft; empty for a task without a usable name.
    pub(super) of: Vec<String>,
    /// As written, without blanks around it.
    written: BTreeMap<String, usize>,
    /// As mended.
    mended: BTreeMap<String, usize>,
    /// In lower case; only where that is unique.
    folded: BTreeMap<String, usize>,
}

impl Names {
    /// Mends and checks the names of all tasks.
    pub(super) fn of(tasks: &[TaskDraft], found: &mut Findings) -> Self {
        let mut names = Self::default();
        for (position, task) in tasks.iter().enumerate() {
            let written = task.name.as_deref();
            let name = written.and_then(|written| mend(task, written, found));
            let name = name.unwrap_or_default();
            if let Some(written) = written.filter(|_| !name.is_empty()) {
                names.take(position, task, written.trim(), &name, found);
            }
            names.of.push(name);
        }
        names
    }

    fn take(
        &mut self,
        position: usize,
        task: &TaskDraft,
        written: &str,
        name: &str,
        found: &mut Findings,
    ) {
        let help = || Some("give each task a name of its own, and correct the needs".to_owned());
        let folded = name.to_ascii_lowercase();
        if self.mended.contains_key(name) {
            let message = format!("two tasks have the name {}", show(name));
            found.problem(PlanCode::DuplicateName, task.at("name"), message, help());
        } else if self.folded.contains_key(&folded) {
            let message = format!("{} differs from another name in case only", show(name));
            found.problem(
                PlanCode::CaseFoldedDuplicate,
                task.at("name"),
                message,
                help(),
            );
        }
        self.written.entry(written.to_owned()).or_insert(position);
        self.mended.entry(name.to_owned()).or_insert(position);
        self.folded.entry(folded).or_insert(position);
    }

    /// The task that a need means.
    pub(super) fn find(&self, written: &str) -> Option<Found> {
        let trimmed = written.trim();
        if is_hostile(trimmed) {
            return None;
        }
        if let Some(&position) = self.written.get(trimmed) {
            return Some(Found {
                position,
                mended: None,
            });
        }
        // What had to be shortened may have meant something else than what it begins like.
        if trimmed.len() > LONGEST_MENDED {
            return None;
        }
        let mended = slug(trimmed).map(reserve)?;
        if let Some(&position) = self.mended.get(&*mended) {
            let same = *mended == *trimmed;
            return Some(Found {
                position,
                mended: (!same).then_some(RepairCode::SluggedName),
            });
        }
        let position = *self.folded.get(&mended.to_ascii_lowercase())?;
        Some(Found {
            position,
            mended: Some(RepairCode::FoldedCase),
        })
    }

    /// "did you mean" for a need that means no task.
    pub(super) fn suggest(&self, written: &str) -> Option<String> {
        suggest(written, self.mended.keys().map(String::as_str))
    }
}

/// A task that a need means.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    pub(super) position: usize,
    /// What had to be done to find it, if it is not written as the task's name is.
    pub(super) mended: Option<RepairCode>,
}

/// The name in its form, what was done to it noted; `None`, told, if it is past mending.
fn mend(task: &TaskDraft, written: &str, found: &mut Findings) -> Option<String> {
    let at = task.at("name");
    let trimmed = written.trim();
    if trimmed.is_empty() {
        let help = Some("give each task a short name of its own".to_owned());
        found.problem(PlanCode::EmptyText, at, "a task's name is empty", help);
        return None;
    }
    // A need that says "none" means nothing, so no task may be called so.
    let is_nothing = NOTHING.contains(&trimmed.to_ascii_lowercase().as_str());
    if trimmed.len() > LONGEST || is_hostile(trimmed) || is_nothing {
        let message = format!("{} cannot be the name of a task", show(written));
        let help = "use 1 to 64 letters, digits, '_' and '-', beginning with a letter";
        found.problem(PlanCode::BadName, at, message, Some(help.to_owned()));
        return None;
    }
    if trimmed.len() < written.len() {
        let message = format!("{} without the blanks around it", show(written));
        found.repair(RepairCode::TrimmedName, &at, message);
    }
    // A name in letters that names do not have says nothing here: its place does.
    let slugged = slug(trimmed).unwrap_or_else(|| Cow::Owned(format!("task-{}", task.index + 1)));
    if *slugged != *trimmed {
        let message = format!("{} became {}", show(trimmed), show(&slugged));
        found.repair(RepairCode::SluggedName, &at, message);
    }
    let name = reserve(slugged.clone());
    if name != slugged {
        let message = format!(
            "{} became {}, for the run uses it",
            show(&slugged),
            show(&name)
        );
        found.repair(RepairCode::ReservedName, &at, message);
    }
    Some(name.into_owned())
}

/// A name that the run itself does not use.
fn reserve(name: Cow<'_, str>) -> Cow<'_, str> {
    if is_reserved(&name) {
        Cow::Owned(format!("{name}-task"))
    } else {
        name
    }
}
