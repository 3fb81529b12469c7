//! The footer: lines at the bottom of the terminal that are drawn anew; all other lines scroll above them.

use std::io;

use terminal_size::{Height, Width, terminal_size_of};
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// The size of the terminal in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) width: usize,
    pub(super) height: usize,
}

impl Size {
    /// The size of the terminal at stderr. One without a size counts as 80 by 24.
    pub(super) fn of_terminal() -> Self {
        let size = terminal_size_of(io::stderr());
        let (width, height) = size.map_or((0, 0), |(Width(width), Height(height))| (width, height));
        let or = |size: u16, default| {
            if size == 0 {
                default
            } else {
                usize::from(size)
            }
        };
        Self {
            width: or(width, 80).max(16),
            height: or(height, 24),
        }
    }
}

/// Lines to draw, each narrower than the terminal, and the cursor in them as row and column. Without one
/// it is at their end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Drawing {
    pub(super) lines: Vec<String>,
    pub(super) cursor: Option<(usize, usize)>,
}

/// What is drawn now.
#[derive(Debug, Default)]
pub(super) struct Footer {
    /// The widths of the lines down to the cursor, the last one being its column.
    to_cursor: Vec<usize>,
}

impl Footer {
    /// The bytes that replace the drawing by another one, with lines above it.
    pub(super) fn draw(&mut self, above: Option<&str>, drawing: &Drawing, width: usize) -> String {
        let mut bytes = self.erase(width);
        for line in above.into_iter().flat_map(|text| text.split('\n')) {
            bytes.push_str(line);
            bytes.push('\n');
        }
        bytes.push_str(&drawing.lines.join("\n"));
        let widths = drawing.lines.iter().map(|line| visible_width(line));
        self.to_cursor = widths.collect();
        if let Some((row, column)) = drawing.cursor {
            let below = drawing.lines.len().saturating_sub(row + 1);
            if below > 0 {
                bytes.push_str(&format!("\x1b[{below}A"));
            }
            bytes.push_str(&format!("\x1b[{}G", column + 1));
            self.to_cursor.truncate(row);
            self.to_cursor.push(column);
        }
        bytes
    }

    /// The bytes that remove the drawing. A terminal that became narrower has broken its lines again.
    pub(super) fn erase(&mut self, width: usize) -> String {
        let column = self.to_cursor.pop().unwrap_or_default();
        let before = self.to_cursor.drain(..);
        let rows: usize = before.map(|line| line.div_ceil(width).max(1)).sum();
        match rows + column / width {
            0 => "\r\x1b[J".to_owned(),
            up => format!("\r\x1b[{up}A\x1b[J"),
        }
    }
}

fn visible_width(line: &str) -> usize {
    anstream::adapter::strip_str(line).to_string().width()
}

/// A text cut to a width, with a mark if something is missing.
pub(super) fn fit(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut fitted = head(text, width.saturating_sub(1)).to_owned();
    fitted.push('…');
    fitted
}

/// The longest beginning of that width.
fn head(text: &str, width: usize) -> &str {
    let mut room = width;
    let too_wide = text.char_indices().find(|(_, c)| {
        let wide = c.width().unwrap_or_default();
        let is_too_wide = wide > room;
        room = room.saturating_sub(wide);
        is_too_wide
    });
    too_wide.map_or(text, |(end, _)| &text[..end])
}

/// The lines of a text, broken between words.
pub(super) fn wrap(text: &str, width: usize) -> Vec<String> {
    // The widest character has two columns.
    let width = width.max(2);
    let mut lines = Vec::new();
    for paragraph in text.lines() {
        let mut line = String::new();
        for mut word in paragraph.split_inclusive(' ') {
            if line.width() + word.trim_end().width() > width && !line.is_empty() {
                lines.push(std::mem::take(&mut line));
            }
            while word.trim_end().width() > width {
                let first = head(word, width);
                lines.push(first.to_owned());
                word = &word[first.len()..];
            }
            line.push_str(word);
        }
        lines.push(line);
    }
    for line in &mut lines {
        line.truncate(line.trim_end().len());
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::{Drawing, Footer, fit, wrap};

    fn drawing(lines: &[&str], cursor: Option<(usize, usize)>) -> Drawing {
        let lines = lines.iter().map(|line| (*line).to_owned()).collect();
        Drawing { lines, cursor }
    }

    #[test]
    fn lines_scroll_above_what_is_drawn_and_the_cursor_returns() {
        let mut footer = Footer::default();
        let asking = drawing(&["? go on", "> y", "[0/1]"], Some((1, 3)));
        assert_eq!(
            footer.draw(None, &asking, 80),
            "\r\x1b[J? go on\n> y\n[0/1]\x1b[1A\x1b[4G"
        );
        // Up by one row, from the line of the cursor to the first one.
        assert_eq!(
            footer.draw(Some("ok a\nok b"), &drawing(&["[1/1]"], None), 80),
            "\r\x1b[1A\x1b[Jok a\nok b\n[1/1]"
        );
        assert_eq!(footer.erase(80), "\r\x1b[J");
        assert_eq!(footer.erase(80), "\r\x1b[J");
    }

    #[test]
    fn a_narrower_terminal_has_more_rows_to_remove() {
        let mut footer = Footer::default();
        let coloured = format!("\x1b[1m{}\x1b[0m", "x".repeat(70));
        footer.draw(None, &drawing(&[&coloured, "", "[0/1]"], None), 80);
        // Two rows of the first line, one of the empty line, and the row of the cursor.
        assert_eq!(footer.erase(40), "\r\x1b[3A\x1b[J");
        footer.draw(None, &drawing(&["x", &"y".repeat(70)], None), 80);
        assert_eq!(footer.erase(30), "\r\x1b[3A\x1b[J");
    }

    #[test]
    fn texts_fit_by_what_a_terminal_shows() {
        assert_eq!(fit("short", 5), "short");
        assert_eq!(fit("longer", 5), "long…");
        assert_eq!(fit("東京都庁", 5), "東京…");
        assert_eq!(wrap("one two  three", 8), ["one two", "three"]);
        assert_eq!(
            wrap("a 123456789012 b\n\nc", 5),
            ["a", "12345", "67890", "12 b", "", "c"]
        );
        assert_eq!(wrap("東京都庁", 5), ["東京", "都庁"]);
    }
}
