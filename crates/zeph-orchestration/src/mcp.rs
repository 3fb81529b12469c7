//! Servers of the Model Context Protocol: started, connected, and their tools for agents.

use std::sync::Arc;

use zeph_command::{CommandExecutor, CommandParams};
use zeph_config::{McpConfig, McpTransport};
use zeph_executor::TaskError;
pub use zeph_mcp::{McpError, McpServer, Refused, ServeError, ServerAbout, serve};
use zeph_sanitizer::Redactor;

use crate::orchestrator::redactor;

/// The error of starting or reaching a server.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// Its program cannot be started.
    #[error("the MCP server {server:?} cannot be started: {problem}")]
    NotStarted {
        /// Its name in the settings.
        server: String,
        /// The error of the program.
        problem: TaskError,
    },
    /// It does not answer as a server of the protocol.
    #[error(transparent)]
    Mcp(#[from] McpError),
}

/// How servers are started and reached.
#[derive(Clone, Debug)]
pub struct Reach {
    /// A server's program has the environment and the folder of these commands.
    pub commands: CommandExecutor,
    /// The proxy for addresses, and its exceptions in the form of `NO_PROXY`. Default: none.
    pub proxy: Option<(String, String)>,
    /// The token that is sent to an address. Default: none.
    pub token: Option<String>,
}

impl Reach {
    /// With these commands, without a proxy and a token.
    #[must_use]
    pub const fn new(commands: CommandExecutor) -> Self {
        Self {
            commands,
            proxy: None,
            token: None,
        }
    }
}

/// Starts or reaches a server, and lists its tools.
///
/// A program has a session of its own, and is killed when the server and all its tools are dropped: keep them
/// as long as the orchestrator. An address is reached without redirects, and needs the feature `llm`: by https, or
/// on this machine and then without a proxy, unless [`in_clear`](McpConfig::in_clear) is set. Needs a tokio runtime.
///
/// # Errors
/// If the program cannot be started, or the server does not answer within its time-out.
///
/// # Examples
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use zeph_orchestration::command::CommandExecutor;
/// use zeph_orchestration::config::{McpConfig, McpTransport};
/// use zeph_orchestration::mcp::{Reach, connect};
/// use zeph_orchestration::planner::agent::Tools;
/// let argv = ["mcp-server-filesystem", "docs"].map(str::to_owned).to_vec();
/// let config = McpConfig::new(McpTransport::Command(argv));
/// let reach = Reach::new(CommandExecutor::builder().build());
/// let files = connect("files", &config, &reach).await?;
/// let mut tools = Tools::new();
/// for tool in files.tools() {
///     tools.add(tool)?;
/// }
/// # Ok(())
/// # }
/// ```
pub async fn connect(
    name: &str,
    config: &McpConfig,
    reach: &Reach,
) -> Result<McpServer, ConnectError> {
    let not_started = |problem| ConnectError::NotStarted {
        server: name.to_owned(),
        problem,
    };
    match &config.transport {
        McpTransport::Command(argv) => {
            let params = CommandParams {
                env: config.env.clone(),
                pass_env: config.pass_env.clone(),
                ..CommandParams::program(argv.clone())
            };
            let started = reach.commands.start_service(&params);
            let (process, stdin, stdout) = started.map_err(not_started)?;
            let process = Arc::new(process);
            let hide = secrets(config).map_err(not_started)?;
            // Hidden before it is cut: a part of a secret is not recognised.
            let said = move || hide.redact(&process.stderr_tail()).into_owned();
            Ok(McpServer::over_pipes(name, config, stdout, stdin, said).await?)
        }
        #[cfg(feature = "llm")]
        McpTransport::Url(url) => {
            let client = http::client(config, reach, url).map_err(not_started)?;
            let token = reach.token.clone();
            Ok(McpServer::over_http(name, config, client, url, token).await?)
        }
        #[cfg(not(feature = "llm"))]
        McpTransport::Url(_) => {
            let error = TaskError::permanent("an address needs the feature `llm`");
            Err(not_started(error.with_code("unsupported")))
        }
    }
}

