//! The catalogue: the agents of a host, by unique name.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use serde_json::Value;

use zeph_diagnostics::{Diagnostic, Diagnostics, Source, quote};

use super::code;
use crate::SubAgentDef;

/// The most agents of a catalogue. Models choose badly among so many, and providers reject an answer schema
/// that lists so many names.
pub const MAX_AGENTS: usize = 1_000;

/// Definitions of agents by unique name; each of them is [checked](SubAgentDef::check).
///
/// Agents are ordered by name without regard to case, so catalogues with the same definitions are equal, in
/// whatever order these were added.
///
/// # Examples
/// ```
/// use zeph_subagent::{AgentCatalog, SubAgentDef};
/// let mut catalog = AgentCatalog::new();
/// catalog.add(SubAgentDef::new("writer", "Writes reports", "You write."))?;
/// catalog.add(SubAgentDef::new("analyst", "Counts things", "You count."))?;
/// let names: Vec<&str> = catalog.names().collect();
/// assert_eq!(names, ["analyst", "writer"]);
/// assert!(catalog.add(SubAgentDef::new("Writer", "Another", "You write.")).is_err());
/// # Ok::<(), zeph_subagent::Diagnostics>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AgentCatalog {
    /// By name in lower case.
    agents: BTreeMap<String, SubAgentDef>,
}

impl AgentCatalog {
    /// A catalogue without agents.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a definition.
    ///
    /// # Errors
    /// All problems of the definition; the catalogue is then unchanged. A name that equals that of another
    /// agent, also without regard to case, is a problem. So is an agent above [`MAX_AGENTS`].
    pub fn add(&mut self, agent: SubAgentDef) -> Result<(), Diagnostics> {
        agent.check()?;
        let source = format!("agent {}", quote(&agent.name));
        self.insert(agent, &source)
    }

    /// Adds a checked definition; `source` is its name in messages.
    pub(super) fn insert(&mut self, agent: SubAgentDef, source: &str) -> Result<(), Diagnostics> {
        let count = self.agents.len();
        let one = match self.agents.entry(agent.name.to_ascii_lowercase()) {
            Entry::Occupied(taken) => duplicate(&agent.name, &taken.get().name),
            Entry::Vacant(_) if count >= MAX_AGENTS => {
                let message = format!("there are more than {MAX_AGENTS} agents");
                Diagnostic::new(code::TOO_MANY, message)
            }
            Entry::Vacant(free) => {
                free.insert(agent);
                return Ok(());
            }
        };
        Err(one.in_source(&Source::without_text(source)).into())
    }

    /// The agent with exactly this name; case matters.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&SubAgentDef> {
        let agent = self.agents.get(&name.to_ascii_lowercase())?;
        (agent.name == name).then_some(agent)
    }

    /// The agent whose name is closest to an unknown name, if at most a third of the characters differ.
    ///
    /// # Examples
    /// ```
    /// use zeph_subagent::{AgentCatalog, SubAgentDef};
    /// let mut catalog = AgentCatalog::new();
    /// catalog.add(SubAgentDef::new("analyst", "Counts things", "You count."))?;
    /// assert_eq!(catalog.suggest("Analist"), Some("analyst"));
    /// assert_eq!(catalog.suggest("plumber"), None);
    /// # Ok::<(), zeph_subagent::Diagnostics>(())
    /// ```
    #[must_use]
    pub fn suggest(&self, name: &str) -> Option<&str> {
        zeph_diagnostics::suggest(name, self.names())
    }

    /// The agents, in the order of their names.
    #[must_use]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &SubAgentDef> + Clone {
        self.agents.values()
    }

    /// The names, in order.
    #[must_use]
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> + Clone {
        self.iter().map(|agent| agent.name.as_str())
    }

    /// The number of agents.
    #[must_use]
    pub fn len(&self) -> usize {
        self.agents.len()
    }

    /// Whether there are no agents.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.agents.is_empty()
    }

    /// The catalogue as one line of JSON: a list of the definitions in the order of names, with sorted
    /// keys.
    ///
    /// Two catalogues have the same text exactly if they are equal, so a hash of it shows whether a plan
    /// was made for the same agents. Linear in the size of the definitions.
    #[must_use]
    pub fn catalog_text(&self) -> String {
        let agents = self.iter().map(|agent| {
            // Serialisation cannot fail: a definition is plain data with text keys.
            serde_json::to_value(agent).unwrap_or_default()
        });
        let mut all: Value = agents.collect();
        all.sort_all_objects();
        all.to_string()
    }
}

