//! `cache`: the files on which the result of a command depends.

use serde_json::json;
use zeph_diagnostics::{Diagnostic, Diagnostics, Table, Value};
use zeph_graph::wire::WorkSpec;

use super::Draft;
use super::command::file_patterns;
use crate::code;
use crate::foreign;
use crate::scope::Scope;
use crate::templated::CACHE;

const KEYS: [&str; 1] = ["inputs"];

const EXAMPLE: &str = "write `cache = { inputs = [\"src/**\"] }`";

/// Reads `cache`: a part of the preparation of the task.
pub(super) fn read(fields: &Table<'_>, draft: &mut Draft, problems: &mut Diagnostics) {
    let Some(node) = fields.get(CACHE) else {
        return;
    };
    if !matches!(node.value, Value::Table(_)) {
        let message = "`cache` must be a table with `inputs`";
        let one = Diagnostic::new(code::WRONG_TYPE, message).at(node.span);
        problems.push(one.help(EXAMPLE));
        return;
    }
    let Some(table) = node.table_with_help("`cache`", &KEYS, foreign::cache_key, problems) else {
        return;
    };
    let Some(inputs) = table.get("inputs") else {
        let one = Diagnostic::new(code::MISSING_KEY, "`cache` has no `inputs`").at(node.span);
        problems.push(one.help(EXAMPLE));
        return;
    };
    let patterns = file_patterns("inputs", inputs, &mut draft.uses, problems);
    draft.cache = Some(node.span);
    let prepare = draft.spec.prepare.get_or_insert_with(|| json!({}));
    prepare[CACHE] = json!({ "inputs": patterns });
}

impl Draft {
    /// Refuses a cache of a result that may depend on a secret: no key may hold one.
    pub(crate) fn check_cache(&self, scope: &Scope<'_>, problems: &mut Diagnostics) {
        let (Some(place), WorkSpec::Action { params, .. }) = (self.cache, &self.spec.work) else {
            return;
        };
        let passed = params["pass_env"].as_array().into_iter().flatten();
        let passed: Vec<&str> = passed.filter_map(|name| name.as_str()).collect();
        let what = match (scope.secret_in(params), passed.first()) {
            (Some(name), _) => format!("the secret {}", zeph_diagnostics::quote(&name)),
            (None, Some(name)) => format!(
                "the variable {} of `pass_env`, which holds a key or a secret",
                zeph_diagnostics::quote(name)
            ),
            (None, None) => return,
        };
        let message = format!(
            "a result with `cache` cannot depend on {what}: no key of a result may hold it"
        );
        let one = Diagnostic::new(code::SECRET_IN_CACHE, message).at(place);
        problems.push(
            one.help("remove `cache`, or do the part without the secret in a task of its own"),
        );
    }
}
