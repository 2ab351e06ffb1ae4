//! Files in the format of MNIST, plain or packed.

use std::io::Write as _;

use flate2::{Compression, write::GzEncoder};

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn idx(magic: u32, sizes: &[u32], elements: &[u8]) -> Vec<u8> {
    let header = [&[magic], sizes].concat();
    let header = header.iter().flat_map(|word| word.to_be_bytes());
    header.chain(elements.iter().copied()).collect()
}
