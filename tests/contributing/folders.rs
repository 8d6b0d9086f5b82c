//! The table of folders in `docs/architecture.md`: a folder uses only what stands below it.

use std::collections::BTreeMap;

use super::copy::Copy;

/// The folders and files of `src` that a row of the table names, and the number of the row.
fn table() -> BTreeMap<String, usize> {
    let page = include_str!("../../docs/architecture.md");
    let rows = page.lines().skip_while(|line| !line.starts_with("| folder |")).skip(2);
    let mut table = BTreeMap::new();
    for (at, row) in rows.take_while(|line| line.starts_with('|')).enumerate() {
        for name in row.split('|').nth(1).unwrap().split(',') {
            table.insert(module(name.trim().trim_matches('`')).to_owned(), at);
        }
    }
    table
}

/// `ops/linear/mod.rs`, `ops/` -> `ops`; `random.rs` -> `random`.
fn module(path: &str) -> &str {
    path.split('/').next().unwrap().trim_end_matches(".rs")
}

/// The modules of the crate that a file uses, without its tests and its comments.
fn uses(text: &str) -> Vec<String> {
    let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
    let code: Vec<&str> = code.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let code = code.join(" ");
    let first = |path: &str| {
        path.trim().split(|letter: char| !letter.is_alphanumeric() && letter != '_').next().map(str::to_owned)
    };
    let mut uses = Vec::new();
    for rest in code.split("crate::").skip(1) {
        match rest.strip_prefix('{') {
            Some(group) => uses.extend(group.split('}').next().unwrap().split(',').filter_map(first)),
            None => uses.extend(first(rest)),
        }
    }
    uses
}

#[test]
fn every_folder_uses_only_what_stands_below_it_in_the_table_of_the_architecture() {
    let table = table();
    let copy = Copy::of_the_source();
    let mut arrows = 0;
    for (path, text) in copy.files_of("src/") {
        let from = module(path);
        if ["lib", "main"].contains(&from) {
            continue;
        }
        let at = *table.get(from).unwrap_or_else(|| panic!("the table has no row for {from}"));
        for to in uses(text).into_iter().filter(|to| to != from) {
            let Some(&below) = table.get(&to) else { continue };
            assert!(below >= at, "src/{path} uses {to}, which stands above {from}");
            arrows += 1;
        }
    }
    assert!(arrows > 100, "only {arrows} uses were found");
}
