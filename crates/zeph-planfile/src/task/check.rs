//! `check`: what a result must satisfy to be accepted.

use serde_json::{Map, Value as Json};
use zeph_diagnostics::{Diagnostic, Diagnostics, Node, Table, Value};
use zeph_graph::wire::WorkSpec;

use super::{Draft, Mode, Use, one_expression};
use crate::code;
use crate::template::{escape, texts_mut};
use crate::templated::{CHECK, CHECK_KEYS, JUDGE, SCHEMA, THAT};

/// Reads `check`, and adds it to the parameters of the work.
pub(super) fn read(fields: &Table<'_>, draft: &mut Draft, problems: &mut Diagnostics) {
    let Some(node) = fields.get(CHECK) else {
        return;
    };
    let check = parts(node, draft, problems);
    if let WorkSpec::Action { params, .. } = &mut draft.spec.work {
        params[CHECK] = check.into();
    }
}

/// The parts: one expression alone is the part `that`.
fn parts(node: &Node, draft: &mut Draft, problems: &mut Diagnostics) -> Map<String, Json> {
    let mut check = Map::new();
    if let Value::String(_) = node.value {
        that(CHECK, node, draft, &mut check, problems);
        return check;
    }
    let Some(table) = node.table("`check`", &CHECK_KEYS, problems) else {
        return check;
    };
    if table.entries().is_empty() {
        let one = Diagnostic::new(code::MISSING_KEY, "`check` is empty").at(node.span);
        problems.push(
            one.help("write `check = \"${{ … }}\"`, or a table with `schema`, `that` or `judge`"),
        );
    }
    if let Some(node) = table.get(SCHEMA) {
        if matches!(node.value, Value::Table(_)) {
            let mut schema = node.to_json();
            // The texts of a schema are not templates.
            for text in texts_mut(&mut schema) {
                *text = escape(text.as_str().unwrap_or_default()).into();
            }
            check.insert(SCHEMA.to_owned(), schema);
        } else {
            let message = "`schema` must be a JSON Schema: a table";
            problems.push(Diagnostic::new(code::WRONG_TYPE, message).at(node.span));
        }
    }
    if let Some(node) = table.get(THAT) {
        that(THAT, node, draft, &mut check, problems);
    }
    if let Some(node) = table.get(JUDGE)
        && let Some(text) = node.string("`judge`", problems)
    {
        if text.trim().is_empty() {
            let one = Diagnostic::new(code::BAD_VALUE, "`judge` is empty").at(node.span);
            problems.push(
                one.help("write what the result must do: `judge = \"Does it name its sources?\"`"),
            );
        }
        draft.uses.push(Use::new(text, node, Mode::Visible));
        check.insert(JUDGE.to_owned(), text.into());
    }
    check
}

fn that(
    key: &str,
    node: &Node,
    draft: &mut Draft,
    check: &mut Map<String, Json>,
    problems: &mut Diagnostics,
) {
    if let Some(text) = one_expression(key, node, problems) {
        draft.uses.push(Use::new(text, node, Mode::Result));
        check.insert(THAT.to_owned(), text.into());
    }
}
