//! The part of a preparation from which the key of a result is computed.

use serde_json::Value;
use zeph_executor::{Artifact, TaskContext, TaskError, TaskInput};

use super::{Filler, Reader, Templated, artifacts};
use crate::expression::Evaluator;

/// The parameter of a preparation that says on which files a result depends.
pub(crate) const CACHE: &str = "cache";

impl<E> Templated<E> {
    /// Replaces the expressions of the part, if there is one, and adds the parameters with their values to it.
    pub(super) fn fill_cache(
        &self,
        cx: &TaskContext,
        input: &mut TaskInput,
        params: &Value,
        check: Option<&Value>,
    ) -> Result<(), TaskError> {
        let fields = input.preparation.as_object_mut();
        let Some(cache) = fields.and_then(|fields| fields.remove(CACHE)) else {
            return Ok(());
        };
        let fill = |value: Value| {
            let filler = Filler {
                values: &self.values,
                reader: Reader::Cache,
                artifacts: &artifacts::described(&value, input, hash),
                run: cx.run(),
                task: cx.name(),
                input,
                sanitizer: None,
                evaluator: Evaluator::new(),
            };
            filler.fill(value.clone())
        };
        let mut filled = fill(cache)?;
        filled["params"] = fill(params.clone())?;
        // A result that passed another check does not count.
        if let Some(check) = check {
            filled["also"] = check.clone();
        }
        input.preparation[CACHE] = filled;
        Ok(())
    }
}

fn hash(artifact: &Artifact) -> String {
    let hash = blake3::hash(&artifact.bytes);
    format!("artifact {hash} {} {}", artifact.executable, artifact.name)
}
