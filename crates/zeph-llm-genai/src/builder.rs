//! The builder of a provider: model, address, key, time limits, capabilities.

use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use zeph_llm::{Capabilities, Prices};

use crate::endpoint::BaseUrl;
use crate::error::BuildError;
use crate::error_context::ErrorContext;
use crate::provider::{GenaiProvider, Inner};
use crate::{client, service};

/// The time limits of a call. None of them may be 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// To establish a connection. Default: 10 s.
    pub connect: Duration,
    /// Of the whole call, unless the request has its own limit. Default: 5 min. If it is too short, long
    /// answers are paid for and lost; if it is too long, a dead service is noticed late.
    pub call: Duration,
    /// Between two bytes of a stream. Default: 60 s. A service that sends nothing for longer counts as
    /// dead.
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

/// Builds a [`GenaiProvider`].
///
/// Nothing is read from the environment.
#[derive(Clone, Debug)]
#[must_use]
pub struct GenaiProviderBuilder {
    name: String,
    base_url: Option<String>,
    key: Option<SecretString>,
    key_in_clear: bool,
    timeouts: Timeouts,
    /// May contain a password.
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

    /// The base address of the service. Default: its public address ([`Service::base_url`](crate::Service)).
    ///
    /// With or without a slash at the end. An address without a path gets `/v1/` (Gemini: `/v1beta/`);
    /// for Anthropic and Gemini so does one without a version at the end; `/chat/completions` or
    /// `/messages` at the end is removed. [`GenaiProvider::base_url`](crate::GenaiProvider::base_url)
    /// returns the result.
    pub fn base_url(mut self, url: impl Into<String>) -> Self {
        self.base_url = Some(url.into());
        self
    }

    /// The key. Default: none, which Ollama and self-hosted servers may accept.
    pub fn key(mut self, key: SecretString) -> Self {
        self.key = Some(key);
        self
    }

    /// Whether the key may be sent unencrypted to another machine. Default: no. If it is, anyone on the
    /// network path can read and use it.
    pub fn key_in_clear(mut self, may: bool) -> Self {
        self.key_in_clear = may;
        self
    }

    /// The time limits of calls. Default: [`Timeouts::default`].
    pub fn timeouts(mut self, timeouts: Timeouts) -> Self {
        self.timeouts = timeouts;
        self
    }

    /// A proxy for all calls, `http://…` or `https://…`. Default: none, regardless of the environment.
    ///
    /// The proxy can read the key of a service over http, so a proxy on another machine needs
    /// [`key_in_clear`](Self::key_in_clear). A debug print does not show the address.
    pub fn proxy(mut self, url: impl Into<String>) -> Self {
        self.proxy = Some(SecretString::from(url.into()));
        self
    }

    /// The prices of the model. Default: unknown; a budget of money then rejects the call.
    pub fn prices(mut self, prices: Prices) -> Self {
        self.prices = Some(prices);
        self
    }

    /// The capabilities of the model, instead of those of its service
    /// ([`Service::capabilities`](crate::Service::capabilities)). [`prices`](Self::prices) take precedence.
    ///
    /// A capability that the model lacks leads to an error of the service; one that is missing here to an
    /// error before the call.
    pub fn capabilities(mut self, capabilities: Capabilities) -> Self {
        self.capabilities = Some(capabilities);
        self
    }

    /// Builds the provider. Nothing is sent.
    ///
    /// # Errors
    /// If a name, an address, a key or a limit is invalid.
    pub fn build(self) -> Result<GenaiProvider, BuildError> {
        let (service, model) = service::parse(&self.name)?;
        let base_url = self.base_url.as_deref().unwrap_or(service.base_url);
        let base = BaseUrl::parse(service.wire, base_url)?;
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
        let in_clear = base.cleartext_host().map(str::to_owned);
        let in_clear = in_clear.or_else(|| base.cleartext_proxy(proxy?));
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
        let known = service.capabilities();
        let mut capabilities = self.capabilities.unwrap_or(known);
        capabilities.prices = self.prices.or(capabilities.prices);
        let name = format!("{}::{model}", service.name);
        Ok(GenaiProvider::new(Inner {
            errors: Arc::new(ErrorContext::new(name.clone(), key.clone())),
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

/// The key without surrounding white space. Characters that are invalid in a header are an error here,
/// because the error of the HTTP client would show the key.
fn check_key(service: &'static str, key: &SecretString) -> Result<SecretString, BuildError> {
    let key = key.expose_secret().trim();
    if key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(BuildError::BadKey { service });
    }
    Ok(SecretString::from(key))
}

fn check_timeouts(timeouts: Timeouts) -> Result<(), BuildError> {
    let limits = [
        ("connect", timeouts.connect),
        ("call", timeouts.call),
        ("idle", timeouts.idle),
    ];
    match limits.into_iter().find(|(_, given)| given.is_zero()) {
        Some((limit, _)) => Err(BuildError::ZeroTimeout { limit }),
        None => Ok(()),
    }
}
