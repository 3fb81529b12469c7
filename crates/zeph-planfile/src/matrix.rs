//! Matrices: a task with a `matrix` becomes one task for each cell, named after the cell's values.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};

use zeph_diagnostics::{Diagnostic, Diagnostics, Entry, Node, Span, Table, Value, quote};
use zeph_graph::MAX_NAME_BYTES;
use zeph_graph::wire::{Limits, code as graph_code};

use crate::code;
use crate::fields::is_name;
use crate::foreign;
use crate::references::{only_member, replace_members};
use crate::template::{Replaced, rewrite};
use crate::templated::CONDITION;

/// The key of a task that is expanded.
pub(crate) const KEY: &str = "matrix";

/// The most cells of a matrix.
pub(crate) const MAX_CELLS: usize = 1_000;

/// The keys of a task that name other tasks.
const NAMING: [&str; 2] = ["needs", "context"];

/// A task of the plan, after the expansion.
#[derive(Clone, Debug)]
pub(crate) struct Member<'a> {
    pub(crate) entry: Cow<'a, Entry>,
    pub(crate) origin: Origin,
    /// Whether it comes from another plan, whose defaults it has.
    pub(crate) is_sub: bool,
}

/// Where the table of a task comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Origin {
    /// It is written in the plan.
    #[default]
    Written,
    /// It is the first cell of a matrix.
    Cell,
    /// It is another cell, whose problems are those of the first one again.
    OtherCell,
}

/// The values of a cell, one for each axis.
type Cell = Vec<Value>;

/// The task that a cell belongs to: `build` for `build[linux,stable]`.
pub(crate) fn group_of(name: &str) -> Option<&str> {
    let cell = name.strip_suffix(']')?;
    cell.rsplit_once('[').map(|(group, _)| group)
}

/// Expands all matrices. `needs` and `context` with the name of an expanded task get all of its cells.
pub(crate) fn expand<'a>(entries: &'a [Entry], problems: &mut Diagnostics) -> Vec<Member<'a>> {
    let mut groups: HashMap<&str, Vec<String>> = HashMap::new();
    let mut members = Vec::with_capacity(entries.len());
    for entry in entries {
        let matrix = entry.node.field(KEY);
        let Some(matrix) = matrix else {
            members.push(Member {
                entry: Cow::Borrowed(entry),
                origin: Origin::Written,
                is_sub: false,
            });
            continue;
        };
        let cells = cells(entry, matrix, problems);
        if members.len() + cells.len() > Limits::PLAN.max_tasks {
            // Before they are made: a small text can have millions of them.
            problems.push(too_many_tasks(entry.key_span));
            return members;
        }
        groups.insert(
            &entry.key,
            cells.iter().map(|cell| cell.entry.key.clone()).collect(),
        );
        members.extend(cells);
    }
    if !groups.is_empty() {
        for member in &mut members {
            name_cells(&mut member.entry, &groups);
        }
    }
    members
}

pub(crate) fn too_many_tasks(span: Span) -> Diagnostic {
    let message = format!("the plan has more than {} tasks", Limits::PLAN.max_tasks);
    Diagnostic::new(graph_code::TOO_MANY_TASKS, message).at(span)
}

