//! The strict form of a JSON Schema, which all services with native schemas accept.
//!
//! Objects are closed and every property is required; an optional property becomes nullable. The form has
//! `type`, `description`, `properties`, `items`, `enum`, `anyOf`, and bounds of numbers and lists. Other
//! bounds (`pattern`, `maxLength`, …) are written into the description. A schema that uses anything else
//! (references, maps, tuples, `oneOf`, …) has no strict form; it goes into the prompt. Every answer is
//! validated against the original schema.
//!
//! The limits are the smallest of the published ones, as of early 2026: 10 levels of objects, 5,000
//! properties and 1,000 enum values (OpenAI, `developers.openai.com/api/docs/guides/structured-outputs`),
//! 16 unions (Anthropic, `platform.claude.com/docs/en/build-with-claude/structured-outputs`), and lists of
//! at most 256 elements (llama.cpp, `grammars/README.md`, unrolls the repetition).

use serde_json::{Map, Value, json};

const MAX_LEVELS: usize = 10;
const MAX_PROPERTIES: usize = 5_000;
const MAX_ENUM_VALUES: usize = 1_000;
const MAX_UNIONS: usize = 16;
/// A larger bound of a list goes into the description.
const MAX_ITEMS: u64 = 256;
/// The deepest nesting of schemas, which bounds the recursion.
const MAX_DEPTH: usize = 32;

/// Keywords without an effect on the value.
const ANNOTATIONS: [&str; 7] = [
    "title",
    "$schema",
    "$id",
    "$comment",
    "default",
    "examples",
    "deprecated",
];

/// Keywords that restrict a value within its type.
const BOUNDS: [&str; 14] = [
    "pattern",
    "format",
    "multipleOf",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "uniqueItems",
    "minProperties",
    "maxProperties",
];

/// The strict form of a schema; `None` if it has none. The strict form of a strict form is itself.
pub(crate) fn strict_form(schema: &Value) -> Option<Value> {
    let mut size = Size::default();
    let strict = size.schema(schema)?;
    let is_small = size.properties <= MAX_PROPERTIES
        && size.enum_values <= MAX_ENUM_VALUES
        && size.unions <= MAX_UNIONS;
    (is_small && strict["type"] == "object").then_some(strict)
}

/// The sizes that are limited over a whole schema, and the nesting of the current place.
#[derive(Default)]
struct Size {
    properties: usize,
    enum_values: usize,
    unions: usize,
    levels: usize,
    depth: usize,
}

impl Size {
    fn schema(&mut self, schema: &Value) -> Option<Value> {
        let map = schema.as_object()?;
        let is_known = |key: &String| {
            let form = [
                "type",
                "description",
                "properties",
                "required",
                "additionalProperties",
                "items",
                "enum",
                "const",
                "anyOf",
            ];
            let key = key.as_str();
            form.contains(&key) || ANNOTATIONS.contains(&key) || BOUNDS.contains(&key)
        };
        if self.depth > MAX_DEPTH || !map.keys().all(is_known) {
            return None;
        }
        self.depth += 1;
        let mut out = Map::new();
        if let Some(branches) = map.get("anyOf") {
            let is_beside = |key: &String| {
                key == "anyOf" || key == "description" || ANNOTATIONS.contains(&key.as_str())
            };
            if !map.keys().all(is_beside) {
                return None;
            }
            let branches = branches.as_array()?.iter();
            let branches: Option<Value> = branches.map(|branch| self.schema(branch)).collect();
            out.insert("anyOf".to_owned(), branches?);
            self.unions += 1;
        } else {
            self.plain(map, &mut out)?;
        }
        self.depth -= 1;
        if let Some(text) = description(map, &out) {
            out.insert("description".to_owned(), Value::String(text));
        }
        Some(Value::Object(out))
    }

    /// A schema that is no union.
    fn plain(&mut self, map: &Map<String, Value>, out: &mut Map<String, Value>) -> Option<()> {
        let values = match (map.get("const"), map.get("enum")) {
            (Some(value), _) => Some(vec![value.clone()]),
            (None, Some(values)) => Some(values.as_array()?.clone()),
            (None, None) => None,
        };
        let types = types(map, values.as_deref())?;
        self.unions += usize::from(types.len() > 1);
        let is = |name| types.contains(&name);
        let type_value = match types.as_slice() {
            [one] => json!(one),
            types => json!(types),
        };
        out.insert("type".to_owned(), type_value);
        if let Some(values) = &values {
            self.enum_values += values.len();
            out.insert("enum".to_owned(), Value::Array(values.clone()));
        }
        if is("object") {
            self.levels += 1;
            self.object(map, out)?;
            self.levels -= 1;
        }
        if is("array") {
            let items = self.schema(map.get("items")?)?;
            out.insert("items".to_owned(), items);
        }
        for (bound, value) in map {
            let keeps = match bound.as_str() {
                "minimum" | "maximum" => is("integer") || is("number"),
                "minItems" | "maxItems" => {
                    is("array") && value.as_u64().is_some_and(|count| count <= MAX_ITEMS)
                }
                _ => false,
            };
            if keeps {
                out.insert(bound.clone(), value.clone());
            }
        }
        Some(())
    }

