//! Citations: `[task-name]` in an answer, held to the tasks that there are.

use std::collections::{BTreeSet, HashSet};

/// The longest text in brackets that is taken for a citation, in bytes.
const LONGEST: usize = 256;

/// An answer whose citations all name tasks that there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Cited {
    pub(super) text: String,
    /// The tasks that are cited, each once, in order of their first mention.
    pub(super) sources: Vec<String>,
    /// The citations of nothing that were taken out, each once, in order.
    pub(super) removed: Vec<String>,
}

/// Takes out citations of tasks that there are not. Linear in the text.
///
/// A citation is one or more names in square brackets, separated by commas. Left alone is what is
/// something else in Markdown or code: links, footnote definitions, check boxes, indices, code. So is
/// whatever does not look like names at all. Statements without a citation are not judged.
pub(super) fn check(text: &str, tasks: &HashSet<&str>) -> Cited {
    let mut out = Cited::default();
    let (mut seen, mut gone) = (BTreeSet::new(), BTreeSet::new());
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
                if let Some(behind) = found.strip_prefix('`') {
                    code = !code;
                    out.text.push('`');
                    rest = behind;
                    continue;
                }
                let Some(inside) = bracketed(found).filter(|inside| {
                    let after = &found[inside.len() + 2..];
                    let certain = inside.split(',').all(|name| tasks.contains(name.trim()));
                    !code && (certain || !is_other(before, out.text.trim_end(), after, inside))
                }) else {
                    out.text.push('[');
                    rest = &found[1..];
                    continue;
                };
                rest = &found[inside.len() + 2..];
                let names: Vec<&str> = inside.split(',').map(str::trim).collect();
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
                    if gone.insert(name.to_owned()) {
                        out.removed.push(name.to_owned());
                    }
                }
                if known.is_empty() {
                    // The blank before it belongs to it.
                    let kept = out.text.trim_end_matches(' ').len();
                    out.text.truncate(kept);
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

/// What stands between the bracket that a text begins with and the one that closes it.
fn bracketed(text: &str) -> Option<&str> {
    let inside = &text[1..];
    let window = &inside[..inside.floor_char_boundary(LONGEST)];
    let end = window.find(['[', ']', '\n'])?;
    (window.as_bytes()[end] == b']' && end > 0).then(|| &inside[..end])
}

/// Whether brackets are something else than a citation, by what stands around them.
fn is_other(before: &str, all_before: &str, after: &str, inside: &str) -> bool {
    let last = before.chars().next_back();
    let index =
        last.is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | ')' | ']' | '!' | '\\'));
    let link = after.starts_with(['(', '[', ':']);
    let list = all_before.ends_with(['-', '*', '+']);
    let check_box = list && matches!(inside, "x" | "X" | " ");
    index || link || check_box
}

/// Whether a text could be the name of a task: short, and without what sentences have.
fn looks_like_a_name(text: &str) -> bool {
    let fits = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
    !text.is_empty() && text.chars().count() <= 64 && text.chars().all(fits)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::{Cited, check};

    fn checked(text: &str) -> Cited {
        check(text, &HashSet::from(["read-log", "count"]))
    }

    #[test]
    fn unknown_citations_go_and_are_recorded() {
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
    fn what_is_no_citation_stays() {
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
        fn checking_twice_changes_nothing_more(text in "[a-z\\[\\]`,\n (-]{0,60}") {
            let once = checked(&text);
            let twice = checked(&once.text);
            prop_assert!(twice.text.len() <= once.text.len());
            if once.removed.is_empty() {
                prop_assert_eq!(&once.text, &text);
            }
        }
    }
}
