//! What looking at a table finds.

use super::*;
use crate::data::table::{FoundTarget, Kind, Missing, Use};

/// The kind of a column of these cells, and why.
fn kind(cells: &[&str]) -> (Kind, String) {
    named_kind("x", cells)
}

fn named_kind(name: &str, cells: &[&str]) -> (Kind, String) {
    let mut text = format!("{name}|rest|y\n");
    cells.iter().enumerate().for_each(|(at, cell)| text += &format!("{cell}|{}.25|{at}.5\n", at % 3));
    let found = found(&text, &classes("y"));
    (found.columns[0].kind, found.columns[0].why.clone())
}

/// So many different texts, each so often.
fn texts(different: usize, times: usize) -> Vec<String> {
    (0..different * times).map(|at| format!("t{}", at % different)).collect()
}

fn of_texts(cells: &[String]) -> (Kind, String) {
    kind(&cells.iter().map(String::as_str).collect::<Vec<_>>())
}

#[test]
fn the_cells_of_a_column_together_say_its_kind() {
    assert_eq!(kind(&["1", "2.5", "NA", "-3e2"]).0, Kind::Number);
    assert_eq!(kind(&["0", "1", "1", "0"]).0, Kind::Number);
    assert_eq!(kind(&["#1", "#2.5", "<nan>"]).0, Kind::Number);
    assert_eq!(kind(&["True", "False", "", "True"]).0, Kind::Boolean);
    assert_eq!(kind(&["<true>", "<false>", "<true>"]).0, Kind::Boolean);
    assert_eq!(kind(&["yes", "no", "yes"]).0, Kind::Boolean);
    assert_eq!(kind(&["yes", "f", "yes"]).0, Kind::Category);
    assert_eq!(kind(&["2024-01-01", "2024-02-29 12:00", ""]).0, Kind::Date);
    assert_eq!(kind(&["2024-01-01", "2023-02-29", "2024-01-01"]).0, Kind::Category);
    assert_eq!(kind(&["a", "b", "a", "b"]).0, Kind::Category);
    assert_eq!(kind(&["", "NA", "?"]), (Kind::Drop, "every cell is missing".into()));
    assert_eq!(kind(&["a", "a", "a"]), (Kind::Drop, "every cell is \"a\"".into()));
    assert_eq!(kind(&["a", "", "a"]).0, Kind::Category, "that it is missing can say something");
    assert_eq!(kind(&["7", "7", "7"]).0, Kind::Number);
    assert_eq!(kind(&["$3", "$1,000"]), (Kind::Number, "numbers with $, ',' between thousands".into()));
    assert_eq!(kind(&["1,5", "2,25"]), (Kind::Number, "numbers, decimal comma".into()));
}

#[test]
fn whole_numbers_with_leading_zeros_are_codes() {
    assert_eq!(kind(&["01234", "99999", "01234", "99999"]).0, Kind::Category);
    assert_eq!(kind(&["0", "10", "0.5", "-3"]).0, Kind::Number);
}

#[test]
fn an_identifier_and_free_text_are_left_out_with_a_line() {
    let (kind, why) = of_texts(&texts(20, 1));
    assert_eq!((kind, &*why), (Kind::Drop, "as many different texts as cells: an identifier"));
    assert_eq!(of_texts(&texts(20, 2)).0, Kind::Category);
    let mut mostly = texts(18, 1);
    mostly.extend(["t0", "t1"].map(String::from));
    assert_eq!(of_texts(&mostly), (Kind::Text, "18 different texts in 20 cells: free text".into()));
    let words: Vec<String> = (0..20).map(|at| format!("one two three four five {}", at % 18)).collect();
    assert_eq!(of_texts(&words), (Kind::Text, "18 different texts in 20 cells, 6 words each: free text".into()));
    mostly.extend(vec![String::new(); 60]);
    assert_eq!(of_texts(&mostly).0, Kind::Category, "that it is missing says something");
    let long: Vec<String> = (0..8).map(|at| ["x", "y"][at % 2].repeat(2000)).collect();
    assert_eq!(of_texts(&long).0, Kind::Text);
    let text = "name|x|y\n".to_owned() + &(0..20).map(|at| format!("n{at}|{at}.5|{at}.5\n")).collect::<String>();
    let found = found(&text, &classes("y"));
    assert_eq!(found.remarks, ["\"name\" is left out: as many different texts as cells: an identifier"]);
    assert_eq!((found.columns[0].role, found.columns[1].role), (Use::Out, Use::Feature));
}

