//! From raw cells to the features of a model.
//!
//! Numbers and dates are scaled in one block of `double`, (rows, columns), which becomes `float` once. Texts are looked up in
//! tables of levels. At the end all features are put in the model's order.

use std::collections::BTreeMap;

use super::dates;
use super::graph::{Constant, Graph, Type};
use crate::data::table::{BLANKS, Column, Encoding, Missing, Preparation, Scale};
use crate::export::{places, spellings};
use crate::graph::Attribute;

/// Features that were made, (rows, columns) of `float`, and their places among those of the model.
pub struct Part {
    pub name: String,
    pub places: Vec<usize>,
}

/// A column of numbers, or of dates as numbers.
struct Scaled<'a> {
    input: &'a str,
    fill: f64,
    scale: Scale,
    /// The places of the scaled number and of the indicator of missing ones.
    place: usize,
    indicator: Option<usize>,
}

/// Adds an input for each column; their names.
pub fn inputs(graph: &mut Graph, preparation: &Preparation) -> Vec<String> {
    let input = |column: &Column| match &column.encoding {
        Encoding::Number { .. } => graph.input(&column.name, Type::Double, "number; not a number where missing"),
        Encoding::Date { .. } => {
            graph.input(&column.name, Type::Double, "days since 1970-01-01; not a number where missing")
        }
        Encoding::Pair { levels } => graph.input(&column.name, Type::Text, &listed(levels)),
        Encoding::OneHot { levels, .. } | Encoding::Index { levels, .. } => {
            graph.input(&column.name, Type::Text, &listed(levels))
        }
    };
    preparation.columns.iter().map(input).collect()
}

fn listed(levels: &[String]) -> String {
    format!("text, empty where missing: {}", levels.join(", "))
}

/// Adds what makes the features, (rows, features) of `float`; its name.
pub fn features(graph: &mut Graph, preparation: &Preparation, inputs: &[String]) -> String {
    "prepare".clone_into(&mut graph.scope);
    let all: Vec<_> = preparation.columns.iter().zip(inputs).zip(places(preparation)).collect();
    let mut parts = Vec::new();
    for clip in [false, true] {
        let scaled = all.iter().filter_map(|((column, input), places)| scaled(column, input, places.start));
        let scaled: Vec<Scaled> = scaled.filter(|scaled| scaled.scale.clip == clip).collect();
        if !scaled.is_empty() {
            parts.extend(numbers(graph, preparation, &scaled, clip));
        }
    }
    for ((column, input), places) in &all {
        if let Encoding::Date { cycles, .. } = &column.encoding {
            parts.extend(dates::cycles(graph, input, cycles, places.start + 1));
        }
        parts.extend(
            texts(graph, preparation, column, input).map(|name| Part { name, places: places.clone().collect() }),
        );
    }
    in_order(graph, &parts)
}

/// A column of numbers or dates; `None` for one of texts.
fn scaled<'a>(column: &Column, input: &'a str, place: usize) -> Option<Scaled<'a>> {
    let (fill, scale, indicator, before) = match &column.encoding {
        Encoding::Number { fill, scale, indicator, .. } => (*fill, *scale, *indicator, 1),
        Encoding::Date { fill, scale, indicator, cycles } => (*fill, *scale, *indicator, 1 + 2 * cycles.len()),
        _ => return None,
    };
    Some(Scaled { input, fill, scale, place, indicator: indicator.then_some(place + before) })
}

/// The scaled numbers of these columns, and the indicators of their missing cells.
fn numbers(graph: &mut Graph, preparation: &Preparation, columns: &[Scaled], clip: bool) -> Vec<Part> {
    let inputs: Vec<&str> = columns.iter().map(|column| column.input).collect();
    let x = graph.node("Concat", &inputs, &[("axis", 1.into())]);
    let missing = missing(graph, preparation, &x);
    let fills = row(graph, "fill", columns, |column| match preparation.missing {
        Missing::Fill | Missing::Drop => column.fill,
        Missing::Error => f64::NAN,
    });
    let filled = graph.node("Where", &[&missing, &fills, &x], &[]);
    let center = row(graph, "center", columns, |column| column.scale.center);
    let factor = row(graph, "factor", columns, |column| column.scale.factor);
    let off = graph.node("Sub", &[&filled, &center], &[]);
    let mut v = graph.node("Mul", &[&off, &factor], &[]);
    if clip {
        v = clipped(graph, &v);
    }
    let mut parts = vec![Part { name: float(graph, &v), places: columns.iter().map(|column| column.place).collect() }];
    let marked: Vec<usize> = (0..columns.len()).filter(|&at| columns[at].indicator.is_some()).collect();
    if !marked.is_empty() {
        let taken = take(graph, &missing, &marked);
        let places = columns.iter().filter_map(|column| column.indicator).collect();
        parts.push(Part { name: float(graph, &taken), places });
    }
    parts
}

/// Which numbers are missing: those that are none, and those that stand for nothing.
fn missing(graph: &mut Graph, preparation: &Preparation, x: &str) -> String {
    let mut missing = graph.node("IsNaN", &[x], &[]);
    for number in
        preparation.missing_values.iter().filter_map(|text| text.parse::<f64>().ok().filter(|x| x.is_finite()))
    {
        let number = graph.row("nothing", &[number]);
        let equal = graph.node("Equal", &[x, &number], &[]);
        missing = graph.node("Or", &[&missing, &equal], &[]);
    }
    missing
}

