//! Cases: tools and schemas that the provider supports.

use std::collections::BTreeSet;

use super::Outcome;
use super::harness::Harness;
use crate::{AnswerSchema, LlmProvider as _, StopReason};

impl Harness {
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
                return Err(format!("it called {:?}, which was not offered", call.name));
            }
            if call.id.is_empty() || !ids.insert(&call.id) {
                return Err(format!(
                    "the id {:?} of a call is empty or not unique",
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
        let schema = AnswerSchema::new("sample", schema.clone());
        let schema = schema.map_err(|error| format!("the sample: {error}"))?;
        let support = self.provider.capabilities().schema;
        let asked = schema.ask(request, support, self.provider.name());
        let (request, mode) = asked.map_err(|error| error.to_string())?;
        let response = self.answer(&request).await?;
        let read = schema.read(response, mode);
        read.map_err(|error| error.to_string())?;
        Ok(Outcome::Passed)
    }
}
