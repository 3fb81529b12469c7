//! Defective definitions of agents, and the codes of their problems.
#![cfg(feature = "markdown")]

use zeph_subagent::{AgentReader, Diagnostics, MAX_AGENT_BYTES, code};

fn codes(defects: &Diagnostics) -> String {
    let codes: Vec<&str> = defects.iter().map(|one| one.code.text()).collect();
    codes.join(" ")
}

/// Reads a definition, checks every place, and returns the codes in the order of the text.
fn found(bytes: &[u8]) -> String {
    let reader = AgentReader::new().known_tools(["read_file", "search"]);
    let Err(defects) = reader.read(bytes, "a.md") else {
        return String::new();
    };
    let text = String::from_utf8_lossy(bytes);
    for one in &defects {
        assert_eq!(
            one.source.as_ref().map(zeph_diagnostics::Source::name),
            Some("a.md")
        );
        assert!(!one.message.is_empty());
        let span = one.span.unwrap_or_default();
        assert!(text.get(span.start..span.end).is_some(), "{text}: {one:?}");
        assert_eq!(one.line_column().is_some(), one.span.is_some());
    }
    codes(&defects)
}

#[track_caller]
fn check(table: &[(&str, &str)]) {
    for (text, expected) in table {
        assert_eq!(found(text.as_bytes()), *expected, "{text}");
    }
}

/// A front matter with the required fields and these lines.
fn with(lines: &str) -> String {
    format!("---\nname: a\ndescription: Does a\n{lines}\n---\nDo a.\n")
}

#[track_caller]
fn check_lines(table: &[(&str, &str)]) {
    for (lines, expected) in table {
        let text = with(lines);
        assert_eq!(found(text.as_bytes()), *expected, "{text}");
    }
}

#[test]
fn the_frame() {
    check(&[
        ("", "no_front_matter"),
        ("You are an agent.\n", "no_front_matter"),
        ("\n---\nname: a\n---\nDo.", "no_front_matter"),
        ("----\nname: a\n---\nDo.", "no_front_matter"),
        ("---", "unclosed_front_matter"),
        ("---\nname: a\ndescription: b\n", "unclosed_front_matter"),
        ("---\nname: a\n ---\nDo.", "unclosed_front_matter"),
        ("---\nname: a\n--- x\nDo.", "unclosed_front_matter"),
        ("---\n---\nDo.", "missing_key missing_key"),
        ("---\n# nothing\n---\nDo.", "missing_key missing_key"),
        ("---\n---\n", "missing_key missing_key empty_prompt"),
        ("---\nname: a\ndescription: b\n---", "empty_prompt"),
        (
            "---\nname: a\ndescription: b\n---\n \t\r\n\n",
            "empty_prompt",
        ),
        ("---\nname: a\n---\nDo.", "missing_key"),
        ("---\ndescription: a\n---\nDo.", "missing_key"),
        ("---\n- name\n---\nDo.", "wrong_type"),
        ("---\njust text\n---\nDo.", "wrong_type"),
        (
            "---\nname: a\ndescription: b\n---\nDo \u{202e}evil.",
            "hidden_characters",
        ),
        (
            "---\nname: a\ndescription: b\n---\nDo\r\nthis\u{1b}[2J.",
            "hidden_characters",
        ),
        (
            "---\nname: a\ndescription: b\n---\nDo\u{200b}.",
            "hidden_characters",
        ),
    ]);
}

#[test]
fn yaml_itself() {
    check_lines(&[
        ("model: a: b", "syntax"),
        ("tags: [a", "syntax"),
        ("tags: [a]]", "syntax"),
        ("model: \"x", "syntax"),
        ("model: 'x' y", "syntax"),
        ("\tmodel: x", "syntax"),
        ("model: @x", "syntax"),
        ("name: b", "duplicate_key"),
        ("limits: {max_turns: 1, max_turns: 2}", "duplicate_key"),
        ("model: &m x", "yaml_feature"),
        ("model: *m", "yaml_feature"),
        ("model: !!str x", "yaml_feature"),
        ("model: !secret x", "yaml_feature"),
        ("<<: {model: x}", "yaml_feature"),
        ("%YAML 1.2", "yaml_feature"),
        ("[1, 2]: x", "wrong_type"),
        ("null: x", "wrong_type"),
        ("output: {minimum: .nan}", "bad_value"),
        ("output: {minimum: 1e999}", "bad_value"),
        ("...\nmodel: x", "yaml_feature"),
    ]);
    // A line that ends the front matter early turns the rest of it into the prompt.
    assert_eq!(
        found(b"---\nname: a\n---\ndescription: b\n---\nDo."),
        "missing_key"
    );
}

