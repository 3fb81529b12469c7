//! Expressions: strict minijinja expressions, without minijinja's template syntax.

use std::io;
use std::sync::OnceLock;

use minijinja::{Environment, Error, ErrorKind, UndefinedBehavior};
use serde_json::Value;
use zeph_diagnostics::quote;

use crate::references::{ITEM, ROOTS, applied};

/// The longest expression. The recursion depth of minijinja grows with the length of an expression.
const MAX_BYTES: usize = 1_000;

/// The most bytes that the values of a plan, or of one attempt, have together.
const MAX_VALUES_BYTES: usize = 64 << 20;

/// Why an expression has no value.
#[derive(Debug)]
pub(crate) enum NoValue {
    /// The expression, or a part of it, is undefined.
    Undefined,
    /// It failed for another reason; the message may quote values.
    Failed(String),
}

fn environment() -> &'static Environment<'static> {
    static ENVIRONMENT: OnceLock<Environment<'static>> = OnceLock::new();
    ENVIRONMENT.get_or_init(|| {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        // `debug` prints all values, including secrets.
        environment.remove_global("debug");
        environment
    })
}

/// Checks that a text is an expression; the error is the reason why it is not.
pub(crate) fn check(expression: &str) -> Result<(), String> {
    if expression.len() > MAX_BYTES {
        return Err(format!("it has more than {MAX_BYTES} bytes"));
    }
    if let Err(error) = environment().compile_expression(expression) {
        return Err(error_text(&error));
    }
    // minijinja itself reports unknown filters and tests only at evaluation.
    let mut state = environment().empty_state();
    let (filters, tests) = applied(expression);
    for filter in filters {
        let tried = state.apply_filter(filter, &[]).err();
        if tried.is_some_and(|error| error.kind() == ErrorKind::UnknownFilter) {
            return Err(format!("there is no filter {}", quote(filter)));
        }
    }
    for test in tests {
        let tried = state.perform_test(test, &[]).err();
        if tried.is_some_and(|error| error.kind() == ErrorKind::UnknownTest) {
            return Err(format!("there is no test {}", quote(test)));
        }
    }
    Ok(())
}

/// The undefined names in a valid expression.
pub(crate) fn unknown_names(expression: &str) -> Vec<String> {
    let Ok(compiled) = environment().compile_expression(expression) else {
        return Vec::new();
    };
    let known = |name: &str| {
        ROOTS.contains(&name)
            || ITEM.contains(&name)
            || environment().globals().any(|(global, _)| global == name)
    };
    let names = compiled.undeclared_variables(false).into_iter();
    let mut unknown: Vec<String> = names.filter(|name| !known(name)).collect();
    unknown.sort();
    unknown
}

/// Evaluates expressions, until their values are too large together.
#[derive(Debug)]
pub(crate) struct Evaluator {
    left: usize,
}

impl Evaluator {
    pub(crate) const fn new() -> Self {
        Self {
            left: MAX_VALUES_BYTES,
        }
    }

    /// Whether the values are too large, which has been reported.
    pub(crate) const fn is_exhausted(&self) -> bool {
        self.left == 0
    }

    /// The value of an expression.
    pub(crate) fn evaluate(
        &mut self,
        expression: &str,
        values: &minijinja::Value,
    ) -> Result<Value, NoValue> {
        let value = evaluate(expression, values)?;
        // A list such as `[1] * 1000000000` has no items until it is written.
        let mut room = Room(self.left);
        let written = serde_json::to_writer(&mut room, &value);
        self.left = room.0;
        if self.is_exhausted() {
            let why = format!("the values have more than {MAX_VALUES_BYTES} bytes together");
            return Err(NoValue::Failed(why));
        }
        let failed = |error: serde_json::Error| NoValue::Failed(error.to_string());
        written.map_err(failed)?;
        serde_json::to_value(&value).map_err(failed)
    }
}

/// Counts what is written, up to a number of bytes.
struct Room(usize);

