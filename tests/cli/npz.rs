//! NumPy's arrays in the place of a table: the same rows give the same bits.

use std::path::Path;

use crate::place::{Place, classes};

/// A `.npy` file of rows of so many numbers.
fn npy(descr: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n");
    let length = (header.len() as u16).to_le_bytes();
    [b"\x93NUMPY\x01\0", &length[..], header.as_bytes(), data].concat()
}

/// The rows of a table as `xy.npy` and `side.npy` in a folder.
fn arrays(place: &Place, folder: &str, csv: &str) {
    std::fs::create_dir_all(place.path(folder)).unwrap();
    let rows: Vec<Vec<&str>> = csv.lines().skip(1).map(|line| line.split(',').collect()).collect();
    let numbers = rows.iter().flat_map(|row| &row[..2]).flat_map(|cell| cell.parse::<f32>().unwrap().to_le_bytes());
    let shape = format!("({}, 2)", rows.len());
    place.write(&format!("{folder}/xy.npy"), npy("<f4", &shape, &numbers.collect::<Vec<_>>()));
    let texts = rows.iter().flat_map(|row| format!("{:\0<5}", row[2]).into_bytes());
    place.write(&format!("{folder}/side.npy"), npy("|S5", &format!("({},)", rows.len()), &texts.collect::<Vec<_>>()));
}

#[test]
fn arrays_train_as_a_table_does() {
    let place = Place::new("npz");
    arrays(&place, "first", &classes(0..40));
    arrays(&place, "held", &classes(40..60));
    place.ok("train c.toml --out table");
    place.ok("train c.toml --out arrays --set data.path=first/xy.npy --set data.validation=held/xy.npy");
    assert_eq!(place.metrics("arrays").len(), place.metrics("table").len());
    let asked = |run: &str, data: &str| {
        place.ok(&format!("predict {run} --data {data} --out {run}.csv"));
        (place.text(&format!("{run}.csv")), place.ok(&format!("eval {run} --data {data}")))
    };
    let (arrays, table) = (asked("arrays", "held/xy.npy"), asked("table", "held.csv"));
    assert_eq!(arrays.1, table.1);
    // A table's numbers are scaled from their texts, those of arrays from 32 bits.
    assert_eq!(arrays.0.split([',', '\n']).count(), table.0.split([',', '\n']).count());
    for (one, other) in arrays.0.split([',', '\n']).zip(table.0.split([',', '\n'])) {
        match (one.parse::<f64>(), other.parse::<f64>()) {
            (Ok(one), Ok(other)) => assert!((one - other).abs() <= 1e-6, "{one} {other}"),
            _ => assert_eq!(one, other),
        }
    }

    std::fs::rename(place.path("held/xy.npy"), place.path("held/new.npy")).unwrap();
    place.ok("predict arrays --data held/new.npy --out new.csv");
    assert_eq!(place.bytes("new.csv"), place.bytes("arrays.csv"), "without a target its name does not matter");
    place.fails("eval arrays --data held/new.npy", 4, &["there is no array \"xy.0\"", "a feature of the model"]);
}

#[test]
fn a_split_and_named_arrays_of_an_npz_file_train() {
    let place = Place::new("npz-split");
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/npz/plain.npz");
    std::fs::copy(file, place.path("plain.npz")).unwrap();
    let set = "--set data.path=plain.npz --set data.target=y --set data.validation=0.5 --set data.features=x";
    place.ok(&format!("train c.toml --out r {set} --set data.weight=w --set train.seed=1"));
    assert!(place.text("r/config.toml").contains("features = \"x\""));
    assert!(place.ok("eval r --data plain.npz --weight w").contains("rows 6\n"));
    place.fails(&format!("train c.toml --out s {set} --set data.features=z"), 4, &["plain.npz", "no array \"z\""]);
}

/// A network of sequences: of what it reads, and what stands at its end.
fn sequences(first: &str, end: &str) -> String {
    format!(
        "[model]\nlayers = [{first}, {{ positions = \"sinusoidal\" }}, {{ residual = [\"rms_norm\", {{ attention = {{ heads = 2, causal = true, \
         rotary = true }} }}] }}{end}]\nloss = \"cross_entropy\"\n[train]\nepochs = 12\nbatch = 12\n[optimizer]\ntype = \"adamw\"\nlr = 0.01\n"
    )
}

