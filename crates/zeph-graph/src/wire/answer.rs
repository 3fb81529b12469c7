//! Answers of people: from the typed text to the JSON value of the task.

use serde_json::{Number, Value};

use crate::{AnswerKind, Question};

/// A text that is not an answer to its question.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadAnswer {
    /// The question asks for a number.
    #[error("{text:?} is not a number")]
    NotANumber {
        /// The given text.
        text: String,
    },
    /// The question asks for yes or no.
    #[error("{text:?} is neither yes nor no")]
    NotYesNo {
        /// The given text.
        text: String,
    },
    /// The question asks for one of its choices.
    #[error("{text:?} is not one of the choices: {}", quoted(choices))]
    NotAChoice {
        /// The given text.
        text: String,
        /// The choices.
        choices: Vec<String>,
    },
    /// Several choices begin with the text.
    #[error("{text:?} may mean {}: write it in full", quoted(matches))]
    Ambiguous {
        /// The given text.
        text: String,
        /// The choices that it may mean.
        matches: Vec<String>,
    },
}

impl Question {
    /// The value of a person's text.
    ///
    /// A text answer is used unchanged. For the other kinds, surrounding spaces are ignored: yes and no are
    /// also `y`, `n`, `true` and `false`, in any case; a choice is given in full, by a prefix that only one
    /// choice has, or by its number, from 1. A choice in full wins over one that begins with the text, and
    /// the case decides only between choices that are equal otherwise.
    ///
    /// # Errors
    /// If the text does not answer this question, or could mean several choices.
    ///
    /// # Examples
    /// ```
    /// use zeph_graph::Question;
    /// let question = Question::choice("Where to?", ["staging", "production"]);
    /// assert_eq!(question.check_answer("prod")?, "production");
    /// assert_eq!(question.check_answer("1")?, "staging");
    /// assert!(question.check_answer("nowhere").is_err());
    /// # Ok::<(), zeph_graph::wire::BadAnswer>(())
    /// ```
    pub fn check_answer(&self, text: &str) -> Result<Value, BadAnswer> {
        match &self.kind {
            AnswerKind::Text => Ok(Value::from(text)),
            AnswerKind::Number => number(text.trim()),
            AnswerKind::YesNo => yes_no(text.trim()),
            AnswerKind::Choice { choices } => choice(text, choices).map(Value::from),
        }
    }

    /// Whether this question accepts a value as its answer.
    ///
    /// # Examples
    /// ```
    /// use zeph_graph::Question;
    /// let question = Question::confirm("Go on?");
    /// assert!(question.accepts(&true.into()));
    /// assert!(!question.accepts(&"yes".into()));
    /// ```
    #[must_use]
    pub fn accepts(&self, value: &Value) -> bool {
        match &self.kind {
            AnswerKind::Text => value.is_string(),
            AnswerKind::Number => value.is_number(),
            AnswerKind::YesNo => value.is_boolean(),
            AnswerKind::Choice { choices } => value
                .as_str()
                .is_some_and(|text| choices.iter().any(|choice| choice == text)),
        }
    }
}

fn number(text: &str) -> Result<Value, BadAnswer> {
    let whole = text
        .parse::<i64>()
        .map(Number::from)
        .or_else(|_| text.parse::<u64>().map(Number::from))
        .ok();
    // `inf` and `nan` are numbers to Rust, but not to JSON.
    let number = whole.or_else(|| Number::from_f64(text.parse().ok()?));
    match number {
        Some(number) => Ok(Value::Number(number)),
        None => Err(BadAnswer::NotANumber { text: short(text) }),
    }
}

fn yes_no(text: &str) -> Result<Value, BadAnswer> {
    match text.to_ascii_lowercase().as_str() {
        "yes" | "y" | "true" => Ok(Value::Bool(true)),
        "no" | "n" | "false" => Ok(Value::Bool(false)),
        _ => Err(BadAnswer::NotYesNo { text: short(text) }),
    }
}

fn choice(text: &str, choices: &[String]) -> Result<String, BadAnswer> {
    let exact = choices.iter().find(|choice| *choice == text);
    let text = text.trim();
    if let Some(exact) = exact.or_else(|| choices.iter().find(|choice| choice.trim() == text)) {
        return Ok(exact.clone());
    }
    let folded = text.to_lowercase();
    let mut in_full = (choices.iter()).filter(|choice| choice.trim().to_lowercase() == folded);
    if let (Some(only), None) = (in_full.next(), in_full.next()) {
        return Ok(only.clone());
    }
    let by_number = text
        .parse::<usize>()
        .ok()
        .and_then(|number| choices.get(number.checked_sub(1)?));
    let mut matches: Vec<String> = choices
        .iter()
        .filter(|choice| {
            let begins = !folded.is_empty() && choice.to_lowercase().starts_with(&folded);
            begins || by_number.is_some_and(|numbered| numbered == *choice)
        })
        .cloned()
        .collect();
    match matches.len() {
        0 => Err(BadAnswer::NotAChoice {
            text: short(text),
            choices: choices.to_vec(),
        }),
        1 => Ok(matches.remove(0)),
        _ => Err(BadAnswer::Ambiguous {
            text: short(text),
            matches,
        }),
    }
}

fn short(text: &str) -> String {
    text.chars().take(80).collect()
}

fn quoted(texts: &[String]) -> String {
    let quoted: Vec<String> = texts.iter().map(|text| format!("{text:?}")).collect();
    quoted.join(", ")
}
