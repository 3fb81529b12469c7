//! A connection to a server, and the tools that the settings allow.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rmcp::model::{
    CallToolRequestParams, ClientCapabilities, ClientConfig, Implementation, JsonObject,
    PaginatedRequestParams,
};
use rmcp::service::{ClientInitializeError, RunningService, ServiceError};
use rmcp::transport::IntoTransport;
use rmcp::transport::async_rw::AsyncRwTransport;
use rmcp::{RoleClient, serve_client};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use zeph_common::{Boundary, escape_terminal, format_duration, truncate};
use zeph_config::McpConfig;
use zeph_subagent::TaskError;
use zeph_subagent::Tool;

use crate::result;
use crate::tool::{McpTool, cleaned, tool_name};

/// The most tools of a server that are listed.
const MAX_TOOLS: usize = 1_000;
/// The most pages in which a server lists its tools.
const MAX_PAGES: usize = 100;
/// The most bytes of a message.
const MAX_MESSAGE: usize = 16 << 20;
/// The most bytes of an error's text.
const MAX_ERROR: usize = 1 << 10;

/// What tells more about a failed server: the end of its standard error. It also keeps its process.
type Diagnose = Box<dyn Fn() -> String + Send + Sync>;

/// A server of the Model Context Protocol, connected, with the list of its tools.
///
/// Dropping it and its tools ends the connection, and the process with it.
#[derive(Debug)]
pub struct McpServer {
    name: String,
    tools: Vec<McpTool>,
    refused: Vec<Refused>,
}

/// A tool of a server that agents cannot list, and the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The server's name for the tool.
    pub tool: String,
    /// The reason.
    pub why: String,
}

/// The error of connecting to a server.
#[derive(Debug, thiserror::Error)]
pub enum McpError {
    /// The server did not answer in time.
    #[error("the MCP server {server:?} did not answer within {}; raise mcp.{server}.timeout{}", format_duration(*.limit), said(.stderr))]
    TimedOut {
        /// Its name in the settings.
        server: String,
        /// The time-out.
        limit: Duration,
        /// The end of its standard error.
        stderr: String,
    },
    /// The server is no server of the protocol, or it ended.
    #[error("the MCP server {server:?} cannot be used: {problem}{}", said(.stderr))]
    Failed {
        /// Its name in the settings.
        server: String,
        /// The problem.
        problem: String,
        /// The end of its standard error.
        stderr: String,
    },
}

fn said(stderr: &str) -> String {
    match stderr.lines().map(str::trim).rfind(|line| !line.is_empty()) {
        None => String::new(),
        Some(line) => {
            let line = truncate(line, 300, Boundary::Char).to_string();
            format!("; it wrote: {}", escape_terminal(&line))
        }
    }
}

impl McpServer {
    /// Connects over the standard input and output of a program, and lists its tools.
    ///
    /// `diagnose` returns the end of its standard error. It is kept as long as the connection, so the process
    /// may belong to it.
    ///
    /// # Errors
    /// If the server does not answer within the time-out of the settings, or not in the protocol.
    pub async fn over_pipes(
        name: &str,
        config: &McpConfig,
        output: impl AsyncRead + Send + Unpin + 'static,
        input: impl AsyncWrite + Send + Unpin + 'static,
        diagnose: impl Fn() -> String + Send + Sync + 'static,
    ) -> Result<Self, McpError> {
        let pipes = AsyncRwTransport::new(output, input).with_max_line_length(MAX_MESSAGE);
        Self::connect(name, config, pipes, Box::new(diagnose)).await
    }

    /// Connects to an address over streamable HTTP, and lists its tools. `token` is sent as bearer token.
    ///
    /// The client decides about TLS, proxies and redirects; it should follow none to another host.
    ///
    /// # Errors
    /// As [`over_pipes`](Self::over_pipes).
    #[cfg(feature = "http")]
    pub async fn over_http(
        name: &str,
        config: &McpConfig,
        client: reqwest::Client,
        url: &str,
        token: Option<String>,
    ) -> Result<Self, McpError> {
        use rmcp::transport::StreamableHttpClientTransport;
        use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
        let mut http = StreamableHttpClientTransportConfig::with_uri(url.to_owned());
        http.auth_header = token;
        http.max_sse_event_size = MAX_MESSAGE;
        http.max_json_response_size = MAX_MESSAGE;
        let transport = StreamableHttpClientTransport::with_client(client, http);
        Self::connect(name, config, transport, Box::new(String::new)).await
    }

    async fn connect<T, E, A>(
        name: &str,
        config: &McpConfig,
        transport: T,
        diagnose: Diagnose,
    ) -> Result<Self, McpError>
    where
        T: IntoTransport<RoleClient, E, A>,
        E: std::error::Error + Send + Sync + 'static,
    {
        let start = async {
            let client = client_config();
            let service = serve_client(client, transport)
                .await
                .map_err(|error| began(&error))?;
            let tools = list(&service).await?;
            Ok((service, tools))
        };
        let limit = config.timeout;
        let server = || name.to_owned();
        let (service, listed) = match timeout(limit, start).await {
            Ok(Ok(started)) => started,
            Ok(Err(problem)) => {
                return Err(McpError::Failed {
                    server: server(),
                    problem,
                    stderr: diagnose(),
                });
            }
            Err(_) => {
                return Err(McpError::TimedOut {
                    server: server(),
                    limit,
                    stderr: diagnose(),
                });
            }
        };
        let connection = Arc::new(Connection {
            server: server(),
            service,
            limit,
            diagnose,
        });
        Ok(Self::with_tools(config, &connection, listed))
    }

