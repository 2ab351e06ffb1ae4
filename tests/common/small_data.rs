//! Data sets that take little time to learn from.

use std::{fs, io::Read as _, path::Path};

use flate2::read::GzDecoder;

use tempfile::{TempDir, tempdir};

/// A folder with MNIST's names and a few images of noise, in ten classes.
pub(crate) fn small_data() -> TempDir {
    let folder = tempdir().unwrap();
    let mut state = 1_u32;
    let mut noise = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    for (name, samples) in [("train", 200_u32), ("t10k", 50)] {
        let head = |magic: u32, sizes: &[u32]| -> Vec<u8> {
            [&[magic], sizes].concat().iter().flat_map(|word| word.to_be_bytes()).collect()
        };
        let pixels = (0..samples * 784).map(|_| noise());
        let images: Vec<u8> = head(0x803, &[samples, 28, 28]).into_iter().chain(pixels).collect();
        let labels = (0..samples).map(|sample| (sample % 10) as u8);
        let labels: Vec<u8> = head(0x801, &[samples]).into_iter().chain(labels).collect();
        fs::write(folder.path().join(format!("{name}-images-idx3-ubyte")), images).unwrap();
        fs::write(folder.path().join(format!("{name}-labels-idx1-ubyte")), labels).unwrap();
    }
    folder
}

/// A folder with MNIST's first images: 2000 to learn from, 500 to test.
#[allow(dead_code, reason = "not every program of tests needs it")]
pub(crate) fn first_images() -> TempDir {
    let (mnist, folder) =
        (Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/data/mnist")), tempdir().unwrap());
    for (name, samples) in [("train", 2000_u32), ("t10k", 500)] {
        for (kind, head, size) in [("images-idx3-ubyte", 16, 784), ("labels-idx1-ubyte", 8, 1)] {
            let packed = fs::File::open(mnist.join(format!("{name}-{kind}.gz"))).unwrap();
            let mut bytes = vec![0; head + samples as usize * size];
            GzDecoder::new(packed).read_exact(&mut bytes).unwrap();
            bytes[4..8].copy_from_slice(&samples.to_be_bytes());
            fs::write(folder.path().join(format!("{name}-{kind}")), bytes).unwrap();
        }
    }
    folder
}
