//! A picture that is made smaller while it is read, so that however large it is, little is kept of it.

use image::{Rgb, Rgb32FImage};

/// A side of more pixels than this is made smaller, to as many at most.
pub(super) const LONGEST: u32 = 1024;

/// The means of blocks of pixels.
#[derive(Debug)]
pub(super) struct Reduced {
    width: u32,
    height: u32,
    /// Pixels of a side of a block.
    block: u32,
    /// A row of blocks after the other: red, green and blue as far as they cover the paper, and how
    /// far, summed up.
    sums: Vec<[f32; 4]>,
}

impl Reduced {
    /// For a picture of so many pixels; none if there is not the memory.
    pub(super) fn new(width: u32, height: u32) -> Option<Self> {
        let block = width.max(height).div_ceil(LONGEST);
        let length = (width.div_ceil(block) * height.div_ceil(block)) as usize;
        let mut sums = Vec::new();
        sums.try_reserve_exact(length).ok()?;
        sums.resize(length, [0.0; 4]);
        Some(Self { width, height, block, sums })
    }

    /// Adds the pixels of row `y` that are at `from`, `from + step` and so on.
    pub(super) fn add(
        &mut self,
        y: u32,
        (from, step): (u32, u32),
        pixels: impl Iterator<Item = [f32; 4]>,
    ) {
        let across = self.width.div_ceil(self.block) as usize;
        let row = &mut self.sums[(y / self.block) as usize * across..][..across];
        // Counted, since a division a pixel takes longer than all the rest.
        let (mut at, mut rest) = ((from / self.block) as usize, from % self.block);
        for [red, green, blue, alpha] in pixels {
            let of = [alpha * red, alpha * green, alpha * blue, alpha];
            row[at].iter_mut().zip(of).for_each(|(sum, value)| *sum += value);
            rest += step;
            while rest >= self.block {
                rest -= self.block;
                at += 1;
            }
        }
    }

    /// Laid upon white, or upon black if what is to be seen is bright.
    pub(super) fn upon_paper(self) -> Rgb32FImage {
        let (mut bright, mut seen) = (0.0, 0.0);
        for [red, green, blue, alpha] in &self.sums {
            bright += f64::from((red + green + blue) / 3.0);
            seen += f64::from(*alpha);
        }
        let paper = if bright > 0.5 * seen { 0.0 } else { 1.0 };
        let [across, down] = [self.width, self.height].map(|side| side.div_ceil(self.block));
        let pixels = |at: u32, side: u32| self.block.min(side - at * self.block);
        Rgb32FImage::from_fn(across, down, |x, y| {
            let count = (pixels(x, self.width) * pixels(y, self.height)) as f32;
            let mean = self.sums[(y * across + x) as usize].map(|sum| sum / count);
            let [red, green, blue, alpha] = mean;
            Rgb([red, green, blue].map(|c| (c + (1.0 - alpha) * paper).clamp(0.0, 1.0)))
        })
    }
}
