//! Agents and answers against scripted models: what is asked, what is kept, and how it can end.

#[path = "agents/support.rs"]
mod support;

#[path = "agents/answer.rs"]
mod answer;
#[path = "agents/budget.rs"]
mod budget;
#[path = "agents/conform.rs"]
mod conform;
#[path = "agents/form.rs"]
mod form;
#[path = "agents/hostile.rs"]
mod hostile;
#[path = "agents/prompt.rs"]
mod prompt;
#[path = "agents/route.rs"]
mod route;
#[path = "agents/summaries.rs"]
mod summaries;
#[path = "agents/tools.rs"]
mod tools;
