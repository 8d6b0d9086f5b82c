//! The kind of a column, from what its cells are together.
//!
//! The first rule that fits decides:
//! 1. what the user says;
//! 2. nothing but missing cells, or the same text everywhere: left out (numbers that are all the same stay, as 0);
//! 3. all cells are numbers, written alike: a number. Whole numbers of which some begin with 0 are codes, and go on below. A
//!    column that counts the rows from 0 or 1 and is named like an index is left out, and so is one of different whole numbers
//!    that is named as an identifier;
//! 4. all cells are of one spelling of true and false: a boolean;
//! 5. all cells are ISO dates: a date;
//! 6. as many different texts as cells, and 8 or more: an identifier, left out;
//! 7. each text occurs twice or more on average, or there are fewer than 8: a category;
//! 8. texts that are mostly different: free text, left out; but where 5 to 95 % of the cells are missing, a category, so that what
//!    is missing and what is frequent can be learned.

use super::tally::Tally;
use super::{Dialect, Kind};

/// A kind, and why.
pub(super) struct Decided {
    pub kind: Kind,
    pub why: String,
    pub dialect: Dialect,
    pub range: Option<(f64, f64)>,
}

/// Fewer different texts than this are too few to call a column free text or an identifier.
const FEW: u64 = 8;

/// The kind of a column; `named` says that the user wants it as a feature, so that it is not left out by itself.
pub(super) fn decide(name: &str, tally: &Tally, given: Option<Kind>, named: bool, decimal: Option<char>) -> Decided {
    let spread = tally.numbers.dialect(decimal);
    let fallback = Dialect { decimal: decimal.unwrap_or('.'), ..Dialect::default() };
    let dialect = spread.map_or(fallback, |(dialect, _)| dialect);
    let (kind, why) = match given {
        Some(kind) => (kind, "as data.columns says".to_owned()),
        None => match found(name, tally, decimal) {
            (Kind::Text | Kind::Drop, why) if named && tally.present > 0 => named_kind(tally, decimal, why),
            found => found,
        },
    };
    let range = match kind {
        Kind::Number => spread.map(|(_, spread)| (spread.low, spread.high)),
        Kind::Date => tally.days,
        _ => None,
    };
    Decided { kind, why, dialect, range }
}

/// A column that would be left out, but the user names it.
fn named_kind(tally: &Tally, decimal: Option<char>, why: String) -> (Kind, String) {
    let kind = if is_number(tally, decimal) { Kind::Number } else { Kind::Category };
    (kind, format!("named in data.features ({why})"))
}

fn found(name: &str, tally: &Tally, decimal: Option<char>) -> (Kind, String) {
    let number = is_number(tally, decimal);
    let codes = number && tally.numbers.coded;
    if tally.present == 0 {
        return (Kind::Drop, "every cell is missing".into());
    }
    if tally.distinct() == 1 && tally.missing == 0 && (!number || codes) {
        return (Kind::Drop, format!("every cell is {:?}", tally.examples[0]));
    }
    if number && !codes {
        if tally.missing == 0 && tally.numbers.counts_rows() && is_index(name) {
            return (Kind::Drop, "it counts the rows".into());
        }
        let whole = tally.numbers.dialect(decimal).is_some_and(|(_, spread)| spread.whole);
        let all_differ = tally.more || tally.distinct() as u64 == tally.present;
        if whole && all_differ && tally.present >= FEW && is_identifier(name) {
            let count = tally.present;
            return (Kind::Drop, format!("{count} different whole numbers in as many cells: an identifier"));
        }
        return (Kind::Number, why_number(tally, decimal));
    }
    if tally.pair.is_some() {
        return (Kind::Boolean, "true and false".into());
    }
    if tally.days.is_some() {
        return (Kind::Date, "ISO dates".into());
    }
    texts(tally, codes)
}

/// All cells are numbers, written alike; infinite ones, too.
pub(super) fn is_number(tally: &Tally, decimal: Option<char>) -> bool {
    tally.numbers.count > 0 && tally.no_number.is_none() && tally.numbers.dialect(decimal).is_some()
}

fn why_number(tally: &Tally, decimal: Option<char>) -> String {
    let dialect = tally.numbers.dialect(decimal).map(|(dialect, _)| dialect).unwrap_or_default();
    let mut why = String::from("numbers");
    if let Some(sign) = dialect.sign {
        why += &format!(" with {sign}");
    }
    if let Some(sign) = dialect.thousands {
        why += &format!(", {sign:?} between thousands");
    }
    if dialect.decimal == ',' {
        why += ", decimal comma";
    }
    why
}

/// The kind of a column of texts.
fn texts(tally: &Tally, codes: bool) -> (Kind, String) {
    let (distinct, present) = (tally.distinct() as u64, tally.present);
    let what = if codes { "codes with leading zeros" } else { "texts" };
    let more = if tally.more { "more than " } else { "" };
    let counted = format!("{more}{distinct} different {what} in {present} cells");
    if tally.long {
        return (Kind::Text, "some texts are longer than 1024 bytes".into());
    }
    if !tally.more && distinct == present && present >= FEW {
        return (Kind::Drop, format!("as many different {what} as cells: an identifier"));
    }
    if !tally.more && (2 * distinct <= present || distinct < FEW) {
        return (Kind::Category, counted);
    }
    let cells = (present + tally.missing) as f64;
    let missing = tally.missing as f64 / cells;
    if !tally.more && (0.05..=0.95).contains(&missing) {
        return (Kind::Category, format!("{counted}, most of them rare, and {:.0} % missing", 100.0 * missing));
    }
    let words = tally.words as f64 / present as f64;
    let free = if words > 4.0 { format!(", {words:.0} words each") } else { String::new() };
    (Kind::Text, format!("{counted}{free}: free text"))
}

/// Whether a column is named as an identifier: `id`, `customer_id`, `PassengerId`, `orderID`.
fn is_identifier(name: &str) -> bool {
    let lower = name.to_lowercase();
    let part = ["_id", "-id", ".id", " id"].iter().any(|end| lower.ends_with(end));
    let word = name.strip_suffix("Id").or(name.strip_suffix("ID"));
    lower == "id" || part || word.is_some_and(|word| word.ends_with(char::is_lowercase))
}

/// Whether a column is named like an index of the rows.
fn is_index(name: &str) -> bool {
    let name = name.to_lowercase();
    let ends = ["id", "index", "idx", "rownames"].iter().any(|end| name.ends_with(end));
    ends || ["", "no", "nr", "row", "rownum", "row_number", "number", "#"].contains(&name.as_str())
        || name.starts_with("unnamed")
}
