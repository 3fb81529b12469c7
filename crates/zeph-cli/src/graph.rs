//! `zeph graph`: draws a plan file, or a run with its states, as text.

use std::path::Path;

use clap::ValueEnum as _;
use clap::builder::PossibleValue;
use serde_json::json;
use zeph_graph::{TaskGraph, TaskId, picture};

use crate::args::{GraphArgs, Picture};
use crate::context::AppContext;
use crate::exit::{CliError, Exit};
use crate::out::{self, Tone};
use crate::plan::{self, Params};

pub(crate) async fn run(cx: &AppContext, args: &GraphArgs) -> Result<Exit, CliError> {
    let path = Path::new(&args.target);
    // A target with a dot or a slash is a file, because run names have neither. So is the name of an existing
    // file.
    let looks_like_a_file = args.target == "-" || args.target.contains(['.', '/']);
    if looks_like_a_file || path.is_file() {
        let loaded = plan::load_to_show(cx, path, &Params::read(&args.params)?)?;
        show(cx, args, &draw(args.format, &loaded.graph, |_| None));
        return Ok(Exit::Completed);
    }
    let (_, view) = cx.load_run(Some(&args.target)).await?;
    let state = |id| Some(view.scheduler.task(id).state().word());
    let is_tree = args.format == Picture::Tree && !cx.json();
    let drawn = if is_tree {
        let paint = |word: &'static str, text: &str| Tone::of_state(word).paint(text);
        picture::painted_tree(view.graph(), state, paint)
    } else {
        draw(args.format, view.graph(), state)
    };
    show(cx, args, &drawn);
    Ok(Exit::Completed)
}

/// Draws a graph as text, with the states of its tasks.
pub(crate) fn draw(
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
        let format = args.format.to_possible_value();
        let format = format.as_ref().map(PossibleValue::get_name);
        out::json(&json!({ "format": format, "picture": drawn }));
    } else {
        out::text(drawn);
    }
}
