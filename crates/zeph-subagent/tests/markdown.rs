//! Definitions from files and folders, and from arbitrary bytes.
#![cfg(feature = "markdown")]
#![allow(clippy::unwrap_used)]

use std::fs;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::json;
use zeph_subagent::{AgentCatalog, AgentOutput, AgentReader, Diagnostics, SubAgentDef};

const FULL: &str = "---
# Who does the numbers.
name: analyst
description: >
  Groups and counts things
  in text
model: 'ollama::qwen3:8b'
tools: [read_file, mcp.search-2]
tags:
  - analysis
  - 数据
limits:
  max_turns: 6
  max_output_tokens: 0x800
  max_input_tokens: 8000
  timeout: 1m 30s
output:
  type: object
  properties:
    groups: { type: array, items: { type: string }, maxItems: 10 }
  required: [groups]
---

You group things by area: 👩‍🔬 first.

---
This line is part of the prompt.
";

#[test]
fn every_key_is_read() {
    let agent = AgentReader::new()
        .read(FULL.as_bytes(), "analyst.md")
        .unwrap();
    assert_eq!(agent.name, "analyst");
    assert_eq!(agent.description, "Groups and counts things in text");
    assert_eq!(agent.model.as_deref(), Some("ollama::qwen3:8b"));
    assert!(agent.tools.iter().eq(["mcp.search-2", "read_file"]));
    assert!(agent.tags.iter().eq(["analysis", "数据"]));
    assert_eq!(agent.limits.max_turns, 6);
    assert_eq!(agent.limits.max_output_tokens, 2_048);
    assert_eq!(agent.limits.max_input_tokens, 8_000);
    assert_eq!(agent.limits.timeout, Some(Duration::from_secs(90)));
    let schema = json!({
        "type": "object",
        "properties": {"groups": {"type": "array", "items": {"type": "string"}, "maxItems": 10}},
        "required": ["groups"],
    });
    assert_eq!(agent.output, AgentOutput::Schema(schema));
    let prompt = "You group things by area: 👩‍🔬 first.\n\n---\nThis line is part of the prompt.";
    assert_eq!(agent.prompt, prompt);
}

#[test]
fn line_ends_and_byte_order_marks_do_not_matter() {
    let plain = AgentReader::new().read(FULL.as_bytes(), "a.md").unwrap();
    let crlf = FULL.replace('\n', "\r\n");
    for text in [
        crlf.clone(),
        format!("\u{feff}{FULL}"),
        format!("\u{feff}{crlf}"),
    ] {
        assert_eq!(
            AgentReader::new().read(text.as_bytes(), "a.md").unwrap(),
            plain
        );
    }
}

#[test]
fn defaults_are_those_of_the_builder() {
    let text = "---\nname: A_1-b\ndescription: Does a\n---\nDo a.";
    let read = AgentReader::new().read(text.as_bytes(), "a.md").unwrap();
    assert_eq!(read, SubAgentDef::new("A_1-b", "Does a", "Do a."));
}

fn lines(defects: &Diagnostics, dir: &std::path::Path) -> Vec<String> {
    let dir = format!("{}/", dir.display());
    let line = |one: &zeph_subagent::Diagnostic| {
        let source = one.source.as_ref().map_or("", |source| source.name());
        format!("{} {}", source.replace(&dir, ""), one.code)
    };
    defects.iter().map(line).collect()
}

#[test]
fn a_folder_becomes_a_catalogue_in_the_order_of_names() {
    let dir = tempfile::tempdir().unwrap();
    let write = |file: &str, text: &str| fs::write(dir.path().join(file), text).unwrap();
    for (file, name) in [("2.md", "writer"), ("1.MD", "Editor"), ("3.md", "analyst")] {
        write(
            file,
            &format!("---\nname: {name}\ndescription: b\n---\nDo."),
        );
    }
    write("notes.txt", "not an agent");
    write(".hidden.md", "not an agent");
    fs::create_dir(dir.path().join("more")).unwrap();
    write("more/deep.md", "not an agent");
    let catalog = AgentReader::new().read_dir(dir.path()).unwrap();
    assert!(catalog.names().eq(["analyst", "Editor", "writer"]));
    assert_eq!(
        catalog.catalog_text(),
        AgentReader::new()
            .read_dir(dir.path())
            .unwrap()
            .catalog_text()
    );
    assert!(catalog.get("editor").is_none());
}

#[test]
fn the_defects_of_all_files_come_together() {
    let dir = tempfile::tempdir().unwrap();
    let write = |file: &str, text: &[u8]| fs::write(dir.path().join(file), text).unwrap();
    write("a.md", b"---\nname: same\ndescription: b\n---\nDo.");
    write("b.md", b"---\nname: same\ndescription: b\n---\nDo.");
    write("c.md", b"---\nname: SAME\ndescription: b\n---\nDo.");
    write("d.md", b"---\nnam: x\n---\n");
    write("e.md", b"\xff");
    write("f.md", &vec![b'x'; 300 << 10]);
    fs::create_dir(dir.path().join("g.md")).unwrap();
    let defects = AgentReader::new().read_dir(dir.path()).unwrap_err();
    let wanted = [
        "b.md duplicate_agent",
        "c.md case_folded_duplicate",
        "d.md missing_key",
        "d.md missing_key",
        "d.md unknown_key",
        "d.md empty_prompt",
        "e.md not_utf8",
        "f.md too_large",
        "g.md not_a_file",
    ];
    assert_eq!(lines(&defects, dir.path()), wanted);
    let missing = AgentReader::new()
        .read_dir(dir.path().join("nowhere"))
        .unwrap_err();
    assert_eq!(lines(&missing, dir.path()), ["nowhere unreadable"]);
    assert!(
        AgentReader::new()
            .read_dir(dir.path().join("a.md"))
            .is_err()
    );
}

