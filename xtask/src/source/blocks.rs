//! Blocks: functions and test modules, found by matching braces in code without comments.

use std::collections::BTreeSet;

/// One function with a body.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Function {
    pub(crate) name: String,
    /// The line of its `fn`, counted from 1.
    pub(crate) line: usize,
    /// From its `fn` to its last brace, in lines.
    pub(crate) length: usize,
}

/// Attributes that keep an item out of everything but tests.
pub(super) const TEST_MARKS: [&str; 2] = ["#[cfg(test)]", "#[cfg(all(test"];

/// Every function that has a body, in order.
pub(crate) fn functions(code: &str) -> Vec<Function> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("fn ") {
        let glued = code[..at].chars().next_back().is_some_and(is_word);
        let name: String = code[at + 3..].chars().take_while(|c| is_word(*c)).collect();
        if glued || name.is_empty() {
            continue;
        }
        if let Some(end) = body_end(code, at) {
            found.push(Function {
                name,
                line: line_of(code, at) + 1,
                length: line_of(code, end) - line_of(code, at) + 1,
            });
        }
    }
    found
}

/// The lines, counted from 0, of items that are compiled for tests only.
pub(crate) fn test_lines(code: &str) -> BTreeSet<usize> {
    let mut lines = BTreeSet::new();
    for mark in TEST_MARKS {
        for (at, _) in code.match_indices(mark) {
            let end = body_end(code, at).unwrap_or(at);
            lines.extend(line_of(code, at)..=line_of(code, end));
        }
    }
    lines
}

/// Where the braces that belong to the item starting here close; `None` for an item without.
fn body_end(code: &str, start: usize) -> Option<usize> {
    let mut nested = 0_usize;
    for (at, byte) in code.bytes().enumerate().skip(start) {
        match byte {
            b'(' | b'[' => nested += 1,
            b')' | b']' => nested = nested.saturating_sub(1),
            b';' if nested == 0 => return None,
            b'{' if nested == 0 => return block_end(code, at),
            _ => {}
        }
    }
    None
}

fn block_end(code: &str, open: usize) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, byte) in code.bytes().enumerate().skip(open) {
        match byte {
            b'{' => depth += 1,
            b'}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(at);
        }
    }
    None
}

fn line_of(code: &str, at: usize) -> usize {
    code.as_bytes()[..at]
        .iter()
        .filter(|byte| **byte == b'\n')
        .count()
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_reaches_from_its_name_to_its_last_brace() {
        let code = "\nfn one() -> [u8; 2] {\n    if a { b }\n}\nfn two();\n";
        let one = Function {
            name: "one".to_owned(),
            line: 2,
            length: 3,
        };
        assert_eq!(functions(code), [one]);
    }

    #[test]
    fn pointers_to_functions_are_no_functions() {
        assert_eq!(functions("type F = fn (u8);\nlet often = 1;\n"), []);
    }

    #[test]
    fn a_test_module_is_marked_to_its_end() {
        let code = "fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\nfn c() {}\n";
        assert_eq!(test_lines(code), BTreeSet::from([1, 2, 3, 4]));
        assert_eq!(
            test_lines("#[cfg(test)]\nmod tests;\nfn a() {}\n"),
            BTreeSet::from([0])
        );
    }
}