    fn object(&mut self, map: &Map<String, Value>, out: &mut Map<String, Value>) -> Option<()> {
        let is_open = map
            .get("additionalProperties")
            .is_some_and(|more| *more != json!(false));
        let known = map.get("properties")?.as_object()?;
        if is_open || known.is_empty() || self.levels > MAX_LEVELS {
            return None;
        }
        self.properties += known.len();
        let required: &[Value] = match map.get("required") {
            Some(names) => names.as_array()?,
            None => &[],
        };
        let mut properties = Map::new();
        for (name, schema) in known {
            let mut schema = self.schema(schema)?;
            if !required.iter().any(|one| one.as_str() == Some(name)) {
                self.unions += usize::from(make_nullable(&mut schema));
            }
            properties.insert(name.clone(), schema);
        }
        let is_listed = |name: &Value| name.as_str().is_some_and(|name| known.contains_key(name));
        if !required.iter().all(is_listed) {
            return None;
        }
        let names: Vec<Value> = properties.keys().cloned().map(Value::String).collect();
        out.insert("properties".to_owned(), Value::Object(properties));
        out.insert("required".to_owned(), Value::Array(names));
        out.insert("additionalProperties".to_owned(), json!(false));
        Some(())
    }
}

/// The names of the types of a schema; `None` if it accepts values of any type.
fn types<'a>(map: &'a Map<String, Value>, values: Option<&'a [Value]>) -> Option<Vec<&'a str>> {
    let mut types: Vec<&str> = Vec::new();
    match (map.get("type"), values) {
        (Some(Value::String(name)), _) => types.push(name),
        (Some(names), _) => {
            for name in names.as_array()? {
                types.push(name.as_str()?);
            }
        }
        (None, Some(values)) => {
            for value in values {
                let name = match value {
                    Value::Null => "null",
                    Value::Bool(_) => "boolean",
                    Value::Number(number) if number.is_f64() => "number",
                    Value::Number(_) => "integer",
                    Value::String(_) => "string",
                    Value::Array(_) | Value::Object(_) => return None,
                };
                if !types.contains(&name) {
                    types.push(name);
                }
            }
        }
        (None, None) if map.contains_key("properties") => types.push("object"),
        (None, None) if map.contains_key("items") => types.push("array"),
        (None, None) => {}
    }
    (!types.is_empty()).then_some(types)
}

/// Lets a strict schema accept null. Returns whether that made it a union.
fn make_nullable(schema: &mut Value) -> bool {
    let null = json!({ "type": "null" });
    if let Some(Value::Array(branches)) = schema.get_mut("anyOf") {
        if !branches.contains(&null) {
            branches.push(null);
        }
        return false;
    }
    if let Some(Value::Array(values)) = schema.get_mut("enum")
        && !values.contains(&Value::Null)
    {
        values.push(Value::Null);
    }
    let form = &mut schema["type"];
    if let Value::Array(types) = form {
        if !types.contains(&json!("null")) {
            types.push(json!("null"));
        }
        return false;
    }
    let single = form.as_str().filter(|name| *name != "null");
    let Some(name) = single.map(str::to_owned) else {
        return false;
    };
    *form = json!([name, "null"]);
    true
}

/// The description of a schema, with the bounds that its strict form does not have.
fn description(map: &Map<String, Value>, strict: &Map<String, Value>) -> Option<String> {
    let is_storage_format = |bound: &str, value: &Value| {
        let name = value.as_str().unwrap_or_default();
        let words = ["int", "uint", "float", "double"];
        bound == "format" && words.iter().any(|word| name.starts_with(word))
    };
    let bounds = BOUNDS.iter().filter(|bound| !strict.contains_key(**bound));
    let bounds = bounds.filter_map(|bound| {
        let value = map.get(*bound)?;
        (!is_storage_format(bound, value)).then(|| format!("{bound}: {value}"))
    });
    let bounds: Vec<String> = bounds.collect();
    let text = map.get("description").and_then(Value::as_str);
    match (text, bounds.as_slice()) {
        (text, []) => text.map(str::to_owned),
        (None, bounds) => Some(format!("({})", bounds.join(", "))),
        (Some(text), bounds) => Some(format!("{text} ({})", bounds.join(", "))),
    }
}

