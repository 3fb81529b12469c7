//! Money: amounts of dollars as text, in millionths of a dollar as numbers.

/// The largest amount that people may write: a million dollars, far from where sums overflow.
pub const MAX_MICRO_USD: u64 = 1_000_000_000_000;

/// Reads an amount of dollars with at most six digits after the point, as millionths.
///
/// # Examples
/// ```
/// use zeph_common::parse_usd;
/// assert_eq!(parse_usd("0.5"), Some(500_000));
/// assert_eq!(parse_usd("0.0000001"), None);
/// assert_eq!(parse_usd("-1"), None);
/// ```
#[must_use]
pub fn parse_usd(text: &str) -> Option<u64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let is_plain = |digits: &str| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    if !is_plain(whole) || !is_plain(part) || part.len() > 6 {
        return None;
    }
    let part: u64 = format!("{part:0<6}").parse().ok()?;
    let whole: u64 = whole.parse().ok()?;
    whole.checked_mul(1_000_000)?.checked_add(part)
}

/// Millionths of a dollar as dollars, in the form that [`parse_usd`] reads.
#[must_use]
pub fn format_usd(micro_usd: u64) -> String {
    let (whole, part) = (micro_usd / 1_000_000, micro_usd % 1_000_000);
    let text = format!("{whole}.{part:06}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
