//! Labels: names and values by which people find runs. They are stored with the graph of a run, and in its line
//! of the list.

use std::collections::BTreeMap;

use zeph_graph::TaskGraph;

use crate::view::RunView;

/// The key of the graph's [metadata](TaskGraph::metadata) that holds the labels, as an object in JSON.
const KEY: &str = "labels";
/// The longest name.
const NAME_BYTES: usize = 64;
/// The longest value.
const VALUE_BYTES: usize = 256;

/// A text that is no label.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a label is NAME=VALUE: a name of 1 to {NAME_BYTES} of a-z, A-Z, 0-9, '.', '_', '-' and '/', and a value in one line of at most {VALUE_BYTES} bytes"
)]
pub struct BadLabel;

/// Sets a label of the run that a graph will be. A later value of the same name counts.
///
/// # Errors
/// If the name or the value has characters that are not allowed.
///
/// # Examples
/// ```
/// use zeph_graph::TaskGraph;
/// use zeph_runtime::{labels, set_label};
/// let mut graph = TaskGraph::new();
/// set_label(graph.metadata_mut(), "team", "core")?;
/// assert_eq!(labels(&graph)["team"], "core");
/// assert!(set_label(graph.metadata_mut(), "a team", "core").is_err());
/// # Ok::<(), zeph_runtime::BadLabel>(())
/// ```
pub fn set_label(
    metadata: &mut BTreeMap<String, String>,
    name: &str,
    value: &str,
) -> Result<(), BadLabel> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-/".contains(c);
    let is_name = (1..=NAME_BYTES).contains(&name.len()) && name.chars().all(is_plain);
    let is_value = value.len() <= VALUE_BYTES && !value.chars().any(char::is_control);
    if !is_name || !is_value {
        return Err(BadLabel);
    }
    let mut labels = read(metadata);
    labels.insert(name.to_owned(), value.to_owned());
    // Plain data: texts.
    let text = serde_json::to_string(&labels).unwrap_or_default();
    metadata.insert(KEY.to_owned(), text);
    Ok(())
}

/// The labels of the run of a graph, by name.
#[must_use]
pub fn of(graph: &TaskGraph) -> BTreeMap<String, String> {
    read(graph.metadata())
}

/// Keeps the labels of one graph in the metadata of another that has none.
pub(crate) fn inherit(from: &TaskGraph, to: &mut BTreeMap<String, String>) {
    if let Some(labels) = from.metadata().get(KEY) {
        to.entry(KEY.to_owned()).or_insert_with(|| labels.clone());
    }
}

fn read(metadata: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let text = metadata.get(KEY);
    text.and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default()
}

impl RunView {
    /// The labels of the run, by name.
    #[must_use]
    pub fn labels(&self) -> BTreeMap<String, String> {
        of(self.graph())
    }
}
