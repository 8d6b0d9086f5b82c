//! ROC curves: of the second of two classes, or of each of a few classes against all others.

use super::answers::ClassAnswers;
use super::chart::{Chart, Line, Mark};
use super::curves::{MOST_SAID, every};
use super::scale::{Axis, Scale};
use super::text::percent;

/// The most classes with a curve each. Each has a colour and a stroke of its own.
pub const MOST_CURVES: usize = 5;

const CLASSES: [&str; MOST_CURVES] = ["k0", "k1", "k2", "k3", "k4"];

/// A curve: shares of the rows that are of the class and of those that are not, which a threshold takes for it.
struct Curve {
    /// (of those that are not, of those that are), ascending.
    points: Vec<(f64, f64)>,
    /// Where the odds are even.
    even: (f64, f64),
    area: f64,
}

/// The chart; `None` for too many classes, or where no class has both kinds of rows.
pub fn chart(answers: &ClassAnswers) -> Option<Chart> {
    let classes: Vec<usize> = match answers.classes.len() {
        2 => vec![1],
        count if count <= MOST_CURVES => (0..count).collect(),
        _ => return None,
    };
    let of = |(column, &class): (usize, &usize)| Some((class, curve(answers, class as u32, column)?));
    let curves: Vec<(usize, Curve)> = classes.iter().enumerate().filter_map(of).collect();
    curves.first()?;
    let name = |class: usize| &answers.classes[class];
    let line = |(class, curve): &(usize, Curve)| {
        let name = format!("{}, area {:.3}", name(*class), curve.area);
        Line::new(
            &name,
            if curves.len() == 1 { "train" } else { CLASSES[*class] },
            Mark::None,
            curve.points.iter().copied(),
        )
    };
    let chance = Line::new("", "chance", Mark::None, [(0.0, 0.0), (1.0, 1.0)].into_iter());
    let (said, at_rest) = match &curves[..] {
        [(_, curve)] => (said(curve), Some(format!("{}, where the odds are even", say(curve.even)))),
        _ => (Vec::new(), None),
    };
    let areas: Vec<String> =
        curves.iter().map(|(class, curve)| format!("{} {:.3}", name(*class), curve.area)).collect();
    Some(Chart {
        id: "roc".into(),
        title: "ROC curve".into(),
        description: format!("The area under the curve of each class: {}.", areas.join(", ")),
        x_name: "wrong",
        x: Scale::of_values([0.0, 1.0].into_iter(), Axis::Share)?,
        y: Scale::of_values([0.0, 1.0].into_iter(), Axis::Share)?,
        upper: None,
        lines: std::iter::once(chance).chain(curves.iter().map(line)).collect(),
        said,
        at_rest,
        remark: "Upwards: the share of the class that is found. To the right: the share of other rows taken for it."
            .into(),
    })
}

fn said(curve: &Curve) -> Vec<(f64, String)> {
    every(&curve.points, MOST_SAID).map(|&point| (point.0, say(point))).collect()
}

fn say((wrong, right): (f64, f64)) -> String {
    format!("{} found · {} wrong", percent(right), percent(wrong))
}

/// The curve of a class, by the odds of a column.
fn curve(answers: &ClassAnswers, class: u32, column: usize) -> Option<Curve> {
    let mut rows: Vec<(f64, bool, f64)> = Vec::new();
    for row in &answers.rows {
        rows.push((*row.odds.get(column)?, row.class == class, row.weight));
    }
    rows.sort_by(|one, other| other.0.total_cmp(&one.0));
    let all = |wanted: bool| rows.iter().filter(|row| row.1 == wanted).map(|row| row.2).sum::<f64>();
    let (of_class, others) = (all(true), all(false));
    if of_class <= 0.0 || others <= 0.0 {
        return None;
    }
    let (mut right, mut wrong, mut area, mut even, mut points) = (0.0, 0.0, 0.0, (0.0, 0.0), vec![(0.0, 0.0)]);
    for equal in rows.chunk_by(|one, other| one.0 == other.0) {
        let before = (wrong / others, right / of_class);
        equal.iter().for_each(|row| *(if row.1 { &mut right } else { &mut wrong }) += row.2);
        let here = (wrong / others, right / of_class);
        area += (here.0 - before.0) * (here.1 + before.1) / 2.0;
        points.push(here);
        if equal[0].0 > 0.0 {
            even = here;
        }
    }
    Some(Curve { points, even, area })
}

#[cfg(test)]
mod tests {
    use super::super::answers::ClassAnswer;
    use super::*;

    fn answers(classes: usize, rows: &[(&[f64], u32)]) -> ClassAnswers {
        let row = |&(odds, class): &(&[f64], u32)| ClassAnswer { class, said: 0, weight: 1.0, odds: odds.to_vec() };
        ClassAnswers { classes: (0..classes).map(|c| format!("c{c}")).collect(), rows: rows.iter().map(row).collect() }
    }

    #[test]
    fn a_curve_of_two_classes_goes_through_its_thresholds() {
        let rows: [(&[f64], u32); 4] = [(&[0.1], 0), (&[0.4], 0), (&[0.35], 1), (&[0.8], 1)];
        let curve = curve(&answers(2, &rows), 1, 0).unwrap();
        assert_eq!(curve.points, [(0.0, 0.0), (0.0, 0.5), (0.5, 0.5), (0.5, 1.0), (1.0, 1.0)]);
        assert_eq!((curve.area, curve.even), (0.75, (1.0, 1.0)));
        let chart = chart(&answers(2, &rows)).unwrap();
        assert_eq!(chart.lines[1].name, "c1, area 0.750");
    }

    #[test]
    fn equal_odds_are_one_threshold() {
        let rows: [(&[f64], u32); 3] = [(&[1.0], 0), (&[1.0], 1), (&[0.0], 1)];
        let curve = curve(&answers(2, &rows), 1, 0).unwrap();
        assert_eq!((curve.points, curve.area), (vec![(0.0, 0.0), (1.0, 0.5), (1.0, 1.0)], 0.25));
    }

    #[test]
    fn a_few_classes_have_a_curve_each_and_many_or_one_alone_none() {
        let rows: [(&[f64], u32); 3] = [(&[2.0, 0.0, 0.0], 0), (&[0.0, 1.0, 0.0], 1), (&[0.0, 0.5, 3.0], 2)];
        assert_eq!(chart(&answers(3, &rows)).unwrap().lines.len(), 1 + 3);
        assert!(chart(&answers(6, &rows)).is_none());
        assert!(chart(&answers(2, &[(&[1.0], 1), (&[2.0], 1)])).is_none());
        assert!(chart(&answers(3, &[(&[], 1), (&[], 2)])).is_none());
    }
}
