//! The command, from the outside: what it prints, what it writes and how it ends.

mod bench;
mod cv;
mod errors;
mod export;
#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod faults;
mod files;
mod guides;
mod help;
mod images;
mod inspect;
mod kills;
mod lr_find;
mod measures;
mod memory;
mod npz;
mod place;
mod plan;
mod profile;
mod refit;
mod repeat;
mod report;
mod resume;
mod runs;
#[cfg(unix)]
mod signals;
#[cfg(unix)]
#[path = "../common/skip.rs"]
mod skip;
#[cfg(unix)]
mod tables;
mod tensorboard;
mod texts;
mod tune;
mod weights;
