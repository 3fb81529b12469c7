//! Validation against the original schema: offline, with linear-time patterns.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::sync::Arc;

use boon::{CompileError, Compiler, Draft, ErrorKind, SchemaIndex, Schemas, UrlLoader};
use boon::{InstanceLocation, ValidationError};
use regex::RegexBuilder;
use serde_json::Value;
use zeph_common::{Boundary, escape_terminal, truncate};

use super::optional::{is_optional, unescaped};
use super::{Problem, SchemaError};

/// The most problems that are reported.
const MAX_PROBLEMS: usize = 50;

/// The most bytes of a problem's message.
const MAX_MESSAGE: usize = 300;

/// The most bytes of a compiled pattern.
const MAX_PATTERN: usize = 1 << 20;

/// How often a value is searched for nulls to remove: removing one may reveal another.
const MAX_ROUNDS: usize = 16;

/// The most nulls that are removed in one round.
pub(super) const MAX_NULLS: usize = 1_000;

/// The name of the schema's document; references to another one are errors.
const LOCATION: &str = "urn:zeph:answer";

/// A compiled schema. A clone is cheap.
#[derive(Clone)]
pub(super) struct Validator {
    schemas: Arc<Schemas>,
    root: SchemaIndex,
}

/// Compiles a schema. References to other documents are errors; nothing is fetched.
pub(super) fn compile(schema: &Value) -> Result<Validator, SchemaError> {
    check_patterns(schema)?;
    let mut compiler = Compiler::new();
    compiler.set_default_draft(Draft::V2020_12);
    compiler.use_loader(Box::new(Offline));
    let mut schemas = Schemas::new();
    let compiled = match compiler.add_resource(LOCATION, schema.clone()) {
        Ok(()) => compiler.compile(LOCATION, &mut schemas),
        Err(error) => Err(error),
    };
    match compiled {
        Ok(root) => Ok(Validator {
            schemas: Arc::new(schemas),
            root,
        }),
        Err(error) => Err(schema_error(&error)),
    }
}

/// Refuses patterns that are too large when compiled; boon takes that for an error of its own.
fn check_patterns(schema: &Value) -> Result<(), SchemaError> {
    let mut open = vec![(String::new(), schema)];
    while let Some((pointer, value)) = open.pop() {
        let mut patterns: Vec<&str> = Vec::new();
        match value {
            Value::Object(object) => {
                patterns.extend(object.get("pattern").and_then(Value::as_str));
                let properties = object.get("patternProperties").and_then(Value::as_object);
                patterns.extend(
                    properties
                        .into_iter()
                        .flatten()
                        .map(|(key, _)| key.as_str()),
                );
                let children = object.iter();
                open.extend(children.map(|(key, child)| (format!("{pointer}/{key}"), child)));
            }
            Value::Array(items) => {
                let children = items.iter().enumerate();
                open.extend(children.map(|(index, child)| (format!("{pointer}/{index}"), child)));
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
        for pattern in patterns {
            let compiled = RegexBuilder::new(pattern).size_limit(MAX_PATTERN).build();
            if let Err(error @ regex::Error::CompiledTooBig(_)) = compiled {
                return Err(SchemaError {
                    pointer,
                    message: clean(&error.to_string()),
                });
            }
        }
    }
    Ok(())
}

fn schema_error(error: &CompileError) -> SchemaError {
    if let CompileError::ValidationError { src, .. } = error
        && let Some(first) = leaves(src).first()
    {
        return SchemaError {
            pointer: first.instance_location.to_string(),
            message: message(first),
        };
    }
    SchemaError {
        pointer: String::new(),
        message: clean(&error.to_string()),
    }
}

struct Offline;

impl UrlLoader for Offline {
    fn load(&self, url: &str) -> Result<Value, Box<dyn Error>> {
        Err(format!("{url} is another document").into())
    }
}

impl Validator {
    pub(super) fn is_valid(&self, value: &Value) -> bool {
        self.schemas.validate(value, self.root).is_ok()
    }

    /// What `each` returns for the violations, in the order of the schema.
    fn violations<T>(
        &self,
        value: &Value,
        each: impl FnMut(&ValidationError<'_, '_>) -> Option<T>,
    ) -> Vec<T> {
        match self.schemas.validate(value, self.root) {
            Ok(()) => Vec::new(),
            Err(error) => leaves(&error).into_iter().filter_map(each).collect(),
        }
    }
}

/// The violations, in the order of the schema; empty if the value is valid.
pub(super) fn problems(validator: &Validator, value: &Value) -> Vec<Problem> {
    let mut found = validator.violations(value, |error| {
        Some(Problem {
            pointer: error.instance_location.to_string(),
            message: message(error),
        })
    });
    found.truncate(MAX_PROBLEMS);
    found
}

/// Removes each null that stands for an absent property, and returns the JSON Pointers.
///
/// The strict form of a schema makes optional properties nullable. A null is removed if it violates the
/// original schema, which lists its property as optional. At most [`MAX_NULLS`] are removed at once.
pub(super) fn drop_nulls(validator: &Validator, schema: &Value, value: &mut Value) -> Vec<String> {
    let mut dropped = Vec::new();
    for _ in 0..MAX_ROUNDS {
        let mut seen = 0;
        let found = validator.violations(value, |error| {
            let pointer = error.instance_location.to_string();
            let is_null = seen < MAX_NULLS
                && value.pointer(&pointer).is_some_and(Value::is_null)
                && is_optional(schema, &pointer);
            seen += usize::from(is_null);
            is_null.then_some(pointer)
        });
        let mut nulls: BTreeSet<String> = found.into_iter().collect();
        if nulls.is_empty() {
            break;
        }
        let mut without = value.clone();
        remove(&mut without, &nulls);
        let missing = validator.violations(&without, |error| {
            let ErrorKind::Required { want } = &error.kind else {
                return None;
            };
            let parent = error.instance_location.to_string();
            let escaped = |name: &str| name.replace('~', "~0").replace('/', "~1");
            let pointers = want
                .iter()
                .map(|name| format!("{parent}/{}", escaped(name)));
            Some(pointers.collect::<Vec<_>>())
        });
        for pointer in missing.iter().flatten() {
            nulls.remove(pointer);
        }
        if nulls.is_empty() {
            break;
        }
        remove(value, &nulls);
        dropped.extend(nulls);
    }
    dropped
}

/// Removes the properties at the pointers. Linear in the size of their objects.
fn remove(value: &mut Value, pointers: &BTreeSet<String>) {
    let mut objects: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for (parent, name) in pointers.iter().filter_map(|one| one.rsplit_once('/')) {
        objects.entry(parent).or_default().insert(unescaped(name));
    }
    for (parent, names) in objects {
        if let Some(Value::Object(object)) = value.pointer_mut(parent) {
            // `Map::remove` would change the order of the others.
            object.retain(|key, _| !names.contains(key));
        }
    }
}

/// The violations behind an error: of a union those of the nearest branch, else the union itself.
fn leaves<'a, 's, 'v>(root: &'a ValidationError<'s, 'v>) -> Vec<&'a ValidationError<'s, 'v>> {
    let mut open = vec![root];
    let mut found = Vec::new();
    while let Some(error) = open.pop() {
        if is_union(error) {
            match nearest(error) {
                Some(branch) => open.push(branch),
                None => found.push(error),
            }
        } else if error.causes.is_empty() {
            found.push(error);
        } else {
            // Reversed, because the last one is taken first.
            open.extend(error.causes.iter().rev());
        }
    }
    found
}

