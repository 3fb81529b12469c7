//! Durations as text: at most two units.

use std::time::Duration;

/// Formats a duration: `850ms`, `1.2s`, `3m 20s`, `2h 5m`, `4d 1h`.
///
/// Rounded down to the last unit that is shown. The text is for people and is not parsed.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use zeph_common::format_duration;
/// assert_eq!(format_duration(Duration::from_millis(1_234)), "1.2s");
/// assert_eq!(format_duration(Duration::from_secs(200)), "3m 20s");
/// ```
#[must_use]
pub fn format_duration(duration: Duration) -> String {
    let secs = duration.as_secs();
    let millis = duration.subsec_millis();
    let two = |big: u64, big_unit: &str, small: u64, small_unit: &str| {
        if small == 0 {
            format!("{big}{big_unit}")
        } else {
            format!("{big}{big_unit} {small}{small_unit}")
        }
    };
    match secs {
        0 if duration.is_zero() => "0s".to_owned(),
        0 if millis == 0 => "<1ms".to_owned(),
        0 => format!("{millis}ms"),
        1..60 => match millis / 100 {
            0 => format!("{secs}s"),
            tenths => format!("{secs}.{tenths}s"),
        },
        60..3_600 => two(secs / 60, "m", secs % 60, "s"),
        3_600..86_400 => two(secs / 3_600, "h", secs % 3_600 / 60, "m"),
        86_400.. => two(secs / 86_400, "d", secs % 86_400 / 3_600, "h"),
    }
}

#[cfg(test)]
mod tests {
    use super::format_duration;
    use std::time::Duration;

    #[test]
    fn every_size_has_its_unit() {
        let table = [
            (Duration::ZERO, "0s"),
            (Duration::from_nanos(1), "<1ms"),
            (Duration::from_millis(999), "999ms"),
            (Duration::from_secs(1), "1s"),
            (Duration::from_millis(59_990), "59.9s"),
            (Duration::from_secs(60), "1m"),
            (Duration::from_secs(3_599), "59m 59s"),
            (Duration::from_secs(7_500), "2h 5m"),
            (Duration::from_secs(349_200), "4d 1h"),
            (Duration::MAX, "213503982334601d 7h"),
        ];
        for (duration, text) in table {
            assert_eq!(format_duration(duration), text);
        }
    }
}