#[test]
fn series_of_an_array_train_and_predict_a_class_each() {
    let place = Place::new("npz-series");
    // Two channels over twelve moments: one class rises early, the other late.
    let series = |row: usize, t: usize, c: usize| {
        let noise = (row * 31 + t * 7 + c * 13) % 10;
        (if (t > 3 + 4 * (row % 2)) ^ (c == 1) { 1.0 } else { -1.0 }) + noise as f32 / 10.0
    };
    let each = |row| (0..12).flat_map(move |t| (0..2).map(move |c| series(row, t, c)));
    let numbers: Vec<u8> = (0..60).flat_map(each).flat_map(f32::to_le_bytes).collect();
    place.write("x.npy", npy("<f4", "(60, 12, 2)", &numbers));
    let labels: Vec<u8> = (0..60u8).map(|row| row % 2).collect();
    place.write("y.npy", npy("|u1", "(60,)", &labels));
    let data = "[data]\npath = \"x.npy\"\ntarget = \"y\"\nlayout = \"series\"\n";
    place.write("s.toml", format!("{data}{}", sequences("16", ", \"last_token\"")));
    place.ok("train s.toml --out r");
    assert!(place.ok("inspect r").contains("12×2"));
    let last = place.metrics("r").pop().unwrap();
    assert!(last["val_accuracy"].as_f64().unwrap() > 0.95, "{last}");
    place.ok("predict r --data x.npy --out p.csv");
    assert_eq!(place.text("p.csv").lines().count(), 61);
    // The channels of a series come last, also in PyTorch.
    let plain = format!("{data}{}", sequences("16", ", \"last_token\"")).replace("rotary = true", "bias = true");
    place.write("plain.toml", plain);
    place.ok("train plain.toml --out plain --set train.epochs=1");
    place.ok("export plain --pytorch m.py --onnx m.onnx");
    assert!(place.text("m.py").contains("], 0),"), "Normalize has no dimension behind the channels");
    let mean = sequences("16", ", \"global_avg_pool\"");
    place.write("mean.toml", format!("{data}{mean}"));
    assert!(place.ok("verify mean.toml --updates 2").contains("equal under"));
    place.write("open.toml", format!("{data}{}", sequences("16", "")));
    place.fails("train open.toml --out o", 3, &["model.layers", "global_avg_pool"]);
}

#[test]
fn tokens_come_as_numbers_in_a_line_or_in_rows() {
    let place = Place::new("npz-tokens");
    let line: Vec<u8> = (0..400u32).flat_map(|at| (at * at % 7).to_le_bytes()).collect();
    place.write("line.npy", npy("<u4", "(400,)", &line));
    // Sequences of eight and the token behind each; what is not to be predicted is below 0.
    let token = |row: i64, at: i64| if at > 6 { -100 } else { (row + at) % 5 };
    let rows = (0..40).flat_map(|row| (0..9).map(move |at| token(row, at))).flat_map(i64::to_le_bytes);
    place.write("rows.npy", npy("<i8", "(40, 9)", &rows.collect::<Vec<u8>>()));
    let data = |file: &str| format!("[data]\npath = \"{file}\"\ntokens = \"numbers\"\ncontext = 8\n");
    for (file, tokens) in [("line.npy", 5), ("rows.npy", 5)] {
        place.write("t.toml", data(file) + &sequences("{ embedding = 16 }", ", 8"));
        let run = file.trim_end_matches(".npy");
        let said = place.ok(&format!("train t.toml --out {run}"));
        assert!(said.contains(&format!("{tokens} different ones")), "{said}");
        let last = place.metrics(run).into_iter().rfind(|line| line["kind"] == "epoch").unwrap();
        assert!(last["val_perplexity"].as_f64().unwrap() < 4.0, "{last}");
    }
    let written = place.ok("generate rows --prompt 2 --tokens 5 --temperature 0 -q");
    assert_eq!(written.trim(), "2 3 4 0 1 2", "each number follows the one before it");
    let measured = place.ok("eval rows --data rows.npy");
    // Of eight targets of a row two are below 0.
    assert!(measured.starts_with(&format!("tokens {}\n", 40 * 6)), "{measured}");
    place.fails("generate rows --prompt 9", 4, &["\"9\" is no token", "0 to 4"]);
    place.write("t.toml", data("rows.npy").replace("8", "4") + &sequences("{ embedding = 16 }", ""));
    place.fails("train t.toml --out o", 4, &["rows of 9 tokens", "rows of 5"]);
}
