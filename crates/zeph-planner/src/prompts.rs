//! Prompts: templates for the messages to models, which a host can replace one by one.

mod check;
mod name;

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use minijinja::{Environment, UndefinedBehavior, Value};
use serde::Serialize;
use zeph_diagnostics::Diagnostics;

pub use check::code;
pub use name::PromptName;

/// The suffix of a prompt's file.
pub(crate) const SUFFIX: &str = ".md.j2";
/// The largest prompt file.
const MAX_BYTES: u64 = 256 << 10;

/// A set of prompts: one template of minijinja for each [`PromptName`].
///
/// An unknown variable is an error when the set is made. Nothing is escaped, because a prompt is plain
/// text. Each built-in file, in the folder `prompts` of this crate, lists its variables in its first
/// comment.
///
/// # Examples
/// ```
/// use zeph_planner::prompts::{PromptName, Prompts};
/// let prompts = Prompts::built_in();
/// let text = prompts.render(PromptName::PlanGoal, serde_json::json!({
///     "goal": "Weekly report", "feedback": [], "rejected": [], "earlier": [],
/// }))?;
/// assert_eq!(text, "Goal:\nWeekly report");
/// # Ok::<(), zeph_planner::prompts::PromptError>(())
/// ```
#[derive(Clone)]
pub struct Prompts {
    environment: Environment<'static>,
    hash: String,
}

impl Prompts {
    /// The prompts that come with the crate.
    ///
    /// # Panics
    /// Never: the tests check them.
    #[must_use]
    pub fn built_in() -> Self {
        Self::with([]).expect("the built-in prompts are checked by tests")
    }

    /// The built-in prompts with some of them replaced.
    ///
    /// # Errors
    /// All problems of the new ones: syntax, unknown variables, missing required variables. The source of
    /// each is the prompt.
    ///
    /// # Examples
    /// ```
    /// use zeph_planner::prompts::{PromptName, Prompts};
    /// let text = "Our goal is {{ goal }}. {% for text in feedback %}Note: {{ text }}. {% endfor %}";
    /// let prompts = Prompts::with([(PromptName::PlanGoal, text.to_owned())])?;
    /// assert_ne!(prompts.hash(), Prompts::built_in().hash());
    /// assert!(Prompts::with([(PromptName::PlanGoal, "{{ gaol }}".to_owned())]).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn with(
        replaced: impl IntoIterator<Item = (PromptName, String)>,
    ) -> Result<Self, Diagnostics> {
        Self::new(&replaced.into_iter().collect(), Diagnostics::new())
    }

    /// The built-in prompts, each replaced by the file `NAME.md.j2` of a folder if it exists.
    ///
    /// Files with another suffix are ignored. The folder is read once.
    ///
    /// # Errors
    /// All problems of all files: see [`with`](Self::with); a file without a prompt of its name, or one
    /// that cannot be read, is not UTF-8, or has more than 256 KiB.
    pub fn from_folder(folder: impl AsRef<Path>) -> Result<Self, Diagnostics> {
        let (replaced, problems) = check::read_folder(folder.as_ref(), MAX_BYTES);
        Self::new(&replaced, problems)
    }

    fn new(
        replaced: &BTreeMap<PromptName, String>,
        mut problems: Diagnostics,
    ) -> Result<Self, Diagnostics> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
        // `debug` prints all variables, and differs between versions of minijinja.
        environment.remove_global("debug");
        let mut hash = blake3::Hasher::new();
        for &name in PromptName::ALL {
            let text = replaced.get(&name).map_or(name.built_in(), String::as_str);
            for part in [name.word(), text] {
                hash.update(&(part.len() as u64).to_le_bytes());
                hash.update(part.as_bytes());
            }
            match environment.add_template_owned(name.word(), text.to_owned()) {
                Ok(()) => check::template(&environment, name, &mut problems),
                Err(error) => problems.push(check::template_problem(code::SYNTAX, name, &error)),
            }
        }
        problems.into_result()?;
        Ok(Self {
            environment,
            hash: hash.finalize().to_hex().to_string(),
        })
    }

    /// The prompt with its variables filled in.
    ///
    /// # Errors
    /// If a variable is missing, or the template fails with these values.
    pub fn render(&self, name: PromptName, values: impl Serialize) -> Result<String, PromptError> {
        let values = Value::from(minijinja::value::Serde(values));
        let template = self.environment.get_template(name.word());
        let rendered = template.and_then(|template| template.render(values));
        rendered.map_err(|source| PromptError { name, source })
    }

    /// A hash of the names and texts of all prompts, in hexadecimal: part of the plan cache's key.
    #[must_use]
    pub fn hash(&self) -> &str {
        &self.hash
    }
}

impl fmt::Debug for Prompts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prompts")
            .field("hash", &self.hash)
            .finish_non_exhaustive()
    }
}

/// A prompt that could not be rendered.
#[derive(Debug, thiserror::Error)]
#[error("the prompt {name} cannot be rendered")]
pub struct PromptError {
    /// The prompt.
    pub name: PromptName,
    /// The error of the template engine.
    #[source]
    pub source: minijinja::Error,
}
