//! Citations: `[task-name]` in an answer, checked against the known tasks.

use std::collections::{BTreeSet, HashMap, HashSet};

/// The longest citation, in bytes.
const MAX_BYTES: usize = 256;

/// An answer whose citations all name known tasks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct CheckedText {
    pub(super) text: String,
    /// The cited tasks, each once, in the order of their first citation.
    pub(super) sources: Vec<String>,
    /// The removed citations of unknown tasks, each once, in order.
    pub(super) removed: Vec<String>,
}

/// The tasks that each summary is of, by its name.
pub(super) type Summaries = HashMap<String, Vec<String>>;

/// Removes citations of unknown tasks, and replaces those of summaries by the tasks that these are of. The
/// time is linear in the length of the result.
///
/// A citation is one or more names in square brackets, separated by commas. Brackets with another
/// meaning in Markdown or code are kept: links, footnote definitions, check boxes, indices, code. Brackets
/// with a text that cannot be a name are kept, too.
pub(super) fn check(text: &str, tasks: &HashSet<&str>, summaries: &Summaries) -> CheckedText {
    let mut out = CheckedText::default();
    let (mut seen, mut listed) = (BTreeSet::new(), BTreeSet::new());
    let mut fenced = false;
    for line in text.split_inclusive('\n') {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            let mut rest = line;
            let mut code = false;
            while let Some(at) = rest.find(['[', '`']) {
                let (before, found) = rest.split_at(at);
                out.text.push_str(before);
                if let Some(after) = found.strip_prefix('`') {
                    code = !code;
                    out.text.push('`');
                    rest = after;
                    continue;
                }
                let Some(inside) = bracketed(found).filter(|inside| {
                    let after = &found[inside.len() + 2..];
                    let is_known =
                        |name: &str| tasks.contains(name) || summaries.contains_key(name);
                    let all_known = inside.split(',').all(|name| is_known(name.trim()));
                    !code
                        && (all_known
                            || !is_other_syntax(before, out.text.trim_end(), after, inside))
                }) else {
                    out.text.push('[');
                    rest = &found[1..];
                    continue;
                };
                rest = &found[inside.len() + 2..];
                let names = inside.split(',').map(str::trim);
                let (mut once, mut has_summary) = (BTreeSet::new(), false);
                let names: Vec<&str> = names
                    .flat_map(|name| match summaries.get(name) {
                        Some(of) if !tasks.contains(name) => {
                            has_summary = true;
                            of.iter().map(String::as_str).collect()
                        }
                        Some(_) | None => vec![name],
                    })
                    .collect();
                // The tasks of two summaries may be the same.
                let names = names.into_iter();
                let names: Vec<&str> = names
                    .filter(|name| !has_summary || once.insert(*name))
                    .collect();
                let (known, unknown): (Vec<&str>, Vec<&str>) =
                    names.iter().partition(|name| tasks.contains(**name));
                for name in &known {
                    if seen.insert(name.to_owned()) {
                        out.sources.push((*name).to_owned());
                    }
                }
                if !unknown.iter().all(|name| looks_like_a_name(name)) {
                    out.text.push_str(&found[..inside.len() + 2]);
                    continue;
                }
                for name in unknown {
                    if listed.insert(name.to_owned()) {
                        out.removed.push(name.to_owned());
                    }
                }
                if known.is_empty() {
                    // The spaces before the citation are removed, too.
                    let end = out.text.trim_end_matches(' ').len();
                    out.text.truncate(end);
                } else {
                    out.text.push_str(&format!("[{}]", known.join(", ")));
                }
            }
            out.text.push_str(rest);
            continue;
        }
        out.text.push_str(line);
    }
    out
}

/// The text between the opening bracket at the start and its closing bracket.
fn bracketed(text: &str) -> Option<&str> {
    let inside = &text[1..];
    let window = &inside[..inside.floor_char_boundary(MAX_BYTES)];
    let end = window.find(['[', ']', '\n'])?;
    (window.as_bytes()[end] == b']' && end > 0).then(|| &inside[..end])
}

/// Whether the text around brackets shows that they are not a citation.
fn is_other_syntax(before: &str, text_before: &str, after: &str, inside: &str) -> bool {
    let last = before.chars().next_back();
    let index =
        last.is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | ')' | ']' | '!' | '\\'));
    let link = after.starts_with(['(', '[', ':']);
    let list = text_before.ends_with(['-', '*', '+']);
    let check_box = list && matches!(inside, "x" | "X" | " ");
    index || link || check_box
}

/// Whether a text could be the name of a task: short, without spaces and most punctuation.
fn looks_like_a_name(text: &str) -> bool {
    let is_allowed = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
    !text.is_empty() && text.chars().count() <= 64 && text.chars().all(is_allowed)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::{CheckedText, Summaries, check};

    fn checked(text: &str) -> CheckedText {
        let of = vec!["read-log".to_owned(), "count".to_owned()];
        let summaries = Summaries::from([("summary-1.1".to_owned(), of)]);
        check(text, &HashSet::from(["read-log", "count"]), &summaries)
    }

    #[test]
    fn a_summary_stands_for_its_tasks() {
        let cited = checked("Ten [summary-1.1]. Two [count, summary-1.1, guess] [summary-1.2].");
        assert_eq!(cited.text, "Ten [read-log, count]. Two [count, read-log].");
        assert_eq!(cited.sources, ["read-log", "count"]);
        assert_eq!(cited.removed, ["guess", "summary-1.2"]);
    }

    #[test]
    fn unknown_citations_are_removed_and_listed() {
        let both = checked("Both [read-log][count].");
        assert_eq!(both.sources, ["read-log", "count"]);
        let cited =
            checked("Ten commits [read-log], two bugs [guess]. All [count, other, count] [1].");
        let wanted = "Ten commits [read-log], two bugs. All [count, count].";
        assert_eq!(cited.text, wanted);
        assert_eq!(cited.sources, ["read-log", "count"]);
        assert_eq!(cited.removed, ["guess", "other", "1"]);
    }

    #[test]
    fn other_brackets_stay() {
        for text in [
            "see [the docs](https://example.org) and [ref][2]",
            "- [x] done\n- [ ] open",
            "`a[guess]` and list[0] and ![alt](x)",
            "```\n[guess]\n```\n",
            "[a whole sentence, which is none]",
            "[never closed\nguess]",
            "[1]: a footnote",
            "[]",
        ] {
            let cited = checked(text);
            assert_eq!(cited.text, text);
            assert!(cited.removed.is_empty(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn checking_again_changes_nothing_more(text in "[a-z\\[\\]`,\n (-]{0,60}") {
            let once = checked(&text);
            let twice = checked(&once.text);
            prop_assert!(twice.text.len() <= once.text.len());
            if once.removed.is_empty() {
                prop_assert_eq!(&once.text, &text);
            }
        }
    }
}
