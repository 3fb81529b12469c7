//! Times: parses durations of a scenario, and formats timestamps of a trace.

use std::time::Duration;

use zeph_graph::Timestamp;

/// Parses `250ms`, `1.5s`, `2m`, `1h`, `1us`, `1ns` or `max`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    if text == "max" {
        return Ok(Duration::MAX);
    }
    let units = [
        ("ns", 1e-9),
        ("us", 1e-6),
        ("ms", 1e-3),
        ("s", 1.0),
        ("m", 60.0),
        ("h", 3_600.0),
    ];
    for (unit, seconds) in units {
        if let Some(number) = text.strip_suffix(unit)
            && let Ok(number) = number.parse::<f64>()
        {
            return Ok(Duration::from_secs_f64(number * seconds));
        }
    }
    Err(format!("{text:?} is not a duration"))
}

/// Formats seconds since the start with milliseconds, or with microseconds if they are not 0.
pub(super) fn moment(start: Timestamp, at: Timestamp) -> String {
    if at == Timestamp::MAX {
        return "never".into();
    }
    let micros = at.as_micros().saturating_sub(start.as_micros());
    let (seconds, rest) = (micros / 1_000_000, micros % 1_000_000);
    if rest.is_multiple_of(1_000) {
        format!("{seconds}.{:03}", rest / 1_000)
    } else {
        format!("{seconds}.{rest:06}")
    }
}
