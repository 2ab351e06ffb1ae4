//! A race in a few lines: two entrants on equal terms, recorded with all that a report needs.
//!
//! ```sh
//! cargo run --release --example race -- runs/mine
//! ```

use tortoise::race::Race;

fn main() -> tortoise::Result<()> {
    let directory = std::env::args().nth(1).expect("a folder to write to");
    let race = Race::mnist()?.entrants(["sync", "k-async:4"])?.learners(8).budget(60.0);
    let summary = race.record(directory)?;
    println!("{summary}");
    Ok(())
}
