//! The limits of a dialect that count over a whole schema.

use serde_json::{Map, Value};

use super::object::{branches, required, types};
use super::problem::{SchemaProblem, SchemaProblemKind as Kind};
use super::refs;
use super::rules::Rules;

#[derive(Default)]
struct Counts {
    levels: usize,
    deepest: String,
    properties: usize,
    optional: usize,
    unions: usize,
    enum_values: usize,
    text: usize,
    /// The place and length of the longest enum.
    longest: (String, usize),
}

/// Adds a problem for each limit that a rewritten schema exceeds.
pub(super) fn limits(schema: &Value, rules: &Rules, problems: &mut Vec<SchemaProblem>) {
    let counts = count(schema, rules, problems);
    let limits = &rules.limits;
    let whole = [
        (
            Kind::TooManyProperties,
            "",
            counts.properties,
            limits.properties,
        ),
        (Kind::TooManyOptional, "", counts.optional, limits.optional),
        (Kind::TooManyUnions, "", counts.unions, limits.unions),
        (
            Kind::EnumTooLong,
            counts.longest.0.as_str(),
            counts.enum_values,
            limits.enum_values,
        ),
        (Kind::TooMuchText, "", counts.text, limits.text),
        (
            Kind::TooDeep,
            counts.deepest.as_str(),
            counts.levels,
            limits.levels,
        ),
    ];
    for (kind, pointer, found, limit) in whole {
        if found > limit {
            problems.push(SchemaProblem::new(kind, pointer, "").over(limit, found));
        }
    }
}

/// One walk, without calls; a kept reference is followed for its level only, and once per path.
fn count(schema: &Value, rules: &Rules, problems: &mut Vec<SchemaProblem>) -> Counts {
    let mut counts = Counts::default();
    let mut todo = vec![(schema, String::new(), 0usize)];
    let defs = schema.get("$defs").and_then(Value::as_object);
    for (name, definition) in defs.into_iter().flatten() {
        counts.text += name.chars().count();
        todo.push((definition, format!("/$defs/{name}"), 0));
    }
    while let Some((node, at, level)) = todo.pop() {
        let Some(map) = node.as_object() else {
            continue;
        };
        constants(map, &at, rules, &mut counts, problems);
        let mut inner_level = level;
        if let Some(properties) = map.get("properties").and_then(Value::as_object) {
            inner_level = level + 1;
            if inner_level > counts.levels {
                counts.levels = inner_level;
                counts.deepest.clone_from(&at);
            }
            let must = required(map);
            for (name, inner) in properties {
                counts.properties += 1;
                counts.text += name.chars().count();
                counts.optional += usize::from(!must.contains(&name.as_str()));
                counts.unions += usize::from(is_union(inner));
                todo.push((inner, format!("{at}/properties/{name}"), inner_level));
            }
        }
        for keyword in ["items", "additionalProperties"] {
            if let Some(inner) = map.get(keyword) {
                todo.push((inner, format!("{at}/{keyword}"), inner_level));
            }
        }
        for keyword in ["anyOf", "prefixItems"] {
            let inner = map.get(keyword).and_then(Value::as_array);
            for (index, inner) in inner.into_iter().flatten().enumerate() {
                todo.push((inner, format!("{at}/{keyword}/{index}"), inner_level));
            }
        }
    }
    let through_refs = levels_through_refs(schema, rules.limits.levels);
    counts.levels = counts.levels.max(through_refs);
    counts
}

fn constants(
    map: &Map<String, Value>,
    at: &str,
    rules: &Rules,
    counts: &mut Counts,
    problems: &mut Vec<SchemaProblem>,
) {
    let length = |value: &Value| value.as_str().map_or(0, |text| text.chars().count());
    if let Some(value) = map.get("const") {
        counts.text += length(value);
    }
    let Some(values) = map.get("enum").and_then(Value::as_array) else {
        return;
    };
    let text: usize = values.iter().map(length).sum();
    counts.text += text;
    counts.enum_values += values.len();
    if values.len() > counts.longest.1 {
        counts.longest = (at.to_owned(), values.len());
    }
    let limits = &rules.limits;
    if values.len() > limits.large_enum && text > limits.large_enum_text {
        let problem = SchemaProblem::new(Kind::EnumTextTooLong, at, "");
        problems.push(problem.over(limits.large_enum_text, text));
    }
}

fn is_union(schema: &Value) -> bool {
    let map = schema.as_object();
    map.is_some_and(|map| branches(map).is_some() || types(map).len() > 1)
}

/// The levels of objects with references followed, up to one more than a limit.
///
/// A definition that contains itself has no depth of its own; each is entered once per path.
fn levels_through_refs(schema: &Value, limit: usize) -> usize {
    if limit == usize::MAX {
        return 0;
    }
    let recursive = refs::recursive(schema);
    let mut best: std::collections::BTreeMap<String, usize> = std::collections::BTreeMap::new();
    let mut deepest = 0;
    let mut todo = vec![(schema, 0usize)];
    while let Some((node, level)) = todo.pop() {
        let Some(map) = node.as_object() else {
            continue;
        };
        if let Some(Value::String(reference)) = map.get("$ref") {
            let known = best.get(reference).copied();
            let is_deeper =
                known.is_none_or(|known| known < level && !recursive.contains(reference));
            if is_deeper && let Some(target) = refs::resolve(schema, reference) {
                best.insert(reference.clone(), level);
                todo.push((target, level));
            }
            continue;
        }
        let mut inner_level = level;
        if map.contains_key("properties") {
            inner_level += 1;
            deepest = deepest.max(inner_level);
        }
        if deepest > limit {
            return deepest;
        }
        let properties = map.get("properties").and_then(Value::as_object);
        let inner = properties.into_iter().flatten().map(|(_, inner)| inner);
        let lists = ["anyOf", "prefixItems"].into_iter();
        let lists = lists
            .filter_map(|word| map.get(word).and_then(Value::as_array))
            .flatten();
        let single = ["items", "additionalProperties"].into_iter();
        let single = single.filter_map(|word| map.get(word));
        todo.extend(
            inner
                .chain(lists)
                .chain(single)
                .map(|inner| (inner, inner_level)),
        );
    }
    deepest
}
