//! Failures: the errors of attempts, read from the store and shown in full.

use std::collections::BTreeMap;

use serde_json::Value;
use zeph_common::{Boundary, head_tail};
use zeph_executor::TaskErrorRecord;
use zeph_graph::{ContentId, RunId};
use zeph_memory::RawGraphStore;

use super::page::Page;
use crate::exit::CliError;

/// The most bytes of a text in a failure's detail.
const DETAIL_BYTES: usize = 2048;

/// Errors by the id of their content.
pub(crate) type Errors = BTreeMap<ContentId, TaskErrorRecord>;

/// Reads all errors in one call of the store.
pub(crate) async fn read(
    store: &dyn RawGraphStore,
    run: &RunId,
    ids: &[ContentId],
) -> Result<Errors, CliError> {
    if ids.is_empty() {
        return Ok(Errors::new());
    }
    let parts = store.contents(run, ids).await?;
    let read = |part: &zeph_memory::Content| {
        let record = serde_json::from_slice(&part.bytes).ok()?;
        Some((part.id, record))
    };
    Ok(parts.iter().filter_map(read).collect())
}

/// Renders an error: its message, its causes and its details.
pub(crate) fn render(page: &mut Page, indent: usize, error: &TaskErrorRecord) {
    page.block(indent, &format!("{} [{}]", error.message, error.code));
    for cause in &error.chain {
        page.block(indent + 2, &format!("caused by: {cause}"));
    }
    match &error.detail {
        Some(Value::Object(facts)) => {
            for (name, value) in facts {
                detail(page, indent + 2, &name.replace('_', " "), value);
            }
        }
        Some(value) => detail(page, indent + 2, "detail", value),
        None => {}
    }
}

fn detail(page: &mut Page, indent: usize, name: &str, value: &Value) {
    let text = match value {
        Value::Null => return,
        Value::String(text) if text.trim().is_empty() => return,
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    };
    let text = head_tail(text.trim_end(), DETAIL_BYTES, Boundary::Char).to_string();
    if text.contains('\n') {
        page.block(indent, &format!("{name}:"));
        page.block(indent + 2, &text);
    } else {
        page.block(indent, &format!("{name}: {text}"));
    }
}

#[cfg(test)]
mod tests {
    use super::render;
    use crate::read::page::Page;
    use serde_json::json;
    use zeph_executor::{TaskError, TaskErrorRecord};

    #[test]
    fn an_error_shows_its_causes_and_facts() {
        let error = TaskError::permanent("cannot fetch\x1b[2J")
            .with_code("http")
            .with_source("connection refused")
            .with_detail(json!({ "exit": 3, "stderr": "one\ntwo\n", "empty": "" }));
        let mut page = Page::of_width(None);
        render(&mut page, 2, &TaskErrorRecord::from(&error));
        let wanted = "  cannot fetch [http]\n    caused by: connection refused\n    exit: 3\n    stderr:\n      one\n      two\n";
        assert_eq!(page.plain(), wanted);
    }
}