#[test]
fn a_column_that_counts_the_rows_is_left_out_if_its_name_says_so() {
    let rows = ["1", "2", "3", "4"];
    assert_eq!(named_kind("PassengerId", &rows), (Kind::Drop, "it counts the rows".into()));
    assert_eq!(named_kind("Unnamed: 0", &["0", "1", "2", "3"]).0, Kind::Drop);
    assert_eq!(named_kind("t", &rows).0, Kind::Number);
    assert_eq!(named_kind("id", &["1", "2", "4", "3"]).0, Kind::Number);
}

#[test]
fn the_user_overrules_what_is_found() {
    let text = "a|b|c|y\n1|u|x1|1.5\n2|v|x2|2.5\n1|w|x3|3.5\n";
    let mut wanted = classes("y");
    wanted.kinds.insert("a".into(), Kind::Category);
    wanted.kinds.insert("b".into(), Kind::Drop);
    wanted.ignore = vec!["c".into()];
    let result = found(text, &wanted);
    let of = |at: usize| (result.columns[at].kind, result.columns[at].role);
    assert_eq!(of(0), (Kind::Category, Use::Feature));
    assert_eq!((of(1), of(2).1), ((Kind::Drop, Use::Out), Use::Out));
    assert!(result.remarks.is_empty(), "what the user says is not news: {:?}", result.remarks);
    let ids = "id|y\n".to_owned() + &(0..9).map(|at| format!("n{at}|{at}.5\n")).collect::<String>();
    let named = found(&ids, &Wanted { features: Some(vec!["id".into()]), ..classes("y") });
    assert_eq!((named.columns[0].kind, named.columns[0].role), (Kind::Category, Use::Feature));
    let none = message(&ids, &classes("y"));
    assert!(none.contains("no column is left to be a feature (\"id\" is left out: as many"), "{none}");
}

#[test]
fn a_column_of_numbers_with_a_slip_in_it_is_told() {
    let mut text = String::from("x|z|y\n");
    (0..30)
        .for_each(|at| text += &format!("{}|1.5|{at}.5\n", if at == 7 { "abc".into() } else { (at % 9).to_string() }));
    let found = found(&text, &classes("y"));
    let remark = "29 of 30 cells of \"x\" are numbers; the first that is not: x.csv, line 9, column \"x\": \"abc\" is not a number";
    assert!(found.remarks[0].starts_with(remark), "{:?}", found.remarks);
    let spelled = Wanted { missing_values: vec!["abc".into()], ..classes("y") };
    let found = super::found(&text, &spelled);
    assert_eq!((found.columns[0].kind, found.columns[0].missing, found.remarks.len()), (Kind::Number, 1, 0));
}

#[test]
fn numbers_that_are_not_written_alike_are_told() {
    let remark = |cells: &[&str], wanted: &Wanted| found(&column(cells), wanted).remarks;
    let told = remark(&["$3", "4", "$5"], &classes("y"));
    assert_eq!(told, ["the numbers of \"x\" are not all written alike ($3, 4, $5)"]);
    assert!(remark(&["01", "02", "03"], &classes("y")).is_empty(), "codes are");
    let comma = Wanted { decimal: Some(','), ..classes("y") };
    let text = column(&["1.5", "2.5"]).replace(".5\n", "\n");
    assert!(found(&text, &comma).remarks[0].contains("not all written alike (1.5, 2.5)"));
}

#[test]
fn a_number_that_is_not_finite_is_refused_with_its_place() {
    for cell in ["inf", "-Infinity", "1e999"] {
        let text = message(&column(&["1", cell, "2"]), &classes("y"));
        assert!(text.starts_with(&format!("x.csv, line 3, column \"x\": {cell:?} is not finite")), "{text}");
    }
    let wanted = Wanted { ignore: vec!["x".into()], ..classes("y") };
    assert!(message(&column(&["1", "inf"]), &wanted).contains("no column is left"), "an ignored column is not judged");
}

