//! What holds of whatever bytes a file has, for each kind that is read: they are refused with an
//! error that names the file, or what was read is as it should be and can be written and read
//! again. Each check says whether the bytes were taken.

use std::{path::Path, time::Duration};

use image::{Rgb, Rgb32FImage};
use tortoise::{
    Result, cli,
    cluster::delay::{DelayModel, Delays, Distribution, Slow, Trace},
    dataset::idx::Idx,
    engine::model::{Model, Shape},
    estimate::delays::{Observed, fit, parse_events},
    picture,
    record::{params_file, parse_params},
    timeline::{self, Look},
};

/// The name of what is read.
const FILE: &str = "a file";

/// What was read, if it was taken; else its error names the file or the setting.
fn taken<T>(read: Result<T>) -> Option<T> {
    read.map_err(|error| {
        let message = error.to_string();
        assert!(message.contains(FILE) || message.contains("--"), "{message}");
    })
    .ok()
}

/// IDX, plain or packed: as many elements as the dimensions say, and what is not packed is the
/// header and the elements, byte for byte.
pub fn idx(bytes: &[u8]) -> bool {
    idx_of::<1>(bytes) | idx_of::<3>(bytes)
}

fn idx_of<const D: usize>(bytes: &[u8]) -> bool {
    let Some(read) = taken(Idx::<D>::parse(Path::new(FILE), bytes)) else { return false };
    assert_eq!(read.sizes.iter().product::<usize>(), read.elements.len());
    assert!(!read.elements.is_empty());
    let mut plain = vec![0, 0, 8, D as u8];
    plain.extend(read.sizes.iter().flat_map(|&size| (size as u32).to_be_bytes()));
    plain.extend_from_slice(&read.elements);
    assert!(bytes == plain || bytes.starts_with(&[0x1f, 0x8b]));
    assert_eq!(Idx::parse(Path::new(FILE), &plain).unwrap(), read);
    true
}

/// A picture: each pixel is a colour, and what is on it a digit or nothing.
pub fn picture(bytes: &[u8]) -> bool {
    let Some(picture) = taken(picture::parse(Path::new(FILE), bytes)) else { return false };
    let channels = picture.pixels().flat_map(|pixel| pixel.0);
    assert!(channels.into_iter().all(|value| (0.0..=1.0).contains(&value)));
    check_digit(&picture);
    true
}

/// Pixels, after the width and how many times each is repeated: a digit, or nothing.
pub fn digit(bytes: &[u8]) -> bool {
    let [width, scale, pixels @ ..] = bytes else { return false };
    let (pixels, _) = pixels.as_chunks::<3>();
    let (width, scale) = (1 + u32::from(*width), 1 + u32::from(scale % 8));
    let height = pixels.len() as u32 / width;
    if height == 0 {
        return false;
    }
    check_digit(&Rgb32FImage::from_fn(scale * width, scale * height, |x, y| {
        let pixel = pixels[(y / scale * width + x / scale) as usize];
        Rgb(pixel.map(|channel| f32::from(channel) / 255.0))
    }))
}

/// A digit is ink on nothing, from 0 to 1, alone or one of a row. Whether there is one.
fn check_digit(picture: &Rgb32FImage) -> bool {
    let row = picture::digits(picture);
    assert!(row.as_ref().is_ok_and(|digits| !digits.is_empty()) || row.is_err());
    let digits: Vec<_> =
        picture::prepare(picture).into_iter().chain(row.into_iter().flatten()).collect();
    for digit in &digits {
        assert!(digit.0.iter().all(|value| (0.0..=1.0).contains(value)));
        assert!(digit.0.iter().any(|value| *value > 0.0));
    }
    !digits.is_empty()
}

