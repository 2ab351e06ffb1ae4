//! One run of a race: from its start, or from where it stopped.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use super::{Race, shown::Shown};
use crate::{
    Error, Result, awake,
    cli::{
        experiment::{Clock, Experiment},
        interrupt::Interrupt,
        progress::News,
    },
    dataset::minibatches::Minibatches,
    engine::interruptible::Interruptible,
    estimate::{Settings, Watch, delays::Recording, estimate},
    record::{
        Checkpoint, Identity, Recorder, RunDirectory, RunFiles, RunSummary, Tail, read_checkpoint,
        read_run,
    },
    sgd::{
        Ended, Entrant,
        terms::{Finished, Start},
    },
};

impl Race {
    /// One run of `entrant`. If it is over already, what came of it; if it stopped, it goes on from
    /// its checkpoint, or starts over where it has none.
    pub(super) fn one(
        &mut self,
        entrant: &Entrant,
        seed: u64,
        directory: &RunDirectory,
        interrupt: &Interrupt,
    ) -> Result<RunSummary> {
        let Self { experiment, data, model, workers, evaluator, progress, .. } = self;
        let Experiment { minibatch, learners, clock, .. } = *experiment;
        let (name, real) = (entrant.to_string(), clock == Clock::Real);
        let folder = directory.folder(&name, seed);
        if let Some(over) = read_run(&folder)?.filter(|run| run.ended != Ended::Interrupted) {
            return Ok(over);
        }
        let configuration = experiment.identity();
        let identity = Identity { entrant: name.clone(), seed, configuration };
        let stopped = read_checkpoint(&folder, &identity, learners, model.params())?;
        let initial = model.initial(seed);
        let mut time = Duration::ZERO;
        let (files, start, recorded) = match stopped {
            Some(Checkpoint { state, recorded }) => {
                time = state.now;
                // In virtual time it will come again, to the bit.
                let tail = if real { Tail::Keep } else { Tail::Drop };
                let files = RunFiles::resume(folder, &recorded.lengths, tail)?;
                (files, Start::Saved(state.into()), Some(recorded))
            }
            None => {
                put_aside(&folder, real)?;
                let mut files = RunFiles::create(directory.run(&name, seed)?, experiment.events)?;
                if experiment.tensorboard {
                    files = files.with_tensorboard()?;
                }
                files.params("initial", model, &initial)?;
                (files, Start::Initial(&initial), None)
            }
        };
        let (evaluator, minibatches) =
            (evaluator.as_mut(), Minibatches::new(seed, data.train.len(), minibatch));
        let mut recorder = Recorder::new(files, evaluator, data, minibatches);
        if let Some(recorded) = recorded {
            recorder = recorder.resume(recorded)?;
        }
        let (tally, evaluations) = (recorder.tally(), recorder.rows());
        progress.tell(News::Run { entrant: &name, seed, time, tally, evaluations });
        if real {
            let measured = experiment.law().is_none();
            let recording = if measured { Recording::of_engines() } else { Recording::default() };
            recorder = recorder.in_real_time(recording)?;
        }
        let estimates = experiment.estimate && seed == experiment.seed;
        // What watches a run, and what goes wrong on purpose, has a state that is not kept.
        if !estimates && experiment.chaos.is_none() {
            let every = Duration::from_secs_f64(experiment.checkpoint_every);
            recorder = recorder.with_checkpoints(identity, every);
        }
        let (terms, begin) = (experiment.terms(), Instant::now());
        let paused = awake::paused();
        let k = entrant.k(learners)?;
        let settings = Settings::new(experiment.learning_rate, k, minibatch, seed);
        let (progress, flag) = (&mut **progress, interrupt.flag());
        let (finished, seen) = if estimates {
            let mut watch = Watch::new(recorder, &settings);
            let mut shown = Shown { inner: &mut watch, progress };
            let finished = workers.run(&terms, entrant, seed, start, flag, &mut shown)?;
            let (inner, seen) = watch.finish();
            recorder = inner;
            (finished, Some(seen))
        } else {
            let mut shown = Shown { inner: &mut recorder, progress };
            (workers.run(&terms, entrant, seed, start, flag, &mut shown)?, None)
        };
        let Finished { ended, params } = finished;
        let (files, outcome) = recorder.finish(Some(flag))?;
        files.params("final", model, &params)?;
        let computing_time = begin.elapsed().as_secs_f64();
        let targets = &experiment.targets;
        let mut summary = RunSummary::new(seed, ended, computing_time, outcome, targets);
        if real {
            summary.paused = (awake::paused() - paused).as_secs_f64();
        }
        if summary.paused > 0.0 {
            let seconds = summary.paused;
            let note = format!("{name}: was stopped for {seconds:.1} s, which is no run time");
            progress.tell(News::Note(&note));
        }
        if let Some(seen) = seen {
            let mut evaluator = Interruptible::new(evaluator, flag);
            match estimate(&seen, &mut evaluator, &data.train, &settings) {
                Ok(estimates) => summary.estimates = Some(estimates),
                // Without what it was run for, it is not over.
                Err(Error::Interrupted) => summary.ended = Ended::Interrupted,
                // A run that diverged, or made no update, tells nothing; the race goes on.
                Err(error @ (Error::Config(_) | Error::Diverged(_))) => {
                    progress.tell(News::Note(&format!("{name}: no estimates: {error}")));
                }
                Err(error) => return Err(error),
            }
        }
        files.finish(&summary)?;
        Ok(summary)
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
