//! Arguments that a program runs as code, or that decide which program or script runs.

mod options;
mod programs;
mod reader;
mod script;
mod variables;

pub use options::may_be_options;
use programs::{PROGRAMS, Program, Then};
use reader::Reader;
pub use script::script_runs_input;
pub use variables::is_code_variable;

/// An argument of a command line, as far as it is known before the command runs.
#[derive(Clone, Copy, Debug)]
pub struct Argument<'a> {
    /// The text, up to the first value that is not known.
    pub known: &'a str,
    /// The values in it.
    pub inserted: Inserted,
}

/// The values that are inserted into an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inserted {
    /// None: the text is fixed.
    Nothing,
    /// Values that `known` contains.
    Known,
    /// A value that is not known yet, of a person.
    Unknown,
    /// A value that is not known yet, and untrusted.
    Foreign,
}

/// The inputs of a command line that a check has found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FoundInputs {
    /// The arguments by their indexes, in order.
    pub arguments: Vec<usize>,
    /// Whether the standard input is one of them.
    pub stdin: bool,
}

/// Names of the standard input in the place of a script.
const STDIN: [&str; 4] = ["-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"];

/// Finds the inputs of a command line that would be run as code: arguments with values, also those whose
/// untrusted values decide which program, option or script runs, and the standard input.
///
/// Follows programs such as `env` and `timeout` to the program that they start, and knows the usual
/// interpreters with their options. A program that it does not know is trusted to take its arguments as
/// values. Linear in the number of arguments.
///
/// # Examples
/// ```
/// use zeph_common::{Argument, Inserted, run_as_code};
/// let fixed = |known| Argument { known, inserted: Inserted::Nothing };
/// let value = Argument { known: "echo ", inserted: Inserted::Foreign };
/// let found = run_as_code(&[fixed("timeout"), fixed("5"), fixed("sh"), fixed("-c"), value]);
/// assert_eq!(found.arguments, [4]);
/// ```
#[must_use]
pub fn run_as_code(argv: &[Argument<'_>]) -> FoundInputs {
    let mut found = FoundInputs::default();
    let (mut at, mut passes_input_on) = (0, false);
    while let Some(arg) = argv.get(at) {
        if arg.inserted == Inserted::Foreign {
            found.arguments.push(at);
        }
        let Some(program) = program(&argv[at..]) else {
            break;
        };
        found.stdin |= passes_input_on;
        passes_input_on |= options::INPUT_AS_ARGUMENTS.contains(&program.names);
        let end = Reader::new(program, argv, at, true).read(&mut found);
        at = if program.then == Then::Arguments {
            at + 1
        } else {
            end.at
        };
        if !end.is_program {
            break;
        }
    }
    // The name of an interpreter that is data of another program has a meaning if an option with code
    // follows it.
    while at < argv.len() {
        let program = program(&argv[at..]);
        let program = program
            .filter(|it| !matches!(it.then, Then::Code | Then::RepeatedCode | Then::AllCode));
        let mut here = FoundInputs::default();
        let end = program.map(|it| Reader::new(it, argv, at, false).read(&mut here));
        found.arguments.append(&mut here.arguments);
        at = end.map_or(0, |end| end.at).max(at + 1);
    }
    found.arguments.sort_unstable();
    found.arguments.dedup();
    found
}

/// The known program at the beginning of a command line.
fn program(argv: &[Argument<'_>]) -> Option<&'static Program> {
    let name = argv.first().filter(|arg| arg.is_complete())?.known;
    let name = name.rsplit(['/', '\\']).next()?.to_ascii_lowercase();
    let name = name.strip_suffix(".exe").unwrap_or(&name);
    let plain = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.' || c == '-');
    let subcommand = argv.get(1).map_or("", |arg| arg.known);
    PROGRAMS.iter().find(|program| {
        let is_named = contains(program.names, name) || contains(program.names, plain);
        is_named && (program.subcommand.is_empty() || program.subcommand == subcommand)
    })
}

fn contains(list: &str, word: &str) -> bool {
    list.split_whitespace().any(|one| one == word)
}

impl Argument<'_> {
    fn is_complete(&self) -> bool {
        matches!(self.inserted, Inserted::Nothing | Inserted::Known)
    }

    fn is_option(&self) -> bool {
        self.known.starts_with(['-', '+']) && (self.known.len() > 1 || !self.is_complete())
    }
}

#[cfg(test)]
mod tests;
