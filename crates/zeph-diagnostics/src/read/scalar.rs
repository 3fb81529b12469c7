//! Plain scalars of YAML: the core schema of YAML 1.2, section 10.3.2.

use crate::Value;

/// The value of a scalar without quotes; `None` for a number that does not fit 64 bits or is not finite.
pub(super) fn plain(text: &str) -> Option<Value> {
    Some(match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        _ => match number(text) {
            Some(number) => number?,
            None => Value::String(text.to_owned()),
        },
    })
}

/// `None` for a text that is not a number, `Some(None)` for a number that does not fit 64 bits.
fn number(text: &str) -> Option<Option<Value>> {
    for (prefix, radix) in [("0x", 16), ("0o", 8)] {
        if let Some(digits) = text.strip_prefix(prefix)
            && !digits.is_empty()
            && digits.chars().all(|c| c.is_digit(radix))
        {
            let number = u64::from_str_radix(digits, radix).ok();
            return Some(number.map(|number| Value::Integer(number.into())));
        }
    }
    let body = text.strip_prefix(['-', '+']).unwrap_or(text);
    if matches!(body, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return Some(None);
    }
    if !body.is_empty() && body.bytes().all(|byte| byte.is_ascii_digit()) {
        let range = i128::from(i64::MIN)..=i128::from(u64::MAX);
        let number: Option<i128> = text.parse().ok();
        return Some(number.filter(|it| range.contains(it)).map(Value::Integer));
    }
    // Rust reads the floats of YAML, and words such as `inf`.
    let is_float = |byte: u8| byte.is_ascii_digit() || b".eE+-".contains(&byte);
    if !body.starts_with(|c: char| c.is_ascii_digit() || c == '.') || !body.bytes().all(is_float) {
        return None;
    }
    let number: f64 = text.parse().ok()?;
    Some(number.is_finite().then_some(Value::Float(number)))
}

#[cfg(test)]
mod tests {
    use super::plain;
    use crate::Value;

    #[test]
    fn plain_scalars_mean_what_the_core_schema_says() {
        let string = |text: &str| Value::String(text.to_owned());
        let table = [
            ("", Value::Null),
            ("~", Value::Null),
            ("TRUE", Value::Bool(true)),
            ("no", string("no")),
            ("12", Value::Integer(12)),
            ("-12", Value::Integer(-12)),
            ("+12", Value::Integer(12)),
            ("007", Value::Integer(7)),
            ("0x1F", Value::Integer(31)),
            ("0o17", Value::Integer(15)),
            ("-0x1F", string("-0x1F")),
            ("18446744073709551615", Value::Integer(u64::MAX.into())),
            ("1.5", Value::Float(1.5)),
            ("-.5e1", Value::Float(-5.0)),
            ("+1.", Value::Float(1.0)),
            (".", string(".")),
            ("1e", string("1e")),
            ("1e5x", string("1e5x")),
            ("-", string("-")),
            ("12:30", string("12:30")),
            ("1_000", string("1_000")),
        ];
        for (text, wanted) in table {
            assert_eq!(plain(text), Some(wanted), "{text:?}");
        }
        for text in [".inf", "-.INF", ".nan", "1e999", "99999999999999999999"] {
            assert_eq!(plain(text), None, "{text:?}");
        }
    }
}
