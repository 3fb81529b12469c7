//! What can be mended without a guess: commas before a closing bracket, raw control characters in strings.

use std::fmt::Write as _;

/// A piece from its first bracket to the one that closes it.
pub(super) struct Mended {
    /// The piece, mended.
    pub(super) text: String,
    /// Its length before.
    pub(super) source_len: usize,
    /// What was mended, in order.
    pub(super) mends: Vec<Mend>,
}

/// One thing that was mended.
pub(super) struct Mend {
    /// Its place before.
    pub(super) at: usize,
    /// Its place after.
    out: usize,
    /// How much longer the text got.
    grown: usize,
    pub(super) is_comma: bool,
}

impl Mended {
    /// Where a place of the mended text was before.
    pub(super) fn source_place(&self, out: usize) -> usize {
        let earlier = self.mends.iter().take_while(|mend| mend.out < out);
        out.saturating_sub(earlier.map(|mend| mend.grown).sum())
    }
}

/// Mends the piece that a text begins with; `None` if its first bracket is never closed.
pub(super) fn mend(text: &str) -> Option<Mended> {
    let mut out = String::with_capacity(text.len().min(4_096));
    let mut mends = Vec::new();
    let mut depth = 0usize;
    let mut in_string = false;
    let mut is_escaped = false;
    // The place in `out` and in `text` of a comma that nothing but blanks follows.
    let mut comma: Option<(usize, usize)> = None;
    for (at, c) in text.char_indices() {
        if in_string {
            if c < ' ' {
                let begin = out.len();
                let _ = write!(out, "\\u{:04x}", u32::from(c));
                mends.push(Mend {
                    at,
                    out: begin,
                    grown: out.len() - begin - 1,
                    is_comma: false,
                });
                is_escaped = false;
                continue;
            }
            in_string = is_escaped || c != '"';
            is_escaped = !is_escaped && c == '\\';
            out.push(c);
            continue;
        }
        match c {
            '"' => in_string = true,
            '{' | '[' => depth += 1,
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                if let Some((begin, at)) = comma.take() {
                    out.replace_range(begin..=begin, " ");
                    mends.push(Mend {
                        at,
                        out: begin,
                        grown: 0,
                        is_comma: true,
                    });
                }
            }
            _ => {}
        }
        if c == ',' {
            comma = Some((out.len(), at));
        } else if !c.is_ascii_whitespace() {
            comma = None;
        }
        out.push(c);
        if depth == 0 {
            let source_len = at + c.len_utf8();
            return Some(Mended {
                text: out,
                source_len,
                mends,
            });
        }
    }
    None
}
