//! Reads a command line as one known program does.

use super::programs::{Program, Then};
use super::{
    Argument, FoundInputs, Inserted, STDIN, contains, is_code_variable, program, script_runs_input,
};

/// Where a program stops to read a command line: at the program that it starts, or at data.
pub(super) struct End {
    pub(super) at: usize,
    pub(super) is_program: bool,
}

/// The meaning of the argument after an option.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    Any,
    Code,
    Script,
    Value,
}

/// Reads a command line as a known program does.
pub(super) struct Reader<'a> {
    program: &'static Program,
    argv: &'a [Argument<'a>],
    at: usize,
    /// Whether the program is started; else its name may be data of another program.
    is_started: bool,
    next: Next,
    has_script: bool,
    options_ended: bool,
    /// Whether files are opened as `perl -n` does it, which runs a name such as `ls|`.
    opens_commands: bool,
}

impl<'a> Reader<'a> {
    pub(super) fn new(
        program: &'static Program,
        argv: &'a [Argument<'a>],
        at: usize,
        started: bool,
    ) -> Self {
        Self {
            program,
            argv,
            at: at + 1 + usize::from(!program.subcommand.is_empty()),
            is_started: started,
            next: Next::Any,
            has_script: false,
            options_ended: false,
            opens_commands: false,
        }
    }

    /// Reads options and own arguments, up to the script or the next program.
    pub(super) fn read(mut self, found: &mut FoundInputs) -> End {
        let then = self.program.then;
        if then == Then::NoForeign {
            found.stdin |= self.is_started && self.program.runs_input;
            while let Some(arg) = self.argv.get(self.at) {
                self.refuse_foreign(found);
                let file = arg.known.strip_prefix("-f").unwrap_or(arg.known);
                found.stdin |= self.is_started && STDIN.contains(&file);
                self.at += 1;
            }
            return self.end(0, false);
        }
        let mut own = self.program.own;
        while let Some(&arg) = self.argv.get(self.at) {
            let is_option = !self.options_ended && arg.is_option();
            // Between `-c` and the code, a shell still takes options.
            let is_shell_option = is_option && then == Then::Shell;
            match self.next {
                Next::Code if !is_shell_option => {
                    self.refuse_value(found);
                    let is_shell = then == Then::Shell && self.is_started;
                    found.stdin |= is_shell && script_runs_input(arg.known);
                    (self.next, self.has_script) = (Next::Any, true);
                    // After the code of a shell comes the name of the script.
                    let names = usize::from(then == Then::Shell);
                    if matches!(then, Then::Shell | Then::Script) {
                        return self.end(1 + names, false);
                    }
                }
                Next::Script if then == Then::Anywhere => return self.end(0, true),
                Next::Script => {
                    self.next = Next::Any;
                    self.script(arg.known, found);
                }
                Next::Value => {
                    self.next = Next::Any;
                    self.refuse_variable(arg.known, found);
                }
                Next::Any | Next::Code if is_option => {
                    self.option(arg, found);
                    if self.options_ended && then == Then::Anywhere {
                        return self.end(1, true);
                    }
                }
                Next::Any | Next::Code if own > 0 => {
                    own -= 1;
                    self.refuse_option(found);
                }
                Next::Any | Next::Code => {
                    if let Some(end) = self.plain(arg, found) {
                        return end;
                    }
                }
            }
            self.at += 1;
        }
        let runs_input = match then {
            Then::Script | Then::Shell | Then::Repeated => true,
            Then::Code
            | Then::RepeatedCode
            | Then::AllCode
            | Then::Program
            | Then::Anywhere
            | Then::Arguments
            | Then::Data
            | Then::NoForeign => self.program.runs_input,
        };
        // Code of options such as `-cmd` comes in addition.
        let has_script = self.has_script && then != Then::AllCode;
        found.stdin |= runs_input && !has_script && self.next != Next::Code;
        self.end(0, false)
    }

    /// Reads an option, up to the role of the next argument.
    fn option(&mut self, arg: Argument<'_>, found: &mut FoundInputs) {
        let (program, text) = (self.program, arg.known);
        let is_shell = program.then == Then::Shell;
        // In a bundle of a shell, `o` takes the name of an option from the next argument.
        let takes_value = is_shell && !text.starts_with("--") && text.ends_with(['o', 'O']);
        let (name, joined) = match text.split_once('=') {
            Some((name, joined)) => (name, Some(joined)),
            None => (text, None),
        };
        let short = text.split_at_checked(2).unwrap_or((text, ""));
        self.opens_commands |= program.names == "perl" && has_letter("np", text);
        if text == "--" && arg.is_complete() {
            self.options_ended = true;
        } else if contains(program.valued, text) && arg.is_complete() {
            self.next = Next::Value;
        } else if is_shell && text == "-s" {
            found.stdin |= self.is_started;
        } else if contains(program.code, name) && joined.is_some() {
            self.refuse_value(found);
            self.has_script = true;
        } else if contains(program.code, name) || has_letter(program.letters, text) {
            self.refuse_value(found);
            self.next = Next::Code;
            self.at += usize::from(takes_value);
        } else if contains(program.script, text) && arg.is_complete() {
            self.next = Next::Script;
        } else if contains(program.script, name) || contains(program.script, short.0) {
            self.script(joined.unwrap_or(short.1), found);
        } else if takes_value {
            self.next = Next::Value;
        } else if program.then != Then::Arguments && (joined.is_none() || !text.starts_with("--")) {
            self.refuse_foreign(found);
        } else {
            self.refuse_variable(joined.unwrap_or_default(), found);
        }
    }

    /// Reads the first argument behind options and own arguments; `None` if further ones count.
    fn plain(&mut self, arg: Argument<'_>, found: &mut FoundInputs) -> Option<End> {
        let then = self.program.then;
        if self.has_script && then != Then::AllCode {
            if self.opens_commands {
                self.refuse_foreign(found);
            }
            self.refuse_option(found);
            // Programs that take options anywhere.
            let goes_on = matches!(then, Then::Data | Then::RepeatedCode) || self.opens_commands;
            return (!goes_on).then(|| self.end(usize::from(self.is_started), false));
        }
        match then {
            // The variables of `env`.
            Then::Program if arg.known.contains('=') => {
                self.refuse_variable(arg.known, found);
                return None;
            }
            Then::Program => return Some(self.end(0, true)),
            Then::Anywhere => {
                return program(&self.argv[self.at..]).map(|_| self.end(0, true));
            }
            Then::Arguments => return None,
            Then::Data | Then::NoForeign => {
                self.refuse_option(found);
                return None;
            }
            Then::AllCode => {
                let all = self.at..self.argv.len();
                let values = all.filter(|&at| self.argv[at].inserted != Inserted::Nothing);
                found.arguments.extend(values);
                return Some(self.end(0, true));
            }
            Then::Code => self.refuse_value(found),
            Then::RepeatedCode => {
                self.refuse_value(found);
                self.has_script = true;
                return None;
            }
            Then::Script | Then::Shell | Then::Repeated => self.script(arg.known, found),
        }
        Some(self.end(usize::from(self.is_started), false))
    }

    /// Reads the name of a script; the standard input may stand in its place.
    fn script(&mut self, name: &str, found: &mut FoundInputs) {
        let replaces_code = [Then::Code, Then::RepeatedCode, Then::Data];
        self.has_script |= replaces_code.contains(&self.program.then);
        found.stdin |= self.is_started && STDIN.contains(&name);
        self.refuse_foreign(found);
    }

    /// Refuses any value: the argument is code.
    fn refuse_value(&self, found: &mut FoundInputs) {
        let has_value = self.argv[self.at].inserted != Inserted::Nothing;
        found.arguments.extend(has_value.then_some(self.at));
    }

    /// Refuses an untrusted value: it would decide what runs.
    fn refuse_foreign(&self, found: &mut FoundInputs) {
        let is_foreign = self.argv[self.at].inserted == Inserted::Foreign;
        found
            .arguments
            .extend((self.is_started && is_foreign).then_some(self.at));
    }

    /// Refuses an untrusted value that may be an option.
    fn refuse_option(&self, found: &mut FoundInputs) {
        if !self.options_ended && self.argv[self.at].known.is_empty() {
            self.refuse_foreign(found);
        }
    }

    /// Refuses an untrusted value in a variable that decides what runs, as in `env PATH=…`.
    fn refuse_variable(&self, text: &str, found: &mut FoundInputs) {
        if text
            .split_once('=')
            .is_some_and(|(name, _)| is_code_variable(name))
        {
            self.refuse_foreign(found);
        }
    }

    fn end(&self, further: usize, is_program: bool) -> End {
        End {
            at: self.at + further,
            is_program,
        }
    }
}

/// Whether a bundle of one-letter options has one of these letters.
fn has_letter(letters: &str, text: &str) -> bool {
    let Some(bundle) = text.strip_prefix('-') else {
        return false;
    };
    !bundle.starts_with(['-', 'M', 'I']) && bundle.contains(|c| letters.contains(c))
}
