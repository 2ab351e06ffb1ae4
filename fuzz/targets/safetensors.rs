//! Bytes for [`tortoise_fuzz::safetensors`].

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    tortoise_fuzz::safetensors(bytes);
});
