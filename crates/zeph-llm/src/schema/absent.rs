//! Nulls that stand for absence: strict services have no optional properties, so their models write null.

use serde_json::{Map, Value};

use super::merge::type_of;
use super::object::{branches, required, types};
use super::refs;

/// How many schema nodes may be looked at for one answer; past it unions are entered as they come.
const FUEL: usize = 200_000;

/// The most levels of a value; what is deeper is left as it is.
const MAX_DEPTH: usize = 128;

/// Takes out each null of an optional property whose schema has no null, and tells their pointers.
///
/// In a union the first branch that a value fits in structure is followed. Nothing that fits the schema
/// is changed.
pub(crate) fn drop_nulls(root: &Value, value: &mut Value) -> Vec<String> {
    let mut walk = Walk {
        root,
        fuel: FUEL,
        dropped: Vec::new(),
    };
    walk.enter(root, value, &mut String::new(), 0);
    walk.dropped
}

struct Walk<'a> {
    root: &'a Value,
    fuel: usize,
    dropped: Vec<String>,
}

impl<'a> Walk<'a> {
    /// A schema with its references followed.
    fn target(&self, mut schema: &'a Value) -> &'a Value {
        for _ in 0..MAX_DEPTH {
            let reference = schema.get("$ref").and_then(Value::as_str);
            match reference.and_then(|reference| refs::resolve(self.root, reference)) {
                Some(target) => schema = target,
                None => break,
            }
        }
        schema
    }

    fn enter(&mut self, schema: &'a Value, value: &mut Value, at: &mut String, depth: usize) {
        let Some(map) = self.target(schema).as_object() else {
            return;
        };
        if depth > MAX_DEPTH {
            return;
        }
        for part in map
            .get("allOf")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            self.enter(part, value, at, depth + 1);
        }
        if let Some(branches) = branches(map) {
            let fitting = branches
                .iter()
                .find(|branch| self.fits(branch, value, depth + 1));
            if let Some(branch) = fitting {
                self.enter(branch, value, at, depth + 1);
            }
        }
        match value {
            Value::Object(object) => self.object(map, object, at, depth),
            Value::Array(values) => {
                let first = map.get("prefixItems").and_then(Value::as_array);
                let rest = map.get("items");
                for (index, value) in values.iter_mut().enumerate() {
                    let item = first.and_then(|first| first.get(index)).or(rest);
                    if let Some(item) = item {
                        let length = push(at, &index.to_string());
                        self.enter(item, value, at, depth + 1);
                        at.truncate(length);
                    }
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    fn object(
        &mut self,
        map: &'a Map<String, Value>,
        object: &mut Map<String, Value>,
        at: &mut String,
        depth: usize,
    ) {
        let properties = map.get("properties").and_then(Value::as_object);
        let must = required(map);
        let more = map.get("additionalProperties");
        let mut absent = Vec::new();
        for (name, value) in object.iter_mut() {
            let known = properties.and_then(|properties| properties.get(name));
            let Some(schema) = known.or(more) else {
                continue;
            };
            let length = push(at, name);
            let is_optional = known.is_some() && !must.contains(&name.as_str());
            if value.is_null() && is_optional && !self.fits(schema, value, depth + 1) {
                self.dropped.push(at.clone());
                absent.push(name.clone());
            } else {
                self.enter(schema, value, at, depth + 1);
            }
            at.truncate(length);
        }
        object.retain(|name, _| !absent.contains(name));
    }

    /// Whether a value has the structure that a schema asks for, a null for an optional property
    /// being as good as its absence. Bounds are not looked at.
    fn fits(&mut self, schema: &'a Value, value: &Value, depth: usize) -> bool {
        self.fuel = self.fuel.saturating_sub(1);
        if self.fuel == 0 || depth > MAX_DEPTH {
            return true;
        }
        let map = match self.target(schema) {
            Value::Bool(allowed) => return *allowed,
            Value::Object(map) => map,
            Value::Null | Value::Number(_) | Value::String(_) | Value::Array(_) => return true,
        };
        let its = type_of(value);
        let names = types(map);
        let is_whole = value.as_f64().is_some_and(|number| number.fract() == 0.0);
        let is_named = names.is_empty()
            || names.contains(&its)
            || (its == "integer" && names.contains(&"number"))
            || (is_whole && names.contains(&"integer"));
        let is_fixed = map.get("const").is_none_or(|fixed| fixed == value)
            && map
                .get("enum")
                .and_then(Value::as_array)
                .is_none_or(|values| values.contains(value));
        if !is_named || !is_fixed {
            return false;
        }
        let inside = match value {
            Value::Object(object) => self.object_fits(map, object, depth),
            Value::Array(values) => {
                let first = map.get("prefixItems").and_then(Value::as_array);
                let rest = map.get("items");
                values.iter().enumerate().all(|(index, value)| {
                    let item = first.and_then(|first| first.get(index)).or(rest);
                    item.is_none_or(|item| self.fits(item, value, depth + 1))
                })
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
        };
        let parts = map.get("allOf").and_then(Value::as_array);
        inside
            && parts
                .into_iter()
                .flatten()
                .all(|part| self.fits(part, value, depth + 1))
            && branches(map).is_none_or(|branches| {
                branches
                    .iter()
                    .any(|branch| self.fits(branch, value, depth + 1))
            })
    }

    fn object_fits(
        &mut self,
        map: &'a Map<String, Value>,
        object: &Map<String, Value>,
        depth: usize,
    ) -> bool {
        let must = required(map);
        if !must.iter().all(|name| object.contains_key(*name)) {
            return false;
        }
        let properties = map.get("properties").and_then(Value::as_object);
        let more = map.get("additionalProperties");
        let known = |name: &str| properties.and_then(|properties| properties.get(name));
        // What tells branches apart is mostly a constant: look at scalars first.
        let is_deep = |value: &&Value| value.is_object() || value.is_array();
        let (deep, flat): (Vec<_>, Vec<_>) = object.iter().partition(|(_, value)| is_deep(value));
        flat.into_iter()
            .chain(deep)
            .all(|(name, value)| match (known(name), more) {
                (Some(_), _) if value.is_null() && !must.contains(&name.as_str()) => true,
                (Some(schema), _) | (None, Some(schema)) => self.fits(schema, value, depth + 1),
                (None, None) => true,
            })
    }
}

fn push(at: &mut String, name: &str) -> usize {
    let length = at.len();
    at.push('/');
    at.push_str(&name.replace('~', "~0").replace('/', "~1"));
    length
}
