//! The names of tasks: repairs them, and finds the task that a dependency names.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use zeph_diagnostics::{Code, quote};

use super::draft::TaskDraft;
use super::fields::is_null_text;
use crate::plan::EarlierTask;
use crate::plan::finding::{Findings, code, repair};
use crate::plan::matching::{Forms, Noun, is_signed, is_strange};
use crate::plan::name::{MAX, is_hostile, is_name, is_reserved, slug};

/// The longest text that is accepted as a name before repairs, in bytes.
const MAX_WRITTEN: usize = 200;

/// The names of all tasks, with indexes for dependencies.
#[derive(Default)]
pub(super) struct Names {
    /// By position in the draft; `None` for a task without a usable name of its own.
    pub(super) names: Vec<Option<String>>,
    /// Positions by the repaired name in lower case.
    folded: BTreeMap<String, usize>,
    /// Positions by everything that a task is called: its name before and after repairs, its id, its title.
    written: BTreeMap<String, BTreeSet<usize>>,
    /// The same, by the forms of these texts.
    parted: BTreeMap<String, BTreeSet<usize>>,
    compact: BTreeMap<String, BTreeSet<usize>>,
    /// The tasks of the plan that is extended, by the closest form of their names.
    earlier: BTreeMap<String, Vec<EarlierName>>,
}

/// A task of the plan that is extended.
pub(super) struct EarlierName {
    pub(super) name: String,
    pub(super) has_result: bool,
}

/// The task that a text names.
pub(super) enum Found<'a> {
    None,
    One {
        position: usize,
        name: &'a str,
        /// The repair that it took.
        repair: Option<Code>,
    },
    /// Two or more fit equally well.
    Several(Vec<&'a str>),
}

impl Names {
    /// Repairs and checks the names of all tasks. Names that are valid keep their text; of two others that
    /// become the same the later one gets a number.
    pub(super) fn new(tasks: &[TaskDraft], earlier: &[EarlierTask], found: &mut Findings) -> Self {
        let mut by_form: BTreeMap<String, Vec<EarlierName>> = BTreeMap::new();
        for task in earlier {
            let (name, has_result) = (task.name.clone(), task.has_result);
            let all = by_form.entry(Forms::of(&name).parted).or_default();
            all.push(EarlierName { name, has_result });
        }
        let mut names = Self {
            names: vec![None; tasks.len()],
            earlier: by_form,
            ..Self::default()
        };
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        let mut repaired: Vec<(usize, Cow<'_, str>)> = Vec::new();
        let mut numbers: BTreeMap<String, usize> = BTreeMap::new();
        for (position, task) in tasks.iter().enumerate() {
            let Some(written) = task.name.as_deref() else {
                continue;
            };
            let Some(name) = usable(task, written, found) else {
                continue;
            };
            let folded = written.trim().to_lowercase();
            if let Some(earlier) = seen.get(&folded) {
                let other = tasks[*earlier].name.as_deref().unwrap_or_default();
                report_duplicate(task, written, other, found);
                continue;
            }
            seen.insert(folded, position);
            let is_used = is_reserved(&name) || names.was_used(&name);
            if *name == *written.trim() && !is_used {
                names.take(position, &name);
            } else {
                repaired.push((position, name));
            }
        }
        for (position, name) in repaired {
            names.repair(position, &tasks[position], &name, &mut numbers, found);
        }
        for (position, task) in tasks.iter().enumerate() {
            names.index(position, task);
        }
        names
    }

    fn take(&mut self, position: usize, name: &str) {
        self.folded.insert(name.to_ascii_lowercase(), position);
        self.names[position] = Some(name.to_owned());
    }

    /// Gives a task its repaired name, with a number if another task has it. `numbers` are the last ones by
    /// name.
    fn repair(
        &mut self,
        position: usize,
        task: &TaskDraft,
        name: &str,
        numbers: &mut BTreeMap<String, usize>,
        found: &mut Findings,
    ) {
        let at = task.at("name");
        let written = task.name.as_deref().unwrap_or_default().trim();
        let reserved = if is_reserved(name) {
            format!("{name}-task")
        } else {
            name.to_owned()
        };
        let mut unique = reserved.clone();
        let number = numbers.entry(reserved.to_ascii_lowercase()).or_insert(1);
        let is_taken = |name: &str| {
            self.folded.contains_key(&name.to_ascii_lowercase()) || self.was_used(name)
        };
        while is_taken(&unique) {
            *number += 1;
            let ending = format!("-{number}");
            let kept = reserved.len().min(MAX - ending.len());
            unique = format!("{}{ending}", &reserved[..kept]);
        }
        if name != written {
            let message = format!("{} became {}", quote(written), quote(&unique));
            found.repair(repair::SLUGGED_NAME, &at, message);
        }
        if reserved != name || self.was_used(name) {
            let message = format!(
                "{} became {}, because the run uses that name",
                quote(name),
                quote(&unique)
            );
            found.repair(repair::RESERVED_NAME, &at, message);
        }
        self.take(position, &unique);
    }

    fn index(&mut self, position: usize, task: &TaskDraft) {
        let Some(name) = self.names[position].clone() else {
            return;
        };
        let labels = task.labels.iter().chain(&task.name).map(|one| one.trim());
        let labels: BTreeSet<&str> = labels.chain([&*name]).collect();
        for label in labels {
            let forms = Forms::of(label);
            self.written
                .entry(label.to_owned())
                .or_default()
                .insert(position);
            self.parted
                .entry(forms.parted)
                .or_default()
                .insert(position);
            self.compact
                .entry(forms.compact)
                .or_default()
                .insert(position);
        }
    }

    /// The task that a text names: exactly; else without regard to case, to characters other than letters
    /// and digits, and to the word "task" before it.
    pub(super) fn find(&self, written: &str) -> Found<'_> {
        let trimmed = written.trim();
        if let Some(all) = self.written.get(trimmed) {
            let trimming = (trimmed.len() < written.len()).then_some(repair::TRIMMED_NAME);
            return self.one_of(all, |_| trimming);
        }
        if is_strange(trimmed) || is_signed(trimmed) || trimmed.len() > MAX_WRITTEN {
            return Found::None;
        }
        let forms = Forms::of(trimmed);
        let short = forms.without(Noun::Task);
        for forms in std::iter::once(&forms).chain(&short) {
            if forms.compact.is_empty() {
                continue;
            }
            let all = self.parted.get(&forms.parted);
            if let Some(all) = all.or_else(|| self.compact.get(&forms.compact)) {
                return self.one_of(all, |name| {
                    let is_case = name.eq_ignore_ascii_case(trimmed);
                    Some(if is_case {
                        repair::FOLDED_CASE
                    } else {
                        repair::SLUGGED_NAME
                    })
                });
            }
        }
        Found::None
    }

