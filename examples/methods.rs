//! Methods since 2018 beside the six variants, each at the rate that suits it best: under a heavy tail with
//! slow learners, between sync and async, with data in shards, and all of them at once.

mod common;

use clap::Parser;
use tortoise::{
    Result,
    dataset::{Dataset, mnist, shards::Shards},
    engine::{
        Engine, Part,
        backend::{Backend, FamilyChoice},
        model::Model,
    },
    race::Race,
    report::plot::{Chart, Dot, Line, Look, Scale, Sheet},
    sgd::{Trajectory, trajectory::Point},
    statistics,
};

/// A race, by what differs from the others.
struct Setting {
    name: &'static str,
    title: &'static str,
    entrants: &'static [&'static str],
    options: &'static [(&'static str, &'static str)],
    budget: f64,
}

const MODEL: &str = "mlp:32";
const LEARNERS: usize = 8;
const MINIBATCH: usize = 32;
const RATES: [f64; 7] = [0.025, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6];
/// Where data are in shards, these are the slow learners.
const SLOW: [usize; 2] = [0, 1];
const IN_SHARDS: &[&str] = &["sync", "k-sync:2", "k-batch-sync:4", "async", "k-async:4", "ssp:4"];

/// What each picture shows.
const PICTURES: [(&str, &[Setting]); 4] = [
    (
        "heavy-tail",
        &[Setting {
            name: "heavy-tail",
            title: "Pareto, shape 1.5; two of eight ten times as slow",
            entrants: &[
                "async",
                "ringmaster:8",
                "ringmaster:2",
                "rennala:4",
                "k-batch-async:4",
                "k-sync:1",
                "ssp:4",
            ],
            options: &[("delay", "pareto:shape=1.5,scale=1"), ("slow", "0=10,1=10")],
            budget: 400.0,
        }],
    ),
    (
        "ssp",
        &[
            Setting {
                name: "alike",
                title: "eight learners alike",
                entrants: &["sync", "ssp:0", "ssp:2", "ssp:8", "async"],
                options: &[],
                budget: 100.0,
            },
            Setting {
                name: "slow",
                title: "one of eight three times as slow",
                entrants: &["sync", "ssp:0", "ssp:2", "ssp:8", "async"],
                options: &[("slow", "0=3")],
                budget: 100.0,
            },
        ],
    ),
    (
        "shards",
        &[
            Setting {
                name: "iid",
                title: "shards at random",
                entrants: IN_SHARDS,
                options: &[("shards", "iid"), ("slow", "0=5,1=5")],
                budget: 100.0,
            },
            Setting {
                name: "dirichlet",
                title: "shards by class",
                entrants: IN_SHARDS,
                options: &[("shards", "dirichlet:alpha=0.1"), ("slow", "0=5,1=5")],
                budget: 100.0,
            },
        ],
    ),
    (
        "methods",
        &[Setting {
            name: "all",
            title: "exponential times, eight learners alike",
            entrants: &[
                "sync",
                "sync@momentum=0.9",
                "k-sync:1",
                "k-batch-sync:4",
                "async",
                "async@clip=1",
                "async@rate-rule=picky:distance=0.5",
                "k-batch-async:4",
                "ringmaster:8",
                "ssp:4",
            ],
            options: &[],
            budget: 100.0,
        }],
    ),
];

fn main() -> Result<()> {
    let args = common::Args::parse();
    let data = mnist::load(&mnist::locate(None)?)?;
    let mut rows = Vec::new();
    let caption = "MNIST, mlp:32, P = 8, m = 32, each at the best of seven rates; bands: one standard error \
                   over five seeds";
    let head = "setting,entrant,s_per_update,s_se,loss_at_third,third_se,loss,loss_se,loss_of_slow,slow_se";
    for (picture, settings) in PICTURES {
        let mut charts = Vec::new();
        for setting in settings {
            let Raced { lines, places, rows: of_setting } = race(&args, &data, setting)?;
            rows.extend(of_setting);
            let (across, up) = (Scale::linear("run time (s)"), Scale::log("training loss"));
            charts.push(Chart::new(across, up, lines).titled(setting.title));
            if picture == "methods" {
                let across = Scale::log("seconds per update");
                let up = Scale::log("training loss at the end");
                charts.push(Chart::new(across, up, places).titled("where each ends"));
            }
        }
        let sheet = Sheet::new(charts, caption);
        // The last picture has the name of the numbers.
        if picture == "methods" {
            args.write(picture, &sheet, head, &rows)?;
        } else {
            args.draw(picture, &sheet)?;
        }
    }
    Ok(())
}

