//! Unsafe text: arguments that a program runs as code, into which no value may be inserted.

mod programs;

use programs::{INTERPRETERS, Interpreter, WRAPPERS};

/// The known part of an argument.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arg<'a> {
    /// The text, up to the first expression whose value is not known.
    pub(crate) known: &'a str,
    /// Whether `known` is the whole argument.
    pub(crate) complete: bool,
    /// Whether the argument has an expression in the plan.
    pub(crate) pasted: bool,
    /// Whether one of its expressions uses a task or the run.
    pub(crate) foreign: bool,
}

/// After this many interpreters, all further arguments of a command count as code.
const MOST_INTERPRETERS: usize = 20;

/// The arguments of a command that run as code and have an expression in them.
///
/// Finds the usual interpreters under their usual options, also behind programs such as `env`. A
/// program that it does not know is trusted to take its arguments as values.
pub(crate) fn code_args(argv: &[Arg<'_>]) -> Vec<usize> {
    let mut found = Vec::new();
    let wrapped = argv.first().is_some_and(|arg| is_named(arg, &WRAPPERS));
    let mut name_of_script = None;
    let mut looked_at = 0;
    for (at, arg) in argv.iter().enumerate() {
        let Some(interpreter) = interpreter(arg) else {
            continue;
        };
        // In `bash -c '…' bash "$x"` the second one is `$0`, by custom the shell's own name.
        if name_of_script == Some(at) {
            continue;
        }
        // After any other program, an interpreter's name is a plain argument, unless an option with code
        // follows.
        let is_called = at == 0 || wrapped;
        if !is_called && interpreter.first_is_code {
            continue;
        }
        looked_at += 1;
        if looked_at > MOST_INTERPRETERS || interpreter.rest_is_code {
            found.extend((at..argv.len()).filter(|&at| argv[at].pasted));
            break;
        }
        let call = Call {
            interpreter,
            argv,
            at,
            is_called,
        };
        let script = script(&call, &mut found);
        name_of_script = (is_shell(interpreter) && script.is_code).then_some(script.end + 1);
    }
    if argv.first().is_some_and(|arg| is_named(arg, &["ssh"])) {
        // The remote shell reads all of them as one script.
        found.extend((1..argv.len()).filter(|&at| argv[at].pasted));
    }
    if argv.first().is_some_and(|arg| is_named(arg, &["env"])) {
        let split = |arg: &Arg<'_>| arg.known.starts_with("-S") || arg.known.starts_with("--split");
        let after = argv.iter().position(split).unwrap_or(argv.len());
        found.extend((after..argv.len().min(after + 2)).filter(|&at| argv[at].pasted));
    }
    found.sort_unstable();
    found.dedup();
    found
}

/// Whether a command reads its standard input as code.
pub(crate) fn stdin_is_code(argv: &[Arg<'_>]) -> bool {
    let wrapped = argv.first().is_some_and(|arg| is_named(arg, &WRAPPERS));
    let last = if wrapped {
        argv.len()
    } else {
        1.min(argv.len())
    };
    // `xargs` and `parallel` pass their input on as arguments.
    let passes_on = argv
        .first()
        .is_some_and(|arg| is_named(arg, &["xargs", "parallel"]));
    if passes_on && argv.iter().any(|arg| interpreter(arg).is_some()) {
        return true;
    }
    (0..last.min(MOST_INTERPRETERS)).any(|at| {
        interpreter(&argv[at]).is_some_and(|interpreter| {
            let call = Call {
                interpreter,
                argv,
                at,
                is_called: true,
            };
            interpreter.reads_stdin && !script(&call, &mut Vec::new()).given
        })
    })
}

fn interpreter(arg: &Arg<'_>) -> Option<&'static Interpreter> {
    INTERPRETERS
        .iter()
        .find(|interpreter| is_named(arg, interpreter.names))
}

/// Whether an argument names one of these programs: by path, with a version, with `.exe`.
fn is_named(arg: &Arg<'_>, names: &[&str]) -> bool {
    let base = arg.known.rsplit(['/', '\\']).next().unwrap_or_default();
    let base = base.strip_suffix(".exe").unwrap_or(base);
    let plain = base.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.' || c == '-');
    arg.complete && (names.contains(&base) || names.contains(&plain))
}

/// An interpreter at a position of a command.
struct Call<'a> {
    interpreter: &'static Interpreter,
    argv: &'a [Arg<'a>],
    at: usize,
    /// Whether it certainly runs, and is not a plain argument of another program.
    is_called: bool,
}

/// The script of an interpreter.
struct Script {
    /// Whether there is a script at all.
    given: bool,
    /// Whether it is an argument, and not a file or the input.
    is_code: bool,
    /// The argument that ended the search for it.
    end: usize,
}

fn is_shell(interpreter: &Interpreter) -> bool {
    interpreter.names.contains(&"sh")
}

/// Collects the code arguments of the interpreter at a position.
fn script(call: &Call<'_>, found: &mut Vec<usize>) -> Script {
    let Call {
        interpreter, argv, ..
    } = *call;
    // Whether the next argument is code, whether there was code, whether options have ended.
    let (mut wanted, mut given, mut ended) = (false, false, false);
    let mut at = call.at + 1;
    while at < argv.len() {
        let arg = argv[at];
        let text = arg.known;
        // After `-c` a shell still takes options; for the others the next argument is code.
        let option = if ended || (wanted && !is_shell(interpreter)) {
            Optional::No
        } else {
            option(interpreter, text)
        };
        match option {
            Optional::End => ended = true,
            Optional::Plain => {
                let bundle = call.is_called && arg.foreign && !text.starts_with("--");
                found.extend(bundle.then_some(at));
            }
            Optional::Valued if arg.complete => at += 1,
            Optional::Valued => {}
            Optional::Input => {
                return Script {
                    given: false,
                    is_code: false,
                    end: at,
                };
            }
            Optional::Code { joined, valued } => {
                given |= joined;
                wanted |= !joined;
                at += usize::from(valued);
                // The rest of the same argument is code as well.
                found.extend(arg.pasted.then_some(at - usize::from(valued)));
            }
            Optional::No => {
                let code = wanted || (interpreter.first_is_code && !given);
                // In the position of an option, an inserted value can be an option or the name of a script.
                let any = call.is_called && arg.foreign && matches!(text, "" | "-") && !ended;
                found.extend((arg.pasted && (code || any)).then_some(at));
                if !(wanted && interpreter.repeats) {
                    let file = !matches!(text, "-" | "/dev/stdin");
                    let given = given || code || file;
                    return Script {
                        given,
                        is_code: code,
                        end: at,
                    };
                }
                (wanted, given) = (false, true);
            }
        }
        at += 1;
    }
    Script {
        given: given || wanted,
        is_code: false,
        end: at,
    }
}

/// The meaning of an argument in the position of an option.
enum Optional {
    /// No option.
    No,
    /// `--`
    End,
    /// An option without a value.
    Plain,
    /// An option whose next argument is a value.
    Valued,
    /// An option that makes standard input the script.
    Input,
    /// An option with code, in the same argument or in the next one.
    Code { joined: bool, valued: bool },
}

fn option(interpreter: &Interpreter, text: &str) -> Optional {
    let name = text.split_once('=').map(|(name, _)| name);
    let long = interpreter.long;
    // In a bundle of a shell, `o` takes the name of an option from the next argument.
    let bundled = is_shell(interpreter)
        && !text.starts_with("--")
        && text.starts_with(['-', '+'])
        && text.ends_with(['o', 'O']);
    if text == "--" {
        Optional::End
    } else if interpreter.with_value.contains(&text) {
        Optional::Valued
    } else if text == "-s" && is_shell(interpreter) {
        Optional::Input
    } else if name.is_some_and(|name| long.contains(&name)) {
        Optional::Code {
            joined: true,
            valued: false,
        }
    } else if long.contains(&text) || has_letter(interpreter, text) {
        Optional::Code {
            joined: false,
            valued: bundled,
        }
    } else if bundled {
        Optional::Valued
    } else if text.len() > 1 && text.starts_with(['-', '+']) {
        Optional::Plain
    } else {
        Optional::No
    }
}

/// Whether a bundle of one-letter options has one that takes code.
fn has_letter(interpreter: &Interpreter, text: &str) -> bool {
    let Some(bundle) = text.strip_prefix('-') else {
        return false;
    };
    !bundle.starts_with(['-', 'M', 'I']) && bundle.contains(|c| interpreter.letters.contains(c))
}

#[cfg(test)]
mod tests {
    use super::{Arg, code_args, stdin_is_code};

    /// `$` alone is a whole pasted value; at the end of a word it is a pasted rest.
    fn args(line: &str) -> Vec<Arg<'_>> {
        line.split(' ')
            .map(|word| {
                let known = word.trim_end_matches('$');
                let pasted = known.len() < word.len();
                Arg {
                    known,
                    complete: !pasted,
                    pasted,
                    foreign: pasted,
                }
            })
            .collect()
    }

    #[test]
    fn code_is_found_where_interpreters_take_it() {
        for (line, expected) in [
            ("sh -c $", &[2][..]),
            ("sh -c echo _ $", &[]),
            ("/bin/bash -euo pipefail -c echo$ $", &[4]),
            ("bash -eco pipefail $", &[3]),
            ("bash -lc $", &[2]),
            ("bash -c code bash $", &[]),
            ("bash -c code bash bash -c $", &[6]),
            ("sh -c -e $", &[3]),
            ("sh -$ x", &[1]),
            ("sh -x$ x", &[1]),
            ("bash -o errexit -c $", &[4]),
            ("sh -cecho$", &[1]),
            ("sh $", &[1]),
            ("sh x.sh $", &[]),
            ("env -i A=b bash -c $", &[5]),
            ("env A=$ cat", &[]),
            ("env -S echo$", &[2]),
            ("sudo -u bob zsh -c $", &[5]),
            ("xargs -0 sh -c $", &[4]),
            ("busybox sh -c $", &[3]),
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
            ("php -r $", &[2]),
            ("awk -F : $ file", &[3]),
            ("awk -f prog.awk", &[]),
            ("awk -v x=$ code", &[]),
            ("sed -e s/a/b/ -e $", &[4]),
            ("ssh host ls $", &[3]),
            ("watch -n 1 ls $", &[4]),
            ("sh entry.sh bash -c $", &[4]),
            ("git -c $ log", &[]),
            ("apt-get install bash sed eval $", &[]),
            ("npm run watch $", &[]),
            ("timeout 5 eval $", &[3]),
            ("unknown bash -c $", &[3]),
            ("grep -e $", &[]),
            ("echo $ $", &[]),
        ] {
            assert_eq!(code_args(&args(line)), expected, "{line}");
        }
    }

    #[test]
    fn code_is_found_on_standard_input() {
        for (line, expected) in [
            ("sh", true),
            ("bash -s a", true),
            ("bash -x", true),
            ("python3 -", true),
            ("env A=b node", true),
            ("ssh host bash", true),
            ("docker run -i image sh", true),
            ("xargs sh -c", true),
            ("xargs -I {} sh -c code", true),
            ("xargs rm", false),
            ("sh -c cat", false),
            ("sh x.sh", false),
            ("python3 -m json.tool", false),
            ("perl -ne print", false),
            ("grep bash", false),
            ("wc -l", false),
        ] {
            assert_eq!(stdin_is_code(&args(line)), expected, "{line}");
        }
    }
}
