//! Run values: what expressions can use besides the outputs of tasks.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Map, Value};
use zeph_graph::TaskGraph;

/// Keys of the graph's metadata.
pub(crate) mod keys {
    /// The goal of the plan.
    pub(crate) const GOAL: &str = "goal";
    /// The name of the source.
    pub(crate) const NAME: &str = "plan";
    /// The hash of the plan's text.
    pub(crate) const HASH: &str = "plan_hash";
    /// The values of the parameters that are not secrets, as a JSON object.
    pub(crate) const PARAMS: &str = "plan_params";
    /// The names of the secrets, as a JSON list.
    pub(crate) const SECRETS: &str = "plan_secrets";
}

/// The goal and the parameters of a run, for [`Templated`](crate::Templated).
///
/// They are stored with the graph, except for the secrets, which have to be given again whenever the
/// run is resumed. `Debug` does not show secrets.
#[derive(Clone, Default)]
pub struct RunValues {
    pub(crate) goal: String,
    pub(crate) params: Map<String, Value>,
    pub(crate) secrets: BTreeMap<String, Option<String>>,
}

/// Graph metadata in a form that no plan writes.
#[derive(Debug, thiserror::Error)]
#[error("the metadata {key:?} of the run's graph cannot be read: {cause}")]
pub struct BadMetadata {
    /// The key.
    pub key: &'static str,
    /// The error of the JSON reader.
    #[source]
    pub cause: serde_json::Error,
}

impl RunValues {
    /// The values stored with a graph; those of a graph without a plan are empty. Secrets are missing.
    ///
    /// # Errors
    /// If the metadata is not what a plan stores.
    pub fn of_graph(graph: &TaskGraph) -> Result<Self, BadMetadata> {
        let metadata = graph.metadata();
        let params = read(metadata.get(keys::PARAMS), keys::PARAMS)?;
        let secrets: Vec<String> = read(metadata.get(keys::SECRETS), keys::SECRETS)?;
        Ok(Self {
            goal: metadata.get(keys::GOAL).cloned().unwrap_or_default(),
            params,
            secrets: secrets.into_iter().map(|name| (name, None)).collect(),
        })
    }

    /// The same values with that secret.
    #[must_use]
    pub fn secret(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.secrets.insert(name.into(), Some(value.into()));
        self
    }

    /// The secrets that have been given, by name; the caller redacts them from logs and prompts.
    pub fn given_secrets(&self) -> impl Iterator<Item = (&str, &str)> {
        let secrets = self.secrets.iter();
        secrets.filter_map(|(name, value)| Some((name.as_str(), value.as_deref()?)))
    }

    /// The names of the secrets that have not been given.
    pub fn missing_secrets(&self) -> impl Iterator<Item = &str> {
        let missing = self.secrets.iter().filter(|(_, value)| value.is_none());
        missing.map(|(name, _)| name.as_str())
    }
}

fn read<T: serde::de::DeserializeOwned + Default>(
    text: Option<&String>,
    key: &'static str,
) -> Result<T, BadMetadata> {
    match text {
        Some(text) => serde_json::from_str(text).map_err(|cause| BadMetadata { key, cause }),
        None => Ok(T::default()),
    }
}

impl fmt::Debug for RunValues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunValues")
            .field("goal", &self.goal)
            .field("params", &self.params)
            .field("secrets", &self.secrets.keys())
            .finish()
    }
}
