//! Where the front matter ends and the prompt begins.

use std::ops::Range;

use super::told::Told;
use crate::agent::check;
use crate::{AgentCode, AgentDefect};

const MARK: &str = "---";

/// The two parts of a definition, in bytes of its text.
pub(crate) struct Parts<'t> {
    /// The line that opens the front matter.
    pub(crate) opening: Range<usize>,
    /// What is between the two marks.
    pub(crate) yaml: Range<usize>,
    /// Where the prompt begins.
    body_start: usize,
    body: &'t str,
}

/// Splits a text at its marks: lines of three dashes, the first of which is the first line.
pub(crate) fn split<'t>(text: &'t str, told: &mut Told<'_>) -> Option<Parts<'t>> {
    let mut at = if text.starts_with('\u{FEFF}') { 3 } else { 0 };
    let mut lines = text[at..].split_inclusive('\n').map(|line| {
        let start = at;
        at += line.len();
        (start, line)
    });
    let (start, first) = lines.next().unwrap_or((0, ""));
    if !is_mark(first) {
        let defect = AgentDefect::new(
            AgentCode::NoFrontMatter,
            "",
            "the file does not begin with front matter",
        );
        told.add(
            start..start + first.trim_end().len(),
            defect.help(
                "begin with a line `---`, then `name: …`, `description: …` and another line `---`",
            ),
        );
        return None;
    }
    let opening = start..start + MARK.len();
    let yaml_start = start + first.len();
    let Some((end, mark)) = lines.find(|(_, line)| is_mark(line)) else {
        let defect = AgentDefect::new(
            AgentCode::UnclosedFrontMatter,
            "",
            "the front matter has no end",
        );
        told.add(
            opening,
            defect.help("put a line `---` between the keys and the prompt"),
        );
        return None;
    };
    let body_start = end + mark.len();
    Some(Parts {
        opening,
        yaml: yaml_start..end,
        body_start,
        body: &text[body_start..],
    })
}

fn is_mark(line: &str) -> bool {
    line.strip_prefix(MARK)
        .is_some_and(|rest| rest.trim_matches([' ', '\t', '\r', '\n']).is_empty())
}

impl Parts<'_> {
    /// The prompt, without the blank lines around it and with plain line ends.
    pub(crate) fn prompt(&self, told: &mut Told<'_>) -> String {
        let prompt = self.body.trim().replace("\r\n", "\n");
        if let Some(defect) = check::prompt(&prompt) {
            let place = if defect.code == AgentCode::HiddenCharacters {
                self.hidden()
            } else {
                self.body_start..self.body_start + self.body.len()
            };
            told.add(place, defect);
        }
        prompt
    }

    /// The first character of the prompt that is not what it seems.
    fn hidden(&self) -> Range<usize> {
        let mut start = self.body_start;
        for line in self.body.split_inclusive('\n') {
            let shown = line.strip_suffix('\n').unwrap_or(line);
            let shown = shown.strip_suffix('\r').unwrap_or(shown);
            if let Some(at) = check::hidden(shown) {
                let width = shown[at..].chars().next().map_or(0, char::len_utf8);
                return start + at..start + at + width;
            }
            start += line.len();
        }
        self.body_start..self.body_start
    }
}
