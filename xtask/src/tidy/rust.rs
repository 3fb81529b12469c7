//! Rules for Rust files beyond clippy: first line, size, nothing unfinished, no sleeping tests.

use crate::finding::Finding;
use crate::rust::{self, Kind, Token};

use super::text;

/// A longer file has more than one topic.
const FILE_LINES: usize = 500;

/// Words of notes for later; in parts, so that this file passes its own rule.
const NOTES: [&str; 2] = [concat!("FIX", "ME"), concat!("XX", "X")];

/// The first line of the seed's program, which is shown unchanged.
const SEED: &str = "#![allow(unused)]";

/// A folder that only tests may name; without its slashes, so that this file passes its own rule.
const TEMPORARY: &str = "tmp";

/// All violations in one Rust file.
pub(crate) fn check(path: &str, text: &str) -> Result<Vec<Finding>, String> {
    let mut found = shape(path, text);
    for (index, line) in text.lines().enumerate() {
        if let Some(word) = NOTES.iter().find(|word| text::has_word(line, word)) {
            let message = format!("`{word}`: do it or write an issue");
            found.push(Finding::at(path, index + 1, message));
        }
    }
    let tokens = rust::scan(path, text)?.tokens;
    for (index, token) in tokens.iter().enumerate() {
        let message = match token.kind {
            Kind::Attribute => attribute(path, &token.text),
            Kind::Literal => temporary(token),
            Kind::Ident => ident(path, token, tokens.get(index + 1)),
            Kind::Punct | Kind::Open => None,
        };
        found.extend(message.map(|message| Finding::at(path, token.line, message)));
    }
    Ok(found)
}

fn shape(path: &str, text: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    if !text.starts_with("//! ") {
        let message = "line 1 must say what the file is: `//! ...`";
        found.push(Finding::at(path, 1, message));
    }
    let lines = text.lines().count();
    if lines > FILE_LINES {
        let message = format!("{lines} lines, at most {FILE_LINES}: split it by topic");
        found.push(Finding::new(path, message));
    }
    found
}

fn attribute(path: &str, attribute: &str) -> Option<String> {
    let doc = attribute.strip_prefix("doc=");
    let seed = doc.is_some_and(|doc| doc.contains(SEED))
        || (path.contains("/examples/") && SEED.contains(attribute));
    let allows = ["allow(", "expect("].iter().any(|lint| {
        let at = attribute.find(lint);
        let lints = at.map(|at| &attribute[at + lint.len()..]);
        lints.is_some_and(|lints| {
            let lints = lints.split([',', ')']).map(str::trim);
            lints
                .into_iter()
                .any(|lint| lint == "dead_code" || lint.starts_with("unused"))
        })
    });
    // Unused without a feature, and the compiler checks that.
    let without_feature =
        attribute.starts_with("cfg_attr(not(feature=") && attribute.contains("expect(");
    if allows && !seed && !without_feature {
        let instead = "delete it, or `#[cfg_attr(not(feature = ...), expect(...))]`";
        return Some(format!("unused code is allowed here: {instead}"));
    }
    if attribute == "ignore" || attribute.starts_with("ignore=") {
        return Some("a test must run: no `#[ignore]`".to_owned());
    }
    let opens = |doc: &str| {
        let text = doc
            .trim_start_matches(['r', '#', '"'])
            .trim_end_matches(['"', '#']);
        text.lines().any(|line| text::opens_ignored(line.trim()))
    };
    doc.is_some_and(opens)
        .then(|| "a doctest must run: no ignored code block".to_owned())
}

fn temporary(token: &Token) -> Option<String> {
    let named = !token.test && super::paths::below(&token.text, TEMPORARY);
    named.then(|| format!("only tests may name the folder /{TEMPORARY}"))
}