    fn with_tools(
        config: &McpConfig,
        connection: &Arc<Connection>,
        listed: Vec<rmcp::model::Tool>,
    ) -> Self {
        let (mut tools, mut refused) = (Vec::<McpTool>::new(), Vec::new());
        for tool in listed {
            let known = tool_name(&connection.server, &tool.name);
            let refuse = |why: String| Refused {
                tool: cleaned(&tool.name),
                why,
            };
            let why = if !config.allows(&tool.name) {
                Some("mcp.NAME.tools does not list it".replace("NAME", &connection.server))
            } else if tools.len() >= MAX_TOOLS {
                Some(format!("the server has more than {MAX_TOOLS} tools"))
            } else if !zeph_subagent::is_tool_name(&known) {
                Some("with the name of the server it has more than 64 characters".to_owned())
            } else if tools.iter().any(|one| one.name() == known) {
                Some("another tool has the same name".to_owned())
            } else {
                None
            };
            if let Some(why) = why {
                refused.push(refuse(why));
                continue;
            }
            match McpTool::new(config, Arc::clone(connection), known, &tool) {
                Ok(tool) => tools.push(tool),
                Err(why) => refused.push(refuse(why.to_owned())),
            }
        }
        tools.sort_by(|one, two| one.name().cmp(two.name()));
        Self {
            name: connection.server.clone(),
            tools,
            refused,
        }
    }

    /// Its name in the settings.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The tools that agents may list, by name. They keep the connection.
    #[must_use]
    pub fn tools(&self) -> impl ExactSizeIterator<Item = Arc<dyn Tool>> {
        self.tools.iter().map(|tool| {
            let tool: Arc<dyn Tool> = Arc::new(tool.clone());
            tool
        })
    }

    /// The other tools of the server.
    #[must_use]
    pub fn refused(&self) -> &[Refused] {
        &self.refused
    }
}

/// A running connection.
pub(crate) struct Connection {
    pub(crate) server: String,
    service: RunningService<RoleClient, ClientConfig>,
    pub(crate) limit: Duration,
    diagnose: Diagnose,
}

impl Connection {
    /// Calls a tool by the server's name for it. Dropping the future tells the server to stop.
    pub(crate) async fn call(
        &self,
        tool: &str,
        arguments: JsonObject,
    ) -> Result<String, TaskError> {
        let params = CallToolRequestParams::new(tool.to_owned()).with_arguments(arguments);
        let server = &self.server;
        let failed = |text: String, code| Err(TaskError::permanent(text).with_code(code));
        match timeout(self.limit, self.service.call_tool(params)).await {
            Ok(Ok(result)) => result::text(&result),
            Ok(Err(ServiceError::McpError(error))) => {
                let said = short(&error.message);
                let text = format!("the server {server:?} refused the call: {said}");
                failed(text, "tool_error")
            }
            Ok(Err(error)) => {
                let said = said(&(self.diagnose)());
                let error = short(&error.to_string());
                let text =
                    format!("the server {server:?} has ended or cannot be reached: {error}{said}");
                failed(text, "server_gone")
            }
            Err(_) => {
                let limit = format_duration(self.limit);
                let text = format!("no answer within {limit} (mcp.{server}.timeout)");
                failed(text, "tool_timeout")
            }
        }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("server", &self.server)
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}

fn client_config() -> ClientConfig {
    let us = Implementation::new("zeph", env!("CARGO_PKG_VERSION"));
    ClientConfig::new(ClientCapabilities::default(), us)
}

fn began(error: &ClientInitializeError) -> String {
    if let ClientInitializeError::ConnectionClosed(_) = error {
        return "it ended before it answered; its program must speak the protocol on its output"
            .to_owned();
    }
    if let ClientInitializeError::TransportError { error, .. } = error {
        return short(&innermost(error));
    }
    short(&error.to_string())
}

/// The cause at the end of the chain: what the layers above add names types of the protocol's crate.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut last = error;
    while let Some(source) = last.source() {
        last = source;
    }
    last.to_string()
}

/// The beginning of a text that a server may have written.
fn short(text: &str) -> String {
    truncate(text, MAX_ERROR, Boundary::Char).to_string()
}

/// All tools, page by page. A server that lists more than [`MAX_TOOLS`] gets no further question.
async fn list(
    service: &RunningService<RoleClient, ClientConfig>,
) -> Result<Vec<rmcp::model::Tool>, String> {
    let failed = |why: &str| format!("its tools cannot be listed: {why}");
    let (mut tools, mut page) = (Vec::new(), None);
    for _ in 0..MAX_PAGES {
        let asked = page.take();
        let wanted = PaginatedRequestParams::default().with_cursor(asked.clone());
        let listed = service.list_tools(Some(wanted)).await;
        let listed = listed.map_err(|error| failed(&short(&error.to_string())))?;
        tools.extend(listed.tools);
        // One more, so that the reader knows that some are left out.
        if tools.len() > MAX_TOOLS || listed.next_cursor.is_none() {
            tools.truncate(MAX_TOOLS + 1);
            return Ok(tools);
        }
        if listed.next_cursor == asked {
            return Err(failed("it returns the same page again"));
        }
        page = listed.next_cursor;
    }
    Err(failed(&format!("they are on more than {MAX_PAGES} pages")))
}
