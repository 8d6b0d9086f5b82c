//! The arguments of the command, and its `--help`.

mod bench;
mod tune;

use std::path::PathBuf;

use clap::builder::styling::{AnsiColor, Styles};
use clap::{Args, Parser, Subcommand};

pub use bench::{Bench, What};
pub use tune::Tune;

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

// clap takes the escapes out again where there is no colour.
const AFTER_HELP: &str = "\
\x1b[1;32mExit codes:\x1b[0m
  0 ok         3 config       6 device lost   9 file system
  1 internal   4 data         7 memory      130 interrupted
  2 usage      5 no adapter   8 diverged

\x1b[1;32mEnvironment:\x1b[0m
  \x1b[1;36mWGPU_BACKEND\x1b[0m        Only vulkan, metal or dx12
  \x1b[1;36mWGPU_ADAPTER_NAME\x1b[0m   As --adapter, which goes first
  \x1b[1;36mWGPU_DX12_COMPILER\x1b[0m  Compile with fxc or dxc; without it dxcompiler.dll, where it is
  \x1b[1;36mACCRUE_KERNELS\x1b[0m      Take ops, fused or windows where train.kernels is auto
  \x1b[1;36mACCRUE_CACHE\x1b[0m        The folder of the tables of accrue tune
  \x1b[1;36mNO_COLOR\x1b[0m            Print no colours
  \x1b[1;36mRUST_LOG\x1b[0m            Log error, warn, info, debug or trace

\x1b[1;32mStart here:\x1b[0m
  accrue init
  accrue train config.toml --out runs/first
  accrue eval runs/first --data test.csv";

const DOCTOR_HELP: &str = "\
\x1b[1;32mIn the table:\x1b[0m
  ok     linear.forward  3.1e-7 of 1.2e-6    3.1e-7 from its reference, where rounding explains 1.2e-6
  WRONG  linear.forward  …                   the case, its first wrong element, what it should be

\x1b[1;32mExit codes:\x1b[0m
  0 all right      1 a kernel is wrong or bits differ      5 no adapter      6 device lost";

/// Trains neural networks on any GPU; the batch is for the maths, the micro-batch is for the memory.
#[derive(Clone, Debug, PartialEq, Parser)]
#[command(name = "accrue", version, styles = STYLES, max_term_width = 100, after_help = AFTER_HELP)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Clone, Debug, PartialEq, Subcommand)]
pub enum Command {
    /// Train a model and save it with its losses and a report.
    Train(Train),
    /// Show what training would do and take, without training: windows, learning rates, memory.
    Plan(Plan),
    /// Check that the bits of your own training are the same however its batches are cut.
    Verify(Verify),
    /// Measure which kernels are fastest for your network here, and keep the answer.
    ///
    /// Trains on the configuration's data by each of the kernels that network and adapter can take, in rounds that take
    /// turns, on weights that are thrown away. The fastest is kept in a table of this adapter and driver, in your cache
    /// folder or in ACCRUE_CACHE: `train`, `plan` and `verify` look there unless the configuration names kernels. It is never
    /// needed, and changes how long a training takes, never a bit of its result.
    Tune(Tune),
    /// Measure a saved model on a CSV file.
    Eval(Eval),
    /// Write a saved model's predictions for the rows of a CSV file.
    Predict(Predict),
    /// List the adapters, their limits, and which one would be chosen.
    Devices,
    /// Check every kernel on your GPU against plain arithmetic, and measure how fast it is.
    ///
    /// Runs every kernel that training uses here on awkward shapes, and compares each with its reference in 64-bit arithmetic on
    /// the CPU. Then it trains a small network several times, each time with its batches cut differently: every bit of the
    /// result must be the same. At the end it measures what a dispatch costs, and how fast matrices and memory are.
    ///
    /// Run it once on a new GPU and after a change of driver, and before you report a result that looks wrong. Nearly all of
    /// its time goes into compiling kernels, so that a second run is faster where the driver keeps them.
    Doctor(Doctor),
    /// Measure how fast your GPU trains.
    ///
    /// Trains networks on random numbers and says how many samples it takes in a second, what that costs, and how long the
    /// first update takes to come; then what accumulation costs, and how fast matrix products are. It takes about two
    /// minutes; the machine should have nothing else to do.
    Bench(Bench),
    /// Write a commented configuration to start from.
    Init(Init),
}

/// `accrue train CONFIG --out DIR`
#[derive(Clone, Debug, PartialEq, Args)]
pub struct Train {
    /// The configuration, a TOML file; paths in it are relative to its folder.
    pub config: PathBuf,
    /// The folder to write the run to: model, best model, checkpoints, configuration, metrics and report.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Use VALUE for one key of the configuration, as in `--set optimizer.lr=0.1`; may be given many times.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub sets: Vec<String>,
    /// Start over: what DIR has of a run is removed when the new one begins; without this a run that was stopped goes on.
    #[arg(long)]
    pub fresh: bool,
    /// Go on although the micro-batch, memory, kernels, adapter or such has changed, which cannot spoil the result.
    #[arg(long, conflicts_with = "fresh")]
    pub resume_with_changes: bool,
    /// Time every kernel on the GPU, and print after the training where the time went.
    #[arg(long)]
    pub profile: bool,
    /// Write where the time went to FILE as JSON.
    #[arg(long, value_name = "FILE")]
    pub profile_json: Option<PathBuf>,
    /// Write the first 20000 kernels and submissions to FILE as a trace, which Perfetto opens.
    #[arg(long, value_name = "FILE")]
    pub profile_trace: Option<PathBuf>,
    /// What every command that computes takes.
    #[command(flatten)]
    pub common: Common,
}

impl Train {
    /// Whether kernels are to be timed.
    pub fn is_timed(&self) -> bool {
        self.profile || self.profile_json.is_some() || self.profile_trace.is_some()
    }
}

/// `accrue plan CONFIG`
#[derive(Clone, Debug, PartialEq, Args)]
pub struct Plan {
    /// The configuration, a TOML file; paths in it are relative to its folder.
    pub config: PathBuf,
    /// Use VALUE for one key of the configuration, as in `--set train.memory=64MiB`; may be given many times.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub sets: Vec<String>,
    /// Show the memory that each micro-batch would take.
    #[arg(long)]
    pub sweep: bool,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
    /// What every command that computes takes.
    #[command(flatten)]
    pub common: Common,
}

/// `accrue verify CONFIG`
#[derive(Clone, Debug, PartialEq, Args)]
pub struct Verify {
    /// The configuration, a TOML file; paths in it are relative to its folder.
    pub config: PathBuf,
    /// Use VALUE for one key of the configuration, as in `--set train.batch=512`; may be given many times.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub sets: Vec<String>,
    /// Compare the first N updates.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u64).range(1..))]
    pub updates: u64,
    /// Print the result as JSON.
    #[arg(long)]
    pub json: bool,
    /// What every command that computes takes.
    #[command(flatten)]
    pub common: Common,
}

/// `accrue eval RUN --data FILE`
#[derive(Clone, Debug, PartialEq, Args)]
pub struct Eval {
    /// The folder of the run that `accrue train` wrote, or one model of it, such as its `best.safetensors`.
    pub run: PathBuf,
    /// The CSV file to measure on, with the columns of the training data, the target too.
    #[arg(long, value_name = "FILE.csv")]
    pub data: PathBuf,
    /// The column of FILE.csv that says how much each row counts; without it all count 1.
    #[arg(long, value_name = "COLUMN")]
    pub weight: Option<String>,
    /// What every command that computes takes.
    #[command(flatten)]
    pub common: Common,
}

/// `accrue predict RUN --data FILE --out FILE`
#[derive(Clone, Debug, PartialEq, Args)]
pub struct Predict {
    /// The folder of the run that `accrue train` wrote, or one model of it, such as its `best.safetensors`.
    pub run: PathBuf,
    /// The CSV file to predict from, with the feature columns of the training data.
    #[arg(long, value_name = "FILE.csv")]
    pub data: PathBuf,
    /// The CSV file to write, one line for each row of the data.
    #[arg(long, value_name = "FILE.csv")]
    pub out: PathBuf,
    /// What every command that computes takes.
    #[command(flatten)]
    pub common: Common,
}

/// What every command that computes takes.
#[derive(Clone, Debug, Default, PartialEq, Args)]
pub struct Common {
    /// Compute on the adapter whose name contains NAME, in any letter case; `accrue devices` lists the names.
    #[arg(long, value_name = "NAME")]
    pub adapter: Option<String>,
    /// Print nothing but warnings and errors.
    #[arg(long, short)]
    pub quiet: bool,
    /// Adapters whose drivers turned out not to compile what is needed.
    #[arg(skip)]
    pub passed_over: usize,
}

impl Command {
    /// What it computes on, unless it is about one adapter, or all of them, or none.
    pub fn common_mut(&mut self) -> Option<&mut Common> {
        match self {
            Command::Train(arguments) => Some(&mut arguments.common),
            Command::Plan(arguments) => Some(&mut arguments.common),
            Command::Verify(arguments) => Some(&mut arguments.common),
            Command::Tune(arguments) => Some(&mut arguments.common),
            Command::Eval(arguments) => Some(&mut arguments.common),
            Command::Predict(arguments) => Some(&mut arguments.common),
            Command::Bench(arguments) => Some(&mut arguments.common),
            Command::Doctor(_) | Command::Devices | Command::Init(_) => None,
        }
    }
}

/// `accrue doctor`
#[derive(Clone, Debug, PartialEq, Args)]
#[command(after_help = DOCTOR_HELP)]
pub struct Doctor {
    /// Check every kernel there is, also those that other adapters would choose, and more trainings: several times as long.
    #[arg(long)]
    pub all: bool,
    /// Print one JSON object in place of text.
    #[arg(long)]
    pub json: bool,
    /// What every command that computes takes.
    #[command(flatten)]
    pub common: Common,
}

/// `accrue init [FILE]`
#[derive(Clone, Debug, PartialEq, Args)]
pub struct Init {
    /// The file to write, or `-` to print it.
    #[arg(default_value = "config.toml")]
    pub file: PathBuf,
    /// Overwrite the file if it exists.
    #[arg(long)]
    pub force: bool,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parse(line: &str) -> Result<Command, clap::Error> {
        Cli::try_parse_from(line.split(' ')).map(|cli| cli.command)
    }

    #[test]
    fn the_description_of_the_arguments_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_train_command_may_set_many_keys() {
        let line = "accrue train c.toml --out runs/a --set train.batch=8 --set optimizer.lr=-1 --adapter llvmpipe -q";
        let Command::Train(train) = parse(line).unwrap() else { panic!("not train") };
        assert_eq!(train.sets, ["train.batch=8", "optimizer.lr=-1"]);
        assert_eq!((train.config, train.out), ("c.toml".into(), "runs/a".into()));
        assert_eq!(train.common, Common { adapter: Some("llvmpipe".into()), quiet: true, passed_over: 0 });
    }

    #[test]
    fn verify_compares_eight_updates_unless_told_and_never_none() {
        let Command::Verify(verify) = parse("accrue verify c.toml").unwrap() else { panic!("not verify") };
        assert_eq!((verify.config, verify.updates, verify.json), ("c.toml".into(), 8, false));
        let Command::Verify(verify) = parse("accrue verify c.toml --updates 3 --json").unwrap() else { panic!() };
        assert!(verify.updates == 3 && verify.json);
        assert_eq!(parse("accrue verify c.toml --updates 0").unwrap_err().exit_code(), 2);
    }

    #[test]
    fn a_doctor_takes_an_adapter_and_says_what_it_found_in_words_or_in_json() {
        let Command::Doctor(doctor) = parse("accrue doctor --adapter llvmpipe --json -q").unwrap() else {
            panic!("not doctor")
        };
        assert_eq!(doctor.common, Common { adapter: Some("llvmpipe".into()), quiet: true, passed_over: 0 });
        assert!(doctor.json);
    }

    #[test]
    fn init_writes_config_toml_unless_told_and_takes_a_dash() {
        assert_eq!(parse("accrue init").unwrap(), Command::Init(Init { file: "config.toml".into(), force: false }));
        assert_eq!(parse("accrue init - --force").unwrap(), Command::Init(Init { file: "-".into(), force: true }));
    }

    #[test]
    fn what_is_missing_or_unknown_is_an_error_of_usage() {
        for line in ["accrue", "accrue train c.toml", "accrue eval r", "accrue predict r --data x", "accrue trian"] {
            assert_eq!(parse(line).unwrap_err().exit_code(), 2, "{line}");
        }
    }

    #[test]
    fn the_help_names_every_exit_code_and_has_no_escapes_without_colour() {
        let help = Cli::command().render_help().to_string();
        for code in ["0 ok", "1 internal", "2 usage", "3 config", "4 data", "5 no adapter", "6 device lost"] {
            assert!(help.contains(code), "{code}");
        }
        assert!(
            help.contains("7 memory")
                && help.contains("8 diverged")
                && help.contains("9 file")
                && help.contains("130 ")
        );
        assert!(!help.contains('\u{1b}'));
    }
}
