//! The figures of the score in the documentation match the corpus; benign text passes unchanged.

use crate::corpus::{HALVES, attacks, benign, measure};

/// The classes of attacks in texts.
const CLASSES: [&str; 11] = [
    "ansi",
    "bidi",
    "crlf",
    "csv",
    "delimiters",
    "dot",
    "html",
    "huge",
    "instructions",
    "mermaid",
    "names",
];

#[test]
fn the_documentation_cites_the_figures() {
    let documentation = include_str!("../../src/lib.rs");
    for half in HALVES {
        let figures = measure(half);
        let line = format!(
            "//! | {half} | {:.2} | {:.2} |",
            figures.precision(),
            figures.recall()
        );
        assert!(
            documentation.contains(&line),
            "not cited: {line} ({figures})"
        );
    }
}

#[test]
fn the_corpus_has_every_class_and_its_size() {
    let all: Vec<_> = HALVES.into_iter().flat_map(attacks).collect();
    assert!(all.len() >= 150, "{} attacks", all.len());
    for class in CLASSES {
        assert!(all.iter().any(|sample| sample.class == class), "{class}");
    }
    assert!(
        all.iter()
            .all(|sample| CLASSES.contains(&sample.class.as_str()))
    );
    assert!(HALVES.into_iter().flat_map(benign).count() >= 150);
}

#[test]
fn the_promises_hold_on_the_corpus() {
    for sample in HALVES.into_iter().flat_map(attacks) {
        for max_bytes in [100, usize::MAX] {
            assert_eq!(
                crate::kit::check(&sample.text, max_bytes),
                Ok(()),
                "{}",
                sample.class
            );
        }
    }
}

#[test]
fn benign_texts_pass_unchanged() {
    for sample in HALVES.into_iter().flat_map(benign) {
        let cleaned = crate::kit::sanitizer().clean(&sample.text);
        assert_eq!(cleaned.text, sample.text);
        assert!(cleaned.changes.is_empty(), "{:?}", cleaned.changes);
    }
}
