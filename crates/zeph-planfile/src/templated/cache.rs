//! The part of a preparation from which the key of a result is computed.

use serde_json::{Value, json};
use zeph_executor::{Artifact, TaskContext, TaskError, TaskInput};

use super::{Filler, Reader, THAT, Templated, artifacts, taken};
use crate::references::Reference;
use crate::template::Template;

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
        let of = (cx.run(), cx.name());
        let fill = |value: Value| {
            let artifacts = artifacts::described(&value, input, hash);
            Filler::new(&self.values, Reader::Cache, of, input, &artifacts).fill(value.clone())
        };
        let mut filled = fill(cache)?;
        filled["params"] = fill(params.clone())?;
        // A result that passed another check does not count, and neither does one that the same check compared
        // with another value.
        if let Some(check) = check {
            let mut key = check.clone();
            let that = taken(&mut key, THAT);
            let mut key = json!({ "asked": fill(key)? });
            if let Some(that) = that {
                let artifacts = artifacts::described(&that, input, hash);
                let filler = Filler::new(&self.values, Reader::Cache, of, input, &artifacts);
                key["values"] = filler.values_of_check(&that)?;
                key[THAT] = that;
            }
            filled["also"] = key;
        }
        input.preparation[CACHE] = filled;
        Ok(())
    }
}

impl Filler<'_> {
    /// The values that the expression of a check compares a result with.
    fn values_of_check(&self, that: &Value) -> Result<Value, TaskError> {
        let text = that.as_str().unwrap_or_default();
        let template = Template::parse(text)
            .map_err(|unclosed| self.failed(&unclosed.rest, "it has no end"))?;
        let values = template.expressions().map(|expression| {
            let used = self.used(expression)?;
            let mut values = self.context(&used)?;
            let is_run = |one: &Reference| matches!(one, Reference::Run(_));
            if !used.iter().any(is_run) {
                // Every run has another id.
                taken(&mut values, "run");
            }
            Ok(values)
        });
        values.collect()
    }
}

fn hash(artifact: &Artifact) -> String {
    let hash = blake3::hash(&artifact.bytes);
    format!("artifact {hash} {} {}", artifact.executable, artifact.name)
}
