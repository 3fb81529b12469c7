//! Pages for people: layout, and escapes of all characters that could act on a terminal.

use comfy_table::{ColumnConstraint, ContentArrangement, Row, Table, presets};
use serde_json::Value;
use zeph_common::{escape_terminal, escape_terminal_block};
use zeph_runtime::GraphChange;

use crate::context::AppContext;
use crate::exit::Exit;
use crate::out::{self, Tone};

/// Prints a result: a page for people, or JSON for programs.
pub(crate) fn print(
    cx: &AppContext,
    json: impl FnOnce() -> Value,
    render: impl FnOnce(&mut Page),
) -> Exit {
    if cx.json() {
        out::json(&json());
    } else {
        let mut page = Page::new();
        render(&mut page);
        page.print();
    }
    Exit::Completed
}

/// The width of the names in front of facts.
const FACT: usize = 11;
/// The least width of a table's last column.
const LAST_COLUMN: u16 = 16;

/// A cell of a table: its text, and the colour of it.
#[derive(Clone, Debug)]
pub(crate) struct Cell {
    text: String,
    tone: Tone,
}

impl Cell {
    pub(crate) fn new(tone: Tone, text: impl Into<String>) -> Self {
        let text = text.into();
        Self { text, tone }
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::new(Tone::Plain, text)
    }
}

/// A text under construction. All text is escaped when it is added, so no caller can forget it. The output
/// decides whether its colours are shown.
#[derive(Debug)]
pub(crate) struct Page {
    text: String,
    width: Option<u16>,
}

impl Page {
    /// A page for stdout: tables are cut to its width if it is a terminal.
    pub(crate) fn new() -> Self {
        Self::of_width(Table::new().width())
    }

    /// The same, narrower by a label at the start of each line.
    pub(crate) fn behind(label: &str) -> Self {
        let taken = label.chars().count() + usize::from(!label.is_empty());
        let taken = u16::try_from(taken).unwrap_or(u16::MAX);
        let width = Table::new().width();
        Self::of_width(width.map(|width| width.saturating_sub(taken)))
    }

    /// A page of that width; `None` is unlimited.
    pub(crate) const fn of_width(width: Option<u16>) -> Self {
        Self {
            text: String::new(),
            width,
        }
    }

    pub(crate) fn line(&mut self, text: impl AsRef<str>) {
        self.painted_line(&[(Tone::Plain, text.as_ref())]);
    }

    /// A line of several parts, each in its colour.
    pub(crate) fn painted_line(&mut self, parts: &[(Tone, &str)]) {
        let parts = parts.iter();
        let line: String = parts
            .map(|(tone, text)| tone.paint(escape_terminal(text)))
            .collect();
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }

