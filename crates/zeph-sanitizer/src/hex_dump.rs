//! Hex dumps: the bytes of lines with an offset, as `xxd`, `hexdump -C`, `od -A x -t x1` and `tcpdump -X`
//! print them.

use std::collections::BTreeMap;
use std::ops::Range;

/// What is no digit of the dumped bytes in the lines of dumps: ranges by their starts. Other lines are left
/// out.
pub(crate) fn other_columns(bytes: &[u8]) -> BTreeMap<usize, usize> {
    let mut ranges = BTreeMap::new();
    let mut start = 0;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let groups = groups(line);
        if !groups.is_empty() {
            let mut at = 0;
            for group in &groups {
                ranges.insert(start + at, start + group.start);
                at = group.end;
            }
            ranges.insert(start + at, start + line.len());
        }
        start += line.len();
    }
    ranges.retain(|start, end| start < end);
    ranges
}

/// The groups of digits in a line of a dump; none in another line.
fn groups(line: &[u8]) -> Vec<Range<usize>> {
    let digits = |at: usize| {
        let rest = line.get(at..).unwrap_or_default();
        rest.iter()
            .take_while(|byte| byte.is_ascii_hexdigit())
            .count()
    };
    let blanks = |at: usize| {
        let rest = line.get(at..).unwrap_or_default();
        rest.iter().take_while(|byte| b" \t".contains(byte)).count()
    };
    let mut at = blanks(0);
    at += if line[at..].starts_with(b"0x") { 2 } else { 0 };
    let offset = digits(at);
    at += offset;
    let has_colon = line.get(at) == Some(&b':');
    at += usize::from(has_colon);
    if !(4..=16).contains(&offset) || blanks(at) == 0 {
        return Vec::new();
    }
    at += blanks(at);
    let mut groups = Vec::new();
    loop {
        let len = digits(at);
        let end = at + len;
        let ends = line.get(end).is_none_or(|next| b" \t\r\n".contains(next));
        if !(2..=16).contains(&len) || !len.is_multiple_of(2) || !ends {
            return groups;
        }
        groups.push(at..end);
        let gap = blanks(end);
        // Behind two blanks `xxd` prints the text, which may look like digits.
        if gap == 0 || (has_colon && gap > 1) {
            return groups;
        }
        at = end + gap;
    }
}

#[cfg(test)]
mod tests {
    use super::groups;

    #[test]
    fn the_digits_of_each_tool_are_found() {
        for (line, wanted) in [
            ("00000010: 6465 6667 0a  dead beef", "64656667 0a"),
            (
                "00000010  64 65 66 67  68 69 0a   |defghi.|\n",
                "64 65 66 67 68 69 0a",
            ),
            ("0000020 64 65 66", "64 65 66"),
            ("\t0x0010:  6465 6667 68  defgh", "6465 6667 68"),
            ("", ""),
            (" \t", ""),
            ("00000020", ""),
            ("cafe: a word", ""),
            ("1234 apples", ""),
            ("2026-11-29 10:00", ""),
        ] {
            let found = groups(line.as_bytes());
            let found: String = found.into_iter().map(|group| &line[group]).collect();
            assert_eq!(found, wanted.replace(' ', ""), "{line}");
        }
    }
}
