//! HTTP GET to the hosts that the settings list.

use std::time::Duration;

use tokio::time::timeout;
use zeph_common::{escape_terminal, format_duration};
use zeph_executor::TaskError;
use zeph_llm_genai::{BuildError, HttpClient, Url, http_client};

/// The most bytes of an answer.
const MOST_BYTES: usize = 1 << 20;
/// The most redirects that are followed.
const MOST_REDIRECTS: usize = 5;
const CONNECT: Duration = Duration::from_secs(10);
/// The longest time of a call, with all redirects.
const TOTAL: Duration = Duration::from_secs(60);

/// A host that may be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Host {
    scheme: String,
    name: String,
    port: Option<u16>,
}

/// Asks the hosts of the settings.
#[derive(Clone, Debug)]
pub(super) struct Getter {
    /// Each host with the client that has its proxy.
    hosts: Vec<(Host, HttpClient)>,
}

impl Host {
    /// `HOST` or `HOST:PORT` by https, or an address with its scheme.
    pub(super) fn read(text: &str) -> Option<Self> {
        let whole = if text.contains("://") {
            text.to_owned()
        } else {
            format!("https://{text}")
        };
        let url = Url::parse(&whole).ok()?;
        let has_no_user = url.username().is_empty() && url.password().is_none();
        let is_bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        (is_bare && has_no_user).then(|| Self::of(&url))?
    }

    fn of(url: &Url) -> Option<Self> {
        if !["https", "http"].contains(&url.scheme()) {
            return None;
        }
        Some(Self {
            scheme: url.scheme().to_owned(),
            name: url.host_str()?.to_owned(),
            port: url.port_or_known_default(),
        })
    }

    /// As an address.
    fn address(&self) -> String {
        let port = self.port.map(|port| format!(":{port}")).unwrap_or_default();
        format!("{}://{}{port}", self.scheme, self.name)
    }
}

impl Getter {
    /// For these hosts. `proxy` has the proxy of an address and its exceptions: each host is asked as a model service
    /// at its address would be.
    pub(super) fn new(
        hosts: Vec<Host>,
        proxy: impl Fn(&str) -> Option<(String, String)>,
    ) -> Result<Self, BuildError> {
        let with_client = |host: Host| {
            let proxy = proxy(&host.address());
            let proxy = proxy.as_ref();
            let proxy = proxy.map(|(url, except)| (url.as_str(), except.as_str()));
            let client = http_client(CONNECT, proxy.unzip(), host.scheme == "https")?;
            Ok((host, client))
        };
        let hosts = hosts.into_iter().map(with_client);
        let hosts = hosts.collect::<Result<_, BuildError>>()?;
        Ok(Self { hosts })
    }

    /// The text at an address, within a minute.
    pub(super) async fn get(&self, address: &str) -> Result<String, TaskError> {
        self.get_within(TOTAL, address).await
    }

    async fn get_within(&self, limit: Duration, address: &str) -> Result<String, TaskError> {
        let answer = timeout(limit, self.follow(address)).await;
        answer.unwrap_or_else(|_| {
            let limit = format_duration(limit);
            Err(failed(format!("no whole answer within {limit}")))
        })
    }

    /// The text at an address. Redirects are followed to the same hosts only.
    async fn follow(&self, address: &str) -> Result<String, TaskError> {
        let mut url = Url::parse(address).map_err(|error| {
            let shown = escape_terminal(address);
            TaskError::permanent(format!("{shown:?} is no address: {error}")).with_code("bad_url")
        })?;
        for _ in 0..=MOST_REDIRECTS {
            let sent = self.client(&url)?.get(url.clone()).send().await;
            let mut answer = sent.map_err(|error| failed(causes(&error.without_url())))?;
            let status = answer.status();
            if status.is_redirection()
                && let Some(next) = answer.headers().get("location")
            {
                let next = next.to_str().ok().and_then(|next| url.join(next).ok());
                url = next.ok_or_else(|| failed("the redirect leads nowhere".to_owned()))?;
                continue;
            }
            let kind = answer.headers().get("content-type").cloned();
            let mut bytes = Vec::new();
            let mut is_cut = false;
            while let Some(chunk) = answer
                .chunk()
                .await
                .map_err(|error| failed(causes(&error.without_url())))?
            {
                let room = MOST_BYTES - bytes.len();
                bytes.extend_from_slice(&chunk[..chunk.len().min(room)]);
                is_cut = chunk.len() > room;
                if is_cut {
                    break;
                }
            }
            let text = String::from_utf8_lossy(&bytes);
            let is_text = !bytes.contains(&0) && (is_cut || std::str::from_utf8(&bytes).is_ok());
            let mut text = if is_text {
                text.into_owned()
            } else {
                let kind = kind.as_ref().and_then(|kind| kind.to_str().ok());
                let kind = kind.unwrap_or("unknown");
                format!("({} bytes of type {kind}, left out)", bytes.len())
            };
            if is_cut {
                text.push_str("\n… the answer is larger than 1 MiB and cut");
            }
            if !status.is_success() {
                let text = zeph_common::truncate(&text, 1_000, zeph_common::Boundary::Char);
                return Err(failed(format!("the host answered {status}: {text}")));
            }
            return Ok(text);
        }
        Err(failed(format!("more than {MOST_REDIRECTS} redirects")))
    }

