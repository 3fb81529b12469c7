//! Tools as a server: what agents call here, an assistant calls over the protocol.

use std::sync::Arc;

use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, ErrorData,
    Implementation, JsonObject, ListToolsResult, PaginatedRequestParams, ServerCapabilities,
    ServerConfig, Tool as RemoteTool, ToolAnnotations,
};
use rmcp::service::{RequestContext, ServerInitializeError};
use rmcp::{RoleServer, ServerHandler, ServiceExt as _};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use zeph_subagent::{Effect, TaskContext, Tool};

/// The name and the purpose of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerAbout {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// How an assistant uses its tools together.
    pub instructions: String,
}

/// The error of serving.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The client did not begin as the protocol says.
    #[error("the client did not begin as the protocol says: {0}")]
    NotStarted(#[source] Box<ServerInitializeError>),
    /// The server broke down.
    #[error("the server broke down: {0}")]
    Broken(#[source] Box<dyn std::error::Error + Send + Sync>),
}

struct Server {
    about: ServerAbout,
    tools: Vec<Arc<dyn Tool>>,
    context: TaskContext,
}

/// Serves tools until the client closes the input.
///
/// A tool with the effect `pure` is announced as one that only reads. Each call has a clone of `context`; a
/// call that the client cancels is dropped. An error of a tool is a result that says so.
///
/// # Errors
/// If the client does not begin as the protocol says, or the server breaks down.
pub async fn serve(
    about: ServerAbout,
    tools: Vec<Arc<dyn Tool>>,
    context: TaskContext,
    input: impl AsyncRead + Send + Unpin + 'static,
    output: impl AsyncWrite + Send + Unpin + 'static,
) -> Result<(), ServeError> {
    let server = Server {
        about,
        tools,
        context,
    };
    let service = match server.serve((input, output)).await {
        Ok(service) => service,
        // The client went away before it asked for anything.
        Err(ServerInitializeError::ConnectionClosed(_)) => return Ok(()),
        Err(error) => return Err(ServeError::NotStarted(Box::new(error))),
    };
    let ended = service.waiting().await;
    ended
        .map(drop)
        .map_err(|error| ServeError::Broken(Box::new(error)))
}

impl ServerHandler for Server {
    fn get_info(&self) -> ServerConfig {
        let about = &self.about;
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(Implementation::new(&about.name, &about.version))
            .with_instructions(&about.instructions)
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let tools = self.tools.iter().map(|tool| announced(&**tool));
        Ok(ListToolsResult::with_all_items(tools.collect()))
    }

    async fn call_tool(
        &self,
        call: CallToolRequestParams,
        cx: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let tool = self.tools.iter().find(|tool| tool.name() == call.name);
        let tool = tool.ok_or_else(|| {
            ErrorData::invalid_params(format!("there is no tool {:?}", call.name), None)
        })?;
        let arguments = Value::Object(call.arguments.unwrap_or_default());
        let called = tokio::select! {
            called = tool.call(&self.context, arguments) => called,
            () = cx.ct.cancelled() => {
                return Err(ErrorData::internal_error("the call was cancelled", None));
            }
        };
        let result = match called {
            Ok(output) => CallToolResult::success(vec![ContentBlock::text(output.text)]),
            Err(error) => CallToolResult::error(vec![ContentBlock::text(format!("{error:#}"))]),
        };
        Ok(result.into())
    }
}

fn announced(tool: &dyn Tool) -> RemoteTool {
    let schema = tool.parameters();
    let schema: JsonObject = schema.as_object().cloned().unwrap_or_default();
    let effect = tool.effect();
    let hints = ToolAnnotations::new()
        .read_only(effect == Effect::Pure)
        .idempotent(effect != Effect::AtMostOnce);
    RemoteTool::new(
        tool.name().to_owned(),
        tool.description().to_owned(),
        schema,
    )
    .with_annotations(hints)
}
