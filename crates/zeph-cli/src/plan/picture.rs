//! Pictures of what is wrong with a plan: each problem with a caret under its place.

use std::fmt;

use miette::{
    Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, SourceCode,
};
use serde_json::{Value, json};
use zeph_planfile::{PlanDiagnostic, PlanErrors};

use crate::exit::{CliError, Exit};

/// More problems than that do not help anybody at once.
const SHOWN: usize = 20;

/// The problems for people, with carets, and for programs, as JSON.
pub(crate) fn error(errors: &PlanErrors) -> CliError {
    let all = errors.as_slice();
    let name = zeph_common::escape_terminal(errors.source_text().name()).into_owned();
    let source = NamedSource::new(&name, harmless(errors.source_text().text()));
    let handler = GraphicalReportHandler::new_themed(theme()).with_links(false);
    let mut picture = String::new();
    for one in all.iter().take(SHOWN) {
        let problem = Problem {
            one,
            source: &source,
        };
        // Writing to a string does not fail; without its picture a problem is told in words.
        if handler.render_report(&mut picture, &problem).is_err() {
            picture.push_str(&one.to_string());
        }
        picture.push('\n');
    }
    if all.len() > SHOWN {
        picture.push_str(&format!("… and {} more problems\n\n", all.len() - SHOWN));
    }
    let message = match all.len() {
        1 => format!("{name} has a problem"),
        many => format!("{name} has {many} problems"),
    };
    picture.push_str(&message);
    let diagnostics = all.iter().map(|one| to_json(errors, one)).collect();
    CliError {
        diagnostics,
        picture: Some(picture),
        ..CliError::new(Exit::Usage, message).code("invalid_plan")
    }
}

fn theme() -> GraphicalTheme {
    let stderr = std::io::stderr();
    if anstream::AutoStream::choice(&stderr) == anstream::ColorChoice::Never {
        GraphicalTheme::unicode_nocolor()
    } else {
        GraphicalTheme::unicode()
    }
}

fn to_json(errors: &PlanErrors, one: &PlanDiagnostic) -> Value {
    let mut json = json!({ "code": one.code.text(), "message": one.message });
    if let Some(help) = &one.help {
        json["help"] = help.as_str().into();
    }
    if let Some(span) = &one.span {
        let (line, column) = errors.source_text().line_column(span.start);
        json["line"] = line.into();
        json["column"] = column.into();
        json["bytes"] = json!([span.start, span.end]);
    }
    if let Some(pointer) = &one.pointer {
        json["pointer"] = pointer.as_str().into();
    }
    json
}

/// The text with everything that could act on a terminal replaced, byte for byte, so that places
/// stay where they are.
fn harmless(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    let mut buffer = [0; 4];
    for c in text.chars() {
        let is_layout = c == '\n' || c == '\t' || (' '..='~').contains(&c);
        let one = &*c.encode_utf8(&mut buffer);
        if is_layout || zeph_common::escape_terminal(one) == one {
            safe.push(c);
        } else {
            safe.extend(std::iter::repeat_n('?', c.len_utf8()));
        }
    }
    safe
}

struct Problem<'a> {
    one: &'a PlanDiagnostic,
    source: &'a NamedSource<String>,
}

impl fmt::Debug for Problem<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.one, f)
    }
}

impl fmt::Display for Problem<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.one.message)?;
        if let Some(pointer) = self.one.pointer.as_ref().filter(|p| !p.is_empty()) {
            write!(f, " (at {pointer})")?;
        }
        write!(f, " [{}]", self.one.code.text())
    }
}

impl std::error::Error for Problem<'_> {}

impl Diagnostic for Problem<'_> {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        let help = self.one.help.as_ref()?;
        Some(Box::new(help))
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.one.span.as_ref()?;
        Some(self.source)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let span = self.one.span.clone()?;
        let label = LabeledSpan::new_with_span(Some("here".to_owned()), span);
        Some(Box::new(std::iter::once(label)))
    }
}

#[cfg(test)]
mod tests {
    use super::harmless;

    #[test]
    fn what_could_act_is_replaced_in_place() {
        let nasty = "a\x1b[31m\u{202E}b\r\nä\t";
        let safe = harmless(nasty);
        assert_eq!(safe, "a?[31m???b?\nä\t");
        assert_eq!(safe.len(), nasty.len());
    }
}
