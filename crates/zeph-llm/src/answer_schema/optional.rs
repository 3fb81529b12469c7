//! Whether a schema lists a property as optional, by the JSON Pointer of the property.

use std::collections::BTreeSet;

use serde_json::Value;

/// Keywords whose subschemas apply to the same value.
const SAME_VALUE: [&str; 6] = ["allOf", "anyOf", "oneOf", "if", "then", "else"];

/// Whether a schema of the object lists the property in `properties`, and not in `required`.
///
/// A subschema that cannot be found, for example behind an anchor, lists nothing. Cost: the depth of the
/// pointer times the size of the schema.
pub(super) fn is_optional(root: &Value, pointer: &str) -> bool {
    let Some((parent, name)) = pointer.rsplit_once('/') else {
        return false;
    };
    let mut schemas = same_value(root, vec![root]);
    for step in parent.split('/').skip(1).map(unescaped) {
        let children = schemas.iter().flat_map(|schema| children(schema, &step));
        schemas = same_value(root, children.collect());
    }
    let name = unescaped(name);
    schemas.iter().any(|schema| {
        let required = schema.get("required").and_then(Value::as_array);
        let properties = schema.get("properties");
        properties.is_some_and(|listed| listed.get(&name).is_some())
            && !required.is_some_and(|required| required.iter().any(|one| *one == *name))
    })
}

/// The plain text of one step of a JSON Pointer.
pub(super) fn unescaped(step: &str) -> String {
    step.replace("~1", "/").replace("~0", "~")
}

/// The schemas, with all subschemas and references that apply to the same value, each once.
fn same_value<'a>(root: &'a Value, mut open: Vec<&'a Value>) -> Vec<&'a Value> {
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    while let Some(schema) = open.pop() {
        if !seen.insert(std::ptr::from_ref(schema)) {
            continue;
        }
        found.push(schema);
        for keyword in SAME_VALUE {
            match schema.get(keyword) {
                Some(Value::Array(schemas)) => open.extend(schemas),
                Some(schema) => open.push(schema),
                None => {}
            }
        }
        let reference = schema.get("$ref").and_then(Value::as_str);
        let pointer = reference.and_then(|reference| reference.strip_prefix('#'));
        open.extend(pointer.and_then(|pointer| root.pointer(pointer)));
    }
    found
}

/// The subschemas of a schema for a property or an item; more than one may apply.
fn children<'a>(schema: &'a Value, step: &str) -> Vec<&'a Value> {
    let get = |keyword: &str| schema.get(keyword);
    let mut found = Vec::new();
    match get("properties").and_then(|listed| listed.get(step)) {
        Some(listed) => found.push(listed),
        None => found.extend(get("additionalProperties")),
    }
    let patterns = get("patternProperties").and_then(Value::as_object);
    found.extend(patterns.into_iter().flat_map(|patterns| patterns.values()));
    if let Ok(index) = step.parse::<usize>() {
        found.extend(get("prefixItems").and_then(|items| items.get(index)));
        found.extend(get("items"));
    }
    found
}
