//! Agents and answers with scripted models: requests, notes, results and errors.

#[path = "agents/support.rs"]
mod support;

#[path = "agents/answer.rs"]
mod answer;
#[path = "agents/ask_again.rs"]
mod ask_again;
#[path = "agents/budget.rs"]
mod budget;
#[path = "agents/check.rs"]
mod check;
#[path = "agents/conform.rs"]
mod conform;
#[path = "agents/fill.rs"]
mod fill;
#[path = "agents/hostile.rs"]
mod hostile;
#[path = "agents/output_format.rs"]
mod output_format;
#[path = "agents/prompt.rs"]
mod prompt;
#[path = "agents/resume.rs"]
mod resume;
#[path = "agents/route.rs"]
mod route;
#[path = "agents/summaries.rs"]
mod summaries;
#[path = "agents/tool_ends.rs"]
mod tool_ends;
#[path = "agents/tools.rs"]
mod tools;
