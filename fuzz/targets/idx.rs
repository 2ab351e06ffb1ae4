//! Bytes for [`tortoise_fuzz::idx`].

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    tortoise_fuzz::idx(bytes);
});
