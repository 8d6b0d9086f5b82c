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
