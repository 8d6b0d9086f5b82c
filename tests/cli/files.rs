//! Files that cannot be used: data with faults and models that are damaged. All end with 4.

use crate::place::{Place, classes};

/// Changes the header of a safetensors file, which keeps its data.
fn with_header(model: &[u8], change: impl Fn(&mut serde_json::Value)) -> Vec<u8> {
    let (header, data) = parts(model);
    let mut header = header;
    change(&mut header);
    let header = header.to_string();
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), data].concat()
}

fn parts(model: &[u8]) -> (serde_json::Value, &[u8]) {
    let len = u64::from_le_bytes(model[..8].try_into().unwrap()) as usize;
    (serde_json::from_slice(&model[8..8 + len]).unwrap(), &model[8 + len..])
}

#[test]
fn data_with_faults_ends_with_4_and_says_where() {
    let place = Place::new("data_faults");
    for (what, csv, part) in [
        ("a row that is too short", "x,y,side\n1,2,a\n3,4\n5,6,b\n", "line 3"),
        ("a row that is too long", "x,y,side\n1,2,a\n3,4,b,5\n", "line 3"),
        ("a cell that is infinite", "x,y,side\n1,inf,a\n3,4,b\n", "line 2, column \"y\""),
        ("an empty file", "", "classes.csv"),
        ("a header alone", "x,y,side\n", "no row follows the header"),
        ("no target", "x,y,sides\n1,2,a\n3,4,b\n", "no column \"side\""),
        ("no feature", "side\na\nb\n", "no column is left to be a feature"),
        ("one class", "x,y,side\n1,2,a\n3,4,a\n", "side"),
        ("a name twice", "x,x,side\n1,2,a\n3,4,b\n", "\"x\""),
    ] {
        place.write("classes.csv", csv);
        let ended = place.run("train c.toml --out r");
        assert!(ended.code == 4, "{what}: {} {}", ended.code, ended.err);
        ended.failed(4, &["classes.csv", part]);
    }
    for (csv, set, part) in [
        ("x,y,side\n1,2,a\n3,NaN,b\n", "data.missing=error", "line 3, column \"y\""),
        ("x,y,side\n1,2,a\n,4,b\n", "data.missing=error", "line 3, column \"x\""),
        ("x,y,side\n1,2,a\n3,high,b\n", "data.columns={y=\"number\"}", "line 3, column \"y\""),
    ] {
        place.write("classes.csv", csv);
        place.fails(&format!("train c.toml --out r --set {set}"), 4, &["classes.csv", part]);
    }
    place.write("classes.csv", b"x,y,side\n1,2,a\n3,4,\xff\n");
    place.fails("train c.toml --out r", 4, &["classes.csv", "UTF-8"]);
    assert!(!place.path("r").exists(), "nothing is written");
}

#[test]
fn data_of_another_model_ends_with_4() {
    let place = Place::new("other_data");
    place.ok("train c.toml --out r --quiet");
    place.fails("eval r --data numbers.csv", 4, &["no column"]);
    place.fails(
        "predict r --data numbers.csv --out p.csv",
        4,
        &["2 features of the model are no columns here: \"x\", \"y\""],
    );
    place.write("new.csv", classes(40..60).replace("below", "beneath"));
    place.fails("eval r --data new.csv", 4, &["new.csv, line ", "\"beneath\"", "column \"side\""]);
    place.write("new.csv", "y,x\n1,2\n");
    place.fails("eval r --data new.csv", 4, &["\"side\""]);
    place.ok("predict r --data new.csv --out p.csv");
    assert_eq!(place.text("p.csv").lines().next(), Some("side,p_above,p_below,p_left"));
    if cfg!(unix) {
        place.ok("predict r --data new.csv --out /dev/null");
        assert!(!std::fs::metadata("/dev/null").unwrap().is_file(), "it is as it was");
        let out = place.ok("predict r --data new.csv --out /dev/stdout --quiet");
        assert_eq!(out, place.text("p.csv"));
    }
}

