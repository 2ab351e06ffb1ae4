//! What TensorBoard reads: a file of events, each a protocol buffer in a frame with checksums.
//!
//! The frame is that of `tensorflow/core/lib/io/record_writer.h`, the events are those of
//! `tensorflow/core/util/event.proto` and `framework/summary.proto`. The wall time of an event is run
//! time in seconds, so that TensorBoard's horizontal axis "Relative" is run time, and a run in virtual
//! time gives the same bytes twice.

use std::path::PathBuf;

use super::appender::Appender;
use crate::{Result, ids::Version};

/// The name of the file; TensorBoard looks for `tfevents` in it.
pub(super) const FILE: &str = "events.out.tfevents.tortoise";
/// Up to this update each one is told of, then every second up to twice as many, and so on.
const EACH: Version = 1000;

/// A file of events that grows.
#[derive(Debug)]
pub(super) struct TensorBoard(pub(super) Appender);

/// A protocol buffer.
#[derive(Debug, Default)]
struct Message(Vec<u8>);

/// Whether an update is one of those that are told of; a function of its number, so that a run that
/// goes on tells of the same.
pub(super) fn tells_of(version: Version) -> bool {
    version.is_multiple_of(version.div_ceil(EACH).next_power_of_two())
}

impl TensorBoard {
    /// Makes the file.
    pub(super) fn create(path: PathBuf) -> Result<Self> {
        let mut board = Self(Appender::create(path)?);
        board.record(&Message::default().double(1, 0.0).bytes(3, b"brain.Event:2"))?;
        Ok(board)
    }

    /// Opens the file to go on after its first `length` bytes. Nothing is changed until it is cut; what
    /// is lost then comes again, or is in the other records.
    pub(super) fn open(path: PathBuf, length: u64) -> Result<Self> {
        Appender::open(path, length).map(Self)
    }

    /// Adds numbers at run time `t`, each under its name.
    pub(super) fn scalars(&mut self, t: f64, step: Version, values: &[(&str, f64)]) -> Result<()> {
        let summary = values.iter().fold(Message::default(), |summary, &(tag, value)| {
            let value = Message::default().bytes(1, tag.as_bytes()).float(2, value as f32);
            summary.message(1, &value)
        });
        self.event(t, step, &summary)
    }

    /// Adds how often 0, 1, 2, ... was met, at run time `t`.
    pub(super) fn histogram(
        &mut self,
        t: f64,
        step: Version,
        tag: &str,
        counts: &[u64],
    ) -> Result<()> {
        let met = || (0_u64..).zip(counts).filter(|(_, count)| **count > 0);
        let (Some((least, _)), Some((most, _))) = (met().next(), met().last()) else {
            return Ok(());
        };
        let sum = |power| met().map(|(of, count)| (of as f64).powi(power) * *count as f64).sum();
        let packed = |values: Vec<f64>| -> Vec<u8> {
            values.into_iter().flat_map(f64::to_le_bytes).collect()
        };
        let within = &counts[least as usize..=most as usize];
        let limits = (least..=most).map(|of| of as f64 + 0.5).collect();
        let histogram = Message::default()
            .double(1, least as f64)
            .double(2, most as f64)
            .double(3, sum(0))
            .double(4, sum(1))
            .double(5, sum(2))
            .bytes(6, &packed(limits))
            .bytes(7, &packed(within.iter().map(|count| *count as f64).collect()));
        let value = Message::default().bytes(1, tag.as_bytes()).message(5, &histogram);
        self.event(t, step, &Message::default().message(1, &value))
    }

    fn event(&mut self, t: f64, step: Version, summary: &Message) -> Result<()> {
        self.record(&Message::default().double(1, t).integer(2, step).message(5, summary))
    }

    /// Length, its checksum, data and their checksum, all little-endian.
    fn record(&mut self, Message(data): &Message) -> Result<()> {
        let length = (data.len() as u64).to_le_bytes();
        self.0.record(|buffer| {
            buffer.extend(length);
            buffer.extend(masked_checksum(&length).to_le_bytes());
            buffer.extend(data);
            buffer.extend(masked_checksum(data).to_le_bytes());
            Ok(())
        })
    }
}

/// The checksum of a frame: CRC32C, turned and moved so that data with checksums in them are no worse.
fn masked_checksum(data: &[u8]) -> u32 {
    crc32c::crc32c(data).rotate_right(15).wrapping_add(0xa282_ead8)
}

impl Message {
    fn double(mut self, field: u8, value: f64) -> Self {
        self.key(field, 1);
        self.0.extend(value.to_le_bytes());
        self
    }

    fn float(mut self, field: u8, value: f32) -> Self {
        self.key(field, 5);
        self.0.extend(value.to_le_bytes());
        self
    }

    fn integer(mut self, field: u8, value: u64) -> Self {
        self.key(field, 0);
        self.varint(value);
        self
    }

    fn bytes(mut self, field: u8, value: &[u8]) -> Self {
        self.key(field, 2);
        self.varint(value.len() as u64);
        self.0.extend(value);
        self
    }

    fn message(self, field: u8, Self(value): &Self) -> Self {
        self.bytes(field, value)
    }

    fn key(&mut self, field: u8, kind: u8) {
        self.varint(u64::from(field << 3 | kind));
    }

    /// Seven bits a byte, the lowest first; all but the last have the eighth set.
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_are_those_of_the_protocol_buffers_page() {
        let message = Message::default().integer(1, 150);
        assert_eq!(message.0, [0x08, 0x96, 0x01]);
        let message = Message::default().bytes(2, b"testing");
        assert_eq!(message.0, b"\x12\x07testing");
    }

    #[test]
    fn thousands_of_updates_are_told_of_by_ever_fewer() {
        let told = |from, to| (from..=to).filter(|version| tells_of(*version)).count();
        assert_eq!([told(1, 1000), told(1001, 2000), told(2001, 4000)], [1000, 500, 500]);
        assert_eq!(told(1, 1_024_000), 1000 + 10 * 500);
    }
}
