//! The client against a server of the same crate, over pipes in memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, ErrorData,
    ListToolsResult, PaginatedRequestParams, ServerCapabilities, ServerConfig, Tool as RemoteTool,
    ToolAnnotations,
};
use rmcp::service::RequestContext;
use rmcp::{RoleServer, ServerHandler, ServiceExt};
use serde_json::{Value, json};
use zeph_config::{McpApproval, McpConfig, McpTransport};
use zeph_executor::{Attempt, TaskId};
use zeph_graph::Effect;
use zeph_mcp::{McpError, McpServer};
use zeph_subagent::{TaskContext, Tool, tool_conformance};

/// A server with tools of every kind.
#[derive(Clone, Default)]
struct Server {
    /// Whether a call that hangs was asked to stop.
    stopped: Arc<AtomicBool>,
}

fn remote(name: &'static str, hints: Option<ToolAnnotations>) -> RemoteTool {
    let schema = json!({ "type": "object", "properties": { "text": { "type": "string" } } });
    let schema = schema.as_object().cloned().unwrap_or_default();
    let tool = RemoteTool::new(name, "Does\u{200b} it\u{1b}[31m", schema);
    match hints {
        Some(hints) => tool.with_annotations(hints),
        None => tool,
    }
}

impl ServerHandler for Server {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }

    async fn list_tools(
        &self,
        page: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        // Two pages.
        if page.and_then(|page| page.cursor).is_none() {
            let reads = ToolAnnotations::new().read_only(true);
            let mut first = ListToolsResult::with_all_items(vec![
                remote("echo", Some(reads)),
                remote("write.file", None),
            ]);
            first.next_cursor = Some("2".to_owned());
            return Ok(first);
        }
        Ok(ListToolsResult::with_all_items(vec![
            remote("hang", None),
            remote("fail", None),
            remote("write/file", None),
            remote(
                "a_name_that_is_much_longer_than_services_of_models_would_ever_accept",
                None,
            ),
        ]))
    }

    async fn call_tool(
        &self,
        call: CallToolRequestParams,
        cx: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let text = call
            .arguments
            .unwrap_or_default()
            .get("text")
            .cloned()
            .unwrap_or_default();
        let result = match &*call.name {
            "echo" => CallToolResult::success(vec![ContentBlock::text(text.to_string())]),
            "fail" => CallToolResult::error(vec![ContentBlock::text("no such file")]),
            "hang" => {
                cx.ct.cancelled().await;
                self.stopped.store(true, Ordering::SeqCst);
                CallToolResult::success(Vec::new())
            }
            _ => return Err(ErrorData::invalid_params("unknown", None)),
        };
        Ok(result.into())
    }
}

fn config() -> McpConfig {
    McpConfig::new(McpTransport::Command(vec!["server".to_owned()]))
}

async fn connect(config: &McpConfig, server: Server) -> McpServer {
    let (ours, theirs) = tokio::io::duplex(1 << 16);
    tokio::spawn(async move {
        let service = server.serve(theirs).await.expect("it starts");
        service.waiting().await.expect("it ends");
    });
    let (output, input) = tokio::io::split(ours);
    McpServer::over_pipes("files", config, output, input, || "last words".to_owned())
        .await
        .expect("it connects")
}

fn find(server: &McpServer, name: &str) -> Arc<dyn Tool> {
    let mut tools = server.tools();
    tools.find(|tool| tool.name() == name).expect("a tool")
}

async fn call(tool: &dyn Tool, arguments: Value) -> Result<String, (String, String)> {
    let run = "run".parse().expect("a run id");
    let cx = TaskContext::builder(run, TaskId::from_index(0), "task", Attempt::FIRST).build();
    let called = tool.call(&cx, arguments).await;
    let failed =
        |error: zeph_subagent::TaskError| (error.code().to_owned(), error.message().to_owned());
    called.map(|output| output.text).map_err(failed)
}