    fn one_of(&self, all: &BTreeSet<usize>, repair: impl Fn(&str) -> Option<Code>) -> Found<'_> {
        let names = all.iter().filter_map(|one| self.names[*one].as_deref());
        match (all.first(), all.len()) {
            (Some(&position), 1) => match self.names[position].as_deref() {
                Some(name) => Found::One {
                    position,
                    name,
                    repair: repair(name),
                },
                None => Found::None,
            },
            _ => Found::Several(names.collect()),
        }
    }

    /// The position of the task with that repaired name.
    pub(super) fn position(&self, name: &str) -> Option<usize> {
        self.folded.get(&name.to_ascii_lowercase()).copied()
    }

    /// Whether the plan that is extended has such a name, without regard to case and separators.
    fn was_used(&self, name: &str) -> bool {
        self.earlier.contains_key(&Forms::of(name).parted)
    }

    /// The task of the plan that is extended with that name: exactly, or else the only one without regard to case
    /// and separators.
    pub(super) fn earlier(&self, name: &str) -> Option<&EarlierName> {
        let all = self.earlier.get(&Forms::of(name).parted)?;
        let exact = all.iter().find(|one| one.name == name.trim());
        exact.or_else(|| all.first().filter(|_| all.len() == 1))
    }

    /// The known names, for a help.
    pub(super) fn known(&self) -> impl Iterator<Item = &str> + Clone {
        let earlier = self.earlier.values().flatten().filter(|one| one.has_result);
        let earlier = earlier.map(|one| one.name.as_str());
        self.names
            .iter()
            .flatten()
            .map(String::as_str)
            .chain(earlier)
    }
}

fn report_duplicate(task: &TaskDraft, written: &str, other: &str, found: &mut Findings) {
    let (code, message) = if written.trim() == other.trim() {
        let message = format!("two tasks have the name {}", quote(written));
        (code::DUPLICATE_NAME, message)
    } else {
        let message = format!("{} differs from another name in case only", quote(written));
        (code::CASE_FOLDED_DUPLICATE, message)
    };
    let help = "give each task a unique name, and correct the needs";
    found.problem(code, task.at("name"), message, help);
}

/// The name with valid characters only; `None` after a problem.
fn usable<'a>(task: &TaskDraft, written: &'a str, found: &mut Findings) -> Option<Cow<'a, str>> {
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
    let name = slug(trimmed).unwrap_or_else(|| Cow::Owned(format!("task-{}", task.index + 1)));
    debug_assert!(is_name(&name), "{name}");
    Some(name)
}
