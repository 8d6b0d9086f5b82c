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
        let name = command.replace('-', "\\-");
        assert!(page.contains(&format!("fBaccrue {name}\\fR")) && !page.contains('\u{1b}'), "{page}");
    }
    assert_eq!(std::fs::read_dir(place.path("pages/of/ours")).unwrap().count(), commands.len() + 1);
    assert!(place.text("pages/of/ours/accrue-train.1").contains("\\-\\-resume\\-with\\-changes"));
    place.write("file", "");
    place.fails("man file", 9, &["file"]);
}

/// What `schema.py` says of configurations; `None` where its Python is missing.
fn validated(place: &Place, files: &[&str]) -> Option<String> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cli/schema.py");
    let python =
        |words: &[&str]| std::process::Command::new("python3").args(words).current_dir(place.path("")).output();
    if !python(&["-c", "import jsonschema, tomllib"]).is_ok_and(|ended| ended.status.success()) {
        return None;
    }
    let ended = python(&[&[script, "config.schema.json"], files].concat()).unwrap();
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    Some(String::from_utf8(ended.stdout).unwrap())
}

#[cfg(unix)]
#[test]
fn the_schema_accepts_configurations_and_refuses_what_is_none() {
    let place = Place::new("schema");
    let said = place.ok("init --schema");
    assert!(said.contains("#:schema config.schema.json"), "{said}");
    assert_eq!(place.text("config.schema.json"), place.ok("init - --schema"));
    place.fails("init --schema", 9, &["config.schema.json: exists"]);

    place.ok("init");
    for example in ["digits", "mnist", "tutorial"] {
        let path = format!("{}/examples/{example}.toml", env!("CARGO_MANIFEST_DIR"));
        place.write(&format!("{example}.toml"), std::fs::read(path).unwrap());
    }
    place.ok("train c.toml --out r -q");
    let good = ["config.toml", "c.toml", "n.toml", "digits.toml", "mnist.toml", "tutorial.toml", "r/config.toml"];
    let bad = [
        ("[train]\nbach = 3", "train"),
        ("[trian]\nbatch = 3", "'trian' was unexpected"),
        ("[train]\nbatch = 'many'", "train.batch"),
        ("[train]\nepochs = 1.5", "train.epochs"),
        ("[data]\naugment = ['flip', 'flop']", "data.augment.1"),
        ("[data]\naugment = [{ crop = 0 }]", "data.augment.0"),
        ("[model]\nlayers = [64, 'rely']", "model.layers.1"),
        ("[optimizer]\ntype = 'adm'", "optimizer.type"),
        ("[optimizer]\nbetas = [0.9]", "optimizer.betas"),
    ];
    let names: Vec<String> = (0..bad.len()).map(|i| format!("bad{i}.toml")).collect();
    names.iter().zip(bad).for_each(|(name, (text, _))| place.write(name, text));
    let files: Vec<&str> = good.into_iter().chain(names.iter().map(String::as_str)).collect();
    let Some(said) = validated(&place, &files) else {
        return crate::skip::skip("jsonschema", "python3 does not have it");
    };
    let mut lines = said.lines();
    good.into_iter().zip(&mut lines).for_each(|(file, line)| assert_eq!(line, format!("{file}: ok")));
    bad.into_iter().zip(&mut lines).for_each(|((text, part), line)| assert!(line.contains(part), "{text}: {line}"));
    assert!(lines.next().is_none() && said.lines().count() == files.len(), "{said}");
}
