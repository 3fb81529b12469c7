//! The table of services: name, protocol, address, key variable, schema support.

use zeph_common::Boundary;
use zeph_diagnostics::suggest;
use zeph_llm::{Capabilities, SchemaSupport};

use crate::error::BuildError;
use crate::wire::Wire;

/// A model service.
///
/// The fields hold for all models of the service, according to its public documentation. Properties of a
/// model (context size, prices) are unknown unless passed to the [builder](crate::GenaiProviderBuilder).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Service {
    /// Its name, the part of a model's name before `::`.
    pub name: &'static str,
    /// Its protocol.
    pub wire: Wire,
    /// Its base address, with a slash at the end.
    pub base_url: &'static str,
    /// The environment variable that usually holds its key; `None` if it requires no key.
    pub key_variable: Option<&'static str>,
    /// Its support for schemas of answers.
    pub schema: SchemaSupport,
    /// Whether a schema is sent with OpenAI's flag `strict`.
    pub strict: bool,
}

/// Schema support, and whether the flag `strict` is sent.
type Schemas = (SchemaSupport, bool);

const STRICT: Schemas = (SchemaSupport::Schema, true);
const SCHEMA: Schemas = (SchemaSupport::Schema, false);
const JSON: Schemas = (SchemaSupport::Json, false);
const PROMPT: Schemas = (SchemaSupport::Prompt, false);

const fn service(
    name: &'static str,
    wire: Wire,
    base_url: &'static str,
    key_variable: Option<&'static str>,
    (schema, strict): Schemas,
) -> Service {
    Service {
        name,
        wire,
        base_url,
        key_variable,
        schema,
        strict,
    }
}

const fn openai(
    name: &'static str,
    base_url: &'static str,
    key: &'static str,
    schemas: Schemas,
) -> Service {
    service(name, Wire::OpenAi, base_url, Some(key), schemas)
}

// Names, addresses and variables are those of genai. Whether a gateway passes a schema on depends on the
// model behind it, so gateways get the schema in the prompt.
#[rustfmt::skip]
const SERVICES: &[Service] = &[
    openai("openai", "https://api.openai.com/v1/", "OPENAI_API_KEY", STRICT),
    service("anthropic", Wire::Anthropic, "https://api.anthropic.com/v1/", Some("ANTHROPIC_API_KEY"), SCHEMA),
    service("gemini", Wire::Gemini, "https://generativelanguage.googleapis.com/v1beta/", Some("GEMINI_API_KEY"), SCHEMA),
    service("ollama", Wire::OpenAi, "http://localhost:11434/v1/", None, SCHEMA),
    openai("ollama_cloud", "https://ollama.com/v1/", "OLLAMA_API_KEY", PROMPT),
    openai("groq", "https://api.groq.com/openai/v1/", "GROQ_API_KEY", JSON),
    openai("mistral", "https://api.mistral.ai/v1/", "MISTRAL_API_KEY", STRICT),
    openai("deepseek", "https://api.deepseek.com/v1/", "DEEPSEEK_API_KEY", JSON),
    openai("xai", "https://api.x.ai/v1/", "XAI_API_KEY", STRICT),
    openai("fireworks", "https://api.fireworks.ai/inference/v1/", "FIREWORKS_API_KEY", SCHEMA),
    openai("together", "https://api.together.xyz/v1/", "TOGETHER_API_KEY", PROMPT),
    openai("open_router", "https://openrouter.ai/api/v1/", "OPEN_ROUTER_API_KEY", PROMPT),
    openai("nebius", "https://api.studio.nebius.ai/v1/", "NEBIUS_API_KEY", PROMPT),
    openai("kimi", "https://api.moonshot.ai/v1/", "KIMI_API_KEY", PROMPT),
    openai("moonshot", "https://api.moonshot.cn/v1/", "MOONSHOT_API_KEY", PROMPT),
    openai("zai", "https://api.z.ai/api/paas/v4/", "ZAI_API_KEY", PROMPT),
    openai("bigmodel", "https://open.bigmodel.cn/api/paas/v4/", "BIGMODEL_API_KEY", PROMPT),
    openai("aliyun", "https://dashscope.aliyuncs.com/compatible-mode/v1/", "ALIYUN_API_KEY", PROMPT),
    openai("qwen_cloud", "https://dashscope-intl.aliyuncs.com/compatible-mode/v1/", "QWEN_CLOUD_API_KEY", PROMPT),
    service("minimax", Wire::Anthropic, "https://api.minimax.io/anthropic/v1/", Some("MINIMAX_API_KEY"), PROMPT),
    openai("mimo", "https://api.mimo.com/openai/v1/", "MIMO_API_KEY", PROMPT),
    openai("aihubmix", "https://aihubmix.com/v1/", "AIHUBMIX_API_KEY", PROMPT),
    openai("atlascloud", "https://api.atlascloud.ai/v1/", "ATLASCLOUD_API_KEY", PROMPT),
    openai("requesty", "https://router.requesty.ai/v1/", "REQUESTY_API_KEY", PROMPT),
    openai("api_route", "https://global.api-route.com/v1/", "API_ROUTE_API_KEY", PROMPT),
    openai("heabsy", "https://api.heabsy.com/v1/", "HEABSY_API_KEY", PROMPT),
    openai("runcrate", "https://api.runcrate.ai/v1/", "RUNCRATE_API_KEY", PROMPT),
    openai("cloudgpu", "https://cloudgpu.app/v1/", "CLOUDGPU_API_KEY", PROMPT),
];

