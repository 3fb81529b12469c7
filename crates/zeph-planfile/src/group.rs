//! The group of the runs of a plan: `group` and `on_conflict`.

use std::collections::BTreeMap;

use zeph_diagnostics::{Diagnostic, Diagnostics, Table};
use zeph_graph::{Group, OnConflict};

use crate::code;
use crate::task::{Mode, Use};

pub(crate) const KEY: &str = "group";
pub(crate) const ON_CONFLICT: &str = "on_conflict";

/// The group of a plan, before its parameters have values.
#[derive(Clone, Debug)]
pub(crate) struct PlanGroup {
    pub(crate) name: Use,
    on_conflict: OnConflict,
}

pub(crate) fn read(fields: &Table<'_>, problems: &mut Diagnostics) -> Option<PlanGroup> {
    let on_conflict = fields.read(ON_CONFLICT, |node, _| {
        let what = format!("`{ON_CONFLICT}`");
        node.parse::<OnConflict>(&what, OnConflict::WORDS, problems)
    });
    let Some(node) = fields.get(KEY) else {
        if let Some(entry) = fields.entry(ON_CONFLICT) {
            let message = format!("`{ON_CONFLICT}` has no meaning without `{KEY}`");
            let one = Diagnostic::new(code::MISPLACED_KEY, message).at(entry.key_span);
            problems.push(one.help("add `group = \"NAME\"`"));
        }
        return None;
    };
    let name = node.string("`group`", problems)?.to_owned();
    let group = PlanGroup {
        name: Use::new(name, node, Mode::Early),
        on_conflict: on_conflict.unwrap_or_default(),
    };
    if !group.name.text.contains("${{") {
        group.store(&group.name.text, &mut BTreeMap::new(), problems);
    }
    Some(group)
}

impl PlanGroup {
    /// Stores the group with its name of the parameters' values.
    pub(crate) fn store(
        &self,
        name: &str,
        metadata: &mut BTreeMap<String, String>,
        problems: &mut Diagnostics,
    ) {
        match Group::new(name, self.on_conflict) {
            Ok(group) => group.store(metadata),
            Err(error) => {
                let one = Diagnostic::new(code::BAD_VALUE, error.to_string());
                problems.push(one.at(self.name.place));
            }
        }
    }
}