/// What came of a setting, entrant by entrant.
struct Raced {
    lines: Vec<Line>,
    places: Vec<Line>,
    rows: Vec<String>,
}

fn race(args: &common::Args, data: &Dataset, setting: &Setting) -> Result<Raced> {
    let Setting { name, entrants, options, .. } = *setting;
    let entrants = &entrants[..args.size(entrants.len(), 2)];
    let budget = args.size(setting.budget, 10.0);
    let mut race = Race::mnist()?
        .model(MODEL)
        .learners(LEARNERS)
        .minibatch(MINIBATCH)
        .device(&args.device.to_string())
        .entrants(entrants.iter().copied())?
        .tune(&RATES[args.size(0, 2)..args.size(7, 4)])
        .budget(budget)
        .set("seeds", args.size(5, 2))
        .set("evaluate-every", budget / args.size(20.0, 4.0));
    for (option, value) in options {
        race = race.set(option, *value);
    }
    let runs = race.run()?;
    let split = options.iter().find(|(option, _)| *option == "shards").map(|(_, split)| *split);
    let (mut lines, mut places, mut rows) = (Vec::new(), Vec::new(), Vec::new());
    for of_one in runs.chunk_by(|a, b| a.entrant == b.entrant) {
        let entrant = of_one[0].entrant;
        let at = |share: f64| {
            move |run: &Trajectory| {
                let last = run.points.len() - 1;
                run.points[(share * last as f64).round() as usize].loss
            }
        };
        let seconds = |run: &Trajectory| run.tally.mean_update_time().unwrap_or(f64::NAN);
        let update_time = common::estimate(of_one, seconds);
        let [third, end] = [0.3, 1.0].map(|share| common::estimate(of_one, at(share)));
        let of_slow = match split {
            Some(split) => loss_of_slow(args, data, split, of_one)?,
            None => ",".to_owned(),
        };
        // Commas part the columns.
        let named = entrant.to_string().replace(',', ";");
        rows.push(format!("{name},{named},{update_time},{third},{end},{of_slow}"));
        let mean: Vec<Point> = common::mean(of_one);
        lines.push(common::curve(&entrant.to_string(), &mean, |point| point.time));
        let times: Vec<f64> = of_one.iter().map(seconds).collect();
        let last = mean[mean.len() - 1];
        let x = statistics::mean(&times).unwrap_or(f64::NAN);
        let place = Dot { x, y: last.loss, error: last.loss_se };
        places.push(Line::new(&*entrant.to_string(), Look::Place, [place]));
    }
    Ok(Raced { lines, places, rows })
}

/// The loss at the end over the samples of the slow learners, and its standard error.
fn loss_of_slow(
    args: &common::Args,
    data: &Dataset,
    split: &str,
    runs: &[Trajectory],
) -> Result<String> {
    let train = &data.train;
    let shards = Shards::new(split.parse()?, train.labels().of_classes(), MINIBATCH)?;
    let model = Model::for_split(&MODEL.parse()?, train, 0.0)?;
    let backend = Backend::choose(&args.device, FamilyChoice::Auto, model.longest_side())?;
    let mut losses = Vec::new();
    for run in runs {
        let parts = shards.split(train.len(), LEARNERS, run.seed)?;
        let theirs = SLOW.map(|learner| &*parts[learner]).concat();
        let mut engine = backend.for_evaluation().open(&model, MINIBATCH, train.picked(&theirs))?;
        losses.push(engine.evaluate(&run.params, Part::Train)?.loss);
    }
    let error = statistics::standard_error(&losses).unwrap_or(f64::NAN);
    Ok(format!("{:.4},{error:.4}", statistics::mean(&losses).unwrap_or(f64::NAN)))
}
