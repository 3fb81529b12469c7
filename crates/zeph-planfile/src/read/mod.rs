//! Reading TOML and JSON into nodes.

mod json;
mod toml;

use crate::errors::{PlanCode, PlanErrors};
use crate::node::Node;
use crate::place::Problem;
use crate::source::{Format, MAX_PLAN_BYTES, SourceText};

/// The tree of a source, or what keeps it from being one.
pub(crate) fn read(source: &SourceText) -> Result<Node, PlanErrors> {
    let len = source.text().len();
    let found = if len > MAX_PLAN_BYTES {
        let message = format!("the plan has {len} bytes, and at most {MAX_PLAN_BYTES} are read");
        Err(vec![Problem {
            code: PlanCode::TooLarge,
            message,
            place: None,
            help: None,
        }])
    } else {
        match source.format() {
            Format::Toml => toml::read(source.text()),
            Format::Json => json::read(source.text()),
        }
    };
    found.map_err(|problems| {
        let all = problems.into_iter().map(|one| source.error_at(one));
        PlanErrors::new(source.clone(), all.collect())
    })
}
