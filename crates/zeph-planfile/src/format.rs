//! The formats of a plan file, and the reader that turns a text into a tree.

use zeph_diagnostics::{
    Diagnostic, Diagnostics, Node, Source, Value, read_json, read_toml, read_yaml,
};

use crate::{code, foreign};

/// The most bytes of a plan file: 16 MiB.
pub const MAX_PLAN_BYTES: usize = 16 << 20;

/// The format of a plan file. All formats have the same keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Format {
    /// TOML 1.1.
    #[default]
    Toml,
    /// One JSON object.
    Json,
    /// One YAML 1.2 document, without anchors, aliases, tags and merge keys.
    Yaml,
}

impl Format {
    /// The format for a file name: `.json` is JSON, `.yaml` and `.yml` are YAML, anything else is TOML.
    ///
    /// # Examples
    /// ```
    /// use zeph_planfile::Format;
    /// assert_eq!(Format::of_name("plan.JSON"), Format::Json);
    /// assert_eq!(Format::of_name("plan.yml"), Format::Yaml);
    /// assert_eq!(Format::of_name("plan.toml"), Format::Toml);
    /// ```
    #[must_use]
    pub fn of_name(name: &str) -> Self {
        match name.rsplit_once('.') {
            Some((_, ending)) if ending.eq_ignore_ascii_case("json") => Self::Json,
            Some((_, ending))
                if ending.eq_ignore_ascii_case("yaml") || ending.eq_ignore_ascii_case("yml") =>
            {
                Self::Yaml
            }
            _ => Self::Toml,
        }
    }

    /// The format of a text without a name: JSON if it begins with `{`, YAML if its first line looks like that,
    /// else TOML.
    ///
    /// # Examples
    /// ```
    /// use zeph_planfile::Format;
    /// assert_eq!(Format::of_text(" {\"tasks\": {}}"), Format::Json);
    /// assert_eq!(Format::of_text("# weekly\ntasks:\n"), Format::Yaml);
    /// assert_eq!(Format::of_text("[tasks.a]"), Format::Toml);
    /// ```
    #[must_use]
    pub fn of_text(text: &str) -> Self {
        if text.trim_start().starts_with('{') {
            Self::Json
        } else if foreign::is_yaml("", text) {
            Self::Yaml
        } else {
            Self::Toml
        }
    }

    /// Whether a text could be a plan: it can be read, and has a key `tasks`.
    ///
    /// # Examples
    /// ```
    /// use zeph_planfile::Format;
    /// assert!(Format::Toml.has_tasks("tasks.a.run = ['ls']"));
    /// assert!(!Format::Json.has_tasks(r#"{ "scripts": { "tasks": "x" } }"#));
    /// ```
    #[must_use]
    pub fn has_tasks(self, text: &str) -> bool {
        let source = Source::new("", text);
        let root = self.read(&source, &mut Diagnostics::in_source(&source));
        let Some(Value::Table(entries)) = root.map(|root| root.value) else {
            return false;
        };
        entries.iter().any(|entry| entry.key == "tasks")
    }

    /// The tree of a text; `None` if a problem was reported.
    pub(crate) fn read(self, source: &Source, problems: &mut Diagnostics) -> Option<Node> {
        let len = source.text().len();
        if len > MAX_PLAN_BYTES {
            let message = format!("the plan has {len} bytes; the limit is {MAX_PLAN_BYTES}");
            problems.push(Diagnostic::new(code::TOO_LARGE, message));
            return None;
        }
        match self {
            Self::Toml => {
                let mut found = Diagnostics::in_source(source);
                let root = read_toml(source, &mut found);
                if root.is_none() && foreign::is_yaml(source.name(), source.text()) {
                    let message = "the plan is YAML, and the name of its file says TOML";
                    let one = Diagnostic::new(code::SYNTAX, message).at(0..0);
                    problems.push(one.help("name the file `*.yaml`"));
                } else {
                    problems.append(found);
                }
                root
            }
            Self::Json => read_json(source, problems),
            Self::Yaml => read_yaml(source, (0..len).into(), problems),
        }
    }
}
