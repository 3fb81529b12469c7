//! Command templates of the settings, as the planner takes them.

use zeph_config::{ArgumentKind as Kind, CommandConfig, OrchestrationConfig};
use zeph_planner::plan::{ArgumentKind, BadTemplate, CommandTemplate, Commands};

use super::OrchestratorError;

/// The commands that plans may run.
///
/// # Errors
/// All templates that are wrong, each with its name.
pub fn command_templates(config: &OrchestrationConfig) -> Result<Commands, OrchestratorError> {
    let mut commands = Commands::none();
    let mut wrong = Vec::new();
    for (name, command) in &config.commands {
        let added = template(name, command).and_then(|template| commands.add(template));
        wrong.extend(added.err().map(|error| format!("commands.{name}: {error}")));
    }
    if wrong.is_empty() {
        Ok(commands)
    } else {
        Err(OrchestratorError::CommandTemplates(wrong.join("\n")))
    }
}

fn template(name: &str, command: &CommandConfig) -> Result<CommandTemplate, BadTemplate> {
    let mut template = CommandTemplate::new(name, &command.about);
    for element in &command.run {
        let (prefix, place) = CommandConfig::place(element);
        let argument = place.and_then(|place| Some((place, command.args.get(place)?)));
        let Some((place, argument)) = argument else {
            template = template.fixed(element);
            continue;
        };
        let kind = match &argument.kind {
            Kind::Text(bytes) => ArgumentKind::text(*bytes as usize),
            Kind::Pattern(pattern) => ArgumentKind::pattern(pattern)?,
            Kind::Choice(choices) => ArgumentKind::choice(choices),
            Kind::Integer(min, max) => ArgumentKind::integer(*min, *max),
            Kind::Path(below) => ArgumentKind::path(below),
        };
        template = if argument.optional {
            template.optional(prefix, place, &argument.about, kind)
        } else {
            template.value(prefix, place, &argument.about, kind)
        };
        if argument.dash {
            template = template.dash();
        }
    }
    Ok(template)
}
