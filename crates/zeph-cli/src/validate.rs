//! `zeph validate`: checks a plan, and shows its size and critical path.

use serde_json::json;
use zeph_common::escape_terminal;
use zeph_graph::{TaskGraph, Topology};

use crate::args::ValidateArgs;
use crate::context::AppContext;
use crate::exit::{CliError, Exit};
use crate::out::{self, Tone};
use crate::plan::{self, Params};
use crate::problems;
use crate::read::page::count;

/// Further tasks of the critical path are counted.
const PATH_SHOWN: usize = 8;

pub(crate) async fn run(cx: &AppContext, args: &ValidateArgs) -> Result<Exit, CliError> {
    let loaded = plan::load_to_show(cx, &args.plan, &Params::read(&args.params).await?)?;
    plan::check_agents(cx, cx.config().agents.as_deref(), &loaded)?;
    let warnings = loaded.bound.plan().warnings();
    let graph = &loaded.graph;
    let shape = Topology::of(graph);
    let path: Vec<&str> = (shape.critical_path().iter())
        .map(|&id| graph.task(id).name())
        .collect();
    if cx.json() {
        out::json(&json!({
            "ok": true,
            "plan": loaded.name,
            "goal": loaded.bound.goal(),
            "tasks": graph.len(),
            "dependencies": graph.edge_count(),
            "levels": shape.depth(),
            "width": shape.width(),
            "critical_path": path,
            "crlf": loaded.bound.plan().has_crlf(),
            "warnings": problems::to_json(&warnings),
        }));
    } else {
        let (ok, name) = (Tone::Good.paint("ok"), escape_terminal(&loaded.name));
        out::line(format!("{ok} {name}: {}", size(graph)));
        out::line(format!("   critical path: {}", arrows(&path)));
        if loaded.bound.plan().has_crlf() {
            out::line(format!(
                "   {} the file has line breaks of Windows (CRLF); they are read as LF",
                Tone::Warning.paint("note:")
            ));
        }
    }
    if !warnings.is_empty() && !cx.json() {
        out::note_line(problems::picture(&warnings).trim_end());
    }
    Ok(Exit::Completed)
}

/// The size of a graph in words.
pub(crate) fn size(graph: &TaskGraph) -> String {
    let shape = Topology::of(graph);
    let dependencies = match graph.edge_count() {
        1 => "1 dependency".to_owned(),
        many => format!("{many} dependencies"),
    };
    let (tasks, levels) = (
        count(graph.len() as u64, "task"),
        count(shape.depth() as u64, "level"),
    );
    format!("{tasks}, {dependencies}, {levels}, width {}", shape.width())
}

fn arrows(path: &[&str]) -> String {
    let shown = path.iter().take(PATH_SHOWN);
    let shown: Vec<_> = shown.map(|name| escape_terminal(name)).collect();
    let mut text = shown.join(" → ");
    if path.len() > PATH_SHOWN {
        text.push_str(&format!(" → … ({} tasks)", path.len()));
    }
    text
}
