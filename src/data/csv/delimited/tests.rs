use std::io::{self, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use flate2::Compression;
use flate2::write::GzEncoder;
use rand::Rng;

use super::*;
use crate::data::table::{Charset, Header, Separator, open};
use crate::random::{Purpose, stream};

/// The names and the rows of a table; a missing cell is `-`.
fn content(mut table: Box<dyn Table + '_>) -> Result<(String, Vec<String>)> {
    let mut rows = Vec::new();
    while table.advance()? {
        let cell = |column| match table.cell(column)? {
            Cell::Missing => Ok(String::from("-")),
            Cell::Text(text) => Ok(text.into_owned()),
            other => panic!("a text has no {other:?}"),
        };
        rows.push((0..table.names().len()).map(cell).collect::<Result<Vec<_>>>()?.join("/"));
    }
    Ok((table.names().join("/"), rows))
}

fn read(text: &[u8], reading: &Reading) -> Result<(String, Vec<String>)> {
    content(Delimited::read(text, "x.csv", reading)?)
}

fn assert_table(text: &str, names: &str, rows: &[&str]) {
    let (found, cells) = read(text.as_bytes(), &Reading::default()).unwrap();
    assert_eq!(
        (found.as_str(), cells.iter().map(String::as_str).collect::<Vec<_>>()),
        (names, rows.to_vec()),
        "{text:?}"
    );
}

fn message(text: &[u8], reading: &Reading) -> String {
    let message = read(text, reading).unwrap_err().to_string();
    assert!(!message.contains(char::is_control) && message.len() < 500, "one line: {message:?}");
    message
}

#[test]
fn texts_are_read_as_people_write_them() {
    assert_table("a,b,c\n1, \"x, y\" ,\n,\" \",z\n", "a/b/c", &["1/x, y/-", "-/-/z"]);
    assert_table("x;y\r\n1,5;\"2;5\"\r\n3,5;4\r\n", "x/y", &["1,5/2;5", "3,5/4"]);
    assert_table("a,b\n\"x;1\n2|3\",4\n\"5;6\",7\n", "a/b", &["x;1\n2|3/4", "5;6/7"]);
    assert_table("sep=|\na|b\n1|2,3\n", "a/b", &["1/2,3"]);
    assert_table("# from somewhere, yesterday\ra\tb\r1\t\r", "a/b", &["1/-"]);
    assert_table("text\nhello there\n\n\"\"\n", "text", &["hello there", "-"]);
    assert_table("mpg  name \n 18.0 \t \"a car\"\n  9 b\n", "mpg/name", &["18.0/a car", "9/b"]);
    assert_table(",a,b,\n0,1,2,\n1,3,4,\n", "a/b", &["1/2", "3/4"]);
}

#[test]
fn a_file_without_a_header_keeps_its_first_row() {
    assert_table("6,148,yes\n1,85,no\n", "column1/column2/column3", &["6/148/yes", "1/85/no"]);
    assert_table("7\n8\n", "column1", &["7", "8"]);
    let table = Delimited::read(&b"6,148,yes\n1,85,no\n"[..], "x.csv", &Reading::default()).unwrap();
    assert!(table.remarks()[0].starts_with("2 of the 3 cells of the first row are numbers, so the file"));
}

#[test]
fn what_is_found_by_looking_is_overruled() {
    let header = |header| Reading { header: Some(header), ..Reading::default() };
    let given = Header::Names(vec!["a".into(), "b".into()]);
    assert_eq!(read(b"x,y\n1,2\n", &header(given.clone())).unwrap(), ("a/b".into(), vec!["x/y".into(), "1/2".into()]));
    assert_eq!(read(b"a,b\n1,2\n", &header(given)).unwrap(), ("a/b".into(), vec!["1/2".into()]));
    assert_eq!(read(b"1,2\n3,4\n", &header(Header::Present(true))).unwrap(), ("1/2".into(), vec!["3/4".into()]));
    let separated = |separator| Reading { separator: Some(separator), ..Reading::default() };
    assert_eq!(read(b"a b\nx y\n", &separated(Separator::Blanks)).unwrap(), ("a/b".into(), vec!["x/y".into()]));
    assert_eq!(
        read(b"sep=,\na;b\nx;y\n", &separated(Separator::Semicolon)).unwrap(),
        ("a/b".into(), vec!["x/y".into()])
    );
    let latin = Reading { encoding: Some(Charset::Latin1), ..Reading::default() };
    assert_eq!(read(b"a\xe9,b\n\xdf,2\n", &latin).unwrap(), ("aé/b".into(), vec!["ß/2".into()]));
    let other = message(b"a,b\nx,\xdf\n", &Reading::default());
    let advice = "is not UTF-8 text; save the file as UTF-8 or set data.encoding";
    assert_eq!(other, format!("x.csv, line 2, column \"b\": \"\u{fffd}\" {advice}"));
}

#[test]
fn what_does_not_fit_is_named_by_line() {
    let usual = |text: &[u8]| message(text, &Reading::default());
    let semicolons = "found 3 cells, but the header has 2; look for a semicolon that is missing or too many";
    assert_eq!(usual(b"a;b\r\n1;2\r\n\r\n3;4;5\r\n"), format!("x.csv, line 4: {semicolons}"));
    assert!(usual(b"1;2\n2;3;4\n").contains("found 3 cells, but the first row has 2"));
    let empty_end = "x.csv, line 3: column 3 has no name, but \"x\" is in it; name it in the header";
    assert_eq!(usual(b"a,b,\n1,2,\n3,4,x\n"), empty_end);
    let open = "the file ends inside of a quote that begins in this row; look for a quote that is not closed";
    assert_eq!(usual(b"a,b\n1,2\n3,\"4\n5\n"), format!("x.csv, line 3: {open}"));
    assert_eq!(usual(b"a,\"b\n1\n"), format!("x.csv, line 1: {open}"));
    assert_eq!(usual(b"a,b\n"), "x.csv, line 1: no row follows the header; at least one is needed");
    assert!(usual(b"# a\n\n").starts_with("x.csv: the file is empty"));
}

#[test]
fn half_a_character_of_utf_16_is_named_by_line() {
    let mut bytes = vec![0xff, 0xfe];
    bytes.extend("a;b\r\n1;ü\r\n".encode_utf16().flat_map(u16::to_le_bytes));
    let whole = read(&bytes, &Reading::default()).unwrap();
    assert_eq!(whole, ("a/b".into(), vec!["1/ü".into()]));
    bytes.push(b'3');
    let cut = message(&bytes, &Reading::default());
    assert!(cut.starts_with("x.csv, line 3: a character is cut in half, so this is no UTF-16 text"), "{cut}");
}

/// What `open` makes of a file of that name.
fn file(name: &str, bytes: &[u8]) -> Result<(String, Vec<String>)> {
    let mut file = tempfile::Builder::new().suffix(name).tempfile().unwrap();
    file.write_all(bytes).unwrap();
    content(open(file.path(), &Reading::default())?)
}

fn packed(mut text: impl io::Read) -> Vec<u8> {
    let mut to = GzEncoder::new(Vec::new(), Compression::fast());
    io::copy(&mut text, &mut to).unwrap();
    to.finish().unwrap()
}

#[test]
fn packed_files_are_read_and_their_damage_is_named() {
    let text = format!("a;b\n{}", "1;2\n".repeat(50_000));
    let bytes = packed(text.as_bytes());
    assert_eq!(file(".csv.gz", &bytes).unwrap().1.len(), 50_000);
    let two = [packed(&b"a,b\n1,2\n"[..]), packed(&b"3,4\n"[..])].concat();
    assert_eq!(file(".CSV.GZ", &two).unwrap(), ("a/b".into(), vec!["1/2".into(), "3/4".into()]));
    assert_eq!(file(".jsonl.gz", &packed(&b"{\"a\": \"x\"}"[..])).unwrap(), ("a".into(), vec!["x".into()]));
    let wrong = |bytes: &[u8]| match file(".gz", bytes) {
        Err(Error::Data { place, message }) => (place, message),
        other => panic!("{other:?}"),
    };
    for cut in [0, 5, 20, bytes.len() / 2, bytes.len() - 1] {
        let (place, message) = wrong(&bytes[..cut]);
        assert_eq!(message, "the packed file ends early; is all of it there?", "{cut} bytes");
        assert!(cut < 100 || !place.ends_with("line 1"), "{place}");
    }
    for bytes in [&b"a,b\n1,2\n3,4\n5,6\n7,8\n"[..], &[&bytes[..bytes.len() - 8], &[0; 8]].concat()] {
        assert!(wrong(bytes).1.starts_with("the file is not packed by gzip, or is damaged ("));
    }
}

#[test]
fn a_small_file_of_endless_rows_is_refused_soon() {
    let bytes = packed(io::Read::chain(&b"a\n"[..], io::Read::take(io::repeat(b'0'), 256 << 20)));
    assert!(bytes.len() < 4 << 20);
    let error = file(".csv.gz", &bytes).unwrap_err().to_string();
    assert!(
        error.ends_with("line 2: no row ends within 16 MiB from here; look for a quote that is not closed"),
        "{error}"
    );
}

#[test]
fn the_share_that_was_read_grows_to_the_whole() {
    for packed_too in [false, true] {
        let text = format!("a,b\n{}", "1,2\n".repeat(200_000));
        let bytes = if packed_too { packed(text.as_bytes()) } else { text.into_bytes() };
        let mut file = tempfile::Builder::new().suffix(if packed_too { ".csv.gz" } else { ".csv" }).tempfile().unwrap();
        file.write_all(&bytes).unwrap();
        let mut table = open(file.path(), &Reading::default()).unwrap();
        let mut shares = vec![];
        while table.advance().unwrap() {
            shares.push(table.progress().unwrap());
        }
        let middle = shares[100_000];
        assert!(shares[0] < 0.01 && shares.last() == Some(&1.0), "{packed_too}");
        assert!(packed_too || (middle - 0.5).abs() < 0.01, "{middle}");
    }
}

#[test]
#[ignore = "a process of the test below"]
fn standard_input_twice() {
    for _ in 0..2 {
        println!("{:?}", content(open(Path::new("-"), &Reading::default()).unwrap()).unwrap());
    }
}

#[test]
fn standard_input_can_be_read_again() {
    let name = "data::csv::delimited::tests::standard_input_twice";
    let mut test = Command::new(std::env::current_exe().unwrap());
    test.args(["--exact", name, "--ignored", "--nocapture"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = test.spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"a;b\nx;y\n").unwrap();
    let output = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
    assert_eq!(output.matches("(\"a/b\", [\"x/y\"])").count(), 2, "{output}");
}

#[test]
fn damaged_files_never_panic() {
    let mut random = stream(0, Purpose::Shuffle, 0);
    let utf16: Vec<u8> = "\u{feff}a;b\r\n1,5;\"x\"\r\n".encode_utf16().flat_map(u16::to_be_bytes).collect();
    let texts = [
        b"\xef\xbb\xbf#x\r\nsep=;\r\na,y,w\r\n1,\"b\",1\r\n-2.5e3,c,0\r\n".to_vec(),
        b" 1  2.5 \"c\"\r3 4\t5\r".to_vec(),
        utf16,
    ];
    let given = Reading {
        header: Some(Header::Names(vec!["a".into()])),
        separator: Some(Separator::Blanks),
        ..Reading::default()
    };
    let utf16 = Reading { encoding: Some(Charset::Utf16), header: Some(Header::Present(false)), ..Reading::default() };
    for reading in [Reading::default(), given, utf16] {
        for case in 0..2000 {
            let mut bytes = texts[case % texts.len()].clone();
            for _ in 0..3 {
                let place = random.next_u32() as usize % bytes.len();
                bytes[place] = b"\0\n\r,\"9 \xff;\t#|"[random.next_u32() as usize % 12];
            }
            if read(&bytes, &reading).is_err() {
                message(&bytes, &reading);
            }
        }
    }
}
