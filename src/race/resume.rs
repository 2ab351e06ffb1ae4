//! A race goes on with what it was recorded with, or, where that is asked for, with
//! something else, which is recorded.

use std::{
    collections::BTreeMap,
    env,
    fmt::Display,
    fs::{self, DirEntry},
    io,
    path::{Path, PathBuf},
};

use toml::{Table, Value};

use super::{
    Program,
    config::{Clock, Config, SHADERS, Scope, layers},
    progress::{News, Progress},
    runner::Runner,
    subject::{OwnEngine, Subject},
};
use crate::{
    Error, Result,
    dataset::mnist,
    engine::{adapter::DeviceChoices, backend::Backend, kernels::EditedShaders},
    ids::Version,
    record::{
        CopyOrigin, Extension, Length, RunDirectory, has_checkpoint, read_origin, read_run, reopen,
        run_folder, write_origin, write_whole,
    },
    sgd::Ended,
};

/// What the runs of a race depend on, with its settings as they were recorded.
type Origin = crate::record::Origin<Table>;

/// What of a race is to be another from here on.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    /// Run time of each run, in seconds, longer than before. Runs that are over start over, so that
    /// each has the bits of a run of that length; virtual time only.
    pub budget: Option<f64>,
    /// Updates of each run, more than before; likewise.
    pub updates: Option<Version>,
    /// Where the data are, if they have moved.
    pub data: Option<PathBuf>,
    /// Where gradients are computed.
    pub device: Option<DeviceChoices>,
}

/// Settings that change no result: how often a run is saved, and where the data are, whose content is
/// compared.
const FREE: [&str; 2] = ["checkpoint-every", "data"];

/// Opens a race that stopped, to go on with it.
///
/// # Errors
/// [`Error::Config`] with the reason where it cannot go on as it was, and what opening a race returns.
pub(crate) fn open(
    directory: &RunDirectory,
    changes: &Changes,
    own: Option<OwnEngine>,
    progress: Box<dyn Progress>,
    program: Program<'_>,
) -> Result<Runner> {
    let path = directory.path();
    let file = path.join("config.toml");
    let text = layers::text(Some(&file))?.unwrap_or_default();
    let source = Some((&*file, &*text));
    let mut before = Config::parse(&[], &Table::new(), source, &Scope::default())?;
    let origin: Option<Origin> = read_origin(path)?;
    match &origin {
        Some(origin) => check_copies(path, &before, origin)?,
        // Nothing has been run yet.
        None if !has_runs(path)? => {}
        None => return Err(no_origin(path)),
    }
    before.use_own_copies();
    let mut config = before.clone();
    if let Some(origin) = &origin {
        check_settings(path, changes, &before, origin)?;
        let recorded = recorded_length(&origin.configuration);
        (config.budget, config.updates) = (recorded.budget, recorded.updates);
    }
    extend(&mut config, changes)?;
    if let Some(device) = &changes.device {
        config.device = device.clone();
    }
    if let Some(data) = &changes.data {
        config.data = Some(layers::absolute(data));
    }
    config.check()?;
    let named = config.data.clone();
    config.data = data(changes, &config, origin.as_ref());
    let mut runner = Runner::open(config, own, progress, program)?;
    runner.config.data = named;
    if let Some(origin) = origin {
        check_data(path, &runner, &origin)?;
        check_computers(path, changes, &runner, &origin)?;
        record(path, &mut runner, &before, origin)?;
    }
    Ok(runner)
}

/// Whether the run directory at `path` holds a run.
fn has_runs(path: &Path) -> Result<bool> {
    let entries = fs::read_dir(path).and_then(|entries| entries.collect::<io::Result<Vec<_>>>());
    let entries = entries.map_err(Error::io(path))?;
    let is_run = |entry: &DirEntry| entry.path().is_dir() && entry.file_name() != SHADERS;
    Ok(entries.iter().any(is_run))
}

fn no_origin(path: &Path) -> Error {
    let path = path.display();
    Error::config(format!(
        "{path} cannot be resumed: it has no origin.json, which says what its runs depend on (an earlier \
         tortoise wrote none). tortoise race --config {path}/config.toml runs it again, and tortoise \
         report {path} shows it"
    ))
}

/// That delays are drawn from the trace that they were drawn from, and that the edited shaders are
/// those that gradients were computed with. Where there are none now, or were none, the settings tell.
fn check_copies(race: &Path, config: &Config, origin: &Origin) -> Result<()> {
    if let Some((trace, recorded)) = config.trace().zip(origin.trace.as_ref()) {
        check_copy("trace", race, CopyOrigin::of(trace.path(), trace.text()), recorded)?;
    }
    if let Some(shaders) = config.shaders.as_ref().filter(|_| !origin.shaders.is_empty()) {
        check_shaders(race, shaders, &origin.shaders)?;
    }
    Ok(())
}

