//! One run of a race: from its start, or from where it stopped, to its record.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::AtomicBool,
    time::{Duration, Instant},
};

use super::{
    config::{Clock, Config},
    engines::Engines,
    progress::{News, Progress, Shown},
};
use crate::{
    Error, Result, awake,
    engine::{Engine, interruptible::Interruptible},
    estimate::{
        Estimates, Seen, Settings, Watch,
        delays::Recording,
        estimate,
        minimum::{Minimum, SoftmaxRegression, minimum},
    },
    record::{
        Checkpoint, Identity, Layout, Recorded, Recorder, RunDirectory, RunFiles, RunSummary, Tail,
        read_checkpoint, read_run,
    },
    sgd::{
        Ended, Entrant, Observer, RunConfig,
        run_config::{Finished, Start},
    },
};

/// One run: who runs, and what it has in common with the others of its race.
pub(super) struct Run<'a> {
    pub(super) entrant: Entrant,
    pub(super) seed: u64,
    pub(super) config: &'a Config,
    /// What holds for this entrant.
    pub(super) run_config: RunConfig,
    pub(super) layout: Layout<'a>,
    pub(super) engines: &'a mut Engines,
    /// What tells whoever decides on K the loss, where that is not the evaluator.
    pub(super) sample: Option<Box<dyn Engine>>,
    pub(super) progress: &'a mut dyn Progress,
    pub(super) interrupt: &'a AtomicBool,
    /// F* of the race, once it has been looked for.
    pub(super) minimum: &'a mut Option<Minimum>,
}

/// Where a run begins.
struct Beginning<'a> {
    files: RunFiles,
    start: Start<'a>,
    /// How far it is recorded, if it stopped before.
    recorded: Option<Recorded>,
}

