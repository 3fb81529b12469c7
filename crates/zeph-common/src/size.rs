//! Sizes as text, with one unit.

const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];

/// Formats a number of bytes: `512 bytes`, `1.2 KiB`, `30 MiB`.
///
/// Rounded down; below ten with one decimal. The text is for people and is not parsed.
///
/// # Examples
/// ```
/// use zeph_common::format_size;
/// assert_eq!(format_size(1_300), "1.2 KiB");
/// assert_eq!(format_size(31_500_000), "30 MiB");
/// ```
#[must_use]
pub fn format_size(bytes: u64) -> String {
    if bytes < 1024 {
        return match bytes {
            1 => "1 byte".to_owned(),
            many => format!("{many} bytes"),
        };
    }
    let (mut tenths, mut unit) = (u128::from(bytes) * 10 / 1024, 0);
    while tenths >= 10_240 && unit + 1 < UNITS.len() {
        tenths /= 1024;
        unit += 1;
    }
    match tenths {
        100.. => format!("{} {}", tenths / 10, UNITS[unit]),
        _ => format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit]),
    }
}

#[cfg(test)]
mod tests {
    use super::format_size;

    #[test]
    fn every_size_has_its_unit() {
        let table = [
            (0, "0 bytes"),
            (1, "1 byte"),
            (1_023, "1023 bytes"),
            (1_024, "1.0 KiB"),
            (10_240, "10 KiB"),
            (1_048_575, "1023 KiB"),
            (1_048_576, "1.0 MiB"),
            (5 << 40, "5.0 TiB"),
            (u64::MAX, "16383 PiB"),
        ];
        for (bytes, text) in table {
            assert_eq!(format_size(bytes), text, "{bytes}");
        }
    }
}
