//! Bytes for [`tortoise_fuzz::trace`].

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    tortoise_fuzz::trace(bytes);
});
