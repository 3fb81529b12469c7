//! Params: the declared parameters of a plan.

use std::path::Path;

use serde_json::{Map, Number, Value};
use zeph_diagnostics::{Diagnostic, Diagnostics, Entry, Node, Span, Value as NodeValue, quote};

use crate::bounds::Bounds;
use crate::task::command;
use crate::{code, fields, foreign};

/// The keys of a parameter.
pub(crate) const KEYS: [&str; 9] = [
    "type",
    "default",
    "description",
    "choices",
    "pattern",
    "min",
    "max",
    "secret",
    "env",
];

/// What a parameter accepts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ParamKind {
    /// Any text.
    #[default]
    String,
    /// A number.
    Number,
    /// A whole number of 64 bits.
    Integer,
    /// `true` or `false`.
    Boolean,
    /// A list of any values.
    List,
    /// A table of any values.
    Object,
    /// The path of a file that exists.
    File,
}

impl ParamKind {
    pub(crate) const WORDS: [(&'static str, Self); 7] = [
        ("string", Self::String),
        ("number", Self::Number),
        ("integer", Self::Integer),
        ("boolean", Self::Boolean),
        ("list", Self::List),
        ("object", Self::Object),
        ("file", Self::File),
    ];

    /// The word for it in a plan file.
    #[must_use]
    pub fn word(self) -> &'static str {
        let found = Self::WORDS.iter().find(|(_, kind)| *kind == self);
        found.map_or("", |(word, _)| word)
    }

    fn accepts(self, value: &Value) -> bool {
        match self {
            Self::String | Self::File => value.is_string(),
            Self::Number => value.is_number(),
            Self::Integer => value.is_i64(),
            Self::Boolean => value.is_boolean(),
            Self::List => value.is_array(),
            Self::Object => value.is_object(),
        }
    }

    const fn wanted(self) -> &'static str {
        match self {
            Self::String => "a text without NUL characters",
            Self::Number => "a number",
            Self::Integer => "a whole number",
            Self::Boolean => "true or false",
            Self::List => "a list: texts with commas between them, or JSON such as [\"a\", \"b\"]",
            Self::Object => "an object: JSON such as {\"a\": 1}",
            Self::File => "the path of a file",
        }
    }
}

/// A parameter of a plan.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Param {
    /// The name.
    pub name: String,
    /// What it accepts.
    pub kind: ParamKind,
    /// The default value; a parameter without one is required.
    pub default: Option<Value>,
    /// Its description.
    pub description: Option<String>,
    /// The only values that it accepts; empty for any value.
    pub choices: Vec<Value>,
    /// Whether its value is neither stored nor shown.
    pub is_secret: bool,
    /// The environment variable that has its value if none is given.
    pub env: Option<String>,
    pub(crate) bounds: Bounds,
    /// The value that an outer plan gives it, with expressions of that plan.
    pub(crate) given: Option<Value>,
    pub(crate) place: Span,
}

impl Param {
    /// The value for a text, such as one from a command line.
    ///
    /// # Errors
    /// If the text is not of the parameter's type or not one of its choices. The message does not contain
    /// the value of a secret.
    pub(crate) fn parse(&self, text: &str) -> Result<Value, String> {
        let value = match self.kind {
            ParamKind::String => Some(Value::from(text)),
            ParamKind::File => (!text.is_empty()).then(|| Value::from(text)),
            ParamKind::Boolean => text.parse::<bool>().ok().map(Value::from),
            ParamKind::Integer => text.parse::<i64>().ok().map(Value::from),
            ParamKind::Number => {
                let whole = text.parse::<i64>().map(Number::from).ok();
                let number = whole.or_else(|| Number::from_f64(text.parse().ok()?));
                number.map(Value::from)
            }
            ParamKind::List => list_of(text),
            ParamKind::Object => {
                let object = serde_json::from_str::<Map<String, Value>>(text);
                object.ok().map(Value::from)
            }
        };
        let given = if self.is_secret {
            "the value".to_owned()
        } else {
            quote(text)
        };
        match value {
            None => Err(format!("{given} is not {}", self.kind.wanted())),
            Some(value) if texts(&value).any(|text| text.contains('\0')) => {
                Err(format!("{given} is not {}", self.kind.wanted()))
            }
            Some(_) if self.is_secret && text.is_empty() => Err("the value is empty".to_owned()),
            Some(value) => self.accepted(value, &given),
        }
    }

    /// The value, if it is one of the choices and within the bounds.
    fn accepted(&self, value: Value, given: &str) -> Result<Value, String> {
        if !self.choices.is_empty() && !self.choices.contains(&value) {
            return Err(format!("{given} is not one of {}", listed(&self.choices)));
        }
        match self.bounds.refuses(&value) {
            Some(why) => Err(format!("{given} {why}")),
            None => Ok(value),
        }
    }

