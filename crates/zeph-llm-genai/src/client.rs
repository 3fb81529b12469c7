//! The HTTP client: no redirects, no proxy of the environment, no retries, TLS by ring.

use std::sync::Arc;
use std::time::Duration;

use reqwest::NoProxy;
use reqwest::redirect::Policy;
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt as _;

use crate::BuildError;

/// Makes a client for one service, or one server of tools.
///
/// `proxy` is used with the exceptions `no_proxy`, in the form of the variable `NO_PROXY`. Without `https`
/// and a proxy, no authorities are read.
///
/// Redirects are not followed: a key would travel along. A proxy is used only if it is given: the
/// library reads no environment. reqwest's own retries are off: there is one retry layer, above.
/// Bodies are not decompressed, so that a small answer cannot unfold into a large one.
///
/// # Errors
/// If the address of the proxy is none, or the authorities of the operating system cannot be used.
pub fn http_client(
    connect: Duration,
    (proxy, no_proxy): (Option<&str>, Option<&str>),
    https: bool,
) -> Result<reqwest::Client, BuildError> {
    let mut client = reqwest::Client::builder()
        .tls_backend_preconfigured(tls(https || proxy.is_some())?)
        .redirect(Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .no_gzip()
        .connect_timeout(connect)
        .tcp_nodelay(true)
        .user_agent(concat!("zeph/", env!("CARGO_PKG_VERSION")));
    client = match proxy {
        // The message of reqwest would show the address, which may hold a password.
        Some(proxy) => {
            let proxy = reqwest::Proxy::all(proxy).map_err(|_| BuildError::BadProxy)?;
            client.proxy(proxy.no_proxy(no_proxy.and_then(NoProxy::from_string)))
        }
        None => client.no_proxy(),
    };
    client.build().map_err(|error| BuildError::Client {
        why: error.without_url().to_string(),
    })
}

/// TLS with the authorities that the operating system trusts; with none where no TLS will be spoken, so
/// that a host without authorities can still reach a model of its own.
fn tls(speaks: bool) -> Result<ClientConfig, BuildError> {
    let failed = |error: rustls::Error| BuildError::Client {
        why: error.to_string(),
    };
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(failed)?;
    let mut config = if speaks {
        config
            .with_platform_verifier()
            .map_err(failed)?
            .with_no_client_auth()
    } else {
        config
            .with_root_certificates(RootCertStore::empty())
            .with_no_client_auth()
    };
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}
