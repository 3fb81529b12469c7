//! Escaping of terminal controls and of characters that hide or reorder text.

use std::borrow::Cow;

use crate::invisible::{
    BLACK_FLAG, ZWJ, ZWNJ, is_bidi, is_emoji_selector, is_invisible, is_joining_script, joins,
    subdivision_len, takes_selector, takes_variant,
};

const ESC: char = '\u{1B}';

/// Escapes a text for one line of a terminal.
///
/// - Escape sequences (CSI, OSC with hyperlinks and titles, DCS and the rest) are removed. Of an
///   unterminated sequence only the introducer is removed, so that it cannot hide the text after it.
/// - Line breaks, tabs and lone controls become visible: `\n`, `\r`, `\t`, `\x07`, `\u{2028}`.
/// - Bidirectional controls, zero width characters, tags and variation selectors are removed.
///   A joiner stays between two emoji, joiner and non-joiner stay between two letters of a script
///   that joins (Arabic, Indic, …), and one emoji selector stays behind a character that has forms.
///   Flags of regions that are written with tags become the plain black flag.
///
/// Idempotent. Takes time and memory linear in the text, and copies only when there is something to
/// change.
///
/// # Examples
/// ```
/// use zeph_common::escape_terminal;
/// assert_eq!(escape_terminal("\x1b[31mred\x1b[0m\r\nnext"), r"red\r\nnext");
/// assert_eq!(escape_terminal("👩‍👧 is fine"), "👩‍👧 is fine");
/// ```
#[must_use]
pub fn escape_terminal(text: &str) -> Cow<'_, str> {
    escape(text, Lines::Escape).text
}

/// Escapes a text for several lines of a terminal.
///
/// As [`escape_terminal`], but line feeds and tabs stay, and a carriage return before a line feed is removed.
///
/// # Examples
/// ```
/// use zeph_common::escape_terminal_block;
/// assert_eq!(escape_terminal_block("a\tb\r\nc\u{202E}d"), "a\tb\ncd");
/// ```
#[must_use]
pub fn escape_terminal_block(text: &str) -> Cow<'_, str> {
    escape(text, Lines::Keep).text
}

/// Removes control sequences and hidden characters from a text that is not for a terminal, such as a
/// prompt.
///
/// As [`escape_terminal_block`], with these differences:
///
/// - Controls are removed, not escaped. Those that break lines (a lone carriage return, vertical tab, form
///   feed, next line, line and paragraph separator) become line feeds.
/// - Every emoji sequence stays, also the flags of subdivisions, which are written with tags. A
///   selector behind a digit stays in a key cap only.
/// - A joiner stays behind any letter of a script that joins, also at the end of a word; a variation
///   selector stays behind a Han, Mongolian, Myanmar or mathematical character that has variants.
///
/// Idempotent. Linear in the text.
///
/// # Examples
/// ```
/// use zeph_common::plain_text;
/// let plain = plain_text("a\rb\x07\u{200B}c \x1b[1mbold\x1b[0m");
/// assert_eq!(plain.text, "a\nbc bold");
/// assert_eq!((plain.removed.escapes, plain.removed.controls), (2, 2));
/// assert_eq!(plain.removed.invisible, 1);
/// ```
#[must_use]
pub fn plain_text(text: &str) -> PlainText<'_> {
    escape(text, Lines::Plain)
}

/// A text without control sequences and hidden characters, and what was removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlainText<'a> {
    /// The text; borrowed if nothing was removed.
    pub text: Cow<'a, str>,
    /// What was removed or replaced.
    pub removed: Removed,
}

/// Counts of what was removed or replaced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// Escape sequences.
    pub escapes: u64,
    /// Control characters outside of escape sequences, and separators of lines and paragraphs.
    pub controls: u64,
    /// Bidirectional controls.
    pub bidi: u64,
    /// Other invisible characters.
    pub invisible: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Lines {
    Escape,
    Keep,
    Plain,
}

fn escape(text: &str, lines: Lines) -> PlainText<'_> {
    let harmless =
        |c: char| !(is_control(c) || is_invisible(c)) || (lines != Lines::Escape && is_layout(c));
    match text.find(|c: char| !harmless(c)) {
        None => PlainText {
            text: Cow::Borrowed(text),
            removed: Removed::default(),
        },
        Some(first) => {
            let mut out = Escaper::new(text, first, lines);
            let mut rest = &text[first..];
            while let Some(c) = rest.chars().next() {
                rest = out.consume(c, rest);
            }
            out.finish(text)
        }
    }
}

