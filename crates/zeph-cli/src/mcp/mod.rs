//! `zeph mcp`: the tools of the MCP servers in the settings, and a server for assistants.

mod commands;
mod serve;
mod tools;

use self::serve::Rights;
use crate::args::{McpArgs, McpDo};
use crate::context::AppContext;
use crate::exit::{CliError, Exit};

pub(crate) async fn run(cx: &AppContext, args: &McpArgs) -> Result<Exit, CliError> {
    let rights = Rights {
        answers: args.allow_answers,
        plans: args.allow_plans,
    };
    match (args.what, &args.server) {
        (McpDo::Tools, _) if args.allow_answers || args.allow_plans => {
            let text = "--allow-answers and --allow-plans are for `zeph mcp serve`";
            Err(CliError::new(Exit::Usage, text))
        }
        (McpDo::Tools, server) => tools::run(cx, server.as_deref()).await,
        (McpDo::Serve, None) => serve::run(cx, rights).await,
        (McpDo::Serve, Some(_)) => {
            let text = "`zeph mcp serve` is a server itself and takes no name";
            Err(CliError::new(Exit::Usage, text))
        }
    }
}
