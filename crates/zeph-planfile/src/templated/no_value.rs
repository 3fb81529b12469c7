//! Why an expression has no value.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use zeph_diagnostics::quote;
use zeph_executor::Parent;

use super::{ARTIFACTS, Filler, field_of};
use crate::references::Reference;

impl Filler<'_> {
    /// Why an output is not what the task printed, or is no output.
    pub(super) fn inexact(&self, reference: &Reference) -> Option<String> {
        let Reference::Task { name, field } = reference else {
            return None;
        };
        // A task with `foreach` has a list.
        let is_list = |parent: &Parent| {
            let output = parent.output.as_ref();
            output.is_none_or(|output| output.value.is_array())
        };
        if field.is_empty() && !self.input.parents.get(name).is_some_and(is_list) {
            let mut cells = self.cells(name).peekable();
            if cells.peek().is_none() {
                return Some(format!(
                    "`tasks.{name}` is used as a whole; write which part of it"
                ));
            }
            return cells.find_map(|cell| self.inexact_output(cell, name, "value"));
        }
        self.inexact_output(self.input.parents.get(name)?, name, field)
    }

    fn inexact_output(&self, parent: &Parent, name: &str, field: &str) -> Option<String> {
        let value = &parent.output.as_ref()?.value;
        let is = |mark: &str, wanted: bool| value.get(mark) == Some(&Value::Bool(wanted));
        let of = |part: &str| field == part || field == "value";
        let task = quote(name);
        if of("stdout") && is("stdout_utf8", false) {
            return Some(format!(
                "the standard output of {task} is not UTF-8; use nothing else on `stdin`, which takes bytes, or print text, for example with `base64`"
            ));
        }
        if of("stdout") && is("stdout_truncated", true) && self.sanitizer.is_none() {
            let bytes = &value["stdout_bytes"];
            return Some(format!(
                "the standard output of {task} has {bytes} bytes, more than a value may have; use nothing else on `stdin`, which takes up to 8 MiB, or write a file and print its name"
            ));
        }
        (of("json") && is("json_inexact", true)).then(|| {
            format!("a whole number in the JSON of {task} has more than 64 bits and would lose digits; print it as a text, in quotes")
        })
    }

    /// Why a value is undefined.
    pub(super) fn undefined_reason(&self, used: &[Reference]) -> String {
        for reference in used {
            let Reference::Task { name, field } = reference else {
                continue;
            };
            if field.is_empty() {
                continue;
            }
            let Some(parent) = self.input.parents.get(name) else {
                return format!(
                    "the task {} is not in the `needs` of this task",
                    quote(name)
                );
            };
            if let Some(Value::Object(artifacts)) = self.artifacts.get(name)
                && field == ARTIFACTS
            {
                let names: BTreeSet<&str> = artifacts.keys().map(String::as_str).collect();
                return match names.is_empty() {
                    true => format!("the task {} has no artifacts", quote(name)),
                    false => format!(
                        "the artifacts of {} are {}",
                        quote(name),
                        zeph_diagnostics::list(names)
                    ),
                };
            }
            if field_of(parent, field).is_none() {
                let end = json!(parent.state);
                let end = end.as_str().unwrap_or_default();
                return match parent.output {
                    Some(_) if field == "outputs" => format!(
                        "the task {} has written no named outputs: lines name=value in the file that $ZEPH_OUTPUT names",
                        quote(name)
                    ),
                    None => format!("the task {} is {end} and left no output", quote(name)),
                    Some(_) => format!("the output of {} has no {}", quote(name), quote(field)),
                };
            }
            if let Some(Value::Object(outputs)) = field_of(parent, field)
                && field == "outputs"
            {
                let names: BTreeSet<&str> = outputs.keys().map(String::as_str).collect();
                let names = zeph_diagnostics::list(names);
                return format!("the named outputs of {} are {names}", quote(name));
            }
        }
        "it uses an undefined value".to_owned()
    }
}
