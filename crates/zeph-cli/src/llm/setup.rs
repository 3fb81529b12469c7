//! Which models, agents and prompts a run uses, from the settings or as stored with the run.

use std::collections::BTreeMap;
use std::path::PathBuf;

use zeph_graph::{Task, TaskGraph, Work};
use zeph_planner::plan::PLAN;

use crate::context::AppContext;
use crate::exit::{CliError, Exit};
use crate::out::Channel;

/// The metadata keys under which a graph stores these choices.
mod keys {
    pub(super) const MODEL: &str = "llm_model";
    pub(super) const FALLBACK: &str = "llm_fallback_model";
    pub(super) const BASE_URL: &str = "llm_base_url";
    pub(super) const AGENTS: &str = "llm_agents";
    pub(super) const PROMPTS: &str = "llm_prompts";
}

/// The name of the scripted model.
pub(crate) const SCRIPTED: &str = "scripted";

/// The model of a run, its address, and the folders of prompts and agents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ModelConfig {
    /// `service::model`, or [`SCRIPTED`].
    pub(crate) model: String,
    /// The model that is asked where another one gives no answer.
    pub(crate) fallback: Option<String>,
    pub(crate) base_url: Option<String>,
    /// Whether this user chose that address, so that a key may be sent there. The address of a
    /// stored run comes from its database, which may be another user's.
    pub(crate) sends_keys: bool,
    pub(crate) agents: Option<PathBuf>,
    pub(crate) prompts: Option<PathBuf>,
    /// The model is replayed from a recording, so no key is needed.
    pub(crate) replayed: bool,
}

impl ModelConfig {
    /// The models of the settings. A scripted run needs no model.
    pub(crate) fn from_settings(cx: &AppContext, scripted: bool) -> Result<Self, CliError> {
        Self::resolve(
            cx,
            scripted,
            &BTreeMap::new(),
            "; --scripted needs no model",
        )
    }

    /// The models of a stored run; flags and variables override them.
    pub(crate) fn stored(cx: &AppContext, graph: &TaskGraph) -> Result<Self, CliError> {
        let scripted = is_scripted(graph) && !cx.is_explicit("llm.model");
        Self::resolve(cx, scripted, graph.metadata(), "")
    }

    fn resolve(
        cx: &AppContext,
        scripted: bool,
        stored: &BTreeMap<String, String>,
        instead: &str,
    ) -> Result<Self, CliError> {
        let config = cx.config();
        // Flags and variables, then the stored run, then the settings files.
        let pick = |key: &str, at: &str, set: Option<String>| match stored.get(at) {
            Some(text) if !cx.is_explicit(key) => Some(text.clone()),
            Some(_) | None => set,
        };
        let path = |path: &PathBuf| {
            let whole = std::path::absolute(path).unwrap_or_else(|_| path.clone());
            whole.to_string_lossy().into_owned()
        };
        let agents = pick("agents", keys::AGENTS, config.agents.as_ref().map(path));
        let prompts = pick("prompts", keys::PROMPTS, config.prompts.as_ref().map(path));
        let mut models = Self {
            model: SCRIPTED.to_owned(),
            fallback: None,
            base_url: None,
            sends_keys: false,
            agents: agents.map(PathBuf::from),
            // The scripted replies fit the built-in prompts only.
            prompts: None,
            replayed: false,
        };
        if scripted {
            return Ok(models);
        }
        let model = pick("llm.model", keys::MODEL, config.llm.model.clone());
        let model = model.ok_or_else(|| no_model(instead))?;
        // The key of one service must not be sent to the address of another.
        let begun_with = stored.get(keys::MODEL);
        let is_same = begun_with.is_none_or(|begun| service_of(begun) == service_of(&model));
        let stored_url = stored.get(keys::BASE_URL).filter(|_| is_same);
        models.base_url = match stored_url.filter(|_| !cx.is_explicit("llm.base_url")) {
            Some(url) => Some(url.clone()),
            None => config.llm.base_url.clone(),
        };
        let url = models.base_url.as_deref();
        models.sends_keys = url.is_none_or(|url| cx.is_chosen(url));
        models.model = model;
        let fallback = config.llm.fallback_model.clone();
        models.fallback = pick("llm.fallback_model", keys::FALLBACK, fallback);
        models.prompts = prompts.map(PathBuf::from);
        Ok(models)
    }

    pub(crate) fn is_scripted(&self) -> bool {
        self.model == SCRIPTED
    }

    /// The metadata that is stored with a run, so that `zeph resume` needs no flags.
    pub(crate) fn metadata(&self) -> Vec<(String, String)> {
        let text = |path: &PathBuf| path.to_string_lossy().into_owned();
        let facts = [
            (keys::MODEL, Some(self.model.clone())),
            (keys::FALLBACK, self.fallback.clone()),
            (keys::BASE_URL, self.base_url.clone()),
            (keys::AGENTS, self.agents.as_ref().map(text)),
            (keys::PROMPTS, self.prompts.as_ref().map(text)),
        ];
        let facts = facts.into_iter();
        facts
            .filter_map(|(key, text)| Some((key.to_owned(), text?)))
            .collect()
    }
}

/// The channel of the run's lines: a run for a goal reserves stdout for its answer, and a scripted run has
/// a label.
pub(crate) fn channel(graph: &TaskGraph) -> Channel {
    let is_plan = |task: &Task| matches!(task.work(), Work::Action { name, .. } if **name == *PLAN);
    let has_answer = graph.tasks().any(|(_, task)| is_plan(task));
    Channel::new(has_answer, is_scripted(graph))
}

/// Whether a stored run was started with the scripted model.
fn is_scripted(graph: &TaskGraph) -> bool {
    let model = graph.metadata().get(keys::MODEL);
    model.is_some_and(|model| model == SCRIPTED)
}

/// The service in a model's name.
pub(super) fn service_of(model: &str) -> &str {
    model.split_once("::").map_or(model, |(service, _)| service)
}

/// The error without a model; `instead` is what the command accepts in its place.
fn no_model(instead: &str) -> CliError {
    CliError::new(Exit::Usage, "this needs a model, and none is named")
        .code("no_model")
        .help(format!(
            "name one with --model, as in --model ollama::qwen3:8b, with llm.model in zeph.toml,\n\
             or with ZEPH_LLM_MODEL{instead}"
        ))
}
