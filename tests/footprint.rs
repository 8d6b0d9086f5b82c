//! What data takes of the host's memory, counted by the allocator: each number once, nothing that grows with the rows where they
//! are read in parts, and nothing of what goes to the GPU. One test at a time: the count is the process's.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::io::Read;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use accrue::data::csv::{chunks, read};
use accrue::data::scale::Standardizer;
use accrue::data::split::held;
use accrue::data::{Batch, Spec, read_file};
use accrue::gpu::{Choice, Gpu};
use accrue::nn::Model;
use accrue::train::{Settings, Trainer};

/// The system's allocator with a count of the bytes that are out, and the most there were.
struct Counted;

static NOW: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

// Growing in place is counted as the system does it for what is large: the old and the new are not there side by side.
unsafe impl GlobalAlloc for Counted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        MOST.fetch_max(NOW.fetch_add(layout.size(), Relaxed) + layout.size(), Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Relaxed);
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let now = NOW.fetch_add(size, Relaxed) + size - layout.size();
        NOW.fetch_sub(layout.size(), Relaxed);
        MOST.fetch_max(now, Relaxed);
        unsafe { System.realloc(at, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counted = Counted;

/// What something makes, and the most bytes that were out beside what was before.
fn most<T>(what: impl FnOnce() -> T) -> (T, usize) {
    let before = NOW.load(Relaxed);
    MOST.store(before, Relaxed);
    let made = what();
    (made, MOST.load(Relaxed) - before)
}

static ALONE: Mutex<()> = Mutex::new(());

/// A little more than a power of two: a vector that doubles would take nearly twice what it needs.
const ROWS: usize = 70_000;
const COLUMNS: usize = 12;

/// A file that is made while it is read.
struct Generated {
    row: usize,
    line: Vec<u8>,
    at: usize,
}

impl Read for Generated {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        if self.at == self.line.len() && self.row <= ROWS {
            let cell = |column: usize| match self.row {
                0 => format!("x{column}"),
                row => format!("{:.4}", ((row * 31 + column * 17) % 9973) as f64 / 7.0),
            };
            let cells: Vec<String> = (0..COLUMNS).map(cell).collect();
            self.line = (cells.join(",") + "\n").into_bytes();
            (self.row, self.at) = (self.row + 1, 0);
        }
        let count = into.len().min(self.line.len() - self.at);
        into[..count].copy_from_slice(&self.line[self.at..][..count]);
        self.at += count;
        Ok(count)
    }
}

fn generated() -> Generated {
    Generated { row: 0, line: Vec::new(), at: 0 }
}

#[test]
fn data_is_held_once_and_in_parts_not_at_all() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let spec = Spec::values(["x11"]);
    let numbers = 4 * ROWS * COLUMNS;
    let some = 256 << 10;

    let (data, streamed) = most(|| read(generated(), "x.csv", &spec).unwrap());
    assert_eq!(data.rows(), ROWS);
    assert!(streamed < numbers * 9 / 8 + some, "{streamed} bytes for {numbers}, from a reader of unknown length");

    let path = std::env::temp_dir().join(format!("accrue-footprint-{}.csv", std::process::id()));
    std::io::copy(&mut generated(), &mut std::fs::File::create(&path).unwrap()).unwrap();
    let (mut same, whole) = most(|| read_file(&path, &spec).unwrap());
    assert!(whole < numbers * 105 / 100 + some, "{whole} bytes for {numbers}, from a file");
    assert!(same == data, "the same numbers");
    drop(data);

    let (validation, split) = most(|| {
        let held = held(ROWS, 0.2, 0).unwrap();
        same.split_off(&held).unwrap()
    });
    // A fifth, and four bytes a row for who is in it.
    assert!(split < numbers / 5 + 6 * ROWS + some, "{split} bytes to split {numbers}");
    assert_eq!((validation.rows(), same.rows()), (ROWS / 5, ROWS * 4 / 5));

    let (_, scaled) = most(|| {
        let values = same.features.values.floats();
        let scale = Standardizer::fit(values, COLUMNS - 1).unwrap();
        scale.apply(values, COLUMNS - 1).unwrap();
    });
    assert!(scaled < some, "{scaled} bytes to standardise {numbers}");

    let (rows, parts) = most(|| {
        let mut chunks = chunks(generated(), "x.csv", &spec).unwrap();
        let (mut part, mut rows) = (chunks.empty(), 0);
        while chunks.fill(&mut part, 100).unwrap() {
            rows += part.rows();
        }
        rows
    });
    assert_eq!(rows, ROWS);
    assert!(parts < some, "{parts} bytes for parts of 100 rows");
    std::fs::remove_file(&path).unwrap();
    #[cfg(feature = "npz")]
    arrays();
}

/// The same of an array, in both orders.
#[cfg(feature = "npz")]
fn arrays() {
    let spec = Spec::values(["x.11"]);
    let numbers = 4 * ROWS * COLUMNS;
    let folder = std::env::temp_dir().join(format!("accrue-footprint-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    for (fortran, some) in [("False", 256 << 10), ("True", 1280 << 10)] {
        let path = folder.join("x.npy");
        let header = format!("{{'descr': '<f4', 'fortran_order': {fortran}, 'shape': ({ROWS}, {COLUMNS}), }}");
        let mut bytes = [b"\x93NUMPY\x01\0", &(header.len() as u16).to_le_bytes()[..], header.as_bytes()].concat();
        bytes.extend((0..ROWS * COLUMNS).flat_map(|number| (number as f32).to_le_bytes()));
        std::fs::write(&path, &bytes).unwrap();
        drop(bytes);

        let (data, whole) = most(|| read_file(&path, &spec).unwrap());
        assert_eq!(data.rows(), ROWS);
        assert!(whole < numbers * 105 / 100 + some, "{whole} bytes for {numbers}, from an array");
        let (rows, parts) = most(|| {
            let mut chunks = accrue::data::Chunks::open(&path, &spec).unwrap();
            let (mut part, mut rows) = (chunks.empty(), 0);
            while chunks.fill(&mut part, 100).unwrap() {
                rows += part.rows();
            }
            rows
        });
        assert_eq!(rows, ROWS);
        assert!(parts < some, "{parts} bytes for parts of 100 rows of an array");
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn data_goes_to_the_gpu_without_a_second_copy_on_the_host() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let gpu = Gpu::new(&Choice::default()).unwrap();
    let model = Model::new(100, &[1.into()], "mse").unwrap();
    let mut trainer = Trainer::new(&gpu, &model, Settings { micro_batch: 32, ..Settings::default() }).unwrap();
    let rows = 100_000;
    let (x, y): (Vec<f32>, Vec<f32>) = (vec![0.5; 100 * rows], vec![0.25; rows]);
    let (attached, took) = most(|| trainer.attach(&Batch::values(&x, &y)));
    attached.unwrap();
    assert_eq!(trainer.data_rows() as usize, rows);
    // 40 MiB go in pieces of 4 MiB; the driver's own memory is not the allocator's.
    assert!(took < 6 << 20, "{took} bytes to put {} on the GPU", 4 * (x.len() + y.len()));
}
