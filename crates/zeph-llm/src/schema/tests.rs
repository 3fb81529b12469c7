//! Goldens for each dialect, each problem once, and the promise about nulls on random schemas.

use proptest::prelude::*;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{SchemaProblemKind as Kind, drop_nulls, rewrite, schema_of};
use crate::Dialect;

const ALL: [Dialect; 4] = [
    Dialect::OpenAiStrict,
    Dialect::Anthropic,
    Dialect::Gemini,
    Dialect::Grammar,
];

/// How urgent it is.
#[derive(Debug, Deserialize, JsonSchema, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Urgency {
    /// Can wait.
    Low,
    /// Must be done.
    High,
}

#[derive(Debug, Deserialize, JsonSchema, PartialEq)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Step {
    Ask { question: String },
    Run { tool: String, limit: Option<u32> },
}

#[derive(Debug, Deserialize, JsonSchema, PartialEq)]
struct Plan {
    reasoning: String,
    #[serde(default)]
    tries: u8,
    urgency: Option<Urgency>,
    steps: Vec<Step>,
}

#[derive(Debug, Deserialize, JsonSchema, PartialEq)]
struct Tree {
    name: String,
    children: Vec<Tree>,
}

fn problems(schema: &Value, dialect: Dialect) -> Vec<(Kind, String)> {
    let found = rewrite(schema, dialect).unwrap_err();
    for problem in &found.0 {
        assert!(!problem.help().is_empty());
        assert!(problem.to_string().starts_with(problem.kind.word()));
    }
    found.0.into_iter().map(|p| (p.kind, p.pointer)).collect()
}

#[test]
fn openai_gets_every_property_required_and_optional_ones_nullable() {
    let strict = rewrite(&schema_of::<Plan>(), Dialect::OpenAiStrict).unwrap();
    assert_eq!(
        strict["required"],
        json!(["reasoning", "tries", "urgency", "steps"])
    );
    assert_eq!(strict["additionalProperties"], json!(false));
    let properties = &strict["properties"];
    assert_eq!(properties["tries"]["type"], json!(["integer", "null"]));
    assert_eq!(
        properties["urgency"],
        json!({"anyOf": [{"$ref": "#/$defs/Urgency"}, {"type": "null"}]})
    );
    assert_eq!(
        strict["$defs"]["Urgency"],
        json!({
            "type": "string",
            "enum": ["low", "high"],
            "description": "How urgent it is.\nlow: Can wait.\nhigh: Must be done.",
        })
    );
    let run = &strict["$defs"]["Step"]["anyOf"][1];
    assert_eq!(run["required"], json!(["kind", "tool", "limit"]));
    assert_eq!(run["additionalProperties"], json!(false));
    let names: Vec<&String> = properties.as_object().unwrap().keys().collect();
    assert_eq!(names, ["reasoning", "tries", "urgency", "steps"]);
}

#[test]
fn the_others_leave_optional_properties_optional_and_without_null() {
    for dialect in [Dialect::Anthropic, Dialect::Gemini, Dialect::Grammar] {
        let schema = rewrite(&schema_of::<Plan>(), dialect).unwrap();
        assert_eq!(
            schema["required"],
            json!(["reasoning", "steps"]),
            "{dialect:?}"
        );
        assert_eq!(schema["properties"]["tries"]["type"], "integer");
        let text = schema.to_string();
        let has_refs = text.contains("$ref");
        assert_eq!(has_refs, dialect == Dialect::Anthropic, "{dialect:?}");
        let is_closed = text.contains("\"additionalProperties\":false");
        assert_eq!(is_closed, dialect != Dialect::Gemini, "{dialect:?}");
        assert!(!text.contains("uint"), "{text}");
    }
    let gemini = rewrite(&schema_of::<Plan>(), Dialect::Gemini).unwrap();
    assert!(!gemini.to_string().contains("\"const\""));
}

#[test]
fn bounds_that_a_dialect_lacks_are_told_in_words() {
    let schema = json!({"type": "object", "required": ["n", "s"], "properties": {
        "n": {"type": "integer", "minimum": 1, "maximum": 9},
        "s": {"type": "string", "minLength": 2, "format": "uuid", "description": "A name."},
    }});
    let openai = rewrite(&schema, Dialect::OpenAiStrict).unwrap();
    assert_eq!(openai["properties"]["n"]["minimum"], 1);
    assert_eq!(openai["properties"]["s"]["format"], "uuid");
    assert_eq!(
        openai["properties"]["s"]["description"],
        "A name. (minLength: 2)"
    );
    let anthropic = rewrite(&schema, Dialect::Anthropic).unwrap();
    assert_eq!(
        anthropic["properties"]["n"],
        json!({"type": "integer", "description": "(minimum: 1, maximum: 9)"})
    );
    let grammar = rewrite(&schema, Dialect::Grammar).unwrap();
    assert_eq!(grammar["properties"]["s"]["minLength"], 2);
    assert!(grammar["properties"]["s"].get("format").is_none());
}

