//! "Did you mean": what a wrong word means here, or else the nearest of the words that would have been
//! right.

/// Words of the field and of other tools, and what they are called here, the likeliest first. Which of
/// those counts depends on what could stand in the word's place: "exponential" is a distribution of the
/// delays, and as a rule for the rate it is "decay". What is one short option has its dash.
const MEANINGS: &[(&[&str], &[&str])] = &[
    // Options and settings.
    (&["lr", "rate", "eta", "alpha", "step-size", "learn-rate"], &["learning-rate"]),
    (&["batch", "batch-size", "bs", "samples", "minibatch-size", "-b"], &["minibatch"]),
    (&["workers", "num-workers", "nodes", "ranks", "world-size", "processes"], &["learners"]),
    (&["threads", "nproc", "np", "clients", "replicas", "-n", "-w"], &["learners"]),
    (&["workers-per-node", "workers-per-gpu", "workers-per-device"], &["learners"]),
    (&["epochs", "epoch", "steps", "iterations", "iters"], &["updates", "pilot", "budget"]),
    (&["max-steps", "num-steps", "max-iter", "max-updates"], &["updates", "pilot", "budget"]),
    (&["time", "timeout", "seconds", "duration", "time-limit", "-t"], &["budget", "until"]),
    (&["runtime", "run-time", "max-time", "wall-time"], &["budget", "until"]),
    (&["output", "output-dir", "out-dir", "dir", "save", "-o"], &["out", "picture"]),
    (&["log-dir", "logdir", "save-dir", "plot", "svg", "png"], &["out", "picture"]),
    (&["gpu", "gpus", "adapter", "cuda", "backend", "accelerator"], &["device"]),
    (&["weight-decay", "wd", "lambda", "regularization", "regularisation"], &["l2"]),
    (&["dataset", "data-dir", "data-path", "mnist", "train-data"], &["data"]),
    (&["straggler", "stragglers", "slowdown", "slow-learners"], &["slow"]),
    (&["latency", "distribution", "dist", "law", "delays"], &["delay"]),
    (&["checkpoint-interval", "checkpoint-freq", "save-every"], &["checkpoint-every"]),
    (&["random-seed", "rng", "rng-seed", "-s"], &["seed"]),
    (&["repeats", "repetitions", "runs", "trials", "reps"], &["seeds", "repetitions"]),
    (&["target", "targets", "goal", "loss", "target-loss"], &["target", "targets"]),
    (&["shader", "shader-dir", "wgsl"], &["shaders"]),
    (&["model", "checkpoint", "ckpt", "params", "parameters", "-w"], &["weights"]),
    (&["arch", "architecture", "network", "net", "hidden"], &["model"]),
    (&["kernel", "family", "kernel-family"], &["kernels"]),
    (&["fault", "faults", "fault-rate", "inject"], &["chaos"]),
    (&["eval-every", "eval-interval", "eval-freq", "val-every"], &["evaluate-every"]),
    (&["schedule", "scheduler", "lr-schedule", "lr-decay", "rule"], &["rate-rule"]),
    (&["beta"], &["momentum"]),
    (&["clip-norm", "max-norm", "gradient-clip", "clipping"], &["clip"]),
    (&["cancellation", "cancel-mode", "preempt"], &["cancel"]),
    (&["real-time", "wall-clock", "real", "virtual", "virtual-time"], &["clock"]),
    (&["sandbox", "subprocess"], &["isolate"]),
    (&["retries", "max-restarts"], &["restarts"]),
    (&["min-learners", "min-workers"], &["quorum"]),
    (&["grace", "deadline"], &["patience"]),
    (&["streams"], &["queues"]),
    (&["trace", "record"], &["events"]),
    (&["tb"], &["tensorboard"]),
    (&["silent", "no-progress", "-q"], &["quiet"]),
    (&["no-dashboard", "no-tui"], &["plain"]),
    (&["cfg", "conf", "configuration", "config-file", "settings", "-c"], &["config"]),
    (&["format", "-j"], &["json"]),
    (&["columns", "size"], &["width"]),
    (&["start"], &["from"]),
    (&["end", "stop"], &["until"]),
    (&["burn-in"], &["warm-up"]),
    // Subcommands.
    (&["run", "go", "start"], &["race", "train"]),
    (&["compare", "benchmark"], &["race", "kernels bench"]),
    (&["fit", "learn"], &["train"]),
    (&["continue", "restart"], &["resume"]),
    (&["bench"], &["kernels bench"]),
    (&["test", "verify", "check"], &["kernels check"]),
    (&["doctor", "info", "gpus", "adapters", "list"], &["devices"]),
    (&["plot", "draw", "chart", "render"], &["report", "timeline"]),
    (&["gantt"], &["timeline"]),
    (&["eval", "evaluate", "infer", "inference", "classify"], &["predict"]),
    (&["inspect", "view", "display"], &["show"]),
    (&["recommend", "suggest", "tune", "choose"], &["advise"]),
    (&["bounds", "expect"], &["theory"]),
    (&["constants", "calibrate"], &["estimate"]),
    // Entrants.
    (&["ssgd", "bsp", "synchronous", "allreduce", "all-reduce", "barrier"], &["sync"]),
    (&["asgd", "hogwild", "asp", "asynchronous"], &["async"]),
    (&["backup-workers", "sync-replicas"], &["backup"]),
    (&["softsync"], &["n-softsync"]),
    (&["stale-synchronous", "bounded-staleness"], &["ssp"]),
    // Distributions, rules, models and what options choose from.
    (&["exp", "memoryless", "poisson"], &["exponential"]),
    (&["const", "fixed", "deterministic", "none"], &["constant"]),
    (&["shifted-exp", "sexp"], &["shifted-exponential"]),
    (&["unif"], &["uniform"]),
    (&["hyperexp"], &["hyperexponential"]),
    (&["power-law", "heavy-tailed"], &["pareto"]),
    (&["stretched-exponential"], &["weibull"]),
    (&["two-point", "bernoulli"], &["bimodal"]),
    (&["file", "csv", "empirical"], &["trace"]),
    (&["exponential", "step", "step-decay"], &["decay"]),
    (&["staleness", "staleness-aware", "inverse"], &["inverse-staleness"]),
    (&["dc-asgd"], &["compensated"]),
    (&["delay-adaptive"], &["adaptive"]),
    (&["linear", "softmax", "regression", "lr"], &["logistic"]),
    (&["dense", "fc", "dnn", "nn"], &["mlp"]),
    (&["wall", "wall-clock", "wallclock"], &["real"]),
    (&["simulated", "sim"], &["virtual"]),
    (&["skip", "drop", "ignore"], &["reject"]),
    (&["respawn", "replace"], &["restart"]),
];

