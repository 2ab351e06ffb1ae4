//! Bytes for [`tortoise_fuzz::events`].

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    tortoise_fuzz::events(bytes);
});
