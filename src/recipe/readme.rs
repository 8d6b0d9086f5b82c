//! README.md shows code and a configuration; these tests keep both true.

use std::path::Path;

use super::config::Config;

const README: &str = include_str!("../../README.md");
const LIB: &str = include_str!("../lib.rs");
const DIGITS: &str = include_str!("../../examples/digits.toml");

/// The lines of the first block that begins with `fence`.
fn block<'a>(text: &'a str, fence: &str) -> Vec<&'a str> {
    let after = text.lines().skip_while(|line| !line.starts_with(fence)).skip(1);
    after.take_while(|line| !line.starts_with("```")).collect()
}

#[test]
fn the_readme_shows_the_library_as_the_crate_documentation_does_which_is_compiled() {
    let documentation = LIB.replace("//! ", "").replace("//!", "");
    let mut compiled = block(&documentation, "```no_run");
    compiled.retain(|line| !line.starts_with("# "));
    assert!(compiled.len() > 5, "{compiled:?}");
    assert_eq!(block(README, "```rust"), compiled);
}

/// The block of configuration, read as a file of the examples' folder.
fn configuration(text: &str) -> Config {
    let config = Config::parse(text, "README.md", &[], Path::new("examples")).unwrap();
    config.train.cut().unwrap();
    config.optimizer.make().unwrap().check().unwrap();
    config
}

#[test]
fn the_configuration_of_the_readme_is_that_of_the_digits_which_is_trained() {
    let digits = Config::parse(DIGITS, "digits.toml", &[], Path::new("examples")).unwrap();
    assert_eq!(configuration(&block(README, "```toml").join("\n")), digits);
}

#[test]
fn the_keys_that_the_readme_leaves_out_by_a_sign_load_too() {
    let lines = block(README, "```toml");
    let key = |line: &&str| line.strip_prefix("# ").is_some_and(|rest| rest.contains(" = "));
    assert!(lines.iter().filter(|line| key(line)).count() > 5, "{lines:?}");
    let all: Vec<&str> = lines.iter().map(|line| line.strip_prefix("# ").unwrap_or(line)).collect();
    configuration(&all.join("\n"));
}
