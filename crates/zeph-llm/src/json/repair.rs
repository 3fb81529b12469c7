//! Repair of trailing commas and raw control characters, which models write and JSON does not allow.

use std::fmt::Write as _;

use super::Tolerated;

/// How many bytes longer the escape of a control character is.
const ESCAPE_GROWTH: usize = "\\u0000".len() - 1;

/// The JSON from an opening bracket to the one that closes it, repaired.
pub(super) struct Repaired {
    pub(super) text: String,
    /// Where it ended before the repair.
    pub(super) end: usize,
    /// The repairs in order, with their places before the repair.
    pub(super) repairs: Vec<Tolerated>,
}

impl Repaired {
    /// The place before the repair of a place after it.
    pub(super) fn source_place(&self, mut at: usize) -> usize {
        for repair in &self.repairs {
            if let Tolerated::RawControl { at: control } = repair
                && *control < at
            {
                at = at.saturating_sub(ESCAPE_GROWTH).max(*control);
            }
        }
        at
    }
}

/// Repairs the JSON at a place of a text; `None` if its first bracket is never closed. Linear in the
/// length of the JSON.
pub(super) fn repair(text: &str, start: usize) -> Option<Repaired> {
    let text = &text[start..];
    let mut out = String::with_capacity(text.len().min(4_096));
    let mut repairs = Vec::new();
    let mut depth = 0usize;
    let mut in_string = false;
    let mut is_escaped = false;
    // A comma with only white space after it: its place before and after the repair.
    let mut comma: Option<(usize, usize)> = None;
    for (offset, c) in text.char_indices() {
        #[cfg(test)]
        super::tests::count_steps(1);
        let at = start + offset;
        // After a backslash it stays as it is, and the parser refuses the escape.
        if in_string && !is_escaped && c < ' ' {
            let _ = write!(out, "\\u{:04x}", u32::from(c));
            repairs.push(Tolerated::RawControl { at });
            continue;
        }
        let out_at = out.len();
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
                if let Some((at, out_at)) = comma {
                    out.replace_range(out_at..=out_at, " ");
                    repairs.push(Tolerated::TrailingComma { at });
                }
            }
            _ => {}
        }
        if c == ',' {
            comma = Some((at, out_at));
        } else if !c.is_ascii_whitespace() {
            comma = None;
        }
        if depth == 0 {
            return Some(Repaired {
                text: out,
                end: at + c.len_utf8(),
                repairs,
            });
        }
    }
    None
}
