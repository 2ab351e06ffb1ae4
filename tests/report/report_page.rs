//! The page of a race, looked at in a real browser: it hovers, switches and hides, and nothing is said
//! on its console. `TORTOISE_SKIP_BROWSER=1` goes without.

use std::{fs, path::Path, process::Command};

use tempfile::{TempDir, tempdir};
use tortoise::record::read_evaluations;

use crate::{
    browser::{Browser, Page},
    small_data::small_data,
};

const SIX: [&str; 6] =
    ["sync", "k-sync:2", "k-batch-sync:2", "async", "k-async:2", "k-batch-async:2"];

/// Races `entrants` into a folder.
fn race(entrants: &[&str], flags: &str) -> TempDir {
    let (data, out) = (small_data(), tempdir().unwrap());
    let status = Command::new(assert_cmd::cargo::cargo_bin!("tortoise"))
        .args(["race", "--device", "host", "--model", "logistic", "-p", "4", "-m", "8", "--quiet"])
        .args(entrants)
        .args(flags.split_whitespace())
        .args([Path::new("--data"), data.path(), Path::new("--out"), out.path()])
        .output()
        .unwrap();
    assert!(status.status.success(), "{}", String::from_utf8_lossy(&status.stderr));
    out
}

/// What stands beside the pointer, at a share of the width of a chart.
#[track_caller]
fn hover(page: &Page<'_>, chart: &str, share: f64) -> String {
    let place: [f64; 2] = page.js(&format!(
        "(() => {{ const over = document.querySelector('#{chart} .u-over'); \
         over.scrollIntoView({{ block: 'center' }}); const box = over.getBoundingClientRect(); \
         return [box.left + {share} * (box.width - 1), box.top + box.height / 2]; }})()"
    ));
    page.point(place);
    page.js(&format!(
        "[...document.querySelectorAll('#{chart} .tip')].filter(tip => tip.style.display === \
         'block').map(tip => tip.innerText).join('')"
    ))
}

/// How many pixels of a chart have the colour of the `n`-th entrant.
#[track_caller]
fn pixels(page: &Page<'_>, chart: &str, n: usize) -> u64 {
    page.js(&format!(
        "(() => {{ const [r, g, b] = ink({n}).match(/[0-9]+/g).map(Number); \
         const {{ width, height }} = document.querySelector('#{chart} canvas'); \
         const copy = Object.assign(document.createElement('canvas'), {{ width, height }}); \
         const context = copy.getContext('2d', {{ willReadFrequently: true }}); \
         context.drawImage(document.querySelector('#{chart} canvas'), 0, 0); \
         const {{ data }} = context.getImageData(0, 0, width, height); \
         let count = 0; for (let at = 0; at < data.length; at += 4) {{ \
         if (data[at + 3] > 250 && Math.abs(data[at] - r) + Math.abs(data[at + 1] - g) + \
         Math.abs(data[at + 2] - b) < 6) count++; }} return count; }})()"
    ))
}

#[test]
fn a_page_is_hovered_switched_and_hidden_without_a_word_on_the_console() {
    let out = race(&SIX, "--budget 40 --seeds 2 --learning-rate 0.05");
    let Some(browser) = Browser::start() else { return };
    let page = browser.open(&out.path().join("report.html"));

    // At the end of the time axis stand the losses that the evaluations end with.
    let tip = hover(&page, "course", 1.0);
    assert!(tip.starts_with("run time (s): 40"), "{tip}");
    for (name, folder) in SIX.iter().zip(["sync", "k-sync-2", "k-batch-sync-2", "async"]) {
        let loss = |seed: u64| {
            let file = out.path().join(format!("{folder}/seed-{seed}/evaluations.csv"));
            read_evaluations(&file).unwrap().last().unwrap().train_loss
        };
        let (a, b) = (loss(0), loss(1));
        let (mean, error) = ((a + b) / 2.0, (a - b).abs() / 2.0);
        let line = tip.lines().find(|line| line.trim_start().starts_with(&format!("{name}\t")));
        let numbers = line.unwrap_or_else(|| panic!("{name} is not in {tip}"));
        let numbers: Vec<f64> = numbers
            .split(['\t', ' ', '±'])
            .filter_map(|number| number.trim().parse().ok())
            .collect();
        assert!((numbers[0] - mean).abs() < 1e-3 * mean, "{name}: {numbers:?}, {mean}");
        assert!((numbers[1] - error).abs() < 1e-2 * error + 1e-5, "{name}: {numbers:?}, {error}");
    }

    for (n, name) in SIX.iter().enumerate() {
        assert!(pixels(&page, "course", n) > 100, "{name} is drawn");
        assert!(pixels(&page, "places", n) > 20, "{name} has its place");
    }

    page.click("#updates");
    assert!(hover(&page, "course", 0.5).starts_with("updates: "));
    page.click("#gradients");
    assert!(hover(&page, "course", 0.5).starts_with("gradients: "));
    page.click("#test_accuracy");
    assert!(hover(&page, "course", 1.0).contains(" %"));

    // What is pressed is what is shown.
    let pressed = |id: &str| -> String {
        page.js(&format!("document.getElementById('{id}').getAttribute('aria-pressed')"))
    };
    page.click("#time");
    page.click("#train_loss");
    for id in ["logX", "logY", "seeds"] {
        let before = pressed(id);
        let picture = |page: &Page<'_>| -> String {
            page.js("document.querySelector('#course canvas').toDataURL()")
        };
        let was = picture(&page);
        page.click(&format!("#{id}"));
        assert_ne!(pressed(id), before, "{id}");
        assert_ne!(picture(&page), was, "{id}");
    }

    // Who is hidden is nowhere to be seen.
    page.click("[data-toggle='3']");
    assert_eq!((pixels(&page, "course", 3), pixels(&page, "places", 3)), (0, 0));
    let seen: Vec<bool> = page
        .js("[...document.querySelectorAll('[data-entrant=\"3\"]')].map(part => part.offsetParent !== null)");
    assert!(seen.len() >= 2 && !seen.contains(&true), "{seen:?}");
    assert!(!hover(&page, "course", 1.0).contains("\nasync"));
    page.click("[data-toggle='3']");
    assert!(pixels(&page, "course", 3) > 100);

    let ground =
        |page: &Page<'_>| -> String { page.js("getComputedStyle(document.body).backgroundColor") };
    let light = ground(&page);
    page.click("#theme");
    assert_ne!(ground(&page), light);

    // On the frontier, only a place tells of itself.
    assert_eq!(hover(&page, "places", 0.5), "");
    // Of each entrant with stale gradients, and of no other, some are fresh.
    let fresh = hover(&page, "shares", 0.0);
    assert!(fresh.starts_with("staleness s: 0"), "{fresh}");
    for (name, stale) in SIX.iter().zip([false, false, false, true, true, true]) {
        let told = fresh.lines().any(|line| line.trim_start().starts_with(&format!("{name}\t")));
        assert_eq!(told, stale, "{name}: {fresh}");
    }
    page.says_nothing();
}