/// The branch of a union with the fewest errors, and the deepest ones if two have as many; `None` if the
/// value has the type of no branch.
fn nearest<'a, 's, 'v>(union: &'a ValidationError<'s, 'v>) -> Option<&'a ValidationError<'s, 'v>> {
    let depth = |error: &&ValidationError<'_, '_>| error.instance_location.tokens.len();
    let rank = |branch: &&'a ValidationError<'s, 'v>| {
        let errors = branch_errors(branch);
        let deepest = errors.iter().map(depth).max().unwrap_or(0);
        // The branch for null does not explain a value that is not null.
        let other_type = errors
            .iter()
            .any(|error| is_whole_type(error, &union.instance_location));
        (other_type, errors.len(), usize::MAX - deepest)
    };
    let branch = union.causes.iter().min_by_key(rank)?;
    let (other_type, ..) = rank(&branch);
    (!other_type || union.causes.len() == 1).then_some(branch)
}

/// The errors of a branch, without looking into further unions.
fn branch_errors<'a, 's, 'v>(
    branch: &'a ValidationError<'s, 'v>,
) -> Vec<&'a ValidationError<'s, 'v>> {
    let mut open = vec![branch];
    let mut found = Vec::new();
    while let Some(error) = open.pop() {
        if is_union(error) || error.causes.is_empty() {
            found.push(error);
        } else {
            open.extend(&error.causes);
        }
    }
    found
}

fn is_union(error: &ValidationError<'_, '_>) -> bool {
    matches!(error.kind, ErrorKind::AnyOf | ErrorKind::OneOf(None))
}

/// Whether the value of a union as a whole has another type than the branch.
fn is_whole_type(error: &ValidationError<'_, '_>, union: &InstanceLocation<'_>) -> bool {
    matches!(error.kind, ErrorKind::Type { .. })
        && error.instance_location.tokens.len() == union.tokens.len()
}

/// The message, without the value itself.
fn message(error: &ValidationError<'_, '_>) -> String {
    let kind = &error.kind;
    if let ErrorKind::Pattern { want, .. } = kind {
        clean(&format!("does not match the pattern {want:?}"))
    } else if is_union(error) {
        let alternatives = error.causes.iter().map(|cause| cause.kind.to_string());
        let alternatives: Vec<String> = alternatives.collect();
        clean(&format!("fits no alternative: {}", alternatives.join("; ")))
    } else {
        clean(&kind.to_string())
    }
}

fn clean(text: &str) -> String {
    truncate(&escape_terminal(text), MAX_MESSAGE - 24, Boundary::Char).to_string()
}
