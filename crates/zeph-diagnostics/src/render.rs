//! The renderer: each diagnostic with the line that it is about and a caret under the span.

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

use crate::{Diagnostic, Diagnostics, Severity, Source, Span};

/// How [`render`] writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Text without escape sequences.
    Plain,
    /// With colours for a terminal.
    Colored,
}

/// The diagnostics for a person, each with its lines.
///
/// Safe to print: every character of a source that would act on a terminal is replaced. See the
/// [crate] for an example.
#[must_use]
pub fn render(diagnostics: &Diagnostics, style: Style) -> String {
    let renderer = match style {
        Style::Plain => Renderer::plain(),
        Style::Colored => Renderer::styled(),
    };
    let mut text = String::new();
    for (index, one) in diagnostics.iter().enumerate() {
        if index > 0 {
            text.push('\n');
        }
        render_one(one, &renderer, &mut text);
        text.push('\n');
    }
    match diagnostics.hidden(diagnostics.len()) {
        0 => {}
        more => text.push_str(&format!("\n… and {more} more\n")),
    }
    text
}

fn render_one(one: &Diagnostic, renderer: &Renderer, text: &mut String) {
    let level = match one.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    };
    let lines = match (&one.source, one.span) {
        (Some(source), Some(span)) => Some(Lines::new(source, span)),
        _ => None,
    };
    let place = match &lines {
        None => one.place(),
        Some(_) => None,
    };
    let message = match &place {
        Some(place) => format!("{place}: {}", one.message),
        None => one.message.clone(),
    };
    let mut group = level
        .primary_title(message)
        .id(one.code.text())
        .elements(Vec::<annotate_snippets::Element<'_>>::new());
    if let Some(lines) = &lines {
        let primary = AnnotationKind::Primary.span(lines.span.start..lines.span.end);
        let snippet = Snippet::source(&lines.text)
            .line_start(lines.first)
            .path(&lines.name)
            .annotation(primary);
        group = group.element(snippet);
    }
    if let Some(help) = &one.help {
        group = group.element(Level::HELP.message(help));
    }
    text.push_str(&renderer.render(&[group]));
}

/// The lines of a source that a span is in, safe to print.
struct Lines {
    name: String,
    text: String,
    /// The number of the first line.
    first: usize,
    /// The span in `text`.
    span: Span,
}

impl Lines {
    fn new(source: &Source, span: Span) -> Self {
        let text = source.text();
        let start = text[..span.start].rfind('\n').map_or(0, |at| at + 1);
        // A span of many lines is shown by its first one.
        let line_end = text[span.start..]
            .find('\n')
            .map_or(text.len(), |at| span.start + at);
        let first = text[..start].bytes().filter(|&byte| byte == b'\n').count() + 1;
        Self {
            name: zeph_common::escape_terminal(source.name()).into_owned(),
            text: harmless(&text[start..line_end]),
            first,
            span: (span.start - start..span.end.min(line_end) - start).into(),
        }
    }
}

/// The text with each character that could act on a terminal replaced by as many bytes, so that spans
/// stay where they are.
fn harmless(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    let mut buffer = [0; 4];
    for c in text.chars() {
        let one = &*c.encode_utf8(&mut buffer);
        if c == '\t' || zeph_common::escape_terminal(one) == one {
            safe.push(c);
        } else {
            safe.extend(std::iter::repeat_n('?', c.len_utf8()));
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::{Style, harmless, render};
    use crate::{Diagnostic, Diagnostics, Severity, Source, code};

    #[test]
    fn a_problem_has_its_line_and_a_caret() {
        let source = Source::new("a.toml", "x = 1\ny = 'ä' \u{202e}\nz = [\n1]\n");
        let mut problems = Diagnostics::in_source(&source);
        problems.push(Diagnostic::new(code::WRONG_TYPE, "`y` must be an integer").at(10..14));
        let several = Diagnostic::new(code::BAD_VALUE, "`z` is wrong").at(23..29);
        problems.push(several.help("leave it out").severity(Severity::Warning));
        let flag = Source::without_text("flag --x");
        problems.push(Diagnostic::new(code::BAD_VALUE, "`x` is wrong").in_source(&flag));
        let wanted = "\
error[wrong_type]: `y` must be an integer
 --> a.toml:2:5
  |
2 | y = 'ä' ???
  |     ^^^

warning[bad_value]: `z` is wrong
 --> a.toml:3:5
  |
3 | z = [
  |     ^
  |
  = help: leave it out

error[bad_value]: flag --x: `x` is wrong
";
        assert_eq!(render(&problems, Style::Plain), wanted);
        let colored = render(&problems, Style::Colored);
        assert!(colored.contains("\u{1b}[") && !colored.contains('\u{202e}'));
    }

    #[test]
    fn a_span_at_the_end_of_the_text_is_shown() {
        let source = Source::new("a", "");
        let mut problems = Diagnostics::in_source(&source);
        problems.push(Diagnostic::new(code::SYNTAX, "nothing there").at(0..0));
        let shown = render(&problems, Style::Plain);
        assert!(
            shown.starts_with("error[syntax]: nothing there\n --> a:1:1\n"),
            "{shown}"
        );
    }

    #[test]
    fn what_could_act_is_replaced_in_place() {
        let nasty = "a\x1b[31m\u{202E}b\rä\t";
        let safe = harmless(nasty);
        assert_eq!(safe, "a?[31m???b?ä\t");
        assert_eq!(safe.len(), nasty.len());
    }
}
