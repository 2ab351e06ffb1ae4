//! Learning rates that suit each entrant: each runs once at every rate of a grid before the race.

use std::sync::atomic::AtomicBool;

use super::{
    config::Config,
    engines::Engines,
    progress::{News, Progress},
    subject::{Pilots, Subject},
};
use crate::{
    Error, Result,
    engine::{Engine, Part},
    record::{Tuned, Tuning},
    sgd::{
        Ended, Entrant, RunConfig,
        trajectory::{Point, Points},
    },
    statistics,
};

/// Runs every entrant that has no rate of its own at each rate of the configuration, and gives it the
/// best. The runs are as long as those of the race, with the first seed that the race does not use.
///
/// # Errors
/// [`Error::Interrupted`], and whatever ends a run.
pub(super) fn tune(
    config: &mut Config,
    subject: &Subject,
    engines: &mut Engines,
    evaluator: &mut dyn Engine,
    progress: &mut dyn Progress,
    interrupt: &AtomicBool,
) -> Result<Tuning> {
    let Pilots { engines: mut faster, evaluator: mut part } = subject.pilots(config)?;
    let seed = config.seed + config.seeds;
    let evaluator = part.as_deref_mut().unwrap_or(evaluator);
    let mut pilot = Pilot {
        run_config: subject.run_config(config)?,
        initial: evaluator.initial(seed),
        seed,
        engines: faster.as_mut().unwrap_or(engines),
        evaluator,
        interrupt,
    };
    let mut tuned = Vec::new();
    for entrant in config.entrants.iter_mut().filter(|entrant| entrant.rate().is_none()) {
        let losses: Vec<Option<f64>> = config
            .tune
            .iter()
            .map(|rate| pilot.loss(entrant.at_rate(*rate)?))
            .collect::<Result<_>>()?;
        let one = Tuned::new(entrant.to_string(), &config.tune, losses);
        *entrant = entrant.at_rate(one.rate)?;
        progress.tell(News::Tuned { rates: &config.tune, tuned: &one });
        tuned.push(one);
    }
    let gradients_on = pilot.engines.to_string();
    let rates = std::mem::take(&mut config.tune);
    Ok(Tuning { rates, seed, gradients_on, samples: pilot.evaluator.samples(), entrants: tuned })
}

/// What pilot runs have in common.
struct Pilot<'a> {
    run_config: RunConfig,
    seed: u64,
    initial: Vec<f32>,
    engines: &'a mut Engines,
    evaluator: &'a mut dyn Engine,
    interrupt: &'a AtomicBool,
}

impl Pilot<'_> {
    /// The mean training loss of `entrant` over the second half of its run; none if it diverges.
    fn loss(&mut self, entrant: Entrant) -> Result<Option<f64>> {
        let Self { run_config, seed, initial, engines, evaluator, interrupt } = self;
        let mut watch =
            Points::new(|_, params: &[f32]| Ok(evaluator.evaluate(params, Part::Train)?.loss));
        let run = engines.run(run_config, &entrant, *seed, &**initial, interrupt, &mut watch)?;
        match run.ended {
            Ended::Interrupted => Err(Error::Interrupted),
            Ended::Diverged => Ok(None),
            Ended::Done => Ok(settled(&watch.points)),
        }
    }
}

/// The mean loss over the second half of a run time; none where it is not finite.
fn settled(points: &[Point]) -> Option<f64> {
    let half = points.last().map_or(0.0, |last| last.time / 2.0);
    let late: Vec<f64> =
        points.iter().filter(|point| point.time > half).map(|point| point.loss).collect();
    statistics::mean(&late).filter(|mean| mean.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_judged_by_the_second_half_of_its_run() {
        let run = |losses: &[f64]| -> Vec<Point> {
            let point = |(at, loss): (usize, &f64)| Point {
                time: at as f64,
                updates: 0.0,
                loss: *loss,
                loss_se: None,
            };
            losses.iter().enumerate().map(point).collect()
        };
        assert_eq!(settled(&run(&[9.0, 8.0, 7.0, 3.0, 1.0])), Some(2.0));
        assert_eq!(settled(&run(&[9.0, 4.0])), Some(4.0));
        assert_eq!(settled(&run(&[9.0, 1.0, 1.0, f64::NAN])), None);
        assert_eq!(settled(&run(&[9.0])), None);
    }
}
