//! A model to classify pictures with.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use tempfile::tempdir_in;

/// What trains it, which takes some seconds.
const TRAIN: &str = "train async -p 1 --device host --model mlp:128 -m 32 --updates 6000 \
                     --learning-rate 0.2 --rate-rule decay:factor=0.5,every=2000 --seed 1 --quiet";

/// The run directory of an MLP that was trained on MNIST, once for all tests. It stays until
/// `target/tmp` is cleared.
pub(crate) fn trained() -> &'static Path {
    static TRAINED: OnceLock<PathBuf> = OnceLock::new();
    TRAINED.get_or_init(|| {
        let run = tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap().keep().join("run");
        let mut train = Command::new(assert_cmd::cargo::cargo_bin!("tortoise"));
        train.current_dir(env!("CARGO_MANIFEST_DIR")).env_remove("TORTOISE_DATA");
        train.args(TRAIN.split(' ').filter(|word| !word.is_empty()));
        let output = train.arg("--out").arg(&run).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        run
    })
}
