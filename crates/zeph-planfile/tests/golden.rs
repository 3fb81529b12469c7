//! The rendered diagnostics of plans with many mistakes, as golden texts.
//!
//! With `UPDATE_GOLDEN=1` in the environment the texts are rewritten; review the difference.

#![allow(
    clippy::unwrap_used,
    reason = "the helpers of a test may take its short way"
)]

use std::fmt::Write as _;
use std::path::Path;

use zeph_planfile::{Format, Plan};

/// Messages, helps and the exact pieces of the source that they point at.
fn picture(name: &str, text: &str) -> String {
    let errors = Plan::load(text, Format::of_name(name), name).unwrap_err();
    let mut picture = format!("{errors}\n\n");
    for one in &errors {
        let at = one
            .span
            .map_or("the plan", |span| &text[span.start..span.end]);
        let pointer = one.path.as_deref().unwrap_or_default();
        let _ = writeln!(picture, "{} at {at:?} {pointer}", one.code);
    }
    picture
}

fn check(name: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let text = std::fs::read_to_string(folder.join(name)).unwrap();
    let found = picture(name, &text);
    let golden = folder.join(format!("{name}.txt"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&golden, &found).unwrap();
    }
    let expected = std::fs::read_to_string(&golden).unwrap();
    assert_eq!(found, expected, "{} differs", golden.display());
}

#[test]
fn toml_with_places_in_the_text() {
    check("errors.toml");
}

#[test]
fn json_with_places_and_pointers() {
    check("errors.json");
}

#[test]
fn names_are_inert_in_messages() {
    let text = "[tasks.\"\\u001b[31mred\\u202e\"]\nrun = ['x']\n\"\\u001b]0;x\\u0007\" = 1";
    let errors = Plan::load(text, Format::Toml, "\x1b[2Jplan").unwrap_err();
    let text = errors.to_string();
    assert!(errors.as_slice().len() >= 2);
    assert!(
        !text.contains(['\u{1b}', '\u{7}', '\u{202e}']),
        "{text:?} is not inert"
    );
}
