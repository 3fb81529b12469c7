//! The plan that a person begins with.

/// A plan with comments that shows the most used keys, for a file of that name.
///
/// It has no warnings, and runs without a network, a model or a person.
///
/// # Examples
/// ```
/// use zeph_planfile::{Format, Plan, starter};
/// let plan = Plan::load(&starter("weekly.toml"), Format::Toml, "weekly.toml")?;
/// assert!(plan.warnings().is_empty());
/// # Ok::<(), zeph_planfile::Diagnostics>(())
/// ```
#[must_use]
pub fn starter(file: &str) -> String {
    include_str!("starter.toml").replace("FILE", file)
}