#[test]
fn races_of_every_kind_have_a_page_without_a_word_on_the_console() {
    let cases: [(&[&str], &str); 4] = [
        (&["sync"], "--budget 5"),
        // No update is made, and so there is no frontier.
        (&["sync"], "--budget 0.001 --evaluate-every 0.001"),
        (&["async", "sync"], "--budget 20 --learning-rate 1e9"),
        (
            &["k-sync:adasync", "async"],
            "--budget 60 --learning-rate 0.2 --adasync-every 5 --evaluate-every 5",
        ),
    ];
    let Some(browser) = Browser::start() else { return };
    for (entrants, flags) in cases {
        let out = race(entrants, flags);
        let page = browser.open(&out.path().join("report.html"));
        let stale: bool = page.js("!document.getElementById('staleness').hidden");
        assert_eq!(stale, entrants.contains(&"async"), "{entrants:?}");
        hover(&page, "course", 0.5);
        let k_moves: bool = page.js("!!document.getElementById('per_update')");
        assert_eq!(k_moves, entrants[0] == "k-sync:adasync", "{entrants:?}");
        if k_moves {
            page.click("#per_update");
            let file = out.path().join("k-sync-adasync/seed-0/evaluations.csv");
            let rows = read_evaluations(&file).unwrap();
            let [.., before, last] = &*rows else { panic!("{rows:?}") };
            let (gradients, updates) =
                (last.gradients - before.gradients, last.update - before.update);
            let k = gradients as f64 / updates as f64;
            let tip = hover(&page, "course", 1.0);
            let told = tip.lines().find_map(|line| line.trim().strip_prefix("k-sync:adasync\t"));
            let told: f64 = told.unwrap().trim().parse().unwrap();
            assert!((told - k).abs() < 1e-3, "{k}: {tip}");
        }
        page.says_nothing();
    }
}

#[test]
fn where_every_entrant_diverged_nobody_has_a_place() {
    let Some(browser) = Browser::start() else { return };
    for (flags, loss) in [
        ("--updates 20 --learning-rate 1e38", "NaN"),
        // Finite, but far above where it began.
        ("--updates 3 --learning-rate 1e30", "e"),
        ("--updates 3 --learning-rate 0.01", "."),
    ] {
        let out = race(&["async", "k-async:2"], flags);
        let page = browser.open(&out.path().join("report.html"));
        let text: String = page.js("document.getElementById('places').innerText");
        let drawn: usize = page.js("document.querySelectorAll('#places canvas').length");
        let expected = if loss == "." { ("", 1) } else { ("all diverged", 0) };
        assert_eq!((text.trim(), drawn), expected, "{flags}");
        let losses: Vec<String> = page
            .js("[...document.querySelectorAll('#results tbody td:nth-child(9)')].map(cell => \
             cell.innerText)");
        assert!(losses.len() == 2 && losses.iter().all(|cell| cell.contains(loss)), "{losses:?}");
        page.says_nothing();
    }
}

#[test]
fn a_page_of_six_entrants_and_five_seeds_is_small_and_needs_no_other_file() {
    let out = race(&SIX, "--budget 20 --seeds 5 --evaluate-every 0.5");
    let path = out.path().join("report.html");
    let bytes = fs::metadata(&path).unwrap().len();
    assert!(bytes < 2_000_000, "{bytes} bytes");
    // Patterns and arrows are in the page itself.
    let html = fs::read_to_string(&path).unwrap().replace("url(#", "");
    for outside in ["src=", "<link rel=\"stylesheet", "@import", "url(", "fetch(", "XMLHttpRequest"]
    {
        assert!(!html.contains(outside), "{outside}");
    }
    let Some(browser) = Browser::start() else { return };
    let page = browser.open(&path);
    let fetched: usize = page.js("performance.getEntriesByType('resource').length");
    assert_eq!(fetched, 0);
    let opened: f64 = page.js("performance.getEntriesByType('navigation')[0].loadEventEnd");
    println!("{bytes} bytes, opened in {opened:.0} ms");
    page.says_nothing();
}
