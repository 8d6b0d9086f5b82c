//! The columns of a text: their names, and which cells of a row are theirs.

use std::collections::{HashMap, HashSet};
use std::fmt;

use super::dialect::{self, is_number};
use crate::data::table::Header;
use crate::quote::shown;

/// The columns of a text. Each is a cell of every row, in order.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Columns {
    /// Their names, all different.
    pub names: Vec<String>,
    /// How many cells of a row are before the first of them.
    pub before: usize,
    /// How many cells a row has, with those that are left out.
    pub width: usize,
    /// What was found by looking and should be told.
    pub remarks: Vec<String>,
    /// The first row is none of names.
    pub first_is_data: bool,
}

/// Returns the columns of a text, by its first row and others that follow it.
///
/// Where `header` does not say whether the first row has names, it has none if more than half of its cells are numbers or stand in
/// their column again, unless each number is one more than that before, as years are and the numbers that pandas gives to columns
/// without a name.
///
/// # Errors
/// What is wrong with the first row.
pub(super) fn columns(first: &[&[u8]], rows: &dialect::Rows, header: Option<&Header>) -> Result<Columns, String> {
    match header {
        Some(Header::Present(true)) => named(first),
        Some(Header::Present(false)) => Ok(numbered(first.len(), rows)),
        Some(Header::Names(names)) => given(names, first, rows),
        None => {
            let looks = Looks::of(first, rows);
            if looks.numbers + looks.again == 0 {
                return named(first);
            }
            if 2 * (looks.numbers + looks.again) <= looks.cells || looks.counts_up {
                let mut columns = named(first)?;
                if looks.numbers > 0 {
                    let advice = "it is taken for the names of the columns; if it is data, set data.header = false";
                    columns.remarks.push(format!("{}; {advice}", Looks { again: 0, ..looks }));
                }
                return Ok(columns);
            }
            let mut columns = numbered(first.len(), rows);
            let (last, advice) = (columns.names.len(), "if it does name the columns, set data.header = true");
            let named = if last == 1 {
                String::from("column1 is its only column")
            } else {
                format!("columns are column1 to column{last}")
            };
            columns.remarks.push(format!("{looks}, so the file seems to have no header: its {named}; {advice}"));
            Ok(columns)
        }
    }
}

/// What the cells of a first row look like.
struct Looks {
    /// Those that are not empty.
    cells: usize,
    /// Those that are numbers.
    numbers: usize,
    /// The others that stand in their column again.
    again: usize,
    /// Whether the numbers count up, and nothing stands again.
    counts_up: bool,
}

impl Looks {
    fn of(first: &[&[u8]], rows: &dialect::Rows) -> Looks {
        let cells = first.iter().map(|cell| String::from_utf8_lossy(cell).trim().to_owned()).enumerate();
        let cells: Vec<(usize, String)> = cells.filter(|(_, cell)| !cell.is_empty()).collect();
        let (numbers, texts): (Vec<_>, Vec<_>) = cells.iter().partition(|(_, cell)| is_number(cell));
        let again = match repeats(rows) {
            true => 0,
            false => texts.iter().filter(|(column, cell)| is_level(rows, *column, cell)).count(),
        };
        let all: Vec<&String> = numbers.iter().map(|(_, cell)| cell).collect();
        Looks { cells: cells.len(), numbers: all.len(), again, counts_up: again == 0 && counts_up(&all) }
    }
}

/// Whether the whole first row stands below again, as where files with a header were put together.
fn repeats(rows: &dialect::Rows) -> bool {
    rows.split_first().is_some_and(|(first, rows)| rows.contains(first))
}

/// Whether a text stands below in its column again, among two others at least: the only text of a column may be its name.
fn is_level(rows: &dialect::Rows, column: usize, text: &String) -> bool {
    let below = rows.iter().skip(1).filter_map(|row| row.get(column)).filter(|cell| !cell.is_empty());
    let different: HashSet<&String> = below.collect();
    different.contains(text) && different.len() > 2
}

/// `3 of the 7 cells of the first row are numbers`
impl fmt::Display for Looks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Looks { cells, numbers, again, .. } = self;
        let what = match (numbers, again) {
            (1, 0) => "is a number",
            (_, 0) => "are numbers",
            (0, _) => "stand in their columns again",
            _ => "are numbers or stand in their columns again",
        };
        write!(f, "{} of the {cells} cells of the first row {what}", numbers + again)
    }
}

/// Each number is one more than that before; of two, the first has to be 0.
fn counts_up(numbers: &[&String]) -> bool {
    let numbers: Option<Vec<i64>> = numbers.iter().map(|number| number.parse().ok()).collect();
    numbers.is_some_and(|numbers| {
        (numbers.len() > 2 || numbers == [0, 1])
            && numbers.windows(2).all(|pair| pair[0].checked_add(1) == Some(pair[1]))
    })
}

