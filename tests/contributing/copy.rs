//! A copy of the source tree, to which something is added.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The root of the repository.
pub const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Where the copy stands: it stays, so that the next time only what has changed is built again.
const TO: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/contributing");

/// The folder that dependencies are built in already.
pub fn target_dir() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("target/tmp is in target")
}

/// The files of the copy, by their paths in it.
pub struct Copy(BTreeMap<String, Vec<u8>>);

impl Copy {
    /// All that the library and the command are built from. The package has a name of its own, so that nothing that was built of
    /// it takes the place of the real one.
    pub fn of_the_source() -> Copy {
        let mut files = BTreeMap::new();
        for folder in ["src", "shaders"] {
            collect(&Path::new(ROOT).join(folder), &mut files);
        }
        let mut copy = Copy(files);
        for file in ["Cargo.toml", "Cargo.lock"] {
            let text = fs::read_to_string(Path::new(ROOT).join(file)).unwrap();
            let text = text.replacen("name = \"accrue\"", "name = \"accrue-contributing\"", 1);
            copy.write(file, text.split_inclusive("\n\n").filter(|part| !is_other_target(part)).map(renamed).collect());
        }
        copy
    }

    /// The folder of the copy.
    pub fn root(&self) -> &'static Path {
        Path::new(TO)
    }

    /// The text of a file, if it is there.
    pub fn text(&self, file: &str) -> Option<String> {
        self.0.get(file).map(|bytes| String::from_utf8(bytes.clone()).unwrap())
    }

    /// The files of a folder: their paths in it, and their texts.
    pub fn files_of(&self, folder: &str) -> impl Iterator<Item = (&str, &str)> {
        let text = |bytes| std::str::from_utf8(bytes).unwrap();
        self.0.iter().filter_map(move |(path, bytes)| Some((path.strip_prefix(folder)?, text(bytes))))
    }

    /// Adds a file, or replaces it.
    pub fn write(&mut self, file: &str, text: String) {
        self.0.insert(file.to_owned(), text.into_bytes());
    }

    /// Makes the folder what the copy is; what has not changed is not written, so that it counts as built.
    pub fn finish(&self) {
        let mut there = BTreeMap::new();
        for folder in ["src", "shaders", "tests"] {
            collect_under(&self.root().join(folder), self.root(), &mut there);
        }
        for file in there.keys().filter(|file| !self.0.contains_key(*file)) {
            fs::remove_file(self.root().join(file)).unwrap();
        }
        for (file, bytes) in &self.0 {
            let path = self.root().join(file);
            if fs::read(&path).ok().as_ref() != Some(bytes) {
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(&path, bytes).unwrap();
            }
        }
    }
}

/// Whether a part of `Cargo.toml` is about a test, a benchmark or an example, of which the copy has none.
fn is_other_target(part: &str) -> bool {
    ["[[test]]", "[[bench]]", "[[example]]"].iter().any(|head| part.starts_with(head))
}

/// The command, by another name.
fn renamed(part: &str) -> String {
    match part.starts_with("[[bin]]") {
        true => part.replace("name = \"accrue\"", "name = \"accrue-contributing\""),
        false => part.to_owned(),
    }
}

fn collect(folder: &Path, files: &mut BTreeMap<String, Vec<u8>>) {
    collect_under(folder, Path::new(ROOT), files);
}

/// The files of a folder, by their paths from `root`, with a `/` everywhere.
fn collect_under(folder: &Path, root: &Path, files: &mut BTreeMap<String, Vec<u8>>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for path in entries.map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            collect_under(&path, root, files);
            continue;
        }
        let from: PathBuf = path.strip_prefix(root).unwrap().to_owned();
        let name: Vec<&str> = from.iter().map(|part| part.to_str().unwrap()).collect();
        files.insert(name.join("/"), fs::read(&path).unwrap());
    }
}