/// That the run directory `race` was recorded with this file.
fn check_copy(what: &str, race: &Path, now: CopyOrigin, recorded: &CopyOrigin) -> Result<()> {
    if now.sha256 == recorded.sha256 {
        return Ok(());
    }
    Err(Error::config(format!(
        "{} is not the {what} that {} was recorded with: its SHA-256 is {}, and was {} (a copy of {})",
        now.file,
        race.display(),
        shown(&now.sha256),
        shown(&recorded.sha256),
        recorded.file
    )))
}

/// That the run directory `race` was recorded with these edited shaders, and with no others.
fn check_shaders(
    race: &Path,
    now: &EditedShaders,
    recorded: &BTreeMap<String, CopyOrigin>,
) -> Result<()> {
    for file in now.files() {
        let Some(recorded) = recorded.get(file.kernel) else {
            let (file, race) = (file.path.display(), race.display());
            return Err(Error::config(format!(
                "{file} was not there when {race} was recorded, with the shader that comes with \
                 tortoise: take it away"
            )));
        };
        check_copy("shader", race, CopyOrigin::of(&file.path, &file.text), recorded)?;
    }
    let missing = recorded.iter().find(|(kernel, _)| now.file(kernel).is_none());
    let Some((kernel, CopyOrigin { file, .. })) = missing else { return Ok(()) };
    Err(Error::config(format!(
        "{race} was recorded with the shader {kernel}.wgsl, a copy of {file}, and {folder} has it no \
         more: put it back",
        race = race.display(),
        folder = now.folder().display()
    )))
}

/// That config.toml has the settings that the race was recorded with, but for those that no result
/// depends on and those that are given anew.
fn check_settings(path: &Path, changes: &Changes, now: &Config, origin: &Origin) -> Result<()> {
    let (now, recorded) = (now.settings(), &origin.configuration);
    let mut keys: Vec<&String> = now.keys().chain(recorded.keys()).collect();
    keys.sort();
    keys.dedup();
    let extends = changes.budget.is_some() || changes.updates.is_some();
    let free = |key: &str| match key {
        "budget" | "updates" => extends,
        "device" => changes.device.is_some(),
        key => FREE.contains(&key),
    };
    let in_words = |value: Option<&Value>| value.map_or("not set".to_owned(), Value::to_string);
    let (mut differences, mut remedies) = (Vec::new(), Vec::new());
    for key in keys.into_iter().filter(|key| !free(key) && now.get(*key) != recorded.get(*key)) {
        let [was, is] = [recorded.get(key), now.get(key)].map(in_words);
        differences.push(format!("{key} was {was} and is {is}"));
        match &**key {
            "budget" | "updates" => remedies.push(format!("extend it with --{key}")),
            "device" => remedies.push("go on with another device with --device".to_owned()),
            _ => {}
        }
    }
    if differences.is_empty() {
        return Ok(());
    }
    let path = path.display();
    remedies.push(format!("race anew with tortoise race --config {path}/config.toml"));
    Err(Error::config(format!(
        "config.toml in {path} was changed since the race was run: {}. Undo that, or {}",
        differences.join(", "),
        remedies.join(", or ")
    )))
}

/// The beginning of a digest, which is enough to tell it from another.
fn shown(digest: &str) -> &str {
    digest.get(..12).unwrap_or(digest)
}

fn recorded_length(settings: &Table) -> Length {
    let budget = settings.get("budget").and_then(Value::as_float);
    let updates = settings.get("updates").and_then(Value::as_integer);
    Length { budget, updates: updates.and_then(|updates| updates.try_into().ok()) }
}

fn recorded_device(settings: &Table) -> Result<DeviceChoices> {
    settings.get("device").and_then(Value::as_str).unwrap_or("auto").parse()
}

/// Makes the experiment as long as it is asked for.
fn extend(config: &mut Config, changes: &Changes) -> Result<()> {
    let Length { budget, updates } = config.length();
    if config.clock == Clock::Real && (changes.budget.is_some() || changes.updates.is_some()) {
        return Err(Error::config(
            "a race in real time cannot be extended, since the unfinished work of its learners is lost. Run \
             it again with tortoise race --config and a longer --budget",
        ));
    }
    let other = if budget.is_some() { "--budget" } else { "--updates" };
    config.budget = longer("--budget", other, budget, changes.budget)?;
    config.updates = longer("--updates", other, updates, changes.updates)?;
    Ok(())
}

/// The limit that a run has then, if it is not lower than before; `other` is a limit that it has.
fn longer<T: PartialOrd + Display + Copy>(
    option: &str,
    other: &str,
    before: Option<T>,
    wanted: Option<T>,
) -> Result<Option<T>> {
    let Some(wanted) = wanted else { return Ok(before) };
    match before {
        None => Err(Error::config(format!(
            "the runs of this race end by {other}, not by {option}: raise {other}"
        ))),
        Some(before) if wanted < before => Err(Error::config(format!(
            "{option} {wanted} is below the {before} that the race was recorded with: a race can be \
             extended, and not shortened"
        ))),
        Some(_) => Ok(Some(wanted)),
    }
}