#[test]
fn recursion_is_for_openai_alone() {
    let schema = schema_of::<Tree>();
    let strict = rewrite(&schema, Dialect::OpenAiStrict).unwrap();
    assert_eq!(strict["type"], "object");
    assert!(strict["$defs"]["Tree"].is_object() || strict.to_string().contains("\"#\""));
    for dialect in [Dialect::Anthropic, Dialect::Gemini, Dialect::Grammar] {
        let found = problems(&schema, dialect);
        assert_eq!(found[0].0, Kind::Recursive, "{dialect:?}: {found:?}");
    }
}

#[test]
fn references_with_something_beside_them_are_inlined() {
    let schema = json!({
        "type": "object", "required": ["a"],
        "properties": {"a": {"$ref": "#/$defs/Name", "description": "Whose."}},
        "$defs": {"Name": {"type": "string", "description": "A name."}},
    });
    let strict = rewrite(&schema, Dialect::OpenAiStrict).unwrap();
    assert_eq!(
        strict["properties"]["a"],
        json!({"type": "string", "description": "Whose."})
    );
    assert!(strict.get("$defs").is_none());
}

#[test]
fn parts_that_must_all_hold_become_one() {
    let schema = json!({
        "allOf": [
            {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]},
            {"$ref": "#/$defs/B"},
        ],
        "$defs": {"B": {"type": "object", "properties": {"b": {"type": "null"}}, "required": ["b"]}},
    });
    let strict = rewrite(&schema, Dialect::OpenAiStrict).unwrap();
    assert_eq!(strict["required"], json!(["a", "b"]));
    let clash = json!({"allOf": [{"type": "string"}, {"type": "object"}]});
    assert_eq!(
        problems(&clash, Dialect::Grammar),
        [(Kind::Unmergeable, String::new())]
    );
}

#[test]
fn all_that_cannot_be_said_is_told_at_once_with_its_place() {
    let schema = json!({"type": "object", "properties": {
        "any": true,
        "map": {"type": "object", "additionalProperties": {"type": "string"}},
        "free": {"type": "object"},
        "pair": {"type": "array", "prefixItems": [{"type": "string"}]},
        "not": {"type": "string", "not": {"const": "x"}},
        "lost": {"$ref": "#/$defs/Lost"},
        "away": {"$ref": "https://example.com/schema.json"},
        "odd/name": 7,
    }});
    let mut found = problems(&schema, Dialect::OpenAiStrict);
    found.sort_by(|one, two| one.1.cmp(&two.1));
    let at = |name: &str| format!("/properties/{name}");
    assert_eq!(
        found,
        [
            (Kind::AnyValue, at("any")),
            (Kind::BadReference, at("away")),
            (Kind::OpenObject, at("free")),
            (Kind::BadReference, at("lost")),
            (Kind::OpenObject, at("map")),
            (Kind::UnsupportedKeyword, at("not")),
            (Kind::NotASchema, at("odd~1name")),
            (Kind::Tuple, at("pair")),
        ]
    );
    let root = json!({"type": "array", "items": {"type": "string"}});
    assert_eq!(
        problems(&root, Dialect::OpenAiStrict),
        [(Kind::RootNotObject, String::new())]
    );
    assert!(rewrite(&root, Dialect::Grammar).is_ok());
}

fn object(names: usize, schema: &Value) -> Value {
    let properties: serde_json::Map<String, Value> = (0..names)
        .map(|n| (format!("p{n}"), schema.clone()))
        .collect();
    json!({"type": "object", "properties": properties})
}

