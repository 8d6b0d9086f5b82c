//! The folder of the tables.

use std::path::PathBuf;

use etcetera::BaseStrategy;

/// Returns `ACCRUE_CACHE`, or our folder in the user's cache folder; `None` if no home is known.
pub fn folder() -> Option<PathBuf> {
    let own = std::env::var_os("ACCRUE_CACHE").filter(|own| !own.is_empty()).map(PathBuf::from);
    own.or_else(|| {
        let caches = etcetera::base_strategy::choose_native_strategy().ok()?.cache_dir();
        // An empty HOME names no folder.
        caches.is_absolute().then(|| caches.join("accrue"))
    })
}