    /// An empty line, unless the page is empty.
    pub(crate) fn gap(&mut self) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
    }

    pub(crate) fn heading(&mut self, text: impl AsRef<str>) {
        self.gap();
        self.painted_line(&[(Tone::Heading, text.as_ref())]);
    }

    /// A named fact; further lines of its value are aligned below the first one.
    pub(crate) fn fact(&mut self, name: &str, value: impl AsRef<str>) {
        let value = escape_terminal_block(value.as_ref());
        let mut lines = value.lines();
        let name = format!("{name:FACT$}  ");
        self.painted_line(&[
            (Tone::Quiet, &name),
            (Tone::Plain, lines.next().unwrap_or("")),
        ]);
        for line in lines {
            self.line(format!("{:FACT$}  {line}", ""));
        }
    }

    /// A heading with lines below it; nothing without lines.
    pub(crate) fn section(&mut self, heading: &str, lines: &[String]) {
        self.painted_section(heading, Tone::Plain, lines);
    }

    /// The commands to type next; nothing without commands.
    pub(crate) fn next(&mut self, commands: &[String]) {
        self.painted_section("Next", Tone::Question, commands);
    }

    fn painted_section(&mut self, heading: &str, tone: Tone, lines: &[String]) {
        if lines.is_empty() {
            return;
        }
        self.heading(heading);
        for line in lines {
            self.painted_block(2, tone, line);
        }
    }

    /// A text of several lines, indented by that many blanks.
    pub(crate) fn block(&mut self, indent: usize, text: &str) {
        self.painted_block(indent, Tone::Plain, text);
    }

    /// As [`block`](Self::block), in a colour.
    pub(crate) fn painted_block(&mut self, indent: usize, tone: Tone, text: &str) {
        for line in escape_terminal_block(text).lines() {
            self.text.push_str(&" ".repeat(indent));
            self.text.push_str(&tone.paint(line.trim_end()));
            self.text.push('\n');
        }
    }

    /// A table; its last column is cut at the width of the page. Without rows it prints nothing.
    pub(crate) fn table<C>(&mut self, indent: usize, header: &[&str], rows: &[Vec<C>])
    where
        C: Clone + Into<Cell>,
    {
        if rows.is_empty() {
            return;
        }
        let cells = |row: &Vec<C>| -> Vec<Cell> {
            let escaped = |cell: &C| {
                let Cell { text, tone } = cell.clone().into();
                Cell::new(tone, escape_terminal(&text))
            };
            row.iter().map(escaped).collect()
        };
        let rows: Vec<Vec<Cell>> = rows.iter().map(cells).collect();
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        if !header.is_empty() {
            table.set_header(header.to_vec());
        }
        for cells in &rows {
            let mut row = Row::from(cells.iter().map(|cell| cell.text.as_str()));
            row.max_height(1);
            table.add_row(row);
        }
        let columns = table.column_count();
        for (i, column) in table.column_iter_mut().enumerate() {
            column.set_padding((0, if i + 1 == columns { 0 } else { 2 }));
            if i + 1 < columns {
                column.set_constraint(ColumnConstraint::ContentWidth);
            }
        }
        let widths = table.column_max_content_widths();
        let others = widths.iter().rev().skip(1);
        let least = others.fold(LAST_COLUMN, |sum, width| sum.saturating_add(width + 2));
        match self.width {
            Some(width) => {
                let room = width.saturating_sub(u16::try_from(indent).unwrap_or(u16::MAX));
                // On a very narrow terminal lines wrap rather than lose all of the last column.
                table.set_width(room.max(least));
                table.set_content_arrangement(ContentArrangement::Dynamic);
            }
            None => {
                table.set_content_arrangement(ContentArrangement::Disabled);
            }
        }
        let text = table.trim_fmt();
        let mut lines = text.lines();
        if !header.is_empty() {
            let line = lines.next().unwrap_or_default();
            self.painted_block(indent, Tone::Quiet, line);
        }
        for (line, cells) in lines.zip(&rows) {
            self.text.push_str(&" ".repeat(indent));
            self.text.push_str(painted(line, cells).trim_end());
            self.text.push('\n');
        }
    }

    /// The page without colours.
    #[cfg(test)]
    pub(crate) fn plain(self) -> String {
        anstream::adapter::strip_str(&self.text).to_string()
    }

    pub(crate) fn into_text(self) -> String {
        self.text
    }

    /// Prints the page on stdout.
    pub(crate) fn print(self) {
        out::text(self.into_text());
    }
}

/// A line of a table with the colours of its cells. The last cell may be cut.
fn painted(line: &str, cells: &[Cell]) -> String {
    let mut text = String::new();
    let mut rest = line;
    for (i, cell) in cells.iter().enumerate() {
        let blanks = rest.len() - rest.trim_start_matches(' ').len();
        text.push_str(&rest[..blanks]);
        rest = &rest[blanks..];
        let is_last = i + 1 == cells.len();
        let whole = if is_last {
            Some((rest, ""))
        } else {
            rest.strip_prefix(&*cell.text)
                .map(|after| (&*cell.text, after))
        };
        let Some((shown, after)) = whole else { break };
        text.push_str(&cell.tone.paint(shown));
        rest = after;
    }
    text + rest
}

/// `1 task`, `2 tasks`.
pub(crate) fn count(number: u64, noun: &str) -> String {
    if number == 1 {
        format!("1 {noun}")
    } else {
        format!("{number} {noun}s")
    }
}

