//! Whether settings can be what they are, and whether each that was given has an effect.

use toml::Table;

use super::{Clock, Config, SECONDS};
use crate::{
    Error, Result,
    engine::{adapter::DeviceChoice, backend::FamilyChoice},
    sgd::{Cancellation, Entrant, faults::OnLoss},
};

/// Said where `--cancel` makes no difference.
pub(crate) const NOTHING_CANCELLED: &str =
    "--cancel is without effect: nothing is cancelled under what was named";

impl Config {
    /// Looks at each setting, and at those that depend on one another.
    ///
    /// # Errors
    /// [`Error::Config`] that names the option.
    pub(crate) fn check(&self) -> Result<()> {
        let need = |holds: bool, what: &str| match holds {
            true => Ok(()),
            false => Err(Error::config(what)),
        };
        need((1..=1 << 20).contains(&self.learners), "--learners (P) must be from 1 to 1048576")?;
        need(self.minibatch > 0, "--minibatch (m) must be at least 1")?;
        need(self.stale != Some(0), "--stale must be at least 1: no gradient would count")?;
        let rate = self.learning_rate;
        need(rate.is_finite() && rate > 0.0, "--learning-rate must be a number above 0")?;
        let tried = self.tune.iter().all(|rate| rate.is_finite() && *rate > 0.0);
        need(tried, "--tune must be numbers above 0")?;
        let again = |(at, rate)| self.tune[..at].contains(rate);
        need(!self.tune.iter().enumerate().any(again), "--tune names a rate twice")?;
        need((0.0..1.0).contains(&self.momentum), "--momentum must be from 0 to below 1")?;
        let clips = self.clip.is_none_or(|norm| norm.is_finite() && norm > 0.0);
        need(clips, "--clip must be a number above 0")?;
        need(self.l2.is_finite() && self.l2 >= 0.0, "--l2 must be 0 or more")?;
        let seconds = |option: &str, value: Option<f64>| {
            let range = "must be from 1e-9 to 1e9 seconds";
            let holds = value.is_none_or(|value| SECONDS.contains(&value));
            need(holds, &format!("--{option} {range}"))
        };
        seconds("budget", self.budget)?;
        seconds("evaluate-every", self.evaluate_every)?;
        seconds("patience", Some(self.patience))?;
        seconds("checkpoint-every", Some(self.checkpoint_every))?;
        let looks = self.adasync_every.is_none_or(|every| {
            SECONDS.contains(&every)
                && self.evaluate_every.is_some_and(|evaluate| every >= evaluate)
        });
        need(looks, "--adasync-every must be in seconds, and at least --evaluate-every")?;
        need(self.updates != Some(0), "--updates must be at least 1")?;
        need(self.seeds > 0, "--seeds must be at least 1")?;
        // TOML has no larger whole number.
        let last = self.seed.checked_add(self.seeds).filter(|last| i64::try_from(*last).is_ok());
        need(last.is_some(), "--seed and --seeds together must be at most 9223372036854775807")?;
        let queues = self.queues.is_none_or(|queues| (1..=1024).contains(&queues));
        need(queues, "--queues must be from 1 to 1024")?;
        let real = self.clock == Clock::Real;
        need(real || self.distribution().is_some(), "--delay measured needs --clock real")?;
        need(real || !self.isolate, "--isolate needs --clock real")?;
        need(real || self.device.0.len() == 1, "several --device need --clock real")?;
        let shared = "in real time each learner has a queue of its own: leave --queues out";
        need(!real || self.queues.is_none(), shared)?;
        let hosts = self.device.0.iter().all(|device| *device == DeviceChoice::Host);
        let unused = "--shaders needs an adapter, and the host engine runs no shaders: name one with \
                      --device, or leave --shaders out";
        need(self.shaders.is_none() || !hosts, unused)?;
        let quorum = (1..=self.learners).contains(&self.quorum);
        need(quorum, "--quorum must be from 1 to P")?;
        let targets = self.targets.iter().all(|loss| loss.is_finite() && *loss > 0.0);
        need(targets, "--targets must be losses above 0")?;
        for (at, entrant) in self.entrants.iter().enumerate() {
            entrant.k(self.learners)?;
            let again = self.entrants[..at].contains(entrant);
            need(!again, &format!("{entrant} is named twice (without :K, K is P/2)"))?;
            // Tuned, one could become the other.
            let rate = entrant.rate().filter(|rate| self.tune.contains(rate));
            let plain = entrant.without_rate();
            let meets = rate.is_some() && self.entrants.contains(&plain);
            need(!meets, &format!("--tune may give {plain} the rate of {entrant}: leave one out"))?;
            let sees_loss = !entrant.adapts() || self.evaluate_every.is_some();
            let remedy =
                "give --evaluate-every, which says how often the loss is evaluated, or a --budget";
            need(sees_loss, &format!("{entrant} changes K with the training loss: {remedy}"))?;
        }
        let per_sample = (0.0..=*SECONDS.end()).contains(&self.per_sample);
        need(per_sample, "--per-sample must be from 0 to 1e9 seconds")?;
        if self.distribution().is_some() {
            self.run_config().delays(self.seed)?;
        }
        let linked = "--link is a time that is drawn, and needs virtual time: leave it out";
        need(!real || self.link.is_none(), linked)?;
        let added = "--per-sample adds to delays that are drawn, and here they are measured: name a \
                     distribution with --delay";
        need(self.distribution().is_some() || self.per_sample == 0.0, added)?;
        let slow = "--slow multiplies delays that are drawn, and here they are measured: name a \
                    distribution with --delay";
        need(self.distribution().is_some() || self.slow.is_none(), slow)
    }

