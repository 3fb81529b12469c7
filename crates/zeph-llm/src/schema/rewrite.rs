//! The walk over a schema that writes it anew in a dialect, and notes what cannot be written.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::merge::{as_enum, both, type_of};
use super::object::{branches, nullable, required, types, without_null};
use super::problem::{SchemaProblem, SchemaProblemKind as Kind};
use super::refs;
use super::rules::{BOUNDS, Rules, UNSUPPORTED};

/// The most nodes of a rewritten schema, definitions inlined.
const MAX_NODES: usize = 20_000;

/// The most schemas within one another; the walk calls itself once per level.
const MAX_DEPTH: usize = 64;

/// Rewrites a schema; what comes out is right only if there are no problems.
pub(super) fn run(schema: &Value, rules: &'static Rules) -> (Value, Vec<SchemaProblem>) {
    let mut walk = Walk {
        root: schema,
        rules,
        recursive: refs::recursive(schema),
        inlining: Vec::new(),
        nodes: 0,
        defs: Map::new(),
        open_defs: Vec::new(),
        known_defs: BTreeSet::new(),
        problems: Vec::new(),
    };
    let mut rewritten = walk.root();
    while let Some(reference) = walk.open_defs.pop() {
        let Some(target) = refs::resolve(schema, &reference) else {
            continue;
        };
        let place = reference.trim_start_matches('#').to_owned();
        let definition = walk.schema(target, &place, 0);
        walk.defs.insert(refs::name(&reference), definition);
    }
    if let (Value::Object(map), false) = (&mut rewritten, walk.defs.is_empty()) {
        map.insert("$defs".to_owned(), Value::Object(walk.defs));
    }
    (rewritten, walk.problems)
}

struct Walk<'a> {
    root: &'a Value,
    rules: &'static Rules,
    recursive: BTreeSet<String>,
    /// The references that are being inlined, outermost first.
    inlining: Vec<String>,
    nodes: usize,
    defs: Map<String, Value>,
    open_defs: Vec<String>,
    known_defs: BTreeSet<String>,
    problems: Vec<SchemaProblem>,
}

