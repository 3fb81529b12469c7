//! `Address`: where a database is, without ever showing its password.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;

use sqlx::ConnectOptions as _;
use sqlx::postgres::{PgConnectOptions, PgSslMode};

/// The Postgres schema of the tables, unless the URL names another one.
const DEFAULT_SCHEMA: &str = "zeph";
/// Postgres truncates longer names.
const MAX_SCHEMA_BYTES: usize = 40;

/// The parameters that a URL may have. An unknown one could be a misspelt password.
const PARAMETERS: [&str; 14] = [
    "sslmode",
    "ssl-mode",
    "sslrootcert",
    "ssl-root-cert",
    "ssl-ca",
    "sslcert",
    "ssl-cert",
    "sslkey",
    "ssl-key",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
];

/// The address of a database: `postgres://USER@HOST/DATABASE`.
///
/// It names the server, the database, and the schema of the tables: `zeph`, or the one that the URL sets with
/// `options=-csearch_path=NAME`. A password may be in the URL, in `PGPASSWORD` or in the file that `PGPASSFILE`
/// names; `Display` and `Debug` show none.
///
/// A connection to another machine uses TLS, and the certificate of the server must be valid for its name, unless
/// `sslmode` or `PGSSLMODE` say otherwise: `sslrootcert=FILE` names another authority, `sslmode=require` encrypts and
/// checks no certificate, and with `sslmode=disable` everything is sent in clear.
///
/// # Examples
/// ```
/// use zeph_memory_postgres::Address;
/// let address: Address = "postgres://ada:secret@db.example/runs?options=-csearch_path=nightly".parse()?;
/// assert_eq!(address.to_string(), "postgres://ada@db.example:5432/runs (schema nightly)");
/// assert!(!format!("{address:?}").contains("secret"));
/// assert!(Address::is_url("postgres://db.example/runs"));
/// assert!(!Address::is_url("runs.db"));
/// # Ok::<(), zeph_memory_postgres::BadAddress>(())
/// ```
#[derive(Clone)]
pub struct Address {
    options: PgConnectOptions,
    schema: String,
}

/// A text that is no address of a database. It does not repeat the text, which may contain a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadAddress(String);

impl fmt::Display for BadAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the address of the database cannot be used: {}; write postgres://USER@HOST/DATABASE",
            self.0
        )
    }
}

impl std::error::Error for BadAddress {}

impl Address {
    /// Whether a text is meant as an address, and not as the path of a file.
    #[must_use]
    pub fn is_url(text: &str) -> bool {
        text.starts_with("postgres://") || text.starts_with("postgresql://")
    }

    /// The schema of the tables.
    #[must_use]
    pub fn schema(&self) -> &str {
        &self.schema
    }

    /// The options of a connection, with these settings of the session besides.
    pub(crate) fn connect_options(&self, settings: &[(&str, String)]) -> PgConnectOptions {
        let settings = settings.iter().map(|(key, value)| (*key, value.as_str()));
        (self.options.clone())
            .options(settings.chain([("search_path", self.schema.as_str())]))
            .application_name("zeph")
            .disable_statement_logging()
    }

    /// The address in the place of the path that errors of the port name.
    pub(crate) fn as_path(&self) -> PathBuf {
        self.to_string().into()
    }
}

impl FromStr for Address {
    type Err = BadAddress;

    fn from_str(text: &str) -> Result<Self, BadAddress> {
        if !Self::is_url(text) {
            return Err(BadAddress("it does not begin with postgres://".to_owned()));
        }
        if let Some(key) = unknown_parameter(text) {
            return Err(BadAddress(format!("it has the unknown parameter {key:?}")));
        }
        let options: PgConnectOptions = text.parse().map_err(|_| {
            BadAddress("it is not a URL, or a parameter has no such value".to_owned())
        })?;
        let is_asked = text.contains("sslmode=") || text.contains("ssl-mode=");
        let is_default = !is_asked && matches!(options.get_ssl_mode(), PgSslMode::Prefer);
        let options = match is_default && is_remote(&options) {
            true => options.ssl_mode(PgSslMode::VerifyFull),
            false => options,
        };
        let schema = options.get_options().and_then(search_path);
        let schema = schema.unwrap_or_else(|| DEFAULT_SCHEMA.to_owned());
        let is_plain =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        let is_name = schema.bytes().all(is_plain)
            && schema.starts_with(|first: char| !first.is_ascii_digit());
        if !is_name || schema.len() > MAX_SCHEMA_BYTES || schema.starts_with("pg_") {
            return Err(BadAddress(format!(
                "its search_path must be one schema, of at most {MAX_SCHEMA_BYTES} characters a-z, 0-9 and _"
            )));
        }
        Ok(Self { options, schema })
    }
}

