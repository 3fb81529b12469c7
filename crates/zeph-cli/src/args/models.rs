//! The flags of models and budgets, which override settings, and those of parameters and labels.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;

/// A flag that overrides a setting: the setting's key, the flag's name, and its text if it is given.
pub(crate) type FlagOverride = (&'static str, &'static str, Option<String>);

/// Which model is asked, and by whom.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Models")]
pub(crate) struct ModelArgs {
    /// The model, such as ollama::qwen3:8b or openai::gpt-5-mini [env: ZEPH_LLM_MODEL]
    #[arg(long, value_name = "SERVICE::MODEL")]
    pub(crate) model: Option<String>,
    /// The model that is asked where the other one gives no answer [env: ZEPH_LLM_FALLBACK_MODEL]
    #[arg(long, value_name = "SERVICE::MODEL")]
    pub(crate) fallback_model: Option<String>,
    /// Where the model is served [env: ZEPH_LLM_BASE_URL] [default: the service's own address]
    #[arg(long, value_name = "URL")]
    pub(crate) base_url: Option<String>,
    /// The folder of the agents' definitions, *.md [env: ZEPH_AGENTS]
    #[arg(long, value_name = "DIR")]
    pub(crate) agents: Option<String>,
    /// A folder of prompts that replace the built-in ones [env: ZEPH_PROMPTS]
    #[arg(long, value_name = "DIR")]
    pub(crate) prompts: Option<String>,
}

impl ModelArgs {
    pub(crate) fn overrides(&self) -> Vec<FlagOverride> {
        vec![
            ("llm.model", "model", self.model.clone()),
            (
                "llm.fallback_model",
                "fallback-model",
                self.fallback_model.clone(),
            ),
            ("llm.base_url", "base-url", self.base_url.clone()),
            ("agents", "agents", self.agents.clone()),
            ("prompts", "prompts", self.prompts.clone()),
        ]
    }
}

/// What a run may cost.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Budget")]
pub(crate) struct BudgetArgs {
    /// The tokens that the run may use, or none [env: ZEPH_BUDGET_TOKENS]
    #[arg(long, value_name = "N")]
    pub(crate) budget_tokens: Option<String>,
    /// The dollars that the run may cost, or none [env: ZEPH_BUDGET_USD]
    #[arg(long, value_name = "USD")]
    pub(crate) budget_usd: Option<String>,
    /// At the limit: ask a person, or continue with the results so far [env: ZEPH_BUDGET_OVER]
    #[arg(long, value_name = "ask|partial")]
    pub(crate) over_budget: Option<String>,
}

impl BudgetArgs {
    pub(super) fn overrides(&self) -> Vec<FlagOverride> {
        vec![
            ("budget.tokens", "budget-tokens", self.budget_tokens.clone()),
            ("budget.usd", "budget-usd", self.budget_usd.clone()),
            ("budget.over", "over-budget", self.over_budget.clone()),
        ]
    }
}

/// The values of parameters.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct ParamArgs {
    /// A parameter of the plan; secrets are not stored, and only `run`, `resume` and `retry` need them.
    /// NAME=@FILE reads its value from a file, NAME=@- from stdin, NAME=@env:VARIABLE from a variable,
    /// NAME alone asks for it unseen
    #[arg(short, long = "param", value_name = "NAME=VALUE")]
    pub(crate) param: Vec<String>,
}

/// The reports that a run leaves behind.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct ReportArgs {
    /// Write a JUnit XML report for CI services to this file
    #[arg(long, value_name = "FILE")]
    pub(crate) junit: Option<PathBuf>,
}

/// The labels of a new run.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct LabelArgs {
    /// Label the run, so that `zeph list --label` finds it; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = label)]
    pub(crate) label: Vec<(String, String)>,
}

/// The group of a new run.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct GroupArgs {
    /// The group of the run: at most one run of a group works at a time, over all processes on the database
    /// [default: that of the plan]
    #[arg(long, value_name = "GROUP")]
    pub(crate) group: Option<String>,
    /// What to do while another run of the group works [default: queue]
    #[arg(long, value_name = "WHAT", value_parser = CONFLICTS)]
    pub(crate) on_conflict: Option<String>,
}

/// What to do while another run of the group works, with `-` as flags have it and with `_` as plan files have it.
const CONFLICTS: [&str; 4] = ["queue", "refuse", "cancel-running", "cancel_running"];

fn label(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').unwrap_or(("", text));
    match zeph_runtime::set_label(&mut BTreeMap::new(), name, value) {
        Ok(()) => Ok((name.to_owned(), value.to_owned())),
        Err(error) => Err(error.to_string()),
    }
}
