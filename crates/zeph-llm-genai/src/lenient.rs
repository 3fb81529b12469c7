//! JSON as services send it: with halves of surrogate pairs, and numbers that JSON does not have.

use serde_json::Value;

/// The private characters that stand for halves of surrogate pairs until the other half arrives.
const FIRST: u32 = 0x10_0000;
const HALVES: u32 = 0x800;
const SECOND_HALF: u32 = 0x400;

/// Parses JSON. If it is broken, `NaN` and infinities become null, and each half of a surrogate pair stands
/// for itself until [`join`] combines it with the next text.
///
/// # Errors
/// The error of the text as it is.
pub(crate) fn parse(text: &str) -> Result<Parsed, serde_json::Error> {
    let text = text.trim_start_matches('\u{feff}');
    let error = match serde_json::from_str(text) {
        Ok(value) => {
            return Ok(Parsed {
                value,
                has_halves: false,
            });
        }
        Err(error) => error,
    };
    let (repaired, has_halves) = repair(text);
    serde_json::from_str(&repaired)
        .map(|value| Parsed { value, has_halves })
        .map_err(|_| error)
}

/// A value, and whether its texts may have halves of surrogate pairs.
#[derive(Debug)]
pub(crate) struct Parsed {
    pub(crate) value: Value,
    pub(crate) has_halves: bool,
}

/// Parses the JSON in a text of its own: a half without the other one becomes a replacement character.
pub(crate) fn parse_whole(text: &str) -> Result<Value, serde_json::Error> {
    let parsed = parse(text)?;
    if !parsed.has_halves {
        return Ok(parsed.value);
    }
    let joined = join(&repair(text).0);
    Ok(serde_json::from_str(&joined).unwrap_or(parsed.value))
}

fn repair(text: &str) -> (String, bool) {
    let mut out = String::with_capacity(text.len());
    let (mut rest, mut in_string, mut has_halves) = (text, false, false);
    while let Some(c) = rest.chars().next() {
        let mut len = c.len_utf8();
        if in_string && c == '\\' {
            if let Some(half) = half(rest) {
                let whole = half < SECOND_HALF
                    && self::half(&rest[6..]).is_some_and(|next| next >= SECOND_HALF);
                if whole {
                    len = 12;
                } else {
                    has_halves = true;
                    out.extend(char::from_u32(FIRST + half));
                    rest = &rest[6..];
                    continue;
                }
            } else {
                len += rest[1..].chars().next().map_or(0, char::len_utf8);
            }
        } else if c == '"' {
            in_string = !in_string;
        } else if !in_string
            && let Some(word) = ["NaN", "-NaN", "Infinity", "-Infinity"]
                .iter()
                .find(|word| rest.starts_with(**word))
        {
            out.push_str("null");
            rest = &rest[word.len()..];
            continue;
        }
        out.push_str(&rest[..len]);
        rest = &rest[len..];
    }
    (out, has_halves)
}

/// The half of a surrogate pair at the start of a text, counted from the first one.
fn half(text: &str) -> Option<u32> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    let code = u32::from_str_radix(digits, 16).ok()?;
    code.checked_sub(0xD800).filter(|half| *half < HALVES)
}

fn marked(c: char) -> Option<u32> {
    u32::from(c)
        .checked_sub(FIRST)
        .filter(|half| *half < HALVES)
}

/// The text with its halves combined; a half without the other one becomes a replacement character.
pub(crate) fn join(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let Some(high) = marked(c) else {
            out.push(c);
            continue;
        };
        let low = chars
            .peek()
            .copied()
            .and_then(marked)
            .filter(|low| high < SECOND_HALF && *low >= SECOND_HALF);
        let whole =
            low.and_then(|low| char::from_u32(0x1_0000 + (high << 10) + (low - SECOND_HALF)));
        if whole.is_some() {
            chars.next();
        }
        out.push(whole.unwrap_or(char::REPLACEMENT_CHARACTER));
    }
    out
}

/// Whether the other half of the last character may follow.
pub(crate) fn ends_in_half(text: &str) -> bool {
    let last = text.chars().next_back().and_then(marked);
    last.is_some_and(|half| half < SECOND_HALF)
}

#[cfg(test)]
mod tests {
    use super::{ends_in_half, join, parse, parse_whole};
    use serde_json::json;

    #[test]
    fn halves_are_combined_over_the_border_of_two_texts() {
        let first = parse(r#"{"a":"x\ud83d"}"#).unwrap();
        let second = parse(r#"{"a":"\ude00y"}"#).unwrap();
        assert!(first.has_halves && second.has_halves);
        let [first, second] =
            [first, second].map(|one| one.value["a"].as_str().unwrap().to_owned());
        assert!(ends_in_half(&first) && !ends_in_half(&second));
        assert_eq!(join(&format!("{first}{second}")), "x😀y");
        assert_eq!(join(&first), "x\u{fffd}");
        assert_eq!(join(&format!("{second}{first}")), "\u{fffd}yx\u{fffd}");
    }

    #[test]
    fn what_is_no_json_is_read_where_its_meaning_is_plain() {
        for (text, value) in [
            (
                r#"{"a":"\ud83d\ude00\ud83d"}"#,
                json!({ "a": "😀\u{fffd}" }),
            ),
            (
                r#"["\\ud83d","\"\udead"]"#,
                json!(["\\ud83d", "\"\u{fffd}"]),
            ),
            (
                r#"{"n":NaN,"i":-Infinity,"t":"NaN \ud83d"}"#,
                json!({ "n": null, "i": null, "t": "NaN \u{fffd}" }),
            ),
            ("\u{feff}[1]", json!([1])),
        ] {
            assert_eq!(parse_whole(text).unwrap(), value, "{text}");
        }
        for text in ["", "{", r#"{"a":"\ud8"#, "nonsense", r#""\ud83"#] {
            assert!(parse_whole(text).is_err(), "{text}");
        }
        assert!(parse(r#"{"a":1"#).unwrap_err().is_eof());
    }
}
