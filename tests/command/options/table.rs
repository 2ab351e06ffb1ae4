//! The options of all commands, each with what comes of it.

/// The options of commands that train, each with a value that another result comes of, or with why it
/// is refused here. `DATA` is a folder with data, `FILE` a configuration, `OUT` a new folder. What
/// follows a `~` is where else the option is looked at.
const TRAINING: &[&str] = &[
    "--model mlp:3",
    "--minibatch 5",
    "--learning-rate 0.3",
    "--rate-rule inverse-staleness",
    "--momentum 0.5",
    "--clip 0.1",
    "--l2 0.1",
    "--learners 3",
    "--delay constant:1",
    "--per-sample 0.5",
    "--slow 1=2",
    "--cancel on-arrival",
    "--seed 1",
    "--device 77 ! 77",
    "--kernels lanes ! kernels run on adapters",
    "--shaders nowhere ! no folder with at least one of dense.wgsl",
    "--config FILE",
    "--json",
    "--plain --quiet ! cannot be used with",
];
const RUNS: &[&str] = &[
    "--out OUT",
    "--clock real",
    "--queues 1",
    "--data DATA",
    "--quiet",
    "--budget 2",
    "--updates 3",
    "--evaluate-every 1",
    "--adasync-every 5 --evaluate-every 1 ! no entrant follows the loss",
    "--isolate ! --isolate needs --clock real",
    "--on-loss shrink ! no learner is lost without --chaos",
    "--restarts 1 ! no learner is lost without --chaos",
    "--quorum 2 ! no learner is lost without --chaos",
    "--patience 3 ! no learner is lost without --chaos",
    "--non-finite reject",
    "--chaos 7",
    "--events",
    "--tensorboard",
];
const RACES: &[&str] =
    &["--checkpoint-every 5", "--seeds 2", "--tune 0.1,0.2", "--targets 0.1", "--estimate"];
const ADVICE: &[&str] = &[
    "--clock real ! advise works in virtual time",
    "--queues 0 ! from 1 to 1024",
    "--data nowhere ! --data DIR",
    "--quiet ~ tests/command/theory_command.rs",
    "--target 2.2",
    "--budget 5",
    "--constants L=1,c=0.1,sigma2=1,gap=9 ! cannot be used with",
    "--pilot 12",
    "--minibatches 3,5 ! cannot be used with",
    "--rates 0.1,0.3 ! cannot be used with",
    "--repetitions 2",
    "--follow --out OUT",
    "--seeds 2 ! give --follow too",
    "--out OUT ! give --follow too",
    "--events ! give --follow too",
    "--tensorboard ! give --follow too",
    "--checkpoint-every 5 ! give --follow too",
];

/// A command, the words that follow it in all calls, and its options.
pub(crate) const COMMANDS: &[(&str, &str, &[&[&str]])] = &[
    ("race", "k-sync:1 RUN", &[TRAINING, RUNS, RACES]),
    ("advise", "sync async ADVICE", &[TRAINING, ADVICE]),
    (
        "simulate",
        "k-sync:1 --updates 100 -p 2",
        &[&[
            "--learners 3",
            "--delay constant:1",
            "--per-sample 0.5",
            "--minibatch 2 ! with --per-sample only",
            "--slow 1=2",
            "--cancel on-arrival",
            "--updates 101",
            "--warm-up 3",
            "--seed 1",
            "--config FILE",
            "--json",
        ]],
    ),
    (
        "timeline",
        "k-sync:1 -p 2",
        &[&[
            "--learners 3",
            "--delay constant:1",
            "--per-sample 0.5",
            "--minibatch 2 ! with --per-sample only",
            "--slow 1=2",
            "--cancel on-arrival",
            "--seed 1",
            "--updates 5",
            "--events FILE ! cannot be used with",
            "--from 0.5",
            "--until 0.5",
            "--out OUT.svg",
            "--width 50",
        ]],
    ),
    (
        "theory",
        "k-sync:2 -p 3",
        &[&[
            "--learners 4",
            "--delay constant:1",
            "--per-sample 0.5",
            "--slow 1=2",
            "--cancel on-arrival",
            "--out OUT ! that of async -p 2",
            "--smoothness 2 ! leave the entrant out",
            "--convexity 0.2 ! leave the entrant out",
            "--variance 2 ! leave the entrant out",
            "--gradient-variance 2 ! leave the entrant out",
            "--initial-gap 2 ! leave the entrant out",
            "--gamma 0.2 ! leave the entrant out",
            "--learning-rate 0.2 ! leave the entrant out",
            "--minibatch 2 ! with --per-sample only",
            "--json",
        ]],
    ),
    ("devices", "--data nowhere", &[&["--data DATA", "--json"]]),
    ("kernels list", "", &[&["--json"]]),
    (
        "kernels check",
        "",
        &[&[
            "--device host ! kernels run on an adapter",
            "--kernels none ! kernel family",
            "--shaders nowhere ~ tests/command/kernels_command.rs",
            "--json ~ tests/command/kernels_command.rs",
        ]],
    ),
    (
        "kernels bench",
        "",
        &[&[
            "--device host ! kernels run on an adapter",
            "--kernels none ! kernel family",
            "--shaders nowhere ~ tests/command/kernels_command.rs",
            "--model none ! unknown model",
            "--minibatch 0 ! from 1 to 60000",
            "--picture OUT.svg ~ tests/command/kernels_command.rs",
            "--json ~ tests/command/kernels_command.rs",
        ]],
    ),
    ("completions", "bash", &[]),
    // They look at a race.
    (
        "resume",
        "RACE",
        &[&[
            "--json",
            "--quiet ~ tests/ends/resume.rs",
            "--plain ~ tests/command/dashboard.rs",
            "--budget 1 ! not by --budget",
            "--updates 1 ! can be extended, and not shortened",
            "--data nowhere ! nowhere",
            "--device 77 ! 77",
        ]],
    ),
    ("report", "RACE", &[&["--out OUT"]]),
    (
        "predict",
        "docs/nothing.png --weights WEIGHTS",
        &[&[
            "--weights nowhere ! nowhere",
            "--device 77 ! 77",
            "--kernels lanes ! kernels run on adapters",
            "--json",
            "--show ~ tests/report/predict.rs",
        ]],
    ),
    (
        "show",
        "--weights WEIGHTS --data DATA --out OUT",
        &[&[
            "--weights nowhere ! nowhere",
            "--device 77 ! 77",
            "--kernels lanes ! kernels run on adapters",
            "--data nowhere ! nowhere",
            "--out RACE ! not empty",
            "--json",
        ]],
    ),
];

/// In place of `RUN` and `ADVICE`.
pub(crate) const RUN: &str =
    "--model logistic -p 2 -m 4 --updates 2 --device host --data SMALL --out OUT";
pub(crate) const ADVISED: &str = "--model logistic -p 2 -m 4 --pilot 10 --repetitions 1 --device host \
                       --data SMALL --learning-rate 0.01";
