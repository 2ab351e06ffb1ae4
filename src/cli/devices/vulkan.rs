//! Why Vulkan has no adapter on Linux: what of it is installed, as the loader looks for it.

use std::{
    env, fs, iter,
    path::{Path, PathBuf},
};

use crate::engine::adapter::REMEDY;

/// What programs load, and what in turn loads the drivers.
const LOADER: &str = "libvulkan.so.1";
/// Variables that name the drivers' manifests in place of where they are installed.
const NAMED_BY: [&str; 2] = ["VK_DRIVER_FILES", "VK_ICD_FILENAMES"];

/// What is missing, and what to do about it.
pub(super) fn why_none() -> (String, String) {
    let Some(loader) = loader() else {
        return (format!("no Vulkan loader: {LOADER} is not there"), REMEDY.to_owned());
    };
    let loader = loader.display();
    let named = NAMED_BY.iter().find_map(|name| Some((name, env::var_os(name)?)));
    if let Some((name, paths)) = named {
        let missing: Vec<_> = env::split_paths(&paths).filter(|path| !path.exists()).collect();
        if let Some(path) = missing.first() {
            let found = format!("{name} names {}, which is not there", path.display());
            return (found, format!("unset {name}, or name a driver's manifest in it"));
        }
    } else if manifests().is_empty() {
        return (format!("a Vulkan loader, {loader}, but no driver"), REMEDY.to_owned());
    }
    let drivers: Vec<_> = manifests().iter().map(|path| path.display().to_string()).collect();
    let drivers =
        if drivers.is_empty() { String::new() } else { format!(": {}", drivers.join(", ")) };
    let found = format!("a Vulkan loader, {loader}, and drivers{drivers}; none has an adapter");
    (found, format!("VK_LOADER_DEBUG=all tortoise devices says why; or {REMEDY}"))
}

fn loader() -> Option<PathBuf> {
    let named = env::var_os("LD_LIBRARY_PATH").unwrap_or_default();
    let usual = ["/usr/local/lib", "/usr/lib", "/usr/lib64", "/lib", "/lib64"].map(PathBuf::from);
    let folders: Vec<_> = env::split_paths(&named).chain(usual).collect();
    // Debian has a folder an architecture, as in /usr/lib/x86_64-linux-gnu.
    let below = folders.iter().flat_map(|folder| children(folder)).filter(|path| path.is_dir());
    let all = folders.iter().cloned().chain(below);
    all.map(|folder| folder.join(LOADER)).find(|path| path.exists())
}

/// The drivers that are installed, as <https://github.com/KhronosGroup/Vulkan-Loader> finds them.
fn manifests() -> Vec<PathBuf> {
    let home = |below: &str| env::home_dir().unwrap_or_default().join(below).into_os_string();
    let folders = [
        ("XDG_CONFIG_HOME", home(".config")),
        ("XDG_CONFIG_DIRS", "/etc/xdg".into()),
        ("XDG_DATA_HOME", home(".local/share")),
        ("XDG_DATA_DIRS", "/usr/local/share:/usr/share".into()),
    ];
    let folders = folders.map(|(name, usual)| {
        let set = env::var_os(name).filter(|folders| !folders.is_empty()).unwrap_or(usual);
        env::split_paths(&set).collect::<Vec<_>>()
    });
    let folders = folders.into_iter().flatten().chain(iter::once("/etc".into()));
    let manifest = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "json");
    folders.flat_map(|folder| children(&folder.join("vulkan/icd.d"))).filter(manifest).collect()
}

fn children(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}
