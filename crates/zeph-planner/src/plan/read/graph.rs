//! The graph of a plan: resolves dependencies, and lets zeph-graph order the tasks and find cycles.

use std::collections::BTreeSet;

use zeph_diagnostics::{Code, list, quote};
use zeph_graph::wire::{GraphSpec, TaskSpec};
use zeph_graph::{TaskGraph, Topology};

use super::draft::TaskDraft;
use super::fields::is_nothing;
use super::names::{EarlierName, Found, Names};
use crate::plan::PlanLimits;
use crate::plan::finding::{Findings, code, repair};

/// The graph of a plan.
pub(super) struct Connected {
    /// The new tasks.
    pub(super) graph: TaskGraph,
    /// The tasks of the plan that is extended that each new task needs, by the place in the document.
    pub(super) after: Vec<Vec<String>>,
}

/// The graph of the tasks; `None` after a cycle, or if a task has no name of its own. Each task comes
/// after its dependencies, the first in the document before the others.
pub(super) fn connect(
    tasks: &[TaskDraft],
    names: &Names,
    limits: &PlanLimits,
    found: &mut Findings,
) -> Option<Connected> {
    let mut spec = GraphSpec::default();
    let mut all_after = Vec::with_capacity(tasks.len());
    for (position, task) in tasks.iter().enumerate() {
        let (needs, after) = resolve(position, task, names, found);
        all_after.push(after);
        if let Some(name) = &names.names[position] {
            spec.tasks.push(TaskSpec {
                name: name.clone(),
                needs,
                ..TaskSpec::default()
            });
        }
    }
    let graph = match TaskGraph::try_from(spec) {
        Ok(graph) => graph,
        Err(problems) => {
            for one in &problems {
                let position = one.subject.as_deref().and_then(|name| names.position(name));
                let at = position.map_or("/tasks".to_owned(), |one| tasks[one].at("needs"));
                let help = "remove one of these needs; needs may name earlier tasks only";
                found.problem(one.code, at, &one.message, help);
            }
            return None;
        }
    };
    check_shape(&Topology::of(&graph), limits, found);
    let ordered = || graph.tasks().map(|(_, task)| task.name());
    if !ordered().is_sorted_by_key(|name| names.position(name)) {
        let moved = list(ordered());
        let message = format!("tasks reordered after their needs: {moved}");
        found.repair(repair::REORDERED, "/tasks", message);
    }
    let after = all_after;
    (graph.len() == tasks.len()).then_some(Connected { graph, after })
}

/// The names of a task's dependencies, each once: those in the plan, and those of before.
fn resolve(
    position: usize,
    task: &TaskDraft,
    names: &Names,
    found: &mut Findings,
) -> (Vec<String>, Vec<String>) {
    let mut reader = Needs {
        position,
        names,
        found,
        needs: Vec::new(),
        after: Vec::new(),
        seen: BTreeSet::new(),
    };
    // A list of such words only is an empty list, unless a task is called so.
    let is_none = |(_, need): &(usize, String)| {
        is_nothing(need) && matches!(names.find(need), Found::None) && names.earlier(need).is_none()
    };
    if !task.needs.is_empty() && task.needs.iter().all(is_none) {
        let message = format!("{} read as an empty list", quote(&task.needs[0].1));
        reader
            .found
            .repair(repair::NOTHING_TEXT, task.at("needs"), message);
        return (Vec::new(), Vec::new());
    }
    for (index, written) in &task.needs {
        if reader.found.is_full() {
            break;
        }
        reader.read(&task.at(&format!("needs/{index}")), written);
    }
    (reader.needs, reader.after)
}

/// Reads the dependencies of a task.
struct Needs<'a, 'f> {
    position: usize,
    names: &'a Names,
    found: &'f mut Findings,
    needs: Vec<String>,
    after: Vec<String>,
    seen: BTreeSet<usize>,
}

