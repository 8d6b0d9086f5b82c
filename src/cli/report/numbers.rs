//! Of each target of a regression: predictions against what is true, and how often they are off by how much.

use super::answers::NumberAnswers;
use super::chart::{Chart, Line, Mark};
use super::curves::every;
use super::scale::{Axis, Scale, drawable, round_step};
use super::text::{count, number};

/// The most points of a cloud.
const MOST_POINTS: usize = 400;

/// The most targets that are drawn.
const MOST_TARGETS: usize = 4;

/// About how many bars there are.
const BARS: f64 = 40.0;

/// Two charts for each target.
pub fn charts(targets: &[NumberAnswers]) -> Vec<Chart> {
    let one = targets.len() == 1;
    let shown = targets.iter().take(MOST_TARGETS).enumerate();
    let mut charts: Vec<Chart> = shown
        .flat_map(|(place, target)| [cloud(target, place, one), residuals(target, place, one)])
        .flatten()
        .collect();
    if let (Some(last), true) = (charts.last_mut(), targets.len() > MOST_TARGETS) {
        last.remark += &format!(" {MOST_TARGETS} of {} targets are shown.", targets.len());
    }
    charts
}

fn title(what: &str, target: &NumberAnswers, one: bool) -> String {
    if one { what.to_owned() } else { format!("{}: {}", target.name, what.to_lowercase()) }
}

/// Predictions against what is true: some of the rows, evenly spread.
fn cloud(target: &NumberAnswers, place: usize, one: bool) -> Option<Chart> {
    let points: Vec<(f64, f64)> = every(&target.rows, MOST_POINTS).copied().collect();
    let scale = Scale::of_values(points.iter().flat_map(|&(is, said)| [is, said]), Axis::Value)?;
    let (low, high) = scale.ends();
    let (shown, all) = (count(points.len() as u64), count(target.rows.len() as u64));
    let some = if shown == all { String::new() } else { format!(" {shown} of {all} rows, evenly spread.") };
    Some(Chart {
        id: format!("predicted-{place}"),
        title: title("Predicted against true", target, one),
        description: format!("Predictions of {} against true values, for {shown} rows.", target.name),
        x_name: "true",
        x: scale.clone(),
        y: scale,
        upper: None,
        lines: vec![
            Line::new("", "chance", Mark::None, [(low, low), (high, high)].into_iter()),
            Line::new("", "train", Mark::Cloud, points.into_iter()),
        ],
        said: Vec::new(),
        at_rest: None,
        remark: format!("On the line a prediction is right.{some}"),
    })
}

/// How many rows are off by how much.
struct Bars {
    /// The place of the first bar, in steps from 0.
    from: i64,
    step: f64,
    rows: Vec<u64>,
}

impl Bars {
    /// Bars for sorted numbers; the outermost are left out if they are far away.
    fn of(off: &[f64]) -> Option<Bars> {
        let (first, last) = (off.first()?, off.last()?);
        let at = |share: f64| off[(share * (off.len() - 1) as f64).round() as usize];
        let room = 0.25 * (at(0.99) - at(0.01));
        let (low, high) = (first.max(at(0.01) - room), last.min(at(0.99) + room));
        // Numbers that hardly differ must not be too many steps away from 0.
        let step = round_step(((high - low) / BARS).max(1e-12 * low.abs().max(high.abs())).max(1e-200));
        // As whole numbers, so that a value on an edge is in the bar that begins there.
        let place = |off: f64| (off / step).floor() as i64;
        let from = place(low);
        let bars = usize::try_from(place(high).checked_sub(from)?).ok().filter(|bars| *bars < 1000)? + 1;
        let mut rows = vec![0; bars];
        let places = off.iter().filter_map(|off| usize::try_from(place(*off).checked_sub(from)?).ok());
        places.for_each(|place| rows.get_mut(place).into_iter().for_each(|rows| *rows += 1));
        Some(Bars { from, step, rows })
    }

    fn edge(&self, bar: usize) -> f64 {
        (self.from + bar as i64) as f64 * self.step
    }

    /// From 0 to 0 around all bars.
    fn outline(&self) -> Vec<(f64, f64)> {
        let bars = self.rows.iter().enumerate();
        let tops = bars.flat_map(|(bar, &rows)| [(self.edge(bar), rows as f64), (self.edge(bar + 1), rows as f64)]);
        let ends = [0, self.rows.len()].map(|bar| (self.edge(bar), 0.0));
        [ends[0]].into_iter().chain(tops).chain([ends[1]]).collect()
    }

