//! The help, as it was agreed upon: `tests/help/*.txt`. `UPDATE_HELP=1 cargo test --test cli` writes the files again.

use std::path::Path;

use crate::place::Place;

#[test]
fn the_help_is_what_is_written_down() {
    let place = Place::new("help");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/help");
    for command in std::iter::once(String::new()).chain(commands(&place.ok("--help"))) {
        // Neither standard stream is a terminal, and `Place` says COLUMNS=100: no terminal's width matters.
        let help = place.ok(&format!("{command} --help"));
        let file = folder.join(format!("{}.txt", if command.is_empty() { "accrue" } else { &command }));
        if std::env::var_os("UPDATE_HELP").is_some() {
            std::fs::write(&file, &help).unwrap();
        }
        let wanted = std::fs::read_to_string(&file).unwrap_or_default();
        assert_eq!(help, wanted, "{}; UPDATE_HELP=1 cargo test --test cli writes it again", file.display());
        assert!(help.lines().all(|line| line.chars().count() <= 100));
        assert_eq!(place.ok(&format!("help {command}")), help);
    }
    assert_eq!(place.ok("--version"), format!("accrue {}\n", env!("CARGO_PKG_VERSION")));
}

/// The commands that the help names: words after two blanks below `Commands:`.
pub fn commands(help: &str) -> Vec<String> {
    let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let names = lines.filter_map(|line| line.strip_prefix("  ")?.split(' ').next());
    let names: Vec<String> = names.filter(|name| !["", "help"].contains(name)).map(str::to_owned).collect();
    assert!(names.contains(&"train".to_owned()), "{help}");
    names
}
