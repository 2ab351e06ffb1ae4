//! `tortoise completions`: a script that makes a shell complete subcommands, options and the words that
//! they take.

use std::fmt::Write as _;

use clap::{Arg, Args, Command, CommandFactory, ValueHint, builder::PossibleValuesParser};
use clap_complete::{Shell, generate};

use super::{Cli, Exit, print};
use crate::{Result, sgd::entrant::FORMS};

#[derive(Debug, Args)]
pub(super) struct CompletionsArgs {
    /// Shell to write the script for
    shell: Shell,
}

/// Words that arguments take which take others as well, by the arguments' names.
const WORDS: &[(&str, &[&str])] = &[
    ("model", &["logistic", "mlp:128", "mlp:256,128"]),
    (
        "delay",
        &[
            "constant:1",
            "exponential:mean=1",
            "shifted-exponential:shift=1,mean=1",
            "uniform:low=0,high=2",
            "pareto:shape=2,scale=1",
            "weibull:shape=0.5,scale=1",
            "hyperexponential:p=0.9,mean1=0.5,mean2=5.5",
            "bimodal:fast=1,slow=10,p=0.1",
        ],
    ),
    (
        "rate_rule",
        &[
            "constant",
            "decay:factor=0.5,every=1000",
            "compensated:c=0.01",
            "inverse-staleness",
            "adaptive:threshold=8",
            "picky:distance=0.5",
        ],
    ),
    ("device", &["auto", "host"]),
    ("kernels", &["auto", "tiled", "lanes"]),
];

/// The words for an argument of this name, if it takes words.
fn words(name: &str) -> Option<Vec<&'static str>> {
    if ["entrant", "entrants"].contains(&name) {
        return Some(FORMS.iter().flat_map(|form| form.examples).copied().collect());
    }
    WORDS.iter().find(|(known, _)| *known == name).map(|(_, words)| words.to_vec())
}

/// Bash breaks words at : and =, which are part of ours: hands whole words on to what clap wrote, and
/// takes off what stands there already.
const WHOLE_WORDS: &str = r#"
_tortoise_whole() {
    local line=${COMP_LINE:0:COMP_POINT} word before breaks=
    word=${line##*[[:space:]]}
    before=${line%"$word"}
    before=${before%"${before##*[![:space:]]}"}
    before=${before##*[[:space:]]}
    if [[ $word == --*=* ]]; then
        before=${word%%=*} word=${word#*=}
    fi
    _tortoise "$1" "$word" "$before"
    [[ $COMP_WORDBREAKS == *:* ]] && breaks+=:
    [[ $COMP_WORDBREAKS == *=* ]] && breaks+==
    if [[ -n $breaks && $word == *[$breaks]* ]]; then
        COMPREPLY=("${COMPREPLY[@]#"${word%"${word##*[$breaks]}"}"}")
    fi
}
"#;

/// Arguments that are folders.
const FOLDERS: [&str; 4] = ["data", "directory", "out", "shaders"];

pub(super) fn run(args: &CompletionsArgs) -> Result<Exit> {
    let (mut script, mut command) = (Vec::new(), command());
    generate(args.shell, &mut command, "tortoise", &mut script);
    let script = String::from_utf8_lossy(&script);
    let script = match args.shell {
        Shell::Bash => {
            script.replace("complete -F _tortoise ", "complete -F _tortoise_whole ") + WHOLE_WORDS
        }
        Shell::Fish => script.into_owned() + &positional(&command),
        _ => script.into_owned(),
    };
    print(&script)?;
    Ok(Exit::Done)
}

/// The command with the words that a shell completes, and without what nobody is to see.
fn command() -> Command {
    fn known(command: Command) -> Command {
        command.mut_args(complete).mut_subcommands(known)
    }
    let all = Cli::command();
    let seen = all.get_subcommands().filter(|command| !command.is_hide_set()).cloned().map(known);
    let version = env!("CARGO_PKG_VERSION");
    Command::new("tortoise").version(version).propagate_version(true).subcommands(seen)
}

/// What the script for fish lacks: the words of arguments without an option.
fn positional(command: &Command) -> String {
    let mut lines = String::new();
    for command in command.get_subcommands() {
        let names = command.get_positionals().map(|arg| arg.get_id().as_str());
        for words in names.filter_map(words) {
            let (name, words) = (command.get_name(), words.join(" "));
            let within = format!("-n \"__fish_tortoise_using_subcommand {name}\"");
            let _ = writeln!(lines, "complete -c tortoise {within} -f -a \"{words}\"");
        }
    }
    lines
}

fn complete(arg: Arg) -> Arg {
    let name = arg.get_id().as_str().to_owned();
    if let Some(words) = words(&name) {
        return arg.value_parser(PossibleValuesParser::new(words));
    }
    let hint = match arg.get_value_hint() {
        _ if FOLDERS.contains(&&*name) => ValueHint::DirPath,
        ValueHint::AnyPath => ValueHint::FilePath,
        // Neither a word nor a path: not a file's name.
        ValueHint::Unknown if arg.get_action().takes_values() => ValueHint::Other,
        hint => hint,
    };
    arg.value_hint(hint)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[test]
    fn every_word_that_a_shell_completes_is_one_that_race_takes() {
        let names = ["entrant", "entrants"].into_iter().chain(WORDS.iter().map(|(name, _)| *name));
        for name in names {
            for word in words(name).unwrap() {
                let option = format!("--{}", name.replace('_', "-"));
                let arguments = match name {
                    "entrant" => vec!["tortoise", "train", word],
                    "entrants" => vec!["tortoise", "race", word],
                    _ => vec!["tortoise", "race", &option, word],
                };
                assert!(Cli::try_parse_from(&arguments).is_ok(), "{arguments:?}");
            }
        }
    }
}
