//! The cycles of dates, which are days since 1970, in `double`: the same steps as those of `data::table`.

use super::columns::{Part, float};
use super::graph::Graph;
use crate::data::table::Cycle;

/// Adds sine and cosine of the cycles of a column, both 0 where the date is missing; the first one's place is `first`.
pub fn cycles(graph: &mut Graph, days: &str, cycles: &[Cycle], first: usize) -> Vec<Part> {
    if cycles.is_empty() {
        return Vec::new();
    }
    let day = graph.node("Floor", &[days], &[]);
    let missing = graph.node("IsNaN", &[days], &[]);
    let (zero, turn) = (graph.row("zero", &[0.0]), graph.row("turn", &[std::f64::consts::TAU]));
    let mut parts = Vec::new();
    for (at, cycle) in cycles.iter().enumerate() {
        let place = match cycle {
            Cycle::Year => year(graph, &day),
            Cycle::Week => week(graph, &day),
            Cycle::Day => graph.node("Sub", &[days, &day], &[]),
        };
        let angle = graph.node("Mul", &[&turn, &place], &[]);
        for (next, operator) in ["Sin", "Cos"].into_iter().enumerate() {
            let on_circle = graph.node(operator, &[&angle], &[]);
            let known = graph.node("Where", &[&missing, &zero, &on_circle], &[]);
            parts.push(Part { name: float(graph, &known), places: vec![first + 2 * at + next] });
        }
    }
    parts
}

/// The place of a day in its week, from Monday on: (day + 3) mod 7 / 7. The first day of 1970 was a Thursday.
fn week(graph: &mut Graph, day: &str) -> String {
    let (three, seven) = (graph.row("three", &[3.0]), graph.row("seven", &[7.0]));
    let monday = graph.node("Add", &[day, &three], &[]);
    let weeks = graph.node("Div", &[&monday, &seven], &[]);
    let weeks = graph.node("Floor", &[&weeks], &[]);
    let before = graph.node("Mul", &[&weeks, &seven], &[]);
    let since = graph.node("Sub", &[&monday, &before], &[]);
    graph.node("Div", &[&since, &seven], &[])
}

/// The place of a day in its year: the days since the year began, divided by the year's days.
fn year(graph: &mut Graph, day: &str) -> String {
    let (length, origin, one) =
        (graph.row("year", &[365.2425]), graph.row("origin", &[1970.0]), graph.row("one", &[1.0]));
    let years = graph.node("Div", &[day, &length], &[]);
    let years = graph.node("Floor", &[&years], &[]);
    let guess = graph.node("Add", &[&origin, &years], &[]);
    // The guess is at most a year off: one back if the year begins later, one on if the next one has begun.
    let begins = first_day(graph, &guess);
    let back = compared(graph, "Greater", &begins, day);
    let guess = graph.node("Sub", &[&guess, &back], &[]);
    let next = graph.node("Add", &[&guess, &one], &[]);
    let ends = first_day(graph, &next);
    let on = compared(graph, "LessOrEqual", &ends, day);
    let year = graph.node("Add", &[&guess, &on], &[]);
    let next = graph.node("Add", &[&year, &one], &[]);
    let (begins, ends) = (first_day(graph, &year), first_day(graph, &next));
    let since = graph.node("Sub", &[day, &begins], &[]);
    let days = graph.node("Sub", &[&ends, &begins], &[]);
    graph.node("Div", &[&since, &days], &[])
}

/// The day since 1970 on which a year begins: 365 · (year − 1970) and the leap days of the years before, of which 477 are
/// before 1970.
fn first_day(graph: &mut Graph, year: &str) -> String {
    let one = graph.row("one", &[1.0]);
    let before = graph.node("Sub", &[year, &one], &[]);
    let leaps = |graph: &mut Graph, every: f64| {
        let every = graph.row("every", &[every]);
        let leaps = graph.node("Div", &[&before, &every], &[]);
        graph.node("Floor", &[&leaps], &[])
    };
    let (fours, hundreds, thousands) = (leaps(graph, 4.0), leaps(graph, 100.0), leaps(graph, 400.0));
    let leaps = graph.node("Sub", &[&fours, &hundreds], &[]);
    let leaps = graph.node("Add", &[&leaps, &thousands], &[]);
    let (length, first) = (graph.row("days", &[365.0]), graph.row("first", &[365.0 * 1970.0 + 477.0]));
    let days = graph.node("Mul", &[year, &length], &[]);
    let days = graph.node("Add", &[&days, &leaps], &[]);
    graph.node("Sub", &[&days, &first], &[])
}

/// 1 where a comparison holds, and 0 where not.
fn compared(graph: &mut Graph, operator: &str, a: &str, b: &str) -> String {
    let holds = graph.node(operator, &[a, b], &[]);
    let (yes, no) = (graph.row("one", &[1.0]), graph.row("zero", &[0.0]));
    graph.node("Where", &[&holds, &yes, &no], &[])
}
