//! The agents that a host has, each under a name of its own.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use serde_json::Value;

use super::defect::show;
use crate::{AgentCode, AgentDefect, AgentDefects, SubAgentDef};

/// The most agents of a catalogue. A model that is to choose among more chooses badly, and an
/// answer's schema that lists them is refused by providers long before.
pub const MAX_AGENTS: usize = 1_000;

/// Definitions of agents by unique name; each of them is [checked](SubAgentDef::check).
///
/// The order of everything is that of the names without regard to case, so two catalogues with the
/// same definitions are the same, however they came about.
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
/// # Ok::<(), zeph_subagent::AgentDefects>(())
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
    /// All that is wrong with it; the catalogue is then as before. A name that differs from one
    /// that is there in case only is taken.
    pub fn add(&mut self, agent: SubAgentDef) -> Result<(), AgentDefects> {
        agent.check()?;
        let source = format!("agent {}", show(&agent.name));
        self.insert(agent, &source)
    }

    /// Adds a definition that has been checked; `source` is what a defect calls it.
    pub(crate) fn insert(&mut self, agent: SubAgentDef, source: &str) -> Result<(), AgentDefects> {
        let count = self.agents.len();
        let defect = match self.agents.entry(agent.name.to_ascii_lowercase()) {
            Entry::Occupied(taken) => duplicate(&agent.name, &taken.get().name),
            Entry::Vacant(_) if count >= MAX_AGENTS => {
                let message = format!("there are more than {MAX_AGENTS} agents");
                AgentDefect::new(AgentCode::TooMany, "", message)
            }
            Entry::Vacant(free) => {
                free.insert(agent);
                return Ok(());
            }
        };
        Err(AgentDefects::one(defect.of(source)))
    }

    /// The agent of exactly that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&SubAgentDef> {
        let agent = self.agents.get(&name.to_ascii_lowercase())?;
        (agent.name == name).then_some(agent)
    }

    /// The name that may have been meant by one that no agent has: at most a third differs.
    ///
    /// # Examples
    /// ```
    /// use zeph_subagent::{AgentCatalog, SubAgentDef};
    /// let mut catalog = AgentCatalog::new();
    /// catalog.add(SubAgentDef::new("analyst", "Counts things", "You count."))?;
    /// assert_eq!(catalog.near("Analist"), Some("analyst"));
    /// assert_eq!(catalog.near("plumber"), None);
    /// # Ok::<(), zeph_subagent::AgentDefects>(())
    /// ```
    #[must_use]
    pub fn near(&self, name: &str) -> Option<&str> {
        super::near::near(name, self.names())
    }

    /// The agents, by name.
    #[must_use]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &SubAgentDef> + Clone {
        self.agents.values()
    }

    /// The names, in order.
    #[must_use]
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> + Clone {
        self.iter().map(|agent| agent.name.as_str())
    }

    /// How many agents there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.agents.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.agents.is_empty()
    }

    /// Everything in it as one line of JSON: a list of the definitions by name, keys of each object
    /// in order.
    ///
    /// Equal catalogues have equal texts and different ones different texts, so a hash of it tells
    /// whether a plan was made for the same agents. Linear in the size of the definitions.
    #[must_use]
    pub fn catalog_text(&self) -> String {
        let agents = self.iter().map(|agent| {
            // A definition is plain data whose keys are texts; making JSON of it cannot fail.
            serde_json::to_value(agent).unwrap_or_default()
        });
        let mut all: Value = agents.collect();
        all.sort_all_objects();
        all.to_string()
    }
}

fn duplicate(name: &str, taken: &str) -> AgentDefect {
    let (code, message) = if name == taken {
        let message = format!("there is an agent {} already", show(name));
        (AgentCode::DuplicateAgent, message)
    } else {
        let message = format!("{} differs from {} in case only", show(name), show(taken));
        (AgentCode::CaseFoldedDuplicate, message)
    };
    AgentDefect::new(code, "name", message).help("give one of them another name")
}