fn ident(path: &str, token: &Token, next: Option<&Token>) -> Option<String> {
    let called = next.is_some_and(|next| next.text == "(");
    let sleeps = ["sleep", "sleep_until", "sleep_ms"].contains(&token.text.as_str());
    // The crash loop kills at random moments, so its driver has to let time pass.
    let crash = path.starts_with("tests/src/") && path.contains("crash");
    if token.test && called && sleeps && !crash {
        return Some("a test must not sleep: use a gate or a paused clock".to_owned());
    }
    let graph = path.strip_prefix("crates/zeph-graph/src/");
    let wire = |file: &str| file == "wire.rs" || file.starts_with("wire/");
    let json = token.text == "serde_json" && !token.test;
    (json && graph.is_some_and(|file| !wire(file)))
        .then(|| "only the wire module may name serde_json".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATH: &str = "crates/zeph-graph/src/a.rs";

    fn findings_in(path: &str, text: &str) -> usize {
        check(path, &format!("//! A file.\n{text}")).unwrap().len()
    }

    fn findings(text: &str) -> usize {
        findings_in(PATH, text)
    }

    #[test]
    fn line_1_says_what_the_file_is() {
        assert_eq!(check(PATH, "//! Lanes.\n").unwrap().len(), 0);
        assert_eq!(check(PATH, "// Lanes.\n").unwrap().len(), 1);
        assert_eq!(check(PATH, "").unwrap().len(), 1);
    }

    #[test]
    fn the_length_of_a_file_is_limited() {
        assert_eq!(findings(&"\n".repeat(FILE_LINES - 1)), 0);
        assert_eq!(findings(&"\n".repeat(FILE_LINES)), 1);
    }

    #[test]
    fn nothing_is_left_for_later() {
        for note in NOTES {
            assert_eq!(findings(&format!("// {note}: later")), 1);
            assert_eq!(findings(&format!("let {note} = 1;")), 1);
            assert_eq!(findings(&format!("let {note}a = 1;")), 0);
        }
        assert_eq!(findings("#[ignore = \"slow\"]"), 1);
        assert_eq!(findings("#[ignore]"), 1);
        assert_eq!(findings("#[allow(dead_code)]"), 1);
        assert_eq!(findings("#[expect( clippy::exit, unused_variables)]"), 1);
        assert_eq!(findings("#[cfg_attr(unix, allow(unused))]"), 1);
        let feature = "cfg_attr(not(feature = \"a\"), expect(unused_mut))";
        assert_eq!(findings(&format!("#[{feature}]")), 0);
        assert_eq!(findings("#[allow(clippy::exit)]"), 0);
        assert_eq!(findings("let s = \"#[ignore]\"; // #[ignore]"), 0);
    }

    #[test]
    fn only_the_seed_allows_unused_code() {
        assert_eq!(findings("/// #![allow(unused)]"), 0);
        assert_eq!(findings("/// #![allow(unused_variables)]"), 1);
        assert_eq!(findings("#![allow(unused)]"), 1);
        let example = "crates/zeph-orchestration/examples/seed.rs";
        assert_eq!(findings_in(example, "#![allow(unused)]"), 0);
    }

    #[test]
    fn doctests_run() {
        assert_eq!(findings("/// ```ignore\nfn f() {}"), 1);
        assert_eq!(findings("//! ```rust,ignore"), 1);
        assert_eq!(
            findings("/// ```\n/// ```no_run\n/// ```text\nfn f() {}"),
            0
        );
    }

    #[test]
    fn tests_do_not_sleep() {
        let sleep = "fn f() { std::thread::sleep(d) }";
        assert_eq!(findings(sleep), 0, "the product may");
        assert_eq!(
            findings(&format!("#[cfg(test)]\nmod tests {{ {sleep} }}")),
            1
        );
        let test = "tests/tests/a.rs";
        let select = "select! { () = tokio::time::sleep(d) => {} }";
        assert_eq!(findings_in(test, select), 1);
        assert_eq!(findings_in(test, "tokio::time::advance(d).await"), 0);
        assert_eq!(findings_in(test, "Command::new(\"sleep(\")"), 0);
        assert_eq!(findings_in("tests/src/bin/crash-loop.rs", sleep), 0);
    }

    #[test]
    fn only_the_wire_module_names_json() {
        let text = "fn f() { serde_json::to_string(&x) }";
        assert_eq!(findings(text), 1);
        assert_eq!(findings_in("crates/zeph-graph/src/wire/read.rs", text), 0);
        assert_eq!(findings_in("crates/zeph-graph/src/wire.rs", text), 0);
        assert_eq!(findings_in("crates/zeph-graph/src/tests/a.rs", text), 0);
        assert_eq!(findings_in("crates/zeph-config/src/a.rs", text), 0);
    }

    #[test]
    fn only_tests_name_the_temporary_folder() {
        let line = format!("const P: &str = \"/{TEMPORARY}/x\";");
        assert_eq!(findings(&line), 1);
        assert_eq!(findings_in("crates/zeph-graph/tests/a.rs", &line), 0);
    }
}
