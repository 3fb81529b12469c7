//! The proxy of a service: the setting, else the usual environment variables.

use zeph_llm_genai::Url;

use crate::context::AppContext;

/// A proxy, and the hosts that are reached without it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Proxy {
    pub(super) url: String,
    /// In the form of `NO_PROXY`.
    pub(super) except: String,
}

/// The proxy for an address.
pub(super) fn of(address: &str, cx: &AppContext) -> Option<Proxy> {
    let set = cx.config().llm.proxy.as_deref();
    choose(address, set, |name| std::env::var(name).ok())
}

/// The setting, else the variables as curl reads them: of the scheme, then of all; in lower case first.
/// `HTTP_PROXY` is not read: in a CGI program a client sets it. The environment concerns no address on this
/// machine.
fn choose(
    address: &str,
    set: Option<&str>,
    variable: impl Fn(&str) -> Option<String>,
) -> Option<Proxy> {
    let first = |names: &[&str]| {
        let found = names.iter().filter_map(|name| variable(name));
        found
            .map(|text| text.trim().to_owned())
            .find(|text| !text.is_empty())
    };
    let except = first(&["no_proxy", "NO_PROXY"]).unwrap_or_default();
    if let Some(url) = set {
        let url = url.to_owned();
        return Some(Proxy { url, except });
    }
    let names: &[&str] = if address.starts_with("https://") {
        &["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"]
    } else {
        &["http_proxy", "all_proxy", "ALL_PROXY"]
    };
    let url = first(names).filter(|_| !is_local(address))?;
    Some(Proxy { url, except })
}

/// Whether an address is on this machine.
fn is_local(address: &str) -> bool {
    let url = Url::parse(address).ok();
    url.is_some_and(|url| url.host_str().is_some_and(zeph_llm_genai::is_local))
}

#[cfg(test)]
mod tests {
    use super::choose;

    fn chosen(address: &str, set: Option<&str>, env: &[(&str, &str)]) -> Option<(String, String)> {
        let variable = |name: &str| {
            let found = env.iter().find(|(known, _)| *known == name);
            found.map(|(_, text)| (*text).to_owned())
        };
        choose(address, set, variable).map(|proxy| (proxy.url, proxy.except))
    }

    #[test]
    fn the_setting_comes_before_the_environment() {
        let both = &[
            ("HTTPS_PROXY", "http://p:1"),
            ("ALL_PROXY", "http://a:2"),
            ("NO_PROXY", "x.org"),
        ][..];
        let upper = &[("HTTP_PROXY", "http://evil:9"), ("ALL_PROXY", " ")][..];
        for (address, set, env, wanted) in [
            ("https://h/v1", None, both, Some(("http://p:1", "x.org"))),
            (
                "https://h/v1",
                Some("http://s:3"),
                both,
                Some(("http://s:3", "x.org")),
            ),
            ("http://h/v1", None, both, Some(("http://a:2", "x.org"))),
            ("http://127.0.0.1:8080/v1", None, both, None),
            ("http://localhost:11434/v1", None, both, None),
            // A name of another machine.
            (
                "http://127.evil.example/v1",
                None,
                both,
                Some(("http://a:2", "x.org")),
            ),
            (
                "http://127.0.0.1:8080/v1",
                Some("http://s:3"),
                both,
                Some(("http://s:3", "x.org")),
            ),
            ("http://h/v1", None, upper, None),
            (
                "https://h/v1",
                None,
                &[("https_proxy", "socks5h://l:1"), ("HTTPS_PROXY", "u")],
                Some(("socks5h://l:1", "")),
            ),
        ] {
            let wanted = wanted.map(|(url, except)| (url.to_owned(), except.to_owned()));
            assert_eq!(chosen(address, set, env), wanted, "{address} {set:?}");
        }
    }
}
