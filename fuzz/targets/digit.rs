//! Bytes for [`tortoise_fuzz::digit`].

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    tortoise_fuzz::digit(bytes);
});