    /// Options that were `given` and that change nothing here are refused.
    pub(super) fn refuse_idle(&self, given: &Table) -> Result<()> {
        let (real, chaos) = (self.clock == Clock::Real, self.chaos.is_some());
        let lossless = "in virtual time no learner is lost without --chaos";
        let restarted = self.on_loss == OnLoss::Restart;
        let hosts = self.device.0.iter().all(|device| *device == DeviceChoice::Host);
        let adapts = self.entrants.iter().any(Entrant::adapts);
        let shares_a_rate = self.entrants.iter().any(|entrant| entrant.rate().is_none());
        let own_rates = "each entrant has a rate of its own";
        let any = |has_none: &dyn Fn(&Entrant) -> bool| {
            self.entrants.is_empty() || self.entrants.iter().any(has_none)
        };
        let starts_over = chaos || self.estimate && self.seeds == 1;
        for (option, used, why) in [
            ("learning-rate", shares_a_rate, own_rates),
            ("learning-rate", self.tune.is_empty(), "--tune finds a rate for each entrant"),
            ("tune", shares_a_rate || self.tune.is_empty(), own_rates),
            (
                "momentum",
                any(&|one| one.momentum().is_none()),
                "each entrant has a momentum of its own",
            ),
            ("clip", any(&|one| one.clip().is_none()), "each entrant has a clip of its own"),
            (
                "rate-rule",
                any(&|one| one.rate_rule().is_none()),
                "each entrant has a rule of its own",
            ),
            (
                "minibatch",
                any(&|one| one.minibatch().is_none()),
                "each entrant has an m of its own",
            ),
            (
                "stale",
                any(&|one| self.stale.is_some_and(|bound| one.has_cap(bound))),
                "each entrant says itself how stale gradients may be",
            ),
            ("on-loss", real || chaos, lossless),
            ("restarts", real || chaos, lossless),
            ("restarts", restarted, "only --on-loss restart replaces learners"),
            ("quorum", real || chaos, lossless),
            ("patience", real || chaos, lossless),
            ("adasync-every", adapts, "no entrant follows the loss, as k-sync:adasync does"),
            (
                "checkpoint-every",
                !starts_over,
                "with --chaos or --estimate a run has no checkpoints",
            ),
            (
                "kernels",
                !hosts || self.kernels == FamilyChoice::Auto,
                "kernels run on adapters, not on the host engine",
            ),
            ("queues", self.learners > 1, "a lone learner needs no queue"),
        ] {
            if !used && given.contains_key(option) {
                let remedy = format!("--{option} changes nothing here, since {why}");
                return Err(Error::config(format!("{remedy}; leave it out")));
            }
        }
        Ok(())
    }

    /// That there are as many `samples` as a minibatch takes.
    pub(crate) fn check_samples(&self, samples: usize) -> Result<()> {
        let minibatch = self.largest_minibatch();
        if minibatch <= samples {
            return Ok(());
        }
        let named = if minibatch == self.minibatch { "--minibatch " } else { "minibatch=" };
        Err(Error::config(format!(
            "{named}{minibatch} is more than the {samples} samples of the training set"
        )))
    }

    /// That the engine `own` of a program can run under this configuration: it is one, and cannot be
    /// opened again for each learner.
    pub(crate) fn check_own(&self, own: &str) -> Result<()> {
        if self.clock == Clock::Real {
            return Err(Error::config(format!(
                "{own} is one engine, and with clock = \"real\" each learner has its own; leave that \
                 setting out"
            )));
        }
        match &self.objective {
            Some(recorded) if recorded != own => Err(Error::config(format!(
                "the race was recorded with {recorded}, and this is {own}"
            ))),
            _ => Ok(()),
        }
    }

    /// What is to be said of options that are used and make no difference.
    pub(crate) fn note(&self) -> Option<String> {
        let cancels = |entrant: &Entrant| entrant.cancels(self.learners);
        let idle = self.cancel != Cancellation::default() && !self.entrants.iter().any(cancels);
        idle.then(|| NOTHING_CANCELLED.to_owned())
    }

    /// Whether learners have other samples than each other.
    pub(crate) fn has_shards(&self) -> bool {
        self.shards.is_some() && self.learners > 1
    }
}