/// The tasks of a matrix. A matrix with problems becomes one task without it, so that the rest is checked.
fn cells<'a>(entry: &'a Entry, matrix: &Node, problems: &mut Diagnostics) -> Vec<Member<'a>> {
    let Some((axes, cells)) = Axes::read(matrix, problems) else {
        let mut entry = entry.clone();
        if let Value::Table(fields) = &mut entry.node.value {
            fields.retain(|field| field.key != KEY);
        }
        return vec![Member {
            entry: Cow::Owned(entry),
            origin: Origin::Written,
            is_sub: false,
        }];
    };
    let mut names = HashSet::new();
    let mut members = Vec::with_capacity(cells.len());
    for cell in cells {
        let values: Vec<String> = cell.iter().map(|value| in_name(&text(value))).collect();
        let name = format!("{}[{}]", entry.key, values.join(","));
        let problem = if name.len() > MAX_NAME_BYTES {
            Some(("has more than 200 bytes", "write shorter values"))
        } else if names.insert(name.clone()) {
            None
        } else {
            Some((
                "is the name of two cells",
                "write values that differ in letters or digits",
            ))
        };
        if let Some((problem, help)) = problem {
            let message = format!("{} {problem}", quote(&name));
            problems.push(
                Diagnostic::new(code::BAD_VALUE, message)
                    .at(matrix.span)
                    .help(help),
            );
            continue;
        }
        let origin = if members.is_empty() {
            Origin::Cell
        } else {
            Origin::OtherCell
        };
        let mut cell_of = entry.clone();
        cell_of.key = name;
        let mut found = Diagnostics::new();
        fill(&mut cell_of.node, &axes, &cell, &mut found);
        if origin == Origin::Cell {
            problems.append(found);
        }
        members.push(Member {
            entry: Cow::Owned(cell_of),
            origin,
            is_sub: false,
        });
    }
    members
}

/// The axes of a matrix, by name.
struct Axes<'a>(Vec<&'a str>);

impl<'a> Axes<'a> {
    /// The axes and the cells: the product of all values, without `exclude`, and those of `include`.
    fn read(matrix: &'a Node, problems: &mut Diagnostics) -> Option<(Self, Vec<Cell>)> {
        let before = problems.len();
        let table = matrix.any_table("`matrix`", problems)?;
        let (mut axes, mut cells) = (Self(Vec::new()), vec![Cell::new()]);
        for axis in table.entries() {
            if ["exclude", "include"].contains(&axis.key.as_str()) {
                continue;
            }
            if !is_name(&axis.key) {
                let message = format!("{} cannot be the name of an axis", quote(&axis.key));
                let one = Diagnostic::new(code::BAD_VALUE, message).at(axis.key_span);
                problems.push(match foreign::matrix_key(&axis.key) {
                    Some(help) => one.help(help),
                    None => one.help("use letters, digits, '_' and '-'"),
                });
            }
            let values = axis_values(axis, problems);
            if values.len().saturating_mul(cells.len()) > MAX_CELLS {
                problems.push(too_many(matrix.span));
                return None;
            }
            axes.0.push(&axis.key);
            let longer = |cell: &Cell| {
                let cell = cell.clone();
                let with = |value: &Value| [&cell[..], std::slice::from_ref(value)].concat();
                values.iter().map(with).collect::<Vec<Cell>>()
            };
            cells = cells.iter().flat_map(longer).collect();
        }
        if axes.0.is_empty() {
            let one = Diagnostic::new(code::MISSING_KEY, "`matrix` has no axis").at(matrix.span);
            problems.push(one.help("write one or more, such as `os = [\"linux\", \"mac\"]`"));
        }
        axes.exclude(&table, &mut cells, problems);
        axes.include(&table, &mut cells, problems);
        if cells.is_empty() && problems.len() == before {
            let one = Diagnostic::new(code::BAD_VALUE, "`matrix` has no cells").at(matrix.span);
            problems.push(one.help("exclude fewer of them"));
        }
        if cells.len() > MAX_CELLS {
            problems.push(too_many(matrix.span));
        }
        (problems.len() == before).then_some((axes, cells))
    }

    fn exclude(&self, table: &Table<'_>, cells: &mut Vec<Cell>, problems: &mut Diagnostics) {
        for (rule, span) in self.rules(table, "exclude", problems) {
            let before = cells.len();
            let is_excluded = |cell: &Cell| {
                let wanted = |(at, value): (&usize, &Value)| cell.get(*at) == Some(value);
                rule.iter().all(wanted)
            };
            cells.retain(|cell| !is_excluded(cell));
            if cells.len() == before && !rule.is_empty() {
                let one = Diagnostic::new(code::BAD_VALUE, "this excludes no cell").at(span);
                problems.push(one.help("write values of the axes as they stand there"));
            }
        }
    }