#[test]
fn every_key() {
    check_lines(&[
        ("modell: x", "unknown_key"),
        ("Model: x", "unknown_key"),
        ("prompt: x", "unknown_key"),
        ("1: x", "unknown_key"),
        ("model: [x]", "wrong_type"),
        ("model: 3", "wrong_type"),
        ("model:", "wrong_type"),
        ("model: ''", "bad_value"),
        ("model: 'a b'", "bad_value"),
        ("model: \"a\\u202Eb\"", "bad_value"),
        ("tools: read_file", "wrong_type"),
        ("tools: {read_file: true}", "wrong_type"),
        ("tools: [1]", "wrong_type"),
        ("tools: [read_file, read_file]", "duplicate_entry"),
        (
            "tools: [read_fil, search, serch]",
            "unknown_tool unknown_tool",
        ),
        ("tools: ['rm -rf /']", "bad_name"),
        ("tools: ['']", "bad_name"),
        ("tags: x", "wrong_type"),
        ("tags: [x, [y]]", "wrong_type"),
        ("tags: ['x y', '']", "bad_name bad_name"),
        ("tags: [x, x]", "duplicate_entry"),
        ("tags: [\"x\\u200B\"]", "bad_name"),
        ("limits: 3", "wrong_type"),
        ("limits: {turns: 3}", "unknown_key"),
        ("limits: {max_turns: 0}", "zero_limit"),
        ("limits: {max_turns: -1}", "bad_value"),
        ("limits: {max_turns: 1.5}", "wrong_type"),
        ("limits: {max_turns: 4294967296}", "bad_value"),
        ("limits: {max_turns: '3'}", "wrong_type"),
        ("limits: {max_turns: ~}", "wrong_type"),
        (
            "limits: {max_output_tokens: 0, max_input_tokens: 0}",
            "zero_limit zero_limit",
        ),
        ("limits: {timeout: 5}", "bad_duration"),
        ("limits: {timeout: 5 parsecs}", "bad_duration"),
        ("limits: {timeout: 0s}", "zero_limit"),
        ("limits: {timeout: -5s}", "bad_duration"),
        ("output: yaml", "bad_value"),
        ("output: [text]", "wrong_type"),
        ("output: true", "wrong_type"),
        ("output:", "wrong_type"),
        ("output: {title: \"a\\u202Eb\"}", "hidden_characters"),
        ("output: {\"a\\u200B\": {enum: [x]}}", "hidden_characters"),
    ]);
}

#[test]
fn names_and_descriptions() {
    let names = [
        "../x",
        "a/b",
        "a\\\\b",
        "a b",
        "",
        "-a",
        "1a",
        "ä",
        "a.md",
        "a\\u0000",
        "a\\u202Eb",
        "a\\n",
        "<b>",
    ];
    for name in names {
        let text = format!("---\nname: \"{name}\"\ndescription: b\n---\nDo.");
        // No string has a NUL character.
        let wanted = if name == "a\\u0000" {
            "bad_value"
        } else {
            "bad_name"
        };
        assert_eq!(found(text.as_bytes()), wanted, "{name}");
    }
    let long = "a".repeat(65);
    let text = format!("---\nname: {long}\ndescription: b\n---\nDo.");
    assert_eq!(found(text.as_bytes()), "bad_name");
    check(&[
        ("---\nname: true\ndescription: b\n---\nDo.", "wrong_type"),
        ("---\nname: 7\ndescription: b\n---\nDo.", "wrong_type"),
        (
            "---\nname:\ndescription:\n---\nDo.",
            "wrong_type wrong_type",
        ),
        ("---\nname: a\ndescription: ' '\n---\nDo.", "empty_text"),
        ("---\nname: a\ndescription: [b]\n---\nDo.", "wrong_type"),
        (
            "---\nname: a\ndescription: \"b\\u2066c\"\n---\nDo.",
            "hidden_characters",
        ),
        (
            "---\nname: a\ndescription: \"b\\ec\"\n---\nDo.",
            "hidden_characters",
        ),
    ]);
}

