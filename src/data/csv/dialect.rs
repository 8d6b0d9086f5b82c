//! What stands between the cells of a text, by looking at its first rows.

use super::records::Records;
use crate::data::table::Separator;

/// So many rows are looked at.
const ROWS: usize = 100;

/// The separators that no text has in every row by chance, in the order in which they are preferred.
const LETTERS: [Separator; 4] = [Separator::Comma, Separator::Semicolon, Separator::Tab, Separator::Pipe];

/// The first rows of a text under a separator.
pub(super) type Rows = Vec<Vec<String>>;

/// Returns what separates the cells of a text of which these are the first bytes, or all of them.
///
/// It is the first of comma, semicolon, tab and `|` that gives every row the same number of cells, two or more. A comma gives way
/// to another one that does so too and under which every comma is that of a number, and a tab to blanks where it leaves some of these between numbers. Blanks separate where none of the four
/// is in the first row, nine rows of ten have as many cells as the first, and some column of them is all numbers. Where no separator
/// fits every row, it is the one that fits most. Where the likely one gives all rows the same number of cells, two or more, it
/// is that.
pub(super) fn separator(start: &[u8], whole: bool, likely: Option<Separator>) -> Separator {
    let found = LETTERS.map(|separator| (separator, rows(start, whole, separator)));
    let blanks = (Separator::Blanks, rows(start, whole, Separator::Blanks));
    let fits = |(_, rows): &&(Separator, Rows)| width(rows) > 1 && agreeing(rows).count() == rows.len();
    if let Some((likely, _)) = found.iter().chain([&blanks]).filter(fits).find(|(one, _)| Some(*one) == likely) {
        return *likely;
    }
    match found.iter().find(fits) {
        Some((Separator::Comma, _)) => {
            let others =
                found[1..].iter().filter(fits).chain([&blanks].into_iter().filter(|(_, rows)| is_aligned(rows)));
            let decimal = others.into_iter().find(|(_, rows)| commas_are_decimal(rows));
            decimal.map_or(Separator::Comma, |(separator, _)| *separator)
        }
        Some((Separator::Tab, rows)) if is_aligned(&blanks.1) && numbers_are_together(rows) => Separator::Blanks,
        Some((separator, _)) => *separator,
        None if is_aligned(&blanks.1) && found.iter().all(|(_, rows)| width(rows) < 2) => Separator::Blanks,
        None => {
            // Of several that fit as many rows, the first.
            let split = found.iter().rev().filter(|(_, rows)| width(rows) > 1);
            let most = split.max_by_key(|(_, rows)| agreeing(rows).count());
            most.map_or(Separator::Comma, |(separator, _)| *separator)
        }
    }
}

/// Whether a text is a finite number, with a point or a comma.
pub(super) fn is_number(text: &str) -> bool {
    let finite = |text: &str| text.parse::<f64>().is_ok_and(f64::is_finite);
    text.contains(|letter: char| letter.is_ascii_digit()) && (finite(text) || finite(&text.replacen(',', ".", 1)))
}

/// The first rows of a text under a separator; the last of them is left out where there may be more of it.
pub(super) fn rows(start: &[u8], whole: bool, separator: Separator) -> Rows {
    let mut records = Records::new(start, separator);
    let mut rows = Rows::new();
    let mut ended = false;
    while rows.len() < ROWS && !ended {
        match records.advance() {
            Ok(true) => {
                let text = |cell: &[u8]| String::from_utf8_lossy(cell.trim_ascii()).into_owned();
                rows.push(records.cells().map(text).collect());
            }
            _ => ended = true,
        }
    }
    if !whole && rows.len() > 1 && records.counts().0 == start.len() as u64 {
        rows.pop();
    }
    rows
}

fn width(rows: &Rows) -> usize {
    rows.first().map_or(0, Vec::len)
}

/// The rows that have as many cells as the first.
fn agreeing(rows: &Rows) -> impl Iterator<Item = &Vec<String>> {
    rows.iter().filter(|row| row.len() == width(rows))
}

