//! Tables as they are, through the whole command: two words to a model, and the same bits however its training goes.

use crate::place::Place;

const SHOP: &str = "\
# what was sold\n\
id;city;size;since;vegan;price;cheap\n\
1;Rome;1,5;2024-01-05;yes;9,99;t\n\
2;Oslo;;2024-02-11;no;19,5;f\n\
3;Rome;2,25;2024-03-20;yes;5;t\n\
4;Bonn;3;2024-07-01;no;NA;f\n\
5;Oslo;0,75;;yes;12,25;f\n\
6;\"Rome\";4;2024-11-30;no;3,5;t\n";

/// Twenty-four rows: those above, four times with other numbers before the comma.
fn shop() -> String {
    let (head, rows) = SHOP.split_at(SHOP.match_indices('\n').nth(1).unwrap().0 + 1);
    let cells = |at: usize, line: &str| {
        format!("{}{}", at + 1, &line[1..]).replace(";yes;", if at.is_multiple_of(5) { ";no;" } else { ";yes;" })
    };
    let lines: Vec<&str> = rows.lines().collect();
    let all = (0..24).map(|at| cells(at, lines[at % lines.len()]));
    format!("{head}{}\n", all.collect::<Vec<_>>().join("\n"))
}

#[test]
fn a_table_is_trained_in_two_commands_with_the_same_bits_however_it_is_cut() {
    let place = Place::new("shop");
    place.write("shop.csv", shop());
    let said = place.ok("init shop.toml --data shop.csv --target cheap");
    assert!(said.contains("\"id\" is left out: it counts the rows"), "{said}");
    let config = place.text("shop.toml");
    for part in
        ["# 2 classes: f 12, t 12", "size = \"number\"", "since = \"date\"", "vegan = \"boolean\"", "id = \"drop\""]
    {
        assert!(config.contains(part), "{part}: {config}");
    }
    let words = "-q --set train.batch=8 --set optimizer.schedule=constant";
    let run = |out: &str, more: &str| {
        place.ok(&format!("train shop.toml --out {out} {words} {more}"));
        place.bytes(&format!("{out}/model.safetensors"))
    };
    let whole = run("whole", "--set train.epochs=6");
    for rows in [1, 3, 8] {
        let cut = format!("--set train.epochs=6 --set train.micro_batch={rows}");
        assert_eq!(run(&format!("cut{rows}"), &cut), whole, "{rows} rows at once");
    }
    assert_ne!(run("part", "--set train.epochs=2"), whole);
    assert_eq!(run("part", "--set train.epochs=6 --resume-with-changes"), whole, "a run that goes on");

    place.write("new.csv", "city;size;since;vegan;price\nParis;?;2025-01-01;no;7,5\n");
    let ended = place.run("predict whole --data new.csv --out -");
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert!(ended.err.contains("note: 1 cell of \"city\" with a level that was rare or not seen"), "{}", ended.err);
    assert_eq!(ended.out.lines().count(), 2, "{}", ended.out);
}

#[test]
fn a_model_to_start_from_keeps_its_columns_classes_and_scales() {
    let place = Place::new("start");
    place.ok("train c.toml --out r -q");
    let asked = |run: &str| place.ok(&format!("eval {run} --last --data held.csv"));
    // The columns in another order, scaled otherwise, and without one of the classes.
    let rows = place.text("classes.csv");
    let turned = rows.lines().enumerate().filter(|(_, line)| !line.ends_with("left")).map(|(at, line)| {
        let cells: Vec<&str> = line.split(',').collect();
        let y = if at == 0 { "y".to_owned() } else { (cells[1].parse::<f64>().unwrap() + 1.0).to_string() };
        format!("{},{y},{}", cells[2], cells[0])
    });
    place.write("turned.csv", turned.collect::<Vec<_>>().join("\n") + "\n");
    let still = "--set data.path=turned.csv --set optimizer.lr=0 --set train.epochs=1 -q";
    for from in ["r", "r/model.safetensors"] {
        place.ok(&format!("train c.toml --out s --fresh --set model.init={from} {still}"));
        let wanted = if from == "r" { place.ok("eval r --data held.csv") } else { asked("r") };
        assert_eq!(asked("s"), wanted, "{from}");
    }
    place.write("turned.csv", rows.replace("left", "behind"));
    let words = format!("train c.toml --out t --set model.init=r {still}");
    place.fails(&words, 4, &["turned.csv", "\"behind\" is not a class of the model"]);
    place.write("turned.csv", rows.replacen("y,", "z,", 1));
    place.fails(&words, 3, &["model.init: the model has a feature that", "turned.csv lacks: \"y\""]);
}

