//! The command `accrue`; `accrue --help` says what it does.

fn main() -> std::process::ExitCode {
    accrue::cli::main()
}
