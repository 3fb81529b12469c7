//! The guarantees on any text and on hostile text.

use crate::kit::{SECRETS, check, redactor, sanitizer, tricky};
use proptest::prelude::*;
use zeph_sanitizer::{ChangeKind, Content, ContentSanitizer, Seed, StandardSanitizer};

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(4_000) })]

    #[test]
    fn every_promise_holds(text in tricky(), max_bytes in prop_oneof![Just(usize::MAX), 0..120_usize]) {
        if let Err(broken) = check(&text, max_bytes) {
            prop_assert!(false, "{broken}");
        }
    }

    #[test]
    fn no_part_of_a_secret_survives_a_cut(
        before in "[ab ]{0,30}", after in "[ab ]{0,30}", max_bytes in 0..60_usize, which in 0..2_usize,
        hidden in prop::sample::select(&["", "\u{200B}", "\x1b[0m", "\0", "\u{202E}", "\r\n"][..]),
        at in 1..14_usize,
    ) {
        let mut secret = SECRETS[which].1.to_owned();
        let at = (0..=at).rev().find(|at| secret.is_char_boundary(*at)).unwrap_or(0);
        secret.insert_str(at, hidden);
        let text = format!("{before}{secret}{after}");
        let given = sanitizer().sanitize(&Content { source: "s", text: &text, max_bytes });
        let body = crate::kit::body(&given).map_err(TestCaseError::fail)?;
        let value = SECRETS[which].1;
        for (start, _) in value.char_indices() {
            if let Some(part) = value.get(start..start + 4) {
                prop_assert!(!body.contains(part), "{part:?} of {text:?} is in {body:?}");
            }
        }
    }

    #[test]
    fn a_secret_is_found_in_every_encoding(
        before in prop::collection::vec(any::<u8>(), 0..5), after in prop::collection::vec(any::<u8>(), 0..5),
        which in 0..SECRETS.len(), mask in any::<u64>(),
    ) {
        let (name, value) = SECRETS[which];
        for text in encode::all(&before, value, &after, mask) {
            let found = redactor().redact(&text).into_owned();
            let marker = format!("‹redacted: {name}›");
            prop_assert!(found.contains(&marker), "{text:?} became {found:?}");
        }
    }

    #[test]
    fn a_block_in_a_block_is_defined(text in tricky()) {
        let inner = sanitizer().sanitize(&Content { source: "a", text: &text, max_bytes: usize::MAX });
        let outer = sanitizer().sanitize(&Content { source: "b", text: &inner.text, max_bytes: usize::MAX });
        let wanted = inner.text.replacen("<untrusted", "‹untrusted", 1);
        let (head, tail) = wanted.rsplit_once("</untrusted").unwrap_or_default();
        let wanted = format!("{head}‹/untrusted{tail}");
        prop_assert_eq!(crate::kit::body(&outer), Ok(wanted.as_str()));
    }
}

#[test]
fn another_seed_gives_another_delimiter() {
    let wrap = |seed| {
        let content = Content {
            source: "log",
            text: "text",
            max_bytes: 10,
        };
        StandardSanitizer::new(seed).sanitize(&content).text
    };
    assert_eq!(wrap(Seed::derive(b"a")), wrap(Seed::derive(b"a")));
    assert_ne!(wrap(Seed::derive(b"a")), wrap(Seed::derive(b"b")));
}

#[test]
fn a_cut_says_so_and_counts() {
    let content = Content {
        source: "log",
        text: &"x".repeat(1_000),
        max_bytes: 100,
    };
    let given = sanitizer().sanitize(&content);
    assert!(
        given.text.contains("\n… 924 bytes cut …\n"),
        "{}",
        given.text
    );
    assert_eq!(given.changes.len(), 1);
    assert_eq!(
        (&given.changes[0].kind, given.changes[0].count),
        (&ChangeKind::Cut, 924)
    );
}