impl Service {
    /// The capabilities of its models: schemas, tools, streaming. Limits and prices are unknown.
    #[must_use]
    pub const fn capabilities(&self) -> Capabilities {
        Capabilities {
            schema: self.schema,
            tools: true,
            streaming: true,
            ..Capabilities::TEXT
        }
    }
}

/// All services, the most common ones first.
///
/// # Examples
/// ```
/// let ollama = zeph_llm_genai::services().iter().find(|service| service.name == "ollama").unwrap();
/// assert_eq!(ollama.base_url, "http://localhost:11434/v1/");
/// assert_eq!(ollama.key_variable, None);
/// ```
#[must_use]
pub fn services() -> &'static [Service] {
    SERVICES
}

/// The environment variable that usually holds the key of a service; `None` if the service is unknown or
/// requires no key. The library does not read it.
///
/// # Examples
/// ```
/// use zeph_llm_genai::usual_key_variable;
/// assert_eq!(usual_key_variable("anthropic"), Some("ANTHROPIC_API_KEY"));
/// assert_eq!(usual_key_variable("anthropic::claude-x"), Some("ANTHROPIC_API_KEY"));
/// assert_eq!(usual_key_variable("ollama"), None);
/// ```
#[must_use]
pub fn usual_key_variable(service: &str) -> Option<&'static str> {
    let name = service.split("::").next().unwrap_or(service);
    SERVICES
        .iter()
        .find(|known| known.name == name)
        .and_then(|known| known.key_variable)
}

/// Splits `service::model`. The model may contain further `::`.
pub(crate) fn parse(name: &str) -> Result<(&'static Service, &str), BuildError> {
    let Some((service, model)) = name.split_once("::") else {
        let name = short(name);
        return Err(BuildError::NoService { name });
    };
    let Some(known) = SERVICES.iter().find(|known| known.name == service) else {
        return Err(unknown(service));
    };
    check_model(model)?;
    Ok((known, model))
}

/// Checks the name of a model, which is used in addresses and logs.
pub(crate) fn check_model(model: &str) -> Result<(), BuildError> {
    let bad = |c: char| c.is_whitespace() || c.is_control();
    if model.is_empty() || model.len() > 256 || model.contains(bad) {
        let model = short(model);
        return Err(BuildError::BadModel { model });
    }
    Ok(())
}

fn unknown(service: &str) -> BuildError {
    let known = || SERVICES.iter().map(|service| service.name);
    BuildError::UnknownService {
        service: short(service),
        suggestion: suggest(service, known()),
        known: known().collect(),
    }
}

fn short(text: &str) -> String {
    let text = zeph_common::escape_terminal(zeph_common::truncate(text, 256, Boundary::Char).text)
        .into_owned();
    zeph_common::truncate(&text, 100, Boundary::Char).to_string()
}

#[cfg(test)]
mod tests {
    use super::{SERVICES, parse, services};
    use crate::error::BuildError;

    #[test]
    fn a_name_is_split_at_the_first_separator() {
        let (service, model) = parse("ollama::hf.co/x::y:8b").unwrap();
        assert_eq!((service.name, model), ("ollama", "hf.co/x::y:8b"));
    }

    #[test]
    fn the_error_of_a_bad_name_says_what_to_write() {
        for (name, said) in [
            ("gpt-4o", "`gpt-4o` has no service"),
            ("opnai::gpt-4o", "did you mean `openai`?"),
            ("openrouter::x", "did you mean `open_router`?"),
            ("Anthropic::x", "did you mean `anthropic`?"),
            (
                "zzzzzzzz::x",
                "known services: openai, anthropic, gemini, ollama,",
            ),
            ("openai::", "`` is no valid model name"),
            ("openai::a b", "`a b` is no valid model name"),
        ] {
            let error = parse(name).unwrap_err().to_string();
            assert!(error.contains(said), "{name}: {error}");
        }
        let long = format!("{}::x", "é".repeat(100_000));
        assert!(parse(&long).unwrap_err().to_string().len() < 1_000);
        let Err(BuildError::UnknownService { service, .. }) = parse("a\u{1b}[2J::x") else {
            panic!("the service is known");
        };
        assert_eq!(service, "a");
    }

    #[test]
    fn the_table_is_consistent() {
        for service in services() {
            assert!(service.base_url.ends_with('/'), "{service:?}");
            let same = SERVICES.iter().filter(|other| other.name == service.name);
            assert_eq!(same.count(), 1, "{service:?}");
            let plain = service.name == "ollama";
            assert_eq!(
                service.base_url.starts_with("https://"),
                !plain,
                "{service:?}"
            );
        }
    }
}
