//! Validation against the original schema: offline, in linear time per pattern, problems with pointers.

use jsonschema::error::ValidationErrorKind;
use jsonschema::{Draft, PatternOptions, ValidationError, Validator};
use serde_json::Value;
use zeph_common::{Boundary, escape_terminal, truncate};

use super::Problem;
use crate::{SchemaProblem, SchemaProblemKind, SchemaProblems};

/// The most problems that are told.
const MAX_PROBLEMS: usize = 50;

/// The most bytes of a problem's message.
const MAX_MESSAGE: usize = 300;

/// The most bytes of a compiled pattern.
const MAX_PATTERN: usize = 1 << 20;

/// Compiles a schema. References out of the document are refused, not fetched.
pub(super) fn compile(schema: &Value) -> Result<Validator, SchemaProblems> {
    let options = jsonschema::options()
        .with_draft(Draft::Draft202012)
        .offline()
        .with_pattern_options(PatternOptions::regex().size_limit(MAX_PATTERN));
    options.build(schema).map_err(|error| {
        let pointer = error.instance_path().as_str();
        let message = message(&error);
        let kind = SchemaProblemKind::NotASchema;
        SchemaProblems(vec![SchemaProblem::new(kind, pointer, message)])
    })
}

/// All that does not fit, in the order of the schema; empty if the value fits.
pub(super) fn problems(validator: &Validator, value: &Value) -> Vec<Problem> {
    let mut found = Vec::new();
    for error in validator.iter_errors(value) {
        tell(&error, &mut found);
        if found.len() >= MAX_PROBLEMS {
            break;
        }
    }
    found.truncate(MAX_PROBLEMS);
    found
}

type Errors = Vec<ValidationError<'static>>;

/// A union is told by its nearest branch: the one with the fewest problems, the deepest if they tie.
fn tell(error: &ValidationError<'_>, found: &mut Vec<Problem>) {
    let mut nearest: Vec<&ValidationError<'_>> = vec![error];
    let mut told = Vec::new();
    let mut steps = 0;
    while let Some(error) = nearest.pop() {
        steps += 1;
        let branch = if let ValidationErrorKind::AnyOf { context }
        | ValidationErrorKind::OneOfNotValid { context } = error.kind()
        {
            closest(context)
        } else {
            None
        };
        match branch {
            Some(errors) if steps < MAX_PROBLEMS => nearest.extend(errors),
            _ => told.push(Problem {
                pointer: error.instance_path().as_str().to_owned(),
                message: message(error),
            }),
        }
    }
    found.extend(told);
}

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
            // A branch for null says nothing about a value that is none.
            let is_type = errors.iter().any(is_whole_type);
            (is_type, errors.len(), usize::MAX - depth(errors))
        })?;
    let all_types = nearest.iter().any(is_whole_type) && branches.len() > 1;
    (!all_types).then_some(nearest)
}

/// Whether an error says that the value as a whole has another type than the branch.
fn is_whole_type(error: &ValidationError<'static>) -> bool {
    matches!(error.kind(), ValidationErrorKind::Type { .. })
        && error.schema_path().as_str().matches('/').count() <= 4
}

fn message(error: &ValidationError<'_>) -> String {
    let text = error.masked().to_string();
    truncate(&escape_terminal(&text), MAX_MESSAGE - 24, Boundary::Char).to_string()
}
