//! The list of a task with `foreach`.

use serde_json::Value;
use zeph_executor::TaskError;

use super::Filler;
use crate::expression;
use crate::template::{Template, texts_mut};

impl Filler<'_> {
    /// The items: the value of one expression, or a list in which each text that is one expression becomes its
    /// value. The caller checks that it is a list.
    pub(super) fn list(mut self, mut list: Value) -> Result<Value, TaskError> {
        for text in texts_mut(&mut list) {
            let template = Template::parse(text.as_str().unwrap_or_default())
                .map_err(|unclosed| self.failed(&unclosed.rest, "it has no end"))?;
            *text = match template.single() {
                Some(expression) => self.evaluate(expression)?,
                None => {
                    let value = |one: &str| self.evaluate(one).map(expression::to_text);
                    template.fill(value)?.into()
                }
            };
        }
        Ok(list)
    }
}
