//! The result of a conformance suite: the rules of a port that an implementation breaks.

use std::fmt;

/// A rule of a port that an implementation breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The name of the case.
    pub case: &'static str,
    /// What happened in it.
    pub problem: String,
}

/// All rules that an implementation breaks; never empty. `Display` writes one line each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violations(pub Vec<Violation>);

impl Violations {
    /// The outcome of a suite.
    ///
    /// # Errors
    /// If there is a violation.
    ///
    /// # Examples
    /// ```
    /// use zeph_common::{Violation, Violations};
    /// assert!(Violations::check(Vec::new()).is_ok());
    /// let violation = Violation { case: "a cancel", problem: "it did not end".into() };
    /// let violations = Violations::check(vec![violation]).unwrap_err();
    /// assert_eq!(violations.to_string(), "a cancel: it did not end");
    /// ```
    pub fn check(violations: Vec<Violation>) -> Result<(), Self> {
        if violations.is_empty() {
            Ok(())
        } else {
            Err(Self(violations))
        }
    }
}

impl fmt::Display for Violations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, Violation { case, problem }) in self.0.iter().enumerate() {
            let line_break = if index == 0 { "" } else { "\n" };
            write!(f, "{line_break}{case}: {problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Violations {}
