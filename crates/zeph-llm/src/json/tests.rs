//! Reading of JSON from answers: what is read, reported and refused, and the cost.

use std::cell::Cell;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{JsonError, ReadJson, Tolerated, read_finished_json, read_json};

thread_local! {
    static STEPS: Cell<usize> = const { Cell::new(0) };
}

/// Counts the bytes that the reader looks at.
pub(super) fn count_steps(steps: usize) {
    STEPS.set(STEPS.get() + steps);
}

fn read(text: &str) -> Result<ReadJson, JsonError> {
    read_json(text, 1 << 20, |_| false)
}

fn accepted(text: &str) -> (Value, Vec<Tolerated>) {
    let read = read(text).unwrap_or_else(|error| panic!("{text:?}: {error}"));
    (read.value, read.tolerated)
}

fn refused(text: &str) -> JsonError {
    match read(text) {
        Err(error) => error,
        Ok(read) => panic!("{text:?} was read as {read:?}"),
    }
}

#[test]
fn a_bare_value_tolerates_nothing() {
    for text in [
        "{\"a\":[1,{}]}",
        " [1]\n",
        "42",
        "\"yes\"",
        "null",
        "{}",
        "[]",
    ] {
        assert_eq!(accepted(text).1, [], "{text}");
    }
}

#[test]
fn what_surrounds_a_value_is_reported() {
    let a = json!({"a": 1});
    let prose = |before, after| Tolerated::Prose { before, after };
    let cases = [
        ("\u{FEFF}{\"a\":1}", vec![Tolerated::ByteOrderMark]),
        ("```json\n{\"a\":1}\n```", vec![Tolerated::Fence]),
        ("```\n{\"a\":1}\n```\n", vec![Tolerated::Fence]),
        ("Sure: {\"a\":1} ok?", vec![prose(5, 3)]),
        (
            "Sure:\n```json\n{\"a\":1}\n```\nBye",
            vec![Tolerated::Fence, prose(5, 3)],
        ),
        (
            "<think>{\"a\":2}</think>\n{\"a\":1}",
            vec![Tolerated::Thought { bytes: 22 }],
        ),
        ("see [1 of {\"a\":1}", vec![]),
        ("{like this}: {\"a\":1}", vec![prose(12, 0)]),
    ];
    for (text, expected) in cases {
        if expected.is_empty() {
            assert!(matches!(refused(text), JsonError::Syntax { .. }), "{text}");
            continue;
        }
        assert_eq!(accepted(text), (a.clone(), expected), "{text}");
    }
}

#[test]
fn a_fence_inside_a_string_is_text() {
    let text = "{\"code\": \"```json\\n{}\\n```\"}";
    assert_eq!(
        accepted(text),
        (json!({"code": "```json\n{}\n```"}), vec![])
    );
}

#[test]
fn one_of_several_values_is_chosen_and_the_others_are_counted() {
    let count = |count| Tolerated::Others { count };
    let (value, tolerated) = accepted("{\"a\":1} {\"a\":2}");
    assert_eq!(value, json!({"a": 1}));
    assert!(tolerated.contains(&count(1)));
    // An object before an array, a fence before both.
    assert_eq!(accepted("[1] {\"a\":2} [3]").0, json!({"a": 2}));
    let (value, tolerated) = accepted("{\"a\":1}\n```json\n[2]\n```\n{\"a\":3}");
    assert_eq!(value, json!([2]));
    assert!(tolerated.contains(&count(2)));
    // A usable value comes before all of them.
    let text = "{\"a\":1} {\"b\":2} {\"b\":";
    let read = read_json(text, 1 << 20, |value| value.get("b").is_some()).unwrap();
    assert_eq!(read.value, json!({"b": 2}));
    assert!(read.tolerated.contains(&Tolerated::Broken { at: 16 }));
}

#[test]
fn commas_and_raw_controls_are_repaired() {
    let (value, tolerated) = accepted("{\"a\": [1, 2, ], \"b\": \"x\ny\",}");
    assert_eq!(value, json!({"a": [1, 2], "b": "x\ny"}));
    assert_eq!(
        tolerated,
        [
            Tolerated::TrailingComma { at: 11 },
            Tolerated::RawControl { at: 23 },
            Tolerated::TrailingComma { at: 26 },
        ]
    );
    // A comma inside a string stays.
    assert_eq!(accepted("{\"a\": \",}\",}").0, json!({"a": ",}"}));
    // The place of an error after a repair is a place in the original text.
    let text = "{\"b\": \"x\ny\", \"c\": nope}";
    let JsonError::Syntax { at, why } = refused(text) else {
        panic!("{text}");
    };
    assert_eq!(
        (&text[at..], why.starts_with("expected a value")),
        ("nope}", true)
    );
}

