//! Values beside the command line that are run as code, and values that may be taken for options.

use super::{Argument, Inserted, Reader, RunAsCode, STDIN, contains, program};

/// Variables that decide which program runs, or that programs read as code or as options, by their names
/// or by the beginnings of them.
const VARIABLES: &str = "PATH BASH_ENV ENV SHELL IFS PS4 PROMPT_COMMAND SHELLOPTS BASHOPTS CDPATH ZDOTDIR
    NODE_OPTIONS NODE_PATH PYTHONPATH PYTHONSTARTUP PYTHONHOME PYTHONINSPECT PYTHONBREAKPOINT
    PERL5OPT PERL5LIB PERLLIB PERL5DB RUBYOPT RUBYLIB PHPRC PHP_INI_SCAN_DIR LUA_INIT LUA_PATH LUA_CPATH
    JAVA_TOOL_OPTIONS _JAVA_OPTIONS JDK_JAVA_OPTIONS JAVA_OPTS MAVEN_OPTS GRADLE_OPTS CLASSPATH
    MAKEFLAGS MFLAGS GNUMAKEFLAGS MAKEFILES AWKPATH AWKLIBPATH
    EDITOR VISUAL PAGER MANPAGER BROWSER LESSOPEN LESSCLOSE SYSTEMD_PAGER
    SSH_ASKPASS SUDO_ASKPASS RSYNC_RSH CVS_RSH
    RUSTC RUSTC_WRAPPER RUSTC_WORKSPACE_WRAPPER RUSTDOC RUSTFLAGS GOFLAGS CC CXX LD CFLAGS CXXFLAGS LDFLAGS
    GCONV_PATH TERMINFO TAR_OPTIONS GZIP ZIPOPT RIPGREP_CONFIG_PATH WGETRC CURL_HOME DOCKER_HOST KUBECONFIG";
const PREFIXES: [&str; 8] = [
    "LD_",
    "DYLD_",
    "GIT_",
    "BASH_FUNC_",
    "NPM_CONFIG_",
    "PIP_",
    "CARGO_",
    "LUA_INIT_",
];
/// Variables with such a beginning that are data.
const DATA: &str = "GIT_AUTHOR_NAME GIT_AUTHOR_EMAIL GIT_AUTHOR_DATE GIT_COMMITTER_NAME
    GIT_COMMITTER_EMAIL GIT_COMMITTER_DATE";

/// Whether programs run the value of that environment variable, or let it decide what runs.
///
/// Knows the usual ones; an unknown variable is data.
///
/// # Examples
/// ```
/// assert!(zeph_common::is_code_variable("BASH_ENV"));
/// assert!(!zeph_common::is_code_variable("TITLE"));
/// ```
#[must_use]
pub fn is_code_variable(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    let has_prefix = PREFIXES.iter().any(|prefix| name.starts_with(prefix));
    contains(VARIABLES, &name) || (has_prefix && !contains(DATA, &name))
}

/// Whether a shell script runs its standard input as code: it reads it as a script, starts a shell without
/// one, or evaluates what it read.
///
/// Looks at words, not at the grammar of a shell, and knows the usual forms only. Linear.
///
/// # Examples
/// ```
/// assert!(zeph_common::script_runs_input(". /dev/stdin"));
/// assert!(!zeph_common::script_runs_input("wc -l < /dev/stdin"));
/// ```
#[must_use]
pub fn script_runs_input(script: &str) -> bool {
    const READERS: &str = ". source sh bash dash zsh ksh ash python python3 perl ruby node php";
    const SHELLS: &str = "sh bash dash zsh ksh ash";
    let plain = |word: &str| word.trim_matches(['"', '\'']).to_owned();
    script
        .split(['\n', ';', '|', '&', '(', ')', '`'])
        .any(|command| {
            let words: Vec<String> = command.split_whitespace().map(plain).collect();
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let reads = words
                .windows(2)
                .any(|pair| contains(READERS, pair[0]) && STDIN[1..].contains(&pair[1]));
            let is_bare_shell = match words.as_slice() {
                [shell] | [shell, "-" | "-s" | "-e" | "-x" | "-eu"] => contains(SHELLS, shell),
                _ => false,
            };
            reads || is_bare_shell
        })
        || evaluates_input(script)
}

/// `eval "$(cat)"` and the like.
fn evaluates_input(script: &str) -> bool {
    let compact: String = script.split_whitespace().collect::<Vec<_>>().join(" ");
    let forms = [
        "eval \"$(cat)\"",
        "eval $(cat)",
        "eval \"`cat`\"",
        "eval `cat`",
        "eval \"$(cat -)\"",
        "eval \"$(</dev/stdin)\"",
        "eval \"$(cat /dev/stdin)\"",
        "eval $(cat /dev/stdin)",
    ];
    forms.iter().any(|form| compact.contains(form))
}