    fn include(&self, table: &Table<'_>, cells: &mut Vec<Cell>, problems: &mut Diagnostics) {
        for (rule, span) in self.rules(table, "include", problems) {
            if rule.len() < self.0.len() {
                let mut axes = self.0.iter().enumerate();
                let missing = axes.find(|(at, _)| !rule.contains_key(at));
                let missing = missing.map_or("", |(_, axis)| axis);
                let message = format!("the cell has no value for {}", quote(missing));
                let one = Diagnostic::new(code::MISSING_KEY, message).at(span);
                problems.push(one.help("`include` adds cells with a value for each axis"));
                continue;
            }
            let cell: Cell = rule.into_values().collect();
            if cells.contains(&cell) {
                let one = Diagnostic::new(code::BAD_VALUE, "the matrix has this cell already");
                problems.push(one.at(span).help("remove it from `include`"));
            } else {
                cells.push(cell);
            }
        }
    }

    /// The tables of `exclude` or `include`: values by the positions of their axes.
    fn rules(
        &self,
        table: &Table<'_>,
        key: &str,
        problems: &mut Diagnostics,
    ) -> Vec<(BTreeMap<usize, Value>, Span)> {
        let Some(node) = table.get(key) else {
            return Vec::new();
        };
        let items = node.list(&format!("`{key}`"), problems).unwrap_or_default();
        if items.len() > MAX_CELLS {
            let message = format!("`{key}` has more than {MAX_CELLS} cells");
            problems.push(Diagnostic::new(code::BAD_VALUE, message).at(node.span));
            return Vec::new();
        }
        let mut rules = Vec::new();
        for item in items {
            let Some(fields) = item.table(&format!("a cell of `{key}`"), &self.0, problems) else {
                continue;
            };
            let entries = fields.entries().iter();
            let rule = entries.filter_map(|entry| {
                let at = self.0.iter().position(|axis| *axis == entry.key)?;
                scalar(&entry.node, problems).map(|value| (at, value))
            });
            rules.push((rule.collect(), item.span));
        }
        rules
    }
}

fn too_many(span: Span) -> Diagnostic {
    let message = format!("`matrix` has more than {MAX_CELLS} cells");
    Diagnostic::new(code::BAD_VALUE, message)
        .at(span)
        .help("exclude some of them, or make several tasks of it")
}

fn axis_values(axis: &Entry, problems: &mut Diagnostics) -> Vec<Value> {
    let what = format!("the axis {}", quote(&axis.key));
    let Value::List(items) = &axis.node.value else {
        axis.node.wrong_type(&what, "a list of values", problems);
        return Vec::new();
    };
    if items.is_empty() {
        let message = format!("{what} has no values");
        problems.push(Diagnostic::new(code::BAD_VALUE, message).at(axis.node.span));
    }
    items
        .iter()
        .filter_map(|item| scalar(item, problems))
        .collect()
}

/// A value of an axis. It is inserted before anything else is read, so it has no expression.
fn scalar(node: &Node, problems: &mut Diagnostics) -> Option<Value> {
    match &node.value {
        Value::Bool(_) | Value::Integer(_) | Value::Float(_) => Some(node.value.clone()),
        Value::Null | Value::String(_) | Value::List(_) | Value::Table(_) => {
            let value = node.string("a value of `matrix`", problems)?;
            if value.is_empty() || value.contains("{{") {
                let message = format!("a value of `matrix` cannot be {}", quote(value));
                let one = Diagnostic::new(code::BAD_VALUE, message).at(node.span);
                problems
                    .push(one.help("write a text of one or more characters, without expressions"));
                return None;
            }
            Some(node.value.clone())
        }
    }
}

fn text(value: &Value) -> String {
    let node = Node {
        span: Span::default(),
        value: value.clone(),
    };
    let json = node.to_json();
    json.as_str()
        .map_or_else(|| json.to_string(), str::to_owned)
}

/// A value as a part of a name: what the rules of names refuse becomes `-`.
fn in_name(text: &str) -> String {
    let is_fine = |c: char| c.is_alphanumeric() || "._-+:@=".contains(c);
    let chars = text.chars().map(|c| if is_fine(c) { c } else { '-' });
    chars.collect()
}

