//! The builder of a provider: model, address, key, time limits, capabilities.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use zeph_llm::{Capabilities, Prices};

use crate::endpoint::BaseUrl;
use crate::error::BuildError;
use crate::error_context::ErrorContext;
use crate::key::is_placeholder_key;
use crate::optional::Optional;
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
    no_proxy: Option<String>,
    stream: bool,
    system_role: bool,
    limit: Option<String>,
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
            no_proxy: None,
            stream: true,
            system_role: true,
            limit: None,
            prices: None,
            capabilities: None,
        }
    }

    /// The base address of the service. Default: its public address ([`Service::base_url`](crate::Service)).
    ///
    /// With or without a slash at the end. An address without a path gets `/v1/` (Gemini: `/v1beta/`);
    /// for Anthropic and Gemini so does one without a version at the end; `/chat/completions` or
    /// `/messages` at the end is removed. A query such as `?api-version=2024-06-01` is sent with every
    /// request. [`GenaiProvider::base_url`](crate::GenaiProvider::base_url) returns the result without the
    /// query.
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

    /// A proxy for all calls, `http://…`, `https://…` or `socks5h://…`. Default: none, regardless of the
    /// environment.
    ///
    /// The proxy can read the key of a service over http, so a proxy on another machine needs
    /// [`key_in_clear`](Self::key_in_clear). A debug print does not show the address.
    pub fn proxy(mut self, url: impl Into<String>) -> Self {
        self.proxy = Some(SecretString::from(url.into()));
        self
    }

    /// The hosts that are reached without the proxy, in the form of the variable `NO_PROXY`: names, domains
    /// with their subdomains, addresses and networks, separated by commas. Default: none.
    pub fn no_proxy(mut self, hosts: impl Into<String>) -> Self {
        self.no_proxy = Some(hosts.into());
        self
    }

    /// Whether answers are streamed. Default: yes. Without streams a silent service is noticed only at the
    /// time limit of the call. A service that answers a request for a stream with a whole answer needs no
    /// setting.
    pub fn stream(mut self, on: bool) -> Self {
        self.stream = on;
        self
    }

    /// Whether the model knows the system role. Default: yes, until the service rejects it. If not, the
    /// instructions are put in front of the first message of the user.
    pub fn system_role(mut self, on: bool) -> Self {
        self.system_role = on;
        self
    }

    /// The name of the token limit in the protocol of OpenAI, such as `max_completion_tokens` for an alias of
    /// a model that wants it. Default: by the service and the model; the other one if it is rejected.
    pub fn max_tokens_field(mut self, name: impl Into<String>) -> Self {
        self.limit = Some(name.into());
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
        let is_secret = |key: &SecretString| !is_placeholder_key(key.expose_secret());
        let is_secret = key.as_ref().is_some_and(is_secret);
        if let Some(host) = in_clear.filter(|_| is_secret && !self.key_in_clear) {
            let variable = service.key_variable;
            return Err(BuildError::KeyInClear { host, variable });
        }
        check_timeouts(self.timeouts)?;
        if let Some(field) = self.limit.as_ref().filter(|field| !is_field(field)) {
            let field = zeph_common::escape_terminal(field).into_owned();
            return Err(BuildError::BadField { field });
        }
        let connect = self.timeouts.connect;
        let no_proxy = self.no_proxy.as_deref();
        let http = client::http_client(connect, (proxy, no_proxy), base.is_https())?;
        let known = service.capabilities();
        let mut capabilities = self.capabilities.unwrap_or(known);
        capabilities.prices = self.prices.or(capabilities.prices);
        capabilities.streaming &= self.stream;
        let system = (!self.system_role).then_some(Optional::SystemRole);
        let name = format!("{}::{model}", service.name);
        Ok(GenaiProvider::new(Inner {
            errors: Arc::new(ErrorContext::new(
                name.clone(),
                base.as_str().to_owned(),
                key.clone(),
            )),
            name,
            model: model.to_owned(),
            service,
            base,
            own_address,
            key,
            timeouts: self.timeouts,
            capabilities,
            http,
            limit: self.limit,
            omitted: system.into_iter().collect(),
            learned: Mutex::new(BTreeMap::new()),
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

/// Whether a name can be a field of a request.
fn is_field(name: &str) -> bool {
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    (1..=64).contains(&name.len()) && name.bytes().all(is_name)
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
