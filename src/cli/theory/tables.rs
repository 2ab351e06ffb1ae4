//! Tables and pictures of all variants, a distribution each.

use std::{
    fmt::{self, Write as _},
    str::FromStr,
};

use clap::Args;
use serde::Serialize;

use super::{TheoryArgs, class};
use crate::{
    Error, Result,
    cli::{
        Exit,
        case::with_samples,
        print, print_json,
        report::said,
        values::{number, whole},
    },
    cluster::delay::Distribution,
    numbers::Shown,
    record::RunDirectory,
    report::{align, figures},
    sgd::{Entrant, Variant, entrant},
    theory::{
        error::Constants,
        runtime::UpdateTime,
        survey::{Bounded, ErrorRuntime, Survey},
    },
};

/// One distribution of each kind.
const DISTRIBUTIONS: [&str; 9] = [
    "exponential:mean=1",
    "shifted-exponential:shift=1,mean=1",
    "constant:1",
    "uniform:low=0,high=2",
    "weibull:shape=2,scale=1",
    "weibull:shape=0.5,scale=1",
    "hyperexponential:p=0.9,mean1=0.5,mean2=5.5",
    "pareto:shape=2,scale=1",
    "bimodal:fast=1,slow=10,p=0.1",
];

/// What the bounds on the error need to know.
#[derive(Debug, Args)]
#[command(next_help_heading = "For the tables: constants of the bounds on the error")]
pub(super) struct BoundArgs {
    /// L, the largest curvature
    #[arg(long, value_name = "L", default_value_t = 1.0, conflicts_with = "entrant")]
    #[arg(value_parser = number("a number"))]
    smoothness: f64,
    /// c, the least curvature
    #[arg(long, value_name = "C", default_value_t = 0.1, conflicts_with = "entrant")]
    #[arg(value_parser = number("a number"))]
    convexity: f64,
    /// sigma^2, the variance of the gradient of one sample
    #[arg(long, value_name = "SIGMA2", default_value_t = 1.0, conflicts_with = "entrant")]
    #[arg(value_parser = number("a number"))]
    variance: f64,
    /// M_G: the variance grows by M_G times the squared norm of the gradient
    #[arg(long, value_name = "M_G", default_value_t = 0.0, conflicts_with = "entrant")]
    #[arg(value_parser = number("a number"))]
    gradient_variance: f64,
    /// F(w_0) - F*, the loss at the start less the lowest possible loss
    #[arg(long, value_name = "GAP", default_value_t = 10.0, conflicts_with = "entrant")]
    #[arg(value_parser = number("a number"))]
    initial_gap: f64,
    /// gamma, the relative error that staleness adds to a gradient, from 0: for each entrant, as in
    /// async=0.5,k-async:4=0.1, or a number for all whose gradients are stale
    ///
    /// It falls as K grows; `tortoise estimate` measures it. Where it is not given, stale gradients have no
    /// bound.
    #[arg(long, value_name = "ENTRANT=GAMMA", value_delimiter = ',', conflicts_with = "entrant")]
    gamma: Vec<Gamma>,
    /// eta, the learning rate
    #[arg(long, default_value_t = 0.1, conflicts_with = "entrant")]
    #[arg(value_parser = number("a number"))]
    learning_rate: f64,
    /// Samples in a minibatch, m; also for --per-sample [default: 1]
    #[arg(long, value_name = "M", short = 'm', value_parser = whole::<usize>("of 1 or more"))]
    pub(super) minibatch: Option<usize>,
}

/// A gamma, of one entrant or of all.
#[derive(Debug, Clone)]
struct Gamma {
    entrant: Option<Entrant>,
    gamma: f64,
}

impl FromStr for Gamma {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (entrant, gamma) = match text.split_once('=') {
            Some((entrant, gamma)) => (Some(entrant.parse()?), gamma),
            None => (None, text),
        };
        let gamma = gamma.parse().map_err(|_| {
            Error::config(format!("\"{text}\" must be a number or ENTRANT=GAMMA, as in async=0.5"))
        })?;
        Ok(Self { entrant, gamma })
    }
}

impl fmt::Display for Gamma {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(entrant) = self.entrant {
            write!(f, "{entrant} ")?;
        }
        Shown(self.gamma).fmt(f)
    }
}