#[test]
fn a_split_keeps_each_class_in_training() {
    let place = Place::new("rare");
    let rows: String = (0..40)
        .map(|at| format!("{at},{},{}\n", at * 7 % 11, if at < 34 { 'a' } else { (b'a' + at as u8 - 33) as char }))
        .collect();
    place.write("rare.csv", format!("x,y,side\n{rows}"));
    for seed in 0..4 {
        let words = format!(
            "train c.toml --out r{seed} --set data.path=rare.csv --set data.validation=0.2 --set train.seed={seed}"
        );
        let said = place.ok(&words);
        assert!(said.contains("no row to validate with"), "{said}");
        assert!(said.contains("7 classes"), "{said}");
    }
    place.fails("train c.toml --out n --set data.split=group", 3, &["data.split", "name it in data.group"]);
}

#[test]
fn a_file_of_few_rows_is_read_as_the_one_that_was_trained_on() {
    let place = Place::new("headless");
    // As german.data: blanks, no header, texts that are codes.
    let code = |at: usize, of: usize| format!("A{}", 1 + at * 7 % of);
    let row = |at: usize| format!("{} {} {} {}", code(at, 4), at % 5, code(at, 3), 1 + at % 2);
    let rows: Vec<String> = (0..40).map(row).collect();
    place.write("codes.data", rows.join("\n") + "\n");
    let said = place.ok("init codes.toml --data codes.data --target column4");
    assert!(said.contains("so the file seems to have no header: its columns are column1 to column4"), "{said}");
    let config = place.text("codes.toml");
    assert!(config.contains("\nheader = false ") && config.contains("\nseparator = \"blanks\" "), "{config}");
    // Also where the configuration leaves it to looking.
    let plain: Vec<&str> =
        config.lines().filter(|line| !line.starts_with("header") && !line.starts_with("sep")).collect();
    place.write("plain.toml", plain.join("\n"));
    for (config, run) in [("codes.toml", "r"), ("plain.toml", "p")] {
        place.ok(&format!("train {config} --out {run} --set train.epochs=2"));
        place.write("one.data", format!("{}\n", rows[0]));
        let all = place.ok(&format!("predict {run} --data codes.data --out - -q"));
        let one = place.ok(&format!("predict {run} --data one.data --out - -q"));
        assert_eq!(one.lines().nth(1), all.lines().nth(1), "{run}");
        assert_eq!(one.lines().count(), 2);
    }
}

#[test]
fn standard_input_can_be_what_a_configuration_trains_on() {
    use std::io::Write;
    use std::process::Stdio;
    let place = Place::new("piped");
    let piped = |words: &str| {
        let mut command = place.command(words);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(shop().as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{words}: {}", String::from_utf8_lossy(&output.stderr));
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    let (config, notes) = piped("init - --data - --target cheap");
    assert!(notes.contains("note: \"id\" is left out: it counts the rows"), "{notes}");
    place.write("piped.toml", config);
    piped("train piped.toml --out r --set train.epochs=2");
    place.write("shop.csv", shop());
    place.ok("train piped.toml --out s --set train.epochs=2 --set data.path=shop.csv");
    assert!(place.bytes("r/refit/model.safetensors") == place.bytes("s/refit/model.safetensors"));
}

#[test]
fn every_row_gets_a_prediction_where_training_left_rows_out() {
    let place = Place::new("dropped");
    let rows = place.text("classes.csv");
    let blank = |(at, line): (usize, &str)| match line.split_once(',') {
        Some((_, rest)) if at > 0 && at % 4 == 0 => format!(",{rest}\n"),
        _ => format!("{line}\n"),
    };
    place.write("holes.csv", rows.lines().enumerate().map(blank).collect::<String>());
    place.ok("train c.toml --out r --set data.path=holes.csv --set data.missing=drop --set train.epochs=1");
    let ended = place.run("predict r --data holes.csv --out -");
    assert_eq!((ended.code, ended.out.lines().count()), (0, 41), "{}", ended.err);
    assert!(ended.err.contains("note: 10 cells of \"x\" missing"), "{}", ended.err);
    let ended = place.run("eval r --data holes.csv");
    assert!(ended.out.starts_with("rows 30\n"), "those that training would take: {}", ended.out);
}

#[test]
fn whole_numbers_are_levels_and_classes_in_either_spelling() {
    let place = Place::new("spelling");
    let table = |dot: &str| -> String {
        let row = |at: usize| format!("{}{dot},{}.5,{}{dot}\n", 1 + at % 3, at % 7, at % 2);
        "k,x,y\n".to_owned() + &(0..40).map(row).collect::<String>()
    };
    place.write("whole.csv", table(""));
    place.write("floats.csv", table(".0"));
    for (mine, other) in [("whole", "floats"), ("floats", "whole")] {
        place.ok(&format!("init {mine}.toml --data {mine}.csv --target y --set data.columns.k=category"));
        place.ok(&format!("train {mine}.toml --out {mine} --set train.epochs=1"));
        let asked = |words: &str, data: &str| place.ok(&format!("{words} {mine} --data {data}.csv -q"));
        assert_eq!(asked("eval", mine), asked("eval", other));
        assert_eq!(asked("predict --out -", mine), asked("predict --out -", other));
    }
}
