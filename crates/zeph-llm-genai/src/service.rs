//! Services: who can be asked, where they live, what they speak, and what they can do.

use zeph_common::Boundary;
use zeph_llm::{Capabilities, Dialect, SchemaSupport};

use crate::BuildError;

/// What goes over the wire: the shape of requests and answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Wire {
    /// `POST …/chat/completions`, as OpenAI defined it and most others took it over.
    OpenAi,
    /// `POST …/messages`, as Anthropic defined it.
    Anthropic,
    /// `POST …/models/MODEL:generateContent`, as Gemini defined it.
    Gemini,
}

/// A service that models can be asked of.
///
/// What is said of a service holds for every model that it offers, as far as its public documents
/// promise. What depends on the model (the size of its context, prices) is unknown unless given to the
/// [builder](crate::GenaiProviderBuilder).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Service {
    /// Its name, the part of a model's name before `::`.
    pub name: &'static str,
    /// What it speaks.
    pub wire: Wire,
    /// Where it lives, with a slash at the end.
    pub base_url: &'static str,
    /// The environment variable that usually holds its key; none if it asks for no key.
    pub key_variable: Option<&'static str>,
    /// How it holds an answer to a schema.
    pub schema: SchemaSupport,
}

const STRICT: SchemaSupport = SchemaSupport::Schema(Dialect::OpenAiStrict);
const GRAMMAR: SchemaSupport = SchemaSupport::Schema(Dialect::Grammar);
const ANTHROPIC: SchemaSupport = SchemaSupport::Schema(Dialect::Anthropic);
const GEMINI: SchemaSupport = SchemaSupport::Schema(Dialect::Gemini);
const JSON: SchemaSupport = SchemaSupport::Json;
const PROMPT: SchemaSupport = SchemaSupport::Prompt;

const fn openai(
    name: &'static str,
    base_url: &'static str,
    key: &'static str,
    schema: SchemaSupport,
) -> Service {
    Service {
        name,
        wire: Wire::OpenAi,
        base_url,
        key_variable: Some(key),
        schema,
    }
}

// Names, addresses and variables are those of genai, so that its documents hold here, too. Gateways
// pass a schema on or do not, as the model behind them likes: they are asked in the prompt.
#[rustfmt::skip]
const SERVICES: &[Service] = &[
    openai("openai", "https://api.openai.com/v1/", "OPENAI_API_KEY", STRICT),
    Service { name: "anthropic", wire: Wire::Anthropic, base_url: "https://api.anthropic.com/v1/", key_variable: Some("ANTHROPIC_API_KEY"), schema: ANTHROPIC },
    Service { name: "gemini", wire: Wire::Gemini, base_url: "https://generativelanguage.googleapis.com/v1beta/", key_variable: Some("GEMINI_API_KEY"), schema: GEMINI },
    Service { name: "ollama", wire: Wire::OpenAi, base_url: "http://localhost:11434/v1/", key_variable: None, schema: GRAMMAR },
    openai("ollama_cloud", "https://ollama.com/v1/", "OLLAMA_API_KEY", PROMPT),
    openai("groq", "https://api.groq.com/openai/v1/", "GROQ_API_KEY", JSON),
    openai("mistral", "https://api.mistral.ai/v1/", "MISTRAL_API_KEY", STRICT),
    openai("deepseek", "https://api.deepseek.com/v1/", "DEEPSEEK_API_KEY", JSON),
    openai("xai", "https://api.x.ai/v1/", "XAI_API_KEY", STRICT),
    openai("fireworks", "https://api.fireworks.ai/inference/v1/", "FIREWORKS_API_KEY", GRAMMAR),
    openai("together", "https://api.together.xyz/v1/", "TOGETHER_API_KEY", PROMPT),
    openai("open_router", "https://openrouter.ai/api/v1/", "OPEN_ROUTER_API_KEY", PROMPT),
    openai("nebius", "https://api.studio.nebius.ai/v1/", "NEBIUS_API_KEY", PROMPT),
    openai("kimi", "https://api.moonshot.ai/v1/", "KIMI_API_KEY", PROMPT),
    openai("moonshot", "https://api.moonshot.cn/v1/", "MOONSHOT_API_KEY", PROMPT),
    openai("zai", "https://api.z.ai/api/paas/v4/", "ZAI_API_KEY", PROMPT),
    openai("bigmodel", "https://open.bigmodel.cn/api/paas/v4/", "BIGMODEL_API_KEY", PROMPT),
    openai("aliyun", "https://dashscope.aliyuncs.com/compatible-mode/v1/", "ALIYUN_API_KEY", PROMPT),
    openai("qwen_cloud", "https://dashscope-intl.aliyuncs.com/compatible-mode/v1/", "QWEN_CLOUD_API_KEY", PROMPT),
    Service { name: "minimax", wire: Wire::Anthropic, base_url: "https://api.minimax.io/anthropic/v1/", key_variable: Some("MINIMAX_API_KEY"), schema: PROMPT },
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
    /// What is known of it: schema, tools, streaming. Limits and prices belong to models, and are unknown.
    ///
    /// At an address of one's own (`own_address`) the service `openai` stands for any server that
    /// speaks like it, so its schemas are those that grammars are made from, and not in strict mode.
    #[must_use]
    pub fn capabilities(&self, own_address: bool) -> Capabilities {
        let schema = match (self.name, own_address) {
            ("openai", true) => GRAMMAR,
            _ => self.schema,
        };
        Capabilities {
            schema,
            tools: true,
            streaming: true,
            ..Capabilities::TEXT
        }
    }
}