#[derive(Serialize)]
struct Tables {
    #[serde(rename = "laws")]
    distributions: Vec<Survey>,
    constants: Constants,
    error_runtime: Vec<Vec<ErrorRuntime>>,
}

pub(super) fn run(args: &TheoryArgs) -> Result<Exit> {
    let TheoryArgs { learners, delay, slow, bounds, .. } = args;
    if !(1..=4096).contains(learners) {
        return Err(Error::config("--learners (P) must be from 1 to 4096 for tables"));
    }
    if !slow.is_none() {
        return Err(Error::config(
            "in the tables all learners are equally fast: name an entrant, or leave out --slow",
        ));
    }
    if args.cancel.is_some() {
        return Err(Error::config(
            "in the tables cancelled work stops at once: name an entrant, or leave out --cancel",
        ));
    }
    let distributions = match &delay[..] {
        [] => DISTRIBUTIONS.iter().map(|one| one.parse()).collect::<Result<Vec<_>>>()?,
        given => given.to_vec(),
    };
    let minibatch = bounds.minibatch.unwrap_or(1);
    let replayed = |one: &&Distribution| matches!(one, Distribution::Trace(t) if t.is_replay());
    if let Some(one) = distributions.iter().find(replayed) {
        return Err(Error::config(format!(
            "{one} gives each learner its own times; the tables need a distribution, or durations alone"
        )));
    }
    let distributions: Vec<Distribution> = distributions
        .into_iter()
        .map(|one| with_samples(one, args.per_sample, minibatch))
        .collect::<Result<_>>()?;
    let constants = bounds.constants()?;
    bounds.known(*learners)?;
    let step = (bounds.learning_rate, minibatch);
    let errors = |one: &Distribution| -> Result<Vec<ErrorRuntime>> {
        let of = |entrant: Entrant| {
            let gamma = bounds.gamma(entrant, *learners);
            ErrorRuntime::new(entrant, one, *learners, &constants, step, gamma)
        };
        Entrant::six(*learners).into_iter().map(of).collect()
    };
    let tables = Tables {
        distributions: distributions.iter().map(|one| Survey::new(one, *learners)).collect(),
        error_runtime: distributions.iter().map(errors).collect::<Result<_>>()?,
        constants,
    };
    let Tables { distributions, error_runtime, .. } = &tables;
    let (caption, mut drawn) = (bounds.caption(), String::new());
    if let Some(out) = &args.out {
        let directory = RunDirectory::create(Some(out), "theory")?;
        let folder = directory.path();
        let pictures = figures::theory::draw(distributions, error_runtime, &caption, folder)?;
        drawn = said(folder, &pictures);
    }
    if args.json {
        print_json(&tables)?;
    } else {
        for (survey, errors) in distributions.iter().zip(error_runtime) {
            print(&text(survey, errors))?;
        }
        print(&format!("bounds: {caption}\n{drawn}"))?;
    }
    Ok(Exit::Done)
}

impl BoundArgs {
    /// The constants, where they and the step can be what they are.
    fn constants(&self) -> Result<Constants> {
        let Self { smoothness, convexity, variance, gradient_variance, initial_gap, .. } = *self;
        let constants =
            Constants { smoothness, convexity, variance, gradient_variance, initial_gap };
        let named = [
            ("smoothness", smoothness),
            ("convexity", convexity),
            ("variance", variance),
            ("gradient-variance", gradient_variance),
            ("initial-gap", initial_gap),
        ];
        let wrong = named.iter().find(|(_, value)| !(value.is_finite() && *value >= 0.0));
        constants.check().map_err(|error| match wrong {
            Some((option, _)) => Error::config(format!("--{option}: {error}")),
            None => error,
        })?;
        let need = |holds: bool, what: &str| match holds {
            true => Ok(()),
            false => Err(Error::config(what)),
        };
        let holds = self.gamma.iter().all(|one| one.gamma.is_finite() && one.gamma >= 0.0);
        need(holds, "--gamma must be 0 or above")?;
        let rate = self.learning_rate;
        need(rate.is_finite() && rate > 0.0, "--learning-rate must be a number above 0")?;
        Ok(constants)
    }

