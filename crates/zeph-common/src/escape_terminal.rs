//! Escaping of terminal controls and of characters that hide or reorder text.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::control_sequence::{is_control, sequence_len};
use crate::invisible::{BLANK_PATTERN, is_bidi, is_invisible, is_mark, is_private_use};
use crate::sequences::{
    self, BLACK_FLAG, EMOJI_FORM, ZWJ, ZWNJ, has_forms, is_cursive, is_indic, is_skin_tone,
};

/// The most marks on one character.
const MAX_MARKS: usize = 8;

/// How often characters of a text may change their form, by a selector or by its absence.
const MAX_FORM_CHANGES: usize = 8;

/// The joiners that a text of a joining script may have, whatever its length.
const FREE_JOINERS: usize = 8;

/// The fewest letters for each joiner beyond the free ones; prose has thirty.
const LETTERS_PER_JOINER: usize = 6;

/// Escapes a text for one line of a terminal.
///
/// - Escape sequences (CSI, OSC with hyperlinks and titles, DCS and the rest) are removed. Of an
///   unterminated sequence only the introducer is removed, so that it cannot hide the text after it.
/// - Line breaks, tabs and lone controls become visible: `\n`, `\r`, `\t`, `\x07`, `\u{2028}`.
/// - Bidirectional controls, zero width characters, fillers, noncharacters, tags and variation selectors
///   are removed; the blank Braille pattern becomes a space, and private use becomes visible: `\u{e000}`.
/// - A sequence that is displayed differently stays: the emoji and subdivision flags that Unicode
///   recommends, a selector after a character that has forms, a joiner between two letters whose shapes it
///   changes. A text has no selectors if its characters change their forms more than 8 times, and
///   no joiners of scripts if it has more than 8 and fewer than 6 letters for each.
/// - At most 8 marks stay on one character.
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
/// As [`escape_terminal_block`], but controls are removed, not escaped. Those that break lines (a lone
/// carriage return, vertical tab, form feed, next line, line and paragraph separator) become line feeds.
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
    /// Other invisible characters, characters of private use, and excess marks.
    pub invisible: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Lines {
    Escape,
    Keep,
    Plain,
}

fn escape(text: &str, lines: Lines) -> PlainText<'_> {
    let harmless = |c: char| {
        let hidden = is_control(c) || is_invisible(c) || is_private_use(c) || is_mark(c);
        c == ' ' || !hidden || (lines != Lines::Escape && is_layout(c))
    };
    let Some(first) = text.find(|c: char| !harmless(c)) else {
        return PlainText {
            text: Cow::Borrowed(text),
            removed: Removed::default(),
        };
    };
    let mut dropped = Dropped::default();
    loop {
        let mut out = Escaper::new(text, first, lines, dropped);
        let mut rest = &text[first..];
        while let Some(c) = rest.chars().next() {
            rest = out.consume(c, rest);
        }
        let excess = out.excess();
        if excess == dropped {
            return out.finish(text);
        }
        dropped = excess;
    }
}

/// Kinds of characters of which a text has so many that they may be a message.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Dropped {
    selectors: bool,
    joiners: bool,
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
    /// The last kept character that is no mark, skin tone or selector.
    base: Option<char>,
    /// A joiner that is kept or removed depending on the next kept character.
    joiner: Option<char>,
    /// The marks after the base.
    marks: usize,
    /// The base and its selector, if it has forms; the selector is the base itself if there is none.
    form: Option<(char, char)>,
    /// The last form of each such base.
    forms: HashMap<char, char>,
    form_changes: usize,
    joiners: usize,
    letters: usize,
    dropped: Dropped,
    lines: Lines,
    removed: Removed,
}

