//! Building a provider: a model's name, where its service lives, its key, its limits.

use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use zeph_llm::{Capabilities, Prices};

use crate::address::Base;
use crate::fault::Origin;
use crate::provider::Inner;
use crate::service::{self, services};
use crate::{GenaiProvider, client};

/// How long a call may take.
///
/// None of them may be 0, which no call could meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Until there is a connection. Default: 10 s.
    pub connect: Duration,
    /// The whole call, if the request does not say. Default: 5 min. Too short, and long answers are
    /// paid for and thrown away; too long, and a dead service is noticed late.
    pub call: Duration,
    /// Between two bytes of a stream. Default: 60 s. A service that thinks for longer without a sign of
    /// life is taken for dead.
    pub idle: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            call: Duration::from_secs(300),
            idle: Duration::from_secs(60),
        }
    }
}

/// Why no provider can be built. It never shows a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The name has no service in front.
    #[error(
        "`{name}` names no service: write `service::model`, such as `openai::{name}` or `ollama::{name}`"
    )]
    NoService {
        /// What was given, shortened.
        name: String,
    },
    /// There is no such service.
    #[error("there is no service `{service}`{}; known are {}", hint(*.suggestion), known())]
    UnknownService {
        /// What was given, shortened.
        service: String,
        /// The service that was probably meant.
        suggestion: Option<&'static str>,
    },
    /// The name of the model is empty, too long, or holds white space or controls.
    #[error(
        "`{model}` is no name of a model: write `service::model`, with 1 to 256 bytes and no white space"
    )]
    BadModel {
        /// What was given, shortened.
        model: String,
    },
    /// The address cannot be used.
    #[error("the base address cannot be used: {why}; write it as in `http://127.0.0.1:8080/v1/`")]
    BadBaseUrl {
        /// What is wrong with it.
        why: &'static str,
    },
    /// The service asks for a key.
    #[error("the service `{service}` asks for a key: give one{}", usually(*.variable))]
    NoKey {
        /// The service.
        service: &'static str,
        /// Where its key usually is.
        variable: Option<&'static str>,
    },
    /// The key is empty, or holds what no header can.
    #[error(
        "the key for `{service}` is empty or holds white space or controls: check where it comes from"
    )]
    BadKey {
        /// The service.
        service: &'static str,
    },
    /// The key would travel unencrypted to another machine.
    #[error(
        "the key would travel unencrypted to {host}: use https, or say `key_in_clear(true)` if the network is yours"
    )]
    KeyInClear {
        /// Where it would travel.
        host: String,
    },
    /// A time limit is 0.
    #[error("the time limit `{limit}` is 0: no call could meet it")]
    ZeroTimeout {
        /// Which one.
        limit: &'static str,
    },
    /// The address of the proxy cannot be used.
    #[error("the address of the proxy cannot be used: write it as in `http://127.0.0.1:3128`")]
    BadProxy,
    /// There is no HTTP client, usually because the system trusts no authorities.
    #[error("the HTTP client cannot be set up: {why}; are certificates of authorities installed?")]
    Client {
        /// What it said.
        why: String,
    },
}

fn hint(suggestion: Option<&str>) -> String {
    suggestion.map_or(String::new(), |name| format!(", did you mean `{name}`?"))
}

fn usually(variable: Option<&str>) -> String {
    variable.map_or(String::new(), |name| format!(", usually in {name}"))
}

fn known() -> String {
    let names: Vec<&str> = services().iter().map(|service| service.name).collect();
    names.join(", ")
}

/// Builds a [`GenaiProvider`].
///
/// Nothing is read from the environment: whoever builds passes in what is needed.
#[derive(Clone, Debug)]
#[must_use]
pub struct GenaiProviderBuilder {
    name: String,
    base_url: Option<String>,
    key: Option<SecretString>,
    key_in_clear: bool,
    timeouts: Timeouts,
    /// It may hold a password.
    proxy: Option<SecretString>,
    prices: Option<Prices>,
    capabilities: Option<Capabilities>,
}

impl GenaiProviderBuilder {
    pub(crate) fn new(name: String) -> Self {
        Self {
            name,
            base_url: None,
            key: None,
            key_in_clear: false,
            timeouts: Timeouts::default(),
            proxy: None,
            prices: None,
            capabilities: None,
        }
    }

