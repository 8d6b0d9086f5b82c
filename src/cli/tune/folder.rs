//! The folder of the tables.

use std::path::PathBuf;

/// `ACCRUE_CACHE`, or a folder of our own where the system keeps a user's caches; none where nothing says where that is.
pub fn folder() -> Option<PathBuf> {
    folder_of(|name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from))
}

fn folder_of(variable: impl Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    if let Some(own) = variable("ACCRUE_CACHE") {
        return Some(own);
    }
    let caches = if cfg!(windows) {
        variable("LOCALAPPDATA")
    } else if cfg!(target_os = "macos") {
        variable("HOME").map(|home| home.join("Library/Caches"))
    } else {
        // A relative one is to be ignored, says the XDG Base Directory Specification.
        let caches = variable("XDG_CACHE_HOME").filter(|caches| caches.is_absolute());
        caches.or_else(|| variable("HOME").map(|home| home.join(".cache")))
    };
    caches.map(|caches| caches.join("accrue"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(variables: &[(&str, &str)]) -> Option<PathBuf> {
        folder_of(|name| variables.iter().find(|variable| variable.0 == name).map(|variable| variable.1.into()))
    }

    #[test]
    fn a_folder_that_is_named_wins_and_none_is_no_folder() {
        let all = [("ACCRUE_CACHE", "own"), ("XDG_CACHE_HOME", "/x"), ("HOME", "/h"), ("LOCALAPPDATA", "/l")];
        assert_eq!(folder(&all), Some("own".into()));
        assert_eq!(folder(&[]), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn without_one_it_is_where_linux_keeps_caches() {
        assert_eq!(folder(&[("XDG_CACHE_HOME", "/x"), ("HOME", "/h")]), Some("/x/accrue".into()));
        assert_eq!(folder(&[("XDG_CACHE_HOME", "x"), ("HOME", "/h")]), Some("/h/.cache/accrue".into()));
    }
}
