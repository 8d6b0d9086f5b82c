//! Labels that are numbers: how they are spelt, and when they are no classes but a quantity.

/// With fewer classes than this, and as many, any label may be one.
const FEW: usize = 20;

/// More classes than this have names, or more rows for each.
const MANY: usize = 100;

/// Whether so many different numbers in so many rows are a quantity: they are if there are more than 20, and some have a fraction or
/// more than half of the rows have different ones; or if there are more than 100, with fewer than ten rows for each.
pub fn is_quantity(count: usize, rows: usize, whole: bool) -> bool {
    (count > FEW && (!whole || 2 * count > rows)) || (count > MANY && rows < 10 * count)
}

/// Says what the labels of some rows are instead of classes; `None` if they may be classes. They are not if all are numbers and
/// [a quantity](is_quantity), or if there are more than 20 different ones and each row has one of its own.
pub fn instead_of_classes<'a>(classes: impl ExactSizeIterator<Item = &'a str>, rows: usize) -> Option<String> {
    let count = classes.len();
    if count <= FEW {
        return None;
    }
    let numbers: Option<Vec<f64>> = classes.map(|class| class.trim().parse().ok()).collect();
    match numbers {
        Some(numbers) => is_quantity(count, rows, numbers.iter().all(|number| number.fract() == 0.0)).then(|| {
            format!(
                "{count} different numbers in {rows} rows are a quantity, not classes; take loss = \"mse\" (or write \
                     names for them, such as a12 for 12, if they are classes)"
            )
        }),
        None => (count == rows).then(|| {
            format!(
                "each of {rows} rows has a class of its own, and no model can learn from that; name another column in \
                 data.target"
            )
        }),
    }
}

/// A whole number in its other spelling, 3.0 for 3 and 3 for 3.0: as soon as one cell is missing, many programs write floats.
pub fn other_spelling(label: &str) -> Option<String> {
    match label.strip_suffix(".0") {
        Some(number) => number.parse::<i64>().is_ok().then(|| number.to_owned()),
        None => label.parse::<i64>().is_ok().then(|| format!("{label}.0")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_have_two_spellings() {
        let other = |label: &str| other_spelling(label).unwrap_or_default();
        assert_eq!([other("3"), other("3.0"), other("-1"), other("-1.0")], ["3.0", "3", "-1.0", "-1"]);
        assert!(["3.5", "a", "", ".0", "3.00", "1e3"].iter().all(|label| other_spelling(label).is_none()));
    }

    fn said(label: impl Fn(usize) -> String, classes: usize, rows: usize) -> Option<String> {
        let labels: Vec<String> = (0..classes).map(label).collect();
        instead_of_classes(labels.iter().map(String::as_str), rows)
    }

    #[test]
    fn numbers_of_which_most_differ_are_a_quantity() {
        let whole = |at: usize| (1_000 + 7 * at).to_string();
        assert!(said(whole, 100, 100).unwrap().starts_with("100 different numbers in 100 rows are a quantity"));
        assert!(said(whole, 3000, 3000).unwrap().contains("take loss = \"mse\""));
        assert!(said(whole, 51, 100).is_some() && said(whole, 50, 100).is_none());
        // Values of 16 512 houses in whole dollars, and a thousand classes of pictures.
        assert!(said(whole, 3750, 16_512).is_some() && said(whole, 1000, 50_000).is_none());
        // Ten digits, and few rows.
        assert!(said(|at| at.to_string(), 10, 12).is_none() && said(whole, 20, 20).is_none());
    }

    #[test]
    fn numbers_with_fractions_are_one_sooner() {
        let halves = |at: usize| (at as f64 / 2.0).to_string();
        // Miles per gallon of 398 cars; values of 20640 houses.
        assert!(said(halves, 129, 398).is_some() && said(halves, 3842, 20_640).is_some());
        assert!(said(halves, 30, 3000).is_some() && said(halves, 20, 40).is_none());
        assert!(said(|at| format!("{at}.0"), 129, 1290).is_none(), "these are whole");
    }

    #[test]
    fn texts_are_classes_unless_each_row_has_its_own() {
        let name = |at: usize| format!("person {at}");
        assert!(said(name, 100, 101).is_none() && said(name, 20, 20).is_none());
        assert!(said(name, 100, 100).unwrap().contains("each of 100 rows has a class of its own"));
    }
}
