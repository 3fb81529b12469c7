//! Several schemas that must all hold, made one; several constants, made one enum.

use serde_json::{Map, Value, json};

use super::object::types;

/// The schema that holds where both hold; `None` if that cannot be written as one.
pub(super) fn both(
    one: &Map<String, Value>,
    two: &Map<String, Value>,
) -> Option<Map<String, Value>> {
    let mut merged = one.clone();
    for (key, value) in two {
        let Some(there) = merged.get_mut(key) else {
            merged.insert(key.clone(), value.clone());
            continue;
        };
        if there == value {
            continue;
        }
        match (key.as_str(), there, value) {
            // Annotations: the outer one is nearer to the place.
            ("description" | "title" | "default" | "examples" | "$schema" | "$id", ..) => {}
            ("properties", Value::Object(there), Value::Object(more)) => {
                for (name, schema) in more {
                    match there.get(name) {
                        None => {
                            there.insert(name.clone(), schema.clone());
                        }
                        Some(known) if known == schema => {}
                        Some(_) => return None,
                    }
                }
            }
            ("required", Value::Array(there), Value::Array(more)) => {
                let new: Vec<Value> = more
                    .iter()
                    .filter(|n| !there.contains(n))
                    .cloned()
                    .collect();
                there.extend(new);
            }
            ("type", there, _) => {
                let allowed = types(two);
                let left: Vec<&str> = types(one)
                    .into_iter()
                    .filter(|name| allowed.contains(name))
                    .collect();
                *there = match left.as_slice() {
                    [] => return None,
                    [name] => json!(name),
                    names => json!(names),
                };
            }
            // Closed on both sides means closed to what either side does not name. Read as: closed.
            ("additionalProperties" | "unevaluatedProperties", there, _) => *there = json!(false),
            _ => return None,
        }
    }
    Some(merged)
}

/// One enum out of branches that each allow fixed values of one type, with what each is described as.
pub(super) fn as_enum(branches: &[Value]) -> Option<Map<String, Value>> {
    let mut values: Vec<Value> = Vec::new();
    let mut words: Vec<String> = Vec::new();
    let mut kind: Option<&str> = None;
    for branch in branches {
        let branch = branch.as_object()?;
        let known = |key: &str| matches!(key, "type" | "const" | "enum" | "description" | "title");
        if !branch.keys().all(|key| known(key)) {
            return None;
        }
        let fixed = match (branch.get("const"), branch.get("enum")) {
            (Some(value), None) => std::slice::from_ref(value),
            (None, Some(Value::Array(values))) => values.as_slice(),
            _ => return None,
        };
        for value in fixed {
            let its = type_of(value);
            if value.is_array() || value.is_object() || *kind.get_or_insert(its) != its {
                return None;
            }
            if !values.contains(value) {
                values.push(value.clone());
            }
        }
        if let (Some(text), [value]) = (branch.get("description").and_then(Value::as_str), fixed) {
            let name = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            words.push(format!("{name}: {text}"));
        }
    }
    let mut merged = Map::new();
    merged.insert("type".to_owned(), json!(kind?));
    merged.insert("enum".to_owned(), Value::Array(values));
    if !words.is_empty() {
        merged.insert("description".to_owned(), json!(words.join("\n")));
    }
    Some(merged)
}

/// The name of a value's type.
pub(super) fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}
