//! Services: from a model's name, an address and a key to a provider.

use std::collections::BTreeMap;
use std::sync::Arc;

use secrecy::{ExposeSecret as _, SecretString};
use zeph_llm::{LlmProvider, Prices};
use zeph_llm_genai::{GenaiProvider, Timeouts, services, usual_key_variable};

use super::scripted;
use super::setup::{Setup, service_of};
use crate::cx::Cx;
use crate::exit::{CliError, Exit};
use crate::out;

/// The provider of a setup, and the keys that are at hand.
pub(crate) struct Service {
    pub(crate) default: Arc<dyn LlmProvider>,
    /// What the default model costs, if it is known.
    pub(crate) prices: Option<Prices>,
    keys: BTreeMap<&'static str, SecretString>,
}

impl Setup {
    /// The provider of the default model.
    pub(crate) fn service(&self, cx: &Cx) -> Result<Service, CliError> {
        if self.is_scripted() {
            return Ok(Service {
                default: Arc::new(scripted::provider()),
                prices: Some(Prices::FREE),
                keys: BTreeMap::new(),
            });
        }
        let llm = &cx.config().llm;
        let set = llm.input_usd.zip(llm.output_usd);
        let prices = set.map(|(input, output)| Prices { input, output });
        let prices = prices.or_else(|| is_own(&self.model).then_some(Prices::FREE));
        let default = self.provider(cx, &self.model, prices)?;
        Ok(Service {
            default,
            prices,
            keys: keys(),
        })
    }

    /// A provider for that model. The address is of the default model's service only.
    fn provider(
        &self,
        cx: &Cx,
        name: &str,
        prices: Option<Prices>,
    ) -> Result<Arc<dyn LlmProvider>, CliError> {
        let mut builder = GenaiProvider::builder(name).timeouts(Timeouts {
            call: cx.config().llm.timeout,
            ..Timeouts::default()
        });
        let base_url = self.base_url.as_ref();
        let base_url = base_url.filter(|_| service_of(name) == service_of(&self.model));
        if let Some(url) = base_url {
            builder = builder.base_url(url);
        }
        if let Some(prices) = prices {
            builder = builder.prices(prices);
        }
        let variable = usual_key_variable(name);
        let key = variable.and_then(|variable| Some((variable, key_in(variable)?)));
        if self.replayed && key.is_none() && base_url.is_none() && variable.is_some() {
            // The name and what it can do are all that a replay takes of it.
            builder = builder.key(SecretString::from("replayed"));
        }
        match key {
            Some((variable, _)) if base_url.is_some() && !self.sends_keys => {
                out::note_line(format!(
                    "the key in {variable} is not sent: the address is a project's, from its zeph.toml; --base-url sends it"
                ));
            }
            Some((_, key)) => builder = builder.key(key),
            None => {}
        }
        let provider = builder.build().map_err(|error| {
            let error = CliError::new(Exit::Usage, error.to_string()).code("bad_model");
            match variable {
                Some(variable) => error.help(format!(
                    "the key of this service is read from {variable}; --base-url names another address"
                )),
                None => error.help("name a model as in --model ollama::qwen3:8b"),
            }
        })?;
        Ok(Arc::new(provider))
    }

    /// A provider for a model that an agent names, and what it costs.
    pub(crate) fn named(
        &self,
        cx: &Cx,
        name: &str,
    ) -> Result<(Arc<dyn LlmProvider>, Option<Prices>), CliError> {
        let prices = is_own(name).then_some(Prices::FREE);
        let provider = self.provider(cx, name, prices)?;
        Ok((provider, prices))
    }
}

impl Service {
    /// The keys by the variable that they came from, to be taken out of whatever is kept.
    pub(crate) fn keys(&self) -> impl Iterator<Item = (&str, &str)> {
        let keys = self.keys.iter();
        keys.map(|(name, key)| (*name, key.expose_secret()))
    }
}

/// The keys of all services by their variables: an agent may name a model of any of them, and commands
/// may print a key that no model is asked with.
fn keys() -> BTreeMap<&'static str, SecretString> {
    let variables = services().iter().filter_map(|one| one.key_variable);
    variables
        .filter_map(|variable| Some((variable, key_in(variable)?)))
        .collect()
}

/// The key in a variable. An empty one is one that somebody took away.
fn key_in(variable: &str) -> Option<SecretString> {
    let key = std::env::var(variable).ok()?;
    (!key.trim().is_empty()).then(|| SecretString::from(key))
}

/// Whether the service asks for no key, which is a machine of one's own.
fn is_own(model: &str) -> bool {
    model.contains("::") && usual_key_variable(model).is_none()
}
