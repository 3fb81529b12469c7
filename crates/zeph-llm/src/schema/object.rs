//! Small questions to a schema, and nulls put into it or taken out.

use serde_json::{Map, Value, json};

/// The types that a schema names; empty if it names none.
pub(super) fn types(schema: &Map<String, Value>) -> Vec<&str> {
    match schema.get("type") {
        Some(Value::String(name)) => vec![name],
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

/// The names of the required properties.
pub(super) fn required(schema: &Map<String, Value>) -> Vec<&str> {
    let names = schema.get("required").and_then(Value::as_array);
    names
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect()
}

/// The branches of a union.
pub(super) fn branches(schema: &Map<String, Value>) -> Option<&Vec<Value>> {
    let any = schema.get("anyOf").or_else(|| schema.get("oneOf"));
    any.and_then(Value::as_array)
}

fn is_null(schema: &Value) -> bool {
    schema.get("type").and_then(Value::as_str) == Some("null")
}

/// A rewritten schema that also allows null.
pub(super) fn nullable(schema: Value) -> Value {
    let Value::Object(mut map) = schema else {
        return schema;
    };
    if let Some(Value::Array(branches)) = map.get_mut("anyOf") {
        if !branches.iter().any(is_null) {
            branches.push(json!({"type": "null"}));
        }
        return Value::Object(map);
    }
    let mut names: Vec<Value> = types(&map).into_iter().map(Value::from).collect();
    let is_plain = !names.is_empty() && !map.contains_key("const");
    if !is_plain {
        let description = map.remove("description");
        let mut union = Map::new();
        if let Some(description) = description {
            union.insert("description".to_owned(), description);
        }
        let branches = json!([Value::Object(map), {"type": "null"}]);
        union.insert("anyOf".to_owned(), branches);
        return Value::Object(union);
    }
    if !names.contains(&json!("null")) {
        names.push(json!("null"));
        map.insert("type".to_owned(), Value::Array(names));
    }
    if let Some(Value::Array(values)) = map.get_mut("enum")
        && !values.contains(&Value::Null)
    {
        values.push(Value::Null);
    }
    Value::Object(map)
}

/// A rewritten schema that does not allow null any more, as far as it allows anything else.
pub(super) fn without_null(schema: Value) -> Value {
    let Value::Object(mut map) = schema else {
        return schema;
    };
    if let Some(Value::Array(branches)) = map.get_mut("anyOf") {
        if branches.iter().any(|branch| !is_null(branch)) {
            branches.retain(|branch| !is_null(branch));
            for branch in branches.iter_mut() {
                *branch = without_null(branch.take());
            }
        }
        let only = match branches.as_slice() {
            [Value::Object(only)] => Some(only.clone()),
            _ => None,
        };
        if let Some(mut only) = only {
            if let (Some(text), false) = (map.remove("description"), only.contains_key("$ref")) {
                only.insert("description".to_owned(), text);
            }
            return Value::Object(only);
        }
        return Value::Object(map);
    }
    let names = types(&map);
    let left: Vec<&str> = names
        .iter()
        .copied()
        .filter(|name| *name != "null")
        .collect();
    if left.len() < names.len() && !left.is_empty() {
        let left = match left.as_slice() {
            [name] => json!(name),
            names => json!(names),
        };
        map.insert("type".to_owned(), left);
        if let Some(Value::Array(values)) = map.get_mut("enum") {
            values.retain(|value| !value.is_null());
        }
    }
    Value::Object(map)
}
