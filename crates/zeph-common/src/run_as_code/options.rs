//! Values that a program may take for options.

use super::reader::Reader;
use super::{Argument, FoundInputs, Inserted, Then, contains, program};

/// Programs whose options of one letter take no value.
const PLAIN_OPTIONS: &str = "rm cp mv ls cat mkdir rmdir touch chmod chown wc";
/// Programs that take no options, or print them.
const NO_OPTIONS: &str = "echo printf test expr true false :";
/// Programs whose first `--` stands before the arguments of another program.
const RUNNERS: &str = "cargo npm pnpm yarn bun dotnet";
/// Programs that make arguments of their input.
pub(super) const INPUT_AS_ARGUMENTS: [&str; 2] = ["xargs", "parallel"];

/// The inputs that are untrusted values alone and that the program may take for options, because no `--`
/// stands before them.
///
/// A value behind an option with a value of its own is data, as far as that can be known. The standard input
/// is one of them if `xargs` or `parallel` makes arguments of it.
///
/// # Examples
/// ```
/// use zeph_common::{Argument, Inserted, may_be_options};
/// let fixed = |known| Argument { known, inserted: Inserted::Nothing };
/// let value = Argument { known: "", inserted: Inserted::Foreign };
/// assert_eq!(may_be_options(&[fixed("rm"), fixed("-f"), value]).arguments, [2]);
/// assert!(may_be_options(&[fixed("rm"), fixed("--"), value]).arguments.is_empty());
/// assert!(may_be_options(&[fixed("xargs"), fixed("rm")]).stdin);
/// ```
#[must_use]
pub fn may_be_options(argv: &[Argument<'_>]) -> FoundInputs {
    let mut found = FoundInputs::default();
    let (mut start, mut passes_input_on, mut valued) = (0, false, "");
    while let Some(known) = program(&argv[start..]) {
        passes_input_on |= INPUT_AS_ARGUMENTS.contains(&known.names);
        let end = Reader::new(known, argv, start, true).read(&mut FoundInputs::default());
        if end.is_program && end.at > start {
            start = end.at;
        } else if matches!(known.then, Then::Anywhere | Then::Arguments) {
            valued = known.valued;
            break;
        } else {
            // The arguments of an interpreter are those of its script.
            return found;
        }
    }
    let argv = &argv[start..];
    let name = argv.first().map_or("", |program| program.known);
    let name = name.rsplit('/').next().unwrap_or_default();
    if contains(NO_OPTIONS, name) || argv.is_empty() {
        return found;
    }
    let mut dashes = (0..argv.len())
        .filter(|&at| argv[at].known == "--" && argv[at].inserted == Inserted::Nothing);
    let end = dashes.nth(usize::from(contains(RUNNERS, name)));
    found.stdin = passes_input_on && end.is_none();
    let takes_value = |option: &Argument<'_>| {
        let text = option.known;
        let is_short = text.len() == 2 && text.starts_with('-');
        let is_long = text.starts_with("--") && !text.contains('=');
        option.inserted == Inserted::Nothing
            && text != "--"
            && (is_long || (is_short && !contains(PLAIN_OPTIONS, name)) || contains(valued, text))
    };
    let values = (1..end.unwrap_or(argv.len()))
        .filter(|&at| argv[at].known.is_empty() && argv[at].inserted == Inserted::Foreign)
        .filter(|&at| at == 1 || !takes_value(&argv[at - 1]));
    found.arguments = values.map(|at| start + at).collect();
    found
}

#[cfg(test)]
mod tests {
    use super::super::tests::args;
    use super::may_be_options;

    #[test]
    fn values_without_dashes_before_them_are_found() {
        for (line, expected) in [
            ("rm -f $", &[2][..]),
            ("rm -rf $ $", &[2, 3]),
            ("rm -f -- $", &[]),
            ("grep -e $ $", &[3]),
            ("git checkout $", &[2]),
            ("sort -k 2 $", &[3]),
            ("git checkout v$", &[]),
            ("curl --data $ $", &[3]),
            ("tool --in=x $", &[2]),
            ("echo $", &[]),
            ("/bin/cat $", &[1]),
            ("wc -l %", &[]),
            ("timeout 5 rm -f $", &[4]),
            ("bash -c code bash $", &[]),
            ("python3 tool.py $", &[]),
            ("find $ -name x", &[1]),
            ("find . -name $", &[]),
            ("kubectl get pod $", &[3]),
            ("cargo run -- $", &[3]),
            ("cargo run -- -- $", &[]),
            ("npm run lint -- --fix $ $", &[6]),
            ("env -- rm $", &[3]),
            ("xargs rm -- $", &[]),
        ] {
            assert_eq!(may_be_options(&args(line)).arguments, expected, "{line}");
        }
    }

    #[test]
    fn input_that_becomes_arguments_is_found() {
        for (line, expected) in [
            ("xargs rm -f", true),
            ("nice xargs -0 rm", true),
            ("xargs rm --", false),
            ("xargs -- rm", true),
            ("xargs", false),
            ("xargs echo", false),
            ("rm x", false),
        ] {
            assert_eq!(may_be_options(&args(line)).stdin, expected, "{line}");
        }
    }
}