/// The first of some names, and the number of further ones.
pub(crate) fn names<'a>(names: impl IntoIterator<Item = &'a str>, total: usize) -> String {
    const MOST: usize = 8;
    let shown: Vec<&str> = names.into_iter().take(MOST).collect();
    let more = total.saturating_sub(shown.len());
    let mut text = shown.join(", ");
    if more > 0 {
        text.push_str(&format!(" and {more} more"));
    }
    text
}

/// `new mail, check; replaced test`.
pub(crate) fn change_words(change: &GraphChange) -> String {
    let parts = [
        ("new", &change.added),
        ("replaced", &change.replaced),
        ("removed", &change.removed),
    ];
    let parts = parts.iter().filter(|(_, tasks)| !tasks.is_empty());
    let parts = parts.map(|(what, tasks)| {
        let shown = names(tasks.iter().map(String::as_str), tasks.len());
        format!("{what} {shown}")
    });
    parts.collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::{Cell, Page, count, names};
    use crate::out::Tone;

    #[test]
    fn nothing_that_goes_in_can_act_on_a_terminal() {
        let nasty = "a\x1b[31mb\r\n\x1b]0;title\x07c\u{202e}d";
        let mut page = Page::of_width(None);
        page.line(nasty);
        page.heading(nasty);
        page.fact("goal", nasty);
        page.block(2, nasty);
        page.table(2, &["X", "Y"], &[vec![nasty.to_owned(), nasty.to_owned()]]);
        let mut text = page.into_text();
        // The colours of the page itself are no part of what went in.
        for tone in [Tone::Heading, Tone::Quiet] {
            for code in tone.paint("|").split('|') {
                text = text.replace(code, "");
            }
        }
        let harmful = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!text.contains(harmful), "{text:?}");
        assert_eq!(text.lines().next(), Some(r"ab\r\ncd"));
    }

    #[test]
    fn a_table_is_aligned_and_cut_where_the_terminal_ends() {
        let rows = [
            vec!["a".into(), "x".repeat(80)],
            vec!["long name".into(), "short".into()],
        ];
        let mut page = Page::of_width(Some(50));
        page.table(2, &["NAME", "GOAL"], &rows);
        let text = page.plain();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "  NAME       GOAL");
        assert_eq!(lines[2], "  long name  short");
        assert_eq!(lines.len(), 3, "{text}");
        assert!(
            lines[1].starts_with("  a          xxx") && lines[1].ends_with('…'),
            "{text}"
        );
        assert!(lines[1].chars().count() <= 50, "{text}");

        let mut page = Page::of_width(Some(1));
        page.table(0, &["NAME", "GOAL"], &rows);
        let wanted = format!(
            "NAME       GOAL\na          {}…\nlong name  short\n",
            "x".repeat(15)
        );
        assert_eq!(page.plain(), wanted);

        let mut page = Page::of_width(None);
        page.table(0, &["NAME", "GOAL"], &rows);
        assert!(
            page.plain().contains(&"x".repeat(80)),
            "a pipe gets everything"
        );
    }

    #[test]
    fn the_cells_of_a_table_have_their_colours_and_the_layout_is_the_same() {
        let cell = |text: &str| Cell::new(Tone::Plain, text);
        let rows = [
            vec![cell("a b"), Cell::new(Tone::Bad, "failed"), cell("x")],
            vec![cell(""), Cell::new(Tone::Good, "ok"), cell("日本")],
        ];
        let mut page = Page::of_width(None);
        page.table(0, &[], &rows);
        let text = page.into_text();
        let (bad, good) = (Tone::Bad.paint("failed"), Tone::Good.paint("ok"));
        assert_eq!(text, format!("a b  {bad}  x\n     {good}      日本\n"));
    }

    #[test]
    fn counts_and_lists_of_names_read_well() {
        assert_eq!(count(1, "task"), "1 task");
        assert_eq!(count(0, "task"), "0 tasks");
        assert_eq!(names(["a", "b"], 2), "a, b");
        assert_eq!(names(["a", "b"], 5), "a, b and 3 more");
    }
}
