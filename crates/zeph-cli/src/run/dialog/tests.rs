//! The dialog by its keys and its lines.

use super::{Dialog, Reaction};
use crate::run::footer::Size;
use crate::run::keys::Key;
use zeph_graph::{AskWhy, Fault};
use zeph_runtime::{Accepts, QuestionView};

fn question(accepts: Accepts) -> QuestionView {
    QuestionView {
        id: 1,
        task: "a\u{202e}b".to_owned(),
        about: AskWhy::Failure(Fault::Error),
        text: "really\u{1b}[2J go on with it?".to_owned(),
        error: None,
        accepts,
        default: Some("no".to_owned()),
        default_at: None,
    }
}

fn press(dialog: &mut Dialog, text: &str) -> Reaction {
    let mut last = Reaction::None;
    for c in text.chars() {
        last = dialog.press(match c {
            '\r' => Key::Enter,
            '\u{1b}' => Key::Escape,
            '↑' => Key::Up,
            '↓' => Key::Down,
            '\u{15}' => Key::DeleteLine,
            c => Key::Char(c),
        });
    }
    last
}

fn drawn(dialog: &Dialog, width: usize, height: usize) -> Vec<String> {
    let lines = dialog.draw(Size { width, height }).lines;
    let strip = |line: &String| anstream::adapter::strip_str(line).to_string();
    lines.iter().map(strip).collect()
}

fn answer(text: &str) -> Reaction {
    Reaction::Answer(text.to_owned())
}

#[test]
fn each_kind_of_question_is_answered_and_says_why_not() {
    let choices = Accepts::Choice(["red", "green", "grey"].map(str::to_owned).to_vec());
    let table = [
        (Accepts::YesNo, "y\r", answer("yes"), ""),
        (Accepts::YesNo, "↓↓↓\r", answer("no"), ""),
        (Accepts::YesNo, "↑↑\r", answer("yes"), ""),
        (Accepts::YesNo, "\r", Reaction::None, "choose one"),
        (Accepts::YesNo, "\u{1b}", Reaction::Later, ""),
        (choices.clone(), "2\r", answer("green"), ""),
        (choices.clone(), "gre\r", Reaction::None, "green"),
        (choices.clone(), "blue\r", Reaction::None, "blue"),
        (choices, "gre\u{15}r\r", answer("red"), ""),
        (Accepts::Number, "12x\r", Reaction::None, "12x"),
        (Accepts::Number, "12x\u{15}3\r", answer("3"), ""),
        (Accepts::Text, " a b\r", answer(" a b"), ""),
        (Accepts::Text, "\r", Reaction::None, "Enter once more"),
        (Accepts::Text, "\r\r", answer(""), ""),
        (Accepts::Failure, "sk\r", answer("skip"), ""),
        (Accepts::Failure, "v\r{\r", Reaction::None, "not JSON"),
        (Accepts::Failure, "v\r[1]\r", answer("value:[1]"), ""),
        (Accepts::Failure, "value: [1]\r", answer("value:[1]"), ""),
        (Accepts::Failure, "v\r\u{1b}", Reaction::None, ""),
        (Accepts::Failure, "v\r\u{1b}\u{1b}", Reaction::Later, ""),
    ];
    for (accepts, keys, wanted, why) in table {
        let mut dialog = Dialog::of(&question(accepts));
        assert_eq!(press(&mut dialog, keys), wanted, "{keys:?}");
        let problem = dialog.problem.unwrap_or_default();
        assert_eq!(problem.is_empty(), why.is_empty(), "{keys:?}: {problem}");
        assert!(problem.contains(why), "{keys:?}: {problem}");
    }
}

#[test]
fn a_dialog_fits_into_a_narrow_terminal_and_is_inert() {
    let mut dialog = Dialog::of(&question(Accepts::YesNo));
    press(&mut dialog, "n");
    assert_eq!(
        drawn(&dialog, 20, 24),
        [
            "? ab: really go on",
            "  with it?",
            "    yes",
            "  > no",
            "  answer: n",
            "  Esc: answer",
            "  later; without",
            "  one in time: no",
        ]
    );
    let long = QuestionView {
        text: "word ".repeat(2_000),
        ..question(Accepts::Failure)
    };
    for (width, height) in [(16, 14), (40, 12), (80, 24)] {
        let mut dialog = Dialog::of(&long);
        press(&mut dialog, "a long and wrong answer\r");
        let lines = drawn(&dialog, width, height);
        assert!(
            lines.iter().all(|line| line.chars().count() < width),
            "{lines:?}"
        );
        assert!(lines.len() < height, "{lines:?}");
    }
}

#[test]
fn a_hidden_value_is_one_line_that_is_never_drawn() {
    let mut dialog = Dialog::hidden("token?".to_owned(), "Esc: no value".to_owned());
    press(&mut dialog, "hüntEr2");
    assert_eq!(
        drawn(&dialog, 60, 24),
        ["? token?", "  answer: *******", "  Esc: no value"]
    );
    assert_eq!(dialog.press(Key::Lines), Reaction::None);
    let lines = drawn(&dialog, 80, 24);
    assert_eq!(lines[1], "  answer: ");
    assert!(lines[2].contains("takes one line"), "{lines:?}");
    assert!(!dialog.plain().contains("hünt"));
    assert_eq!(press(&mut dialog, "\r"), Reaction::None);
    assert_eq!(press(&mut dialog, "\r"), answer(""));
    assert_eq!(press(&mut dialog, "\u{1b}"), Reaction::Later);
}