impl io::Write for Room {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self.0.saturating_sub(bytes.len());
        match self.0 {
            0 => Err(io::Error::from(io::ErrorKind::WriteZero)),
            _ => Ok(bytes.len()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn evaluate(expression: &str, values: &minijinja::Value) -> Result<minijinja::Value, NoValue> {
    check(expression).map_err(NoValue::Failed)?;
    let value = environment()
        .compile_expression(expression)
        .and_then(|compiled| compiled.eval(values.clone()))
        .map_err(|error| {
            if error.kind() == ErrorKind::UndefinedError {
                NoValue::Undefined
            } else {
                NoValue::Failed(error_text(&error))
            }
        })?;
    if value.is_undefined() {
        return Err(NoValue::Undefined);
    }
    Ok(value)
}

/// The values that expressions can use, by name.
pub(crate) fn values(values: impl serde::Serialize) -> minijinja::Value {
    minijinja::Value::from(minijinja::value::Serde(values))
}

/// A value as part of a text: texts as they are, everything else as JSON.
pub(crate) fn to_text(value: Value) -> String {
    match value {
        Value::String(text) => text,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            value.to_string()
        }
    }
}

fn error_text(error: &Error) -> String {
    let words = match error.detail() {
        Some(detail) => format!("{}: {detail}", error.kind()),
        None => error.kind().to_string(),
    };
    zeph_common::escape_terminal(&words).into_owned()
}

#[cfg(test)]
mod tests {
    use super::{Evaluator, NoValue, check, unknown_names, values};
    use serde_json::json;

    fn value(expression: &str) -> Result<serde_json::Value, NoValue> {
        let given = json!({ "params": { "n": 3, "s": "a b", "l": [1, 2], "b": true } });
        Evaluator::new().evaluate(expression, &values(given))
    }

    #[test]
    fn values_keep_their_type() {
        for (expression, expected) in [
            ("params.n", json!(3)),
            ("params.n / 2", json!(1.5)),
            ("params.s|upper", json!("A B")),
            ("params.l", json!([1, 2])),
            ("params.l|length == 2 and params.b", json!(true)),
            ("'x' if params.n > 2 else 'y'", json!("x")),
            ("params.missing|default('d')", json!("d")),
            ("none", json!(null)),
        ] {
            assert_eq!(value(expression).unwrap(), expected, "{expression}");
        }
    }

    #[test]
    fn what_does_not_exist_is_an_error() {
        for expression in ["params.missing", "params.a.b", "params.missing ~ 'x'"] {
            let value = value(expression);
            assert!(
                matches!(value, Err(NoValue::Undefined)),
                "{expression}: {value:?}"
            );
        }
        assert!(matches!(value("params.n + 'x'"), Err(NoValue::Failed(_))));
        assert!(value("debug()").is_err());
    }

    #[test]
    fn a_list_of_a_billion_items_is_refused_before_it_is_there() {
        for expression in [
            "[1] * 100000000",
            "[1] * 1000000000",
            "{'a': [params.s] * 100000000}",
        ] {
            let value = value(expression);
            assert!(
                matches!(value, Err(NoValue::Failed(_))),
                "{expression}: {value:?}"
            );
        }
    }

    #[test]
    fn names_that_stand_for_nothing_are_found() {
        assert_eq!(unknown_names("parms.a ~ params.b ~ range(3)"), ["parms"]);
        assert_eq!(unknown_names("debug()"), ["debug"]);
    }

    #[test]
    fn unknown_filters_and_tests_are_found_before_they_run() {
        for (expression, fine) in [
            ("params.s|upper|trim", true),
            ("params.s|shout", false),
            ("params.s is defined and params.n is not string", true),
            ("params.s is not loud", false),
            ("params.is", true),
            ("'a|shout is loud'", true),
        ] {
            assert_eq!(check(expression).is_ok(), fine, "{expression}");
        }
    }

    #[test]
    fn long_expressions_do_not_exhaust_the_stack() {
        for part in ["1+", "1|", "-", "(", "[", "a.", "not ", "x if ", "1~"] {
            let long = part.repeat(100_000 / part.len());
            assert!(check(&long).is_err());
            let short = format!("{}1", part.repeat((1_000 - 1) / part.len()));
            // The check and the evaluation of any text end.
            let _ = check(&short).and_then(|()| value(&short).map_err(|_| String::new()));
        }
    }
}
