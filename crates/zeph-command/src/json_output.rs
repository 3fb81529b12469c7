//! Standard output that is read as JSON, and advice for text that is none.

use serde_json::{Value, json};
use zeph_executor::TaskError;

/// The value of a text, and whether all of its whole numbers have all of their digits.
pub(crate) fn parse(text: &str) -> Result<(Value, bool), TaskError> {
    // A byte order mark is no part of the value.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    match serde_json::from_str(text) {
        Ok(value) => Ok((value, is_exact_text(text))),
        Err(error) => Err(TaskError::permanent(format!(
            "standard output is not one JSON value: {error}; {}",
            advice(text, &error)
        ))
        .with_code("bad_json")
        .with_detail(json!({ "line": error.line(), "column": error.column() }))),
    }
}

/// Whether all whole numbers of a JSON text have all of their digits as values.
pub(crate) fn is_exact_text(text: &str) -> bool {
    bare_tokens(text).all(is_exact)
}

fn advice(text: &str, error: &serde_json::Error) -> &'static str {
    let reason = error.to_string();
    if text.trim().is_empty() {
        "it is empty: print the value, or set `output` to \"text\""
    } else if reason.contains("surrogate") || reason.contains("hex escape") {
        "a text in it has one half of a surrogate pair, as programs print it for names that are not UTF-8: \
         replace or escape such names before printing them"
    } else if bare_tokens(text).any(|token| token.contains("NaN") || token.contains("Infinity")) {
        "JSON has neither NaN nor Infinity: print null or a text instead"
    } else if reason.contains("number out of range") {
        "print the number as a text, in quotes"
    } else {
        "print nothing else, or set `output` to \"text\""
    }
}

/// Whether a token is no whole number, or one that 64 bits hold.
fn is_exact(token: &str) -> bool {
    let digits = token.strip_prefix('-').unwrap_or(token);
    let is_whole = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    !is_whole || token.parse::<i64>().is_ok() || token.parse::<u64>().is_ok()
}

/// The words and numbers of a JSON text, outside of its strings.
fn bare_tokens(text: &str) -> impl Iterator<Item = &str> {
    let mut in_string = false;
    let mut escaped = false;
    text.split(move |c: char| {
        if in_string {
            in_string = escaped || c != '"';
            escaped = !escaped && c == '\\';
            return true;
        }
        in_string = c == '"';
        !(c.is_ascii_alphanumeric() || matches!(c, '-' | '+' | '.'))
    })
    .filter(|token| !token.is_empty())
}

#[cfg(test)]
mod tests {
    use super::parse;
    use serde_json::json;

    #[test]
    fn whole_numbers_beyond_64_bits_are_noticed() {
        for (text, exact) in [
            ("[18446744073709551615, -9223372036854775808]", true),
            ("{\"n\": 18446744073709551616}", false),
            ("-9223372036854775809", false),
            (
                "[\"18446744073709551616\", \"\\\"99999999999999999999\", 1e30, 0.1]",
                true,
            ),
        ] {
            let parsed = parse(text).ok().map(|(_, is_exact)| is_exact);
            assert_eq!(parsed, Some(exact), "{text}");
        }
    }

    #[test]
    fn advice_fits_the_mistake() {
        for (text, wanted) in [
            ("", "it is empty"),
            ("{\"name\": \"\\ud83d\"}", "surrogate pair"),
            ("[1, NaN]", "neither NaN"),
            ("{\"a\": -Infinity}", "neither NaN"),
            ("{\"a\": \"NaN\"} x", "print nothing else"),
            ("1e999", "as a text"),
        ] {
            let error = parse(text).err();
            let seen = error.map(|error| error.to_string()).unwrap_or_default();
            assert!(seen.contains(wanted), "{text}: {seen}");
        }
        assert_eq!(parse("\u{feff}[1]").ok(), Some((json!([1]), true)));
    }
}
