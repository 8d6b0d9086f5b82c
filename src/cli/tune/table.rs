//! The table of an adapter and its driver: one small file. An unusable table is ignored.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use super::folder::folder;
use super::{Key, Tuned};
use crate::gpu::adapter;
use crate::{Error, Result, durable};

/// The version of the file's format; other versions are not read.
const FORMAT: u32 = 1;

/// Most entries: the oldest are removed first.
const MOST: usize = 200;

/// Most bytes: a larger file is not ours.
const BYTES: u64 = 1 << 20;

/// An adapter's table.
pub struct Table {
    file: PathBuf,
    adapter: String,
}

#[derive(Serialize, Deserialize)]
struct Page {
    format: u32,
    accrue: String,
    adapter: String,
    entries: Vec<Entry>,
}

#[derive(Serialize, Deserialize)]
struct Entry {
    #[serde(rename = "for")]
    key: Key,
    kernels: Tuned,
}

impl Table {
    /// The table of an adapter and its driver; `None` if the system has no folder for it.
    pub fn of(info: &wgpu::AdapterInfo) -> Option<Table> {
        Some(Table::at(&folder()?, info))
    }

    fn at(folder: &Path, info: &wgpu::AdapterInfo) -> Table {
        let adapter = adapter::describe(info);
        // Every version of Rust computes it alike, which std's hashers do not promise.
        let hash = xxh3_64(format!("{adapter} {:x} {:x}", info.vendor, info.device).as_bytes());
        Table { file: folder.join(format!("kernels-{}-{hash:016x}.json", slug(&info.name))), adapter }
    }

    /// Its file.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Makes its folder.
    pub fn make_folder(&self) -> Result<()> {
        let folder = self.file.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder).map_err(|error| Error::io(folder, error))
    }

    /// The known entries.
    pub fn find(&self, key: &Key) -> Option<Tuned> {
        self.read().into_iter().find(|entry| entry.key == *key).map(|entry| entry.kernels)
    }

    /// Writes an entry, replacing the earlier one of its key.
    pub fn keep(&self, key: Key, kernels: Tuned) -> Result<()> {
        let mut entries = self.read();
        entries.retain(|entry| entry.key != key);
        entries.drain(..(entries.len() + 1).saturating_sub(MOST));
        entries.push(Entry { key, kernels });
        let page = Page { format: FORMAT, accrue: version(), adapter: self.adapter.clone(), entries };
        let text = serde_json::to_string_pretty(&page).map_err(|e| Error::Internal(format!("table: {e}")))?;
        durable::write_bytes(&self.file, (text + "\n").as_bytes())
    }

    /// Removes the file, and says whether there was one.
    pub fn forget(&self) -> Result<bool> {
        match fs::remove_file(&self.file) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(Error::io(&self.file, error)),
        }
    }

    fn read(&self) -> Vec<Entry> {
        let text = match fs::metadata(&self.file) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Vec::new(),
            Ok(metadata) if metadata.len() > BYTES => Err(format!("{} bytes are too many", metadata.len())),
            _ => fs::read_to_string(&self.file).map_err(|error| error.to_string()),
        };
        text.and_then(|text| self.entries(&text)).unwrap_or_else(|why| {
            log::warn!("{}: {why}; the table is ignored, and `accrue tune` writes a new one", self.file.display());
            Vec::new()
        })
    }

    fn entries(&self, text: &str) -> Result<Vec<Entry>, String> {
        #[derive(Deserialize)]
        struct Head {
            format: u32,
            accrue: String,
            adapter: String,
        }
        let Head { format, accrue, adapter } = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if format != FORMAT || accrue != version() {
            return Err(format!("written by Accrue {accrue} in format {format}"));
        }
        if adapter != self.adapter {
            return Err(format!("written for {adapter}"));
        }
        let page: Page = serde_json::from_str(text).map_err(|error| error.to_string())?;
        Ok(page.entries)
    }
}

fn version() -> String {
    env!("CARGO_PKG_VERSION").to_owned()
}

/// A name as part of a file's name.
fn slug(name: &str) -> String {
    let lower = name.to_ascii_lowercase();
    let words = lower.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.take(4).collect::<Vec<_>>().join("-").chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::Model;
    use crate::plan::ExecutionMode;

    fn table(name: &str) -> Table {
        let folder = std::env::temp_dir().join(format!("accrue-table-{name}-{}", std::process::id()));
        let table = Table { file: folder.join("t.json"), adapter: "a".to_owned() };
        table.make_folder().unwrap();
        table
    }

    fn key(micro_batch: usize) -> Key {
        let network = Model::new(2, &[3.into(), "relu".into(), 1.into()], "mse").unwrap();
        Key { network, optimizer: "sgd".to_owned(), clip_norm: false, micro_batch, data_on_gpu: true }
    }

    fn tuned(times_as_fast: f64) -> Tuned {
        Tuned { mode: ExecutionMode::Fused, default: ExecutionMode::Windows, times_as_fast }
    }

    #[test]
    fn what_is_kept_is_found_and_the_oldest_goes_when_there_is_no_more_room() {
        let table = table("keep");
        for at in 1..=MOST + 1 {
            table.keep(key(at), tuned(2.0)).unwrap();
        }
        table.keep(key(7), tuned(3.0)).unwrap();
        assert_eq!(table.find(&key(1)), None);
        assert_eq!((table.find(&key(2)), table.find(&key(7))), (Some(tuned(2.0)), Some(tuned(3.0))));
        let folder = table.file().parent().unwrap();
        assert_eq!(fs::read_dir(folder).unwrap().count(), 1, "nothing is left aside");
        assert!(fs::metadata(table.file()).unwrap().len() < BYTES);
        assert!(table.forget().unwrap() && !table.forget().unwrap());
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_table_of_another_version_or_adapter_is_not_used_and_keys_to_come_do_not_harm() {
        let table = table("other");
        table.keep(key(1), tuned(2.0)).unwrap();
        let text = fs::read_to_string(table.file()).unwrap();
        fs::remove_dir_all(table.file().parent().unwrap()).unwrap();
        assert_eq!(table.entries(&text.replace("\"mode\"", "\"tiles\": 4, \"mode\"")).unwrap().len(), 1);
        let adapter = text.replace("\"a\"", "\"b\"");
        assert_eq!(table.entries(&adapter).err().unwrap(), "written for b");
        let version = text.replace(&version(), "0.0.1");
        assert_eq!(table.entries(&version).err().unwrap(), "written by Accrue 0.0.1 in format 1");
        assert!(table.entries(&text.replace("fused", "molten")).is_err());
    }

    #[test]
    fn a_name_makes_a_name_of_a_file() {
        assert_eq!(slug("llvmpipe (LLVM 15.0.6, 256 bits)"), "llvmpipe-llvm-15-0");
        assert_eq!(slug("../Größe/"), "gr-e");
    }
}
