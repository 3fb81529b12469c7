//! Checks of the tasks that a patch removes, as far as the graph knows them.

use std::collections::HashSet;

use zeph_diagnostics::quote;

use super::super::{Diagnostic, Diagnostics, GraphSpec, code};
use crate::TaskGraph;

/// Checks the names of the removed tasks, and returns those that the base has.
pub(super) fn check<'a>(
    spec: &'a GraphSpec,
    base: Option<&TaskGraph>,
    found: &mut Diagnostics,
) -> HashSet<&'a str> {
    let mut removed = HashSet::with_capacity(spec.removes.len());
    for name in spec.removes.iter().map(String::as_str) {
        let bad = |message: String| Diagnostic::new(code::BAD_REMOVAL, message).subject(name);
        let Some(base) = base else {
            let text = format!(
                "task {} is removed, but only a patch can do that",
                quote(name)
            );
            found.push(bad(text));
            continue;
        };
        let Some(id) = base.find(name) else {
            let text = format!("task {} is removed, but does not exist", quote(name));
            let near = found.suggest(name, base.names());
            found.push(bad(text).suggest(near));
            continue;
        };
        if base.is_removed(id) {
            found.push(bad(format!("task {} was removed before", quote(name))));
        } else if base.item(id).is_some() {
            let text = format!("task {} is one of many", quote(name));
            found.push(bad(text).help("skip it, or remove the task that has the `foreach`"));
        } else if !removed.insert(name) {
            found.push(bad(format!("task {} is removed twice", quote(name))));
        }
    }
    removed
}