/// Most rows have as many cells as the first; some column is all numbers below it, which may be a row of names.
fn is_aligned(rows: &Rows) -> bool {
    let numbers = |column: usize| agreeing(rows).skip(1).all(|row| is_number(&row[column]));
    let count = agreeing(rows).count();
    width(rows) > 1 && count > 1 && 10 * count >= 9 * rows.len() && (0..width(rows)).any(numbers)
}

/// Some column has several numbers with blanks between them in every row.
fn numbers_are_together(rows: &Rows) -> bool {
    let several =
        |cell: &String| cell.split_ascii_whitespace().count() > 1 && cell.split_ascii_whitespace().all(is_number);
    (0..width(rows)).any(|column| rows.iter().skip(1).all(|row| several(&row[column])))
}

/// There are commas, and all of them are in numbers.
fn commas_are_decimal(rows: &Rows) -> bool {
    let mut with_comma = rows.iter().flatten().filter(|cell| cell.contains(',')).peekable();
    with_comma.peek().is_some() && with_comma.all(|cell| is_number(cell))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_separator_is_the_one_that_fits_every_row() {
        for (text, wanted) in [
            ("a,b\n1,2\n", Separator::Comma),
            ("a;b\n1;2\n", Separator::Semicolon),
            ("a\tb\n1\t2\n", Separator::Tab),
            ("a|b\n1|2\n", Separator::Pipe),
            ("a  b\n1 \t2\n", Separator::Blanks),
            ("John Smith\t5\nJane Doe\t6\n", Separator::Tab),
            ("18.0   8   307.0\t\"chevrolet chevelle\"\n15.0   8   350.0\t\"buick skylark 320\"\n", Separator::Blanks),
            // Quoted separators and line ends.
            ("a;b\n\"1,2\n3,4\";2\n\"5;6,7\";8\n", Separator::Semicolon),
            ("\"a;b\",c\n\"1;2\",3\n", Separator::Comma),
            // Separators inside of texts.
            ("name,note\nx y,a;b\nz w,c;d;e\n", Separator::Comma),
            ("first name;town\nA, B;C\nD;E, F\n", Separator::Semicolon),
            // Commas of numbers, below names and without them.
            ("x;y\n1,5;2,5\n3,5;4,5\n", Separator::Semicolon),
            ("1,5;2,5\n3,5;4,5\n", Separator::Semicolon),
            ("1,5\t2,5\n3,5\t4,5\n", Separator::Tab),
            ("1,5 2,5\n3,5 4,5\n", Separator::Blanks),
            // Rows of which one is wrong.
            ("a;b\n1;2\n3;4;5\n", Separator::Semicolon),
            ("a,b\n1,2\n\"3,4\n5,6\n", Separator::Comma),
            // One column.
            ("a\n1\n2\n", Separator::Comma),
            ("full name\nJohn Smith\nJane Doe\n", Separator::Comma),
            ("a b\nc\n", Separator::Comma),
            ("", Separator::Comma),
        ] {
            assert_eq!(separator(text.as_bytes(), true, None), wanted, "{text:?}");
        }
    }

    #[test]
    fn a_row_that_is_cut_off_is_not_counted() {
        assert_eq!(separator(b"a;b;c\n1;2;3\n4;5", false, None), Separator::Semicolon);
        // One row says little: what is likely decides, where it fits.
        let row = b"3,5;1,25 x;2";
        assert_eq!(separator(row, true, None), Separator::Comma);
        assert_eq!(separator(row, true, Some(Separator::Semicolon)), Separator::Semicolon);
        assert_eq!(separator(row, true, Some(Separator::Tab)), Separator::Comma);
        assert_eq!(rows(b"a;b;c\n1;2;3\n4;5", false, Separator::Semicolon).len(), 2);
        let many = "1  2 3\n".repeat(20);
        assert_eq!(separator(format!("{many}1 2\n").as_bytes(), true, None), Separator::Blanks);
        assert_eq!(rows(b"a;b;c", false, Separator::Semicolon).len(), 1);
    }
}
