//! Rules for Rust files: size, first line, nothing unfinished, no sleeping tests.

use crate::finding::Finding;
use crate::source::{self, Line, Source};

/// A file beyond this holds more than one topic.
const FILE_LINES: usize = 500;

/// A function beyond this does not fit on a screen.
const FUNCTION_LINES: usize = 90;

/// Code that says "not yet" or hides that something is not needed.
const UNFINISHED: [&str; 7] = [
    "todo!",
    "unimplemented!",
    "#[ignore",
    "allow(dead_code",
    "allow(unused",
    "expect(dead_code",
    "expect(unused",
];

/// Notes to oneself.
const NOTES: [&str; 2] = ["FIXME", "XXX"];

/// The seed's program begins with this line, and it is shown as it was given.
const SEED: &str = "#![allow(unused)]";

/// Everything untidy in one Rust file.
pub(crate) fn check(source: &Source) -> Vec<Finding> {
    let mut found = shape(source);
    for (number, line) in source.numbered() {
        let whats = unfinished(&source.path, line)
            .into_iter()
            .chain(sleep(&source.path, line));
        found.extend(whats.map(|what| Finding::at(&source.path, number, what)));
    }
    found
}

fn shape(source: &Source) -> Vec<Finding> {
    let mut found = Vec::new();
    let first = source.lines.first().map_or("", |line| line.raw.as_str());
    if !first.starts_with("//! ") {
        let what = "line 1 must say what the file is: `//! ...`";
        found.push(Finding::at(&source.path, 1, what));
    }
    let lines = source.lines.len();
    if lines > FILE_LINES {
        let what = format!("{lines} lines, at most {FILE_LINES}: split it by topic");
        found.push(Finding::of(&source.path, what));
    }
    for function in source.functions() {
        if function.length > FUNCTION_LINES {
            let what = format!(
                "fn {} has {} lines, at most {FUNCTION_LINES}",
                function.name, function.length
            );
            found.push(Finding::at(&source.path, function.line, what));
        }
    }
    found
}

fn unfinished(path: &str, line: &Line) -> Option<String> {
    if is_seed(path, line) {
        return None;
    }
    let tight: String = line.code.split_whitespace().collect();
    for word in UNFINISHED {
        let shown = is_doc(&line.comment) && word.starts_with("allow(");
        if tight.contains(word) || (shown && line.comment.contains(word)) {
            return Some(format!("`{word}` has no place here"));
        }
    }
    for word in NOTES {
        if source::names(&line.comment, word) || source::names(&line.code, word) {
            return Some(format!("`{word}`: do it or write an issue"));
        }
    }
    if is_doc(&line.comment) && super::text::opens_ignored(line.comment[3..].trim()) {
        return Some("a doctest must run: no ignored code block".to_owned());
    }
    None
}

fn is_seed(path: &str, line: &Line) -> bool {
    let shown = is_doc(&line.comment) && line.comment[3..].trim() == SEED;
    let example = path.contains("/examples/") && line.raw.trim() == SEED;
    shown || example
}

fn is_doc(comment: &str) -> bool {
    comment.starts_with("///") || comment.starts_with("//!")
}

/// Tests wait for what happens, or turn a paused clock; they never wait for time.
fn sleep(path: &str, line: &Line) -> Option<String> {
    // The crash loop kills at random moments, so its driver has to let time pass.
    let crash = path.starts_with("tests/src/") && path.contains("crash");
    if !line.test || crash {
        return None;
    }
    let tight: String = line.code.split_whitespace().collect();
    let sleeps = ["sleep(", "sleep_until(", "sleep_ms("];
    let called = sleeps.iter().any(|name| {
        tight.match_indices(name).any(|(at, _)| {
            let before = tight[..at].chars().next_back();
            !before.is_some_and(|c| c.is_alphanumeric() || c == '_')
        })
    });
    called.then(|| "a test must not sleep: use a gate or a paused clock".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATH: &str = "crates/zeph-graph/src/a.rs";

    fn complaints_in(path: &str, text: &str) -> usize {
        check(&Source::new(path, &format!("//! A file.\n{text}"))).len()
    }

    fn complaints(text: &str) -> usize {
        complaints_in(PATH, text)
    }

    #[test]
    fn line_1_says_what_the_file_is() {
        assert_eq!(check(&Source::new(PATH, "//! Lanes.\n")).len(), 0);
        assert_eq!(check(&Source::new(PATH, "// Lanes.\n")).len(), 1);
        assert_eq!(check(&Source::new(PATH, "")).len(), 1);
    }

    #[test]
    fn files_and_functions_have_an_end() {
        assert_eq!(complaints(&"\n".repeat(FILE_LINES - 1)), 0);
        assert_eq!(complaints(&"\n".repeat(FILE_LINES)), 1);
        let function = |lines: usize| format!("fn f() {{{}}}\n", "\n".repeat(lines - 1));
        assert_eq!(complaints(&function(FUNCTION_LINES)), 0);
        assert_eq!(complaints(&function(FUNCTION_LINES + 1)), 1);
    }

    #[test]
    fn nothing_is_left_for_later() {
        assert_eq!(complaints("fn f() { todo!() }"), 1);
        assert_eq!(complaints("fn f() { unimplemented!() }"), 1);
        assert_eq!(complaints("// FIXME: later"), 1);
        assert_eq!(complaints("let xxx = 1; // XXX"), 1);
        assert_eq!(complaints("#[ignore = \"slow\"]"), 1);
        assert_eq!(complaints("#[allow(dead_code)]"), 1);
        assert_eq!(complaints("#[expect( unused_variables)]"), 1);
        assert_eq!(complaints("let todo = \"todo!\"; // todo, in words"), 0);
    }

    #[test]
    fn only_the_seed_may_allow_what_is_unused() {
        assert_eq!(complaints("/// #![allow(unused)]"), 0);
        assert_eq!(complaints("/// #![allow(unused_variables)]"), 1);
        assert_eq!(complaints("#![allow(unused)]"), 1);
        let example = "crates/zeph-orchestration/examples/seed.rs";
        assert_eq!(complaints_in(example, "#![allow(unused)]"), 0);
    }

    #[test]
    fn doctests_run() {
        assert_eq!(complaints("/// ```ignore"), 1);
        assert_eq!(complaints("//! ```rust,ignore"), 1);
        assert_eq!(complaints("/// ```\n/// ```no_run\n/// ```text"), 0);
    }

    #[test]
    fn tests_do_not_sleep() {
        let nap = "fn f() { std::thread::sleep(d) }";
        assert_eq!(complaints(nap), 0, "the product may");
        assert_eq!(
            complaints(&format!("#[cfg(test)]\nmod tests {{ {nap} }}")),
            1
        );
        assert_eq!(
            complaints_in("tests/tests/a.rs", "tokio::time::sleep(d).await"),
            1
        );
        assert_eq!(
            complaints_in("tests/tests/a.rs", "tokio::time::advance(d).await"),
            0
        );
        assert_eq!(
            complaints_in("tests/tests/a.rs", "Command::new(\"sleep(\")"),
            0
        );
        assert_eq!(complaints_in("tests/src/bin/crash-loop.rs", nap), 0);
    }
}
