//! The columns of the table: what each is, and what becomes of it.

use std::fmt::Write;

use super::table;
use super::text::{count, escape};

/// The most columns that are listed.
const MOST_COLUMNS: usize = 200;

/// A column.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize)]
pub struct ColumnRow {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub kind: String,
    /// What becomes of it.
    pub becomes: String,
    /// What becomes of missing cells.
    pub missing: String,
    /// Its levels, if it has any.
    pub levels: String,
}

/// The columns, in details that are closed at first; nothing if there are none.
pub fn details(page: &mut String, columns: &[ColumnRow], remarks: &[String]) {
    if columns.is_empty() {
        return;
    }
    let shown = &columns[..columns.len().min(MOST_COLUMNS)];
    // A part without a word in any row is left out.
    type Cell = fn(&ColumnRow) -> &String;
    let parts: [(&str, Cell); 5] = [
        ("column", |row| &row.name),
        ("kind", |row| &row.kind),
        ("becomes", |row| &row.becomes),
        ("missing cells", |row| &row.missing),
        ("levels", |row| &row.levels),
    ];
    let parts: Vec<_> = parts.into_iter().filter(|(_, of)| shown.iter().any(|row| !of(row).is_empty())).collect();
    let head: Vec<String> = parts.iter().map(|(name, _)| (*name).to_owned()).collect();
    let rows: Vec<Vec<String>> =
        shown.iter().map(|row| parts.iter().map(|(_, of)| of(row).clone()).collect()).collect();
    page.push_str("<details class=\"listed\"><summary>Columns</summary>\n");
    table(page, "Columns", &head, head.len(), &rows, None);
    if columns.len() > shown.len() {
        let (shown, all) = (shown.len(), count(columns.len() as u64));
        let _ = writeln!(page, "<p class=\"remark\">{shown} of {all} columns; accrue inspect lists them all.</p>");
    }
    if !remarks.is_empty() {
        let items: String = remarks.iter().map(|remark| format!("<li>{}</li>", escape(remark))).collect();
        let _ = writeln!(page, "<ul class=\"remarks\">{items}</ul>");
    }
    page.push_str("</details>\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(columns: &[ColumnRow], remarks: &[&str]) -> String {
        let mut page = String::new();
        details(&mut page, columns, &remarks.iter().map(|remark| (*remark).to_owned()).collect::<Vec<_>>());
        page
    }

    #[test]
    fn parts_that_no_column_has_are_left_out() {
        let row =
            |name: &str, levels: &str| ColumnRow { name: name.into(), levels: levels.into(), ..ColumnRow::default() };
        let page = of(&[row("<a>", ""), row("b", "x, y")], &["id: left out & said"]);
        assert!(page.contains("<td>&lt;a&gt;</td><td></td>") && page.contains("<td>b</td><td>x, y</td>"), "{page}");
        assert!(!page.contains(">kind<") && page.contains("<li>id: left out &amp; said</li>"), "{page}");
        assert!(of(&[], &["nothing"]).is_empty());
        let many = of(&vec![row("a", ""); 300], &[]);
        assert!(many.matches("<td>").count() == MOST_COLUMNS && many.contains("200 of 300 columns"));
    }
}
