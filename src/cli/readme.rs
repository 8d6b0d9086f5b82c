//! README.md shows code and a configuration; these tests keep them true.

use std::path::Path;

use super::config::Config;

const README: &str = include_str!("../../README.md");
const LIB: &str = include_str!("../lib.rs");

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

#[test]
fn the_configuration_of_the_readme_loads() {
    let config = block(README, "```toml").join("\n");
    let config = Config::parse(&config, "README.md", &[], Path::new("/")).unwrap();
    config.train.cut().unwrap();
    config.optimizer.make().check().unwrap();
}