    /// The value that an outer plan gives it, with the values of that plan filled in.
    pub(crate) fn typed(&self, value: Value) -> Result<Value, String> {
        let given = quote(&plain(&value));
        if !self.kind.accepts(&value) {
            return Err(format!("{given} is not of the type `{}`", self.kind.word()));
        }
        self.accepted(value, &given)
    }

    /// Takes a value of an outer plan. One without expressions is checked at once.
    pub(crate) fn give(&mut self, node: &Node, problems: &mut Diagnostics) {
        let value = node.to_json();
        let has_expressions = texts(&value).any(|text| text.contains("${{"));
        if !has_expressions && let Err(why) = self.typed(value.clone()) {
            let message = format!("the parameter {}: {why}", quote(&self.name));
            problems.push(Diagnostic::new(code::BAD_PARAM, message).at(node.span));
        }
        self.given = Some(value);
        self.place = node.span;
    }

    /// The value for the run: the path of a file becomes absolute, and the file has to exist.
    pub(crate) fn resolved(&self, value: Value, folder: Option<&str>) -> Result<Value, String> {
        let (ParamKind::File, Some(path)) = (self.kind, value.as_str()) else {
            return Ok(value);
        };
        let path = Path::new(folder.unwrap_or_default()).join(path);
        let problem = match path.metadata() {
            Ok(about) if about.is_file() => return Ok(path.to_string_lossy().into()),
            Ok(_) => "it is not a file".to_owned(),
            Err(error) => error.to_string(),
        };
        let path = quote(&path.to_string_lossy());
        Err(format!("the file {path} cannot be used: {problem}"))
    }
}

/// A list: JSON, or texts with commas between them.
fn list_of(text: &str) -> Option<Value> {
    if text.trim_start().starts_with('[') {
        return serde_json::from_str::<Vec<Value>>(text)
            .ok()
            .map(Value::from);
    }
    let items = text.split(',').map(str::trim);
    let is_empty = text.trim().is_empty();
    Some(items.filter(|_| !is_empty).collect())
}