/// Inserts the values of a cell into the texts of its task, and takes the matrix away.
fn fill(task: &mut Node, axes: &Axes<'_>, cell: &Cell, problems: &mut Diagnostics) {
    if let Value::Table(fields) = &mut task.value {
        fields.retain(|field| field.key != KEY);
    }
    let value_of = |name: &str| {
        let at = axes.0.iter().position(|axis| *axis == name)?;
        cell.get(at).map(text)
    };
    let literal_of = |name: &str| {
        let at = axes.0.iter().position(|axis| *axis == name)?;
        let node = Node {
            span: Span::default(),
            value: cell.get(at)?.clone(),
        };
        Some(node.to_json().to_string())
    };
    let literally = |expression: &str| {
        let value = only_member(expression, KEY).and_then(|name| value_of(&name));
        value.map(Replaced::Text)
    };
    // A condition stays an expression, also if it is the value alone.
    if let Value::Table(fields) = &mut task.value
        && let Some(condition) = fields.iter_mut().find(|field| field.key == CONDITION)
        && let Value::String(text) = &mut condition.node.value
    {
        *text = rewrite(text, |expression| {
            Replaced::Expression(replace_members(expression, KEY, &literal_of))
        });
    }
    for_each_text(task, |text, span| {
        if !text.contains(KEY) {
            return;
        }
        let mut unknown = Vec::new();
        let filled = rewrite(text, |expression| {
            if let Some(value) = literally(expression) {
                return value;
            }
            // In the name of another task: `tasks["build[${{ matrix.os }}]"]`.
            let expression = rewrite(expression, |inner| {
                literally(inner).unwrap_or_else(|| Replaced::Expression(inner.to_owned()))
            });
            Replaced::Expression(replace_members(&expression, KEY, |name| {
                let literal = literal_of(name);
                if literal.is_none() {
                    unknown.push(name.to_owned());
                }
                literal.or_else(|| Some("\"\"".to_owned()))
            }))
        });
        *text = filled;
        for name in unknown {
            let message = format!("the matrix has no axis {}", quote(&name));
            let near = problems.suggest(&name, axes.0.iter().copied());
            let one = Diagnostic::new(code::UNKNOWN_NAME, message).at(span);
            problems.push(one.suggest(near));
        }
    });
}

/// Gives each text of a tree to a function.
pub(crate) fn for_each_text(node: &mut Node, mut each: impl FnMut(&mut String, Span)) {
    let mut open = vec![node];
    while let Some(node) = open.pop() {
        match &mut node.value {
            Value::String(text) => each(text, node.span),
            Value::List(items) => open.extend(items),
            Value::Table(fields) => open.extend(fields.iter_mut().map(|field| &mut field.node)),
            Value::Null | Value::Bool(_) | Value::Integer(_) | Value::Float(_) => {}
        }
    }
}

/// Replaces the names of expanded tasks by those of their cells.
fn name_cells(entry: &mut Cow<'_, Entry>, groups: &HashMap<&str, Vec<String>>) {
    let cells_of = |node: &Node| groups.get(node.as_text()?);
    let is_naming = |field: &Entry| {
        let mut items = field.node.items().iter();
        NAMING.contains(&field.key.as_str()) && items.any(|item| cells_of(item).is_some())
    };
    if !entry.node.entries().iter().any(is_naming) {
        return;
    }
    let Value::Table(fields) = &mut entry.to_mut().node.value else {
        return;
    };
    for field in fields.iter_mut().filter(|field| is_naming(field)) {
        let Value::List(items) = &mut field.node.value else {
            continue;
        };
        let named = std::mem::take(items)
            .into_iter()
            .flat_map(|item| match cells_of(&item) {
                None => vec![item],
                Some(cells) => cells
                    .iter()
                    .map(|name| Node {
                        span: item.span,
                        value: Value::String(name.clone()),
                    })
                    .collect(),
            });
        *items = named.collect();
    }
}
