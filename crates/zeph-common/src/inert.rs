//! Making any text safe to print: nothing in it moves a cursor, starts a line or hides.

use std::borrow::Cow;

use crate::invisible::{ZWJ, ZWNJ, is_emoji_selector, is_invisible, joins, takes_selector};

const ESC: char = '\u{1B}';

/// A text that is safe on one line of a terminal.
///
/// - Escape sequences (CSI, OSC with hyperlinks and titles, DCS and the rest) are removed. One that
///   never ends loses its introducer only, so that it cannot swallow the text behind it.
/// - Line breaks, tabs and lone controls become visible: `\n`, `\r`, `\t`, `\x07`, `\u{2028}`.
/// - Bidirectional controls, zero width characters, tags and variation selectors are removed.
///   A joiner stays between two emoji, joiner and non-joiner stay between two letters of a script
///   that joins (Arabic, Indic, …), and one emoji selector stays behind a character that has forms.
///   Flags of regions that are written with tags become the plain black flag.
///
/// Doing it twice changes nothing more. Takes time and memory linear in the text, and copies only
/// when there is something to change.
///
/// # Examples
/// ```
/// use zeph_common::inert;
/// assert_eq!(inert("\x1b[31mred\x1b[0m\r\nnext"), r"red\r\nnext");
/// assert_eq!(inert("👩‍👧 is fine"), "👩‍👧 is fine");
/// ```
#[must_use]
pub fn inert(text: &str) -> Cow<'_, str> {
    clean(text, Lines::Escape)
}

/// A text that is safe on a terminal and may have several lines.
///
/// As [`inert`], but line feeds and tabs stay, and a carriage return before a line feed goes.
///
/// # Examples
/// ```
/// use zeph_common::inert_block;
/// assert_eq!(inert_block("a\tb\r\nc\u{202E}d"), "a\tb\ncd");
/// ```
#[must_use]
pub fn inert_block(text: &str) -> Cow<'_, str> {
    clean(text, Lines::Keep)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Lines {
    Escape,
    Keep,
}

fn clean(text: &str, lines: Lines) -> Cow<'_, str> {
    let harmless =
        |c: char| !(is_control(c) || is_invisible(c)) || (lines == Lines::Keep && is_layout(c));
    match text.find(|c: char| !harmless(c)) {
        None => Cow::Borrowed(text),
        Some(first) => {
            let mut out = Cleaner::new(text, first, lines);
            let mut rest = &text[first..];
            while let Some(c) = rest.chars().next() {
                rest = out.take(c, rest);
            }
            Cow::Owned(out.text)
        }
    }
}

/// Controls, and the two separators that some terminals break lines at.
const fn is_control(c: char) -> bool {
    matches!(c, '\0'..='\u{1F}' | '\u{7F}'..='\u{9F}' | '\u{2028}' | '\u{2029}')
}

const fn is_layout(c: char) -> bool {
    matches!(c, '\n' | '\t')
}

struct Cleaner {
    text: String,
    /// The last character that was kept.
    before: Option<char>,
    /// A joiner waits for the next kept character, which decides whether it stays.
    joiner: Option<char>,
    lines: Lines,
}

impl Cleaner {
    fn new(text: &str, harmless: usize, lines: Lines) -> Self {
        let mut kept = String::with_capacity(text.len());
        kept.push_str(&text[..harmless]);
        let before = kept.chars().next_back();
        Self {
            text: kept,
            before,
            joiner: None,
            lines,
        }
    }

    /// Takes what starts with `c` at the front of `rest`; returns what is left.
    fn take<'a>(&mut self, c: char, rest: &'a str) -> &'a str {
        let after = &rest[c.len_utf8()..];
        if let Some(len) = sequence_len(rest) {
            return &rest[len..];
        }
        if is_layout(c) && self.lines == Lines::Keep {
            self.keep(c);
        } else if is_control(c) {
            let folded = c == '\r' && self.lines == Lines::Keep && after.starts_with('\n');
            if !folded {
                self.escape(c);
            }
        } else if is_invisible(c) {
            self.invisible(c);
        } else {
            self.keep(c);
        }
        after
    }

    fn keep(&mut self, c: char) {
        if let (Some(before), Some(joiner)) = (self.before, self.joiner.take())
            && joins(before, joiner, c)
        {
            self.text.push(joiner);
        }
        self.text.push(c);
        self.before = Some(c);
    }

    fn invisible(&mut self, c: char) {
        if c == ZWJ || c == ZWNJ {
            self.joiner = self.joiner.or(Some(c));
        } else if is_emoji_selector(c)
            && self.joiner.is_none()
            && self.before.is_some_and(takes_selector)
        {
            self.keep(c);
        }
    }

    fn escape(&mut self, c: char) {
        self.joiner = None;
        let number = u32::from(c);
        match c {
            '\n' => self.text.push_str(r"\n"),
            '\r' => self.text.push_str(r"\r"),
            '\t' => self.text.push_str(r"\t"),
            _ if number < 0x100 => self.text.push_str(&format!("\\x{number:02x}")),
            _ => self.text.push_str(&format!("\\u{{{number:x}}}")),
        }
        self.before = self.text.chars().next_back();
    }
}