/// The first row has names.
fn named(first: &[&[u8]]) -> Result<Columns, String> {
    let names = first.iter().zip(1..).map(|(bytes, column)| name(bytes, column)).collect::<Result<Vec<_>, _>>()?;
    let width = names.len();
    let end = names.iter().rposition(|name| !name.is_empty()).map_or(width, |last| last + 1);
    let before = usize::from(names[0].is_empty() && end > 1 && !names.iter().all(String::is_empty));
    let names = names[before..end].to_vec();
    if let Some(place) = names.iter().position(String::is_empty) {
        return Err(format!("column {} has no name; name it in the header or remove it", before + place + 1));
    }
    if let Some((first, second)) = repeated(&names) {
        let (first, second, name) = (before + first + 1, before + second + 1, shown(&names[first]));
        return Err(format!("columns {first} and {second} are both named {name}; rename one"));
    }
    let mut remarks = Vec::new();
    if before == 1 {
        remarks.push("the first column has no name, as an index of pandas; it is left out".into());
    }
    remarks.extend(left_out(width - end));
    Ok(Columns { names, before, width, remarks, first_is_data: false })
}

/// No row has names; columns at the end that are empty in all of these rows are none.
fn numbered(width: usize, rows: &dialect::Rows) -> Columns {
    let end = width - empty_at_end(width, rows);
    let names = (1..=end).map(|column| format!("column{column}")).collect();
    Columns { names, before: 0, width, remarks: left_out(width - end).into_iter().collect(), first_is_data: true }
}

/// The configuration has the names.
fn given(names: &[String], first: &[&[u8]], rows: &dialect::Rows) -> Result<Columns, String> {
    let width = first.len();
    if let Some((_, second)) = repeated(names) {
        return Err(format!("data.header has the name {} twice; rename one", shown(&names[second])));
    }
    if names.iter().any(|name| name.trim().is_empty()) {
        return Err(String::from("data.header has an empty name; name every column"));
    }
    if names.len() > width || names.len() < width - empty_at_end(width, rows) {
        return Err(format!(
            "data.header has {} names, but the first row has {width} cells; name each of them",
            names.len()
        ));
    }
    let is_header = first.iter().zip(names).all(|(cell, name)| cell.trim_ascii() == name.trim().as_bytes());
    let mut remarks: Vec<String> = left_out(width - names.len()).into_iter().collect();
    if is_header {
        remarks.push("the first row has the names of data.header; it is left out".into());
    }
    Ok(Columns { names: names.to_vec(), before: 0, width, remarks, first_is_data: !is_header })
}

fn name(bytes: &[u8], column: usize) -> Result<String, String> {
    let name = std::str::from_utf8(bytes).map_err(|_| {
        format!("the name of column {column} is not UTF-8; save the file as UTF-8 or set data.encoding")
    })?;
    if name.contains('\0') {
        let advice = "save the file as UTF-8 text, or set data.encoding";
        return Err(format!("the name of column {column} has a NUL byte in it; {advice}"));
    }
    Ok(name.trim().to_owned())
}

/// The places of two names that are the same.
fn repeated(names: &[String]) -> Option<(usize, usize)> {
    let mut places = HashMap::new();
    names.iter().enumerate().find_map(|(second, name)| places.insert(name, second).map(|first| (first, second)))
}

/// How many cells at the end are empty in all of these rows, but not all of them.
fn empty_at_end(width: usize, rows: &dialect::Rows) -> usize {
    let empty = |row: &Vec<String>| row.iter().rev().take_while(|cell| cell.is_empty()).count();
    rows.iter().filter(|row| row.len() == width).map(empty).min().filter(|count| *count < width).unwrap_or(0)
}