#[test]
fn what_a_target_holds_is_found_by_looking() {
    let of = |targets: &[&str], times: usize| {
        let mut text = String::from("x|y\n");
        (0..targets.len() * times).for_each(|at| text += &format!("{at}.5|{}\n", targets[at % targets.len()]));
        match found(&text, &classes("y")).target {
            FoundTarget::Classes { classes, .. } => classes,
            _ => vec![],
        }
    };
    assert_eq!(of(&["no", "yes"], 2), ["no", "yes"]);
    assert_eq!(of(&["True", "False"], 2), ["False", "True"]);
    assert_eq!(of(&["1", "0"], 2), ["0", "1"]);
    assert_eq!(of(&["1", "-1"], 2), ["-1", "1"]);
    assert_eq!(of(&["0", "1", "2"], 6), ["0", "1", "2"]);
    assert_eq!(of(&["0", "1", "2"], 2), [""; 0], "too few rows for each");
    assert_eq!(of(&["3", "4", "5", "6"], 9), [""; 0], "a quality is a quantity");
    assert_eq!(of(&["0.5", "1"], 9), [""; 0]);
    assert_eq!(of(&["0", "1", "3"], 9), [""; 0]);
    let numbers: Vec<String> = (0..21).map(|at| at.to_string()).collect();
    let numbers: Vec<&str> = numbers.iter().map(String::as_str).collect();
    assert_eq!(of(&numbers[..20], 5).len(), 20);
    assert_eq!(of(&numbers, 5).len(), 0);
}

#[test]
fn labels_and_counts_follow_the_rows_that_have_a_target() {
    let text = "x|y|g\n1|b|u\n2||u\n3|a|v\n4|b|u\n5|?|w\n6|a|v\n";
    let wanted = Wanted { group: Some("g".into()), ..classes("y") };
    let found = found(text, &wanted);
    let FoundTarget::Classes { classes, labels, counts, .. } = &found.target else { panic!("{:?}", found.target) };
    assert_eq!((classes.join(","), &labels[..], &counts[..]), ("a,b".into(), &[1, 0, 1, 0][..], &[2, 2][..]));
    assert_eq!((found.rows, found.without_target, found.groups), (4, 2, Some(vec![0, 1, 0, 1])));
    assert_eq!(found.remarks, ["2 rows are left out: they have no target"]);
}

#[test]
fn rows_with_a_missing_feature_are_left_out_where_that_is_wanted() {
    let mut text = String::from("x|name|y|g\n");
    (0..20).for_each(|at| {
        text +=
            &format!("{}|{}|{}|{at}\n", ["1.5", ""][usize::from(at == 3)], ["", "n"][at % 2], ["a", "b", ""][at % 3])
    });
    let wanted =
        Wanted { missing: Missing::Drop, ignore: vec!["name".into()], group: Some("g".into()), ..classes("y") };
    let found = found(&text, &wanted);
    assert_eq!((found.rows, found.incomplete, found.without_target), (13, 1, 6));
    let FoundTarget::Classes { labels, counts, .. } = &found.target else { panic!("{:?}", found.target) };
    assert_eq!((labels.len(), &counts[..], found.groups.map(|groups| groups.len())), (13, &[6, 7][..], Some(13)));
    let none = message("x|z|y\n|1|a\n1||b\n", &wanted_drop());
    assert!(none.starts_with("data.missing: each of 2 rows lacks a feature"), "{none}");
}

fn wanted_drop() -> Wanted {
    Wanted { missing: Missing::Drop, ..classes("y") }
}

#[test]
fn a_quantity_given_as_classes_is_refused_with_the_loss_to_take() {
    let rows = |count: usize, of: &dyn Fn(usize) -> String| {
        (0..count).fold(String::from("x|y\n"), |text, at| text + &format!("{at}.5|{}\n", of(at)))
    };
    let forced = Wanted { classes: Some(true), ..classes("y") };
    let whole = message(&rows(100, &|at| (at * 7).to_string()), &forced);
    assert_eq!(
        whole,
        "x.csv, column \"y\": 100 different numbers in 100 rows are a quantity, not classes; use loss = \"mse\", \
         or another column in data.target"
    );
    let fractions = message(&rows(300, &|at| format!("{}.5", at % 30)), &forced);
    assert!(fractions.contains("30 different numbers, not all whole, in 300 rows are a quantity"), "{fractions}");
    let text = "x|y\n1|a\n2|b\n";
    let numbers = message(text, &Wanted { classes: Some(false), ..classes("y") });
    assert!(numbers.starts_with("x.csv, line 2, column \"y\": \"a\" is not a number; a quantity must"), "{numbers}");
    let one = message("x|y\n1|a\n2|a\n", &classes("y"));
    assert!(one.contains("every row has the class \"a\""), "{one}");
}

