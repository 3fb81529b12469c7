//! What a plain scalar means: the core schema of YAML 1.2, section 10.3.2.

use serde_json::{Number, Value};

/// The value of a scalar without quotes; `None` for a number that JSON does not have.
pub(crate) fn plain(text: &str) -> Option<Value> {
    let value = match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        _ => match number(text) {
            Some(number) => Value::Number(number?),
            None => Value::String(text.to_owned()),
        },
    };
    Some(value)
}

/// `None` for what is no number, `Some(None)` for one that JSON does not have.
fn number(text: &str) -> Option<Option<Number>> {
    let (negative, body) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    if matches!(body, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return Some(None);
    }
    let signed = body.len() != text.len();
    for (prefix, radix) in [("0x", 16), ("0o", 8)] {
        if let Some(digits) = body.strip_prefix(prefix).filter(|_| !signed)
            && !digits.is_empty()
            && digits.chars().all(|c| c.is_digit(radix))
        {
            return Some(u64::from_str_radix(digits, radix).ok().map(Number::from));
        }
    }
    if !body.is_empty() && body.bytes().all(|byte| byte.is_ascii_digit()) {
        let small = text.strip_prefix('+').unwrap_or(text);
        let whole = small.parse::<i64>().map(Number::from);
        let whole = whole.or_else(|_| small.parse::<u64>().map(Number::from));
        return Some(whole.ok());
    }
    is_float(body).then(|| {
        let value: Option<f64> = body.parse().ok();
        value.and_then(|value| Number::from_f64(if negative { -value } else { value }))
    })
}

/// `(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`
fn is_float(body: &str) -> bool {
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let whole = digits(body);
    let mut rest = &body[whole..];
    let mut fraction = 0;
    if let Some(after) = rest.strip_prefix('.') {
        fraction = digits(after);
        rest = &after[fraction..];
    }
    if whole + fraction == 0 {
        return false;
    }
    if let Some(exponent) = rest.strip_prefix(['e', 'E']) {
        let exponent = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
        return !exponent.is_empty() && digits(exponent) == exponent.len();
    }
    rest.is_empty()
}

#[cfg(test)]
mod tests {
    use super::plain;
    use serde_json::{Value, json};

    #[test]
    fn plain_scalars_mean_what_the_core_schema_says() {
        let table = [
            ("", json!(null)),
            ("~", json!(null)),
            ("TRUE", json!(true)),
            ("no", json!("no")),
            ("12", json!(12)),
            ("-12", json!(-12)),
            ("+12", json!(12)),
            ("007", json!(7)),
            ("0x1F", json!(31)),
            ("0o17", json!(15)),
            ("-0x1F", json!("-0x1F")),
            ("18446744073709551615", json!(u64::MAX)),
            ("1.5", json!(1.5)),
            ("-.5e1", json!(-5.0)),
            ("1.", json!(1.0)),
            (".", json!(".")),
            ("1e", json!("1e")),
            ("1e5x", json!("1e5x")),
            ("-", json!("-")),
            ("12:30", json!("12:30")),
            ("1_000", json!("1_000")),
        ];
        for (text, wanted) in table {
            assert_eq!(plain(text), Some(wanted), "{text:?}");
        }
        for text in [".inf", "-.INF", ".nan", "1e999", "99999999999999999999"] {
            assert_eq!(plain(text), None::<Value>, "{text:?}");
        }
    }
}
