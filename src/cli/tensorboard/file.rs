//! An event file of TensorBoard: records with check sums, each of which is an `Event` in the wire format of Protocol Buffers.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::protobuf::Message;
use crate::{Error, Result, durable};

/// How names of event files begin; then comes the second in which they were made, which puts them in order.
const BEGIN: &str = "events.out.tfevents.";

/// How names of our event files end.
const END: &str = ".accrue";

/// An event file that is being written. Every event is in the file when it is written.
pub struct EventFile {
    path: PathBuf,
    file: File,
}

impl EventFile {
    /// Begins a file in a folder, which is made if it is not there; other files stay, and come before it.
    pub fn create(folder: &Path) -> Result<EventFile> {
        durable::create_folder(folder)?;
        let mut second = seconds() as u64;
        loop {
            let path = folder.join(format!("{BEGIN}{second:010}{END}"));
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => second += 1,
                Err(error) => return Err(Error::io(&path, error)),
                Ok(file) => {
                    let mut events = EventFile { path, file };
                    events.event(0, 3, "brain.Event:2")?;
                    return Ok(events);
                }
            }
        }
    }

    /// The event files of ours that a folder has; none where there is no such folder.
    pub fn all(folder: &Path) -> Vec<PathBuf> {
        let paths = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
        let ours = |name: &str| name.starts_with(BEGIN) && name.ends_with(END);
        paths.filter(|path| path.file_name().and_then(|name| name.to_str()).is_some_and(ours)).collect()
    }

    /// Says that events of this step and later ones in earlier files do not count: they come again.
    pub fn restart(&mut self, step: u64) -> Result<()> {
        const START: i64 = 1;
        self.event(step, 7, Message::new().int(1, START))
    }

    /// Writes values by their tags.
    pub fn scalars(&mut self, step: u64, values: &[(String, f64)]) -> Result<()> {
        let summary = Message::new().each(values, |summary, (tag, value)| {
            summary.bytes(1, Message::new().bytes(1, tag).float(2, *value as f32))
        });
        self.event(step, 5, summary)
    }

    /// Writes an event, of which one field says what happened.
    fn event(&mut self, step: u64, field: u32, what: impl AsRef<[u8]>) -> Result<()> {
        let event = Message::new().double(1, seconds()).int(2, step as i64).bytes(field, what);
        self.file.write_all(&record(event.as_ref())).map_err(|error| Error::io(&self.path, error))
    }
}

/// Seconds since 1970.
fn seconds() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

/// Length, its check sum, data, its check sum.
fn record(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    [&length, &masked(&length).to_le_bytes()[..], data, &masked(data).to_le_bytes()].concat()
}

/// The check sum as it stands in records: a file may hold check sums of check sums.
fn masked(data: &[u8]) -> u32 {
    crc32c(data).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// CRC-32C, Castagnoli's polynomial reversed.
fn crc32c(data: &[u8]) -> u32 {
    let bit = |crc: u32, _| (crc >> 1) ^ (0x82f6_3b78 & (crc & 1).wrapping_neg());
    !data.iter().fold(!0, |crc, &byte| (0..8).fold(crc ^ u32::from(byte), bit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_sums_are_those_of_the_standard() {
        // RFC 3720, B.4.
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c(&[0xff; 32]), 0x62a8_ab43);
        assert_eq!(masked(b"123456789"), 0xc78a_b0e5);
    }

    #[test]
    fn files_made_in_the_same_second_have_names_of_their_own() {
        let folder = std::env::temp_dir().join(format!("accrue-events-{}", std::process::id()));
        let made = [(); 3].map(|()| EventFile::create(&folder).unwrap().path);
        let mut found = EventFile::all(&folder);
        found.sort();
        assert_eq!(found, made);
        std::fs::remove_dir_all(&folder).unwrap();
        assert!(EventFile::all(&folder).is_empty());
    }
}