    fn say(&self, bar: usize) -> (f64, String) {
        let [low, high] = [bar, bar + 1].map(|bar| self.edge(bar));
        let rows = count(self.rows[bar]);
        (low + self.step / 2.0, format!("{} to {} · {rows} rows", number(low), number(high)))
    }
}

/// How many rows are off by how much.
fn residuals(target: &NumberAnswers, place: usize, one: bool) -> Option<Chart> {
    let mut off: Vec<f64> = target.rows.iter().map(|(is, said)| said - is).filter(|off| drawable(*off)).collect();
    off.sort_by(f64::total_cmp);
    let bars = Bars::of(&off)?;
    let far = match off.len() as u64 - bars.rows.iter().sum::<u64>() {
        0 => String::new(),
        1 => " 1 row is further off.".to_owned(),
        far => format!(" {} rows are further off.", count(far)),
    };
    let (first, last) = (number(*off.first()?), number(*off.last()?));
    Some(Chart {
        id: format!("residuals-{place}"),
        title: title("Residuals", target, one),
        description: format!("How many rows are off by how much, from {first} to {last}."),
        x_name: "off by",
        x: Scale::of_values([0, bars.rows.len()].map(|bar| bars.edge(bar)).into_iter(), Axis::Value)?,
        y: Scale::of_values([0.0, bars.rows.iter().copied().max()? as f64].into_iter(), Axis::Value)?,
        upper: None,
        lines: vec![Line::new("", "bars", Mark::None, bars.outline().into_iter())],
        said: (0..bars.rows.len()).map(|bar| bars.say(bar)).collect(),
        at_rest: Some(format!("half of the rows are off by {} at most", number(middle(&off)))),
        remark: format!("How many rows are predicted too low (left) and too high (right).{far}"),
    })
}

/// The median of their sizes.
fn middle(off: &[f64]) -> f64 {
    let mut sizes: Vec<f64> = off.iter().map(|off| off.abs()).collect();
    sizes.sort_by(f64::total_cmp);
    sizes[(sizes.len() - 1) / 2]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(rows: Vec<(f64, f64)>) -> NumberAnswers {
        NumberAnswers { name: "y".into(), rows }
    }

    #[test]
    fn a_cloud_has_some_hundreds_of_points_and_says_so() {
        let rows = (0..10_000).map(|i| (f64::from(i), f64::from(i) + 1.0)).collect();
        let chart = &charts(&[target(rows)])[0];
        assert!(chart.lines[1].points.len() <= MOST_POINTS && chart.lines[1].points.len() > MOST_POINTS / 2);
        assert!(chart.remark.replace('\u{202f}', " ").contains("400 of 10 000 rows"), "{}", chart.remark);
        assert!(!charts(&[target(vec![(0.0, 1.0), (2.0, 3.0)])])[0].remark.contains(" of "));
    }

    #[test]
    fn every_row_is_in_a_bar_or_said_to_be_further_off() {
        let mut rows: Vec<(f64, f64)> = (0..1000).map(|i| (0.0, f64::from(i % 10) / 10.0)).collect();
        rows.push((0.0, 1e6));
        let chart = &charts(&[target(rows)])[1];
        let bars: f64 = chart.lines[0].points.chunks(2).skip(1).map(|edge| edge[0].1).sum::<f64>();
        assert!(chart.remark.contains("1 row is further off") && bars <= 1000.0, "{} {bars}", chart.remark);
        let said: u64 = chart
            .said
            .iter()
            .map(|(_, text)| text.split(" · ").nth(1).unwrap().replace(" rows", "").parse::<u64>().unwrap())
            .sum();
        assert_eq!(said, 1000);
    }

    #[test]
    fn constant_huge_and_infinite_residuals_do_no_harm() {
        for off in [0.0, 1e-300, 3.5, 1e30] {
            assert_eq!(charts(&[target(vec![(off, 2.0 * off), (off, 2.0 * off)])]).len(), 2, "{off}");
        }
        assert!(charts(&[target(vec![(0.0, f64::INFINITY), (f64::NAN, 0.0)])]).len() <= 1);
        assert!(charts(&[target(Vec::new())]).is_empty());
    }

    #[test]
    fn of_many_targets_the_first_are_drawn() {
        let all = vec![target(vec![(0.0, 1.0), (1.0, 0.0)]); 7];
        let charts = charts(&all);
        assert_eq!(charts.len(), 2 * MOST_TARGETS);
        assert!(charts.last().unwrap().remark.ends_with("4 of 7 targets are shown."));
    }
}