/// v / √(1 + (v/3)²)
fn clipped(graph: &mut Graph, v: &str) -> String {
    let (one, three) = (graph.row("one", &[1.0]), graph.row("three", &[3.0]));
    let third = graph.node("Div", &[v, &three], &[]);
    let square = graph.node("Mul", &[&third, &third], &[]);
    let sum = graph.node("Add", &[&one, &square], &[]);
    let root = graph.node("Sqrt", &[&sum], &[]);
    graph.node("Div", &[v, &root], &[])
}

fn row(graph: &mut Graph, wanted: &str, columns: &[Scaled], of: impl Fn(&Scaled) -> f64) -> String {
    graph.row(wanted, &columns.iter().map(of).collect::<Vec<f64>>())
}

/// As `float`.
pub fn float(graph: &mut Graph, x: &str) -> String {
    graph.node("Cast", &[x], &[("to", (Type::Float as i64).into())])
}

/// These columns.
fn take(graph: &mut Graph, x: &str, columns: &[usize]) -> String {
    let columns: Vec<i64> = columns.iter().map(|&column| column as i64).collect();
    let columns = graph.constant("columns", &[columns.len()], Constant::Ints(&columns));
    graph.node("Gather", &[x, &columns], &[("axis", 1.into())])
}

/// The features of a column of texts; `None` for another column.
fn texts(graph: &mut Graph, preparation: &Preparation, column: &Column, input: &str) -> Option<String> {
    let table = |levels: &[String], nothing: usize| Levels::new(preparation, column, levels, nothing);
    match &column.encoding {
        Encoding::Number { .. } | Encoding::Date { .. } => None,
        Encoding::Pair { levels } => Some(table(levels, 2).look_up(graph, input, 2, Some(&[-1.0, 1.0, 0.0]))),
        Encoding::Index { levels, other, missing, fallback, .. } => {
            let fallback = *fallback as usize;
            let nothing = if *missing { levels.len() + usize::from(*other) } else { fallback };
            Some(table(levels, nothing).look_up(graph, input, fallback, Some(&[])))
        }
        Encoding::OneHot { levels, other, missing } => {
            let width = column.encoding.width();
            let nothing = if *missing { levels.len() + usize::from(*other) } else { width };
            let unseen = if *other { levels.len() } else { width };
            let index = table(levels, nothing).look_up(graph, input, unseen, None);
            Some(one_hot(graph, &index, width))
        }
    }
}

/// A feature per index below `width`: 1 for the one of the row. Another index has none.
fn one_hot(graph: &mut Graph, index: &str, width: usize) -> String {
    let depth = graph.constant("width", &[], Constant::Ints(&[width as i64]));
    let values = graph.constant("off_on", &[2], Constant::Floats(&[0.0, 1.0]));
    let hot = graph.node("OneHot", &[index, &depth, &values], &[]);
    let axis = graph.constant("axis", &[1], Constant::Ints(&[1]));
    graph.node("Squeeze", &[&hot, &axis], &[])
}

/// The index of each text that is known.
struct Levels(BTreeMap<String, usize>);

impl Levels {
    /// The levels by their places; what is missing has the index `nothing`.
    fn new(preparation: &Preparation, column: &Column, levels: &[String], nothing: usize) -> Levels {
        let mut table = BTreeMap::new();
        for (at, level) in levels.iter().enumerate() {
            match spellings(column, level) {
                Some(words) => table.extend(words.iter().flat_map(|word| in_any_case(word)).map(|word| (word, at))),
                None => drop(table.insert(level.clone(), at)),
            }
        }
        let blanks = BLANKS.iter().flat_map(|blank| in_any_case(blank));
        table.extend(blanks.chain(preparation.missing_values.iter().cloned()).map(|blank| (blank, nothing)));
        Levels(table)
    }

    /// Looks the texts up: as an index, or with `values` as the number of that index in them, or as the index itself where
    /// they are empty.
    fn look_up(self, graph: &mut Graph, input: &str, unseen: usize, values: Option<&[f32]>) -> String {
        let (keys, found): (Vec<String>, Vec<usize>) = self.0.into_iter().unzip();
        let value = |at: usize| values.and_then(|values| values.get(at).copied()).unwrap_or(at as f32);
        let values: [(&str, Attribute); 2] = match values {
            None => {
                let found: Vec<i64> = found.iter().map(|&at| at as i64).collect();
                [("values_int64s", found.into()), ("default_int64", (unseen as i64).into())]
            }
            Some(_) => {
                let found: Vec<f32> = found.iter().map(|&at| value(at)).collect();
                [("values_floats", found.into()), ("default_float", value(unseen).into())]
            }
        };
        let attributes: Vec<_> = [("keys_strings", keys.into())].into_iter().chain(values).collect();
        graph.table_node("LabelEncoder", &[input], &attributes)
    }
}

/// A word in every mixture of small and large letters.
fn in_any_case(word: &str) -> Vec<String> {
    word.chars().fold(vec![String::new()], |heads, letter| {
        let mut cases = vec![letter.to_ascii_lowercase(), letter.to_ascii_uppercase()];
        cases.dedup();
        heads.iter().flat_map(|head| cases.iter().map(move |case| format!("{head}{case}"))).collect()
    })
}

/// All parts beside each other, their columns in the model's order.
fn in_order(graph: &mut Graph, parts: &[Part]) -> String {
    let names: Vec<&str> = parts.iter().map(|part| part.name.as_str()).collect();
    let places: Vec<usize> = parts.iter().flat_map(|part| part.places.iter().copied()).collect();
    let all = if let [one] = names[..] { one.to_owned() } else { graph.node("Concat", &names, &[("axis", 1.into())]) };
    if places.is_sorted() {
        return all;
    }
    let mut order: Vec<usize> = (0..places.len()).collect();
    order.sort_by_key(|&at| places[at]);
    take(graph, &all, &order)
}
