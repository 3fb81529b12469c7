//! The llm_context of one run: made anew for each, since its sanitizer has the run's seed.

use std::borrow::Cow;
use std::sync::Arc;

use zeph_executor::{Redact, Registry};
use zeph_graph::Policy;
use zeph_llm::LlmProvider;
use zeph_planfile::RunValues;
use zeph_planner::{AnswerExecutor, LlmContext, PlanRequest, PriceList, Tape};
use zeph_sanitizer::Redactor;

use super::build::Settings;
use super::{OrchestratorError, Roles, run_seed};

impl Settings {
    /// Who does the actions of a run with that policy; with a tape, by what is on it.
    pub(super) fn registry(
        &self,
        policy: &Policy,
        values: RunValues,
        tape: Option<&Tape>,
    ) -> Result<Registry, OrchestratorError> {
        let provider = match tape {
            Some(tape) => tape.provider(&*self.provider),
            None => Arc::clone(&self.provider),
        };
        let sanitizer = (self.sanitizer)(run_seed(policy), &self.secrets);
        let llm_context = LlmContext::builder(Arc::clone(&provider))
            .sanitizer(Arc::clone(&sanitizer))
            .retry(self.retry);
        let llm_context = self
            .llm_context
            .iter()
            .fold(llm_context, |llm_context, change| change(llm_context));
        let llm_context = match tape {
            Some(tape) => llm_context.on_tape(tape),
            None => llm_context,
        };
        let llm_context = Arc::new(llm_context.build()?);

        let planner = (self.planner)(Arc::clone(&provider), sanitizer);
        let host = self.host(&llm_context, &provider);
        let mut roles = Roles::new(Arc::clone(&llm_context))
            .values(values)
            .planner(planner, host)
            .compiler(Arc::clone(&self.compiler));
        if let Some(aggregator) = &self.aggregator {
            roles = roles.answers(AnswerExecutor::with(Arc::clone(aggregator)));
        }
        if let Some(rounds) = self.max_rounds {
            roles = roles.max_rounds(rounds);
        }
        if let Some(tokens) = self.answer_tokens {
            roles = roles.answer_tokens(tokens);
        }
        #[cfg(feature = "command")]
        if let Some(command) = &self.command {
            roles = roles.command(command.clone());
        }
        let mut registry = self.actions.clone();
        roles.register(&mut registry)?;
        Ok(registry)
    }

    /// What plans may use.
    fn host(&self, llm_context: &LlmContext, provider: &Arc<dyn LlmProvider>) -> PlanRequest {
        let prices = PriceList {
            default: provider.capabilities().prices,
            ..PriceList::default()
        };
        let host = PlanRequest::new("", llm_context.agents().clone()).prices(prices);
        self.host.iter().fold(host, |host, change| change(host))
    }
}

/// The redactor as the engine's door for it.
pub(super) struct Redacting(pub(super) Redactor);

impl Redact for Redacting {
    fn redact<'a>(&self, text: &'a [u8]) -> Cow<'a, [u8]> {
        self.0.redact_bytes(text)
    }
}
