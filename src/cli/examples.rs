//! Examples that end the long help of each subcommand; tests run or parse them.

/// The lines under a heading that looks as clap's own.
macro_rules! examples {
    ($($line:literal)+) => {
        concat!("\x1b[1m\x1b[4mExamples:\x1b[0m", $("\n  ", $line),+)
    };
}

pub(super) const ALL: &str = examples!(
    "tortoise devices                    # can a race run here?"
    "tortoise race                       # who is first; takes half a minute on two cores"
    "tortoise theory k-batch-sync:4      # what theory expects of one of them"
    "tortoise completions bash           # a script for the shell"
);

pub(super) const RACE: &str = examples!(
    "tortoise race"
    "tortoise race sync k-sync:2 async --tune 0.1,0.2,0.4,0.8 --seeds 5"
    "tortoise race --delay pareto:shape=2,scale=1 --slow 0=3 --cancel on-arrival"
    "tortoise race --config runs/race-1/config.toml --seed 1"
);

pub(super) const TRAIN: &str = examples!(
    "tortoise train k-batch-async:4"
    "tortoise train async --model logistic --updates 500 --rate-rule inverse-staleness"
    "tortoise train k-sync:adasync --budget 100 --events --out runs/adasync"
    "tortoise train async --shaders my-shaders"
);

pub(super) const RESUME: &str = examples!(
    "tortoise resume runs/race-1"
    "tortoise resume runs/race-1 --budget 600            # longer than it was"
    "tortoise resume runs/race-1 --data /elsewhere/mnist --json"
);

pub(super) const REPORT: &str = examples!(
    "tortoise report runs/race-1"
    "tortoise report runs/race-1 runs/race-2 --out side-by-side"
);

pub(super) const TIMELINE: &str = examples!(
    "tortoise timeline"
    "tortoise timeline k-async:2 -p 3 --slow 2=3 --out k-async.svg --out k-async.png"
    "tortoise timeline --events runs/train-1/async/seed-0/timeline.jsonl --until 10 --out trace.json"
);

pub(super) const PREDICT: &str = examples!(
    "tortoise predict --weights runs/train-1 digit.png"
    "tortoise predict --weights final.safetensors one.jpg two.png --json"
);

pub(super) const SHOW: &str = examples!(
    "tortoise show --weights runs/train-1"
    "tortoise show --weights final.safetensors --data fashion-mnist --out shown"
);

pub(super) const SIMULATE: &str = examples!(
    "tortoise simulate k-async:4"
    "tortoise simulate sync --delay weibull:shape=0.5,scale=1 -p 16 --json"
    "tortoise simulate k-sync:2 --config runs/race-1/config.toml"
);

pub(super) const THEORY: &str = examples!(
    "tortoise theory k-sync:4"
    "tortoise theory k-batch-sync:4 --delay pareto:shape=2,scale=1 -p 16 --json"
    "tortoise theory --delay exponential:mean=1 --gamma async=0.5 --out runs/tables   # all, drawn"
);

pub(super) const ADVISE: &str = examples!(
    "tortoise advise --target 0.3"
    "tortoise advise --target 0.3 --delay weibull:shape=0.5,scale=1 --follow"
    "tortoise advise --budget 60 --learning-rate 0.01 --constants L=6,c=0.1,sigma2=25,gap=1.9"
);

pub(super) const ESTIMATE: &str = examples!(
    "tortoise estimate async --model logistic --learning-rate 0.05"
    "tortoise estimate k-async:4 --clock real --budget 20 --json"
);

pub(super) const DEVICES: &str = examples!(
    "tortoise devices"
    "tortoise devices --data fashion-mnist --json"
);

pub(super) const KERNELS: &str = examples!(
    "tortoise kernels list"
    "tortoise kernels check --device 0 --shaders my-shaders"
    "tortoise kernels bench -m 32,512 --picture step.svg"
);

pub(super) const COMPLETIONS: &str = examples!(
    "tortoise completions bash > ~/.local/share/bash-completion/completions/tortoise"
    "tortoise completions zsh > ~/.zfunc/_tortoise      # with fpath+=~/.zfunc before compinit"
    "tortoise completions fish > ~/.config/fish/completions/tortoise.fish"
    "tortoise completions powershell >> $PROFILE"
);