#[test]
fn a_damaged_model_ends_with_4() {
    let place = Place::new("damaged");
    place.ok("train c.toml --out r --quiet");
    let good = place.bytes("r/model.safetensors");
    let refused = |what: &str, bytes: &[u8]| {
        place.write("r/model.safetensors", bytes);
        for words in ["eval r --last --data held.csv", "predict r --last --data held.csv --out p.csv"] {
            let ended = place.run(words);
            assert_eq!(ended.code, 4, "{what}: {}", ended.err);
            ended.failed(4, &["r/model.safetensors: "]);
        }
    };
    for len in [0, 7, 8, 100, good.len() - 1] {
        refused("cut short", &good[..len]);
    }
    for at in [0, 7, 8, 20] {
        let mut bytes = good.clone();
        bytes[at] ^= 0x10;
        refused("a flipped bit", &bytes);
    }
    refused("no model at all", b"x,y,side\n1,2,a\n3,4,b\n and some more of it");
    let mut bytes = good.clone();
    let end = bytes.len();
    bytes[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    refused("a weight that is not a number", &bytes);
    refused("another shape", &with_header(&good, |h| h["0.weight"]["shape"] = serde_json::json!([2, 8])));
    refused(
        "another name",
        &with_header(&good, |h| {
            let layer = h["2.bias"].take();
            h.as_object_mut().unwrap().remove("2.bias");
            h["3.bias"] = layer;
        }),
    );
    refused("another type", &with_header(&good, |h| h["2.bias"]["dtype"] = "I32".into()));
    refused("no description", &with_header(&good, |h| h["__metadata__"] = serde_json::json!({})));
    for (old, new) in [
        ("\"x\",", ""),
        ("\"left\"", "\"left\",\"right\""),
        ("\"relu\"", "\"rule\""),
        ("\"version\":2", "\"version\":99"),
        ("{", "["),
    ] {
        refused(
            old,
            &with_header(&good, |h| {
                let text = &mut h["__metadata__"]["accrue"];
                let changed = text.as_str().unwrap().replacen(old, new, 1);
                assert_ne!(*text, changed.as_str(), "{old}");
                *text = changed.into();
            }),
        );
    }
    place.write("r/model.safetensors", &good);
    place.ok("eval r --last --data held.csv");
}

#[test]
fn weights_of_another_model_cannot_be_the_first_ones() {
    let place = Place::new("other_init");
    place.ok("train c.toml --out r --quiet");
    let words = "train c.toml --out s --set model.init=r/model.safetensors";
    place.ok(&format!("{words} --set train.epochs=1"));
    place.fails(&format!("{words} --set model.layers=[9] --fresh"), 3, &["model.init"]);
    let checkpoint = place.checkpoints("r").pop().unwrap();
    let words = format!("train c.toml --out t --set model.init={}", checkpoint.display());
    place.fails(&words, 3, &["model.init: ", "is a checkpoint; name a model of its run, such as its best.safetensors"]);
}

#[test]
fn line_ends_and_byte_order_marks_change_nothing() {
    let place = Place::new("line_ends");
    place.ok("train c.toml --out plain --quiet");
    for name in ["classes.csv", "held.csv", "c.toml"] {
        let text = place.text(name);
        place.write(name, format!("\u{feff}{}", text.replace('\n', "\r\n")));
    }
    place.ok("train c.toml --out windows --quiet");
    assert_eq!(place.bytes("plain/model.safetensors"), place.bytes("windows/model.safetensors"));
    let eval = place.ok("eval plain --data held.csv");
    place.write("held.csv", place.text("held.csv").replace("\r\n", "\n").trim_start_matches('\u{feff}'));
    assert_eq!(place.ok("eval plain --data held.csv"), eval);
}

#[test]
fn rows_are_predicted_in_parts_as_they_are_together_and_a_fault_leaves_what_was_there() {
    let place = Place::new("parts");
    place.ok("train c.toml --out r --quiet");
    let rows = classes(0..3000);
    place.write("all.csv", &rows);
    assert_eq!(place.ok("predict r --data all.csv --out all.out"), "3000 predictions in all.out\n");
    let (header, mut found) = (rows.lines().next().unwrap(), String::new());
    for part in rows.lines().skip(1).collect::<Vec<_>>().chunks(700) {
        place.write("part.csv", format!("{header}\n{}\n", part.join("\n")));
        place.ok("predict r --data part.csv --out part.out");
        found += place.text("part.out").split_once('\n').unwrap().1;
    }
    let all = place.text("all.out");
    assert_eq!(all.split_once('\n').unwrap().1, found);

    place.write("all.csv", format!("{rows}1,two,left\n"));
    let before = std::fs::read_dir(place.path(".")).unwrap().count();
    place.fails("predict r --data all.csv --out all.out", 4, &["all.csv, line 3002, column \"y\": \"two\""]);
    place.fails("eval r --data all.csv", 4, &["all.csv, line 3002, column \"y\": \"two\""]);
    assert_eq!(place.text("all.out"), all, "the file of before is left");
    assert_eq!(std::fs::read_dir(place.path(".")).unwrap().count(), before, "nothing else is left");
    place.write("all.csv", format!("{rows}1,3e38,left\n"));
    place.write("r/model.safetensors", with_std_of_1e_9(&place.bytes("r/model.safetensors")));
    place.fails("predict r --last --data all.csv --out all.out", 4, &["all.csv, line 3002, column \"y\": 3e38"]);
}

/// The model with a tiny deviation of its second feature, and without its checksum.
fn with_std_of_1e_9(model: &[u8]) -> Vec<u8> {
    with_header(model, |header| {
        let text = &mut header["__metadata__"]["accrue"];
        let mut description: serde_json::Value = serde_json::from_str(text.as_str().unwrap()).unwrap();
        description.as_object_mut().unwrap().remove("checksum");
        description["preparation"]["columns"][1]["encoding"]["number"]["scale"]["factor"] = 1e9.into();
        *text = description.to_string().into();
    })
}

#[test]
fn a_configuration_of_a_stranger_is_refused_in_one_line() {
    let place = Place::new("stranger");
    let good = place.text("c.toml");
    let layers = |list: &str| good.replace("[8, \"relu\"]", list);
    for (text, part) in [
        (layers(&format!("[{}]", "1,".repeat(500_000))), "model.layers: 500000 items; give 1023 at most"),
        (layers("[1000000000000000000]"), "model.layers[0]: a layer of width"),
        (layers("[99999999999999999999999]"), "model.layers: "),
        (layers(&format!("[{}]", "[".repeat(100_000))), "d.toml:"),
        (layers("[8, \"re\\u001b[2Jlu\"]"), r#"model.layers[1]: "re\u{1b}[2Jlu" is not a known layer"#),
        (good.replace("path = \"classes.csv\"", &format!("path = \"{}\"", "x".repeat(900_000))), "name too long"),
        (good.replace("lr = 0.1", "lr = 1e999"), "optimizer.lr: "),
        (good.replace("epochs = 3", "epochs = -9223372036854775808"), "train.epochs: "),
        (good.replace("batch = 16", &format!("batch = [{}]", "[0,1],".repeat(100_000))), "train.batch: "),
        (good.replace("[train]", &format!("[train]\nmemory = \"{}\"", "9".repeat(500_000))), "train.memory: "),
        (format!("{good}\n{}", "#".repeat(1 << 20)), "larger than 1 MiB"),
        ("a.".repeat(200_000) + "b = 1", "d.toml"),
        ("\0".into(), "d.toml:1:"),
    ] {
        place.write("d.toml", &text);
        let ended = place.run("train d.toml --out r");
        assert!(
            ended.code == 3 || part == "name too long" && ended.code == 9,
            "{part}: {} {:.300}",
            ended.code,
            ended.err
        );
        assert!(
            ended.err.lines().count() == 1 && ended.err.to_lowercase().contains(&part.to_lowercase()),
            "{part}: {:.300}",
            ended.err
        );
        assert!(ended.err.len() < 2500, "{part}: {:.300}", ended.err);
    }
    assert!(!place.path("r").exists(), "nothing is written");
}

#[test]
fn no_file_of_the_users_is_written_over() {
    let place = Place::new("files-kept");
    // A folder that has a file of the user's by a name that a run would take.
    let config = place.text("c.toml");
    for (file, more) in [("config.toml", ""), ("report.html", ""), ("model.safetensors", " --fresh")] {
        place.write(file, &config);
        let words = format!("train c.toml --out .{more}");
        place.fails(&words, 3, &["--out", file, "is of no run and would be replaced; give another folder"]);
        assert_eq!(place.text(file), config);
        std::fs::remove_file(place.path(file)).unwrap();
    }
    place.ok("train c.toml --out .");
    place.ok("train config.toml --out .");
    place.ok("train c.toml --out r");
    let model = place.bytes("r/model.safetensors");
    let checkpoint = place.checkpoints("r").pop().unwrap();
    let checkpoint = checkpoint.to_str().unwrap();
    for (run, out) in [
        ("r", "held.csv"),
        ("r", "./held.csv"),
        ("r", "r/model.safetensors"),
        ("r/best.safetensors", "r/best.safetensors"),
        ("r", "r/metrics.jsonl"),
        ("r", checkpoint),
    ] {
        place.fails(&format!("predict {run} --data held.csv --out {out}"), 3, &["--out", "give another file"]);
    }
    assert!(model == place.bytes("r/model.safetensors"));
    place.ok("predict r --data held.csv --out r/held.csv");
}