/// Programs whose options of one letter take no value.
const PLAIN_OPTIONS: &str = "rm cp mv ls cat mkdir rmdir touch chmod chown wc";

/// The arguments that are untrusted values alone and that the program may take for options, because no `--`
/// stands before them; in order.
///
/// A value behind an option with a value of its own is data, as far as that can be known.
///
/// # Examples
/// ```
/// use zeph_common::{Argument, Inserted, may_be_options};
/// let fixed = |known| Argument { known, inserted: Inserted::Nothing };
/// let value = Argument { known: "", inserted: Inserted::Foreign };
/// assert_eq!(may_be_options(&[fixed("rm"), fixed("-f"), value]), [2]);
/// assert!(may_be_options(&[fixed("rm"), fixed("--"), value]).is_empty());
/// ```
#[must_use]
pub fn may_be_options(argv: &[Argument<'_>]) -> Vec<usize> {
    let mut start = 0;
    while let Some(known) = program(&argv[start..]) {
        let end = Reader::new(known, argv, start, true).read(&mut RunAsCode::default());
        // The arguments of an interpreter are those of its script.
        if !end.is_program || end.at <= start {
            return Vec::new();
        }
        start = end.at;
    }
    let found = own_options(&argv[start..]);
    found.into_iter().map(|at| start + at).collect()
}

/// As [`may_be_options`], of a program that starts no other one.
fn own_options(argv: &[Argument<'_>]) -> Vec<usize> {
    const NO_OPTIONS: &str = "echo printf test expr true false :";
    let name = argv.first().map_or("", |program| program.known);
    let name = name.rsplit('/').next().unwrap_or_default();
    if contains(NO_OPTIONS, name) {
        return Vec::new();
    }
    let end = argv
        .iter()
        .position(|arg| arg.known == "--" && arg.inserted == Inserted::Nothing);
    let end = end.unwrap_or(argv.len());
    let takes_value = |option: &Argument<'_>| {
        let text = option.known;
        let is_short = text.len() == 2 && text.starts_with('-');
        let is_long = text.starts_with("--") && !text.contains('=');
        option.inserted == Inserted::Nothing
            && (is_long || (is_short && !contains(PLAIN_OPTIONS, name)))
    };
    (1..end)
        .filter(|&at| argv[at].known.is_empty() && argv[at].inserted == Inserted::Foreign)
        .filter(|&at| at == 1 || !takes_value(&argv[at - 1]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::{Argument, Inserted};
    use super::{is_code_variable, may_be_options, script_runs_input};

    #[test]
    fn variables_that_run_are_known_by_name_and_by_prefix() {
        for name in [
            "PATH",
            "path",
            "BASH_ENV",
            "LD_PRELOAD",
            "NODE_OPTIONS",
            "GIT_SSH_COMMAND",
            "PYTHONPATH",
            "npm_config_node_options",
        ] {
            assert!(is_code_variable(name), "{name}");
        }
        for name in ["TITLE", "LANG", "GIT_AUTHOR_NAME", "PATHS", "MY_PATH", ""] {
            assert!(!is_code_variable(name), "{name}");
        }
    }

    #[test]
    fn scripts_that_run_their_input_are_found() {
        for script in [
            ". /dev/stdin",
            "set -e\nsource /dev/fd/0",
            "cat | sh",
            "cat | bash -s",
            "bash",
            "python3 /dev/stdin",
            "eval \"$(cat)\"",
            "X=1; eval  $(cat /dev/stdin)",
            "true && sh -",
        ] {
            assert!(script_runs_input(script), "{script}");
        }
        for script in [
            "cat > file",
            "wc -l /dev/stdin",
            "sh x.sh",
            "bash -c true",
            "grep bash",
            "echo . /dev",
            "",
            "read line; echo \"$line\"",
        ] {
            assert!(!script_runs_input(script), "{script}");
        }
    }

    #[test]
    fn values_without_dashes_before_them_are_found() {
        for (line, expected) in [
            ("rm -f $", &[2][..]),
            ("rm -rf $ $", &[2, 3]),
            ("rm -f -- $", &[]),
            ("grep -e $ $", &[3]),
            ("git checkout $", &[2]),
            ("git checkout v$", &[]),
            ("curl --data $ $", &[3]),
            ("tool --in=x $", &[2]),
            ("echo $", &[]),
            ("/bin/cat $", &[1]),
            ("wc -l %", &[]),
            ("timeout 5 rm -f $", &[4]),
            ("bash -c code bash $", &[]),
            ("python3 tool.py $", &[]),
        ] {
            let words = line.split(' ').map(|word| Argument {
                known: word.trim_end_matches(['$', '%']),
                inserted: match word.chars().last() {
                    Some('$') => Inserted::Foreign,
                    Some('%') => Inserted::Unknown,
                    _ => Inserted::Nothing,
                },
            });
            assert_eq!(
                may_be_options(&words.collect::<Vec<_>>()),
                expected,
                "{line}"
            );
        }
    }
}