/// Controls, and the two separators that some terminals break lines at.
const fn is_control(c: char) -> bool {
    matches!(c, '\0'..='\u{1F}' | '\u{7F}'..='\u{9F}' | '\u{2028}' | '\u{2029}')
}

/// Controls that some programs treat as the end of a line.
const fn breaks_line(c: char) -> bool {
    matches!(
        c,
        '\r' | '\u{B}' | '\u{C}' | '\u{85}' | '\u{2028}' | '\u{2029}'
    )
}

const fn is_layout(c: char) -> bool {
    matches!(c, '\n' | '\t')
}

struct Escaper {
    text: String,
    /// The last character that was kept.
    before: Option<char>,
    /// A joiner that is kept or removed depending on the next kept character.
    joiner: Option<char>,
    lines: Lines,
    removed: Removed,
}

impl Escaper {
    fn new(text: &str, harmless: usize, lines: Lines) -> Self {
        let mut kept = String::with_capacity(text.len());
        kept.push_str(&text[..harmless]);
        let before = kept.chars().next_back();
        Self {
            text: kept,
            before,
            joiner: None,
            lines,
            removed: Removed::default(),
        }
    }

    fn finish(mut self, given: &str) -> PlainText<'_> {
        self.drop_joiner();
        let text = if self.text == given {
            Cow::Borrowed(given)
        } else {
            Cow::Owned(self.text)
        };
        PlainText {
            text,
            removed: self.removed,
        }
    }

    /// Handles the character or sequence at the front of `rest`; returns the remainder.
    fn consume<'a>(&mut self, c: char, rest: &'a str) -> &'a str {
        let after = &rest[c.len_utf8()..];
        if let Some(len) = sequence_len(rest) {
            self.removed.escapes += 1;
            return &rest[len..];
        }
        if is_layout(c) && self.lines != Lines::Escape {
            self.keep(c);
        } else if is_control(c) {
            self.removed.controls += 1;
            let folded = c == '\r' && self.lines != Lines::Escape && after.starts_with('\n');
            match self.lines {
                Lines::Escape | Lines::Keep if !folded => self.escape(c),
                Lines::Plain if !folded && breaks_line(c) => self.keep('\n'),
                Lines::Escape | Lines::Keep | Lines::Plain => {}
            }
        } else if let Some(tags) = self.tags(rest) {
            self.text.push_str(tags);
            self.before = tags.chars().next_back();
            return &rest[tags.len()..];
        } else if is_invisible(c) {
            self.invisible(c, after);
        } else {
            self.keep(c);
        }
        after
    }

    fn keep(&mut self, c: char) {
        if let (Some(before), Some(joiner)) = (self.before, self.joiner)
            && joins(before, joiner, c)
        {
            self.text.push(joiner);
            self.joiner = None;
        }
        self.drop_joiner();
        self.text.push(c);
        self.before = Some(c);
    }

    fn drop_joiner(&mut self) {
        if self.joiner.take().is_some() {
            self.removed.invisible += 1;
        }
    }

    fn invisible(&mut self, c: char, after: &str) {
        let free = self.joiner.is_none();
        if c == ZWJ || c == ZWNJ {
            if free && self.lines == Lines::Plain && self.before.is_some_and(is_joining_script) {
                self.keep(c);
            } else if free {
                self.joiner = Some(c);
            } else {
                self.removed.invisible += 1;
            }
        } else if free
            && self
                .before
                .is_some_and(|before| self.selects(before, c, after))
        {
            self.keep(c);
        } else if is_bidi(c) {
            self.removed.bidi += 1;
        } else {
            self.removed.invisible += 1;
        }
    }

    /// The tags at the front of `rest` that belong to the flag before them.
    fn tags<'a>(&self, rest: &'a str) -> Option<&'a str> {
        let flag = self.before == Some(BLACK_FLAG) && self.joiner.is_none();
        let len = if flag && self.lines == Lines::Plain {
            subdivision_len(rest)
        } else {
            0
        };
        rest.get(..len).filter(|tags| !tags.is_empty())
    }

    /// Whether a selector is valid after the character before it.
    fn selects(&self, before: char, c: char, after: &str) -> bool {
        if self.lines != Lines::Plain {
            return is_emoji_selector(c) && takes_selector(before);
        }
        let key = matches!(before, '0'..='9' | '#' | '*');
        let emoji = is_emoji_selector(c) && takes_selector(before);
        (emoji && (!key || after.starts_with('\u{20E3}'))) || takes_variant(before, c)
    }

    fn escape(&mut self, c: char) {
        self.drop_joiner();
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
    use super::{escape_terminal, escape_terminal_block, plain_text};
    use proptest::prelude::*;

    #[test]
    fn control_sequences_and_hidden_characters_are_escaped() {
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
            assert_eq!(escape_terminal(given), wanted, "{given:?}");
        }
    }

    #[test]
    fn visible_sequences_stay() {
        for text in [
            "👩\u{200d}👧",
            "❤\u{fe0f}\u{200d}🔥",
            "می\u{200c}خواهم",
            "ක\u{dca}\u{200d}ර",
            "1\u{fe0f}\u{20e3}",
        ] {
            assert_eq!(escape_terminal(text), text);
        }
    }

    #[test]
    fn many_unfinished_strings_take_linear_time() {
        let bomb = "\x1b]\u{9d}x".repeat(200_000);
        assert_eq!(escape_terminal(&bomb).len(), 200_000);
    }

    #[test]
    fn plain_text_keeps_joiners_and_selectors_that_scripts_need() {
        let scotland = "🏴\u{E0067}\u{E0062}\u{E0073}\u{E0063}\u{E0074}\u{E007F}";
        for text in [
            scotland,
            "🏴\u{200D}☠\u{FE0F}",
            "هه\u{200C} لێ",
            "ന\u{D4D}\u{200D} ",
            "葛\u{E0100}城",
            "1\u{FE0F}\u{20E3}",
            "a\tb\nc",
        ] {
            assert_eq!(plain_text(text).text, text);
        }
        let table = [
            ("1\u{FE0F}2", "12"),
            ("🏴\u{E0068}\u{E0069}", "🏴"),
            ("🏴\u{E0067}\u{E007F}", "🏴"),
            ("x\u{E0100}", "x"),
            ("ه\u{200C}\u{200C}\u{200D}x", "ه\u{200C}x"),
            ("a\u{85}b\u{2029}c\r\rd\r\n", "a\nb\nc\n\nd\n"),
            ("se\0c\x1b[0mr\u{ad}et", "secret"),
        ];
        for (given, wanted) in table {
            assert_eq!(plain_text(given).text, wanted, "{given:?}");
        }
    }

    /// Text in which special characters are frequent.
    fn hostile_text() -> impl Strategy<Value = String> {
        let set = "[\\x1b\\[\\]P;0-9m\\\\\\x07\\r\\n\\t\\x00a ا👩\u{200c}\u{200d}\u{200b}\u{fe0f}\u{9b}\u{9c}\u{9d}\u{202e}\u{2028}❤🏴\u{e0067}\u{e0062}\u{e007f}葛\u{e0100}\u{20e3}\u{85}]{0,40}";
        prop_oneof![".*".boxed(), set.boxed()]
    }

    proptest! {
        #[test]
        fn nothing_dangerous_is_left_and_twice_is_once(text in hostile_text()) {
            let line = escape_terminal(&text).into_owned();
            let hidden = ['\u{2028}', '\u{2029}', '\u{202E}', '\u{200B}'];
            let harmful = |c: char| c.is_control() || hidden.contains(&c);
            prop_assert!(!line.contains(harmful));
            prop_assert_eq!(&*escape_terminal(&line), &line);
            let block = escape_terminal_block(&text).into_owned();
            let layout = ['\n', '\t'];
            prop_assert!(!block.contains(|c: char| harmful(c) && !layout.contains(&c)));
            prop_assert_eq!(&*escape_terminal_block(&block), &block);
            let plain = plain_text(&text);
            prop_assert!(!plain.text.contains(|c: char| harmful(c) && !layout.contains(&c)));
            prop_assert_eq!(&plain_text(&plain.text).text, &plain.text);
            prop_assert_eq!(plain.removed == Default::default(), plain.text == text);
        }
    }
}
