//! Lenient reading: rewrites JSON-like text as strict JSON, where only one reading is possible.
//!
//! What is rewritten: comments, other quotes, keys without quotes, the words of other languages for
//! `true`, `false` and `null`, a comma before a closing bracket, a missing comma before a key or between
//! two objects, raw control characters and `\'` in a string, and other white space. The strict parser
//! reads the result, so everything else is still an error.

use super::marks::{COLONS, TRIPLE, closing_quotes, comment, is_word, length_of};
use super::{Notation, Tolerated};

/// JSON that was rewritten.
pub(super) struct Rewritten {
    pub(super) text: String,
    /// Where it ended in the source.
    pub(super) end: usize,
    /// What was changed, in order, with places in the source.
    pub(super) repairs: Vec<Tolerated>,
    /// Places after the rewriting, and the places in the source that they come from.
    places: Vec<(usize, usize)>,
}

impl Rewritten {
    /// The place in the source of a place after the rewriting.
    pub(super) fn source_place(&self, at: usize) -> usize {
        let next = self.places.partition_point(|(out, _)| *out <= at);
        let (out, source) = self.places[next.saturating_sub(1)];
        let limit = self
            .places
            .get(next)
            .map_or(self.end, |(_, source)| *source);
        (source + (at - out.min(at))).min(limit)
    }
}

/// Why a text is not JSON, even when it is read leniently.
pub(super) enum Unreadable {
    /// The text ends inside the value.
    Ended {
        /// Whether it ends after a value, so that only closing brackets are missing.
        is_whole: bool,
    },
    /// Something else.
    Unexpected { at: usize, wanted: &'static str },
}

/// What may come next.
#[derive(Clone, Copy, PartialEq)]
enum Next {
    /// A value, or the end of a list if `true`.
    Value(bool),
    /// A key, or the end of an object if `true`.
    Key(bool),
    Colon,
    /// A comma or a closing bracket.
    Comma,
}

/// Rewrites the value that starts with the bracket at a place. If the text is known to be finished, the
/// braces that are missing at its end are added, unless a list is open too. Linear in the length.
pub(super) fn rewrite(
    text: &str,
    start: usize,
    is_finished: bool,
) -> Result<Rewritten, Unreadable> {
    let mut writer = Writer {
        text,
        is_finished,
        at: start,
        out: String::with_capacity((text.len() - start).min(4_096)),
        repairs: Vec::new(),
        places: vec![(0, start)],
        stack: Vec::new(),
        next: Next::Value(false),
        comma: None,
        last: ' ',
    };
    let written = writer.write();
    #[cfg(test)]
    super::tests::count_steps(writer.at - start);
    match written {
        Err(Unreadable::Ended { is_whole: true }) if is_finished && writer.can_close() => {
            writer.close_all();
        }
        Err(error) => return Err(error),
        Ok(()) => {}
    }
    Ok(Rewritten {
        text: writer.out,
        end: writer.at,
        repairs: writer.repairs,
        places: writer.places,
    })
}

struct Writer<'a> {
    text: &'a str,
    is_finished: bool,
    at: usize,
    out: String,
    repairs: Vec<Tolerated>,
    places: Vec<(usize, usize)>,
    /// The open brackets.
    stack: Vec<char>,
    next: Next,
    /// The last comma, in the source and in the output, if only white space follows it.
    comma: Option<(usize, usize)>,
    /// The last character that is no white space.
    last: char,
}