#[test]
fn what_is_too_much() {
    let long = "b".repeat(5_000);
    let text = format!("---\nname: a\ndescription: {long}\n---\nDo.");
    assert_eq!(found(text.as_bytes()), "too_large");
    let huge = with("") + &"x".repeat(MAX_AGENT_BYTES);
    assert_eq!(found(huge.as_bytes()), "too_large");
    let many: Vec<String> = (0..65).map(|at| format!("t{at}")).collect();
    assert_eq!(
        found(with(&format!("tags: {many:?}")).as_bytes()),
        "too_many"
    );
    let many: Vec<String> = (0..129).map(|at| format!("t{at}")).collect();
    let text = with(&format!("tools: {many:?}"));
    let defects = AgentReader::new()
        .read(text.as_bytes(), "a.md")
        .unwrap_err();
    assert_eq!(codes(&defects), "too_many");
    for deep in [
        "[".repeat(60_000),
        "{a: ".repeat(10_000),
        "- ".repeat(60_000),
    ] {
        let text = with(&format!("output:\n {deep}"));
        assert_eq!(found(text.as_bytes()), "nested_too_deeply");
    }
    let noise: String = (0..5_000).map(|at| format!("k{at}: 1\n")).collect();
    let defects = AgentReader::new().read(with(&noise).as_bytes(), "a.md");
    assert_eq!(defects.unwrap_err().as_slice().len(), 1_000);
}

#[test]
fn what_is_no_text() {
    assert_eq!(found(b"\xff\xfe-\0-\0-\0"), "not_utf8");
    assert_eq!(
        found(b"---\nname: a\ndescription: \xc3\x28\n---\nDo."),
        "not_utf8"
    );
    let defects = AgentReader::new()
        .read(b"---\nname: \xe9t\xe9\n---\n", "a.md")
        .unwrap_err();
    let wanted = "a.md:2:7: [not_utf8] byte 10 is not UTF-8 (save the file as UTF-8)";
    assert_eq!(defects.to_string(), wanted);
}

/// An alias bomb is refused by its first alias and never expands.
#[test]
fn a_bomb_of_aliases() {
    let mut lines = "output:\n  a: &a [x, x, x, x, x, x, x, x]\n".to_owned();
    for (one, other) in "bcdefghi".chars().zip("abcdefgh".chars()) {
        let many = format!("*{other}, ").repeat(8);
        lines.push_str(&format!("  {one}: &{one} [{many}]\n"));
    }
    let codes = found(with(&lines).as_bytes());
    assert_eq!(codes, ["yaml_feature"; 73].join(" "));
}

#[test]
fn everything_at_once_with_its_place_and_what_to_do() {
    let text = "---\r\nname: ../x\r\ntols: [read_file]\r\ntools:\r\n  - serch\r\nlimits:\r\n  max_turn: 3\r\n  timeout: soon\r\n---\r\n";
    let reader = AgentReader::new().known_tools(["read_file", "search"]);
    let defects = reader.read(text.as_bytes(), "x.md").unwrap_err();
    let wanted = r#"x.md:1:1: [missing_key] the key `description` is missing (add a line `description: …`)
x.md:2:7: [bad_name] "../x" cannot be the name of an agent (use 1 to 64 of a-z, A-Z, 0-9, '_' and '-', beginning with a letter or '_')
x.md:3:1: [unknown_key] the front matter has no key "tols" (did you mean "tools"?)
x.md:5:5: [unknown_tool] there is no tool "serch" (did you mean "search"?)
x.md:7:3: [unknown_key] `limits` has no key "max_turn" (did you mean "max_turns"?)
x.md:8:12: [bad_duration] `limits.timeout` is not a duration: "soon": expected number at 0 (write a number with a unit in quotes, such as "30s" or "1h 30m")
x.md:10:1: [empty_prompt] there is no prompt (write the system prompt after the front matter)"#;
    assert_eq!(defects.to_string(), wanted);
}

#[test]
fn codes_have_words_of_their_own() {
    let mut words: Vec<&str> = code::ALL.iter().map(|code| code.text()).collect();
    words.sort_unstable();
    words.dedup();
    assert_eq!(words.len(), code::ALL.len());
}