/// The redactor of the variables that a server's program gets.
fn secrets(config: &McpConfig) -> Result<Redactor, TaskError> {
    let values: Vec<(&str, String)> = (config.pass_env.iter())
        .filter_map(|name| Some((name.as_str(), std::env::var(name).ok()?)))
        .collect();
    let named = values.iter().map(|(name, value)| (*name, value.as_str()));
    redactor(named).map_err(|error| TaskError::permanent(error.to_string()).with_code("bad_secret"))
}

#[cfg(feature = "llm")]
mod http {
    use zeph_config::McpConfig;
    use zeph_executor::TaskError;
    use zeph_llm_genai::{HttpClient, Url, http_client, is_local};

    use super::Reach;

    pub(super) fn client(
        config: &McpConfig,
        reach: &Reach,
        url: &str,
    ) -> Result<HttpClient, TaskError> {
        let parsed = Url::parse(url).map_err(|error| {
            TaskError::permanent(format!("`url` is no address: {error}")).with_code("bad_url")
        })?;
        let is_https = parsed.scheme() == "https";
        let is_here = !is_https && parsed.host_str().is_some_and(is_local);
        if !is_https && !is_here && !config.in_clear {
            let host = parsed.host_str().unwrap_or_default();
            let text = format!(
                "all that is said would be sent unencrypted to {host}: use https, or set `in_clear` if you trust the network"
            );
            return Err(TaskError::permanent(text).with_code("in_clear"));
        }
        // A proxy would read what is sent in clear.
        let proxy = reach.proxy.as_ref().filter(|_| !is_here);
        let proxy = proxy.map(|(url, except)| (url.as_str(), except.as_str()));
        let (proxy, except) = proxy.unzip();
        http_client(config.timeout, (proxy, except), is_https).map_err(TaskError::from)
    }

    #[cfg(test)]
    mod tests {
        use std::time::Duration;

        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        use tokio::net::TcpListener;
        use tokio::time::timeout;
        use zeph_command::CommandExecutor;
        use zeph_config::{McpConfig, McpTransport};

        use super::super::{Reach, connect};

        #[tokio::test]
        async fn what_is_said_goes_in_clear_to_this_machine_only_and_never_to_a_proxy() {
            let listen = || TcpListener::bind("127.0.0.1:0");
            let (server, proxy) = (listen().await.unwrap(), listen().await.unwrap());
            let port = server.local_addr().unwrap().port();
            let answer = tokio::spawn(async move {
                let (mut peer, _) = server.accept().await.unwrap();
                let mut head = vec![0; 4096];
                let count = peer.read(&mut head).await.unwrap();
                let refused =
                    "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
                peer.write_all(refused.as_bytes()).await.unwrap();
                String::from_utf8_lossy(&head[..count]).into_owned()
            });
            let mut reach = Reach::new(CommandExecutor::builder().build());
            reach.token = Some("the-token".to_owned());
            let address = proxy.local_addr().unwrap();
            reach.proxy = Some((format!("http://{address}"), String::new()));
            let config = |url: String| McpConfig {
                timeout: Duration::from_secs(5),
                ..McpConfig::new(McpTransport::Url(url))
            };
            for url in [
                "http://localhost.evil.example/mcp",
                "http://127.0.0.1@evil.example/",
                "http://192.0.2.1/",
            ] {
                let mut anonymous = Reach::new(CommandExecutor::builder().build());
                anonymous.proxy.clone_from(&reach.proxy);
                for reach in [&reach, &anonymous] {
                    let error = connect("web", &config(url.to_owned()), reach).await;
                    let error = error.unwrap_err().to_string();
                    assert!(error.contains("sent unencrypted to"), "{url}: {error}");
                }
                // It is a setting to say that the network is trusted.
                let mut trusted = config(url.to_owned());
                trusted.in_clear = true;
                assert!(super::client(&trusted, &reach, url).is_ok(), "{url}");
            }
            let here = format!("http://127.0.0.1:{port}/mcp");
            connect("web", &config(here), &reach).await.unwrap_err();
            let head = answer.await.unwrap();
            assert!(head.contains("Bearer the-token"), "{head}");
            let asked = timeout(Duration::from_millis(50), proxy.accept()).await;
            assert!(asked.is_err(), "the proxy was asked");
        }
    }
}
