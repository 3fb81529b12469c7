//! Addresses and headers of requests, and the check where a key would be sent unencrypted.

use std::net::IpAddr;

use reqwest::Url;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use secrecy::{ExposeSecret as _, SecretString};

use crate::error::BuildError;
use crate::wire::Wire;

/// The current version of Anthropic's interface; compatible services require it.
const ANTHROPIC_VERSION: &str = "2023-06-01";

/// The base address of a service; its path ends in a slash.
#[derive(Clone, Debug)]
pub(crate) struct BaseUrl {
    wire: Wire,
    /// Without the query.
    url: Url,
    /// The query of every request, such as `api-version=…`. It may contain a secret.
    query: Option<SecretString>,
}

impl BaseUrl {
    /// Parses an address, with or without a slash at the end, a version, the full path, or a query.
    pub(crate) fn parse(wire: Wire, text: &str) -> Result<Self, BuildError> {
        let bad = |why: &'static str| BuildError::BadBaseUrl { why };
        let mut url = Url::parse(text.trim()).map_err(|_| bad("it is not a URL"))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(bad("it starts with neither http:// nor https://"));
        }
        if url.host_str().is_none_or(str::is_empty) {
            return Err(bad("it has no host"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(bad(
                "it contains a name or password; pass the key separately",
            ));
        }
        if url.fragment().is_some() {
            return Err(bad("it contains `#`"));
        }
        let query = url
            .query()
            .filter(|query| !query.is_empty())
            .map(SecretString::from);
        url.set_query(None);
        let tail = match wire {
            Wire::OpenAi => "/chat/completions",
            Wire::Anthropic => "/messages",
            Wire::Gemini => "/models",
        };
        let path = url.path().trim_end_matches('/');
        let path = path.strip_suffix(tail).unwrap_or(path);
        let path = match (wire, path) {
            (Wire::OpenAi, "") => "/v1/".to_owned(),
            (Wire::Anthropic, path) if !is_versioned(path) => format!("{path}/v1/"),
            (Wire::Gemini, path) if !is_versioned(path) => format!("{path}/v1beta/"),
            (Wire::OpenAi | Wire::Anthropic | Wire::Gemini, path) => format!("{path}/"),
        };
        url.set_path(&path);
        Ok(Self { wire, url, query })
    }

    pub(crate) fn as_str(&self) -> &str {
        self.url.as_str()
    }

    pub(crate) fn is_https(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// The host that would receive a key unencrypted, if it is another machine.
    pub(crate) fn cleartext_host(&self) -> Option<&str> {
        let host = self.url.host_str().filter(|_| !self.is_https())?;
        (!is_local(host)).then_some(host)
    }

    /// The host of a proxy on another machine that could read a key.
    pub(crate) fn cleartext_proxy(&self, proxy: &str) -> Option<String> {
        if self.is_https() {
            return None;
        }
        let url = Url::parse(proxy)
            .ok()
            .filter(Url::has_host)
            .or_else(|| Url::parse(&format!("http://{proxy}")).ok())?;
        let host = url.host_str().filter(|host| !is_local(host))?;
        Some(host.to_owned())
    }

    /// The address of a request for that model.
    pub(crate) fn endpoint(&self, model: &str, stream: bool) -> String {
        let mut url = self.url.clone();
        // Only an address without a host has no segments, and `parse` rejects those.
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty();
            match self.wire {
                Wire::OpenAi => path.extend(["chat", "completions"]),
                Wire::Anthropic => path.push("messages"),
                Wire::Gemini => {
                    let act = if stream {
                        "streamGenerateContent"
                    } else {
                        "generateContent"
                    };
                    path.extend(["models", &format!("{model}:{act}")])
                }
            };
        }
        let query = self.query.as_ref().map(SecretString::expose_secret);
        let events = (stream && self.wire == Wire::Gemini).then_some("alt=sse");
        let query: Vec<&str> = query.into_iter().chain(events).collect();
        url.set_query((!query.is_empty()).then(|| query.join("&")).as_deref());
        url.into()
    }

    /// The headers of version and key.
    pub(crate) fn headers(&self, key: Option<&SecretString>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        if self.wire == Wire::Anthropic {
            let version = HeaderValue::from_static(ANTHROPIC_VERSION);
            headers.insert(HeaderName::from_static("anthropic-version"), version);
        }
        if let Some(key) = key {
            let key = key.expose_secret();
            let (name, value) = match self.wire {
                Wire::OpenAi => ("authorization", format!("Bearer {key}")),
                Wire::Anthropic => ("x-api-key", key.to_owned()),
                Wire::Gemini => ("x-goog-api-key", key.to_owned()),
            };
            // The builder accepts only keys that a header can have.
            if let Ok(mut value) = HeaderValue::from_str(&value) {
                value.set_sensitive(true);
                headers.insert(HeaderName::from_static(name), value);
            }
        }
        headers
    }
}

/// Whether a host, as it stands in an address, is this machine: `localhost`, a name below it, or a loopback address.
#[must_use]
pub fn is_local(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare == "localhost"
        || bare.ends_with(".localhost")
        || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// Whether a path ends in `/v1`, `/v1beta` and the like.
fn is_versioned(path: &str) -> bool {
    let last = path.rsplit('/').next().unwrap_or_default();
    let version = last.strip_prefix('v').unwrap_or_default();
    version.starts_with(|c: char| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::BaseUrl;
    use crate::wire::Wire::{self, Anthropic, Gemini, OpenAi};

    fn base(wire: Wire, text: &str) -> String {
        match BaseUrl::parse(wire, text) {
            Ok(base) => base.as_str().to_owned(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn addresses_are_normalised() {
        for text in [
            "http://127.0.0.1:8080",
            "http://127.0.0.1:8080/",
            "http://127.0.0.1:8080/v1",
            " http://127.0.0.1:8080/v1/ ",
            "http://127.0.0.1:8080/v1/chat/completions",
        ] {
            assert_eq!(base(OpenAi, text), "http://127.0.0.1:8080/v1/", "{text}");
        }
        for (wire, text, used) in [
            (OpenAi, "https://h/openai", "https://h/openai/"),
            (OpenAi, "https://h/api/paas/v4", "https://h/api/paas/v4/"),
            (Anthropic, "https://h", "https://h/v1/"),
            (Anthropic, "https://h/anthropic", "https://h/anthropic/v1/"),
            (Anthropic, "https://h/v1/messages", "https://h/v1/"),
            (Gemini, "https://h/gemini/", "https://h/gemini/v1beta/"),
            (Gemini, "https://h/v1", "https://h/v1/"),
        ] {
            assert_eq!(base(wire, text), used, "{text}");
        }
    }

    #[test]
    fn the_error_of_a_bad_address_says_why() {
        for (text, why) in [
            ("127.0.0.1:8080", "it is not a URL"),
            ("ftp://h/", "neither http:// nor https://"),
            ("http://user:pass@h/v1", "a name or password"),
            ("http://h/v1#key", "contains `#`"),
        ] {
            let said = base(OpenAi, text);
            assert!(said.contains(why), "{text}: {said}");
            assert!(!said.contains("pass@"), "{said}");
        }
    }

    #[test]
    fn a_query_is_sent_with_every_request_and_never_shown() {
        let text =
            "https://h/openai/deployments/d/chat/completions?api-version=2024-06-01&k=s3cret";
        let azure = BaseUrl::parse(OpenAi, text).unwrap();
        assert_eq!(azure.as_str(), "https://h/openai/deployments/d/");
        assert_eq!(azure.endpoint("m", true), text);
        assert!(!format!("{azure:?}").contains("s3cret"));
        let gemini = BaseUrl::parse(Gemini, "https://h/v1beta?x=1").unwrap();
        assert_eq!(
            gemini.endpoint("m", true),
            "https://h/v1beta/models/m:streamGenerateContent?x=1&alt=sse"
        );
    }

    #[test]
    fn a_model_name_cannot_change_the_rest_of_the_address() {
        let base = BaseUrl::parse(Gemini, "https://h").unwrap();
        let url = base.endpoint("../../x?y=1#z", true);
        assert_eq!(
            url,
            "https://h/v1beta/models/..%2F..%2Fx%3Fy=1%23z:streamGenerateContent?alt=sse"
        );
    }

    #[test]
    fn a_key_is_in_clear_text_on_the_way_to_another_machine_over_http() {
        for (text, host) in [
            ("http://10.0.0.7:8000", Some("10.0.0.7")),
            ("https://10.0.0.7:8000", None),
            ("http://localhost:1", None),
            ("http://127.9.9.9:1", None),
            ("http://[::1]:1", None),
            ("http://localhost.evil.org", Some("localhost.evil.org")),
        ] {
            let base = BaseUrl::parse(OpenAi, text).unwrap();
            assert_eq!(base.cleartext_host(), host, "{text}");
        }
    }

    #[test]
    fn a_key_is_in_clear_text_for_a_proxy_on_another_machine() {
        let clear = BaseUrl::parse(OpenAi, "http://127.0.0.1:8080").unwrap();
        for (proxy, host) in [
            (
                "http://user:pass@proxy.example.org:3128",
                Some("proxy.example.org"),
            ),
            ("https://proxy.example.org", Some("proxy.example.org")),
            ("proxy.example.org:3128", Some("proxy.example.org")),
            ("http://127.0.0.1:3128", None),
            ("localhost:3128", None),
        ] {
            assert_eq!(clear.cleartext_proxy(proxy).as_deref(), host, "{proxy}");
        }
        let hidden = BaseUrl::parse(OpenAi, "https://10.0.0.7").unwrap();
        assert_eq!(
            hidden.cleartext_proxy("http://proxy.example.org:3128"),
            None
        );
    }
}