    /// That each gamma is of an entrant of the tables.
    fn known(&self, learners: usize) -> Result<()> {
        let all = Entrant::six(learners);
        for entrant in self.gamma.iter().filter_map(|one| one.entrant) {
            if !all.contains(&entrant.among(learners)) {
                let all: Vec<String> = all.iter().map(ToString::to_string).collect();
                let all = all.join(", ");
                return Err(Error::config(format!("--gamma {entrant}: the tables have {all}")));
            }
        }
        Ok(())
    }

    /// gamma of this entrant: its own, or else that of all.
    fn gamma(&self, entrant: Entrant, learners: usize) -> Option<f64> {
        let own = |one: &&Gamma| one.entrant.is_some_and(|own| own.among(learners) == entrant);
        let of_all = || self.gamma.iter().find(|one| one.entrant.is_none());
        self.gamma.iter().find(own).or_else(of_all).map(|one| one.gamma)
    }

    fn caption(&self) -> String {
        let gamma = match &*self.gamma {
            [] => "unknown".to_owned(),
            some => some.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
        };
        format!(
            "L={}, c={}, sigma^2={}, M_G={}, F(w_0)-F*={}, gamma={}, rate {}, m={}",
            Shown(self.smoothness),
            Shown(self.convexity),
            Shown(self.variance),
            Shown(self.gradient_variance),
            Shown(self.initial_gap),
            gamma,
            Shown(self.learning_rate),
            self.minibatch.unwrap_or(1)
        )
    }
}

fn text(survey: &Survey, errors: &[ErrorRuntime]) -> String {
    let Survey { delay, mean, learners, speed_up, rows, bounded, .. } = survey;
    let number =
        |value: Option<f64>| value.map_or("infinite".to_owned(), |v| format!("{:.4}", Shown(v)));
    let mut text = format!(
        "{delay}, P={learners}: {}\nE[X] = {} s; sync takes {} times as long as async\n\n",
        class(survey.class),
        number(*mean),
        number(*speed_up)
    );
    let head = ["K"].into_iter().chain(Variant::ALL.map(entrant::name));
    let mut cells: Vec<Vec<String>> = vec![head.map(str::to_owned).collect()];
    for row in rows {
        let times = row.times.iter().map(cell);
        cells.push([row.k.to_string()].into_iter().chain(times).collect());
    }
    text += &align(&cells);
    if !bounded.is_empty() {
        let head = ["", "s/update", "mean staleness"];
        let mut cells = vec![head.map(str::to_owned).to_vec()];
        for Bounded { entrant, time, mean_staleness } in bounded {
            let staleness = mean_staleness.map_or("-".to_owned(), |s| format!("{:.4}", Shown(s)));
            cells.push(vec![entrant.to_string(), cell(time), staleness]);
        }
        let _ = write!(text, "\n{}", align(&cells));
    }
    let head = ["", "bound on the error after J updates", "s/update"];
    let mut cells = vec![head.map(str::to_owned).to_vec()];
    for ErrorRuntime { entrant, bound, reason, mean_update_time, .. } in errors {
        let bound = bound.map(|bound| bound.to_string()).or(reason.clone()).unwrap_or_default();
        let time = mean_update_time.map_or("-".to_owned(), |time| format!("{:.4}", Shown(time)));
        cells.push(vec![entrant.to_string(), bound, time]);
    }
    let _ = writeln!(text, "\n{}", align(&cells));
    text
}

/// An update time: the value, `~` before a numeric one, else its bounds.
fn cell(time: &UpdateTime) -> String {
    let number = |value: f64| format!("{:.4}", Shown(value));
    match *time {
        UpdateTime { mean_update_time: Some(value), exact: true, .. } => number(value),
        UpdateTime { mean_update_time: Some(value), .. } => format!("~ {}", number(value)),
        UpdateTime { lower: Some(lower), upper: Some(upper), .. } => {
            format!("{} to {}", number(lower), number(upper))
        }
        UpdateTime { lower: Some(lower), .. } => format!(">= {}", number(lower)),
        UpdateTime { upper: Some(upper), .. } => format!("<= {}", number(upper)),
        _ => "-".to_owned(),
    }
}
