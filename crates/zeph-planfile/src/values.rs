//! Run values: what expressions can use besides the outputs of tasks.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};
use zeph_graph::TaskGraph;

use crate::references::{Reference, references_in};
use crate::template::texts_mut;

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
    /// The variables of the secrets that have one, as a JSON object.
    pub(crate) const SECRET_VARIABLES: &str = "plan_secret_variables";
    /// The other plans and included files, as a JSON object of their paths and hashes.
    pub(crate) const FILES: &str = "plan_files";
    /// The env files, absolute or relative to the folder, as a JSON list.
    pub(crate) const ENV_FILES: &str = "plan_env_files";
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
    /// The variables that have the values of secrets, by the names of the secrets.
    pub(crate) secret_variables: BTreeMap<String, String>,
    pub(crate) env_files: Vec<PathBuf>,
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
            secret_variables: read(metadata.get(keys::SECRET_VARIABLES), keys::SECRET_VARIABLES)?,
            env_files: {
                let files: Vec<String> = read(metadata.get(keys::ENV_FILES), keys::ENV_FILES)?;
                let folder = metadata.get(TaskGraph::FOLDER).map_or("", String::as_str);
                in_folder(folder, &files)
            },
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

    /// The values of the parameters that are not secrets, which are stored with the graph.
    #[must_use]
    pub const fn stored_params(&self) -> &Map<String, Value> {
        &self.params
    }

    /// The environment variables that may have the value of a secret: the secret and the variable.
    pub fn secret_variables(&self) -> impl Iterator<Item = (&str, &str)> {
        let variables = self.secret_variables.iter();
        variables.map(|(name, variable)| (name.as_str(), variable.as_str()))
    }

    /// The env files of the plan, whose variables its commands get.
    #[must_use]
    pub fn env_files(&self) -> &[PathBuf] {
        &self.env_files
    }

    /// The variables of the env files that can be read; empty ones count as unset.
    #[must_use]
    pub fn env_file_variables(&self) -> BTreeMap<String, String> {
        let files = self.env_files.iter();
        let read = files.filter_map(|file| zeph_common::read_env_file(file).ok());
        let mut variables: BTreeMap<_, _> = read.flatten().collect();
        variables.retain(|_, value| !value.is_empty());
        variables
    }

    /// The names of the secrets that one of these actions uses and that have not been given.
    ///
    /// `params` are the parameters of the actions that are still to run.
    pub fn missing_secrets_in<'a>(
        &self,
        params: impl IntoIterator<Item = &'a Value>,
    ) -> Vec<String> {
        let mut missing: BTreeSet<&str> = self.missing_secrets().collect();
        let mut needed = Vec::new();
        for params in params {
            if missing.is_empty() {
                break;
            }
            let mut params = params.clone();
            for text in texts_mut(&mut params) {
                for reference in references_in(text.as_str().unwrap_or_default()) {
                    if let Reference::Param(name) = reference
                        && missing.remove(name.as_str())
                    {
                        needed.push(name);
                    }
                }
            }
        }
        needed.sort();
        needed
    }

    /// Whether an action with these parameters uses a parameter of the plan whose value is not the `earlier`
    /// one. Secrets are not compared: their values are not stored.
    #[must_use]
    pub fn differs_for(&self, earlier: &Self, params: &Value) -> bool {
        if self.params == earlier.params && self.goal == earlier.goal {
            return false;
        }
        let mut params = params.clone();
        texts_mut(&mut params).into_iter().any(|text| {
            let references = references_in(text.as_str().unwrap_or_default());
            references.into_iter().any(|reference| match reference {
                Reference::Param(name) => self.params.get(&name) != earlier.params.get(&name),
                Reference::Run(field) => field == "goal" && self.goal != earlier.goal,
                Reference::Task { .. } | Reference::Item | Reference::ItemIndex => false,
            })
        })
    }

    /// The names of the secrets that have not been given.
    pub fn missing_secrets(&self) -> impl Iterator<Item = &str> {
        let missing = self.secrets.iter().filter(|(_, value)| value.is_none());
        missing.map(|(name, _)| name.as_str())
    }
}

/// The paths of files that a plan names.
pub(crate) fn in_folder(folder: &str, files: &[String]) -> Vec<PathBuf> {
    let files = files.iter().map(|file| Path::new(folder).join(file));
    files.collect()
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
