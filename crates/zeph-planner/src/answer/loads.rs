//! Loads: nothing in an answer fetches or runs anything before somebody clicks it.

use std::collections::HashSet;

use zeph_sanitizer::{Seed, StandardSanitizer};

/// The text with images as links and everything else that acts by itself as plain text, as a prompt
/// would have it.
///
/// Citations of tasks stay, also those that read like a token of a chat template, as long as they take
/// no part in anything that loads. Doing it again changes nothing. Linear in the text.
pub(super) fn disarmed(text: &str, tasks: &HashSet<&str>) -> String {
    // Nothing is wrapped, so no delimiter is made and the seed is not used.
    let sanitizer = StandardSanitizer::new(Seed::new([0; 32]));
    let clean = sanitizer.clean(text).text;
    let cited = with_citations(&clean, tasks);
    // A bracket that is one again may have become the beginning of an image.
    if cited == clean || with_citations(&sanitizer.clean(&cited).text, tasks) == cited {
        return cited;
    }
    clean
}

/// The text with its own brackets around the names of tasks.
fn with_citations(clean: &str, tasks: &HashSet<&str>) -> String {
    let mut out = String::with_capacity(clean.len());
    let mut rest = clean;
    while let Some((before, behind)) = rest.split_once('⟦') {
        out.push_str(before);
        let name = behind.split_once([']', '⟦']).map(|(name, _)| name);
        let cites =
            name.is_some_and(|name| tasks.contains(name) && behind[name.len()..].starts_with(']'));
        out.push(if cites { '[' } else { '⟦' });
        rest = behind;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;
    use zeph_sanitizer::{Seed, StandardSanitizer};

    use super::disarmed;

    #[test]
    fn what_loads_is_a_link_and_citations_stay() {
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
                "see [docs](https://x) [INST] [bos]",
                "see [docs](https://x) ⟦INST] ⟦bos]",
            ),
            ("!⟦args](https://x)", "!⟦args](https://x)"),
            (
                "![a [args] b](https://x)",
                "(image) [a [args] b](https://x)",
            ),
            ("[x](javascript:f)", "[x](javascript(:)f)"),
        ];
        for (given, wanted) in table {
            assert_eq!(disarmed(given, &tasks), wanted);
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
            let once = disarmed(&parts.concat(), &tasks);
            prop_assert_eq!(&disarmed(&once, &tasks), &once);
            // Nothing is left to be done but what is kept for the citations' sake.
            let clean = StandardSanitizer::new(Seed::new([0; 32])).clean(&once).text;
            let cited = |text: &str| ["args]", "a]"].iter().fold(text.to_owned(), |text, name| {
                text.replace(&format!("⟦{name}"), &format!("[{name}"))
            });
            prop_assert_eq!(cited(&clean), cited(&once));
        }
    }
}
