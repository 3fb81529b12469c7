//! Services: makes a provider from a model's name, an address and a key.

use std::sync::Arc;

use secrecy::{ExposeSecret as _, SecretString};
use zeph_common::escape_terminal;
use zeph_diagnostics::{Code, Diagnostic, Diagnostics, quote};
use zeph_llm::{LlmProvider, Prices};
use zeph_llm_genai::{
    GenaiProvider, GenaiProviderBuilder, Service, Timeouts, is_placeholder_key, services,
    usual_key_variable,
};
use zeph_subagent::AgentCatalog;

use super::setup::{ModelConfig, service_of};
use super::{proxy, scripted};
use crate::context::AppContext;
use crate::exit::{CliError, Exit};
use crate::out;
use crate::project::Trust;

impl ModelConfig {
    /// A provider for that model. The settings' prices are of the default model, and the address is of its
    /// service.
    pub(super) fn provider(
        &self,
        cx: &AppContext,
        name: &str,
    ) -> Result<Arc<dyn LlmProvider>, CliError> {
        if self.is_scripted() {
            return Ok(Arc::new(scripted::provider()));
        }
        let llm = &cx.config().llm;
        let set = if name == self.model {
            llm.input_usd.zip(llm.output_usd)
        } else if self.fallback.as_deref() == Some(name) {
            llm.fallback_input_usd.zip(llm.fallback_output_usd)
        } else {
            None
        };
        let prices = set.map(|(input, output)| Prices {
            input,
            output,
            ..Prices::FREE
        });
        let prices = prices.or_else(|| is_self_hosted(name).then_some(Prices::FREE));
        let mut builder = GenaiProvider::builder(name).timeouts(Timeouts {
            call: llm.timeout,
            ..Timeouts::default()
        });
        let is_same = service_of(name) == service_of(&self.model);
        if is_same {
            builder = dialect(builder, cx);
        }
        let base_url = self.base_url.as_ref().filter(|_| is_same);
        let address = base_url.map_or_else(|| public_address(name), String::as_str);
        if let Some(proxy) = proxy::of(address, cx) {
            builder = builder.proxy(proxy.url).no_proxy(proxy.except);
        }
        if let Some(url) = base_url {
            builder = builder.base_url(url);
        }
        if let Some(prices) = prices {
            builder = builder.prices(prices);
        }
        let variable = usual_key_variable(name);
        let key = variable.and_then(|variable| Some((variable, key_in(variable)?)));
        if self.replayed && key.is_none() && base_url.is_none() && variable.is_some() {
            // A replay uses only the provider's name and capabilities.
            builder = builder.key(SecretString::from("replayed"));
        }
        match (key, base_url) {
            (Some((_, key)), None) => builder = builder.key(key),
            (Some((_, key)), Some(url)) if self.sends_keys => {
                builder = builder.key(key);
                // A later `zeph resume` may send the key there, too.
                Trust::update(|trust| trust.addresses.extend([url.clone()]))?;
            }
            (_, Some(url)) if !self.sends_keys => out::note_line(format!(
                "the run asks models at {}, which you have not chosen, so no key is sent there; --base-url chooses it",
                escape_terminal(url)
            )),
            (None, _) | (Some(_), Some(_)) => {}
        }
        let provider = builder.build().map_err(|error| {
            let error = CliError::new(Exit::Usage, error.to_string()).code("bad_model");
            match variable {
                Some(variable) => error.help(format!(
                    "the key of this service is read from {variable}; --base-url names another address;\n\
                     `llm.key_in_clear = true` in your own settings, or ZEPH_LLM_KEY_IN_CLEAR=true, allows http"
                )),
                None => error.help("name a model as in --model ollama::qwen3:8b"),
            }
        })?;
        Ok(Arc::new(provider))
    }
}

/// The problems of the models that agents name: services that do not exist, names of the wrong form.
pub(crate) fn model_problems(agents: &AgentCatalog) -> Diagnostics {
    let models = agents.iter().filter(|agent| agent.program.is_none());
    let named = models.filter_map(|agent| Some((agent, agent.model.as_deref()?)));
    let problems = named.filter_map(|(agent, model)| {
        // A key is needed only when the model is asked.
        let provider = GenaiProvider::builder(model).key(SecretString::from("none"));
        let error = provider.build().err()?;
        let message = format!("the agent {} asks for a model: {error}", quote(&agent.name));
        Some(Diagnostic::new(Code::new("bad_model"), message))
    });
    problems.collect()
}

/// The builder with the settings of the default model's service.
fn dialect(builder: GenaiProviderBuilder, cx: &AppContext) -> GenaiProviderBuilder {
    let llm = &cx.config().llm;
    let builder = builder
        .stream(llm.stream)
        .system_role(llm.system_role)
        .key_in_clear(llm.key_in_clear);
    match &llm.max_tokens_field {
        Some(field) => builder.max_tokens_field(field),
        None => builder,
    }
}

/// The public address of a model's service.
fn public_address(model: &str) -> &'static str {
    let mut services = services().iter();
    let service = services.find(|one| one.name == service_of(model));
    service.map_or("", |service| service.base_url)
}

/// Each service with the variable of its key, and whether that has a key that may be one.
pub(crate) fn keys_of_services() -> impl Iterator<Item = (&'static Service, Option<bool>)> {
    services().iter().map(|service| {
        let key = service.key_variable.map(key_in);
        let is_real = |key: SecretString| !is_placeholder_key(key.expose_secret());
        (service, key.map(|key| key.is_some_and(is_real)))
    })
}

/// The keys of all services in the environment, by their variables: an agent may name a model of any
/// service, and a command may print any variable. A placeholder is no secret.
pub(super) fn keys() -> impl Iterator<Item = (&'static str, SecretString)> {
    key_variables()
        .filter_map(|variable| Some((variable, key_in(variable)?)))
        .filter(|(_, key)| !is_placeholder_key(key.expose_secret()))
}

/// The variables of the keys of all services.
pub(super) fn key_variables() -> impl Iterator<Item = &'static str> {
    services().iter().filter_map(|one| one.key_variable)
}

/// The key in a variable. An empty one counts as unset.
fn key_in(variable: &str) -> Option<SecretString> {
    let key = std::env::var(variable).ok()?;
    (!key.trim().is_empty()).then(|| SecretString::from(key))
}

/// Whether the service needs no key: it is free of charge.
fn is_self_hosted(model: &str) -> bool {
    model.contains("::") && usual_key_variable(model).is_none()
}
