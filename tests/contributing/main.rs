//! The examples of `CONTRIBUTING.md`, compiled and run from the text itself, and the map of `docs/architecture.md`.
//!
//! The blocks of code that name a file are written into a copy of the source tree: a new file is the block, and to a file that is
//! there already the block adds its `mod` and its entry of a list. The copy is then built, and `added.rs`, a test of its, holds
//! what was added against its references and trains with it. What the chapters say of the files that are touched is so proven.

mod copy;
mod folders;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use copy::{Copy, ROOT};

/// A block of code that names its file.
struct Block {
    file: String,
    /// The list that it adds to, if it adds to a file.
    list: Option<String>,
    text: String,
}

/// The blocks of a page, in its order. The text before each names the file, too.
fn blocks(page: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut lines = page.lines();
    let mut before = String::new();
    while let Some(line) = lines.next() {
        let mut words = line.strip_prefix("```").unwrap_or_default().split(' ').skip(1);
        if let Some(file) = words.next() {
            let text: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            assert!(before.contains(&format!("`{file}`")), "the text before the code of {file} does not name it");
            let list = words.next().map(str::to_owned);
            blocks.push(Block { file: file.to_owned(), list, text: text.join("\n") + "\n" });
            before.clear();
        }
        before += line;
    }
    blocks
}

/// A file with the `mod` and the entry of a list of a block.
fn with(text: &str, block: &Block) -> String {
    let (modules, entries): (Vec<&str>, Vec<&str>) = block.text.lines().partition(|line| line.starts_with("mod "));
    let mut text = text.to_owned();
    if !modules.is_empty() {
        let at = text.find("\nmod ").expect("a module to stand beside") + 1;
        text.insert_str(at, &(modules.join("\n") + "\n"));
    }
    if let Some(list) = &block.list {
        let start = text.find(&format!(" {list}: ")).unwrap_or_else(|| panic!("{} has no list {list}", block.file));
        let end = start + text[start..].find("];").expect("the end of the list");
        let (head, tail) = (text[..end].trim_end().trim_end_matches(','), &text[end..]);
        text = format!("{head},\n{}\n{tail}", entries.join("\n"));
    }
    text
}

/// The file of an op or an optimizer as it stands in the crate of somebody else.
fn outside(text: &str) -> String {
    text.replace("crate::", "accrue::").replace("use super::", "use accrue::optim::").replace("pub(super) fn", "pub fn")
}

#[test]
fn the_examples_of_every_chapter_compile_and_pass_their_checks_and_touch_the_files_they_name() {
    let page = fs::read_to_string(Path::new(ROOT).join("CONTRIBUTING.md")).unwrap();
    let blocks = blocks(&page);
    let mut copy = Copy::of_the_source();
    for block in &blocks {
        match copy.text(&block.file) {
            Some(text) => copy.write(&block.file, with(&text, block)),
            None => copy.write(&block.file, block.text.clone()),
        }
    }
    let own = blocks.iter().filter(|block| block.list.is_none());
    let mut modules = BTreeSet::new();
    for block in own {
        let path = Path::new(&block.file);
        let (Some(folder), Some(stem)) = (path.parent(), path.file_stem()) else { continue };
        if ["src/ops", "src/optim"].iter().any(|own| folder == Path::new(own)) {
            let stem = stem.to_str().unwrap();
            copy.write(&format!("tests/own/{stem}.rs"), outside(&block.text));
            modules.insert(format!("pub mod {stem};\n"));
        }
    }
    copy.write("tests/own/mod.rs", modules.into_iter().collect());
    copy.write("tests/added.rs", fs::read_to_string(Path::new(ROOT).join("tests/contributing/added.rs")).unwrap());
    copy.finish();
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["test", "--offline", "--test", "added", "--target-dir"]).arg(copy::target_dir());
    let done = command.current_dir(copy.root()).env("NODEVICE_SELECT", "1").output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "{err}\n{out}");
    assert!(out.contains("test result: ok"), "{out}");
}

#[test]
fn an_entry_is_added_to_a_list_of_one_line_and_of_several() {
    let block = |list: Option<&str>| Block {
        file: "x.rs".to_owned(),
        list: list.map(str::to_owned),
        text: "mod new;\n    &new::NEW,\n".to_owned(),
    };
    let one = "//! x\n\nmod old;\n\npub static ALL: &[&Kind] = &[&old::OLD];\n";
    let wanted = "//! x\n\nmod new;\nmod old;\n\npub static ALL: &[&Kind] = &[&old::OLD,\n    &new::NEW,\n];\n";
    assert_eq!(with(one, &block(Some("ALL"))), wanted);
    let several = one.replace("&[&old::OLD]", "&[\n    &old::OLD,\n]");
    let wanted = wanted.replace("&[&old::OLD,", "&[\n    &old::OLD,");
    assert_eq!(with(&several, &block(Some("ALL"))), wanted);
}
