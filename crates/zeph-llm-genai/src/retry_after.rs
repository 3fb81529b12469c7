//! The wait that a service asks for, in all formats in use.

use std::time::{Duration, SystemTime};

use reqwest::header::HeaderMap;
use serde_json::Value;

/// The longest wait that is reported.
const MAX_WAIT: Duration = Duration::from_hours(365 * 24);

/// The shortest wait before another call, from the headers or the body of a response.
///
/// In this order: `retry-after-ms`, `retry-after` (seconds or a date), the exhausted limits
/// (`x-ratelimit-reset-requests` and `-tokens`, as durations; `anthropic-ratelimit-…-reset` and
/// `x-ratelimit-reset`, as times), and Gemini's `retryDelay`. Dates are compared with the service's own
/// `date`, else with `now`. Negative, infinite and invalid values are ignored; the maximum is a year.
pub(crate) fn retry_after(headers: &HeaderMap, error: &Value, now: SystemTime) -> Option<Duration> {
    let now = header(headers, "date")
        .and_then(|date| httpdate::parse_http_date(date).ok())
        .unwrap_or(now);
    let stated = header(headers, "retry-after-ms").and_then(millis);
    let stated = stated.or_else(|| header(headers, "retry-after").and_then(|text| span(text, now)));
    let stated = stated.or_else(|| exhausted(headers, now));
    let stated = stated.or_else(|| delay(error));
    stated.map(|wait| wait.min(MAX_WAIT))
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let text = headers.get(name)?.to_str().ok()?.trim();
    (text.len() <= 64).then_some(text)
}

fn millis(text: &str) -> Option<Duration> {
    Duration::try_from_secs_f64(text.parse::<f64>().ok()? / 1_000.0).ok()
}

/// `Retry-After`: seconds, or a date.
fn span(text: &str, now: SystemTime) -> Option<Duration> {
    if let Ok(seconds) = text.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let then = httpdate::parse_http_date(text).ok()?;
    Some(then.duration_since(now).unwrap_or_default())
}

/// The longest time until an exhausted limit is reset.
fn exhausted(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    const LIMITS: [(&str, &str); 6] = [
        (
            "x-ratelimit-remaining-requests",
            "x-ratelimit-reset-requests",
        ),
        ("x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"),
        ("x-ratelimit-remaining", "x-ratelimit-reset"),
        (
            "anthropic-ratelimit-requests-remaining",
            "anthropic-ratelimit-requests-reset",
        ),
        (
            "anthropic-ratelimit-input-tokens-remaining",
            "anthropic-ratelimit-input-tokens-reset",
        ),
        (
            "anthropic-ratelimit-output-tokens-remaining",
            "anthropic-ratelimit-output-tokens-reset",
        ),
    ];
    let resets = LIMITS.iter().filter_map(|(left, reset)| {
        let left = header(headers, left)?.parse::<f64>().ok()?;
        let reset = header(headers, reset)?;
        (left <= 0.0).then(|| moment(reset, now)).flatten()
    });
    resets.max()
}

/// A future time: a duration (`6m0s`, `1.5s`, `20ms`), seconds, seconds or milliseconds since 1970, a date.
fn moment(text: &str, now: SystemTime) -> Option<Duration> {
    if let Ok(number) = text.parse::<f64>() {
        let wait = Duration::try_from_secs_f64(number).ok()?;
        let since = now
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        return Some(match number {
            ..1e9 => wait,
            ..1e12 => wait.saturating_sub(since),
            _ => (wait / 1_000).saturating_sub(since),
        });
    }
    if let Ok(then) = humantime::parse_rfc3339_weak(text) {
        return Some(then.duration_since(now).unwrap_or_default());
    }
    humantime::parse_duration(text).ok()
}

/// Gemini's `RetryInfo`.
fn delay(error: &Value) -> Option<Duration> {
    let details = error.get("details")?.as_array()?;
    let delay = details
        .iter()
        .find_map(|detail| detail.get("retryDelay"))?
        .as_str()?;
    humantime::parse_duration(delay).ok()
}

#[cfg(test)]
mod tests {
    use super::retry_after;
    use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
    use serde_json::{Value, json};
    use std::time::{Duration, SystemTime};

    fn of(headers: &[(&str, &str)], error: &Value) -> Option<u128> {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let headers: HeaderMap = headers
            .iter()
            .map(|(name, value)| {
                let name: HeaderName = name.parse().unwrap();
                (name, HeaderValue::from_str(value).unwrap())
            })
            .collect();
        retry_after(&headers, error, now).map(|wait| wait.as_millis())
    }

    #[test]
    fn every_format_is_read() {
        const LEFT: (&str, &str) = ("x-ratelimit-remaining", "0");
        for (headers, wait) in [
            (&[("retry-after", "3")][..], Some(3_000)),
            (&[("retry-after", "0.25")], Some(250)),
            (
                &[("retry-after-ms", "1200"), ("retry-after", "2")],
                Some(1_200),
            ),
            (
                &[("retry-after", "Tue, 14 Nov 2023 22:13:50 GMT")],
                Some(30_000),
            ),
            (
                &[
                    ("retry-after", "Tue, 14 Nov 2023 22:13:50 GMT"),
                    ("date", "Tue, 14 Nov 2023 22:13:45 GMT"),
                ],
                Some(5_000),
            ),
            (&[("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT")], Some(0)),
            (
                &[
                    ("x-ratelimit-remaining-requests", "0"),
                    ("x-ratelimit-reset-requests", "1m30.5s"),
                    ("x-ratelimit-remaining-tokens", "9"),
                    ("x-ratelimit-reset-tokens", "6m0s"),
                ],
                Some(90_500),
            ),
            (&[LEFT, ("x-ratelimit-reset", "7")], Some(7_000)),
            (&[LEFT, ("x-ratelimit-reset", "1700000009")], Some(9_000)),
            (&[LEFT, ("x-ratelimit-reset", "1700000009500")], Some(9_500)),
            (
                &[
                    ("anthropic-ratelimit-requests-remaining", "0"),
                    ("anthropic-ratelimit-requests-reset", "2023-11-14T22:13:22Z"),
                ],
                Some(2_000),
            ),
            (&[("retry-after", "1e300")], None),
            (&[("retry-after", "9999999999")], Some(31_536_000_000)),
            (&[("retry-after", "-4")], None),
            (&[("retry-after", "NaN")], None),
            (&[("retry-after", "soon")], None),
            (&[LEFT, ("x-ratelimit-reset", "3q")], None),
            (&[], None),
        ] {
            assert_eq!(of(headers, &Value::Null), wait, "{headers:?}");
        }
        let gemini = json!({ "details": [{ "@type": "…Help" }, { "retryDelay": "31.5s" }] });
        assert_eq!(of(&[], &gemini), Some(31_500));
    }
}
