use std::io::{self, Read};

use super::*;
use crate::data::table::{Header, Separator};
use crate::random::{Purpose, stream};
use rand::Rng;

/// The names, and the cells of all rows.
fn table(text: &[u8]) -> Result<(Vec<String>, Vec<Vec<String>>)> {
    let mut table = JsonLines::read(text, "x.jsonl", &Reading::default())?;
    let mut rows = Vec::new();
    while table.advance()? {
        let cells = (0..table.names().len()).map(|column| Ok(format!("{:?}", table.cell(column)?)));
        rows.push(cells.collect::<Result<Vec<_>>>()?);
    }
    Ok((table.names().to_vec(), rows))
}

fn message(text: &[u8]) -> String {
    let message = table(text).unwrap_err().to_string();
    assert!(!message.contains(char::is_control) && message.len() < 500, "one line: {message:?}");
    message
}

#[test]
fn the_columns_are_the_keys_of_all_objects() {
    let text = b"\xef\xbb\xbf{\"b\": 1.5, \"a\": \" x \"}\r\n\n{\"a\": null, \"c\": true, \"b\": -3}\n{\"a\": \"\"}";
    let (names, rows) = table(text).unwrap();
    assert_eq!(names, ["b", "a", "c"]);
    assert_eq!(rows[0], ["Number(1.5)", "Text(\"x\")", "Missing"]);
    assert_eq!(rows[1], ["Number(-3.0)", "Missing", "Switch(true)"]);
    assert_eq!(rows[2], ["Missing", "Missing", "Missing"]);
}

#[test]
fn what_is_no_object_is_named_by_line() {
    let object = "a line must be an object, as in {\"a\": 1, \"b\": \"x\"}";
    assert_eq!(
        message(b"{\"a\": 1}\n\n[2]\n"),
        format!("x.jsonl, line 3: invalid type: sequence, expected an object; {object}")
    );
    assert_eq!(message(b"{\"a\": NaN}\n"), format!("x.jsonl, line 1: at byte 7: expected value; {object}"));
    for text in
        [&b"{\"a\": 1} {\"a\": 2}\n"[..], b"{\"a\": 1e999}", b"{\"a\": \"\xff\"}", b"{\"a\"", b"{\"\": 1}", b"1"]
    {
        assert!(message(text).starts_with("x.jsonl, line 1: "), "{text:?}");
    }
    assert!(message(b"{\"a\": 1, \"a\": 2}").contains("the key \"a\" is there twice"));
    assert!(message("[".repeat(10_000).as_bytes()).contains("expected an object"));
    let deep = format!("{{\"a\": {}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(message(deep.as_bytes()).contains("the value is a list"));
    assert!(message(&deep.as_bytes()[..90_000]).contains("EOF while parsing"));
    for text in [&b""[..], b"\n \n", b"{}\n"] {
        assert!(message(text).starts_with("x.jsonl: there is no value in the file"));
    }
}

#[test]
fn a_nested_value_is_an_error_of_its_cell_alone() {
    let mut table =
        JsonLines::read(b"{\"a\": [1, {}], \"b\": 2, \"c\": {\"d\": []}}", "x.jsonl", &Reading::default()).unwrap();
    assert!(table.advance().unwrap());
    assert_eq!(table.cell(1).unwrap(), Cell::Number(2.0));
    let expected = "x.jsonl, line 1, column \"a\": the value is a list; give each of its values a key of its own, or leave the column out";
    assert_eq!(table.cell(0).unwrap_err().to_string(), expected);
    assert!(table.cell(2).unwrap_err().to_string().contains("the value is an object"));
    assert_eq!(table.wrong_column(1, "m".into()).to_string(), "x.jsonl, column \"b\": m");
}

#[test]
fn settings_of_other_formats_are_refused() {
    let names = Some(Header::Names(vec!["a".into()]));
    for reading in [
        Reading { separator: Some(Separator::Comma), ..Reading::default() },
        Reading { header: names, ..Reading::default() },
        Reading { header: Some(Header::Present(false)), ..Reading::default() },
    ] {
        assert!(matches!(JsonLines::read(b"{\"a\": 1}", "x", &reading), Err(Error::Config { .. })));
    }
}

#[test]
fn keys_and_lines_without_an_end_are_refused() {
    let endless = b"{\"a\": \"".chain(io::repeat(b'x').take(4 << 30));
    let error = find_keys(endless, "x.jsonl", &Reading::default()).unwrap_err();
    assert_eq!(error.to_string(), "x.jsonl, line 1: the line has more than 16 MiB");
    let keys: String = (0..18).map(|key| format!("{{\"{key}{}\": 1}}\n", "x".repeat(1 << 20))).collect();
    assert!(message(keys.as_bytes()).contains("all different keys so far have more than 16 MiB"));
}

#[test]
fn damaged_files_never_panic() {
    let mut random = stream(0, Purpose::Shuffle, 0);
    for _ in 0..2000 {
        let mut bytes = b"{\"a\": 1, \"y\": \"b\"}\r\n{\"y\": null, \"a\": [-2.5e3]}\n".to_vec();
        for _ in 0..3 {
            let place = random.next_u32() as usize % bytes.len();
            bytes[place] = b"\0\n{}[],\"9 \xff:"[random.next_u32() as usize % 12];
        }
        if table(&bytes).is_err() {
            message(&bytes);
        }
    }
}
