//! Templates: parsing and rendering of texts with `${{ }}`.

use std::borrow::Cow;

use serde_json::Value;

use crate::references::end_of_expression;

const OPEN: &str = "${{";

/// A text with expressions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Template(Vec<Part>);

/// A part of a template. Texts are never empty and never follow each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// A literal text.
    Text(String),
    /// The expression between `${{` and `}}`, trimmed.
    Expression(String),
}

/// An expression without an end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unclosed {
    pub(crate) rest: String,
}

impl Template {
    /// Splits a text into its parts. `$${{` is an escaped `${{`; each further `$` before it is literal.
    pub(crate) fn parse(text: &str) -> Result<Self, Unclosed> {
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(OPEN) {
            let before = &rest[..at];
            let dollars = before.len() - before.trim_end_matches('$').len();
            let after = &rest[at + OPEN.len()..];
            if dollars > 0 {
                // One dollar is the escape, but the dollar of `${{` is literal: the number is the same.
                literal.push_str(before);
                literal.push_str("{{");
                rest = after;
                continue;
            }
            let Some(end) = end_of_expression(after) else {
                let rest = rest[at..].chars().take(80).collect();
                return Err(Unclosed { rest });
            };
            literal.push_str(before);
            if !literal.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut literal)));
            }
            parts.push(Part::Expression(after[..end].trim().to_owned()));
            rest = &after[end + 2..];
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            parts.push(Part::Text(literal));
        }
        Ok(Self(parts))
    }

    /// The text with the values of its expressions.
    pub(crate) fn fill<E>(
        &self,
        mut value: impl FnMut(&str) -> Result<String, E>,
    ) -> Result<String, E> {
        let parts = self.0.iter().map(|part| match part {
            Part::Text(text) => Ok(text.clone()),
            Part::Expression(expression) => value(expression),
        });
        parts.collect()
    }

    /// The expression, if nothing but a line break follows it: whole outputs have one at their end.
    pub(crate) fn sole(&self) -> Option<&str> {
        match &self.0[..] {
            [Part::Expression(expression)] => Some(expression),
            [Part::Expression(expression), Part::Text(end)] if end == "\n" => Some(expression),
            _ => None,
        }
    }

    pub(crate) fn expressions(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|part| match part {
            Part::Text(_) => None,
            Part::Expression(expression) => Some(expression.as_str()),
        })
    }

    pub(crate) fn has_expressions(&self) -> bool {
        self.expressions().next().is_some()
    }

    /// The expression, if it is the whole template.
    pub(crate) fn single(&self) -> Option<&str> {
        match &self.0[..] {
            [Part::Expression(expression)] => Some(expression),
            _ => None,
        }
    }

    /// The text before the first expression.
    pub(crate) fn prefix(&self) -> &str {
        match self.0.first() {
            Some(Part::Text(text)) => text,
            Some(Part::Expression(_)) | None => "",
        }
    }
}

/// What an expression of a text is replaced by.
pub(crate) enum Replaced {
    /// Another expression.
    Expression(String),
    /// A text, which has no `${{` and does not become one behind a `$`.
    Text(String),
}

/// The text with all expressions replaced. What cannot be parsed stays as it is.
pub(crate) fn rewrite(text: &str, mut replace: impl FnMut(&str) -> Replaced) -> String {
    let (mut made, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(at) = rest.find(OPEN) {
        let after = &rest[at + OPEN.len()..];
        let is_escaped = rest[..at].ends_with('$');
        let end = if is_escaped {
            None
        } else {
            end_of_expression(after)
        };
        let Some(end) = end else {
            made.push_str(&rest[..at + OPEN.len()]);
            rest = after;
            continue;
        };
        made.push_str(&rest[..at]);
        match replace(after[..end].trim()) {
            Replaced::Expression(expression) => {
                made.push_str(&format!("{OPEN} {expression} }}}}"));
            }
            Replaced::Text(text) => made.push_str(&text),
        }
        rest = &after[end + 2..];
    }
    made.push_str(rest);
    made
}

/// The texts of a JSON value that may be templates.
pub(crate) fn texts_mut(value: &mut Value) -> Vec<&mut Value> {
    let (mut open, mut texts) = (vec![value], Vec::new());
    while let Some(value) = open.pop() {
        match value {
            Value::String(text) if text.contains(OPEN) => texts.push(value),
            Value::Array(items) => open.extend(items),
            Value::Object(fields) => open.extend(fields.values_mut()),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    texts
}

/// The template whose value is this text: `${{` is escaped.
pub(crate) fn escape(text: &str) -> Cow<'_, str> {
    if text.contains(OPEN) {
        Cow::Owned(text.replace(OPEN, "$${{"))
    } else {
        Cow::Borrowed(text)
    }
}

#[cfg(test)]
mod tests {
    use super::{Part, Template, escape};
    use proptest::prelude::*;

    fn parts(text: &str) -> Vec<Part> {
        Template::parse(text).unwrap().0
    }

    fn text(text: &str) -> Part {
        Part::Text(text.into())
    }

    fn expression(text: &str) -> Part {
        Part::Expression(text.into())
    }

    #[test]
    fn texts_are_taken_apart() {
        assert_eq!(parts(""), []);
        assert_eq!(parts("a $b {{ c }}"), [text("a $b {{ c }}")]);
        assert_eq!(parts("${{a}}${{ b }}"), [expression("a"), expression("b")]);
        assert_eq!(parts("a$${{ b }}"), [text("a${{ b }}")]);
        assert_eq!(parts("$$${{"), [text("$${{")]);
        assert_eq!(
            parts("x${{ {'a': {'b': '}}'}} }}y"),
            [text("x"), expression("{'a': {'b': '}}'}}"), text("y")]
        );
        assert!(Template::parse("a ${{ b }").is_err());
        assert!(Template::parse("a ${{ 'b }}").is_err());
    }

    proptest! {
        #[test]
        fn a_quoted_text_stands_for_itself(given in "[${}a ]{0,24}") {
            let expected = if given.is_empty() { vec![] } else { vec![text(&given)] };
            prop_assert_eq!(parts(&escape(&given)), expected);
        }
    }
}
