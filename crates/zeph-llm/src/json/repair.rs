//! Repair of trailing commas and raw control characters, which models write and JSON does not allow.

use std::fmt::Write as _;

use super::Tolerated;

/// The JSON from an opening bracket to the one that closes it, repaired.
pub(super) struct Repaired {
    pub(super) text: String,
    /// The length before the repair.
    pub(super) source_len: usize,
    repairs: Vec<Repair>,
}

struct Repair {
    /// The place before the repair, and after it.
    source_at: usize,
    at: usize,
    /// How many bytes the repair added.
    added: usize,
    is_comma: bool,
}

impl Repaired {
    /// The place before the repair of a place after it.
    pub(super) fn source_place(&self, at: usize) -> usize {
        let earlier = self.repairs.iter().take_while(|repair| repair.at < at);
        at.saturating_sub(earlier.map(|repair| repair.added).sum())
    }

    /// The repairs as they are reported, for JSON that starts at `start`.
    pub(super) fn tolerated(&self, start: usize) -> Vec<Tolerated> {
        let report = |repair: &Repair| match (repair.is_comma, start + repair.source_at) {
            (true, at) => Tolerated::TrailingComma { at },
            (false, at) => Tolerated::RawControl { at },
        };
        self.repairs.iter().map(report).collect()
    }
}

/// Repairs the JSON at the start of a text; `None` if its first bracket is never closed. Linear in the
/// length of the JSON.
pub(super) fn repair(text: &str) -> Option<Repaired> {
    let mut out = String::with_capacity(text.len().min(4_096));
    let mut repairs = Vec::new();
    let mut depth = 0usize;
    let mut in_string = false;
    let mut is_escaped = false;
    // A comma with only white space after it: its place before and after the repair.
    let mut comma: Option<(usize, usize)> = None;
    for (source_at, c) in text.char_indices() {
        #[cfg(test)]
        super::tests::count_steps(1);
        let at = out.len();
        // After a backslash it stays as it is, and the parser refuses the escape.
        if in_string && !is_escaped && c < ' ' {
            let _ = write!(out, "\\u{:04x}", u32::from(c));
            repairs.push(Repair {
                source_at,
                at,
                added: out.len() - at - 1,
                is_comma: false,
            });
            continue;
        }
        out.push(c);
        if in_string {
            in_string = is_escaped || c != '"';
            is_escaped = !is_escaped && c == '\\';
            continue;
        }
        match c {
            '"' => in_string = true,
            '{' | '[' => depth += 1,
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                if let Some((source_at, at)) = comma {
                    out.replace_range(at..=at, " ");
                    repairs.push(Repair {
                        source_at,
                        at,
                        added: 0,
                        is_comma: true,
                    });
                }
            }
            _ => {}
        }
        if c == ',' {
            comma = Some((source_at, at));
        } else if !c.is_ascii_whitespace() {
            comma = None;
        }
        if depth == 0 {
            return Some(Repaired {
                text: out,
                source_len: source_at + c.len_utf8(),
                repairs,
            });
        }
    }
    None
}