#[cfg(unix)]
#[test]
fn links_and_pipes_are_not_followed() {
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;
    let dir = tempfile::tempdir().unwrap();
    symlink("/dev/zero", dir.path().join("a.md")).unwrap();
    symlink("b.md", dir.path().join("b.md")).unwrap();
    let _socket = UnixListener::bind(dir.path().join("c.md")).unwrap();
    let defects = AgentReader::new().read_dir(dir.path()).unwrap_err();
    let wanted = ["a.md not_a_file", "b.md not_a_file", "c.md not_a_file"];
    assert_eq!(lines(&defects, dir.path()), wanted);
}

#[cfg(unix)]
#[test]
fn names_of_files_are_inert_in_defects() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let dir = tempfile::tempdir().unwrap();
    let name = OsStr::from_bytes(b"\x1b[31m\n\xff.md");
    // Some file systems refuse such a name.
    if fs::write(dir.path().join(name), "x").is_ok() {
        let defects = AgentReader::new()
            .read_dir(dir.path())
            .unwrap_err()
            .to_string();
        assert!(defects.contains("\\n\u{fffd}.md:1:1: "), "{defects}");
        assert!(!defects.contains('\u{1b}'));
    }
}

/// Reads bytes. An accepted definition passes the check of all definitions; every problem of a rejected one
/// has a place.
fn exercise(bytes: &[u8]) -> bool {
    match AgentReader::new().known_tools(["t"]).read(bytes, "x") {
        Ok(agent) => {
            agent.check().unwrap();
            AgentCatalog::new().add(agent).unwrap();
            true
        }
        Err(defects) => {
            let text = String::from_utf8_lossy(bytes);
            for one in &defects {
                let span = one.span.unwrap_or_default();
                assert!(
                    text.get(span.start..span.end).is_some(),
                    "{one:?} of {text:?}"
                );
                assert!(!one.to_string().contains(char::is_control), "{one}");
            }
            assert!(!defects.as_slice().is_empty());
            false
        }
    }
}

/// Pieces of definitions, so that random texts come close to valid ones.
fn piece() -> impl Strategy<Value = String> {
    let words = [
        "---\n",
        "---\r\n",
        "name: a\n",
        "description: b\n",
        "name: ",
        "description: ",
        "tools: ",
        "[t]\n",
        "tags: [x, y]\n",
        "limits:\n",
        "  max_turns: 3\n",
        "  timeout: 5s\n",
        "output: ",
        "json\n",
        "{type: object}\n",
        "model: m\n",
        "Do it.\n",
        "- ",
        "? ",
        ": ",
        "|\n",
        ">-\n",
        "  x\n",
        "&a ",
        "*a",
        "!t ",
        "<<: ",
        "{",
        "}",
        "[",
        "]",
        ",",
        "'",
        "\"",
        "\\u202e",
        "#",
        "%YAML\n",
        "...\n",
        "\t",
        "\n",
        " ",
        "é",
        "\u{feff}",
        "\u{202e}",
        "\u{85}",
        "\0",
        "\r",
        "~",
        "1e999",
        ".nan",
        "0",
        "-1",
        "@",
        "`",
    ];
    prop::sample::select(words.to_vec()).prop_map(str::to_owned)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_024))]

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..256)) {
        exercise(&bytes);
    }

    #[test]
    fn any_front_matter_is_read_or_refused(front in any::<String>(), prompt in any::<String>()) {
        exercise(format!("---\n{front}\n---\n{prompt}").as_bytes());
    }

    #[test]
    fn anything_like_a_definition_is_read_or_refused(
        pieces in prop::collection::vec(piece(), 0..24),
        framed in any::<bool>(),
    ) {
        let text = pieces.concat();
        let text = if framed { format!("---\nname: a\ndescription: b\n{text}\n---\nDo.") } else { text };
        exercise(text.as_bytes());
    }

    /// A definition that a host builds equals the same one from a file.
    #[test]
    fn what_is_written_is_what_is_read(
        name in "[a-zA-Z_][a-zA-Z0-9_-]{0,20}",
        description in "[ -~äé数]{1,40}",
        prompt in "[ -~äé数]{1,80}",
        turns in 1_u32..,
        tags in prop::collection::btree_set("[a-zä:#\\[\\]]{1,8}", 0..4),
    ) {
        prop_assume!(!description.trim().is_empty() && !prompt.trim().is_empty());
        let mut agent = SubAgentDef::new(name, description.trim(), prompt.trim());
        agent.limits.max_turns = turns;
        agent.tags = tags;
        // JSON is YAML.
        let front = json!({
            "name": agent.name, "description": agent.description, "tags": agent.tags,
            "limits": {"max_turns": turns},
        });
        let text = format!("---\n{front}\n---\n{prompt}\n");
        prop_assert_eq!(AgentReader::new().read(text.as_bytes(), "x").unwrap(), agent);
    }
}

#[test]
fn the_largest_files_take_linear_time() {
    let most = zeph_subagent::MAX_AGENT_BYTES;
    let front = |lines: &str| format!("---\nname: a\ndescription: b\n{lines}\n---\nDo.");
    for piece in [
        "- x\n", "? a\n", "[", "&a *a ", "'", "\"\\u", "k: v\n", "#\n", "!a ", "| \n", "- - -\n",
        "a:\n ",
    ] {
        let lines = piece.repeat((most - 64) / piece.len());
        assert!(!exercise(front(&lines).as_bytes()) || piece == "#\n");
    }
}
