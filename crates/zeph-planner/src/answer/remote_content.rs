//! Remote content: nothing in an answer loads or runs before a person clicks it.

use std::collections::HashSet;

use zeph_sanitizer::{Seed, StandardSanitizer};

/// Replaces images by links and other active content by plain text, as for a prompt.
///
/// Citations of tasks stay, also if they look like a token of a chat template, unless they are part of
/// active content. Idempotent; linear in the text.
pub(super) fn disarm(text: &str, tasks: &HashSet<&str>) -> String {
    // Cleaning adds no delimiters, so the seed has no effect.
    let sanitizer = StandardSanitizer::new(Seed::new([0; 32]));
    let clean = sanitizer.clean(text).text;
    let cited = with_citations(&clean, tasks);
    // A restored bracket may be the start of an image.
    if cited == clean || with_citations(&sanitizer.clean(&cited).text, tasks) == cited {
        return cited;
    }
    clean
}

/// Restores the brackets around the names of tasks.
fn with_citations(clean: &str, tasks: &HashSet<&str>) -> String {
    let mut out = String::with_capacity(clean.len());
    let mut rest = clean;
    while let Some((before, after)) = rest.split_once('⟦') {
        out.push_str(before);
        let name = after.split_once([']', '⟦']).map(|(name, _)| name);
        let cites =
            name.is_some_and(|name| tasks.contains(name) && after[name.len()..].starts_with(']'));
        out.push(if cites { '[' } else { '⟦' });
        rest = after;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;
    use zeph_sanitizer::{Seed, StandardSanitizer};

    use super::disarm;

    #[test]
    fn active_content_becomes_text_and_citations_stay() {
        let tasks = HashSet::from(["log", "args", "x"]);
        let table = [
            (
                "![all](https://x/?q=1) [log]",
                "(image) [all](https://x/?q=1) [log]",
            ),
            (
                "<img src=//x> done [args] [log, args]",
                "‹img src=//x> done [args] [log, args]",
            ),
            (
                "see [docs](https://x) [INST] [BOS]",
                "see [docs](https://x) ⟦INST] ⟦BOS]",
            ),
            ("!⟦args](https://x)", "!⟦args](https://x)"),
            (
                "![a [args] b](https://x)",
                "(image) [a [args] b](https://x)",
            ),
            ("[x](javascript:f)", "[x](javascript(:)f)"),
        ];
        for (given, wanted) in table {
            assert_eq!(disarm(given, &tasks), wanted);
        }
    }

    proptest! {
        #[test]
        fn disarming_twice_is_disarming_once(
            parts in prop::collection::vec(
                prop_oneof![
                    Just("!"), Just("["), Just("]"), Just("(u)"), Just("[args]"), Just("⟦args]"),
                    Just("<img src=x>"), Just("java"), Just("script:"), Just("\u{1b}["), Just(" "),
                    Just("url("), Just("[INST]"), Just("\n"), Just("a"), Just("\u{202e}"),
                ],
                0..24,
            ),
        ) {
            let tasks = HashSet::from(["args", "a"]);
            let once = disarm(&parts.concat(), &tasks);
            prop_assert_eq!(&disarm(&once, &tasks), &once);
            // Cleaning again would only change the citations.
            let clean = StandardSanitizer::new(Seed::new([0; 32])).clean(&once).text;
            let cited = |text: &str| ["args]", "a]"].iter().fold(text.to_owned(), |text, name| {
                text.replace(&format!("⟦{name}"), &format!("[{name}"))
            });
            prop_assert_eq!(cited(&clean), cited(&once));
        }
    }
}