#[tokio::test]
async fn tools_are_listed_cleaned_and_called() {
    let server = connect(&config(), Server::default()).await;
    let names: Vec<String> = server.tools().map(|tool| tool.name().to_owned()).collect();
    let wanted = [
        "files__echo",
        "files__fail",
        "files__hang",
        "files__write_file",
    ];
    assert_eq!(names, wanted);
    let refused: Vec<&str> = server.refused().iter().map(|one| &*one.why).collect();
    assert!(refused[0].contains("the same name") && refused[1].contains("64 characters"));
    let echo = find(&server, "files__echo");
    assert_eq!(echo.description(), "Does it");
    let said = call(&*echo, json!({ "text": "hi" })).await;
    assert_eq!(said.as_deref(), Ok("\"hi\""));
    let (code, text) = call(&*find(&server, "files__fail"), json!({}))
        .await
        .expect_err("it fails");
    assert_eq!(
        (code.as_str(), text.as_str()),
        ("tool_error", "no such file")
    );
    tool_conformance::check(echo, json!({ "text": "hi" }))
        .await
        .expect("it keeps the rules of tools");
}

#[tokio::test]
async fn what_a_server_says_about_its_tools_counts_only_if_the_settings_say_so() {
    let rights = async |config: &McpConfig| {
        let server = connect(config, Server::default()).await;
        let of = |name| {
            let tool = find(&server, name);
            (tool.needs_approval(), tool.effect())
        };
        (of("files__echo"), of("files__write_file"))
    };
    let asks = (true, Effect::AtMostOnce);
    assert_eq!(rights(&config()).await, (asks, asks));
    let reads = (false, Effect::Pure);
    let mut trusting = config();
    trusting.trust_hints = true;
    assert_eq!(rights(&trusting).await, (reads, asks));
    let mut listed = config();
    listed.read_only.insert("write.file".to_owned());
    assert_eq!(rights(&listed).await, (asks, reads));
    let mut free = config();
    free.approve = McpApproval::Never;
    let writes = (false, Effect::AtMostOnce);
    assert_eq!(rights(&free).await, (writes, writes));
}

#[tokio::test]
async fn only_tools_that_the_settings_list_are_there() {
    let mut config = config();
    config.tools = Some(["echo".to_owned()].into());
    let server = connect(&config, Server::default()).await;
    assert_eq!(server.tools().len(), 1);
    assert!(server.refused()[0].why.contains("mcp.files.tools"));
}