/// All texts in a value, keys of objects included.
fn texts(value: &Value) -> impl Iterator<Item = &str> {
    let mut open = vec![value];
    let mut texts = Vec::new();
    while let Some(value) = open.pop() {
        match value {
            Value::String(text) => texts.push(text.as_str()),
            Value::Array(items) => open.extend(items),
            Value::Object(fields) => {
                texts.extend(fields.keys().map(String::as_str));
                open.extend(fields.values());
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
    texts.into_iter()
}

fn listed(values: &[Value]) -> String {
    let values: Vec<String> = values.iter().map(|value| quote(&plain(value))).collect();
    values.join(", ")
}

fn plain(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

/// Reads `[params]`.
pub(crate) fn read_all(node: &Node, problems: &mut Diagnostics) -> Vec<Param> {
    let Some(fields) = node.any_table("`params`", problems) else {
        return Vec::new();
    };
    let entries = fields.entries().iter();
    let params: Vec<Param> = entries.map(|entry| read(entry, problems)).collect();
    let secret = |variable: &String| {
        let mut secrets = params.iter().filter(|param| param.is_secret);
        secrets.find(|param| param.env.as_ref() == Some(variable))
    };
    for param in params.iter().filter(|param| !param.is_secret) {
        if let Some((variable, secret)) = param.env.as_ref().and_then(|it| Some((it, secret(it)?)))
        {
            let message = format!(
                "the parameter {} would store the value of {}, which the secret {} has",
                quote(&param.name),
                quote(variable),
                quote(&secret.name)
            );
            let one = Diagnostic::new(code::SECRET_EXPOSED, message).at(param.place);
            problems.push(
                one.help("use the secret itself, or declare this one with `secret = true` as well"),
            );
        }
    }
    params
}

/// Reads one. A parameter with problems is kept, so that its uses are not reported as well.
fn read(entry: &Entry, problems: &mut Diagnostics) -> Param {
    fields::check_name(entry, "parameter", problems);
    let mut param = Param {
        name: entry.key.clone(),
        kind: ParamKind::default(),
        default: None,
        description: None,
        choices: Vec::new(),
        is_secret: false,
        env: None,
        bounds: Bounds::default(),
        given: None,
        place: entry.key_span,
    };
    if matches!(entry.node.value, NodeValue::Table(_)) {
        read_table(&entry.node, &mut param, problems);
    } else if let Some(kind) = kind_of(&entry.node, problems) {
        param.kind = kind;
        param.default = default(&param, &entry.node, problems);
    } else {
        // The wrong type has been reported; the parameter must not be reported as missing as well.
        param.default = Some(Value::Null);
    }
    param
}

fn read_table(node: &Node, param: &mut Param, problems: &mut Diagnostics) {
    let what = format!("the parameter {}", quote(&param.name));
    let Some(fields) = node.table_with_help(&what, &KEYS, foreign::param_key, problems) else {
        return;
    };
    let kind = match (fields.get("type"), fields.get("default")) {
        (Some(node), _) => node.word("`type`", &ParamKind::WORDS, problems),
        (None, Some(node)) => kind_of(node, problems),
        (None, None) => None,
    };
    param.kind = kind.unwrap_or_default();
    let description = fields.read("description", |node, what| node.string(what, problems));
    param.description = description.map(str::to_owned);
    let secret = fields.read("secret", |node, what| node.boolean(what, problems));
    param.is_secret = secret.unwrap_or(false);
    param.env = fields.read("env", |node, what| command::variable(node, what, problems));
    if let Some(node) = fields.get("choices") {
        param.choices = choices(node, param.kind, problems);
    }
    param.bounds = Bounds::read(&fields, param.kind, problems);
    if param.is_secret && param.kind != ParamKind::String {
        let message = format!("{what} is a secret, and secrets are texts");
        problems.push(Diagnostic::new(code::BAD_VALUE, message).at(param.place));
    }
    match fields.entry("default") {
        Some(entry) if param.is_secret => {
            let message = format!("{what} is a secret, and secrets have no default");
            problems.push(
                Diagnostic::new(code::MISPLACED_KEY, message)
                    .at(entry.key_span)
                    .help(
                        "give it when the plan is run, or name a variable that has it with `env`",
                    ),
            );
        }
        Some(entry) => {
            let default = default(param, &entry.node, problems);
            param.default = default.or(Some(Value::Null));
        }
        None => {}
    }
}

/// The type of a parameter that is declared by its default value alone.
fn kind_of(node: &Node, problems: &mut Diagnostics) -> Option<ParamKind> {
    match &node.value {
        NodeValue::String(_) => Some(ParamKind::String),
        NodeValue::Bool(_) => Some(ParamKind::Boolean),
        NodeValue::Integer(number) if i64::try_from(*number).is_ok() => Some(ParamKind::Integer),
        NodeValue::Integer(_) | NodeValue::Float(_) => Some(ParamKind::Number),
        NodeValue::List(_) => Some(ParamKind::List),
        NodeValue::Table(_) => Some(ParamKind::Object),
        NodeValue::Null => {
            let wanted = "a text, a number, true or false, a list";
            node.wrong_type("the default of a parameter", wanted, problems);
            None
        }
    }
}

fn default(param: &Param, node: &Node, problems: &mut Diagnostics) -> Option<Value> {
    let value = value(node, "the default", param.kind, problems)?;
    if !param.choices.is_empty() && !param.choices.contains(&value) {
        let given = quote(&plain(&value));
        let message = format!(
            "the default {given} is not one of {}",
            listed(&param.choices)
        );
        problems.push(Diagnostic::new(code::BAD_PARAM, message).at(node.span));
        return None;
    }
    if let Some(why) = param.bounds.refuses(&value) {
        let message = format!("the default {} {why}", quote(&plain(&value)));
        problems.push(Diagnostic::new(code::BAD_PARAM, message).at(node.span));
        return None;
    }
    Some(value)
}

fn choices(node: &Node, kind: ParamKind, problems: &mut Diagnostics) -> Vec<Value> {
    let items = node.list("`choices`", problems).unwrap_or_default();
    if items.is_empty() && matches!(node.value, NodeValue::List(_)) {
        problems.push(Diagnostic::new(code::BAD_VALUE, "`choices` is empty").at(node.span));
    }
    let values = items.iter();
    values
        .filter_map(|item| value(item, "a choice", kind, problems))
        .collect()
}

/// A value of that type. Expressions in it are not evaluated, so they are refused.
fn value(node: &Node, what: &str, kind: ParamKind, problems: &mut Diagnostics) -> Option<Value> {
    let value = if matches!(node.value, NodeValue::String(_)) {
        Value::from(node.string(what, problems)?)
    } else {
        node.to_json()
    };
    if !kind.accepts(&value) {
        let wanted = format!("of the type `{}`", kind.word());
        node.wrong_type(what, &wanted, problems);
        return None;
    }
    if texts(&value).any(|text| text.contains("${{")) {
        let message = format!("{what} of a parameter has an expression, which is not evaluated");
        problems.push(Diagnostic::new(code::EXPRESSION_NOT_ALLOWED, message).at(node.span));
    }
    Some(value)
}
