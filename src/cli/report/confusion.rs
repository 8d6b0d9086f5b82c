//! The confusion matrix; beyond some classes, the pairs that are confused most.

use std::collections::BTreeMap;

use super::answers::ClassAnswers;
use super::table;
use super::text::{count, escape, number, percent};

/// The most classes of which all pairs are shown.
const MOST_CLASSES: usize = 20;

/// Above this many classes, a cell has no room for its share.
const MOST_SHARES: usize = 8;

/// The most classes whose matrix fits beside a chart.
const MOST_SMALL: usize = 5;

/// The most pairs that are shown of more classes.
const MOST_PAIRS: usize = 20;

/// The weight of the rows of each class (first) that the model says are of another or the same (second).
struct Pairs(BTreeMap<(u32, u32), f64>);

impl Pairs {
    fn of(answers: &ClassAnswers) -> Pairs {
        let mut pairs = BTreeMap::new();
        for row in &answers.rows {
            *pairs.entry((row.class, row.said)).or_insert(0.0) += row.weight;
        }
        Pairs(pairs)
    }

    fn at(&self, class: usize, said: usize) -> f64 {
        self.0.get(&(class as u32, said as u32)).copied().unwrap_or(0.0)
    }

    /// The weight of a class.
    fn of_class(&self, class: u32) -> f64 {
        self.0.range((class, 0)..=(class, u32::MAX)).map(|(_, weight)| weight).sum()
    }
}

/// The matrix, or the pairs, as a `<figure>`.
pub fn figure(answers: &ClassAnswers) -> String {
    let pairs = Pairs::of(answers);
    let (title, body) = match answers.classes.len() {
        classes if classes > MOST_CLASSES => ("Confused classes", worst(answers, &pairs)),
        _ => ("Confusion matrix", matrix(answers, &pairs)),
    };
    format!("<figure class=\"confusion\">\n<figcaption><h2>{title}</h2></figcaption>\n{body}</figure>\n")
}

/// Whether the figure fits beside another one.
pub fn is_small(answers: &ClassAnswers) -> bool {
    answers.classes.len() <= MOST_SMALL
}

fn matrix(answers: &ClassAnswers, pairs: &Pairs) -> String {
    let names: Vec<String> = answers.classes.iter().map(|name| escape(name)).collect();
    let head: String = names.iter().map(|name| format!("<th scope=\"col\" title=\"{name}\">{name}</th>")).collect();
    let row = |(class, name): (usize, &String)| {
        let cells: String = (0..names.len()).map(|said| cell(pairs, class, said, names.len())).collect();
        format!("<tr><th scope=\"row\" title=\"{name}\">{name}</th>{cells}</tr>\n")
    };
    let rows: String = names.iter().enumerate().map(row).collect();
    format!(
        "<div class=\"wide\" role=\"region\" tabindex=\"0\" aria-label=\"Confusion matrix\"><table class=\"matrix\">\n\
         <thead><tr><td></td>{head}</tr></thead>\n<tbody>{rows}</tbody></table></div>\n\
         <p class=\"remark\">Rows say what it is, columns what the model says. Shades are shares of a row.</p>\n"
    )
}

fn cell(pairs: &Pairs, class: usize, said: usize, classes: usize) -> String {
    let (weight, all) = (pairs.at(class, said), pairs.of_class(class as u32));
    let share = if all > 0.0 { weight / all } else { 0.0 };
    let kind = if class == said { "right" } else { "wrong" };
    if weight == 0.0 {
        return format!("<td class=\"{kind}\">·</td>");
    }
    let small = if classes <= MOST_SHARES { format!("<small>{}</small>", percent(share)) } else { String::new() };
    format!(
        "<td class=\"{kind}\" style=\"--share:{:.0}%\" title=\"{} of its row\">{}{small}</td>",
        100.0 * share,
        percent(share),
        weighed(weight)
    )
}

/// A number of rows, or their weight.
fn weighed(weight: f64) -> String {
    if weight.fract() == 0.0 && weight < 1e15 { count(weight as u64) } else { number(weight) }
}

fn worst(answers: &ClassAnswers, pairs: &Pairs) -> String {
    let mut wrong: Vec<_> = pairs.0.iter().filter(|((class, said), _)| class != said).collect();
    wrong.sort_by(|one, other| other.1.total_cmp(one.1));
    let name = |class: u32| answers.classes.get(class as usize).cloned().unwrap_or_default();
    let row = |(&(class, said), &weight): (&(u32, u32), &f64)| {
        vec![name(class), name(said), weighed(weight), percent(weight / pairs.of_class(class))]
    };
    let rows: Vec<Vec<String>> = wrong.iter().take(MOST_PAIRS).map(|&pair| row(pair)).collect();
    if rows.is_empty() {
        return "<p class=\"remark\">No class is taken for another.</p>\n".to_owned();
    }
    let head = ["it is", "the model says", "rows", "of its class"].map(String::from);
    let all = count(wrong.len() as u64);
    let mut html =
        format!("<p class=\"remark\">The pairs of classes that are confused most; {all} are confused at all.</p>\n");
    table(&mut html, "Confused classes", &head, 2, &rows, None);
    html
}

#[cfg(test)]
mod tests {
    use super::super::answers::ClassAnswer;
    use super::*;

    fn answers(classes: usize, rows: &[(u32, u32, f64)]) -> ClassAnswers {
        let row = |&(class, said, weight): &(u32, u32, f64)| ClassAnswer { class, said, weight, odds: Vec::new() };
        ClassAnswers { classes: (0..classes).map(|c| format!("c{c}")).collect(), rows: rows.iter().map(row).collect() }
    }

    #[test]
    fn cells_have_counts_and_shares_of_their_row() {
        let html = figure(&answers(3, &[(0, 0, 1.0), (0, 0, 1.0), (0, 1, 1.0), (0, 1, 1.0), (1, 1, 0.5)]));
        let plain = html.replace('\u{202f}', " ");
        assert!(plain.contains("<td class=\"right\" style=\"--share:50%\" title=\"50.0 % of its row\">2<small>50.0 %"));
        assert!(plain.contains("<td class=\"wrong\" style=\"--share:50%\""));
        assert!(plain.contains(">0.5000<small>100.0 %"), "weights: {plain}");
        assert_eq!(plain.matches("<td class=\"wrong\">·</td>").count() + plain.matches("right\">·").count(), 6);
    }

    #[test]
    fn of_many_classes_the_worst_pairs_are_shown() {
        let rows: Vec<(u32, u32, f64)> = (0..30).flat_map(|c| [(c, c, 9.0), (c, (c + 1) % 30, f64::from(c))]).collect();
        let html = figure(&answers(30, &rows));
        assert!(html.contains("<td>c29</td><td>c0</td><td class=\"n\">29</td>") && html.contains("30 are confused"));
        assert_eq!(html.matches("<tr>").count(), 1 + MOST_PAIRS);
        assert!(figure(&answers(30, &[(1, 1, 1.0)])).contains("No class is taken for another"));
    }
}
