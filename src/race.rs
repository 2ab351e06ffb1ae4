//! Races from a program: put one together, run it, record it, and go on with one that stopped.
//!
//! ```no_run
//! use tortoise::race::Race;
//!
//! # fn main() -> tortoise::Result<()> {
//! let race = Race::mnist()?.entrants(["sync", "k-async:4"])?.learners(8).budget(60.0);
//! let summary = race.record("runs/mine")?;
//! println!("{summary}");
//! # Ok(())
//! # }
//! ```

pub(crate) mod config;
mod engines;
pub(crate) mod progress;
pub(crate) mod resume;
mod run;
pub(crate) mod runner;
mod subject;
mod tuning;

use std::{
    any, fmt,
    path::{Path, PathBuf},
    sync::atomic::AtomicBool,
};

use toml::{Table, Value};

pub use self::{
    config::{Clock, Config, Delay, Scope},
    progress::{News, Progress},
    resume::Changes,
};
use self::{resume::open, runner::Runner, subject::OwnEngine};
use crate::{
    Error, Result,
    dataset::mnist,
    engine::{Engine, backend::Backend},
    record::{RunDirectory, Summary},
    sgd::{Entrant, Trajectory},
};

/// Sets a variable of the environment to a value, for the drivers that are loaded later.
pub type SetVariable<'a> = &'a dyn Fn(&str, &str);

/// What a race gets from the program that it runs in.
pub(crate) struct Program<'a> {
    pub(crate) set_variable: SetVariable<'a>,
    /// Tries the edited shaders of a backend before it is opened: a text can break what compiles it.
    pub(crate) try_shaders: &'a dyn Fn(&Backend) -> Result<()>,
}

impl Program<'_> {
    /// Any but the command, which alone can start itself to try a shader.
    const OTHER: Self = Self { set_variable: &|_, _| {}, try_shaders: &|_| Ok(()) };
}

/// What an engine of one's own settles for itself.
const OF_MODELS: [&str; 8] =
    ["model", "l2", "data", "device", "kernels", "shaders", "queues", "isolate"];

/// A race that is put together: who takes part, and what holds for all of them. What is not said is as
/// on the command line, where `tortoise race --help` tells the defaults.
#[derive(Default)]
pub struct Race<'a> {
    own: Option<OwnEngine>,
    entrants: Vec<Entrant>,
    settings: Table,
    file: Option<PathBuf>,
    progress: Option<Box<dyn Progress>>,
    interrupt: Option<&'a AtomicBool>,
}

impl fmt::Debug for Race<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { entrants, settings, file, .. } = self;
        f.debug_struct("Race")
            .field("entrants", entrants)
            .field("settings", settings)
            .field("file", file)
            .finish_non_exhaustive()
    }
}

impl<'a> Race<'a> {
    /// A race on MNIST, found where `TORTOISE_DATA` says, or else in `data/mnist`.
    ///
    /// # Errors
    /// [`crate::Error::Dataset`] where there is none.
    pub fn mnist() -> Result<Self> {
        mnist::find(&mnist::locate(None)?)?;
        Ok(Self::default())
    }