#[cfg(test)]
mod tests {
    use super::{MAX_ENUM_VALUES, MAX_LEVELS, MAX_UNIONS, strict_form};
    use serde_json::{Value, json};

    #[allow(clippy::needless_pass_by_value, reason = "called with `json!`")]
    fn object(properties: Value) -> Value {
        json!({ "type": "object", "properties": properties })
    }

    #[test]
    fn objects_are_closed_and_optional_properties_become_nullable() {
        let schema = json!({
            "title": "Plan",
            "type": "object",
            "properties": {
                "why": { "type": "string", "maxLength": 9, "description": "The reason." },
                "n": { "type": "integer", "minimum": 1, "format": "uint8" },
                "kind": { "enum": ["a", "b"] },
                "fixed": { "const": 7 },
                "steps": {
                    "type": "array",
                    "minItems": 1,
                    "maxItems": 1_000,
                    "items": { "anyOf": [object(json!({ "ok": { "type": "boolean" } })), { "type": "null" }] },
                },
            },
            "required": ["why", "steps"],
        });
        let strict = strict_form(&schema).unwrap();
        let expected = json!({
            "type": "object",
            "properties": {
                "why": { "type": "string", "description": "The reason. (maxLength: 9)" },
                "n": { "type": ["integer", "null"], "minimum": 1 },
                "kind": { "type": ["string", "null"], "enum": ["a", "b", null] },
                "fixed": { "type": ["integer", "null"], "enum": [7, null] },
                "steps": {
                    "type": "array",
                    "items": { "anyOf": [
                        {
                            "type": "object",
                            "properties": { "ok": { "type": ["boolean", "null"] } },
                            "required": ["ok"],
                            "additionalProperties": false,
                        },
                        { "type": "null" },
                    ] },
                    "minItems": 1,
                    "description": "(maxItems: 1000)",
                },
            },
            "required": ["why", "n", "kind", "fixed", "steps"],
            "additionalProperties": false,
        });
        assert_eq!(strict, expected);
        let names: Vec<&String> = strict["properties"].as_object().unwrap().keys().collect();
        assert_eq!(
            names,
            ["why", "n", "kind", "fixed", "steps"],
            "in the order of the schema"
        );
        assert_eq!(strict_form(&strict), Some(strict));
    }

    #[test]
    fn anything_else_has_no_strict_form() {
        let a = |schema: Value| object(json!({ "a": schema }));
        for schema in [
            json!(true),
            json!({}),
            json!({ "type": "string" }),
            json!({ "type": "object" }),
            json!({ "type": "object", "properties": {} }),
            json!({ "type": "object", "additionalProperties": { "type": "string" } }),
            json!({ "type": "object", "properties": { "a": {} }, "additionalProperties": true }),
            json!({ "type": "object", "properties": { "a": { "type": "null" } }, "required": ["b"] }),
            json!({ "anyOf": [a(json!({ "type": "string" }))] }),
            a(json!({})),
            a(json!({ "$ref": "#" })),
            a(json!({ "type": "array" })),
            a(json!({ "type": "array", "prefixItems": [{ "type": "string" }] })),
            a(json!({ "oneOf": [{ "type": "string" }] })),
            a(json!({ "allOf": [{ "type": "string" }] })),
            a(json!({ "not": { "type": "string" } })),
            a(json!({ "type": "string", "anyOf": [{ "type": "string" }] })),
            a(json!({ "enum": [[1]] })),
        ] {
            assert_eq!(strict_form(&schema), None, "{schema}");
        }
    }

    #[test]
    fn a_schema_over_a_limit_has_no_strict_form() {
        let nested = |levels| {
            let leaf = json!({ "type": "string" });
            (0..levels).fold(leaf, |inner, _| {
                json!({
                    "type": "object", "properties": { "a": inner }, "required": ["a"],
                })
            })
        };
        assert!(strict_form(&nested(MAX_LEVELS)).is_some());
        assert!(strict_form(&nested(MAX_LEVELS + 1)).is_none());
        assert!(strict_form(&nested(100)).is_none());
        let choice =
            |count: usize| object(json!({ "a": { "enum": (0..count).collect::<Vec<_>>() } }));
        assert!(strict_form(&choice(MAX_ENUM_VALUES)).is_some());
        assert!(strict_form(&choice(MAX_ENUM_VALUES + 1)).is_none());
        let optional = |count: usize| {
            let names = (0..count).map(|index| (index.to_string(), json!({ "type": "string" })));
            object(Value::Object(names.collect()))
        };
        assert!(strict_form(&optional(MAX_UNIONS)).is_some());
        assert!(strict_form(&optional(MAX_UNIONS + 1)).is_none());
    }
}