impl<'a> Writer<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn unexpected(&self, wanted: &'static str) -> Unreadable {
        Unreadable::Unexpected {
            at: self.at,
            wanted,
        }
    }

    /// Notes a way of writing, each once.
    fn note(&mut self, what: Notation) {
        let known = |one: &Tolerated| matches!(one, Tolerated::Notation { what: known, .. } if *known == what);
        if !self.repairs.iter().any(known) {
            let at = self.at;
            self.repairs.push(Tolerated::Notation { at, what });
        }
    }

    /// Replaces the next bytes of the source.
    fn replace(&mut self, bytes: usize, with: &str) {
        self.places.push((self.out.len(), self.at));
        self.out.push_str(with);
        self.at += bytes;
        self.places.push((self.out.len(), self.at));
    }

    fn copy(&mut self, bytes: usize) {
        self.out.push_str(&self.rest()[..bytes]);
        self.at += bytes;
    }

    fn write(&mut self) -> Result<(), Unreadable> {
        loop {
            self.skip_space()?;
            let ended = Unreadable::Ended {
                is_whole: self.next == Next::Comma,
            };
            if self.is_at_end() {
                return Err(ended);
            }
            let c = self.peek().ok_or(ended)?;
            match self.next {
                Next::Value(can_close) => self.value(c, can_close)?,
                Next::Key(can_close) => self.key(c, can_close)?,
                Next::Colon if COLONS.contains(&c) => {
                    self.colon(c);
                    self.next = Next::Value(false);
                }
                Next::Colon => return Err(self.unexpected("a colon after the key")),
                Next::Comma => self.after_value(c)?,
            }
            self.last = c;
            if self.stack.is_empty() {
                return Ok(());
            }
        }
    }

    /// Whether the text ends, or a finished text goes on with a fence, a tag or a special token.
    fn is_at_end(&self) -> bool {
        let rest = self.rest();
        let ends = ["```", "~~~", "</", "<|"];
        rest.is_empty() || (self.is_finished && ends.iter().any(|end| rest.starts_with(end)))
    }

    fn value(&mut self, c: char, can_close: bool) -> Result<(), Unreadable> {
        self.next = Next::Comma;
        match c {
            '{' | '[' => self.open(c),
            ']' if can_close => self.close(c),
            c if closing_quotes(c).is_some() => self.string(c)?,
            '-' | '0'..='9' => {
                let is_part = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
                let len = self.token(is_part)?;
                // The strict parser has errors of its own for numbers that are too large, and for infinity.
                let number = &self.rest()[..len];
                if number.parse::<f64>().is_err() {
                    return Err(self.unexpected("a number"));
                }
                self.copy(len);
            }
            c if is_word(c) => self.word()?,
            _ => return Err(self.unexpected("a value")),
        }
        self.comma = None;
        Ok(())
    }

    /// The length of the next number or word. At the end of the text a part of it may be missing.
    fn token(&self, is_part: impl Fn(char) -> bool) -> Result<usize, Unreadable> {
        let len = length_of(self.rest(), is_part);
        if len == self.rest().len() {
            return Err(Unreadable::Ended { is_whole: false });
        }
        Ok(len)
    }

    /// A colon, or what other notations have in its place.
    fn colon(&mut self, c: char) {
        let arrow = usize::from(self.rest().starts_with("=>"));
        if c == ':' {
            self.copy(1);
        } else {
            self.note(Notation::Punctuation);
            self.replace(c.len_utf8() + arrow, ":");
        }
    }

    /// One of the words that stand for a value.
    fn word(&mut self) -> Result<(), Unreadable> {
        const WORDS: [(&str, &str); 6] = [
            ("true", "true"),
            ("false", "false"),
            ("null", "null"),
            ("none", "null"),
            ("nil", "null"),
            ("undefined", "null"),
        ];
        let len = self.token(is_word)?;
        let word = &self.rest()[..len];
        // The strict parser has an error of its own for these.
        if word == "NaN" || word == "Infinity" {
            self.copy(len);
            return Ok(());
        }
        let known = WORDS
            .iter()
            .find(|(known, _)| word.eq_ignore_ascii_case(known));
        let Some((_, json)) = known else {
            return Err(self.unexpected(
                "a value: a text in quotes, a number, a list, an object, true, false or null",
            ));
        };
        if word == *json {
            self.copy(len);
        } else {
            self.note(Notation::Word);
            self.replace(len, json);
        }
        Ok(())
    }

    fn key(&mut self, c: char, can_close: bool) -> Result<(), Unreadable> {
        self.next = Next::Colon;
        match c {
            '}' if can_close => self.close(c),
            c if closing_quotes(c).is_some() => self.string(c)?,
            c if is_word(c) && !c.is_ascii_digit() => {
                let len = self.token(|c| is_word(c) || c == '-')?;
                let after = self.rest()[len..].trim_start();
                if !after.starts_with(COLONS) {
                    return Err(self.unexpected("a key in double quotes"));
                }
                self.note(Notation::BareKey);
                let quoted = format!("\"{}\"", &self.rest()[..len]);
                self.replace(len, &quoted);
            }
            _ => return Err(self.unexpected("a key in double quotes")),
        }
        self.comma = None;
        Ok(())
    }

    fn after_value(&mut self, c: char) -> Result<(), Unreadable> {
        let is_list = self.stack.last() == Some(&'[');
        match c {
            ',' | '，' => {
                self.comma = Some((self.at, self.out.len()));
                if c == ',' {
                    self.copy(1);
                } else {
                    self.note(Notation::Punctuation);
                    self.replace(c.len_utf8(), ",");
                }
                self.next = if is_list {
                    Next::Value(true)
                } else {
                    Next::Key(true)
                };
            }
            '}' if !is_list => self.close(c),
            ']' if is_list => self.close(c),
            // Two objects of a list, or a value and the next key, can only be two.
            '{' if is_list && self.last == '}' => {
                self.missing_comma();
                self.next = Next::Value(false);
                self.value(c, false)?;
            }
            c if !is_list && (closing_quotes(c).is_some() || is_word(c)) => {
                self.missing_comma();
                self.key(c, false)?;
            }
            _ if is_list => return Err(self.unexpected("a comma or a closing square bracket")),
            _ => return Err(self.unexpected("a comma or a closing brace")),
        }
        Ok(())
    }

    fn missing_comma(&mut self) {
        self.note(Notation::MissingComma);
        self.replace(0, ",");
    }

    fn open(&mut self, c: char) {
        self.stack.push(c);
        self.copy(1);
        self.next = if c == '{' {
            Next::Key(true)
        } else {
            Next::Value(true)
        };
    }

    fn close(&mut self, c: char) {
        if let Some((at, out)) = self.comma.take() {
            self.out.replace_range(out..=out, " ");
            self.repairs.push(Tolerated::TrailingComma { at });
        }
        self.stack.pop();
        self.copy(c.len_utf8());
        self.next = Next::Comma;
    }

    /// Whether only braces are missing: no list is open, in which further items may be missing too.
    fn can_close(&self) -> bool {
        let is_one = self.stack.len() == 1 || (self.stack.len() == 2 && self.last == ']');
        is_one && self.stack.iter().all(|open| *open == '{')
    }

    fn close_all(&mut self) {
        let count = self.stack.len();
        self.repairs.push(Tolerated::Unclosed { count });
        self.out.push_str(&"}".repeat(count));
        self.stack.clear();
    }

    fn string(&mut self, open: char) -> Result<(), Unreadable> {
        let closing = closing_quotes(open).unwrap_or_default();
        if self.rest().starts_with(TRIPLE) {
            return self.triple();
        }
        if open == '"' {
            self.copy(1);
        } else {
            self.note(Notation::Quotes);
            self.replace(open.len_utf8(), "\"");
        }
        loop {
            let Some(c) = self.peek() else {
                return Err(Unreadable::Ended { is_whole: false });
            };
            let len = c.len_utf8();
            if closing.contains(c) && (open == '"' || self.closes(len)) {
                if open == '"' {
                    self.copy(len);
                } else {
                    self.replace(len, "\"");
                }
                return Ok(());
            }
            match c {
                '\\' => self.escape(closing)?,
                '"' => self.replace(len, "\\\""),
                c if c < ' ' => {
                    let at = self.at;
                    self.repairs.push(Tolerated::RawControl { at });
                    self.replace(len, &format!("\\u{:04x}", u32::from(c)));
                }
                _ => self.copy(len),
            }
        }
    }

    /// A text between three double quotes, as in Python.
    fn triple(&mut self) -> Result<(), Unreadable> {
        let body = &self.rest()[TRIPLE.len()..];
        let Some(len) = body.find(TRIPLE) else {
            return Err(Unreadable::Ended { is_whole: false });
        };
        if body[..len].contains('\\') {
            return Err(self.unexpected("a text in double quotes"));
        }
        self.note(Notation::Quotes);
        let mut json = String::from('"');
        for c in body[..len].chars() {
            match c {
                '"' => json.push_str("\\\""),
                c if c < ' ' => json.push_str(&format!("\\u{:04x}", u32::from(c))),
                c => json.push(c),
            }
        }
        json.push('"');
        self.replace(len + 2 * TRIPLE.len(), &json);
        Ok(())
    }

    /// Whether a quote of that length closes its string: what follows can only follow a string.
    fn closes(&self, len: usize) -> bool {
        let after = self.rest()[len..].trim_start();
        after.is_empty()
            || after.starts_with([',', ':', ']', '}', '/', '#', '=', '，', '：', '\u{FEFF}'])
    }

    fn escape(&mut self, closing: &str) -> Result<(), Unreadable> {
        let Some(c) = self.rest().chars().nth(1) else {
            return Err(Unreadable::Ended { is_whole: false });
        };
        if c != '"' && (c == '\'' || closing.contains(c)) {
            self.note(Notation::Escape);
            self.replace(1 + c.len_utf8(), c.encode_utf8(&mut [0; 4]));
        } else {
            // The strict parser refuses what is no escape of JSON.
            self.copy(1 + c.len_utf8());
        }
        Ok(())
    }

    /// Skips white space and comments.
    fn skip_space(&mut self) -> Result<(), Unreadable> {
        while let Some(c) = self.peek() {
            if c.is_ascii_whitespace() {
                self.copy(1);
            } else if c.is_whitespace() || matches!(c, '\u{FEFF}' | '\u{200B}') {
                self.note(Notation::Space);
                self.replace(c.len_utf8(), " ");
            } else if let Some(len) = comment(self.rest()) {
                self.note(Notation::Comment);
                self.replace(len, " ");
            } else if self.rest().starts_with("/*") && !self.rest().contains("*/") {
                return Err(Unreadable::Ended { is_whole: false });
            } else {
                break;
            }
        }
        Ok(())
    }
}