#[test]
fn names_that_are_not_there_or_contradict_each_other_are_refused() {
    let text = "digit|x\na|1\nb|2\n";
    let near = message(text, &classes("digt"));
    assert_eq!(
        near,
        "x.csv, line 1: there is no column \"digt\" (data.target); did you mean \"digit\"? The file has \"digit\", \"x\""
    );
    let mut wanted = classes("digit");
    wanted.kinds.insert("z".into(), Kind::Drop);
    assert!(message(text, &wanted).contains("no column \"z\" (data.columns)"));
    let both = Wanted { features: Some(vec!["digit".into()]), ..classes("digit") };
    assert!(message(text, &both).starts_with("data.features: \"digit\" is named in data.target too"));
    let twice = Wanted { ignore: vec!["x".into(), "x".into()], ..classes("digit") };
    assert!(message(text, &twice).starts_with("data.ignore: \"x\" is named twice"));
    let sign = Wanted { decimal: Some(';'), ..classes("digit") };
    assert!(message(text, &sign).starts_with("data.decimal: ';' is no decimal sign"));
    let two = Wanted { target: vec!["digit".into(), "x".into()], classes: Some(true), ..Wanted::default() };
    assert!(message(text, &two).starts_with("data.target: 2 columns are named, but a classification has one"));
}

#[test]
fn what_leaves_nothing_to_learn_is_refused() {
    assert!(message("x|y\n", &classes("y")).contains("no row follows the header"));
    assert!(message("x|y\n1|\n2|NA\n", &classes("y")).contains("the target is missing in all 2 rows"));
    let weight = Wanted { weight: Some("w".into()), ..classes("y") };
    assert!(message("x|y|w\n1|a|1\n2|b|\n", &weight).starts_with("x.csv, column \"w\": 1 weights are missing"));
    assert!(message("x|y|w\n1|a|1\n2|b|q\n", &weight).contains("\"q\" is not a number"));
    let group = Wanted { group: Some("w".into()), ..classes("y") };
    assert!(message("x|y|w\n1|a|1\n2|b|\n", &group).starts_with("x.csv, line 3, column \"w\": the group is missing"));
}

#[test]
fn a_column_that_is_the_target_in_other_words_is_told() {
    let text = |other: &dyn Fn(usize) -> &'static str| {
        (0..60).fold(String::from("alive|x|y\n"), |text, at| text + &format!("{}|{at}.5|{}\n", other(at), at % 2))
    };
    let told = found(&text(&|at| ["no", "yes"][at % 2]), &classes("y")).remarks;
    let expected =
        "\"alive\" says just what the target \"y\" says; if it is not known beforehand, name it in data.ignore";
    assert_eq!(told, [expected]);
    assert!(found(&text(&|at| if at == 59 { "no" } else { ["no", "yes"][at % 2] }), &classes("y")).remarks.is_empty());
    assert!(found(&text(&|at| if at == 59 { "" } else { ["no", "yes"][at % 2] }), &classes("y")).remarks.is_empty());
    assert!(
        found(&text(&|at| ["no", "yes", "maybe", "yes"][at % 4]), &classes("y")).remarks.is_empty(),
        "two levels for one"
    );
}

#[test]
fn a_column_is_described() {
    let found = found("x|y\n3|a\n|b\n1|a\n3|b\n", &classes("y"));
    let x = &found.columns[0];
    assert_eq!((x.missing, x.distinct, x.more, x.range), (1, 2, false, Some((1.0, 3.0))));
    assert_eq!((x.examples.join(","), &x.levels[..]), ("3,1".into(), &[("3".into(), 2), ("1".into(), 1)][..]));
    let nothing = super::found("x\n1\n2\n", &Wanted::default());
    assert_eq!((nothing.target, nothing.rows), (FoundTarget::Nothing, 2));
}

#[test]
fn an_identifier_does_not_eat_memory() {
    let text = (0..70_000).fold(String::from("id|x|y\n"), |text, at| text + &format!("n{at}|1.5|{}.5\n", at % 7));
    let found = found(&text, &classes("y"));
    let id = &found.columns[0];
    assert_eq!((id.distinct, id.more, id.kind, id.levels.len()), (65_536, true, Kind::Text, 0));
    assert_eq!(id.why, "more than 65536 different texts in 70000 cells: free text");
}