/// The length of the escape sequence that a text starts with; `None` if it starts with none.
///
/// Each scan stops at the next control character, so that all scans of a text together are linear.
fn sequence_len(text: &str) -> Option<usize> {
    let mut chars = text.chars();
    let (kind, intro) = match chars.next()? {
        ESC => {
            let kind = chars.next()?;
            (kind, 1 + kind.len_utf8())
        }
        // The one-character forms of the same introducers.
        c @ '\u{80}'..='\u{9F}' => (char::from(u8::try_from(u32::from(c) - 0x40).ok()?), 2),
        _ => return None,
    };
    let body = &text[intro..];
    match kind {
        '[' => Some(intro + control_len(body)),
        ']' | 'P' | 'X' | '^' | '_' => Some(intro + string_len(body).unwrap_or(0)),
        ' '..='/' => Some(intro + charset_len(body)),
        '0'..='~' if text.starts_with(ESC) => Some(intro),
        _ => None,
    }
}

/// Parameters, intermediates and the final byte of a CSI sequence, as far as they are there.
fn control_len(body: &str) -> usize {
    let end = |from: usize, set: fn(&u8) -> bool| {
        from + body.as_bytes()[from..]
            .iter()
            .take_while(|b| set(b))
            .count()
    };
    let params = end(0, |b| matches!(b, 0x30..=0x3F));
    let middle = end(params, |b| matches!(b, 0x20..=0x2F));
    let last = body.as_bytes().get(middle);
    middle + usize::from(last.is_some_and(|b| matches!(b, 0x40..=0x7E)))
}

/// The rest of a sequence that chooses a character set.
fn charset_len(body: &str) -> usize {
    let middle = body
        .bytes()
        .take_while(|b| matches!(b, 0x20..=0x2F))
        .count();
    let last = body.as_bytes().get(middle);
    middle + usize::from(last.is_some_and(|b| matches!(b, 0x30..=0x7E)))
}

/// A string sequence's body with its terminator; `None` if another control comes first.
fn string_len(body: &str) -> Option<usize> {
    let end = body.find(is_control)?;
    let rest = &body[end..];
    if rest.starts_with("\u{1B}\\") || rest.starts_with('\u{9C}') {
        Some(end + 2)
    } else {
        rest.starts_with('\u{7}').then_some(end + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::{inert, inert_block};
    use proptest::prelude::*;

    #[test]
    fn every_kind_of_trick_is_defused() {
        let table = [
            ("plain", "plain"),
            ("a\x1b[2J\x1b[1;31mb\x1b[0m", "ab"),
            ("\x1b]8;;https://evil.example\x07link\x1b]8;;\x1b\\", "link"),
            ("\x1b]0;title\u{9c}x", "x"),
            ("\u{9b}31mred", "red"),
            ("\x1bP1$q\x1b\\x\x1b(B", "x"),
            ("\x1b]0;never ends", "0;never ends"),
            ("lone \x1b", "lone \\x1b"),
            ("\x07\x08\x7f\u{85}", "\\x07\\x08\\x7f\\x85"),
            ("a\r\nb\tc\u{2028}", "a\\r\\nb\\tc\\u{2028}"),
            ("\u{202e}gpj.exe\u{2066}\u{feff}\u{200b}", "gpj.exe"),
            ("p\u{200d}ay\u{200c}pal", "paypal"),
            ("x\u{E0041}\u{E0042}\u{fe01}", "x"),
            ("❤\u{fe0f}\u{fe0f}\u{fe0f}", "❤\u{fe0f}"),
        ];
        for (given, wanted) in table {
            assert_eq!(inert(given), wanted, "{given:?}");
        }
    }

    #[test]
    fn what_readers_need_stays() {
        for text in [
            "👩\u{200d}👧",
            "❤\u{fe0f}\u{200d}🔥",
            "می\u{200c}خواهم",
            "ක\u{dca}\u{200d}ර",
            "1\u{fe0f}\u{20e3}",
        ] {
            assert_eq!(inert(text), text);
        }
    }

    #[test]
    fn many_unfinished_strings_take_linear_time() {
        let bomb = "\x1b]\u{9d}x".repeat(200_000);
        assert_eq!(inert(&bomb).len(), 200_000);
    }

    /// Text in which the interesting characters are frequent.
    fn nasty() -> impl Strategy<Value = String> {
        let set = "[\\x1b\\[\\]P;0-9m\\\\\\x07\\r\\n\\t\\x00a ا👩\u{200c}\u{200d}\u{200b}\u{fe0f}\u{9b}\u{9c}\u{9d}\u{202e}\u{2028}❤]{0,40}";
        prop_oneof![".*".boxed(), set.boxed()]
    }

    proptest! {
        #[test]
        fn nothing_dangerous_is_left_and_twice_is_once(text in nasty()) {
            let line = inert(&text).into_owned();
            let hidden = ['\u{2028}', '\u{2029}', '\u{202E}', '\u{200B}'];
            let harmful = |c: char| c.is_control() || hidden.contains(&c);
            prop_assert!(!line.contains(harmful));
            prop_assert_eq!(&*inert(&line), &line);
            let block = inert_block(&text).into_owned();
            let layout = ['\n', '\t'];
            prop_assert!(!block.contains(|c: char| harmful(c) && !layout.contains(&c)));
            prop_assert_eq!(&*inert_block(&block), &block);
        }
    }
}