    /// A race that minimises whatever `objective` computes, from the parameters that it names. It runs
    /// in virtual time, and the one engine computes the gradients of all learners. Settings of models,
    /// data and devices are refused.
    #[must_use]
    pub fn new<E: Engine + 'static>(objective: E) -> Self {
        let own = OwnEngine { name: any::type_name::<E>(), engine: Box::new(objective) };
        Self { own: Some(own), ..Self::default() }
    }

    /// A race of which a TOML file holds the settings, as a run directory has one. What is set besides
    /// wins.
    #[must_use]
    pub fn of_file(path: impl Into<PathBuf>) -> Self {
        Self { file: Some(path.into()), ..Self::default() }
    }

    /// Who takes part, each as on the command line: `sync`, `k-async:4`. If this is never said, those of
    /// the race that `tortoise race` alone is; the six variants where the time is real or the objective
    /// is one's own.
    ///
    /// # Errors
    /// [`crate::Error::Config`] that says which is none, and what is near it.
    pub fn entrants<'e>(mut self, entrants: impl IntoIterator<Item = &'e str>) -> Result<Self> {
        self.entrants = entrants.into_iter().map(str::parse).collect::<Result<_>>()?;
        Ok(self)
    }

    /// Sets any setting by its name on the command line, such as `("learning-rate", 0.1)`. One that
    /// there is not is an error when the race begins.
    #[must_use]
    pub fn set(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.settings.insert(name.to_owned(), value.into());
        self
    }

    /// P, the number of learners.
    #[must_use]
    pub fn learners(self, learners: usize) -> Self {
        self.set("learners", whole(learners))
    }

    /// Samples in a minibatch, m.
    #[must_use]
    pub fn minibatch(self, samples: usize) -> Self {
        self.set("minibatch", whole(samples))
    }

    /// Rate of a gradient, of entrants that have none of their own as `async@rate=0.1` has.
    #[must_use]
    pub fn learning_rate(self, rate: f64) -> Self {
        self.set("learning-rate", rate)
    }

    /// Rates that every entrant without one of its own is tried at, before it races at the best.
    #[must_use]
    pub fn tune(self, rates: &[f64]) -> Self {
        self.set("tune", rates.to_vec())
    }

    /// The model, as on the command line: `logistic`, `mlp:128`.
    #[must_use]
    pub fn model(self, model: &str) -> Self {
        self.set("model", model)
    }

    /// Distribution of the delays, as on the command line: `exponential:mean=1`.
    #[must_use]
    pub fn delay(self, distribution: &str) -> Self {
        self.set("delay", distribution)
    }

    /// Run time of each run, in seconds.
    #[must_use]
    pub fn budget(self, seconds: f64) -> Self {
        self.set("budget", seconds)
    }

    /// Updates of each run.
    #[must_use]
    pub fn updates(self, updates: u64) -> Self {
        self.set("updates", Value::Integer(updates.try_into().unwrap_or(i64::MAX)))
    }

    /// Where gradients are computed: `auto`, `host`, or an adapter's index or part of its name.
    #[must_use]
    pub fn device(self, device: &str) -> Self {
        self.set("device", device)
    }

    /// Who is told what happens.
    #[must_use]
    pub fn progress(self, progress: impl Progress + 'static) -> Self {
        Self { progress: Some(Box::new(progress)), ..self }
    }

    /// What ends the race once it is true; what was recorded by then is whole.
    #[must_use]
    pub fn interrupt(self, interrupt: &'a AtomicBool) -> Self {
        Self { interrupt: Some(interrupt), ..self }
    }

    /// The whole configuration, checked.
    ///
    /// # Errors
    /// [`crate::Error::Config`] that names the setting.
    pub fn config(&self) -> Result<Config> {
        let Self { entrants, settings, file, own, .. } = self;
        config::known(settings)?;
        let mut settings = settings.clone();
        let of_models = |setting: &&&str| settings.contains_key(**setting);
        if let (Some(own), Some(setting)) = (own, OF_MODELS.iter().find(of_models)) {
            let name = own.name;
            return Err(Error::config(format!(
                "{setting} is a setting of the models that come with the library: leave it out for {name}"
            )));
        }
        if let Some(own) = own {
            settings.insert("objective".to_owned(), own.name.into());
        }
        Config::new(entrants, &settings, file.as_deref(), &Scope::default())
    }

    /// Runs the race and records it in `directory`, which is new or empty.
    ///
    /// # Errors
    /// [`crate::Error::Config`] that names the setting, [`crate::Error::Dataset`],
    /// [`crate::Error::NoAdapter`], and whatever ends a run.
    pub fn record(self, directory: impl AsRef<Path>) -> Result<Summary<Config>> {
        let config = self.config()?;
        let progress = self.progress.unwrap_or_else(|| Box::new(()));
        let mut runner = Runner::open(config, self.own, progress, Program::OTHER)?;
        let directory = RunDirectory::create(Some(directory.as_ref()), "race")?;
        runner.run(&directory, self.interrupt.unwrap_or(&AtomicBool::new(false)))
    }

    /// Runs the race in virtual time and keeps the trajectories in memory: one an entrant and seed, the
    /// seeds of the first entrant first. Nobody is told of what happens, and nothing interrupts it.
    ///
    /// # Errors
    /// As [`record`](Self::record); [`crate::Error::Config`] where the time is real.
    pub fn run(self) -> Result<Vec<Trajectory>> {
        let config = self.config()?;
        let progress = self.progress.unwrap_or_else(|| Box::new(()));
        Runner::open(config, self.own, progress, Program::OTHER)?.trajectories()
    }

    /// Goes on with a race that was recorded in `directory` and stopped. Its settings are those that it
    /// was recorded with; of this race it takes the objective, and who is told of it.
    ///
    /// # Errors
    /// [`crate::Error::Config`] with the reason where it cannot go on as it was, and as
    /// [`record`](Self::record).
    pub fn resume(self, directory: impl AsRef<Path>, changes: &Changes) -> Result<Summary<Config>> {
        let directory = RunDirectory::open(directory.as_ref())?;
        let progress = self.progress.unwrap_or_else(|| Box::new(()));
        let mut runner = open(&directory, changes, self.own, progress, Program::OTHER)?;
        runner.run(&directory, self.interrupt.unwrap_or(&AtomicBool::new(false)))
    }
}

