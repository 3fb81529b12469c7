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
    /// The outcome of a suite with these cases.
    ///
    /// # Errors
    /// The cases that failed.
    ///
    /// # Examples
    /// ```
    /// use zeph_common::Violations;
    /// let cases = [("a start", Ok(())), ("a cancel", Err("it did not end".to_owned()))];
    /// let violations = Violations::check(cases).unwrap_err();
    /// assert_eq!(violations.to_string(), "a cancel: it did not end");
    /// ```
    pub fn check(
        cases: impl IntoIterator<Item = (&'static str, Result<(), String>)>,
    ) -> Result<(), Self> {
        let violations: Vec<Violation> = cases
            .into_iter()
            .filter_map(|(case, result)| Some((case, result.err()?)))
            .map(|(case, problem)| Violation { case, problem })
            .collect();
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