    /// Where the service lives. Default: its public address ([`Service::base_url`](crate::Service)).
    ///
    /// With or without a slash at the end. An address without a path gets `/v1/` (Gemini: `/v1beta/`);
    /// for Anthropic and Gemini so does one whose path ends in no version; `/chat/completions` or
    /// `/messages` at the end is cut. What is used in the end is
    /// [`GenaiProvider::base_url`](crate::GenaiProvider::base_url).
    pub fn base_url(mut self, url: impl Into<String>) -> Self {
        self.base_url = Some(url.into());
        self
    }

    /// The key. Default: none, which Ollama and servers at an address of one's own may accept.
    pub fn key(mut self, key: SecretString) -> Self {
        self.key = Some(key);
        self
    }

    /// Whether the key may travel unencrypted to another machine. Default: no. Yes means that everybody
    /// on the way can read and use it.
    pub fn key_in_clear(mut self, may: bool) -> Self {
        self.key_in_clear = may;
        self
    }

    /// How long calls may take. Default: [`Timeouts::default`].
    pub fn timeouts(mut self, timeouts: Timeouts) -> Self {
        self.timeouts = timeouts;
        self
    }

    /// A proxy for all calls, `http://…` or `https://…`. Default: none, whatever the environment says.
    ///
    /// A key for a service over http is read by the proxy, so one on another machine needs
    /// [`key_in_clear`](Self::key_in_clear). A debug print does not show the address.
    pub fn proxy(mut self, url: impl Into<String>) -> Self {
        self.proxy = Some(SecretString::from(url.into()));
        self
    }

    /// What the model costs. Default: unknown; a budget of money then refuses the call.
    pub fn prices(mut self, prices: Prices) -> Self {
        self.prices = Some(prices);
        self
    }

    /// What the model can do, instead of what is known of its service
    /// ([`Service::capabilities`](crate::Service::capabilities)). Prices that are given apart are kept.
    ///
    /// Too much said here becomes an error of the service at the call, too little one of ours before it.
    pub fn capabilities(mut self, capabilities: Capabilities) -> Self {
        self.capabilities = Some(capabilities);
        self
    }

    /// Builds it. Nothing goes over the wire yet.
    ///
    /// # Errors
    /// Names, addresses and keys that cannot be used, before any of them is.
    pub fn build(self) -> Result<GenaiProvider, BuildError> {
        let (service, model) = service::parse(&self.name)?;
        let base_url = self.base_url.as_deref().unwrap_or(service.base_url);
        let base = Base::parse(service.wire, base_url)?;
        let own_address = base.as_str() != service.base_url;
        let key = self
            .key
            .map(|key| check_key(service.name, &key))
            .transpose()?;
        if key.is_none() && !own_address && service.key_variable.is_some() {
            return Err(BuildError::NoKey {
                service: service.name,
                variable: service.key_variable,
            });
        }
        let proxy = self.proxy.as_ref().map(SecretString::expose_secret);
        let in_clear = base.in_clear().map(str::to_owned);
        let in_clear = in_clear.or_else(|| base.in_clear_to(proxy?));
        if let Some(host) = in_clear.filter(|_| key.is_some() && !self.key_in_clear) {
            return Err(BuildError::KeyInClear { host });
        }
        check_timeouts(self.timeouts)?;
        let connect = self.timeouts.connect;
        let http = client::client(connect, proxy, base.is_https())?;
        let genai = genai::Client::builder().with_reqwest(http).build();
        let genai = genai.map_err(|error| BuildError::Client {
            why: error.to_string(),
        })?;
        let known = service.capabilities(own_address);
        let mut capabilities = self.capabilities.unwrap_or(known);
        capabilities.prices = self.prices.or(capabilities.prices);
        let name = format!("{}::{model}", service.name);
        Ok(GenaiProvider::new(Inner {
            origin: Arc::new(Origin::new(name.clone(), key.clone())),
            name,
            model: model.to_owned(),
            service,
            base,
            own_address,
            key,
            timeouts: self.timeouts,
            capabilities,
            genai,
        }))
    }
}

/// A key without the line break that files end in. What no header can hold is refused here, since a
/// header that cannot be built would be shown.
fn check_key(service: &'static str, key: &SecretString) -> Result<SecretString, BuildError> {
    let key = key.expose_secret().trim();
    if key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(BuildError::BadKey { service });
    }
    Ok(SecretString::from(key))
}

fn check_timeouts(timeouts: Timeouts) -> Result<(), BuildError> {
    let Timeouts {
        connect,
        call,
        idle,
    } = timeouts;
    for (limit, given) in [("connect", connect), ("call", call), ("idle", idle)] {
        if given.is_zero() {
            return Err(BuildError::ZeroTimeout { limit });
        }
    }
    Ok(())
}