/// All services, the usual ones first.
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

/// The environment variable that usually holds the key of a service; none if the service is unknown or
/// asks for no key.
///
/// For whoever reads the environment, which this library does not do.
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

/// Takes `service::model` apart. The model may hold further `::`.
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

/// A model's name goes into addresses and logs: it has letters, and nothing that breaks lines.
pub(crate) fn check_model(model: &str) -> Result<(), BuildError> {
    let bad = |c: char| c.is_whitespace() || c.is_control();
    if model.is_empty() || model.len() > 256 || model.contains(bad) {
        let model = short(model);
        return Err(BuildError::BadModel { model });
    }
    Ok(())
}

fn unknown(service: &str) -> BuildError {
    let folded = service.to_lowercase().replace('-', "_");
    let near = |known: &&Service| {
        let bare = known.name.replace('_', "");
        strsim::damerau_levenshtein(&folded, known.name)
            .min(strsim::damerau_levenshtein(&folded, &bare))
    };
    let nearest = SERVICES.iter().min_by_key(near);
    let suggestion = nearest.filter(|known| near(known) <= 2 && folded.len() < 64);
    BuildError::UnknownService {
        service: short(service),
        suggestion: suggestion.map(|known| known.name),
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
    use crate::BuildError;

    #[test]
    fn names_are_taken_apart_at_the_first_separator() {
        let (service, model) = parse("ollama::hf.co/x::y:8b").unwrap();
        assert_eq!((service.name, model), ("ollama", "hf.co/x::y:8b"));
    }

    #[test]
    fn what_is_no_name_is_told_what_to_write() {
        for (name, said) in [
            ("gpt-4o", "`gpt-4o` names no service"),
            ("opnai::gpt-4o", "did you mean `openai`?"),
            ("openrouter::x", "did you mean `open_router`?"),
            ("Anthropic::x", "did you mean `anthropic`?"),
            (
                "zzzzzzzz::x",
                "known are openai, anthropic, gemini, ollama,",
            ),
            ("openai::", "`` is no name of a model"),
            ("openai::a b", "`a b` is no name of a model"),
        ] {
            let error = parse(name).unwrap_err().to_string();
            assert!(error.contains(said), "{name}: {error}");
        }
        let long = format!("{}::x", "é".repeat(100_000));
        assert!(parse(&long).unwrap_err().to_string().len() < 1_000);
        let Err(BuildError::UnknownService { service, .. }) = parse("a\u{1b}[2J::x") else {
            panic!("an unknown service");
        };
        assert_eq!(service, "a");
    }

    #[test]
    fn the_table_is_in_order() {
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