fn duplicate(name: &str, taken: &str) -> Diagnostic {
    let (code, message) = if name == taken {
        let message = format!("there is an agent {} already", quote(name));
        (code::DUPLICATE_AGENT, message)
    } else {
        let message = format!("{} differs from {} in case only", quote(name), quote(taken));
        (code::CASE_FOLDED_DUPLICATE, message)
    };
    Diagnostic::new(code, message).help("give one of them another name")
}

#[cfg(test)]
mod tests {
    use super::{AgentCatalog, MAX_AGENTS};
    use crate::{AgentOutput, SubAgentDef, code};
    use serde_json::{Value, json};

    fn agent(name: &str) -> SubAgentDef {
        SubAgentDef::new(name, "Does it", "Do it.")
    }

    fn refusal(catalog: &mut AgentCatalog, agent: SubAgentDef) -> zeph_diagnostics::Code {
        let before = catalog.clone();
        let problems = catalog.add(agent).unwrap_err();
        assert_eq!(*catalog, before);
        problems.as_slice()[0].code
    }

    #[test]
    fn what_is_wrong_is_refused_and_changes_nothing() {
        let mut catalog = AgentCatalog::new();
        catalog.add(agent("one")).unwrap();
        assert_eq!(refusal(&mut catalog, agent("one")), code::DUPLICATE_AGENT);
        assert_eq!(
            refusal(&mut catalog, agent("ONE")),
            code::CASE_FOLDED_DUPLICATE
        );
        assert_eq!(refusal(&mut catalog, agent("a/b")), code::BAD_NAME);
        let mut lazy = agent("two");
        lazy.limits.max_turns = 0;
        assert_eq!(refusal(&mut catalog, lazy), code::ZERO_LIMIT);
        let mut hasty = agent("two");
        hasty.limits.timeout = Some(std::time::Duration::ZERO);
        assert_eq!(refusal(&mut catalog, hasty), code::ZERO_LIMIT);
        let list = agent("two").output(AgentOutput::Schema(json!([])));
        assert_eq!(refusal(&mut catalog, list), code::WRONG_TYPE);
        let deep = (0..40).fold(json!({}), |inner, _| json!({ "items": inner }));
        let deep = agent("two").output(AgentOutput::Schema(deep));
        assert_eq!(refusal(&mut catalog, deep), code::NESTED_TOO_DEEPLY);
        for at in 1..MAX_AGENTS {
            catalog.add(agent(&format!("a{at}"))).unwrap();
        }
        assert_eq!(refusal(&mut catalog, agent("more")), code::TOO_MANY);
    }

    #[test]
    fn the_text_tells_catalogues_apart_and_not_how_they_came_about() {
        let schema: Value = serde_json::from_str(r#"{"b": 1, "a": {"d": 2, "c": 3}}"#).unwrap();
        let one = agent("one")
            .output(AgentOutput::Schema(schema))
            .tool("x")
            .tag("y");
        let (mut here, mut there) = (AgentCatalog::new(), AgentCatalog::new());
        here.add(one.clone()).unwrap();
        here.add(agent("Two")).unwrap();
        there.add(agent("Two")).unwrap();
        there.add(one).unwrap();
        assert_eq!(here.catalog_text(), there.catalog_text());
        let limits = r#"{"max_input_tokens":16384,"max_output_tokens":4096,"max_turns":8,"timeout_ms":null}"#;
        let wanted = format!(
            r#"[{{"description":"Does it","limits":{limits},"model":null,"name":"one","output":{{"schema":{{"a":{{"c":3,"d":2}},"b":1}}}},"prompt":"Do it.","tags":["y"],"tools":["x"]}},{{"description":"Does it","limits":{limits},"model":null,"name":"Two","output":"text","prompt":"Do it.","tags":[],"tools":[]}}]"#
        );
        assert_eq!(here.catalog_text(), wanted);
        there.add(agent("three")).unwrap();
        assert_ne!(here.catalog_text(), there.catalog_text());
    }
}
