//! The two parts of an agent definition: the YAML front matter between two lines `---`, and the prompt.

use zeph_diagnostics::{Diagnostic, Diagnostics, Span};

use crate::agent::{check, code};

/// The line before and after the front matter.
const MARK: &str = "---";

/// The parts of an agent definition, as ranges of its text.
pub(super) struct Parts<'t> {
    /// The line that opens the front matter.
    pub(super) opening: Span,
    /// The lines between the two mark lines.
    pub(super) yaml: Span,
    body_start: usize,
    body: &'t str,
}

/// Splits a text at its mark lines; the first line must be one. `None` if a problem was reported.
pub(super) fn split<'t>(text: &'t str, problems: &mut Diagnostics) -> Option<Parts<'t>> {
    let mut at = if text.starts_with('\u{FEFF}') { 3 } else { 0 };
    let mut lines = text[at..].split_inclusive('\n').map(|line| {
        let start = at;
        at += line.len();
        (start, line)
    });
    let (start, first) = lines.next().unwrap_or((0, ""));
    if !is_mark(first) {
        let message = "the file does not begin with front matter";
        let problem = Diagnostic::new(code::NO_FRONT_MATTER, message);
        problems.push(problem.at(start..start + first.trim_end().len()).help(
            "begin with a line `---`, then `name: …`, `description: …` and another line `---`",
        ));
        return None;
    }
    let opening = Span::from(start..start + MARK.len());
    let yaml_start = start + first.len();
    let Some((end, mark)) = lines.find(|(_, line)| is_mark(line)) else {
        let problem = Diagnostic::new(code::UNCLOSED_FRONT_MATTER, "the front matter has no end");
        problems.push(
            problem
                .at(opening)
                .help("put a line `---` between the keys and the prompt"),
        );
        return None;
    };
    let body_start = end + mark.len();
    Some(Parts {
        opening,
        yaml: (yaml_start..end).into(),
        body_start,
        body: &text[body_start..],
    })
}

fn is_mark(line: &str) -> bool {
    line.strip_prefix(MARK)
        .is_some_and(|rest| rest.trim_matches([' ', '\t', '\r', '\n']).is_empty())
}

impl Parts<'_> {
    /// The prompt, without the white space around it and with `\n` as line ends. Reports its problems.
    pub(super) fn prompt(&self, problems: &mut Diagnostics) -> String {
        let prompt = self.body.trim().replace("\r\n", "\n");
        if let Some(problem) = check::prompt(&prompt) {
            let span = if problem.code == code::HIDDEN_CHARACTERS {
                self.hidden_span()
            } else {
                (self.body_start..self.body_start + self.body.len()).into()
            };
            problems.push(problem.at(span));
        }
        prompt
    }

    /// The span of the first hidden character of the prompt.
    fn hidden_span(&self) -> Span {
        let mut start = self.body_start;
        for line in self.body.split_inclusive('\n') {
            let shown = line.strip_suffix('\n').unwrap_or(line);
            let shown = shown.strip_suffix('\r').unwrap_or(shown);
            if let Some(at) = check::hidden(shown) {
                let width = shown[at..].chars().next().map_or(0, char::len_utf8);
                return (start + at..start + at + width).into();
            }
            start += line.len();
        }
        (self.body_start..self.body_start).into()
    }
}