#[test]
fn other_notations_are_rewritten() {
    use super::Notation::{
        BareKey, Comment, Escape, MissingComma, Punctuation, Quotes, Space, Word,
    };
    let wanted = json!({ "a": [{ "b": "it's" }, { "c": null }], "d": "x \"y\"" });
    let cases = [
        (
            "{'a': [{'b': \"it's\"}, {'c': None}], 'd': 'x \"y\"'}",
            vec![Quotes, Word],
        ),
        (
            "{a: [{b: \"it's\"} {c: null}] d: \"x \\\"y\\\"\"}",
            vec![BareKey, MissingComma],
        ),
        (
            "{“a”: [{“b”: “it's”}, {“c”: null}], “d”: “x \"y\"”}",
            vec![Quotes],
        ),
        (
            "{\"a\": [{\"b\": \"it\\'s\"}, // the list\n # more\n {\"c\": null}], /* x */ \"d\": \"x \\\"y\\\"\"}",
            vec![Escape, Comment],
        ),
        (
            "{\u{A0}\"a\": [{\"b\": \"it's\"}, {\"c\": undefined}], \"d\": \"x \\\"y\\\"\"}",
            vec![Space, Word],
        ),
        (
            "{'a': [{'b': 'it's'}, {'c': NULL}], 'd': 'x \"y\"'}",
            vec![Quotes, Word],
        ),
        (
            "{“a”：[{“b”：“it's”}，{“c”：null}]，“d”：“x \"y\"”}",
            vec![Quotes, Punctuation],
        ),
        (
            "{a = [{b = \"\"\"it's\"\"\"}, {c => null}], d = \"x \\\"y\\\"\"}",
            vec![BareKey, Punctuation, Quotes],
        ),
    ];
    for (text, ways) in cases {
        let (value, tolerated) = accepted(text);
        assert_eq!(value, wanted, "{text}");
        let mut found = Vec::new();
        for one in &tolerated {
            if let Tolerated::Notation { what, .. } = one {
                found.push(*what);
            }
        }
        assert_eq!(found, ways, "{text}");
    }
}

#[test]
fn a_comment_hides_nothing() {
    for text in [
        "{\"needs\": [\n#\"a\",\n\"b\"]}",
        "{\"needs\": [\n#a\",\n\"b\"]}",
        "{\"x\": 1, // \"needs\": [1],\n\"y\": 2}",
        "{\"x\": 1, /* {\"y\": 2} */ \"z\": 3}",
    ] {
        assert!(matches!(refused(text), JsonError::Syntax { .. }), "{text}");
    }
}

#[test]
fn a_key_twice_counts_once_if_its_values_are_equal() {
    let (value, tolerated) = accepted("{\"a\": [1, {\"b\": 2}], \"a\": [1, {\"b\": 2}]}");
    assert_eq!(value, json!({"a": [1, {"b": 2}]}));
    assert_eq!(tolerated, [Tolerated::RepeatedKey { key: "a".into() }]);
    assert!(matches!(
        refused("{\"a\": [], \"a\": [1]}"),
        JsonError::DuplicateKey { .. }
    ));
}

#[test]
fn a_finished_text_may_lack_its_last_braces() {
    let read = |text| read_finished_json(text, 1 << 20, |_| false);
    let unclosed = |text| matches!(read(text), Err(JsonError::Unclosed { .. }));
    for (text, count) in [
        ("{\"tasks\": [{\"a\": 1}]", 1),
        ("{\"plan\": {\"tasks\": [{\"a\": 1}]\n```", 2),
        ("{\"tasks\": [], \"note\": \"x\"", 1),
    ] {
        let read = read(text).unwrap();
        assert!(
            read.tolerated.contains(&Tolerated::Unclosed { count }),
            "{text}"
        );
        assert!(refused(text).is_cut_off(), "{text}");
    }
    // In an open list, or in a text, more may be missing.
    assert!(unclosed("{\"tasks\": [{\"a\": 1}"));
    assert!(unclosed("{\"tasks\": [{\"a\": \"x\""));
    assert!(unclosed("[{\"a\": 1}"));
    for text in [
        "{\"a\": \"x",
        "{\"a\": 1,",
        "{\"a\":",
        "{\"a\"",
        "{\"a\": 1",
        "{",
    ] {
        assert!(read(text).is_err_and(|error| error.is_cut_off()), "{text}");
    }
}

#[test]
fn a_raw_control_after_a_backslash_is_refused_at_its_place() {
    for text in [
        "{\"a\": \"x\\\ny\"}",
        "{\"a\": [1,], \"b\": \"x\\\ny\"}",
        "{\"a\": \"\n\", \"b\": \"x\\\ny\"}",
    ] {
        let JsonError::Syntax { at, .. } = refused(text) else {
            panic!("{text:?}: {}", refused(text));
        };
        let escape = text.find("\\\n").unwrap();
        assert!((escape..=escape + 2).contains(&at), "{text:?} at {at}");
    }
    // A backslash that is escaped itself does not escape the control.
    assert_eq!(accepted("{\"a\": \"\\\\\n\"}").0, json!({"a": "\\\n"}));
}

