//! Words of order: numbers and stages of tasks. They are harmless if the needs say the same.

use std::collections::BTreeMap;

use serde_json::Value;
use zeph_diagnostics::quote;
use zeph_graph::TaskGraph;

use super::draft::TaskDraft;
use super::names::Names;
use super::senses::{Order, Sense, order_in_text, sense};
use super::words::fold;
use crate::plan::finding::{Findings, code};

/// In larger plans groups of tasks are not compared with the needs.
const MAX_TASKS: usize = 512;

/// The places of the tasks under one word.
struct Places {
    order: Order,
    /// By position in the draft.
    all: Vec<(usize, Place)>,
    /// The key as it is first written.
    key: String,
    /// Whether the place is a part of the name.
    is_name: bool,
}

#[derive(Clone, Debug, PartialEq)]
enum Place {
    Number(f64),
    Text(String),
}

/// Refuses a word of order that says more than the needs do.
///
/// Numbers that count the tasks in the order of the list are harmless if every task states its needs, and
/// one of them has some: then they are a count. Everything else must follow from the needs.
pub(super) fn check(
    tasks: &[TaskDraft],
    names: &Names,
    graph: Option<&TaskGraph>,
    found: &mut Findings,
) {
    let Some(graph) = graph else {
        return;
    };
    // A plan that names no need anywhere may have said its order otherwise.
    let all_state_needs = tasks.iter().all(|task| task.has_needs);
    let names_needs = all_state_needs && tasks.iter().any(|task| !task.needs.is_empty());
    for places in collect(tasks).into_values() {
        let (_, first) = &places.all[0];
        if places.all.iter().all(|(_, place)| place == first) {
            continue;
        }
        let numbers: Option<Vec<(usize, f64)>> = places
            .all
            .iter()
            .map(|(position, place)| match place {
                Place::Number(number) => Some((*position, *number)),
                Place::Text(_) => None,
            })
            .collect();
        // A number in a name is a part of the name where every task states its needs.
        let states_needs = names_needs || (all_state_needs && places.is_name);
        let is_harmless = match &numbers {
            None => states_needs,
            Some(numbers) => {
                let is_count = places.order == Order::Number
                    && numbers.is_sorted_by(|one, other| one.1 < other.1);
                (is_count && states_needs) || follows(numbers, names, graph, tasks.len())
            }
        };
        if !is_harmless {
            let key = quote(&places.key);
            let message =
                format!("{key} may say in which order the tasks run, and the needs do not");
            let help = match places.is_name {
                true => "write \"needs\" at each task; [] if it needs none".to_owned(),
                false => format!("write the order as \"needs\", and leave {key} out"),
            };
            let at = &tasks[places.all[0].0];
            found.problem(code::AMBIGUOUS, at.at(&places.key), message, help);
        }
    }
}

/// The places by their word.
fn collect(tasks: &[TaskDraft]) -> BTreeMap<String, Places> {
    let mut all: BTreeMap<String, Places> = BTreeMap::new();
    for (position, task) in tasks.iter().enumerate() {
        let mut add = |word: String, key: &str, is_name, order, place| {
            let places = all.entry(word).or_insert_with(|| Places {
                order,
                all: Vec::new(),
                key: key.to_owned(),
                is_name,
            });
            places.all.push((position, place));
        };
        for one in &task.others {
            let folded = fold(&one.key);
            let Sense::Order(order) = sense(&folded, true) else {
                continue;
            };
            let place = match &one.value {
                Value::Number(number) => number.as_f64().map(Place::Number),
                Value::String(text) => Some(place_in(text)),
                Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
            };
            // A text that is the name of its task is no place.
            let place = place.filter(|place| !(one.is_read && matches!(place, Place::Text(_))));
            if let Some(place) = place {
                add(folded, &one.key, false, order, place);
            }
        }
        // One word of order is enough, if the name and a label have it both.
        let called = task.name.iter().chain(&task.labels);
        if let Some((word, order, number)) = called.filter_map(|text| order_in_text(text)).next() {
            #[allow(clippy::cast_precision_loss, reason = "a count of tasks")]
            let place = Place::Number(number as f64);
            add(format!("{word} in a name"), "name", true, order, place);
        }
    }
    all
}

fn place_in(text: &str) -> Place {
    let number = text.trim().parse().ok();
    #[allow(clippy::cast_precision_loss, reason = "a count of tasks")]
    let number = number.or_else(|| order_in_text(text).map(|(_, _, number)| number as f64));
    number.map_or_else(|| Place::Text(fold(text)), Place::Number)
}

/// Whether each task needs, directly or not, all tasks of the place before its own.
fn follows(numbers: &[(usize, f64)], names: &Names, graph: &TaskGraph, count: usize) -> bool {
    if count > MAX_TASKS {
        return false;
    }
    let mut before: Vec<Vec<bool>> = vec![Vec::new(); count];
    for (id, task) in graph.tasks() {
        let Some(position) = names.position(task.name()) else {
            return false;
        };
        let mut all = vec![false; count];
        for parent in graph.parents(id) {
            let Some(parent) = names.position(graph.task(*parent).name()) else {
                return false;
            };
            all[parent] = true;
            for (one, earlier) in all.iter_mut().zip(&before[parent]) {
                *one |= earlier;
            }
        }
        before[position] = all;
    }
    let mut sorted = numbers.to_vec();
    sorted.sort_by(|one, other| one.1.total_cmp(&other.1));
    let groups: Vec<&[(usize, f64)]> = sorted.chunk_by(|one, other| one.1 == other.1).collect();
    groups.windows(2).all(|two| {
        let pairs = two[1]
            .iter()
            .flat_map(|later| two[0].iter().map(move |one| (later.0, one.0)));
        pairs
            .into_iter()
            .all(|(later, earlier)| before[later][earlier])
    })
}