#[test]
fn the_limits_of_content_and_sanitizer_both_hold() {
    let content = Content {
        source: "log",
        text: &"x".repeat(1_000),
        max_bytes: 500,
    };
    let given = sanitizer().max_bytes(50).sanitize(&content);
    assert!(
        crate::kit::body(&given).is_ok_and(|body| body.len() <= 50),
        "{}",
        given.text
    );
}

#[test]
fn what_was_done_survives_a_journal() {
    let content = Content {
        source: "log",
        text: "sk-live-4f9a8b7c6d \x1b[0m",
        max_bytes: 500,
    };
    let given = sanitizer().sanitize(&content);
    let json = serde_json::to_string(&given).expect("it serialises");
    assert!(
        json.contains(
            r#""changes":[{"kind":{"secret":"api-key"},"count":1},{"kind":"escape","count":1}]"#
        ),
        "{json}"
    );
    assert_eq!(
        serde_json::from_str::<zeph_sanitizer::Sanitized>(&json).expect("it reads back"),
        given
    );
}

/// The encodings, implemented independently of the crate.
mod encode {
    /// The value with its neighbours in every encoding; `mask` chooses which characters are escaped.
    pub(super) fn all(before: &[u8], value: &str, after: &[u8], mask: u64) -> Vec<String> {
        let whole = [before, value.as_bytes(), after].concat();
        let standard = base64(&whole);
        let url_safe = standard.replace('+', "-").replace('/', "_");
        let lines = |width: usize| {
            let chunks = standard
                .as_bytes()
                .chunks(width)
                .map(String::from_utf8_lossy);
            chunks.collect::<Vec<_>>().join("\n")
        };
        let escaped = |escape: fn(char) -> String| -> String {
            let each = value.chars().enumerate();
            each.map(|(at, c)| {
                if must(c) || mask >> (at % 64) & 1 == 1 {
                    escape(c)
                } else {
                    c.into()
                }
            })
            .collect()
        };
        let percent = |c: char| c.to_string().bytes().map(|b| format!("%{b:02X}")).collect();
        let units = |c: char| {
            let mut units = [0; 2];
            c.encode_utf16(&mut units)
                .iter()
                .map(|unit| format!("\\u{unit:04x}"))
                .collect()
        };
        vec![
            format!("x{value}y"),
            standard.trim_end_matches('=').to_owned(),
            url_safe.trim_end_matches('=').to_owned(),
            lines(76),
            lines(64),
            lines(5),
            standard,
            url_safe,
            whole.iter().map(|b| format!("{b:02x}")).collect(),
            whole.iter().map(|b| format!("{b:02X}")).collect(),
            escaped(percent),
            escaped(|c| format!("&#{};", u32::from(c))),
            escaped(|c| format!("&#x{:X};", u32::from(c))),
            escaped(units),
            serde_json::to_string(value).unwrap_or_default(),
            value
                .replace('&', "&amp;")
                .replace('"', "&quot;")
                .replace('<', "&lt;"),
        ]
    }

    /// Characters that every encoder escapes.
    fn must(c: char) -> bool {
        matches!(c, '"' | '%' | '\\' | '&' | '\n' | ' ')
    }

    fn base64(bytes: &[u8]) -> String {
        let alphabet: Vec<char> = ('A'..='Z')
            .chain('a'..='z')
            .chain('0'..='9')
            .chain(['+', '/'])
            .collect();
        let mut out = String::new();
        for chunk in bytes.chunks(3) {
            let padded = [
                chunk[0],
                *chunk.get(1).unwrap_or(&0),
                *chunk.get(2).unwrap_or(&0),
            ];
            let number = padded
                .iter()
                .fold(0, |sum: usize, b| sum << 8 | usize::from(*b));
            for digit in 0..4 {
                out.push(if digit <= chunk.len() {
                    alphabet[number >> (18 - 6 * digit) & 63]
                } else {
                    '='
                });
            }
        }
        out
    }
}
