//! Arguments that a program runs as code, or that decide which program or script runs.

mod inputs;
mod programs;

pub use inputs::{is_code_variable, may_be_options, script_runs_input};
use programs::{PROGRAMS, Program, Then};

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

/// What a command line runs as code.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunAsCode {
    /// The arguments with values that are run as code, and those whose untrusted values decide which
    /// program, option or script runs; in order.
    pub arguments: Vec<usize>,
    /// Whether the standard input is run as code.
    pub stdin: bool,
}

/// Names of the standard input in the place of a script.
const STDIN: [&str; 4] = ["-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"];

/// Finds the values of a command line that would be run as code.
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
pub fn run_as_code(argv: &[Argument<'_>]) -> RunAsCode {
    let mut found = RunAsCode::default();
    let (mut at, mut passes_input_on) = (0, false);
    while let Some(arg) = argv.get(at) {
        if arg.inserted == Inserted::Foreign {
            found.arguments.push(at);
        }
        let Some(program) = program(&argv[at..]) else {
            break;
        };
        // `xargs` and `parallel` make arguments of their input.
        found.stdin |= passes_input_on;
        passes_input_on |= ["xargs", "parallel"].contains(&program.names);
        let end = Reader::new(program, argv, at, true).read(&mut found);
        at = end.at;
        if !end.is_program {
            break;
        }
    }
    // The name of an interpreter that is data of another program has a meaning if an option with code
    // follows it.
    while at < argv.len() {
        let program = program(&argv[at..]);
        let program = program.filter(|it| !matches!(it.then, Then::Code | Then::AllCode));
        let mut here = RunAsCode::default();
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

/// Where a program stops to read a command line: at the program that it starts, or at data.
struct End {
    at: usize,
    is_program: bool,
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
struct Reader<'a> {
    program: &'static Program,
    argv: &'a [Argument<'a>],
    at: usize,
    /// Whether the program is started; else its name may be data of another program.
    is_started: bool,
    next: Next,
    has_script: bool,
    options_ended: bool,
}

impl<'a> Reader<'a> {
    fn new(program: &'static Program, argv: &'a [Argument<'a>], at: usize, started: bool) -> Self {
        Self {
            program,
            argv,
            at: at + 1 + usize::from(!program.subcommand.is_empty()),
            is_started: started,
            next: Next::Any,
            has_script: false,
            options_ended: false,
        }
    }

    /// Reads options and own arguments, up to the script or the next program.
    fn read(mut self, found: &mut RunAsCode) -> End {
        let then = self.program.then;
        if then == Then::NoForeign {
            while self.at < self.argv.len() {
                self.refuse_foreign(found);
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
                Next::Value => self.next = Next::Any,
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
        found.stdin |= match then {
            Then::Script | Then::Shell | Then::Repeated => {
                !self.has_script && self.next != Next::Code
            }
            Then::AllCode => own == 0,
            Then::Code | Then::Program | Then::Anywhere | Then::Data | Then::NoForeign => false,
        };
        self.end(0, false)
    }

    /// Reads an option, up to the role of the next argument.
    fn option(&mut self, arg: Argument<'_>, found: &mut RunAsCode) {
        let (program, text) = (self.program, arg.known);
        let is_shell = program.then == Then::Shell;
        // In a bundle of a shell, `o` takes the name of an option from the next argument.
        let takes_value = is_shell && !text.starts_with("--") && text.ends_with(['o', 'O']);
        let (name, joined) = match text.split_once('=') {
            Some((name, joined)) => (name, Some(joined)),
            None => (text, None),
        };
        let short = text.split_at_checked(2).unwrap_or((text, ""));
        if text == "--" && arg.is_complete() {
            self.options_ended = true;
        } else if contains(program.valued, text) && arg.is_complete() {
            self.next = Next::Value;
        } else if is_shell && text == "-s" {
            found.stdin |= self.is_started;
        } else if contains(program.code, name) && joined.is_some() {
            self.refuse_value(found);
            self.has_script = true;
        } else if contains(program.code, name) || has_letter(program, text) {
            self.refuse_value(found);
            self.next = Next::Code;
            self.at += usize::from(takes_value);
        } else if contains(program.script, text) && arg.is_complete() {
            self.next = Next::Script;
        } else if contains(program.script, name) || contains(program.script, short.0) {
            self.script(joined.unwrap_or(short.1), found);
        } else if takes_value {
            self.next = Next::Value;
        } else if joined.is_none() || !text.starts_with("--") {
            self.refuse_foreign(found);
        }
    }

    /// Reads the first argument behind options and own arguments; `None` if further ones count.
    fn plain(&mut self, arg: Argument<'_>, found: &mut RunAsCode) -> Option<End> {
        if self.has_script {
            self.refuse_option(found);
            return Some(self.end(usize::from(self.is_started), false));
        }
        match self.program.then {
            // The variables of `env`.
            Then::Program if arg.known.contains('=') => return None,
            Then::Program => return Some(self.end(0, true)),
            Then::Anywhere => {
                return program(&self.argv[self.at..]).map(|_| self.end(0, true));
            }
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
            Then::Script | Then::Shell | Then::Repeated => self.script(arg.known, found),
        }
        Some(self.end(usize::from(self.is_started), false))
    }

    /// Reads the name of a script; the standard input may stand in its place.
    fn script(&mut self, name: &str, found: &mut RunAsCode) {
        self.has_script |= self.program.then == Then::Code;
        found.stdin |= self.is_started && STDIN.contains(&name);
        self.refuse_foreign(found);
    }

    /// Refuses any value: the argument is code.
    fn refuse_value(&self, found: &mut RunAsCode) {
        let has_value = self.argv[self.at].inserted != Inserted::Nothing;
        found.arguments.extend(has_value.then_some(self.at));
    }

    /// Refuses an untrusted value: it would decide what runs.
    fn refuse_foreign(&self, found: &mut RunAsCode) {
        let is_foreign = self.argv[self.at].inserted == Inserted::Foreign;
        found
            .arguments
            .extend((self.is_started && is_foreign).then_some(self.at));
    }

    /// Refuses an untrusted value that may be an option.
    fn refuse_option(&self, found: &mut RunAsCode) {
        if !self.options_ended && self.argv[self.at].known.is_empty() {
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

/// Whether a bundle of one-letter options has one that takes code.
fn has_letter(program: &Program, text: &str) -> bool {
    let Some(bundle) = text.strip_prefix('-') else {
        return false;
    };
    !bundle.starts_with(['-', 'M', 'I']) && bundle.contains(|c| program.letters.contains(c))
}

#[cfg(test)]
mod tests {
    use super::{Argument, Inserted, run_as_code};

    /// `$` is a foreign value, alone or at the end of a word; `%` one of a person.
    fn args(line: &str) -> Vec<Argument<'_>> {
        line.split(' ')
            .map(|word| {
                let inserted = match word.chars().last() {
                    Some('$') => Inserted::Foreign,
                    Some('%') => Inserted::Unknown,
                    _ => Inserted::Nothing,
                };
                let known = word.trim_end_matches(['$', '%']);
                Argument { known, inserted }
            })
            .collect()
    }

    #[test]
    fn code_is_found_where_interpreters_take_it() {
        for (line, expected) in [
            ("sh -c $", &[2][..]),
            ("sh -c %", &[2]),
            ("sh -c echo _ $", &[]),
            ("/bin/bash -euo pipefail -c echo$ $", &[4]),
            ("bash -eco pipefail $", &[3]),
            ("bash -lc $", &[2]),
            ("bash -c code bash $", &[]),
            ("bash -c code bash bash -c $", &[6]),
            ("sh -c -e $", &[3]),
            ("sh -$ x", &[1]),
            ("sh -x$ x", &[1]),
            ("node --$", &[1]),
            ("awk -F$ code", &[1]),
            ("bash -o errexit -c $", &[4]),
            ("sh -cecho$", &[1]),
            ("bash-static -c $", &[2]),
            ("python3.12 -c $", &[2]),
            ("python3 -c code $", &[]),
            ("python3 -W error -c $", &[4]),
            ("python3 tool.py -c $", &[]),
            ("perl -ne print -e $", &[4]),
            ("perl -ne print $", &[3]),
            ("perl -ne print -- $", &[]),
            ("ruby -e $", &[2]),
            ("node --eval=$", &[1]),
            ("node -p $", &[2]),
            ("deno eval $", &[2]),
            ("php -r $", &[2]),
            ("awk -F : $ file", &[3]),
            ("awk -f prog.awk", &[]),
            ("awk -v x=$ code", &[]),
            ("sed -e s/a/b/ -e $", &[4]),
            ("sed -n p $", &[]),
            ("ssh host ls $", &[3]),
            ("ssh % uptime", &[]),
            ("watch -n 1 ls $", &[4]),
            ("git -c $ log", &[]),
            ("apt-get install bash sed eval $", &[]),
            ("npm run watch $", &[]),
            ("grep -e $", &[]),
            ("echo $ $", &[]),
            ("make $", &[1]),
            ("make VERSION=$", &[1]),
            ("make VERSION=%", &[]),
            ("timeout 5 make -C dir -j 4 $ all", &[7]),
            ("psql -d shop -c $", &[4]),
            ("sqlite3 runs.db $", &[2]),
            ("vim -c $", &[2]),
        ] {
            assert_eq!(run_as_code(&args(line)).arguments, expected, "{line}");
        }
    }

    #[test]
    fn programs_are_followed_to_what_they_start() {
        for (line, expected) in [
            ("$ x", &[0][..]),
            ("env -i A=b bash -c $", &[5]),
            ("env A=$ cat", &[]),
            ("env -S echo$", &[2]),
            ("env -S%", &[1]),
            ("env $", &[1]),
            ("env $ -c x", &[1]),
            ("nice env -S $", &[3]),
            ("timeout 9 env -S $", &[4]),
            ("timeout 5 eval $", &[3]),
            ("timeout 5 ssh host $", &[4]),
            ("timeout -k 1 5 wc $", &[]),
            ("nice -n 5 $", &[3]),
            ("nohup setsid $", &[2]),
            ("xargs -n 1 $", &[3]),
            ("xargs -0 sh -c $", &[4]),
            ("flock f $", &[2]),
            ("flock f -c $", &[3]),
            ("find . -exec $ ;", &[3]),
            ("find . -exec sh -c $ ;", &[5]),
            ("find . -name $", &[]),
            ("sudo -u bob zsh -c $", &[5]),
            ("su bob -c $", &[3]),
            ("busybox sh -c $", &[3]),
            ("strace -o log mawk $", &[4]),
            ("npx $", &[1]),
            ("docker run --rm -v /a:/b image $", &[6]),
            ("docker run image wc $", &[]),
            ("docker logs $", &[]),
            ("kubectl exec pod -- $", &[4]),
            ("kubectl get pod $", &[]),
            ("sh entry.sh bash -c $", &[4]),
            ("unknown bash -c $", &[3]),
        ] {
            assert_eq!(run_as_code(&args(line)).arguments, expected, "{line}");
        }
    }

    #[test]
    fn an_untrusted_value_does_not_name_a_script() {
        for (line, expected) in [
            ("sh $", &[1][..]),
            ("sh %", &[]),
            ("sh dir/$", &[1]),
            ("sh -- $", &[2]),
            ("sh x.sh $", &[]),
            ("node -- $", &[2]),
            ("node -r $", &[2]),
            ("perl -- $", &[2]),
            ("bash --rcfile $", &[2]),
            ("awk -f $", &[2]),
            ("awk -f$", &[1]),
            ("sed --file=$", &[1]),
            ("python -m $", &[2]),
        ] {
            assert_eq!(run_as_code(&args(line)).arguments, expected, "{line}");
        }
    }

    #[test]
    fn code_is_found_on_standard_input() {
        for (line, expected) in [
            ("sh", true),
            ("bash -s a", true),
            ("bash -x", true),
            ("bash /dev/fd/0", true),
            ("python3 -", true),
            ("awk -f-", true),
            ("sed -f /dev/stdin", true),
            ("env A=b node", true),
            ("ssh host", true),
            ("ssh host bash", true),
            ("docker run -i image sh", true),
            ("xargs env", true),
            ("xargs sh -c", true),
            ("xargs -I {} sh -c code", true),
            ("nice xargs -n 1 sh -c code", true),
            ("xargs rm", false),
            ("ssh host cat", false),
            ("sh -c cat", false),
            ("timeout 5 bash -c ./dev/stdin", false),
            ("psql shop", false),
            ("sh x.sh", false),
            ("python3 -m json.tool", false),
            ("perl -ne print", false),
            ("grep bash", false),
            ("wc -l", false),
        ] {
            assert_eq!(run_as_code(&args(line)).stdin, expected, "{line}");
        }
    }
}