impl Escaper {
    fn new(text: &str, harmless: usize, lines: Lines, dropped: Dropped) -> Self {
        let mut new = Self {
            text: String::with_capacity(text.len()),
            before: None,
            base: None,
            joiner: None,
            marks: 0,
            form: None,
            forms: HashMap::new(),
            form_changes: 0,
            joiners: 0,
            letters: 0,
            dropped,
            lines,
            removed: Removed::default(),
        };
        for c in text[..harmless].chars() {
            new.keep(c);
        }
        new
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

    /// What the next pass must drop.
    fn excess(&mut self) -> Dropped {
        self.end_form();
        let many = self.joiners > FREE_JOINERS.max(self.letters / LETTERS_PER_JOINER);
        Dropped {
            selectors: self.dropped.selectors || self.form_changes > MAX_FORM_CHANGES,
            joiners: self.dropped.joiners || many,
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
        } else if self.before == Some(BLACK_FLAG)
            && self.joiner.is_none()
            && let Some(tags) = sequences::subdivision(rest)
        {
            self.text.push_str(tags);
            self.before = tags.chars().next_back();
            return &rest[tags.len()..];
        } else if is_private_use(c) {
            self.removed.invisible += 1;
            self.escape(c);
        } else if is_invisible(c) {
            self.invisible(c, after);
        } else {
            self.keep(c);
        }
        after
    }

    fn keep(&mut self, c: char) {
        if is_mark(c) {
            self.marks += 1;
            if self.marks > MAX_MARKS {
                self.removed.invisible += 1;
                return;
            }
        } else if is_skin_tone(c) {
            // With a tone no selector follows, so the form says nothing.
            self.form = None;
        }
        if self.joins(c) {
            self.text.extend(self.joiner.take());
        }
        self.drop_joiner();
        self.text.push(c);
        self.before = Some(c);
        if !is_mark(c) && !is_skin_tone(c) {
            self.marks = 0;
            self.base = Some(c);
            self.letters += usize::from(is_cursive(c) || is_indic(c));
            self.end_form();
            self.form = has_forms(c).then_some((c, c));
        }
    }

    /// Whether the pending joiner stays before this character.
    fn joins(&mut self, after: char) -> bool {
        let (Some(base), Some(before), Some(joiner)) = (self.base, self.before, self.joiner) else {
            return false;
        };
        if joiner == ZWJ && sequences::joins_emoji(base, after) {
            return true;
        }
        let joins = !self.dropped.joiners && sequences::joins_script(base, before, joiner, after);
        self.joiners += usize::from(joins);
        joins
    }

    fn drop_joiner(&mut self) {
        if self.joiner.take().is_some() {
            self.removed.invisible += 1;
        }
    }

    /// Counts the form of the last base, if that is another one than before.
    fn end_form(&mut self) {
        if let Some((base, form)) = self.form.take() {
            let last = self.forms.insert(base, form);
            let usual = form == base || form == EMOJI_FORM;
            self.form_changes += usize::from(last.map_or(!usual, |last| last != form));
        }
    }

    fn invisible(&mut self, c: char, after: &str) {
        if c == BLANK_PATTERN {
            self.removed.invisible += 1;
            self.keep(' ');
        } else if (c == ZWJ || c == ZWNJ) && self.joiner.is_none() {
            if self
                .before
                .is_some_and(|before| sequences::ends_word(before, c))
            {
                self.joiners += 1;
                if !self.dropped.joiners {
                    self.text.push(c);
                    self.before = Some(c);
                    return;
                }
            }
            self.joiner = Some(c);
        } else if self.joiner.is_none() && self.selects(c, after) {
            self.text.push(c);
            self.before = Some(c);
        } else if is_bidi(c) {
            self.removed.bidi += 1;
        } else {
            self.removed.invisible += 1;
        }
    }

    /// Whether a selector is valid after the character before it.
    fn selects(&mut self, c: char, after: &str) -> bool {
        let Some(before) = self.before else {
            return false;
        };
        if matches!(before, '0'..='9' | '#' | '*') {
            return c == EMOJI_FORM && after.starts_with('\u{20E3}');
        }
        let selects = !self.dropped.selectors && sequences::selects(before, c);
        if selects {
            self.form = Some((before, c));
        }
        selects
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
        self.base = self.before;
        self.marks = 0;
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
            "هه\u{200C}ر",
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
            ("🏴\u{E0075}\u{E0073}\u{E0063}\u{E0061}\u{E007F}", "🏴"),
            ("x\u{E0100}葛\u{E01EF}", "x葛"),
            ("ه\u{200C}\u{200C}\u{200D}ر", "ه\u{200C}ر"),
            ("ه\u{200C} ه\u{200D}ر د\u{200C}ر", "ه هر در"),
            ("😀\u{200D}😀 😀\u{FE0F}", "😀😀 😀"),
            (
                "a\u{2800}b\u{3164}\u{1D159}\u{16FE4}\u{FDD0}\u{10FFFF}c",
                "a bc",
            ),
            ("\u{E000}\u{10FFFD}", "\\u{e000}\\u{10fffd}"),
            ("a\u{85}b\u{2029}c\r\rd\r\n", "a\nb\nc\n\nd\n"),
            ("se\0c\x1b[0mr\u{ad}et", "secret"),
        ];
        for (given, wanted) in table {
            assert_eq!(plain_text(given).text, wanted, "{given:?}");
        }
    }

    #[test]
    fn marks_forms_and_joiners_are_limited() {
        let marks = "e".to_owned() + &"\u{301}".repeat(5_000);
        assert_eq!(plain_text(&marks).text.chars().count(), 9);
        let twice = |text: &str, times: usize| plain_text(&text.repeat(times)).text.into_owned();
        assert_eq!(twice("葛\u{E0100}", 50), "葛\u{E0100}".repeat(50));
        assert_eq!(twice("葛\u{E0100}葛\u{E0101}", 5), "葛".repeat(10));
        assert_eq!(twice("❤\u{FE0F}❤", 4), "❤\u{FE0F}❤".repeat(4));
        assert_eq!(twice("❤\u{FE0F}❤", 5), "❤".repeat(10));
        assert_eq!(twice("هه\u{200C}", 20), "هه".repeat(20));
        let prose = "می\u{200C}خواهم به خانه بروم ";
        assert_eq!(twice(prose, 50), prose.repeat(50));
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