/// A count as TOML has it; one that is larger is refused with the setting's name.
fn whole(count: usize) -> Value {
    Value::Integer(count.try_into().unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small() -> Race<'static> {
        let race = Race::mnist().unwrap().device("host").model("logistic").learners(4);
        race.minibatch(8).set("evaluate-every", 1.0)
    }

    #[test]
    fn trajectories_are_those_of_the_entrants_and_seeds_in_turn() {
        let race = small().entrants(["sync", "async"]).unwrap().updates(20).set("seeds", 2);
        let all = race.run().unwrap();
        assert_eq!(all.len(), 4);
        assert!(all.iter().all(|one| one.tally.updates == 20 && one.points.len() > 1));
        // Sync waits for all four, async for none, so that the same updates take it less time.
        let time = |at: usize| all[at].points.last().unwrap().time;
        assert!(time(0) > time(2) && time(1) > time(3));
        assert!(all[0].params != all[1].params, "each seed is another run");
    }

    #[test]
    fn what_a_race_cannot_be_is_an_error_that_names_the_setting() {
        for (race, why) in [
            (small().set("lerners", 3), "did you mean \"learners\""),
            (small().learners(0), "--learners"),
            (small().set("clock", "real").budget(0.1), "clock = \"real\""),
        ] {
            let error = race.run().unwrap_err();
            assert!(matches!(&error, Error::Config(problem) if problem.contains(why)), "{error}");
        }
        let error = small().entrants(["asink"]).unwrap_err().to_string();
        assert!(error.contains("did you mean"), "{error}");
    }

    /// f(w) = (w - i)^2 / 2 over the samples i = 0, 1, 2: the minimum is at 1, and 1/3.
    #[derive(Default)]
    struct Numbers(f32);

    impl Engine for Numbers {
        fn samples(&self) -> usize {
            3
        }

        fn params(&self) -> usize {
            1
        }

        fn load(&mut self, params: &[f32]) -> Result<()> {
            self.0 = params[0];
            Ok(())
        }

        fn gradient(&mut self, samples: &[usize], gradient: &mut [f32]) -> Result<f32> {
            let distances = || samples.iter().map(|&i| self.0 - i as f32);
            gradient[0] = distances().sum::<f32>() / samples.len() as f32;
            Ok(distances().map(|d| d * d / 2.0).sum::<f32>() / samples.len() as f32)
        }
    }

    fn numbers() -> Race<'static> {
        let race = Race::new(Numbers::default()).learners(4).minibatch(3).learning_rate(0.5);
        race.entrants(["sync", "k-async:2"]).unwrap().set("targets", vec![0.34])
    }

    #[test]
    fn an_engine_of_ones_own_is_raced() {
        let all = numbers().updates(40).run().unwrap();
        // All samples are in every minibatch, so that sync halves the distance with every update.
        assert!(all.iter().all(|one| (one.params[0] - 1.0).abs() < 1e-3), "{all:?}");
        let losses: Vec<f64> = all[0].points.iter().map(|point| point.loss).collect();
        assert!((losses[0] - 5.0 / 6.0).abs() < 1e-6 && (losses[1] - 1.0 / 3.0).abs() < 1e-6);
    }

    #[test]
    fn an_engine_of_ones_own_is_recorded_and_gone_on_with() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("race");
        let short = numbers().budget(5.0).record(&path).unwrap();
        assert!(short.to_string().contains("Numbers, P=4"), "{short}");
        assert!(short.entrants[0].runs[0].test_loss.is_nan());
        // Nothing is classified, and theory has a value for every entrant.
        assert!(
            !short.to_string().contains("NaN") && !short.to_string().contains("no value is known")
        );
        let capped = numbers().entrants(["ssp:2@stale=3"]).unwrap().budget(5.0);
        let capped = capped.record(folder.path().join("capped")).unwrap();
        assert!(
            capped.to_string().contains("- in the column theory: no value is known"),
            "{capped}"
        );
        let longer = Changes { budget: Some(20.0), ..Changes::default() };
        let error = Race::default().resume(&path, &longer).unwrap_err().to_string();
        assert!(error.contains("Numbers is an engine of a program"), "{error}");
        let resumed = Race::new(Numbers::default()).resume(&path, &longer).unwrap();
        let whole = numbers().budget(20.0).record(folder.path().join("whole")).unwrap();
        let last = |summary: &Summary<Config>| {
            let run = &summary.entrants[1].runs[0];
            (run.tally.updates, run.train_loss, run.mean_staleness)
        };
        assert_eq!(last(&resumed), last(&whole));
    }

    #[test]
    fn what_an_engine_of_ones_own_cannot_do_is_an_error() {
        for (race, why) in [
            (numbers().minibatch(4), "--minibatch 4 is more than the 3 samples"),
            (numbers().set("clock", "real"), "clock = \"real\""),
            (numbers().device("host"), "device is a setting of the models"),
            (numbers().set("shaders", "."), "shaders is a setting of the models"),
        ] {
            let error = race.updates(1).run().unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    }
}
