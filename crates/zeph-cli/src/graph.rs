//! `zeph graph`: draws a plan file, or a run with its states, as text.

use std::path::Path;

use clap::ValueEnum as _;
use clap::builder::PossibleValue;
use serde_json::{Value, json};
use zeph_graph::wire::GraphSpec;
use zeph_graph::{Attempt, TaskGraph, TaskId, picture};
use zeph_runtime::RunView;

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
        let loaded = plan::load_to_show(cx, path, &Params::read(&args.params).await?)?;
        let drawn = draw(args.format, &loaded.graph, |_| None);
        if cx.json() {
            out::json(&to_json(args, &drawn, &loaded.graph, None));
        } else {
            out::text(drawn);
        }
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
    if cx.json() {
        out::json(&to_json(args, &drawn, view.graph(), Some(&view)));
    } else {
        out::text(drawn);
    }
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

/// The graph as data and as a picture. A node is a task of the graph's wire format; of a run, it has its state.
fn to_json(args: &GraphArgs, drawn: &str, graph: &TaskGraph, run: Option<&RunView>) -> Value {
    let format = args.format.to_possible_value();
    let format = format.as_ref().map(PossibleValue::get_name);
    let spec = GraphSpec::from(graph);
    let states = graph.ids().map(|id| run.map(|run| run.scheduler.task(id)));
    let nodes = spec.tasks.iter().zip(states).map(|(task, state)| {
        let mut node = json!(task);
        if let Some(state) = state {
            node["state"] = state.state().word().into();
            let attempts = state.last_attempt().map_or(0, Attempt::get);
            node["attempts"] = attempts.into();
        }
        node
    });
    let edge = |from: &String, to: &String| json!({ "from": from, "to": to });
    let edges =
        (spec.tasks.iter()).flat_map(|task| task.needs.iter().map(|need| edge(need, &task.name)));
    json!({
        "run": run.map(|run| run.run.as_str()),
        "state": run.map(|run| run.scheduler.state().word()),
        "format": format,
        "picture": drawn,
        "nodes": nodes.collect::<Vec<_>>(),
        "edges": edges.collect::<Vec<_>>(),
        "lanes": spec.lanes,
    })
}
