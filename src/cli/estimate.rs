//! `tortoise estimate`: the constants of theory and the distribution of the delays, from a run.

use std::fmt::Write as _;

use clap::Args;

use super::{
    Context, Exit,
    options::{EstimateFlags, Output},
    print, print_json, settings,
};
use crate::{
    Error, Result, estimate::Estimates, race::runner::Runner, record::RunDirectory, sgd::Entrant,
};

#[derive(Debug, Args)]
#[command(mut_args(settings::of_a_race))]
pub(super) struct EstimateArgs {
    /// Who trains: {entrants}; without :K, K = P/2; in place of K, adasync, adasync(K0) or adaptive
    entrant: Entrant,
    #[command(flatten)]
    flags: EstimateFlags,
    #[command(flatten)]
    output: Output,
}

pub(super) fn run(args: &EstimateArgs, context: &Context<'_>) -> Result<Exit> {
    let EstimateArgs { entrant, flags, output } = args;
    let config = settings::config(&[*entrant], flags, output)?;
    let progress = context.progress(&output.show);
    let mut race = Runner::open(config, None, progress, context.program())?;
    let directory = RunDirectory::create(output.out.as_deref(), "estimate")?;
    let summary = race.run(&directory, context.interrupt.flag())?;
    let run = summary.entrants.first().and_then(|entrant| entrant.runs.first());
    if summary.interrupted {
        return Ok(Exit::Interrupted);
    }
    let Some(estimates) = run.and_then(|run| run.estimates.as_ref()) else {
        return Err(Error::config(
            "no constants could be estimated from this run: try a longer --budget or a smaller --learning-rate",
        ));
    };
    if output.show.json {
        print_json(estimates)?;
    } else {
        let entrant = race.config.entrants[0];
        print(&format!("{entrant}: {}\n\n{}", race.config.caption(), text(estimates)))?;
        print(&format!("\n{}\n", directory.path().display()))?;
    }
    Ok(Exit::Done)
}

fn text(estimates: &Estimates) -> String {
    let Estimates { delay, iterates, settings, .. } = estimates;
    let at = format!(
        "largest curvature at {} points of the run, from {} samples",
        iterates.len(),
        settings.curvature_samples
    );
    let fits = if delay.fits { "fits" } else { "nearest, does not fit" };
    let best = delay.best();
    let parameters = best.parameters.iter().map(|p| format!("{} {}", p.name, p.estimate));
    let parameters = parameters.map(|parameter| format!(", {parameter}")).collect::<String>();
    let distribution = format!("{}{parameters}", best.distribution.name());
    let how =
        format!("{fits}: {} minibatches finished, {} cut off", delay.finished, delay.unfinished);
    let rows = [
        ("L", estimates.smoothness.to_string(), at),
        (
            "c",
            estimates.convexity.to_string(),
            "least |grad F|^2 / (2 (F - F*)) at these points".to_owned(),
        ),
        (
            "sigma^2",
            estimates.variance.to_string(),
            "variance of a gradient where |grad F| = 0".to_owned(),
        ),
        (
            "M_G",
            estimates.gradient_variance.to_string(),
            "by how much it grows with |grad F|^2".to_owned(),
        ),
        (
            "gamma",
            estimates.gamma.to_string(),
            format!("how far off stale gradients are, from {} samples", settings.staleness_samples),
        ),
        ("p0", estimates.p0.to_string(), "share of fresh gradients".to_owned()),
        ("F(w_0)", format!("{:.4}", estimates.initial_loss), String::new()),
        (
            "F*",
            estimates.f_star.to_string(),
            match settings.minimum.is_some() {
                true => "lowest possible loss, by L-BFGS and its dual".to_owned(),
                false => "lowest possible loss: at most the lowest one found".to_owned(),
            },
        ),
        ("delay", distribution, how),
    ];
    let correlation = delay.correlation.map(|correlation| {
        let how = "correlation of successive times of a learner; theory has 0".to_owned();
        ("in time", correlation.to_string(), how)
    });
    let rows: Vec<_> = rows.into_iter().chain(correlation).collect();
    let width = rows.iter().map(|(_, value, _)| value.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for (name, value, how) in rows {
        let _ = writeln!(text, "{}", format!("{name:<9}{value:<width$}  {how}").trim_end());
    }
    for warning in &estimates.warnings {
        let _ = writeln!(text, "warning: {warning}");
    }
    text
}
