//! `zeph graph`: draws a plan file, or a run with its states, as text.

use std::path::Path;

use serde_json::json;
use zeph_graph::{TaskGraph, TaskId, picture};
use zeph_runtime::RunView;

use crate::args::{GraphArgs, Picture};
use crate::context::AppContext;
use crate::exit::{CliError, Exit};
use crate::{out, plan};

pub(crate) async fn run(cx: &AppContext, args: &GraphArgs) -> Result<Exit, CliError> {
    let path = Path::new(&args.target);
    // A target with a dot or a slash is a file, because run names have neither. So is the name of an existing
    // file.
    let looks_like_a_file = args.target == "-" || args.target.contains(['.', '/']);
    if looks_like_a_file || path.is_file() {
        let loaded = plan::load(cx, path, &args.param)?;
        show(cx, args, &draw(args.format, &loaded.graph, |_| None));
        return Ok(Exit::Completed);
    }
    let store = cx.open_store_read_only().await?;
    let run = cx.find_run(&store, &args.target).await?;
    let view = RunView::load(&store, &run).await?;
    let state = |id| Some(view.scheduler.task(id).state().word());
    show(cx, args, &draw(args.format, view.graph(), state));
    Ok(Exit::Completed)
}

fn draw(
    format: Picture,
    graph: &TaskGraph,
    state: impl Fn(TaskId) -> Option<&'static str>,
) -> String {
    match format {
        Picture::Tree => picture::tree(graph, state),
        Picture::Mermaid => picture::mermaid(graph, state),
        Picture::Dot => picture::dot(graph, state),
    }
}

fn show(cx: &AppContext, args: &GraphArgs, drawn: &str) {
    if cx.json() {
        let format = match args.format {
            Picture::Tree => "tree",
            Picture::Mermaid => "mermaid",
            Picture::Dot => "dot",
        };
        out::json(&json!({ "format": format, "picture": drawn }));
    } else {
        out::text(drawn);
    }
}