/// The parameters of a small model: written and read again, they have the same bits.
pub fn safetensors(bytes: &[u8]) -> bool {
    let model = Model::new(&Shape::mlp(&[3]), 4, 2, 0.0).unwrap();
    let read = |bytes: &[u8]| parse_params(Path::new(FILE), &model, bytes);
    let Some(params) = taken(read(bytes)) else { return false };
    assert_eq!(params.len(), model.params());
    let bits = |params: &[f32]| params.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(&read(&params_file(&model, &params)).unwrap()), bits(&params));
    true
}

/// A configuration: as a run writes it, it is read again to the same.
pub fn config(bytes: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(bytes) else { return false };
    let read = cli::check_config(Path::new(FILE), text);
    let whole = match read {
        Ok(whole) => whole,
        Err(error) => {
            assert_eq!(cli::code(&error), 2, "{error}");
            return false;
        }
    };
    assert_eq!(cli::check_config(Path::new(FILE), &whole).unwrap(), whole);
    true
}

/// A trace of durations: all are seconds that the clock counts, a distribution can be written and read
/// again and has a fit, and learners draw what the file says.
pub fn trace(bytes: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(bytes) else { return false };
    let Some(trace) = taken(Trace::parse(Path::new(FILE), text)) else { return false };
    assert_eq!(trace.is_replay(), trace.distribution().is_none());
    let longest = trace.distribution().map(|distribution| {
        assert!(distribution.iter().all(|seconds| seconds.is_finite() && *seconds > 0.0));
        let lines: Vec<_> = distribution.iter().map(|seconds| format!("{seconds}\n")).collect();
        assert_eq!(Trace::parse(Path::new(FILE), &lines.concat()).unwrap(), trace);
        check_fit(&Observed::finished(distribution));
        distribution.iter().copied().fold(0.0, f64::max)
    });
    let distribution = Distribution::Trace(trace);
    assert!(
        distribution.mean() > 0.0
            && distribution.mean() <= longest.unwrap_or(f64::MAX) * (1.0 + 1e-12)
    );
    let Some(mut delays) = taken(Delays::new(distribution, &Slow::default(), 2, 0)) else {
        return true;
    };
    for learner in [0, 1, 1, 0] {
        assert!(delays.sample(learner) > Duration::ZERO);
    }
    true
}

/// The events of a run: durations from 0 on, that have a fit, and perhaps a timeline.
pub fn events(bytes: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(bytes) else { return false };
    check_timeline(text);
    let Some(observed) = taken(parse_events(Path::new(FILE), text)) else { return false };
    assert!(observed.iter().all(|one| one.seconds.is_finite() && one.seconds >= 0.0));
    check_fit(&observed);
    true
}

/// Events that follow from each other are a timeline, which can be drawn.
fn check_timeline(text: &str) {
    let read = timeline::parse_events(Path::new(FILE), text, Duration::MAX);
    let Some(whole) = taken(read) else { return };
    let half = whole.between(whole.until / 4, whole.until / 2);
    for part in [&whole, &half] {
        assert!(part.from <= part.until);
        assert!(timeline::svg(part, &Look::picture()).ends_with("</svg>\n"));
        assert!(timeline::text(part, 80).starts_with("server"));
        assert!(timeline::perfetto(part, FILE).ends_with("]}\n"));
    }
}

/// Two finished durations have a fit, whose distributions are distributions.
fn check_fit(observed: &[Observed]) {
    let finished = observed.iter().filter(|one| one.finished).count();
    let fit = match fit(observed) {
        Ok(fit) => fit,
        Err(error) => return assert!(finished < 2, "{error}"),
    };
    assert_eq!((fit.finished, fit.finished + fit.unfinished), (finished, observed.len()));
    assert!((-1e-9..=1.0 + 1e-9).contains(&fit.distance), "{}", fit.distance);
    for candidate in &fit.candidates {
        assert!(candidate.bic.is_finite(), "{candidate:?}");
        let distribution: Distribution = candidate.distribution.to_string().parse().unwrap();
        assert_eq!(distribution, candidate.distribution);
    }
}