/// What is told of columns at the end that have no name; their cells have to be empty, too.
fn left_out(count: usize) -> Option<String> {
    match count {
        0 => None,
        1 => Some("the last column has neither a name nor cells; it is left out".into()),
        _ => Some(format!("the last {count} columns have neither names nor cells; they are left out")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str, header: Option<Header>) -> Result<Columns, String> {
        let rows: dialect::Rows =
            text.lines().map(|line| line.split(',').map(|cell| cell.trim().to_owned()).collect()).collect();
        let first: Vec<&[u8]> = text.lines().next().unwrap().split(',').map(str::as_bytes).collect();
        columns(&first, &rows, header.as_ref())
    }

    fn names(text: &str, header: Option<Header>) -> (String, usize, bool, usize) {
        let columns = found(text, header).unwrap();
        (columns.names.join(" "), columns.before, columns.first_is_data, columns.remarks.len())
    }

    #[test]
    fn a_first_row_of_numbers_is_data_unless_they_count_up() {
        let headless = "6,148,72,35,0,33.6,0.627,50,1\n1,85,66,29,0,26.6,0.351,31,0";
        let columns = found(headless, None).unwrap();
        assert_eq!((columns.names[8].as_str(), columns.names.len(), columns.first_is_data), ("column9", 9, true));
        let expected = "9 of the 9 cells of the first row are numbers, so the file seems to have no header: its columns are column1 to \
                        column9; if it does name the columns, set data.header = true";
        assert_eq!(columns.remarks, [expected]);
        assert_eq!(
            names("5.1,3.5,1.4,0.2,setosa", None),
            ("column1 column2 column3 column4 column5".into(), 0, true, 1)
        );
        assert!(!names("x,2", None).2, "half is not most");
        assert_eq!(names("7", None), ("column1".into(), 0, true, 1));
        assert_eq!(names("0,1,2,y\n5,6,7,8", None), ("0 1 2 y".into(), 0, false, 1));
        assert_eq!(names("land,1999,2000,2001", None), ("land 1999 2000 2001".into(), 0, false, 1));
        // A row of adult.data.
        let some = found("39,State-gov,77516,Bachelors,13,Male,White", None).unwrap();
        assert_eq!((some.names.len(), some.first_is_data), (7, false));
        assert!(some.remarks[0].starts_with("3 of the 7 cells of the first row are numbers; it is taken for"));
        assert_eq!(names("6,148,72", Some(Header::Present(true))), ("6 148 72".into(), 0, false, 0));
        assert_eq!(names("a,b", Some(Header::Present(false))), ("column1 column2".into(), 0, true, 0));
    }

    #[test]
    fn a_first_row_whose_texts_stand_below_again_is_data() {
        // Two rows of german.data, of which the first has a number twice.
        let more = "A14,12,A34,A93,2,A172\nA11,42,A32,A91,2,A173\nA11,24,A33,A92,3,A171";
        let columns = found(&format!("A11,6,A34,A93,6,A173\nA12,48,A32,A93,2,A173\n{more}"), None).unwrap();
        assert_eq!((columns.names.len(), columns.first_is_data), (6, true));
        let expected = "6 of the 6 cells of the first row are numbers or stand in their columns again, so the file seems to have no header";
        assert!(columns.remarks[0].starts_with(expected), "{:?}", columns.remarks);
        let texts = found("x,y\nx,n\ny,y\nz,m", None).unwrap();
        assert!(texts.first_is_data && texts.remarks[0].starts_with("2 of the 2 cells of the first row stand in"));
        // A name may be a level, too; or all that its column has; or stand between two parts of the file.
        assert_eq!(names("male,female\nmale,x\ny,y\nz,z", None), ("male female".into(), 0, false, 0));
        assert_eq!(names("apple,pear,buys\napple,,yes\n,pear,no", None), ("apple pear buys".into(), 0, false, 0));
        assert_eq!(names("a,b\nx,u\ny,v\nz,w\na,b\nx,u", None), ("a b".into(), 0, false, 0));
    }

    #[test]
    fn an_index_without_a_name_and_empty_columns_at_the_end_are_left_out() {
        assert_eq!(names(",a,b\n0,1,2", None), ("a b".into(), 1, false, 1));
        assert_eq!(names("a,b,,\n1,2,,", None), ("a b".into(), 0, false, 1));
        assert_eq!(names(",a,", None), ("a".into(), 1, false, 2));
        assert_eq!(names("1,2,\n3,4,", None), ("column1 column2".into(), 0, true, 2));
        assert_eq!(names("1,2,\n3,4,5", None), ("column1 column2 column3".into(), 0, true, 1));
        assert_eq!(names(",\n,", Some(Header::Present(false))), ("column1 column2".into(), 0, true, 0));
        for text in [",", "a,,b", ",,b"] {
            assert!(found(text, None).unwrap_err().contains("has no name"), "{text:?}");
        }
        assert_eq!(found(",a,b,a", None).unwrap_err(), "columns 2 and 4 are both named \"a\"; rename one");
    }

    #[test]
    fn names_can_be_given() {
        let given = |names: &[&str]| Some(Header::Names(names.iter().map(|&name| name.into()).collect()));
        assert_eq!(names("1,2", given(&["a", "b"])), ("a b".into(), 0, true, 0));
        assert_eq!(names("a, b\n1,2", given(&["a", "b"])), ("a b".into(), 0, false, 1));
        assert_eq!(names("1,2,\n3,4,", given(&["a", "b"])), ("a b".into(), 0, true, 1));
        assert_eq!(
            found("1,2", given(&["a"])).unwrap_err(),
            "data.header has 1 names, but the first row has 2 cells; name each of them"
        );
        assert!(found("1,2", given(&["a", "b", "c"])).is_err());
        assert!(found("1,2", given(&["a", "a"])).unwrap_err().contains("\"a\" twice"));
        assert!(found("1,2", given(&["a", " "])).unwrap_err().contains("an empty name"));
    }
}
