//! Answers of people.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::Question;
use crate::wire::BadAnswer;

fn check(question: &Question, text: &str) -> Option<Value> {
    question.check_answer(text).ok()
}

fn number() -> Question {
    Question {
        kind: crate::AnswerKind::Number,
        ..Question::text("How many?")
    }
}

#[test]
fn a_text_is_taken_as_it_is() {
    let question = Question::text("Who?");
    for text in ["", " spaces ", "yes", "{}"] {
        assert_eq!(check(&question, text), Some(json!(text)));
    }
}

#[test]
fn a_number_is_one_of_json() {
    for (text, value) in [
        ("7", json!(7)),
        (" -7 ", json!(-7)),
        ("18446744073709551615", json!(u64::MAX)),
        ("+1", json!(1)),
        ("0.5", json!(0.5)),
        ("1e3", json!(1000.0)),
    ] {
        assert_eq!(check(&number(), text), Some(value));
    }
    for text in ["", "seven", "NaN", "inf", "1,5", "0x10", "1e999"] {
        let refused = number().check_answer(text);
        assert!(
            matches!(refused, Err(BadAnswer::NotANumber { .. })),
            "{text}"
        );
    }
}

#[test]
fn yes_and_no_have_many_forms() {
    let question = Question::confirm("Sure?");
    for text in ["yes", "Y", " TRUE "] {
        assert_eq!(check(&question, text), Some(json!(true)));
    }
    for text in ["no", "n", "False"] {
        assert_eq!(check(&question, text), Some(json!(false)));
    }
    for text in ["", "maybe", "1", "ye"] {
        assert_eq!(check(&question, text), None);
    }
}

#[test]
fn a_choice_is_found_in_full_by_its_beginning_or_by_number() {
    let question = Question::choice("Where?", ["Production", "Preview", "pre", "Staging"]);
    assert_eq!(check(&question, "Production"), Some(json!("Production")));
    assert_eq!(check(&question, "prod"), Some(json!("Production")));
    assert_eq!(check(&question, "4"), Some(json!("Staging")));
    assert_eq!(check(&question, "pre"), Some(json!("pre")));
    let cases = Question::choice("Where?", ["Staging", "staging-2", "home", " home", "Home"]);
    for (text, value) in [("staging", "Staging"), (" home", " home"), ("Home", "Home")] {
        assert_eq!(check(&cases, text), Some(json!(value)));
    }
    assert_eq!(check(&cases, "HOME"), None, "it may be each of three");
    let refused = question.check_answer("p").unwrap_err();
    assert_eq!(
        refused.to_string(),
        r#""p" may mean "Production", "Preview", "pre": write it in full"#
    );
    for text in ["", "0", "5", "nowhere", "-1"] {
        let refused = question.check_answer(text);
        assert!(
            matches!(refused, Err(BadAnswer::NotAChoice { .. })),
            "{text}"
        );
    }
}

#[test]
fn a_number_that_begins_another_choice_is_not_guessed() {
    let question = Question::choice("Size?", ["20", "10"]);
    assert_eq!(check(&question, "10"), Some(json!("10")));
    let refused = question.check_answer("1");
    assert!(matches!(refused, Err(BadAnswer::Ambiguous { .. })));
}

proptest! {
    #[test]
    fn what_is_checked_is_accepted(text in any::<String>(), number in any::<f64>()) {
        let all = [
            Question::text("?"),
            self::number(),
            Question::confirm("?"),
            Question::choice("?", ["left", "right"]),
        ];
        for question in all {
            for text in [text.clone(), number.to_string(), "y".into(), "l".into(), "2".into()] {
                if let Ok(value) = question.check_answer(&text) {
                    prop_assert!(question.accepts(&value));
                }
            }
        }
    }
}
