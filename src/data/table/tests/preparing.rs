//! From the training rows to a preparation, and from rows to features.

use super::*;
use crate::data::table::{Cycle, Encoding, Kind, Learned, Missing, Scaling};
use crate::data::{Targets, scale::Standardizer};

fn robust() -> Wanted {
    Wanted { scale: Scaling::Robust, ..classes("y") }
}

fn plain() -> Wanted {
    Wanted { scale: Scaling::None, ..classes("y") }
}

fn encoding(cells: &[&str], wanted: &Wanted) -> Encoding {
    fitted(&column(cells), wanted).columns.remove(0).encoding
}

fn levels(encoding: &Encoding) -> Vec<&str> {
    match encoding {
        Encoding::Pair { levels } => levels.iter().map(String::as_str).collect(),
        Encoding::OneHot { levels, .. } | Encoding::Index { levels, .. } => levels.iter().map(String::as_str).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn large_numbers_that_differ_by_one_stay_exact() {
    let text = (0..400)
        .fold(String::from("t|y\n"), |text, i| text + &format!("{}|{}\n", 1_700_000_000 + i, 1_700_000_000 + 2 * i));
    for scaling in [Scaling::Standard, Scaling::Robust] {
        let wanted = Wanted { scale: scaling, classes: Some(false), ..classes("y") };
        let preparation = fitted(&text, &wanted);
        let (data, _) = prepared(&text, &preparation, Reads::Everything).unwrap();
        let Encoding::Number { scale, fill, .. } = &preparation.columns[0].encoding else { panic!() };
        assert_eq!(*fill, 1_700_000_199.5);
        let Some(Learned::Numbers { scale: Some(Standardizer { mean, std }), .. }) = &preparation.target else {
            panic!()
        };
        assert_eq!(mean[0], 1_700_000_399.0);
        let Targets::Values { values, .. } = &data.targets else { panic!() };
        let x = data.features.values.to_f32();
        for i in 0..400 {
            let t = 1_700_000_000.0 + i as f64;
            assert_eq!(x[i], scale.apply(t) as f32);
            let back = f64::from(values[i]) * std[0] + mean[0];
            assert!((back - (1_700_000_000.0 + 2.0 * i as f64)).abs() < 1e-4, "{i}: {back}");
        }
    }
}

#[test]
fn a_missing_number_is_the_median_and_says_so_where_training_rows_lacked_some() {
    let text = column(&["1", "", "2", "9", "NA", "4"]);
    let preparation = fitted(&text, &plain());
    let expected = vec![vec![1., 0.], vec![3., 1.], vec![2., 0.], vec![9., 0.], vec![3., 1.], vec![4., 0.]];
    assert_eq!(features(&text, &preparation), expected);
    assert_eq!(preparation.names(), ["x", "x (missing)"]);
    let whole = fitted(&column(&["1", "2", "9"]), &plain());
    let (data, counts) = prepared("x\n5\n\n?\n", &whole, Reads::Features).unwrap();
    assert_eq!(data.features.values.to_f32()[..], [5.0, 2.0, 2.0]);
    assert_eq!((counts.rows, &counts.missing[..], &counts.unseen[..]), (3, &[2][..], &[0][..]));
}

#[test]
fn statistics_are_those_of_the_training_rows() {
    let text = column(&["1", "", "2", "9", "1000", "a"]).replace("a|", "7|");
    let preparation = fitted_to(&text, &robust(), |row| matches!(row, 0 | 2 | 3));
    let Encoding::Number { fill, indicator, scale, .. } = preparation.columns[0].encoding.clone() else { panic!() };
    assert_eq!((fill, indicator, scale.center, scale.factor), (2.0, false, 2.0, 1.0 / 4.0));
    assert!(features(&text, &preparation).concat().iter().all(|x| x.abs() <= 3.0));
}

#[test]
fn numbers_are_read_as_the_column_writes_them() {
    let preparation = fitted(&column(&["$1,000", "$3", "$ 5.50"]), &plain());
    assert_eq!(features("x\n$2,000\n7\n#8.5\n", &preparation).concat(), [2000.0, 7.0, 8.5]);
    let decimal = fitted(&column(&["1,5", "2,25"]), &plain());
    assert_eq!(features("x\n0,125\n3\n", &decimal).concat(), [0.125, 3.0]);
    let error = prepared("x\n1,5\n1.5\n", &decimal, Reads::Features).unwrap_err().to_string();
    assert!(
        error.starts_with("x.csv, line 3, column \"x\": \"1.5\" is not a number, but this column holds"),
        "{error}"
    );
}

#[test]
fn two_levels_are_one_feature_and_more_are_one_each_in_the_order_of_appearance() {
    let two = fitted(&column(&["male", "female", "male"]), &classes("y"));
    assert_eq!(features("x\nmale\nfemale\nother\n\n", &two).concat(), [-1.0, 1.0, 0.0, 0.0]);
    let three = fitted(&column(&["c", "a", "b", "a"]), &classes("y"));
    assert_eq!(levels(&three.columns[0].encoding), ["c", "a", "b"]);
    assert_eq!(three.names(), ["x = \"c\"", "x = \"a\"", "x = \"b\""]);
    let (data, counts) = prepared("x\nb\nz\n\n", &three, Reads::Features).unwrap();
    assert_eq!(data.features.values.to_f32()[..], [0., 0., 1., 0., 0., 0., 0., 0., 0.]);
    assert_eq!((&counts.missing[..], &counts.unseen[..]), (&[1][..], &[1][..]));
    let later = fitted_to(&column(&["c", "a", "b", "a"]), &classes("y"), |row| row > 0);
    assert_eq!(levels(&later.columns[0].encoding), ["a", "b"], "c is in no training row");
}

#[test]
fn a_missing_level_is_a_level_where_training_rows_had_it() {
    let preparation = fitted(&column(&["a", "", "b", "a"]), &classes("y"));
    assert_eq!(preparation.names(), ["x = \"a\"", "x = \"b\"", "x (missing)"]);
    assert_eq!(features("x\na\n?\nz\n", &preparation), [[1., 0., 0.], [0., 0., 1.], [0., 0., 0.]]);
}

#[test]
fn rare_levels_share_one_which_new_levels_take() {
    let mut cells = vec!["a"; 300];
    (cells[1], cells[2], cells[3], cells[4], cells[5], cells[6]) = ("r", "b", "r", "b", "b", "q");
    let preparation = fitted(&column(&cells), &classes("y"));
    assert_eq!(preparation.names(), ["x = \"a\"", "x = \"b\"", "x (other)"]);
    let (data, counts) = prepared("x\nr\nnew\nb\n", &preparation, Reads::Features).unwrap();
    assert_eq!(data.features.values.to_f32()[..], [0., 0., 1., 0., 0., 1., 0., 1., 0.]);
    assert_eq!(counts.unseen, [2]);
    let few = encoding(&["a", "r", "b", "b", "a", "q"], &classes("y"));
    assert_eq!(levels(&few), ["a", "r", "b", "q"], "one of six rows is not rare");
}

#[test]
fn many_levels_become_an_index_behind_all_other_features() {
    let text = "city|x|y\nc|1|1.5\na|2|2.5\nb|3|3.5\na|4|4.5\n";
    let wanted = Wanted { one_hot: 2, ..plain() };
    let preparation = fitted(text, &wanted);
    assert_eq!(preparation.names(), ["x", "city"]);
    let Encoding::Index { levels, other, missing, fallback, width } = &preparation.columns[0].encoding else {
        panic!()
    };
    assert_eq!((levels.join(","), *other, *missing, *fallback, *width), ("c,a,b".into(), false, false, 1, 8));
    assert_eq!(preparation.embedded().iter().map(|table| (table.rows, table.width)).collect::<Vec<_>>(), [(3, 8)]);
    let parts: Vec<_> = preparation.parts().into_iter().map(|part| (part.column, part.features)).collect();
    assert_eq!(parts, [("city", 1..2), ("x", 0..1)]);
    assert_eq!(features("city|x\nb|7\nnew|8\n|9\n", &preparation), [[7., 2.], [8., 1.], [9., 1.]]);
    let with_missing = fitted("city|x|y\nc|1|1.5\na|2|2.5\nb|3|3.5\n|4|4.5\n", &wanted);
    assert_eq!(with_missing.embedded()[0].rows, 4);
    assert_eq!(features("city|x\n|7\n", &with_missing), [[7., 3.]]);
}

#[test]
fn a_boolean_is_read_in_any_spelling() {
    let preparation = fitted(&column(&["True", "False", "True"]), &classes("y"));
    assert_eq!(
        features("x\ntrue\nno\nT\n<false>\n#1\n\nmaybe\n", &preparation).concat(),
        [1., -1., 1., -1., 1., 0., 0.]
    );
    let mut wanted = classes("y");
    wanted.kinds.insert("x".into(), Kind::Boolean);
    assert_eq!(features("x\n0\nyes\n", &fitted(&column(&["1", "0"]), &wanted)).concat(), [-1., 1.]);
    let error = look(&mut Lines::open(&column(&["1", "2"])), &wanted)
        .and_then(|found| Preparation::fit(&mut Lines::open(&column(&["1", "2"])), &found, &wanted, &[true; 2]));
    assert!(error.unwrap_err().to_string().ends_with("column \"x\": \"2\" is neither true nor false"));
    let missing = fitted(&column(&["yes", "", "no"]), &classes("y"));
    assert_eq!(missing.names(), ["x = \"false\"", "x = \"true\"", "x (missing)"]);
}

#[test]
fn a_date_is_its_days_and_the_cycles_that_vary() {
    let text = column(&["2024-01-01", "2024-01-08", "", "2025-06-02"]);
    let preparation = fitted(&text, &plain());
    assert_eq!(preparation.columns[0].kind, Kind::Date);
    assert!(matches!(&preparation.columns[0].encoding, Encoding::Date { cycles, .. } if cycles == &[Cycle::Year]));
    assert_eq!(preparation.names(), ["x", "x (year, sine)", "x (year, cosine)", "x (missing)"]);
    let rows = features(&text, &preparation);
    assert_eq!(rows[0], [19723.0, 0.0, 1.0, 0.0]);
    assert_eq!(rows[2], [19730.0, 0.0, 0.0, 1.0]);
    let times = encoding(&["2024-01-01T06:00", "2024-01-02T12:00"], &plain());
    assert!(matches!(&times, Encoding::Date { cycles, .. } if cycles == &Cycle::ALL));
    let error = prepared("x\n1.5.2024\n", &preparation, Reads::Features).unwrap_err().to_string();
    assert!(error.contains("\"1.5.2024\" is no ISO date, such as 2024-02-29"), "{error}");
}

#[test]
fn a_missing_cell_is_an_error_or_leaves_its_row_out_where_that_is_wanted() {
    let text = column(&["1", "", "2"]);
    let wanted = Wanted { missing: Missing::Error, ..plain() };
    let result = found(&text, &wanted);
    let error = Preparation::fit(&mut Lines::open(&text), &result, &wanted, &[true; 3]).unwrap_err().to_string();
    assert!(error.starts_with("x.csv, line 3, column \"x\": the cell is missing; fill it in"), "{error}");
    let complete = fitted(&column(&["1", "2"]), &wanted);
    let error = prepared(&text, &complete, Reads::Features).unwrap_err().to_string();
    assert!(error.starts_with("x.csv, line 3, column \"x\": the cell is missing"), "{error}");
    let drop = Wanted { missing: Missing::Drop, ..plain() };
    let (data, counts) = prepared(&text, &fitted(&text, &drop), Reads::Everything).unwrap();
    assert_eq!((data.rows(), counts.rows, counts.incomplete), (2, 2, 1));
    assert!(matches!(&data.targets, Targets::Values { values, .. } if values == &[0.5, 2.5]));
    assert!(prepared("x\n\n", &complete, Reads::Features).is_err());
}

#[test]
fn rows_without_a_target_are_left_out_unless_only_features_are_read() {
    let text = "x|y|w\n1|b|1\n2||1\n3|a|2\n4|b|0\n";
    let wanted = Wanted { weight: Some("w".into()), ..plain() };
    let preparation = fitted(text, &wanted);
    assert_eq!(preparation.target, Some(Learned::Classes { name: "y".into(), classes: vec!["a".into(), "b".into()] }));
    let (data, counts) = prepared(text, &preparation, Reads::Everything).unwrap();
    assert_eq!((data.rows(), counts.without_target, data.weights), (3, 1, Some(vec![1.0, 2.0, 0.0])));
    assert!(matches!(&data.targets, Targets::Classes { labels, .. } if labels == &[1, 0, 1]));
    assert_eq!(features("x\n1\n2\n", &preparation).len(), 2, "neither target nor weight need be there");
    let error = prepared("x|w\n1|1\n", &preparation, Reads::Everything).unwrap_err().to_string();
    assert!(error.contains("there is no column \"y\" (data.target)"), "{error}");
    let error = prepared("x|y|w\n1|a|-1\n", &preparation, Reads::Everything).unwrap_err().to_string();
    assert!(error.contains("-1 is negative; a weight must be 0 or more"), "{error}");
    let error = prepared("x|y|w\n1|c|1\n", &preparation, Reads::Everything).unwrap_err().to_string();
    assert!(error.contains("\"c\" is not a class of the model"), "{error}");
    let error = prepared("z\n1\n", &preparation, Reads::Features).unwrap_err().to_string();
    assert!(error.contains("there is no column \"x\" (a feature of the model)"), "{error}");
}

#[test]
fn a_row_of_weight_0_does_not_count_and_mean_and_deviation_follow_the_weights() {
    let text = "x|c|y|w\n1|u|1.5|1\n5|v|2.5|2\n3|u|3.5|1\n1e9|z|9e9|0\n";
    let twice = "x|c|y\n1|u|1.5\n5|v|2.5\n5|v|2.5\n3|u|3.5\n";
    let weighted = fitted(text, &Wanted { weight: Some("w".into()), ..classes("y") });
    let plain = fitted(twice, &classes("y"));
    let scale = |preparation: &Preparation| match preparation.columns[0].encoding {
        Encoding::Number { scale, .. } => scale,
        _ => panic!(),
    };
    assert_eq!((scale(&weighted), &weighted.target), (scale(&plain), &plain.target));
    assert_eq!(levels(&weighted.columns[1].encoding), ["u", "v"]);
}

#[test]
fn a_table_of_numbers_is_read_some_columns_at_a_time_with_the_same_result() {
    let text = "a|b|c|when|d|y\n1|2|u|2024-01-01|3|1.5\n4||v|2024-02-01|6|2.5\n7|8|u||9|3.5\n";
    let result = found(text, &robust());
    let fit = |room: usize| {
        let mut opened = 0;
        let mut open = Lines::open(text);
        let mut counting = || {
            opened += 1;
            open()
        };
        let preparation = Preparation::fit_within(&mut counting, &result, &robust(), &[true; 3], room).unwrap();
        (preparation, opened)
    };
    let (at_once, passes) = fit(1000);
    assert_eq!(passes, 1);
    assert_eq!(fit(6), (at_once.clone(), 3), "two of four columns and a target at a time");
    assert_eq!(fit(0), (at_once.clone(), 5));
    assert_eq!(fitted(text, &robust()), at_once);
}

#[test]
fn a_table_that_changed_is_refused() {
    let text = column(&["1", "2", "3"]);
    let result = found(&text, &plain());
    for other in [column(&["1", "2"]), column(&["1", "2", "3", "4"])] {
        let error = Preparation::fit(&mut Lines::open(&other), &result, &plain(), &[true; 3]).unwrap_err().to_string();
        assert!(error.contains("the file changed while it was read"), "{error}");
    }
    assert!(Preparation::fit(&mut Lines::open(&text), &result, &plain(), &[true]).is_err());
    let error = Preparation::fit(&mut Lines::open(&text), &result, &plain(), &[false; 3]).unwrap_err().to_string();
    assert!(error.contains("no row to train on"), "{error}");
}

#[test]
fn names_of_features_are_all_different() {
    let text = "x|x (missing)|y\n1|1|1.5\n|2|2.5\n";
    assert_eq!(fitted(text, &plain()).names(), ["x", "x (missing)", "x (missing) (2)"]);
}

#[test]
fn numbers_too_far_apart_for_a_scale_are_refused() {
    for cells in [["1e308", "-1e308"], ["0", "5e-324"]] {
        let text = column(&cells);
        let result = found(&text, &classes("y"));
        let error = Preparation::fit(&mut Lines::open(&text), &result, &classes("y"), &[true; 2]).unwrap_err();
        assert!(error.to_string().starts_with("column \"x\": its numbers are too large or too close"), "{error}");
    }
    let preparation = fitted(&column(&["0", "1e-30"]), &classes("y"));
    let error = prepared("x\n1e30\n", &preparation, Reads::Features).unwrap_err().to_string();
    assert!(error.contains("1e30 is too far from the numbers of the training rows"), "{error}");
}