impl Run<'_> {
    /// Runs it into its folder of `directory`. If it is over already, what came of it; if it stopped,
    /// it goes on from its checkpoint, or starts over where it has none.
    pub(super) fn record(
        mut self,
        directory: &RunDirectory,
        evaluator: &mut dyn Engine,
    ) -> Result<RunSummary> {
        let name = self.entrant.to_string();
        let folder = directory.folder(&name, self.seed);
        if let Some(over) = read_run(&folder)?.filter(|run| run.ended != Ended::Interrupted) {
            return Ok(over);
        }
        let initial = evaluator.initial(self.seed);
        let begun = self.begin(directory, folder, &initial, evaluator.samples())?;
        let Beginning { files, start, recorded } = begun;
        let mut sample = self.sample.take();
        let mut recorder = self.recorder(files, recorded, evaluator)?;
        if let Some(sample) = &mut sample {
            recorder = recorder.with_sample(&mut **sample);
        }
        let time = match &start {
            Start::Initial(_) => Duration::ZERO,
            Start::Saved(state) => state.now,
        };
        self.progress.tell(News::Run {
            entrant: &name,
            seed: self.seed,
            time,
            tally: recorder.tally(),
            evaluations: recorder.rows(),
        });
        let begin = Instant::now();
        let paused = awake::paused();
        let (finished, recorder, seen) = self.train(recorder, start)?;
        let (files, outcome) = recorder.finish(Some(self.interrupt))?;
        files.params("final", self.layout, &finished.params)?;
        let (ended, seconds) = (finished.ended, begin.elapsed().as_secs_f64());
        let mut summary = RunSummary::new(self.seed, ended, seconds, outcome, &self.config.targets);
        if self.is_real() {
            summary.paused = (awake::paused() - paused).as_secs_f64();
        }
        if summary.paused > 0.0 {
            let seconds = summary.paused;
            self.note(&format!("this process stood still for {seconds:.1} s (suspended, or no free core); that is not \
                 counted as run time"));
        }
        if let Some(seen) = seen {
            self.estimate(&seen, evaluator, &mut summary)?;
        }
        files.finish(&summary)?;
        Ok(summary)
    }

    fn is_real(&self) -> bool {
        self.config.clock == Clock::Real
    }

    /// What a checkpoint of this run belongs to.
    fn identity(&self) -> Identity {
        let entrant = self.entrant.to_string();
        Identity { entrant, seed: self.seed, configuration: self.config.identity() }
    }

    /// Whether the constants of theory are estimated from this run: the first of its entrant.
    fn is_estimated(&self) -> bool {
        self.config.estimate && self.seed == self.config.seed
    }

    fn estimate_settings(&self) -> Result<Settings> {
        let RunConfig { learning_rate, learners, minibatch, .. } = self.run_config;
        Ok(Settings::new(learning_rate, self.entrant.k(learners)?, minibatch, self.seed))
    }

    fn note(&mut self, note: &str) {
        self.progress.tell(News::Note(&format!("{}: {note}", self.entrant)));
    }

    /// Opens the files of the run, new ones or those that it goes on with.
    fn begin<'i>(
        &self,
        directory: &RunDirectory,
        folder: PathBuf,
        initial: &'i [f32],
        samples: usize,
    ) -> Result<Beginning<'i>> {
        let (learners, params) = (self.config.learners, initial.len());
        let checkpoint = read_checkpoint(&folder, &self.identity(), learners, params)?;
        if let Some(Checkpoint { state, recorded }) = checkpoint {
            // In virtual time what came after the checkpoint will come again, to the bit.
            let tail = if self.is_real() { Tail::Keep } else { Tail::Drop };
            let files = RunFiles::resume(folder, &recorded.lengths, tail)?;
            let start = Start::Saved(state.into());
            return Ok(Beginning { files, start, recorded: Some(recorded) });
        }
        put_aside(&folder, self.is_real())?;
        let folder = directory.run(&self.entrant.to_string(), self.seed)?;
        let mut files = RunFiles::create(folder, self.config.events)?;
        if self.config.tensorboard {
            files = files.with_tensorboard()?;
        }
        files.params("initial", self.layout, initial)?;
        if let Some(shards) = &self.run_config.shards {
            files.shards(&shards.split(samples, learners, self.seed)?)?;
        }
        Ok(Beginning { files, start: Start::Initial(initial), recorded: None })
    }

    fn recorder<'e>(
        &self,
        files: RunFiles,
        recorded: Option<Recorded>,
        evaluator: &'e mut dyn Engine,
    ) -> Result<Recorder<'e>>
    where
        Self: 'e,
    {
        let config = self.config;
        let minibatches = self.run_config.minibatches(evaluator.samples(), self.seed)?;
        let mut recorder = Recorder::new(files, evaluator, minibatches);
        if let Some(recorded) = recorded {
            recorder = recorder.resume(recorded)?;
        }
        if self.is_real() {
            let measured = config.distribution().is_none();
            let recording = if measured { Recording::of_engines() } else { Recording::default() };
            recorder = recorder.in_real_time(recording)?;
        }
        // What watches a run, and what goes wrong on purpose, has a state that is not kept.
        if !self.is_estimated() && config.chaos.is_none() {
            let every = Duration::from_secs_f64(config.checkpoint_every);
            recorder = recorder.with_checkpoints(self.identity(), every);
        }
        Ok(recorder)
    }

    /// Trains, and keeps what the estimates need if there are any.
    fn train<'e>(
        &mut self,
        mut recorder: Recorder<'e>,
        start: Start<'_>,
    ) -> Result<(Finished, Recorder<'e>, Option<Seen>)> {
        if !self.is_estimated() {
            let finished = self.run(start, &mut recorder)?;
            return Ok((finished, recorder, None));
        }
        let mut watch = Watch::new(recorder, &self.estimate_settings()?);
        let finished = self.run(start, &mut watch)?;
        let (recorder, seen) = watch.finish();
        Ok((finished, recorder, Some(seen)))
    }

    fn run(&mut self, start: Start<'_>, observer: &mut impl Observer) -> Result<Finished> {
        let mut shown = Shown { inner: observer, progress: self.progress };
        let Self { run_config, .. } = self;
        self.engines.run(run_config, &self.entrant, self.seed, start, self.interrupt, &mut shown)
    }

    /// Adds the estimates to the summary, or says why there are none.
    fn estimate(
        &mut self,
        seen: &Seen,
        evaluator: &mut dyn Engine,
        summary: &mut RunSummary,
    ) -> Result<()> {
        let mut evaluator = Interruptible::new(evaluator, self.interrupt);
        match self.estimates(seen, &mut evaluator) {
            Ok(estimates) => summary.estimates = Some(estimates),
            // Without what it was run for, it is not over.
            Err(Error::Interrupted) => summary.ended = Ended::Interrupted,
            // A run that diverged, or made no update, tells nothing; the race goes on.
            Err(error @ (Error::Config(_) | Error::Diverged(_))) => {
                self.note(&format!("no estimates: {error}"));
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn estimates(&mut self, seen: &Seen, evaluator: &mut dyn Engine) -> Result<Estimates> {
        let mut settings = self.estimate_settings()?;
        settings.shards = self.config.has_shards();
        let regression = match self.layout {
            Layout::Model(model) => SoftmaxRegression::of(model),
            Layout::Flat => None,
        };
        if let Some(regression) = regression {
            let known = match *self.minimum {
                Some(known) => known,
                None => minimum(evaluator, &regression, settings.chunk)?,
            };
            *self.minimum = Some(known);
            settings.minimum = Some(known);
            settings.least_convexity = 2.0 * regression.l2;
        }
        estimate(seen, evaluator, &settings)
    }
}

/// Makes room for a run that starts over. What it had recorded comes again in virtual time; in real
/// time it goes to the next free `NAME.before-1`, `NAME.before-2`, ... beside it.
fn put_aside(folder: &Path, keep: bool) -> Result<()> {
    if !folder.exists() {
        return Ok(());
    }
    if !keep {
        return fs::remove_dir_all(folder).map_err(Error::io(folder));
    }
    let beside = |number: u64| -> PathBuf {
        let mut name = folder.file_name().unwrap_or_default().to_owned();
        name.push(format!(".before-{number}"));
        folder.with_file_name(name)
    };
    let free = (1..).map(beside).find(|path| !path.exists()).expect("some number is free");
    fs::rename(folder, &free).map_err(Error::io(folder))
}