impl Walk<'_> {
    fn note(&mut self, kind: Kind, at: &str, what: &str) -> Value {
        let problem = SchemaProblem::new(kind, at, what);
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
        json!({})
    }

    fn root(&mut self) -> Value {
        // A root that only refers to a definition is that definition.
        let mut schema = self.root.clone();
        if let Some(map) = schema.as_object_mut() {
            map.remove("$defs");
            map.remove("definitions");
        }
        if let Some(Value::String(reference)) = schema.get("$ref").cloned() {
            match refs::resolve(self.root, &reference) {
                Some(target) if reference != "#" => schema = target.clone(),
                _ => return self.note(Kind::BadReference, "", &reference),
            }
        }
        let rewritten = self.schema(&schema, "", 0);
        let is_object = rewritten.get("type").and_then(Value::as_str) == Some("object");
        if self.rules.root_object && !is_object && self.problems.is_empty() {
            return self.note(Kind::RootNotObject, "", "");
        }
        rewritten
    }

    fn schema(&mut self, schema: &Value, at: &str, depth: usize) -> Value {
        self.nodes += 1;
        if self.nodes > MAX_NODES || depth > MAX_DEPTH {
            let problem = SchemaProblem::new(Kind::TooLarge, "", "");
            let problem = if depth > MAX_DEPTH {
                problem.over(MAX_DEPTH, depth)
            } else {
                problem.over(MAX_NODES, self.nodes)
            };
            if !self
                .problems
                .iter()
                .any(|known| known.kind == Kind::TooLarge)
            {
                self.problems.push(problem);
            }
            return json!({});
        }
        match schema {
            Value::Bool(true) => self.any(at),
            Value::Object(map) => self.map(map, at, depth),
            Value::Bool(false)
            | Value::Null
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_) => self.note(Kind::NotASchema, at, ""),
        }
    }

    fn any(&mut self, at: &str) -> Value {
        if self.rules.open {
            json!({})
        } else {
            self.note(Kind::AnyValue, at, "")
        }
    }

    fn map(&mut self, map: &Map<String, Value>, at: &str, depth: usize) -> Value {
        for keyword in UNSUPPORTED {
            if map.contains_key(keyword) {
                self.note(Kind::UnsupportedKeyword, at, keyword);
            }
        }
        if map.contains_key("$ref") {
            return self.reference(map, at, depth);
        }
        if let Some(Value::Array(parts)) = map.get("allOf") {
            return self.all_of(map, parts, at, depth);
        }
        if let Some(branches) = branches(map) {
            return self.union(map, branches, at, depth);
        }
        self.plain(map, at, depth)
    }

    fn reference(&mut self, map: &Map<String, Value>, at: &str, depth: usize) -> Value {
        let reference = map.get("$ref").and_then(Value::as_str).unwrap_or_default();
        let Some(target) = refs::resolve(self.root, reference) else {
            return self.note(Kind::BadReference, at, reference);
        };
        let is_recursive = self.recursive.contains(reference);
        if is_recursive && !self.rules.recursion {
            return self.note(Kind::Recursive, at, reference);
        }
        // A kept reference may have nothing beside it, so one that has is inlined, if that ends.
        let is_bare = map.keys().all(|key| key == "$ref" || key == "title");
        if self.rules.keeps_refs && (is_bare || is_recursive) {
            if reference == "#" {
                return json!({"$ref": "#"});
            }
            if self.known_defs.insert(reference.to_owned()) {
                self.open_defs.push(reference.to_owned());
            }
            return json!({"$ref": format!("#/$defs/{}", refs::name(reference))});
        }
        if self.inlining.iter().any(|open| open == reference) {
            return self.note(Kind::Recursive, at, reference);
        }
        let mut beside = map.clone();
        beside.remove("$ref");
        let merged = match target {
            Value::Object(target) => both(&beside, target).map(Value::Object),
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_) => Some(target.clone()),
        };
        let Some(merged) = merged else {
            return self.note(Kind::Unmergeable, at, reference);
        };
        self.inlining.push(reference.to_owned());
        let rewritten = self.schema(&merged, at, depth + 1);
        self.inlining.pop();
        rewritten
    }

    fn all_of(
        &mut self,
        map: &Map<String, Value>,
        parts: &[Value],
        at: &str,
        depth: usize,
    ) -> Value {
        let mut merged = map.clone();
        merged.remove("allOf");
        for part in parts {
            let target = self.target(part);
            let joined = target.as_object().and_then(|part| both(&merged, part));
            match joined {
                Some(joined) => merged = joined,
                None => return self.note(Kind::Unmergeable, at, "allOf"),
            }
        }
        self.schema(&Value::Object(merged), at, depth + 1)
    }

    /// What a schema is, references without anything beside them followed.
    fn target(&self, schema: &Value) -> Value {
        let mut schema = schema;
        for _ in 0..MAX_DEPTH {
            let reference = schema.get("$ref").and_then(Value::as_str);
            match reference.and_then(|reference| refs::resolve(self.root, reference)) {
                Some(target) if schema.as_object().is_some_and(|map| map.len() == 1) => {
                    schema = target;
                }
                _ => break,
            }
        }
        schema.clone()
    }

    fn union(
        &mut self,
        map: &Map<String, Value>,
        branches: &[Value],
        at: &str,
        depth: usize,
    ) -> Value {
        let keyword = if map.contains_key("anyOf") {
            "anyOf"
        } else {
            "oneOf"
        };
        let mut base = map.clone();
        base.remove(keyword);
        let description = base.remove("description");
        for word in ["title", "$schema", "default", "examples", "$id"] {
            base.remove(word);
        }
        let mut written = Vec::new();
        for (index, branch) in branches.iter().enumerate() {
            let place = format!("{at}/{keyword}/{index}");
            // What stands beside a union holds for each branch.
            let branch = if base.is_empty() {
                branch.clone()
            } else {
                let target = self.target(branch);
                match target.as_object().and_then(|branch| both(&base, branch)) {
                    Some(merged) => Value::Object(merged),
                    None => return self.note(Kind::Unmergeable, &place, keyword),
                }
            };
            let mut one = self.schema(&branch, &place, depth + 1);
            // A union within a union is one union.
            let inner = one.get_mut("anyOf").map(Value::take);
            match (inner, one.as_object().map_or(0, Map::len)) {
                (Some(Value::Array(inner)), 1) => written.extend(inner),
                (Some(inner), _) => {
                    one["anyOf"] = inner;
                    written.push(one);
                }
                (None, _) => written.push(one),
            }
        }
        let mut union = match (as_enum(&written), written.as_slice()) {
            (Some(values), _) => values,
            (None, [Value::Object(only)]) => only.clone(),
            (None, _) => match nullable_branch(&written) {
                Some(Value::Object(one)) => one,
                _ => Map::from_iter([("anyOf".to_owned(), Value::Array(written))]),
            },
        };
        if let (Some(Value::String(text)), false) = (description, union.contains_key("$ref")) {
            let text = match union.get("description").and_then(Value::as_str) {
                Some(more) if more != text => format!("{text}\n{more}"),
                _ => text,
            };
            union.insert("description".to_owned(), json!(text));
        }
        Value::Object(union)
    }

    fn plain(&mut self, map: &Map<String, Value>, at: &str, depth: usize) -> Value {
        let mut names: Vec<&str> = types(map);
        let fixed: Option<Vec<Value>> = match (map.get("const"), map.get("enum")) {
            (Some(value), _) => Some(vec![value.clone()]),
            (None, Some(Value::Array(values))) => Some(values.clone()),
            _ => None,
        };
        if let (Some(values), true) = (&fixed, names.is_empty()) {
            for name in values.iter().map(type_of) {
                if !names.contains(&name) {
                    names.push(name);
                }
            }
        }
        if names.is_empty() {
            match () {
                () if map.contains_key("properties") => names.push("object"),
                () if map.contains_key("items") || map.contains_key("prefixItems") => {
                    names.push("array");
                }
                () => return self.any(at),
            }
        }
        let mut out = Map::new();
        let kind = match names.as_slice() {
            [name] => json!(name),
            names => json!(names),
        };
        out.insert("type".to_owned(), kind);
        if let Some(Value::String(text)) = map.get("description") {
            out.insert("description".to_owned(), json!(text));
        }
        match (fixed, map.get("const")) {
            (Some(_), Some(value)) if self.rules.consts => {
                out.insert("const".to_owned(), value.clone());
            }
            (Some(values), _) => {
                out.insert("enum".to_owned(), Value::Array(values));
            }
            (None, _) => {
                if names.contains(&"object") {
                    self.object(map, &mut out, at, depth);
                }
                if names.contains(&"array") {
                    self.array(map, &mut out, at, depth);
                }
            }
        }
        self.bounds(map, &names, &mut out);
        Value::Object(out)
    }

    fn object(
        &mut self,
        map: &Map<String, Value>,
        out: &mut Map<String, Value>,
        at: &str,
        depth: usize,
    ) {
        let more = map
            .get("additionalProperties")
            .or_else(|| map.get("unevaluatedProperties"));
        let known = map.get("properties").and_then(Value::as_object);
        let is_empty = known.is_none_or(Map::is_empty);
        match more {
            Some(Value::Object(schema)) if self.rules.open => {
                let place = format!("{at}/additionalProperties");
                let schema = self.schema(&Value::Object(schema.clone()), &place, depth + 1);
                out.insert("additionalProperties".to_owned(), schema);
            }
            Some(Value::Object(_)) => {
                self.note(Kind::OpenObject, at, "additionalProperties");
            }
            None | Some(Value::Bool(true)) if is_empty => {
                if !self.rules.open {
                    self.note(Kind::OpenObject, at, "");
                }
                return;
            }
            _ if self.rules.says_closed => {
                out.insert("additionalProperties".to_owned(), json!(false));
            }
            _ => {}
        }
        let must = required(map);
        let mut properties = Map::new();
        let mut names: Vec<Value> = Vec::new();
        for (name, schema) in known.into_iter().flatten() {
            let place = format!("{at}/properties/{}", escape(name));
            let schema = self.schema(schema, &place, depth + 1);
            let is_required = must.contains(&name.as_str());
            if is_required || self.rules.all_required {
                names.push(json!(name));
            }
            let schema = match (is_required, self.rules.all_required) {
                (true, _) => schema,
                (false, true) => nullable(schema),
                // Absent says the same as null, and counts as no union.
                (false, false) => without_null(schema),
            };
            properties.insert(name.clone(), schema);
        }
        out.insert("properties".to_owned(), Value::Object(properties));
        if !names.is_empty() {
            out.insert("required".to_owned(), Value::Array(names));
        }
        // Closed last, as people write it.
        if let Some(closed) = out.shift_remove("additionalProperties") {
            out.insert("additionalProperties".to_owned(), closed);
        }
    }

    fn array(
        &mut self,
        map: &Map<String, Value>,
        out: &mut Map<String, Value>,
        at: &str,
        depth: usize,
    ) {
        if let Some(Value::Array(items)) = map.get("prefixItems") {
            if !self.rules.tuples {
                self.note(Kind::Tuple, at, "prefixItems");
                return;
            }
            let mut written = Vec::new();
            for (index, item) in items.iter().enumerate() {
                let place = format!("{at}/prefixItems/{index}");
                written.push(self.schema(item, &place, depth + 1));
            }
            out.insert("prefixItems".to_owned(), Value::Array(written));
            return;
        }
        let place = format!("{at}/items");
        let items = match map.get("items") {
            Some(items) => self.schema(items, &place, depth + 1),
            None => self.any(&place),
        };
        out.insert("items".to_owned(), items);
    }

    /// Bounds that the dialect knows stay; the others are told in the description.
    fn bounds(&mut self, map: &Map<String, Value>, names: &[&str], out: &mut Map<String, Value>) {
        let mut told = Vec::new();
        for bound in BOUNDS {
            let Some(value) = map.get(bound) else {
                continue;
            };
            if self.keeps(bound, value, names) {
                out.insert(bound.to_owned(), value.clone());
            } else if !is_machine_format(bound, value) {
                told.push(format!("{bound}: {value}"));
            }
        }
        if told.is_empty() {
            return;
        }
        let told = format!("({})", told.join(", "));
        let text = match out.get("description").and_then(Value::as_str) {
            Some(text) => format!("{text} {told}"),
            None => told,
        };
        out.insert("description".to_owned(), json!(text));
    }

    fn keeps(&self, bound: &str, value: &Value, names: &[&str]) -> bool {
        if bound == "format" {
            let known = |format| self.rules.formats.contains(&format);
            return names.contains(&"string") && value.as_str().is_some_and(known);
        }
        let fits_type = |wanted: &str| {
            names.contains(&wanted) || (wanted == "number" && names.contains(&"integer"))
        };
        let is_known = |(name, wanted): &(&str, &str)| *name == bound && fits_type(wanted);
        let is_count = matches!(bound, "minItems" | "maxItems" | "minLength" | "maxLength");
        let fits = !is_count
            || value
                .as_u64()
                .is_some_and(|n| n <= self.rules.largest_bound);
        fits && self.rules.bounds.iter().any(is_known)
    }
}

/// Formats that say how a number is stored, which a model has no use for.
fn is_machine_format(bound: &str, value: &Value) -> bool {
    let name = value.as_str().unwrap_or_default();
    let is_number = ["int", "uint", "float", "double"]
        .iter()
        .any(|word| name.starts_with(word));
    bound == "format" && is_number
}

/// The one schema for a plain branch beside null.
fn nullable_branch(branches: &[Value]) -> Option<Value> {
    let null = json!({"type": "null"});
    let [one, two] = branches else {
        return None;
    };
    let plain = match (one == &null, two == &null) {
        (false, true) => one,
        (true, false) => two,
        _ => return None,
    };
    let name = plain.get("type").and_then(Value::as_str)?;
    let is_scalar = matches!(name, "string" | "integer" | "number" | "boolean");
    (is_scalar && plain.get("const").is_none()).then(|| nullable(plain.clone()))
}

fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