impl Needs<'_, '_> {
    fn read(&mut self, at: &str, written: &str) {
        let earlier = self.names.earlier(written);
        match self.names.find(written) {
            Found::One { .. } if earlier.is_some_and(|one| one.has_result) => {
                let message = format!(
                    "{} may mean the new task or the one of before",
                    quote(written)
                );
                let help = "give the new task a name of its own";
                self.found.problem(code::AMBIGUOUS, at, message, help);
            }
            Found::One {
                position,
                name,
                repair,
            } => {
                let name = name.to_owned();
                self.add(at, written, position, name, repair);
            }
            Found::Several(all) => {
                let message = format!("{} may mean {}", quote(written), list(all));
                let help = "write the name exactly as the task has it";
                self.found.problem(code::AMBIGUOUS, at, message, help);
            }
            Found::None => match earlier {
                Some(earlier) => self.add_earlier(at, written, earlier),
                None => self.read_parts(at, written),
            },
        }
    }

    /// Reads a text with several names, or reports an unknown one.
    fn read_parts(&mut self, at: &str, written: &str) {
        let listed = written.replace(" and ", ",");
        let is_task = |part: &&str| {
            matches!(self.names.find(part), Found::One { .. }) || self.names.earlier(part).is_some()
        };
        let all_tasks = |separators: &[char]| {
            let parts = listed.split(separators).map(str::trim);
            let (parts, signs): (Vec<&str>, Vec<&str>) =
                parts.partition(|part| part.contains(char::is_alphanumeric));
            // A bar may mean one or the other, an arrow an order among the needs.
            let is_plain = signs
                .iter()
                .all(|sign| ["", "-", "*", "•", "[", "]"].contains(sign));
            (is_plain && parts.len() > 1 && parts.iter().all(is_task)).then_some(parts)
        };
        let parts = all_tasks(&[',', ';', '\n', '&', '+']);
        if let Some(parts) = parts.or_else(|| all_tasks(&[',', ' '])) {
            let message = format!("{} read as {} needs", quote(written), parts.len());
            self.found.repair(repair::TEXT_AS_LIST, at, message);
            for part in parts {
                self.read(at, part);
            }
            return;
        }
        let message = format!("unknown task {}", quote(written));
        let known = self.names.known();
        let help = if known.clone().next().is_none() {
            "correct the names of the tasks first".to_owned()
        } else {
            self.found.help_for(written, known)
        };
        self.found.problem(code::UNKNOWN_NEED, at, message, help);
    }

    fn add_earlier(&mut self, at: &str, written: &str, earlier: &EarlierName) {
        if !earlier.has_result {
            let message = format!("the task {} of before has no result", quote(written));
            let help = "plan another way to its result, or do without it";
            self.found.problem(code::UNKNOWN_NEED, at, message, help);
        } else if self.after.contains(&earlier.name) {
            let message = format!("{} is listed twice", quote(&earlier.name));
            self.found.repair(repair::LISTED_TWICE, at, message);
        } else {
            self.after.push(earlier.name.clone());
        }
    }

    fn add(&mut self, at: &str, written: &str, need: usize, name: String, repaired: Option<Code>) {
        if need == self.position {
            let message = format!("{} needs itself", quote(written));
            let help = "name the tasks that must end before it, or none";
            self.found.problem(code::SELF_NEED, at, message, help);
            return;
        }
        if let Some(code) = repaired {
            let message = format!("{} read as {}", quote(written), quote(&name));
            self.found.repair(code, at, message);
        }
        if self.seen.insert(need) {
            self.needs.push(name);
        } else {
            let message = format!("{} is listed twice", quote(&name));
            self.found.repair(repair::LISTED_TWICE, at, message);
        }
    }
}

fn check_shape(shape: &Topology, limits: &PlanLimits, found: &mut Findings) {
    let (depth, width) = (shape.depth(), shape.width());
    if depth > limits.max_depth {
        let most = limits.max_depth;
        let message = format!("the longest path has {depth} tasks; at most {most} are allowed");
        let help = "combine several steps in one task";
        found.problem(code::TOO_DEEP, "/tasks", message, help);
    }
    if width > limits.max_width {
        let most = limits.max_width;
        let message = format!("{width} tasks may run in parallel; at most {most} are allowed");
        let help = "combine several of them in one task";
        found.problem(code::TOO_WIDE, "/tasks", message, help);
    }
}