    /// The client for an address.
    fn client(&self, url: &Url) -> Result<&HttpClient, TaskError> {
        let is_plain = url.username().is_empty() && url.password().is_none();
        let wanted = Host::of(url).filter(|_| is_plain);
        let mut hosts = self.hosts.iter();
        let found = wanted.and_then(|wanted| hosts.find(|(host, _)| *host == wanted));
        found.map(|(_, client)| client).ok_or_else(|| {
            let shown = url.host_str().unwrap_or_default();
            let shown = format!("{}://{}", url.scheme(), escape_terminal(shown));
            let text = format!("{shown} is not allowed; allowed are {}", self.allowed());
            TaskError::refused(text).with_code("host_not_allowed")
        })
    }

    /// The hosts, for a description.
    pub(super) fn allowed(&self) -> String {
        let hosts = self.hosts.iter().map(|(host, _)| host.address());
        hosts.collect::<Vec<_>>().join(", ")
    }
}

/// An error with its causes: the first says only that the request failed.
fn causes(error: &dyn std::error::Error) -> String {
    let all = std::iter::successors(Some(error), |error| error.source());
    let all: Vec<String> = all.map(ToString::to_string).collect();
    all.join(": ")
}

fn failed(text: String) -> TaskError {
    TaskError::permanent(text).with_code("http_failed")
}

#[cfg(test)]
mod tests {
    use super::{Getter, Host};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    #[test]
    fn a_host_is_compared_as_a_whole() {
        let host = |text| Host::read(text).unwrap();
        assert_eq!(
            host("api.example.com"),
            host("https://API.example.com:443/")
        );
        assert_ne!(host("api.example.com"), host("http://api.example.com"));
        assert_ne!(host("api.example.com"), host("api.example.com:8443"));
        for bad in [
            "https://x/path",
            "ftp://x",
            "me@x",
            "https://:pw@x",
            ":pw@x",
            "",
        ] {
            assert_eq!(Host::read(bad), None, "{bad}");
        }
        let getter = Getter::new(vec![host("api.example.com")], |_| None).unwrap();
        for bad in [
            "https://example.com/",
            "https://api.example.com.evil.org/",
            "https://api.example.com@evil.org/",
            "https://me:x@api.example.com/",
            "http://api.example.com/",
            "file:///etc/passwd",
        ] {
            let url = zeph_llm_genai::Url::parse(bad).unwrap();
            assert!(getter.client(&url).is_err(), "{bad}");
        }
    }

    /// Answers each request with the next answer.
    async fn server(answers: Vec<String>) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            for answer in answers {
                let (mut peer, _) = listener.accept().await.unwrap();
                let mut chunk = [0; 4096];
                let _ = peer.read(&mut chunk).await.unwrap();
                peer.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        port
    }

    fn answer(head: &str, body: &str) -> String {
        let len = body.len();
        format!("HTTP/1.1 {head}\r\ncontent-length: {len}\r\nconnection: close\r\n\r\n{body}")
    }

    #[tokio::test]
    async fn redirects_lead_to_allowed_hosts_only_and_answers_are_cut() {
        let port = server(vec![
            answer("302 Found\r\nlocation: /next", ""),
            answer("200 OK", "hello"),
            answer("302 Found\r\nlocation: http://localhost/", ""),
            answer("200 OK", &"x".repeat(2 << 20)),
            answer("404 Not Found", "nothing"),
        ])
        .await;
        let here = format!("http://127.0.0.1:{port}");
        let getter = Getter::new(vec![Host::read(&here).unwrap()], |_| None).unwrap();
        assert_eq!(getter.get(&here).await.unwrap(), "hello");
        let refused = getter.get(&here).await.unwrap_err();
        assert_eq!(refused.code(), "host_not_allowed");
        let long = getter.get(&here).await.unwrap();
        assert!(long.ends_with("and cut") && long.len() < (1 << 20) + 100);
        let error = getter.get(&here).await.unwrap_err();
        assert!(error.message().contains("404"), "{error}");
    }

    #[tokio::test]
    async fn each_host_has_the_proxy_of_its_address() {
        let here = format!(
            "http://127.0.0.1:{}",
            server(vec![answer("200 OK", "direct")]).await
        );
        let proxy = server(vec![answer("200 OK", "by proxy")]).await;
        let hosts = [&*here, "http://api.example.com"].map(|host| Host::read(host).unwrap());
        let getter = Getter::new(hosts.to_vec(), |address| {
            let is_other = address == "http://api.example.com:80";
            is_other.then(|| (format!("http://127.0.0.1:{proxy}"), String::new()))
        });
        let getter = getter.unwrap();
        assert_eq!(getter.get(&here).await.unwrap(), "direct");
        let other = getter.get("http://api.example.com/x").await;
        assert_eq!(other.unwrap(), "by proxy");
    }

    #[tokio::test]
    async fn an_answer_that_never_ends_is_given_up() {
        let endless = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc".to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let here = format!("http://{}", listener.local_addr().unwrap());
        let server = tokio::spawn(async move {
            let (mut peer, _) = listener.accept().await.unwrap();
            let _ = peer.read(&mut [0; 4096]).await.unwrap();
            peer.write_all(endless.as_bytes()).await.unwrap();
            std::future::pending::<()>().await;
        });
        let getter = Getter::new(vec![Host::read(&here).unwrap()], |_| None).unwrap();
        let limit = std::time::Duration::from_millis(50);
        let error = getter.get_within(limit, &here).await.unwrap_err();
        assert!(error.message().contains("within 50ms"), "{error}");
        server.abort();
    }
}
