use std::path::PathBuf;

use super::*;
use crate::data::table::{Header, open};
use crate::random::{Purpose, stream};
use rand::Rng;

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/parquet").join(name)
}

/// The cells of all rows as they are shown; an error of a cell by its message.
fn cells(table: &mut dyn Table) -> Result<Vec<Vec<String>>> {
    let mut rows = Vec::new();
    while table.advance()? {
        let cell = |column| match table.cell(column) {
            Ok(cell) => format!("{cell:?}"),
            Err(error) => error.to_string(),
        };
        rows.push((0..table.names().len()).map(cell).collect());
    }
    Ok(rows)
}

fn read(name: &str) -> (Box<dyn Table>, Vec<Vec<String>>) {
    let mut table = open(&file(name), &Reading::default()).unwrap();
    let rows = cells(table.as_mut()).unwrap();
    (table, rows)
}

fn message(name: &str) -> String {
    let table = open(&file(name), &Reading::default()).and_then(|mut table| cells(table.as_mut()));
    let message = table.unwrap_err().to_string();
    message[message.find(name).unwrap()..].to_owned()
}

#[test]
fn every_kind_of_value_that_pyarrow_writes_is_read() {
    let (table, rows) = read("kinds.parquet");
    let column = |name: &str| {
        let place = table.names().iter().position(|known| known == name).unwrap();
        rows.iter().map(|row| row[place].as_str()).collect::<Vec<_>>()
    };
    assert_eq!(column("int8"), ["Number(-1.0)", "Missing", "Number(3.0)"]);
    assert_eq!(column("uint32"), ["Number(4294967295.0)", "Number(0.0)", "Missing"]);
    assert_eq!(column("uint64"), ["Number(1.8446744073709552e19)", "Number(0.0)", "Missing"]);
    assert_eq!(column("int64"), ["Number(-9007199254740992.0)", "Number(1.0)", "Missing"]);
    assert_eq!(column("float"), ["Number(0.5)", "Missing", "Number(NaN)"]);
    assert_eq!(column("double"), ["Number(1e300)", "Number(-0.0)", "Missing"]);
    assert_eq!(column("text"), ["Text(\"a\")", "Missing", "Missing"]);
    assert_eq!((column("bytes")[0], column("bytes")[2]), ("Text(\"ok\")", "Missing"));
    assert!(
        column("bytes")[1]
            .ends_with("kinds.parquet, row 2, column \"bytes\": the bytes are no UTF-8 text; leave the column out")
    );
    assert_eq!(column("bool"), ["Switch(true)", "Switch(false)", "Missing"]);
    assert_eq!(column("date"), ["Text(\"2024-02-29\")", "Missing", "Text(\"1969-12-31\")"]);
    assert_eq!(column("time"), ["Text(\"12:30:00.25\")", "Missing", "Text(\"01:00:00\")"]);
    for unit in ["ms", "us", "ns"] {
        let moment = "Text(\"2024-02-29T12:30:00.25\")";
        assert_eq!(column(unit), [moment, "Missing", moment], "{unit}");
    }
    assert_eq!(column("decimal"), ["Number(-12.34)", "Missing", "Number(5.0)"]);
    assert_eq!(column("level"), ["Text(\"x\")", "Text(\"y\")", "Text(\"x\")"]);
    assert!(table.remarks().is_empty() && table.progress() == Some(1.0));
}

#[test]
fn row_groups_codecs_and_old_times_are_read() {
    let (_, rows) = read("groups.parquet");
    let letters =
        "abcdefg".chars().zip(0..).map(|(letter, n)| vec![format!("Number({n}.0)"), format!("Text(\"{letter}\")")]);
    assert_eq!(rows, letters.collect::<Vec<_>>());
    assert_eq!(read("gzip.parquet").1[1], ["Number(2.5)", "Text(\"y\")"]);
    assert_eq!(read("old.parquet").1[0], ["Text(\"2024-02-29T12:30:00.25\")"]);
    assert!(read("none.parquet").1.is_empty());
}

#[test]
fn what_is_not_read_is_said() {
    let (table, rows) = read("nested.parquet");
    assert_eq!(
        (table.names(), rows),
        (&["a".to_owned()][..], vec![vec!["Number(1.0)".to_owned()], vec!["Number(2.0)".into()]])
    );
    let what = "it holds lists, groups or values of a kind that is not read; it is left out";
    assert_eq!(table.remarks(), [format!("column \"list\": {what}"), format!("column \"group\": {what}")]);
    assert_eq!(
        message("lists.parquet"),
        "lists.parquet: there is no column of numbers, texts, truth values, dates or times in the file"
    );
    assert!(
        message("zstd.parquet").contains("is no Parquet that can be read here, or is damaged: "),
        "{}",
        message("zstd.parquet")
    );
    let header = Reading { header: Some(Header::Present(false)), ..Reading::default() };
    assert!(matches!(open(&file("kinds.parquet"), &header), Err(Error::Config { .. })));
}

#[test]
fn damaged_files_never_panic() {
    let mut random = stream(0, Purpose::Shuffle, 0);
    let files = ["kinds", "groups", "gzip"].map(|name| std::fs::read(file(&format!("{name}.parquet"))).unwrap());
    let (mut good, mut bad) = (0, 0);
    for case in 0..600 {
        let mut bytes = files[case % files.len()].clone();
        for _ in 0..3 {
            let place = random.next_u32() as usize % bytes.len();
            bytes[place] = random.next_u32() as u8;
        }
        let read = Parquet::read(bytes, "x", &Reading::default());
        match read.and_then(|mut table| cells(table.as_mut())) {
            Ok(_) => good += 1,
            Err(error) => {
                let text = error.to_string();
                assert!(!text.contains(char::is_control) && text.len() < 500, "one line: {text:?}");
                bad += 1;
            }
        }
    }
    assert!(good > 0 && bad > 0, "{good} {bad}");
}
