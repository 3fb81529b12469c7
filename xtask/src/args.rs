//! The command line of `cargo xtask`.

/// Output of `cargo xtask help`.
pub(crate) const USAGE: &str = "\
Usage: cargo xtask COMMAND

  test-all [--quick] [--only STEP[,STEP]] [--list]
                          the gate: one line a step; --quick leaves out the slow steps
  mutants [--runs N] [NUMBER...]
                          let the simulator find mutants of the scheduler, in 20000 runs each
  crash-loop [--kills N]  kill the real binary N times (500) and check what is lost
  soak                    the long forms: a million simulated runs, 10,000 kills, damages and losses of power
  bench                   every benchmark
  test-wire               check the model client against two third-party servers and a scripted one; fetches 96 MB once
  test-mcp                check MCP with the reference servers and client; fetches 20 MB once
  test-llm                run goals with a real model on this machine; fetches 176 MB once
  budgets                 the number of packages of each crate beside its budget
  setup                   install the tools that the gate needs
  help                    this text";

/// One command with its options.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Help,
    List,
    TestAll(Selection),
    Mutants { runs: u64, numbers: Vec<u32> },
    CrashLoop { kills: u32 },
    Soak,
    Bench,
    TestWire,
    TestLlm,
    TestMcp,
    Setup,
    Budgets,
}

/// Which steps of the gate to run.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Selection {
    /// Only the steps of the quick gate, with the tests in their short form.
    pub(crate) quick: bool,
    /// Only the steps named here; empty means all.
    pub(crate) only: Vec<String>,
}

/// Parses the arguments after `cargo xtask`.
pub(crate) fn parse(args: &[String]) -> Result<Command, String> {
    let Some((name, rest)) = args.split_first() else {
        return Ok(Command::Help);
    };
    match name.as_str() {
        "test-all" => test_all(rest),
        "mutants" => mutants(rest),
        "crash-loop" => crash_loop(rest),
        "soak" => without_options(rest, Command::Soak),
        "bench" => without_options(rest, Command::Bench),
        "test-wire" => without_options(rest, Command::TestWire),
        "test-llm" => without_options(rest, Command::TestLlm),
        "test-mcp" => without_options(rest, Command::TestMcp),
        "setup" => without_options(rest, Command::Setup),
        "budgets" => without_options(rest, Command::Budgets),
        "help" | "--help" | "-h" => Ok(Command::Help),
        other => Err(format!("unknown command `{other}`")),
    }
}

fn without_options(rest: &[String], command: Command) -> Result<Command, String> {
    match rest.first() {
        None => Ok(command),
        Some(arg) => Err(format!("unexpected `{arg}`")),
    }
}

fn test_all(rest: &[String]) -> Result<Command, String> {
    let mut selection = Selection::default();
    let mut args = rest.iter();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--quick" => selection.quick = true,
            "--list" => return Ok(Command::List),
            "--only" => {
                let names = args.next().ok_or("--only needs the name of a step")?;
                selection.only.extend(names.split(',').map(str::to_owned));
            }
            other => return Err(format!("unexpected `{other}`")),
        }
    }
    Ok(Command::TestAll(selection))
}

fn mutants(rest: &[String]) -> Result<Command, String> {
    let mut runs = crate::mutants::RUNS;
    let mut numbers = Vec::new();
    let mut args = rest.iter();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--runs" => runs = number("--runs", args.next())?,
            _ => numbers.push(number("mutants", Some(arg))?),
        }
    }
    Ok(Command::Mutants { runs, numbers })
}

fn crash_loop(rest: &[String]) -> Result<Command, String> {
    match rest {
        [] => Ok(Command::CrashLoop { kills: 500 }),
        [flag, rest @ ..] if flag == "--kills" && rest.len() < 2 => {
            number(flag, rest.first()).map(|kills| Command::CrashLoop { kills })
        }
        _ => Err("crash-loop takes `--kills N` and nothing else".to_owned()),
    }
}

fn number<N: std::str::FromStr>(flag: &str, value: Option<&String>) -> Result<N, String> {
    let value = value.ok_or_else(|| format!("{flag} needs a number"))?;
    let parsed = value.parse();
    parsed.map_err(|_| format!("{flag} needs a number, not `{value}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_line(line: &str) -> Result<Command, String> {
        let args: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        parse(&args)
    }

    #[test]
    fn the_gate_takes_quick_and_only() {
        let selection = Selection {
            quick: true,
            only: vec!["format".to_owned(), "tidy".to_owned()],
        };
        let parsed = parse_line("test-all --quick --only format,tidy");
        assert_eq!(parsed, Ok(Command::TestAll(selection)));
        assert_eq!(parse_line("test-all --list"), Ok(Command::List));
    }

    #[test]
    fn numbers_have_defaults_and_are_checked() {
        let kills = |kills| Ok(Command::CrashLoop { kills });
        assert_eq!(parse_line("crash-loop"), kills(500));
        assert_eq!(parse_line("crash-loop --kills 7"), kills(7));
        assert!(parse_line("crash-loop --kills many").is_err());
        assert!(parse_line("crash-loop --kills").is_err());
        let (runs, numbers) = (9, vec![3, 4]);
        let parsed = parse_line("mutants 3 --runs 9 4");
        assert_eq!(parsed, Ok(Command::Mutants { runs, numbers }));
        assert!(parse_line("mutants --runs").is_err());
        assert!(parse_line("mutants --walk").is_err());
    }

    #[test]
    fn unknown_arguments_are_refused() {
        assert!(parse_line("test-most").is_err());
        assert!(parse_line("soak --quick").is_err());
        assert!(parse_line("test-llm now").is_err());
        assert!(parse_line("test-all --only").is_err());
        assert_eq!(parse_line(""), Ok(Command::Help));
    }
}
