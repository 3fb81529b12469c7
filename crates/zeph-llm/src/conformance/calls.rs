//! Cases: tools and schemas that the provider has.

use std::collections::BTreeSet;

use super::Outcome;
use super::bench::{Bench, in_time};
use crate::{LlmProviderExt as _, StopReason, TypedError};

impl Bench {
    pub(super) async fn calls_tools(&self) -> Result<Outcome, String> {
        let Some(request) = &self.sample.tool else {
            return Ok(Outcome::Skipped);
        };
        let response = self.answer(request).await?;
        if response.tool_calls.is_empty() || response.stop != StopReason::ToolCalls {
            let stop = response.stop;
            return Err(format!("it called no tool, and stopped with {stop:?}"));
        }
        let offered: BTreeSet<&str> = request
            .tools
            .iter()
            .map(|tool| tool.name.as_str())
            .collect();
        let mut ids = BTreeSet::new();
        for call in &response.tool_calls {
            if !offered.contains(call.name.as_str()) {
                return Err(format!("it called {:?}, which is not offered", call.name));
            }
            if call.id.is_empty() || !ids.insert(&call.id) {
                return Err(format!(
                    "the id {:?} of a call is empty or not its own",
                    call.id
                ));
            }
        }
        Ok(Outcome::Passed)
    }

    pub(super) async fn fits_schema(&self) -> Result<Outcome, String> {
        let Some((request, schema)) = &self.sample.typed else {
            return Ok(Outcome::Skipped);
        };
        let call = self.provider.complete_schema(request, schema, "sample");
        match in_time(call).await? {
            Ok(_) => Ok(Outcome::Passed),
            Err(TypedError::Schema(problems)) => Err(format!("the sample's schema: {problems}")),
            Err(error) => Err(error.to_string()),
        }
    }
}
