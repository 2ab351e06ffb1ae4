//! Bytes for [`tortoise_fuzz::config`].

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    tortoise_fuzz::config(bytes);
});