/// Whether the connection leaves this machine.
fn is_remote(options: &PgConnectOptions) -> bool {
    let host = options.get_host();
    let is_local = host.starts_with('/') || host == "localhost";
    let ip = host.trim_matches(['[', ']']).parse::<IpAddr>();
    options.get_socket().is_none() && !is_local && !ip.is_ok_and(|ip| ip.is_loopback())
}

/// The first parameter that no address has.
fn unknown_parameter(text: &str) -> Option<String> {
    let query = text.split_once('?')?.1.split('#').next()?;
    let keys = query.split('&').filter(|pair| !pair.is_empty());
    let mut keys = keys.map(|pair| pair.split('=').next().unwrap_or_default());
    let is_known = |key: &str| {
        PARAMETERS.contains(&key)
            || matches!(key, "password" | "options")
            || (key.starts_with("options[") && key.ends_with(']'))
    };
    keys.find(|key| !is_known(key)).map(str::to_owned)
}

/// The value of `search_path` in the options of a session: `-csearch_path=NAME` or `-c search_path=NAME`.
fn search_path(options: &str) -> Option<String> {
    let (_, value) = options.rsplit_once("search_path=")?;
    let value = value.split_whitespace().next()?;
    Some(value.trim_matches(['"', '\'']).to_owned())
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let options = &self.options;
        write!(f, "postgres://{}@", options.get_username())?;
        match options.get_socket() {
            Some(socket) => write!(f, "{}", socket.display())?,
            None => f.write_str(options.get_host())?,
        }
        let database = options.get_database().unwrap_or(options.get_username());
        write!(
            f,
            ":{}/{database} (schema {})",
            options.get_port(),
            self.schema
        )
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_is_zeph_or_that_of_the_search_path() {
        for (query, schema) in [
            ("", "zeph"),
            ("?sslmode=disable", "zeph"),
            ("?options=-csearch_path=team_a", "team_a"),
            ("?options=-c%20search_path%3Dteam_a", "team_a"),
            ("?options[search_path]=team_b", "team_b"),
        ] {
            let address: Address = format!("postgres://db/runs{query}").parse().unwrap();
            assert_eq!(address.schema(), schema, "{query}");
        }
    }

    #[test]
    fn another_machine_is_reached_by_tls_with_a_valid_certificate_unless_the_url_says_otherwise() {
        let mode = |url: &str| {
            let address: Address = url.parse().unwrap();
            format!("{:?}", address.connect_options(&[]).get_ssl_mode())
        };
        for (url, expected) in [
            ("postgres://db.example/runs", "VerifyFull"),
            ("postgres://10.1.2.3/runs", "VerifyFull"),
            ("postgres://db.example/runs?sslmode=require", "Require"),
            ("postgres://db.example/runs?sslmode=disable", "Disable"),
            ("postgres://db.example/runs?sslmode=prefer", "Prefer"),
            ("postgres://localhost/runs", "Prefer"),
            ("postgres://127.0.0.1/runs", "Prefer"),
            ("postgres://[::1]/runs", "Prefer"),
            ("postgres://u@localhost/runs?host=/run/postgresql", "Prefer"),
        ] {
            assert_eq!(mode(url), expected, "{url}");
        }
    }

    #[test]
    fn a_bad_address_is_refused_without_its_password() {
        for text in [
            "runs.db",
            "postgres://a:hunter2@db:port/runs",
            "postgres://a:hunter2@db/runs?passwd=hunter2",
            "postgres://a:hunter2@db/runs?sslmode=hunter2",
            "postgres://a:hunter2@db/runs?options=-csearch_path=a,b",
            "postgres://a:hunter2@db/runs?options=-csearch_path=pg_catalog",
            "postgres://a:hunter2@db/runs?options=-csearch_path=9",
        ] {
            let error = text.parse::<Address>().unwrap_err();
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
        }
    }
}
