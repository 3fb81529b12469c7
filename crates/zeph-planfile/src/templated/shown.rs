//! What the attempts of a command got, for people to read.

use std::collections::BTreeSet;

use serde_json::Value;
use zeph_executor::{Artifact, TaskError, TaskInput};
use zeph_graph::RunId;

use super::{CHECK, Filler, LIST, Reader, artifacts, taken};
use crate::matrix::group_of;
use crate::references::{Reference, references_in};
use crate::template::texts_mut;
use crate::values::RunValues;

impl RunValues {
    /// The parameters of a command with values, as its attempts got them, for people to read. An expression
    /// that uses a secret becomes `‹redacted: NAME›`.
    ///
    /// # Errors
    /// As an attempt: an expression has no value.
    pub fn shown_params(
        &self,
        run: &RunId,
        task: &str,
        mut input: TaskInput,
    ) -> Result<Value, TaskError> {
        let mut params = std::mem::take(&mut input.params);
        taken(&mut params, CHECK);
        if input.item.is_some() {
            taken(&mut params, LIST);
        }
        let name = |artifact: &Artifact| format!("‹artifact: {}›", artifact.name);
        let artifacts = artifacts::described(&params, &input, name);
        let filler = Filler::new(self, Reader::Person, (run, task), &input, &artifacts);
        let mut filled = filler.fill(params)?;
        // The item is a value, and no template.
        if let (Some(item), Some(fields)) = (input.item, filled.as_object_mut()) {
            fields.insert("item".to_owned(), item.value);
        }
        Ok(filled)
    }

    /// Those parents of a task whose outputs the expressions in its parameters use. The name of a task with a
    /// matrix means all of its cells.
    pub fn used_parents<'a>(
        params: &Value,
        parents: impl IntoIterator<Item = &'a str>,
    ) -> BTreeSet<String> {
        let mut params = params.clone();
        let texts = texts_mut(&mut params).into_iter();
        let used = texts
            .flat_map(|text| references_in(text.as_str().unwrap_or_default()))
            .filter_map(|reference| match reference {
                Reference::Task { name, .. } => Some(name),
                Reference::Param(_)
                | Reference::Run(_)
                | Reference::Item
                | Reference::ItemIndex => None,
            });
        let used: BTreeSet<String> = used.collect();
        let is_used = |name: &&str| {
            used.contains(*name) || group_of(name).is_some_and(|group| used.contains(group))
        };
        let parents = parents.into_iter().filter(is_used);
        parents.map(str::to_owned).collect()
    }
}
