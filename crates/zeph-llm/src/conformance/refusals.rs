//! Cases: requests that must fail, with the right kind of error.

use serde_json::json;

use super::Outcome;
use super::harness::Harness;
use crate::{
    ErrorKind, LlmProvider, LlmRequest, OutputFormat, OutputSchema, SchemaSupport, ToolSpec,
};

impl Harness {
    pub(super) async fn refuses_tools(&self) -> Result<Outcome, String> {
        if self.provider.capabilities().tools {
            return Ok(Outcome::Skipped);
        }
        let request = self.sample.short.clone().tool(ToolSpec {
            name: "conformance".to_owned(),
            description: "Does nothing.".to_owned(),
            parameters: json!({"type": "object"}),
        });
        self.is_refused(&request, &[ErrorKind::Unsupported]).await
    }

    pub(super) async fn refuses_schemas(&self) -> Result<Outcome, String> {
        match self.provider.capabilities().schema {
            SchemaSupport::Schema => return Ok(Outcome::Skipped),
            SchemaSupport::Json | SchemaSupport::Prompt | SchemaSupport::Never => {}
        }
        let output = OutputFormat::Schema(OutputSchema {
            name: "conformance".to_owned(),
            schema: json!({"type": "object", "properties": {}, "additionalProperties": false}),
        });
        let request = self.sample.short.clone().output(output);
        let kinds = [ErrorKind::Unsupported, ErrorKind::SchemaRejected];
        self.is_refused(&request, &kinds).await
    }

    pub(super) async fn tells_unknown_model(&self) -> Result<Outcome, String> {
        let Some(request) = &self.sample.unknown_model else {
            return Ok(Outcome::Skipped);
        };
        self.is_refused(request, &[ErrorKind::UnknownModel]).await
    }

    async fn is_refused(
        &self,
        request: &LlmRequest,
        kinds: &[ErrorKind],
    ) -> Result<Outcome, String> {
        let Err(error) = self.call(request).await? else {
            return Err("the call succeeded".to_owned());
        };
        if !kinds.contains(&error.kind()) {
            return Err(format!(
                "the error has the kind {}: {error}",
                error.kind().word()
            ));
        }
        if error.provider().is_empty() {
            return Err("the error has no provider".to_owned());
        }
        Ok(Outcome::Passed)
    }
}