#[test]
fn a_cut_off_value_is_an_error_of_its_own() {
    let whole = r#"{"tasks": [{"name": "a\"b", "n": 12}], "x": null}"#;
    for end in 1..whole.len() {
        assert!(refused(&whole[..end]).is_cut_off(), "{}", &whole[..end]);
    }
    for text in [
        "\"abc",
        "<think>long",
        "{\"a\": [1,], \"b\": ",
        "Answer:\n```json\n{",
    ] {
        assert!(refused(text).is_cut_off(), "{text}");
    }
    // A lone bracket after a whole value is prose.
    assert_eq!(accepted("{\"a\":1} [").0, json!({"a": 1}));
    // A complete value does not replace the one that is cut off.
    assert!(refused("[1] {\"tasks\": [").is_cut_off());
}

#[test]
fn broken_json_is_refused_with_its_place() {
    assert_eq!(refused(" \n"), JsonError::Empty);
    assert_eq!(refused("I cannot do that."), JsonError::NoJson);
    assert_eq!(
        refused("{\"a\": {\"b\": 1, \"b\": 2}}"),
        JsonError::DuplicateKey {
            pointer: "/a".into(),
            key: "b".into()
        }
    );
    assert_eq!(
        refused("[{\"x/y\": {\"k\": 1, \"k\": 2}}] {}"),
        JsonError::DuplicateKey {
            pointer: "/0/x~1y".into(),
            key: "k".into()
        }
    );
    for (text, word) in [
        ("{\"a\": NaN}", "NaN"),
        ("{\"a\": -Infinity}", "-Infinity"),
        ("[1, Infinity]", "Infinity"),
        ("NaN", "NaN"),
    ] {
        let at = text.find(word).unwrap();
        assert_eq!(refused(text), JsonError::NotANumber { text: word, at });
    }
    for text in [
        "{\"a\" 1}",
        "[1 2]",
        "[\"a\" \"b\"]",
        "{\"a\": [1, , 2]}",
        "{\"a\": \"\\d\"}",
        "[1e999]",
    ] {
        let error = refused(text);
        assert!(
            matches!(error, JsonError::Syntax { .. } | JsonError::NoJson),
            "{text}: {error}"
        );
    }
}

#[test]
fn depth_and_size_are_limited() {
    let nested = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
    assert_eq!(accepted(&nested(127)).1, []);
    assert!(matches!(refused(&nested(128)), JsonError::TooDeep { .. }));
    assert!(matches!(
        refused(&"{\"a\":".repeat(100_000)),
        JsonError::TooDeep { .. }
    ));
    assert!(matches!(
        refused(&"x".repeat((1 << 20) + 1)),
        JsonError::TooLarge {
            limit: 1_048_576,
            found: 1_048_577
        }
    ));
}

/// Texts that make a naive reader look at the same bytes many times.
#[test]
fn hostile_texts_take_linear_work() {
    let size = 64 << 10;
    for piece in [
        "[x",
        "{ ",
        "[1,x] ",
        "[1,] ",
        "{\"a\":",
        "{a:",
        "{a:{b:1} ",
        "[{'a':1} ",
        "{'a",
        "[// x\n",
        "[/* */",
        "{/*",
        "[\"",
        "[1,[2,x] ",
        "```json\n[x",
        "[\n",
    ] {
        let text = piece.repeat(size / piece.len());
        STEPS.set(0);
        let is_ok = read(&text).is_ok();
        let steps = STEPS.get();
        assert!(
            (1..4 * size).contains(&steps),
            "{piece:?} ({is_ok}): {steps} steps"
        );
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        ".*".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(".{0,6}", inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

#[test]
fn a_string_with_a_brace_is_a_string() {
    for text in ["{", "[1]", "a \"{}\" b"] {
        let value = Value::from(text);
        assert_eq!(accepted(&value.to_string()), (value, vec![]));
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused_at_a_place(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let text = String::from_utf8_lossy(&bytes);
        // The place of an error is inside the text.
        if let Err(JsonError::Syntax { at, .. } | JsonError::CutOff { at }) = read(&text) {
            prop_assert!(text.is_char_boundary(at));
        }
    }

    #[test]
    fn pieces_of_json_are_read_or_refused(text in "([\\[\\]{},:\"\\\\\n` a1é]|```json|null|NaN|<think>|</think>){0,60}") {
        if let Ok(found) = read(&text) {
            // The value is JSON, and reads back as itself.
            let again = read(&found.value.to_string());
            prop_assert_eq!(again.map(|read| read.value), Ok(found.value));
        }
    }

    #[test]
    fn valid_json_is_read_unchanged(value in any_json()) {
        let strict = value.to_string();
        prop_assert_eq!(accepted(&strict), (value.clone(), vec![]));
        let pretty = serde_json::to_string_pretty(&value).unwrap();
        prop_assert_eq!(accepted(&pretty).0, value);
    }
}
