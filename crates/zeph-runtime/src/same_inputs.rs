//! The part of a preparation with which a task of a retry keeps its result.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use zeph_executor::{ParentState, TaskOutput};
use zeph_graph::{ContentId, RunId, SuppliedWhy, Task};

use crate::active_run::ActiveRun;
use crate::attempt::{AttemptJob, SuppliedResult};
use crate::content::{read_output, redacted_output};
use crate::parents::{ParentRef, ends, filled, stored_outputs};
use crate::restore::contents;

/// The name of the part.
pub(crate) const PART: &str = "same_inputs";

/// The result of the earlier run, and the results that it was made of.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct SameInputs {
    /// The earlier run.
    pub(crate) run: String,
    /// Its content with the result; none for the null value.
    pub(crate) output: Option<ContentId>,
    /// The hashes of the results, by the names of the tasks.
    pub(crate) inputs: BTreeMap<String, String>,
}

/// What a preparation compares.
pub(crate) struct Comparison {
    same: SameInputs,
    inputs: Vec<ParentRef>,
}

impl ActiveRun {
    /// What the preparation of a task compares; `None` for a task that a retry does not let keep its result.
    pub(crate) fn comparison(&self, task: &Task) -> Option<Comparison> {
        let params = task.rules().prepare.as_ref()?.to_value().ok()?;
        let same = SameInputs::deserialize(&params[PART]).ok()?;
        let graph = self.scheduler.graph();
        let ids: Option<Vec<_>> = same.inputs.keys().map(|name| graph.find(name)).collect();
        let output = |parent, output| self.parent_output(parent, output);
        let inputs = ends(&self.scheduler, ids?.into_iter(), output);
        Some(Comparison { same, inputs })
    }
}

impl AttemptJob {
    /// The result of the earlier run, if all inputs are the same. None that cannot be read: the task runs.
    pub(crate) async fn kept(&self, parents_completed: bool) -> Option<SuppliedResult> {
        let Comparison { same, inputs } = self.comparison.as_ref()?;
        let is_done = |input: &ParentRef| input.state == ParentState::Completed;
        if !parents_completed || !inputs.iter().all(is_done) {
            return None;
        }
        let read = contents(&*self.store, &self.run, &stored_outputs(inputs)).await;
        let now = filled(inputs, &read.ok()?).ok()?;
        let is_same = same.inputs.iter().all(|(name, hash)| {
            let output = now.get(name).and_then(|parent| parent.output.as_deref());
            output.is_some_and(|output| output_hash(output) == *hash)
        });
        if !is_same {
            return None;
        }
        let output = match same.output {
            None => TaskOutput::null(),
            Some(id) => {
                let run: RunId = same.run.parse().ok()?;
                let parts = contents(&*self.store, &run, &[id]).await.ok()?;
                if !parts.iter().any(|part| part.name.is_empty()) {
                    return None;
                }
                (*read_output(&parts).ok()?).clone()
            }
        };
        self.check(&output).ok()?;
        let output = redacted_output(self.redact.as_deref(), output).ok()?;
        Some(SuppliedResult {
            output: output.into(),
            why: SuppliedWhy::SameInputs,
            from: None,
        })
    }
}

/// The hash of a whole result: the value, and the blobs with their names.
pub(crate) fn output_hash(output: &TaskOutput) -> String {
    let mut hasher = blake3::Hasher::new();
    let mut add = |bytes: &[u8]| {
        hasher.update(&(bytes.len() as u64).to_le_bytes());
        hasher.update(bytes);
    };
    add(output.value.to_string().as_bytes());
    for (name, bytes) in &output.blobs {
        add(name.as_bytes());
        add(bytes);
    }
    hasher.finalize().to_hex().to_string()
}
