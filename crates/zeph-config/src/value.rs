//! Reading one value, as people write it.

use std::path::Path;
use std::time::Duration;

use crate::config::{OrchestrationConfig as Config, OverBudget};
use crate::error::Problem;
use crate::keys::Field;

/// A value before its kind is known.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Raw<'a> {
    /// From a flag or a variable: everything is text.
    Untyped(&'a str),
    /// A TOML string.
    Text(&'a str),
    /// A TOML integer, and how it is written.
    Number(Option<i64>, &'a str),
    /// A TOML number with a fraction, as it is written.
    Decimal(&'a str),
    /// Any other TOML value, by the name of its type.
    Other(&'static str),
}

/// Reads a value into its field. Relative paths are taken from `folder`.
pub(crate) fn assign(
    field: &Field,
    config: &mut Config,
    raw: Raw<'_>,
    folder: Option<&Path>,
) -> Result<(), Problem> {
    match field {
        Field::Count(.., set) => set(
            config,
            number(raw).ok_or_else(|| raw.is_not("a whole number"))?,
        ),
        Field::Bytes(.., set) => set(
            config,
            bytes(raw).ok_or_else(|| raw.is_not("a size such as 65536 or \"64KiB\""))?,
        ),
        Field::Time(.., set) => set(config, time(raw)?),
        Field::Timeout(_, set) => set(
            config,
            if raw.text() == Some("none") {
                None
            } else {
                Some(time(raw)?)
            },
        ),
        Field::Path(_, set) => {
            let text = raw.text().ok_or_else(|| raw.is_not("a path in quotes"))?;
            // An empty path stays empty, so that the range check sees it.
            let base = folder.filter(|_| !text.is_empty());
            set(
                config,
                base.map_or_else(|| text.into(), |folder| folder.join(text)),
            );
        }
        Field::Text(_, set) => {
            let text = raw.text().ok_or_else(|| raw.is_not("a text in quotes"))?;
            set(config, text.to_owned());
        }
        Field::Limit(.., set) => set(
            config,
            if raw.text() == Some("none") {
                None
            } else {
                let wanted = "a whole number, or \"none\"";
                Some(number(raw).ok_or_else(|| raw.is_not(wanted))?)
            },
        ),
        Field::Money(_, set) => set(
            config,
            if raw.text() == Some("none") {
                None
            } else {
                let wanted = "an amount of dollars such as 0.50, or \"none\"";
                Some(money(raw).ok_or_else(|| raw.is_not(wanted))?)
            },
        ),
        Field::Over(set) => set(
            config,
            match raw.text() {
                Some("ask") => OverBudget::Ask,
                Some("partial") => OverBudget::Partial,
                Some(_) | None => return Err(raw.is_not("\"ask\" or \"partial\"")),
            },
        ),
    }
    Ok(())
}

impl<'a> Raw<'a> {
    fn text(self) -> Option<&'a str> {
        match self {
            Self::Untyped(text) => Some(text.trim()),
            Self::Text(text) => Some(text),
            Self::Number(..) | Self::Decimal(_) | Self::Other(_) => None,
        }
    }

    pub(crate) fn is_not(self, wanted: &'static str) -> Problem {
        let found = match self {
            Self::Untyped(text) | Self::Text(text) => format!("{:?}", cut(text)),
            Self::Number(_, text) | Self::Decimal(text) => cut(text),
            Self::Other(kind) => format!("a TOML {kind}"),
        };
        Problem::Kind { found, wanted }
    }
}

/// What is shown of a value that is wrong.
fn cut(text: &str) -> String {
    text.chars().take(80).collect()
}

/// A whole number that is not negative.
fn number(raw: Raw<'_>) -> Option<u64> {
    match raw {
        Raw::Untyped(text) => text.trim().parse().ok(),
        Raw::Number(number, _) => u64::try_from(number?).ok(),
        Raw::Text(_) | Raw::Decimal(_) | Raw::Other(_) => None,
    }
}

/// Dollars with at most six digits behind the point, as millionths.
fn money(raw: Raw<'_>) -> Option<u64> {
    let text = match raw {
        Raw::Untyped(text) => text.trim(),
        Raw::Number(Some(number), _) => {
            return u64::try_from(number).ok()?.checked_mul(1_000_000);
        }
        Raw::Decimal(text) => text,
        Raw::Text(_) | Raw::Number(None, _) | Raw::Other(_) => return None,
    };
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let is_plain = |digits: &str| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    if !is_plain(whole) || !is_plain(part) || part.len() > 6 {
        return None;
    }
    let part: u64 = format!("{part:0<6}").parse().ok()?;
    whole
        .parse::<u64>()
        .ok()?
        .checked_mul(1_000_000)?
        .checked_add(part)
}

/// A number of bytes, with or without a unit.
fn bytes(raw: Raw<'_>) -> Option<u64> {
    let Some(text) = raw.text() else {
        return number(raw);
    };
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (count, unit) = text.split_at(digits);
    let factor = match unit.trim_start() {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    count.parse::<u64>().ok()?.checked_mul(factor)
}

fn time(raw: Raw<'_>) -> Result<Duration, Problem> {
    const WANTED: &str = "a duration with a unit, such as \"250ms\", \"90s\" or \"1h 30m\"";
    let text = raw.text().ok_or_else(|| raw.is_not(WANTED))?;
    humantime::parse_duration(text).map_err(|_| raw.is_not(WANTED))
}

/// A duration as it can be written.
pub(crate) fn show_time(time: Duration) -> String {
    humantime::format_duration(time).to_string()
}

/// Millionths of a dollar as dollars, as they can be written.
pub(crate) fn show_money(micro_usd: u64) -> String {
    let (whole, part) = (micro_usd / 1_000_000, micro_usd % 1_000_000);
    let text = format!("{whole}.{part:06}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A size as it can be written.
pub(crate) fn show_bytes(bytes: u64) -> String {
    let units = [(30, "GiB"), (20, "MiB"), (10, "KiB")];
    let whole = units
        .into_iter()
        .find(|(shift, _)| bytes > 0 && bytes.is_multiple_of(1 << shift));
    whole.map_or_else(
        || bytes.to_string(),
        |(shift, unit)| format!("{}{unit}", bytes >> shift),
    )
}

#[cfg(test)]
mod tests {
    use super::{Raw, assign, show_bytes, show_money, show_time};
    use crate::config::OrchestrationConfig as Config;
    use crate::keys::KEYS;
    use proptest::prelude::*;

    #[test]
    fn sizes_have_units() {
        let table = [
            ("64KiB", Some(65_536)),
            ("1 MiB", Some(1 << 20)),
            ("7", Some(7)),
            ("7B", Some(7)),
            ("1.5MiB", None),
            ("-1", None),
            ("KiB", None),
            ("99999999999GiB", None),
        ];
        for (text, wanted) in table {
            assert_eq!(super::bytes(Raw::Text(text)), wanted, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics_and_what_is_shown_can_be_written(text in ".*", bytes in any::<u64>(), millis in any::<u32>()) {
            for key in KEYS {
                for raw in [Raw::Untyped(&text), Raw::Text(&text)] {
                    assign(&key.field, &mut Config::default(), raw, None).ok();
                }
            }
            prop_assert_eq!(super::bytes(Raw::Untyped(&show_bytes(bytes))), Some(bytes));
            let time = std::time::Duration::from_millis(millis.into());
            prop_assert_eq!(super::time(Raw::Untyped(&show_time(time))), Ok(time));
            prop_assert_eq!(super::money(Raw::Untyped(&show_money(bytes))), Some(bytes));
        }
    }

    #[test]
    fn money_has_six_digits_behind_the_point() {
        let table = [
            (Raw::Untyped("0.5"), Some(500_000)),
            (Raw::Untyped("3"), Some(3_000_000)),
            (Raw::Decimal("0.000001"), Some(1)),
            (Raw::Number(Some(2), "2"), Some(2_000_000)),
            (Raw::Untyped("0.0000001"), None),
            (Raw::Untyped("1e3"), None),
            (Raw::Untyped("-1"), None),
            (Raw::Untyped(".5"), None),
            (Raw::Untyped("5."), None),
            (Raw::Text("0.5"), None),
            (Raw::Untyped("99999999999999999999"), None),
        ];
        for (raw, wanted) in table {
            assert_eq!(super::money(raw), wanted, "{raw:?}");
        }
    }
}