/// What people look for that is not there, and what is said to them.
const ABSENT: &[(&[&str], &str)] = &[
    (
        &["nesterov", "optimizer", "optimiser", "adam"],
        "updates are SGD, with --momentum if you like: there is no other optimiser",
    ),
    (
        &["checkpoint", "resume", "restore", "continue"],
        "`tortoise resume DIR` goes on with a race from its checkpoints",
    ),
    (
        &["verbose", "debug", "log-level", "-v"],
        "there is no such switch; --events records all that happens in a run",
    ),
    (
        &["entrants", "entrant", "variants", "variant", "algorithms", "methods"],
        "entrants are named without an option, with spaces between: tortoise race sync async",
    ),
    (&["fp16", "bf16", "amp", "precision", "dtype"], "parameters and gradients are f32"),
    (
        &["normal", "gaussian", "lognormal", "log-normal", "gamma"],
        "weibull and shifted-exponential come near, and trace:FILE takes any durations",
    ),
    (&["cnn", "conv", "resnet", "transformer"], "models are chains of dense layers"),
];

/// What of `candidates` a word of the field means, or which it is but for case, hyphens and
/// underscores.
pub(crate) fn by_meaning<'a>(given: &str, candidates: &[&'a str]) -> Option<&'a str> {
    let bare = |word: &str| word.to_lowercase().replace(['-', '_'], "");
    let same = candidates.iter().copied().find(|word| bare(word) == bare(given));
    same.or_else(|| {
        let mut meant = MEANINGS.iter().filter(|(words, _)| is_one_of(given, words));
        meant.find_map(|(_, names)| {
            names.iter().find_map(|name| candidates.iter().copied().find(|word| word == name))
        })
    })
}

/// What is to be said of something that is not there under any name.
pub(crate) fn absent(given: &str) -> Option<&'static str> {
    ABSENT.iter().find(|(words, _)| is_one_of(given, words)).map(|(_, note)| *note)
}

/// A short option is none of the words, and none of them a short option.
fn is_one_of(given: &str, words: &[&str]) -> bool {
    let dashed = |word: &str| word.starts_with('-');
    let bare = |word: &str| word.to_lowercase().replace(['-', '_'], "");
    words.iter().any(|word| dashed(word) == dashed(given) && bare(word) == bare(given))
}

/// `; did you mean "WORD"?` for the candidate that `given` means or is most like, or a list of all of
/// them.
pub(crate) fn nearest<'a>(given: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    let candidates: Vec<_> = candidates.into_iter().collect();
    if let Some(meant) = by_meaning(given, &candidates) {
        return format!("; did you mean \"{meant}\"?");
    }
    if let Some(note) = absent(given) {
        return format!("; {note}");
    }
    let likeness = |word: &str| strsim::jaro_winkler(&given.to_lowercase(), word);
    let best = candidates.iter().map(|word| (likeness(word), word));
    match best.max_by(|(a, _), (b, _)| a.total_cmp(b)) {
        Some((likeness, word)) if likeness > 0.75 => format!("; did you mean \"{word}\"?"),
        _ => format!("; known are {}", candidates.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_means_what_could_stand_in_its_place() {
        let meant = |given, candidates: &[&'static str]| by_meaning(given, candidates);
        assert_eq!(meant("lr", &["learners", "learning-rate"]), Some("learning-rate"));
        assert_eq!(meant("targets", &["target", "budget"]), Some("target"));
        assert_eq!(meant("target", &["targets", "budget"]), Some("targets"));
        assert_eq!(meant("exponential", &["constant", "decay"]), Some("decay"));
        assert_eq!(meant("KSync", &["sync", "k-sync"]), Some("k-sync"));
        assert_eq!(meant("-n", &["learners"]), Some("learners"));
        assert_eq!(meant("n", &["learners"]), None);
    }

    #[test]
    fn what_is_not_there_is_said_to_be_none() {
        assert!(nearest("adam", ["model", "minibatch"]).contains("no other optimiser"));
        assert!(nearest("normal", ["constant", "uniform"]).contains("weibull"));
    }
}
