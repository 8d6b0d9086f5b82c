//! What all commands share: the overall `--help`, the adapter, and the choice of a command.

use clap::builder::styling::{AnsiColor, Styles};
use clap::error::ErrorKind;
use clap::{ArgMatches, Args, FromArgMatches, Parser, Subcommand};

use super::commands::{ALL, Command, Entry};

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

// clap removes the escapes if there is no colour.
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
  \x1b[1;36mACCRUE_READS\x1b[0m        Read from buffers, or through textures
  \x1b[1;36mACCRUE_CACHE\x1b[0m        The folder of the tables of accrue tune
  \x1b[1;36mNO_COLOR\x1b[0m            Print no colours
  \x1b[1;36mRUST_LOG\x1b[0m            Log error, warn, info, debug or trace

\x1b[1;32mStart here:\x1b[0m
  accrue init
  accrue train config.toml --out runs/first
  accrue eval runs/first --data test.csv";

/// Trains neural networks on any GPU; the batch is for the maths, the micro-batch is for the memory.
#[derive(Debug, Parser)]
#[command(name = "accrue", version, styles = STYLES, max_term_width = 100, after_help = AFTER_HELP)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Chosen,
}

/// The chosen command, with its arguments.
#[derive(Debug)]
pub struct Chosen(pub Box<dyn Command>);

impl FromArgMatches for Chosen {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Chosen, clap::Error> {
        let chosen = matches.subcommand().and_then(|(name, matches)| Some((Entry::find(name)?, matches)));
        let (entry, matches) = chosen.ok_or_else(|| clap::Error::new(ErrorKind::MissingSubcommand))?;
        (entry.parse)(matches).map(Chosen)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Chosen::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Subcommand for Chosen {
    fn augment_subcommands(command: clap::Command) -> clap::Command {
        command.subcommands(ALL.iter().map(|entry| (entry.arguments)(clap::Command::new(entry.name))))
    }

    fn augment_subcommands_for_update(command: clap::Command) -> clap::Command {
        Chosen::augment_subcommands(command)
    }

    fn has_subcommand(name: &str) -> bool {
        Entry::find(name).is_some()
    }
}

/// Arguments of every command that computes.
#[derive(Clone, Debug, Default, PartialEq, Args)]
pub struct Common {
    /// Compute on the adapter whose name contains NAME, in any letter case; `accrue devices` lists the names.
    #[arg(long, value_name = "NAME")]
    pub adapter: Option<String>,
    /// Print nothing but warnings and errors.
    #[arg(long, short)]
    pub quiet: bool,
    /// Adapters whose drivers turned out not to compile a needed kernel.
    #[arg(skip)]
    pub passed_over: usize,
}

#[cfg(test)]
pub(super) mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::cli::commands::ALL;

    /// Parses a whole line into a command's arguments.
    pub fn parse<C: Args>(line: &str) -> Result<C, clap::Error> {
        let matches = Cli::command().try_get_matches_from(line.split(' '))?;
        let (_, arguments) = matches.subcommand().expect("a command is required");
        C::from_arg_matches(arguments)
    }

    #[test]
    fn the_description_of_the_arguments_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_says_what_it_does_in_a_line() {
        let help = Cli::command().render_help().to_string();
        for Entry { name, arguments, .. } in ALL {
            let about = arguments(clap::Command::new(*name)).get_about().unwrap().to_string();
            assert!(help.contains(&about) && !about.starts_with('`'), "{name}: {about}");
        }
    }

    #[test]
    fn what_is_missing_or_unknown_is_an_error_of_usage() {
        for line in ["accrue", "accrue train c.toml", "accrue eval r", "accrue predict r --data x", "accrue trian"] {
            assert_eq!(Cli::try_parse_from(line.split(' ')).err().unwrap().exit_code(), 2, "{line}");
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
