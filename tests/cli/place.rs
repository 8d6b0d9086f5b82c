//! A temporary folder with data and a configuration, and the command run in it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A classification with rows of its own to validate on.
pub const CLASSES: &str = r#"
[data]
path = "classes.csv"
target = "side"
validation = "held.csv"
[model]
layers = [8, "relu"]
loss = "cross_entropy"
[train]
epochs = 3
batch = 16
micro_batch = 8
[optimizer]
lr = 0.1
momentum = 0.9
"#;

/// A regression with two targets.
pub const NUMBERS: &str = r#"
[data]
path = "numbers.csv"
target = ["sum", "product"]
[model]
layers = [8, "tanh"]
loss = "mse"
[train]
epochs = 3
batch = 16
micro_batch = 16
[optimizer]
lr = 0.1
"#;

/// A folder of one test. It goes when the test has passed.
pub struct Place(PathBuf);

impl Place {
    /// With data, a configuration `c.toml` of [`CLASSES`], and another `n.toml` of [`NUMBERS`].
    pub fn new(name: &str) -> Place {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cli").join(name);
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        let place = Place(folder);
        place.write("classes.csv", classes(0..40));
        place.write("held.csv", classes(40..60));
        place.write("numbers.csv", numbers(50));
        place.write("c.toml", CLASSES);
        place.write("n.toml", NUMBERS);
        place
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), bytes).unwrap();
    }

    pub fn bytes(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    pub fn text(&self, name: &str) -> String {
        String::from_utf8(self.bytes(name)).unwrap()
    }

    /// The checkpoints of a run, the last one at the end.
    pub fn checkpoints(&self, run: &str) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.path(&format!("{run}/checkpoints"))).into_iter().flatten();
        let visible = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().starts_with("update-");
        let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).filter(visible).collect();
        files.sort();
        files
    }

    /// The lines of a run's metrics.
    pub fn metrics(&self, run: &str) -> Vec<serde_json::Value> {
        let text = self.text(&format!("{run}/metrics.jsonl"));
        assert!(text.ends_with('\n'), "the last line is complete");
        text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{line}: {e}"))).collect()
    }

    /// The command with its words, to be run in this folder: no terminal, no logging, colours as by default, and no table of
    /// kernels but the test's own.
    pub fn command(&self, words: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_accrue"));
        command.args(words.split_whitespace()).current_dir(&self.0);
        command.env_remove("RUST_LOG").env_remove("NO_COLOR").env("COLUMNS", "100").stdin(Stdio::null());
        command.env("ACCRUE_CACHE", self.path("cache"));
        command
    }

    /// Starts the command, waits until it has come so far, sends it a signal, waits for its end and returns its code.
    pub fn stopped(&self, words: &str, signal: &str, far: impl Fn() -> bool) -> Option<i32> {
        let mut child = self.command(words).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let begun = Instant::now();
        while !far() {
            assert!(begun.elapsed() < Duration::from_secs(60), "it trains");
            std::thread::sleep(Duration::from_millis(1));
        }
        assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
        child.wait().unwrap().code()
    }

    /// Runs the command.
    pub fn run(&self, words: &str) -> Ended {
        Ended::of(self.command(words), words)
    }

    /// Runs the command, which must succeed in silence on standard error, except for the name of the model that it takes, and
    /// returns what it printed.
    pub fn ok(&self, words: &str) -> String {
        let ended = self.run(words);
        let said: Vec<&str> = ended.err.lines().filter(|line| !line.starts_with("model: ")).collect();
        assert_eq!((ended.code, said), (0, Vec::new()), "accrue {words}");
        ended.out
    }

    /// Runs the command, which must fail with this code and one line that contains these parts.
    pub fn fails(&self, words: &str, code: i32, parts: &[&str]) {
        self.run(words).failed(code, parts);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }
}

/// How a command ended.
pub struct Ended {
    words: String,
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "accrue {} ended with {}: {}", self.words, self.code, self.err)
    }
}

impl Ended {
    pub fn of(mut command: Command, words: &str) -> Ended {
        let output = command.output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let code = output.status.code().unwrap_or(-1);
        Ended { words: words.to_owned(), code, out: text(output.stdout), err: text(output.stderr) }
    }

    pub fn failed(&self, code: i32, parts: &[&str]) {
        let Ended { words, err, .. } = self;
        assert_eq!(self.code, code, "accrue {words}\n{err}");
        assert!(err.starts_with("error: ") && err.ends_with('\n'), "accrue {words}\n{err}");
        assert_eq!(err.lines().count(), 1, "one line\n{err}");
        for part in parts {
            assert!(err.contains(part), "accrue {words}\n{err}lacks {part:?}");
        }
    }
}

/// Rows of three classes, which two features tell apart.
pub fn classes(rows: std::ops::Range<usize>) -> String {
    let mut csv = "x,y,side\n".to_owned();
    for row in rows {
        let (x, y) = (spread(row, 0.618), 100.0 * spread(row, 0.414));
        let side = if x < -0.3 {
            "left"
        } else if y < 0.0 {
            "below"
        } else {
            "above"
        };
        csv += &format!("{x:.4},{y:.3},{side}\n");
    }
    csv
}

fn numbers(rows: usize) -> String {
    let mut csv = "a,b,sum,product\n".to_owned();
    for row in 0..rows {
        let (a, b) = (spread(row, 0.618), spread(row, 0.414));
        csv += &format!("{a:.4},{b:.4},{:.4},{:.4}\n", 1000.0 + 50.0 * (a + b), a * b);
    }
    csv
}

/// Points that fill (-1, 1) evenly.
fn spread(row: usize, step: f64) -> f64 {
    2.0 * ((row as f64 + 0.5) * step).fract() - 1.0
}