#[test]
fn limits_are_exact() {
    let word = json!({"type": "string"});
    let nested = |levels: usize| (1..levels).fold(object(1, &word), |inner, _| object(1, &inner));
    let agents = |count: usize, pad: &str| -> Value {
        let names: Vec<String> = (0..count).map(|n| format!("{n:04}{pad}")).collect();
        object(1, &json!({"enum": names}))
    };
    let union = json!({"anyOf": [{"type": "string"}, {"type": "integer"}]});
    let required = |count: usize| {
        let mut schema = object(count, &union);
        let names: Vec<String> = (0..count).map(|n| format!("p{n}")).collect();
        schema["required"] = json!(names);
        schema
    };
    let openai = Dialect::OpenAiStrict;
    let anthropic = Dialect::Anthropic;
    let cases = [
        (nested(10), nested(11), openai, Kind::TooDeep, 10, 11),
        (
            object(5_000, &word),
            object(5_001, &word),
            openai,
            Kind::TooManyProperties,
            5_000,
            5_001,
        ),
        (
            agents(999, ""),
            agents(1_000, ""),
            openai,
            Kind::EnumTooLong,
            1_000,
            1_001,
        ),
        (
            agents(251, &"x".repeat(55)),
            agents(260, &"x".repeat(55)),
            openai,
            Kind::EnumTextTooLong,
            15_000,
            15_340,
        ),
        (
            agents(100, &"x".repeat(1_190)),
            agents(101, &"x".repeat(1_190)),
            openai,
            Kind::TooMuchText,
            120_000,
            120_596,
        ),
        (
            object(24, &word),
            object(25, &word),
            anthropic,
            Kind::TooManyOptional,
            24,
            25,
        ),
        (
            required(16),
            required(17),
            anthropic,
            Kind::TooManyUnions,
            16,
            17,
        ),
    ];
    for (fits, exceeds, dialect, kind, limit, found) in cases {
        if let Err(problems) = rewrite(&fits, dialect) {
            panic!("{kind:?}: {problems}");
        }
        let problems = rewrite(&exceeds, dialect).unwrap_err();
        let [problem] = problems.0.as_slice() else {
            panic!("{problems}");
        };
        assert_eq!(problem.kind, kind);
        assert_eq!(
            (problem.limit, problem.found),
            (Some(limit), Some(found)),
            "{kind:?}"
        );
    }
}

#[test]
fn hostile_schemas_end() {
    // Each definition twice the one before: 2^40 nodes if it were followed.
    let mut defs = serde_json::Map::new();
    for n in 0..40 {
        let next = json!({"$ref": format!("#/$defs/d{}", n + 1)});
        defs.insert(
            format!("d{n}"),
            json!({"type": "object", "properties": {"a": next, "b": next}}),
        );
    }
    defs.insert("d40".to_owned(), json!({"type": "string"}));
    let wide = json!({"$ref": "#/$defs/d0", "$defs": defs});
    assert_eq!(problems(&wide, Dialect::Grammar)[0].0, Kind::TooLarge);
    assert!(
        problems(&wide, Dialect::OpenAiStrict)
            .iter()
            .any(|p| p.0 == Kind::TooDeep)
    );
    let deep = (0..100).fold(
        json!({"type": "string"}),
        |inner, _| json!({"type": "array", "items": inner}),
    );
    assert_eq!(problems(&deep, Dialect::Grammar)[0].0, Kind::TooLarge);
    for circle in [
        json!({"$ref": "#"}),
        json!({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}}),
    ] {
        for dialect in ALL {
            assert!(rewrite(&circle, dialect).is_err(), "{dialect:?}: {circle}");
        }
    }
}

#[test]
fn nulls_that_stand_for_absence_read_back() {
    let original = schema_of::<Plan>();
    let mut answer = json!({
        "reasoning": "r", "tries": null, "urgency": null,
        "steps": [{"kind": "run", "tool": "t", "limit": null}, {"kind": "ask", "question": "q"}],
    });
    assert_eq!(drop_nulls(&original, &mut answer), ["/tries"]);
    let plan: Plan = serde_json::from_value(answer).unwrap();
    assert_eq!(plan.tries, 0);
    assert_eq!(plan.urgency, None);
    // A required null stays, and so does one that the schema allows.
    let schema = json!({"type": "object", "required": ["a"], "properties": {
        "a": {"type": ["string", "null"]}, "b": {"type": ["string", "null"]}}});
    let mut value = json!({"a": null, "b": null});
    assert_eq!(drop_nulls(&schema, &mut value), Vec::<String>::new());
}

