//! Times as text: local dates, times relative to now, durations.

use std::time::Duration;

use jiff::tz::TimeZone;
use zeph_common::format_duration;
use zeph_graph::Timestamp;

/// A week in seconds; older times are shown as dates.
const WEEK_SECS: u64 = 604_800;

/// A time relative to now, such as `3 min ago`; a local date if it is more than a week away.
pub(crate) fn ago(at: Timestamp, now: Timestamp) -> String {
    let past = now.since(at);
    let future = at.since(now);
    let long = past.max(future);
    let text = match long.as_secs() {
        0..5 if future.is_zero() => return "just now".into(),
        secs @ 0..60 => format!("{secs} s"),
        secs @ 60..3_600 => format!("{} min", secs / 60),
        secs @ 3_600..86_400 => format!("{} h", secs / 3_600),
        secs @ 86_400..WEEK_SECS => match secs / 86_400 {
            1 => "1 day".into(),
            days => format!("{days} days"),
        },
        WEEK_SECS.. => return local(at, "%Y-%m-%d"),
    };
    if future.is_zero() {
        format!("{text} ago")
    } else {
        format!("in {text}")
    }
}

/// A time in full: local date and time, and the time relative to now within a week.
pub(crate) fn moment(at: Timestamp, now: Timestamp) -> String {
    let date = local(at, "%Y-%m-%d %H:%M:%S %Z");
    let week = Duration::from_secs(WEEK_SECS);
    if now.since(at).max(at.since(now)) < week {
        format!("{date} ({})", ago(at, now))
    } else {
        date
    }
}

/// A duration; a dash for zero.
pub(crate) fn took(duration: Duration) -> String {
    if duration.is_zero() {
        "-".into()
    } else {
        format_duration(duration)
    }
}

/// A duration in microseconds, for JSON.
pub(crate) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

fn local(at: Timestamp, format: &str) -> String {
    in_zone(at, TimeZone::system(), format)
}

fn in_zone(at: Timestamp, zone: TimeZone, format: &str) -> String {
    let micros = i64::try_from(at.as_micros()).unwrap_or(i64::MAX);
    match jiff::Timestamp::from_microsecond(micros) {
        Ok(moment) => moment.to_zoned_datetime(zone).strftime(format).to_string(),
        // Beyond the year 9999.
        Err(_) => at.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::{ago, in_zone, took};
    use jiff::tz::TimeZone;
    use std::time::Duration;
    use zeph_graph::Timestamp;

    const NOW: u64 = 1_700_000_000;

    fn at(secs: u64) -> Timestamp {
        Timestamp::from_micros(secs * 1_000_000)
    }

    #[test]
    fn moments_are_reported_from_now() {
        let now = at(NOW);
        let table = [
            (at(NOW), "just now"),
            (at(NOW - 4), "just now"),
            (at(NOW - 59), "59 s ago"),
            (at(NOW - 200), "3 min ago"),
            (at(NOW - 7_300), "2 h ago"),
            (at(NOW - 90_000), "1 day ago"),
            (at(NOW - 300_000), "3 days ago"),
            (at(NOW + 90), "in 1 min"),
        ];
        for (moment, text) in table {
            assert_eq!(ago(moment, now), text);
        }
        assert!(ago(at(NOW - 700_000), now).starts_with("2023-11-0"));
    }

    #[test]
    fn dates_are_in_the_zone_and_no_time_panics() {
        let date = in_zone(at(NOW), TimeZone::UTC, "%Y-%m-%d %H:%M:%S");
        assert_eq!(date, "2023-11-14 22:13:20");
        assert!(!in_zone(Timestamp::MAX, TimeZone::UTC, "%Y").is_empty());
        assert_eq!(took(Duration::ZERO), "-");
    }
}
