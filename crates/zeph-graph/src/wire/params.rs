//! `Params` as JSON values.

use serde_json::Value;

use crate::Params;

impl From<Value> for Params {
    /// # Examples
    /// ```
    /// use zeph_graph::Params;
    /// let params = Params::from(serde_json::json!({"retries": 3}));
    /// assert_eq!(params.json_text(), r#"{"retries":3}"#);
    /// ```
    fn from(value: Value) -> Self {
        match value {
            Value::Null => Self::none(),
            Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_)
            | Value::Object(_) => Self::from_json_text(value.to_string()),
        }
    }
}

impl Params {
    /// The value of the text.
    ///
    /// # Errors
    /// If the text is not JSON, or is nested deeper than 127 levels.
    ///
    /// # Examples
    /// ```
    /// use zeph_graph::Params;
    /// assert_eq!(Params::from_json_text("[1, 2]").to_value()?, serde_json::json!([1, 2]));
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    pub fn to_value(&self) -> Result<Value, serde_json::Error> {
        if self.is_none() {
            return Ok(Value::Null);
        }
        serde_json::from_str(self.json_text())
    }
}
