//! What helps people and editors to write commands and configurations: completions, manual pages.

use crate::help::commands;
use crate::place::Place;

const SHELLS: [&str; 5] = ["bash", "elvish", "fish", "powershell", "zsh"];

#[test]
fn every_shell_completes_every_command_and_its_options() {
    let place = Place::new("completions");
    let commands = commands(&place.ok("--help"));
    for shell in SHELLS {
        let script = place.ok(&format!("completions {shell}"));
        for word in commands.iter().map(String::as_str).chain(["resume-with-changes", "adapter"]) {
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
    place.fails("completions tcsh", 2, &["'tcsh'", "bash, elvish, fish, powershell, zsh"]);
}

#[cfg(unix)]
#[test]
fn bash_completes_a_command_and_an_option() {
    let place = Place::new("completions-bash");
    place.write("script", place.ok("completions bash"));
    let lines = "set -e; . ./script; complete_words() { COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); \
                 _accrue accrue \"${@: -1}\" \"${@: -2:1}\"; echo \"${COMPREPLY[*]}\"; }; \
                 complete_words accrue ver; complete_words accrue train c.toml --fr";
    let Ok(ended) = std::process::Command::new("bash").args(["-c", lines]).current_dir(place.path("")).output() else {
        return crate::skip::skip("bash", "it is not there");
    };
    assert_eq!(String::from_utf8_lossy(&ended.stdout), "verify\n--fresh\n", "{ended:?}");
}

#[test]
fn there_is_a_manual_page_for_every_command() {
    let place = Place::new("man");
    let first = place.ok("man");
    assert!(first.contains(".TH accrue 1") && first.contains("accrue\\-train(1)"), "{first}");
    assert_eq!(place.ok("man pages/of/ours"), "");
    assert_eq!(place.text("pages/of/ours/accrue.1"), first);
    let commands = commands(&place.ok("--help"));
    for command in &commands {
        let page = place.text(&format!("pages/of/ours/accrue-{command}.1"));
        assert!(page.contains(&format!("fBaccrue {command}\\fR")) && !page.contains('\u{1b}'), "{page}");
    }
    assert_eq!(std::fs::read_dir(place.path("pages/of/ours")).unwrap().count(), commands.len() + 1);
    assert!(place.text("pages/of/ours/accrue-train.1").contains("\\-\\-resume\\-with\\-changes"));
    place.write("file", "");
    place.fails("man file", 9, &["file"]);
}