/// Where the data are, if that is not left to `TORTOISE_DATA` or to where they usually are: where
/// --data says, or where they were.
fn data(changes: &Changes, config: &Config, origin: Option<&Origin>) -> Option<PathBuf> {
    let named = &config.data;
    if changes.data.is_some() {
        return named.clone();
    }
    if env::var_os("TORTOISE_DATA").is_some_and(|folder| !folder.is_empty()) {
        return None;
    }
    let recorded = origin.and_then(|origin| origin.data.as_ref()?.folder.as_ref());
    let there = named.iter().chain(recorded).find(|folder| mnist::is_there(folder));
    there.or(named.as_ref()).cloned()
}

/// That gradients are of the data that they were of. What data an engine of a program has, nobody knows.
fn check_data(path: &Path, race: &Runner, origin: &Origin) -> Result<()> {
    let (Subject::Model(now), Some(was)) = (&race.subject, &origin.data) else { return Ok(()) };
    let Some((part, digest, before)) = now.digests.difference(&was.digests) else { return Ok(()) };
    let place = was.folder.as_ref().map(|folder| format!(", from {}", folder.display()));
    Err(Error::Dataset {
        path: now.folder.clone(),
        problem: format!(
            "is not the data set that {} was recorded with{}: the SHA-256 of the {part} is {}, and \
             was {}; give the folder with --data DIR or TORTOISE_DATA",
            path.display(),
            place.unwrap_or_default(),
            shown(digest),
            shown(before)
        ),
    })
}

/// That what computes a model is what computed it before, unless another device is asked for.
fn check_computers(path: &Path, changes: &Changes, race: &Runner, origin: &Origin) -> Result<()> {
    let (Subject::Model(model), Some(before)) = (&race.subject, origin.computed.last()) else {
        return Ok(());
    };
    let now = race.subject.computed("here");
    if changes.device.is_some() || now.computers() == before.computers() {
        return Ok(());
    }
    let is_host = |backend: &Backend| matches!(backend, Backend::Host { .. });
    let device = match model.gradients.iter().all(is_host) {
        true => "host".to_owned(),
        false => race.config.device.to_string(),
    };
    let problem = format!(
        "{} was computed on {before}, and this machine would go on with {now}: to allow that, give \
         --device {device} (the change is recorded)",
        path.display()
    );
    let is_missing = model.gradients.iter().any(|backend| backend.note().is_some());
    Err(if is_missing { Error::NoAdapter(problem) } else { Error::Config(problem) })
}

/// A run of the race.
struct Run {
    name: String,
    folder: PathBuf,
    is_over: bool,
}

fn runs(path: &Path, config: &Config) -> Result<Vec<Run>> {
    let Config { seed, seeds, .. } = *config;
    let mut runs = Vec::new();
    for entrant in config.entrants.iter().map(ToString::to_string) {
        for seed in seed..seed + seeds {
            let folder = run_folder(path, &entrant, seed);
            let is_over = read_run(&folder)?.is_some_and(|run| run.ended != Ended::Interrupted);
            runs.push(Run { name: format!("{entrant} (seed {seed})"), folder, is_over });
        }
    }
    Ok(runs)
}

/// Records what changes from here on; `before` is what config.toml has.
fn record(path: &Path, race: &mut Runner, before: &Config, mut origin: Origin) -> Result<()> {
    let unchanged = origin.clone();
    let was = recorded_length(&origin.configuration);
    let is = race.config.length();
    if was != is {
        origin.extended.push(Extension { from: was, to: is });
    }
    // If this ends before config.toml has the new length, the same command takes it up again.
    let lengthens = before.length() != is;
    let runs = runs(path, &race.config)?;
    let next = runs.iter().find(|run| lengthens || !run.is_over);
    let device = recorded_device(&origin.configuration)?;
    if next.is_none() && race.config.device != device {
        race.config.device = device;
        race.progress.tell(News::Note("all runs are over, so that --device changes nothing"));
    }
    origin.configuration = race.config.settings();
    if let Some(last) = origin.computed.last()
        && let Some(Run { name, folder, .. }) = next
    {
        let run = if has_checkpoint(folder) { format!("within {name}") } else { name.clone() };
        let now = race.subject.computed(&run);
        if now.tortoise != last.tortoise {
            let note = format!(
                "recorded by tortoise {}; from {run} on by {}, whose bits may be others",
                last.tortoise, now.tortoise
            );
            race.progress.tell(News::Note(&note));
        }
        if (&now.tortoise, now.computers()) != (&last.tortoise, last.computers()) {
            origin.computed.push(now);
        }
    }
    origin.data = race.subject.data();
    if origin != unchanged {
        write_origin(path, &origin)?;
    }
    if lengthens {
        for run in runs.iter().filter(|run| run.is_over) {
            let note = format!("{} starts over, to become one of {is}", run.name);
            race.progress.tell(News::Note(&note));
        }
        let folders: Vec<_> = runs.into_iter().map(|run| run.folder).collect();
        reopen(path, &folders)?;
    }
    let config = race.config.to_toml();
    if config != before.to_toml() {
        write_whole(&path.join("config.toml"), config.as_bytes())?;
    }
    Ok(())
}
