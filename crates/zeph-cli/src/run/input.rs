//! A line that is being written: its text, its cursor, and the part that is shown.

use unicode_width::UnicodeWidthStr as _;
use zeph_common::escape_terminal;

use crate::run::footer::fit;
use crate::run::keys::Key;

/// A line that is being written.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Input {
    text: Vec<char>,
    /// The place of the cursor.
    at: usize,
}

impl From<&str> for Input {
    fn from(text: &str) -> Self {
        let text: Vec<char> = text.chars().collect();
        Self {
            at: text.len(),
            text,
        }
    }
}

impl Input {
    pub(super) const EMPTY: Self = Self {
        text: Vec::new(),
        at: 0,
    };

    pub(super) fn text(&self) -> String {
        self.text.iter().collect()
    }

    pub(super) fn edit(&mut self, key: Key) {
        let at = self.at;
        match key {
            Key::Char(c) => {
                self.text.insert(at, c);
                self.at += 1;
            }
            Key::Left => self.at = at.saturating_sub(1),
            Key::Right => self.at = self.text.len().min(at + 1),
            Key::Home => self.at = 0,
            Key::End => self.at = self.text.len(),
            Key::Backspace => self.remove(at.saturating_sub(1)),
            Key::Delete if at < self.text.len() => drop(self.text.remove(at)),
            Key::DeleteWord => {
                let before = &self.text[..at];
                let is_space = |c: &char| c.is_whitespace();
                let word_end = before
                    .iter()
                    .rposition(|c| !is_space(c))
                    .map_or(0, |end| end + 1);
                let start = before[..word_end].iter().rposition(is_space);
                self.remove(start.map_or(0, |start| start + 1));
            }
            Key::DeleteLine => *self = Self::default(),
            Key::Delete | Key::Enter | Key::Lines | Key::Escape | Key::Up | Key::Down => {}
        }
    }

    /// Removes the text from there to the cursor.
    fn remove(&mut self, from: usize) {
        self.text.drain(from..self.at);
        self.at = from;
    }

    /// The same line with a mark for each character.
    pub(super) fn masked(&self) -> Self {
        Self {
            text: vec!['*'; self.text.len()],
            at: self.at,
        }
    }

    /// The part around the cursor that fits, and the column of the cursor in it.
    pub(super) fn draw(&self, width: usize) -> (String, usize) {
        let shown =
            |chars: &[char]| escape_terminal(&chars.iter().collect::<String>()).into_owned();
        let mut first = 0;
        while first < self.at && shown(&self.text[first..self.at]).width() > width {
            first += 1;
        }
        let column = shown(&self.text[first..self.at]).width();
        (fit(&shown(&self.text[first..]), width), column)
    }
}

#[cfg(test)]
mod tests {
    use super::Input;
    use crate::run::keys::Key;

    #[test]
    fn a_long_line_is_shown_around_its_cursor() {
        let mut input = Input::from(&*format!("{}end", "x".repeat(50)));
        assert_eq!(input.draw(19), (format!("{}end", "x".repeat(16)), 19));
        input.edit(Key::Home);
        input.edit(Key::Char('b'));
        assert_eq!(input.draw(19), (format!("b{}…", "x".repeat(17)), 1));
    }

    #[test]
    fn words_and_lines_are_removed_before_the_cursor() {
        let mut input = Input::from("one two  three");
        let mut text = |key| {
            input.edit(key);
            input.text()
        };
        assert_eq!(text(Key::DeleteWord), "one two  ");
        assert_eq!(text(Key::DeleteWord), "one ");
        assert_eq!(text(Key::Left), "one ");
        assert_eq!(text(Key::Delete), "one");
        assert_eq!(text(Key::Backspace), "on");
        assert_eq!(text(Key::DeleteLine), "");
        assert_eq!(text(Key::Backspace), "");
        assert_eq!(text(Key::DeleteWord), "");
    }
}
