//! "Did you mean": the nearest of the words that would have been right.

/// `; did you mean "WORD"?` for the candidate most like `given`, or a list of all of them.
pub(crate) fn nearest<'a>(given: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    let candidates: Vec<_> = candidates.into_iter().collect();
    let likeness = |word: &str| strsim::jaro_winkler(&given.to_lowercase(), word);
    let best = candidates.iter().map(|word| (likeness(word), word));
    match best.max_by(|(a, _), (b, _)| a.total_cmp(b)) {
        Some((likeness, word)) if likeness > 0.75 => format!("; did you mean \"{word}\"?"),
        _ => format!("; known are {}", candidates.join(", ")),
    }
}