/// A small family of schemas: what Rust types of answers look like.
fn family() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!({"type": "string"})),
        Just(json!({"type": "integer"})),
        Just(json!({"type": ["boolean", "null"]})),
        Just(json!({"type": "string", "enum": ["a", "b"]})),
        Just(json!({"const": "fixed"})),
        Just(json!({"$ref": "#/$defs/Shared"})),
        Just(json!({"oneOf": [{"const": "x", "description": "X."}, {"const": "y"}]})),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let fields = prop::collection::vec((inner.clone(), any::<bool>()), 1..4);
        let object = fields.prop_map(|fields| {
            let mut properties = serde_json::Map::new();
            let mut required = Vec::new();
            for (index, (schema, must)) in fields.into_iter().enumerate() {
                let name = format!("f{index}");
                if must {
                    required.push(name.clone());
                }
                properties.insert(name, schema);
            }
            json!({"type": "object", "properties": properties, "required": required})
        });
        prop_oneof![
            3 => object,
            1 => inner.clone().prop_map(|items| json!({"type": "array", "items": items})),
            1 => inner.clone().prop_map(|one| json!({"anyOf": [one, {"type": "null"}]})),
            1 => (inner.clone(), inner).prop_map(|(one, two)| json!({"anyOf": [
                {"type": "object", "properties": {"tag": {"const": "one"}, "v": one}, "required": ["tag"]},
                {"type": "object", "properties": {"tag": {"const": "two"}, "v": two}, "required": ["tag"]},
            ]})),
        ]
    })
}

fn pick(choice: &mut u64, bound: usize) -> usize {
    *choice = choice
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    usize::try_from(*choice >> 33).unwrap() % bound
}

/// A value that a rewritten schema describes, chosen by a number.
fn sample(root: &Value, schema: &Value, choice: &mut u64) -> Value {
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
        let target = super::refs::resolve(root, reference).unwrap();
        return sample(root, target, choice);
    }
    if let Some(value) = schema.get("const") {
        return value.clone();
    }
    for list in ["enum", "anyOf", "oneOf"] {
        if let Some(all) = schema.get(list).and_then(Value::as_array) {
            let one = &all[pick(choice, all.len())];
            return if list == "enum" {
                one.clone()
            } else {
                sample(root, one, choice)
            };
        }
    }
    let names = super::object::types(schema.as_object().unwrap());
    match names[pick(choice, names.len())] {
        "null" => Value::Null,
        "string" => json!("text"),
        "integer" => json!(7),
        "boolean" => json!(true),
        "array" => {
            let count = pick(choice, 3);
            (0..count)
                .map(|_| sample(root, &schema["items"], choice))
                .collect()
        }
        _ => {
            let must = super::object::required(schema.as_object().unwrap());
            let mut object = serde_json::Map::new();
            for (name, inner) in schema["properties"].as_object().unwrap() {
                if must.contains(&name.as_str()) || !(*choice).is_multiple_of(3) {
                    object.insert(name.clone(), sample(root, inner, choice));
                }
            }
            Value::Object(object)
        }
    }
}

proptest! {
    #[test]
    fn what_fits_the_rewritten_schema_fits_the_original(field in family(), mut choice in any::<u64>()) {
        let original = json!({
            "type": "object", "properties": {"field": field, "more": {"type": "string"}},
            "$defs": {"Shared": {"type": "object", "required": ["n"], "properties": {
                "n": {"type": "integer"}, "o": {"type": "string"}}}},
        });
        for dialect in ALL {
            let Ok(rewritten) = rewrite(&original, dialect) else {
                prop_assert_eq!(dialect, Dialect::Anthropic);
                continue;
            };
            let again = rewrite(&rewritten, dialect);
            prop_assert_eq!(again.as_ref(), Ok(&rewritten));
            for _ in 0..8 {
                let mut value = sample(&rewritten, &rewritten, &mut choice);
                prop_assert!(jsonschema::is_valid(&rewritten, &value), "{rewritten} {value}");
                let dropped = drop_nulls(&original, &mut value);
                prop_assert!(
                    jsonschema::is_valid(&original, &value),
                    "{dialect:?}\n{original}\n{rewritten}\n{value}\n{dropped:?}"
                );
            }
        }
    }

    #[test]
    fn what_fits_already_is_not_changed(field in family(), mut choice in any::<u64>()) {
        let schema = json!({"type": "object", "properties": {"field": field},
            "$defs": {"Shared": {"type": "integer"}}});
        let value = json!({"field": sample(&schema, &schema["properties"]["field"], &mut choice)});
        if jsonschema::is_valid(&schema, &value) {
            let mut same = value.clone();
            prop_assert_eq!(drop_nulls(&schema, &mut same), Vec::<String>::new());
            prop_assert_eq!(same, value);
        }
    }
}