#[tokio::test]
async fn a_call_that_takes_too_long_is_given_up_and_the_server_is_asked_to_stop() {
    let mut config = config();
    config.timeout = Duration::from_millis(200);
    let served = Server::default();
    let server = connect(&config, served.clone()).await;
    let hang = find(&server, "files__hang");
    let (code, text) = call(&*hang, json!({})).await.expect_err("no answer");
    assert_eq!(code, "tool_timeout");
    assert!(text.contains("mcp.files.timeout"), "{text}");
    // The next call comes behind the message that stops the first one.
    let said = call(&*find(&server, "files__echo"), json!({ "text": 1 })).await;
    assert_eq!(said.as_deref(), Ok("1"));
    while !served.stopped.load(Ordering::SeqCst) {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_server_that_ends_or_says_nothing_is_named_with_its_last_words() {
    let (ours, theirs) = tokio::io::duplex(64);
    drop(theirs);
    let (output, input) = tokio::io::split(ours);
    let usual = config();
    let ended = McpServer::over_pipes("files", &usual, output, input, || {
        "starting\nError: no such folder\n".to_owned()
    });
    let error = ended.await.expect_err("it has ended");
    assert!(matches!(error, McpError::Failed { .. }), "{error}");
    assert!(
        error
            .to_string()
            .contains("it wrote: Error: no such folder"),
        "{error}"
    );
    let (ours, _theirs) = tokio::io::duplex(1 << 16);
    let (output, input) = tokio::io::split(ours);
    let mut config = config();
    config.timeout = Duration::from_millis(50);
    let silent = McpServer::over_pipes("files", &config, output, input, String::new);
    let error = silent.await.expect_err("it is silent");
    assert!(
        error.to_string().contains("raise mcp.files.timeout"),
        "{error}"
    );
    let (ours, mut theirs) = tokio::io::duplex(1 << 16);
    let (output, input) = tokio::io::split(ours);
    let writes = async move {
        let line = b"Hello, I am no server\nat all\n";
        tokio::io::AsyncWriteExt::write_all(&mut theirs, line)
            .await
            .ok();
        drop(theirs);
    };
    let foreign = McpServer::over_pipes("files", &config, output, input, String::new);
    let (foreign, ()) = tokio::join!(foreign, writes);
    assert!(foreign.is_err());
}

/// What our server announces, our client reads.
#[cfg(feature = "server")]
#[tokio::test]
async fn tools_of_ours_are_served_with_what_they_do() {
    use zeph_mcp::{ServerAbout, serve};
    use zeph_subagent::{TaskError, ToolOutput, with_effect};

    struct Count;

    #[zeph_executor::async_trait]
    impl Tool for Count {
        fn name(&self) -> &str {
            "count"
        }

        fn description(&self) -> &str {
            "Counts"
        }

        fn parameters(&self) -> Value {
            json!({ "type": "object", "properties": { "of": { "type": "array" } } })
        }

        async fn call(&self, _: &TaskContext, of: Value) -> Result<ToolOutput, TaskError> {
            match of["of"].as_array() {
                Some(all) => Ok(all.len().to_string().into()),
                None => Err(TaskError::permanent("there is nothing to count")),
            }
        }
    }

    let run = "mcp".parse().expect("a run id");
    let cx = TaskContext::builder(run, TaskId::from_index(0), "mcp", Attempt::FIRST).build();
    let about = ServerAbout {
        name: "zeph".to_owned(),
        version: "1".to_owned(),
        instructions: "Count.".to_owned(),
    };
    let (ours, theirs) = tokio::io::duplex(1 << 16);
    let (output, input) = tokio::io::split(theirs);
    let tools: Vec<Arc<dyn Tool>> = vec![with_effect(Effect::Pure, Count)];
    let serving = tokio::spawn(serve(about, tools, cx, output, input));
    let (output, input) = tokio::io::split(ours);
    let mut config = config();
    config.trust_hints = true;
    let server = McpServer::over_pipes("zeph", &config, output, input, String::new)
        .await
        .expect("it connects");
    let count = find(&server, "zeph__count");
    assert!(!count.needs_approval() && count.effect() == Effect::Pure);
    let counted = call(&*count, json!({ "of": [1, 2] })).await;
    assert_eq!(counted.as_deref(), Ok("2"));
    let (_, text) = call(&*count, json!({})).await.expect_err("nothing");
    assert_eq!(text, "there is nothing to count");
    drop((count, server));
    serving.await.expect("it ends").expect("without an error");
}

/// A server that lists tools without end.
#[derive(Clone)]
struct Endless {
    /// Whether each page has another cursor.
    moves: bool,
    tools: usize,
    pages: Arc<AtomicUsize>,
}

impl ServerHandler for Endless {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let page = self.pages.fetch_add(1, Ordering::SeqCst);
        let tools = (0..self.tools).map(|index| {
            let name = format!("t{page}-{index}");
            RemoteTool::new(name, "A tool", Arc::default())
        });
        let mut listed = ListToolsResult::with_all_items(tools.collect());
        listed.next_cursor = Some(if self.moves {
            page.to_string()
        } else {
            "1".to_owned()
        });
        Ok(listed)
    }
}

#[tokio::test]
async fn a_list_of_tools_without_an_end_is_cut_or_refused() {
    for (moves, tools, pages, wanted) in [
        (true, 300, 4, Ok(1_000)),
        (true, 1, 100, Err("more than 100 pages")),
        (false, 1, 2, Err("the same page again")),
    ] {
        let count = Arc::new(AtomicUsize::new(0));
        let server = Endless {
            moves,
            tools,
            pages: Arc::clone(&count),
        };
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        tokio::spawn(async move {
            let service = server.serve(theirs).await.expect("it starts");
            service.waiting().await.ok();
        });
        let (output, input) = tokio::io::split(ours);
        let config = config();
        let connected = McpServer::over_pipes("files", &config, output, input, String::new);
        match (connected.await, wanted) {
            (Ok(server), Ok(wanted)) => {
                assert_eq!(server.tools().len(), wanted);
                let why = &server.refused()[0].why;
                assert!(why.contains("more than 1000 tools"), "{why}");
            }
            (Err(error), Err(wanted)) => {
                assert!(error.to_string().contains(wanted), "{error}");
            }
            (found, _) => panic!("{found:?}"),
        }
        assert_eq!(count.load(Ordering::SeqCst), pages);
    }
}
