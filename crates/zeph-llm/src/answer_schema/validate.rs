//! Validation against the original schema: offline, with linear-time patterns.

use jsonschema::error::ValidationErrorKind;
use jsonschema::{Draft, PatternOptions, ValidationError, Validator};
use serde_json::Value;
use zeph_common::{Boundary, escape_terminal, truncate};

use super::{Problem, SchemaError};

/// The most problems that are reported.
const MAX_PROBLEMS: usize = 50;

/// The most bytes of a problem's message.
const MAX_MESSAGE: usize = 300;

/// The most bytes of a compiled pattern.
const MAX_PATTERN: usize = 1 << 20;

/// How often a value is searched for nulls to remove: removing one may reveal another.
const MAX_ROUNDS: usize = 16;

/// Compiles a schema. References to other documents are errors; nothing is fetched.
pub(super) fn compile(schema: &Value) -> Result<Validator, SchemaError> {
    let options = jsonschema::options()
        .with_draft(Draft::Draft202012)
        .offline()
        .with_pattern_options(PatternOptions::regex().size_limit(MAX_PATTERN));
    options.build(schema).map_err(|error| SchemaError {
        pointer: error.instance_path().as_str().to_owned(),
        message: message(&error),
    })
}

/// The violations, in the order of the schema; empty if the value is valid.
pub(super) fn problems(validator: &Validator, value: &Value) -> Vec<Problem> {
    let mut found = Vec::new();
    for error in validator.iter_errors(value) {
        for error in nearest(&error) {
            found.push(Problem {
                pointer: error.instance_path().as_str().to_owned(),
                message: message(error),
            });
        }
        if found.len() >= MAX_PROBLEMS {
            break;
        }
    }
    found.truncate(MAX_PROBLEMS);
    found
}

/// Removes each null that stands for an absent property, and returns the JSON Pointers.
///
/// The strict form of a schema makes optional properties nullable. A null is removed if it violates the
/// original schema and its property is optional.
pub(super) fn drop_nulls(validator: &Validator, value: &mut Value) -> Vec<String> {
    let mut dropped = Vec::new();
    for _ in 0..MAX_ROUNDS {
        let mut nulls = Vec::new();
        for error in validator.iter_errors(value) {
            for error in nearest(&error) {
                if error.instance().is_null() {
                    nulls.push(error.instance_path().as_str().to_owned());
                }
            }
        }
        let mut without = value.clone();
        nulls.retain(|pointer| remove(&mut without, pointer));
        let mut required = Vec::new();
        for error in validator.iter_errors(&without) {
            for error in nearest(&error) {
                if let ValidationErrorKind::Required { property } = error.kind() {
                    let name = property.as_str().unwrap_or_default();
                    let name = name.replace('~', "~0").replace('/', "~1");
                    required.push(format!("{}/{name}", error.instance_path().as_str()));
                }
            }
        }
        nulls.retain(|pointer| !required.contains(pointer));
        if nulls.is_empty() {
            break;
        }
        for pointer in &nulls {
            remove(value, pointer);
        }
        dropped.append(&mut nulls);
    }
    dropped
}

/// Removes the property at a pointer; false if there is none.
fn remove(value: &mut Value, pointer: &str) -> bool {
    let Some((parent, name)) = pointer.rsplit_once('/') else {
        return false;
    };
    let name = name.replace("~1", "/").replace("~0", "~");
    let Some(Value::Object(object)) = value.pointer_mut(parent) else {
        return false;
    };
    let before = object.len();
    // `remove` would change the order of the others.
    object.retain(|key, _| *key != name);
    object.len() < before
}

type Errors = Vec<ValidationError<'static>>;

/// The errors behind an error: those of the nearest branch of a union, else the error itself.
fn nearest<'a>(error: &'a ValidationError<'a>) -> Vec<&'a ValidationError<'a>> {
    let mut open: Vec<&ValidationError<'_>> = vec![error];
    let mut found = Vec::new();
    let mut steps = 0;
    while let Some(error) = open.pop() {
        steps += 1;
        let branch = if let ValidationErrorKind::AnyOf { context }
        | ValidationErrorKind::OneOfNotValid { context } = error.kind()
        {
            closest(context)
        } else {
            None
        };
        match branch {
            Some(errors) if steps < MAX_PROBLEMS => open.extend(errors),
            _ => found.push(error),
        }
    }
    found
}

/// The branch of a union with the fewest errors, and the deepest ones if two have as many.
fn closest(branches: &[Errors]) -> Option<&Errors> {
    let depth = |errors: &[ValidationError<'static>]| {
        let levels = errors
            .iter()
            .map(|error| error.instance_path().as_str().matches('/').count());
        levels.max().unwrap_or(0)
    };
    let nearest = branches
        .iter()
        .filter(|errors| !errors.is_empty())
        .min_by_key(|errors| {
            // The branch for null does not explain a value that is not null.
            let is_type = errors.iter().any(is_whole_type);
            (is_type, errors.len(), usize::MAX - depth(errors))
        })?;
    let all_types = nearest.iter().any(is_whole_type) && branches.len() > 1;
    (!all_types).then_some(nearest)
}

/// Whether the value as a whole has another type than the branch.
fn is_whole_type(error: &ValidationError<'static>) -> bool {
    matches!(error.kind(), ValidationErrorKind::Type { .. })
        && error.schema_path().as_str().matches('/').count() <= 4
}

fn message(error: &ValidationError<'_>) -> String {
    let text = error.masked().to_string();
    truncate(&escape_terminal(&text), MAX_MESSAGE - 24, Boundary::Char).to_string()
}
