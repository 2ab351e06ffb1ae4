//! Durations as a run shows them: of the minibatches that were finished, and of those that were
//! cancelled or not done at the end, of which one only knows that they would have taken longer.

use std::{path::Path, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    Error, Result,
    estimate::bounded::Thinned,
    file,
    ids::{LearnerId, Task},
    sgd::{
        Event, Verdict,
        spans::{Span, Spans, Stint},
    },
};

/// How long a minibatch was seen to take.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Observed {
    /// Who computed it.
    pub learner: LearnerId,
    /// From its start until it was finished or cancelled.
    pub seconds: f64,
    /// Whether it was finished; else it would have taken longer, or just as long.
    pub finished: bool,
}

impl Observed {
    /// Finished minibatches of one learner.
    pub fn finished(seconds: &[f64]) -> Vec<Self> {
        let finished = |&seconds| Self { learner: 0, seconds, finished: true };
        seconds.iter().map(finished).collect()
    }
}

/// Minibatches that are kept: enough for a standard error of a hundredth.
const MOST: usize = 16_384;
/// The most bytes of a file: some ten million events.
const MOST_BYTES: u64 = 1 << 30;

/// Takes the time of minibatches. Which are kept is told by their number, never by how long they take.
#[derive(Debug)]
pub struct Recording {
    /// Whether it is the engines' time, or that from the start to the push.
    of_engines: bool,
    spans: Spans,
    /// The last push.
    pushed: Option<(Duration, LearnerId)>,
    kept: Thinned<Observed>,
}

impl Default for Recording {
    fn default() -> Self {
        let (of_engines, spans, pushed) = (false, Spans::default(), None);
        Self { of_engines, spans, pushed, kept: Thinned::new(MOST) }
    }
}

impl Recording {
    /// Takes the time that engines are at work, which is measured of every gradient that arrives, also
    /// of those that nobody waits for.
    pub fn of_engines() -> Self {
        Self { of_engines: true, ..Self::default() }
    }

    /// Takes an event in.
    pub fn event(&mut self, time: Duration, event: &Event) {
        if self.of_engines {
            self.computed(event);
            return;
        }
        if let Some(Stint::Work(span)) = self.spans.take(time, event) {
            self.keep(&span);
        }
    }

    fn computed(&mut self, event: &Event) {
        if let Event::Push { learner, task, computing: Some(seconds), .. }
        | Event::Late { learner, task, computing: Some(seconds), .. } = *event
            && self.kept.wants(task)
        {
            self.kept.push(task, Observed { learner, seconds, finished: true });
        }
    }

    fn keep(&mut self, span: &Span) {
        let Span { learner, task, to, end, .. } = *span;
        let [began, ended] = span.computing();
        // A gradient that was on its way was finished.
        let finished = end.is_pushed() || span.computes.is_some() && ended < to;
        if ended == began && !finished {
            return;
        }
        if end.is_pushed() {
            self.pushed = Some((to, learner));
        }
        if self.kept.wants(task) {
            // Pushes of one moment come in the order of learners, so what has not come by then would
            // have taken a tick longer. Where many take equally long that makes a difference.
            let passed = !finished && self.pushed.is_some_and(|last| last > (to, learner));
            let tick = Duration::from_nanos(passed.into());
            let seconds = (ended - began + tick).as_secs_f64();
            self.kept.push(task, Observed { learner, seconds, finished });
        }
    }

    /// What was kept; what is in flight goes on for longer than until `now`.
    pub fn finish(mut self, now: Duration) -> Vec<Observed> {
        for stint in std::mem::take(&mut self.spans).until(now) {
            if let Stint::Work(span) = stint {
                self.keep(&span);
            }
        }
        self.kept.into_items()
    }
}

/// A line of `events.jsonl`, as far as durations go.
#[derive(Deserialize)]
struct Line {
    t: f64,
    event: Kind,
    learner: Option<LearnerId>,
    task: Option<Task>,
    computes: Option<[f64; 2]>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Assign,
    Push,
    Cancel,
    Lost,
    // What follows tells nothing of a minibatch's time.
    Late,
    Return,
    Leave,
    Update,
}

/// The durations in the `events.jsonl` of a run at `path`, which may be a pipe, or `-` for standard
/// input: from the assign to the push or the cancel of each
/// minibatch. Of a long run, those of evenly spaced minibatches.
///
/// # Errors
/// [`Error::Io`] where it cannot be read, is no file or pipe or has more than 2^30 bytes;
/// [`Error::Config`] naming the line that is no event or does not follow from those before it, or
/// where no minibatch is started.
pub fn read_events(path: &Path) -> Result<Vec<Observed>> {
    parse_events(path, &file::named_text(path, MOST_BYTES).map_err(Error::io(path))?)
}

/// What [`read_events`] makes of a file at `path` with this text.
///
/// # Errors
/// [`Error::Config`] as there.
pub fn parse_events(path: &Path, text: &str) -> Result<Vec<Observed>> {
    let (mut recording, mut now, mut any) = (Recording::default(), Duration::ZERO, false);
    for (number, line) in text.lines().enumerate() {
        let wrong = |what: &str| {
            Error::config(format!("{}, line {}: {what}", file::name(path), number + 1))
        };
        let Line { t, event, learner, task, computes } = serde_json::from_str(line)
            .map_err(|error| wrong(&format!("is not an event of a run ({error})")))?;
        // Rounded to what the clock counts, so that equal durations are equal.
        let nanoseconds = (t * 1e9).round();
        if !(now.as_nanos() as f64..1e19).contains(&nanoseconds) {
            return Err(wrong("time runs backwards, or beyond 1e10 seconds"));
        }
        now = Duration::from_nanos(nanoseconds as u64);
        // At which parameters it is computed makes no minibatch longer.
        let version = 0;
        let event = match (event, learner, task) {
            (Kind::Late | Kind::Return | Kind::Leave | Kind::Update, ..)
            | (Kind::Lost, _, None) => continue,
            (Kind::Assign, Some(learner), Some(task)) => {
                Event::Assign { learner, task, version, computes }
            }
            (Kind::Push, Some(learner), Some(task)) => Event::Push {
                learner,
                task,
                version,
                staleness: 0,
                verdict: Verdict::Accept,
                rate: None,
                loss: None,
                computing: None,
            },
            // Lost or cancelled, it is not finished.
            (_, Some(learner), Some(task)) => Event::Cancel { learner, task, version },
            _ => return Err(wrong("an event of a minibatch names its learner and its task")),
        };
        recording.spans.follows(&event).map_err(wrong)?;
        recording.event(now, &event);
        any |= matches!(event, Event::Assign { .. });
    }
    if !any {
        return Err(Error::config(format!(
            "{} holds no event; a run writes them with --events",
            file::name(path)
        )));
    }
    Ok(recording.finish(now))
}
