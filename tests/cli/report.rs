//! The report's findings: what the kept model says of the validation rows.

use crate::place::Place;

/// The numbers in the cells of a confusion matrix of a kind, `right` or `wrong`.
fn cells(page: &str, kind: &str) -> Vec<f64> {
    let begin = format!("<td class=\"{kind}\"");
    let cells = page.split(&begin).skip(1);
    let text = cells.map(|cell| cell.split_once('>').unwrap().1.split('<').next().unwrap());
    text.map(|text| if text == "·" { 0.0 } else { text.parse().unwrap() }).collect()
}

#[test]
fn the_confusion_matrix_is_that_of_the_best_model() {
    let place = Place::new("report-classes");
    place.ok("train c.toml --out r");
    let page = place.text("r/report.html");
    for part in ["The best model, after epoch ", ">Confusion matrix<", ">ROC curve<", ">Importance of columns<"] {
        assert!(page.contains(part), "{part}");
    }
    let (right, wrong) = (cells(&page, "right"), cells(&page, "wrong"));
    assert_eq!((right.len(), wrong.len()), (3, 6));
    let (right, all) = (right.iter().sum::<f64>(), right.iter().chain(&wrong).sum::<f64>());
    assert_eq!(all, 20.0);
    let said = place.ok("eval r/best.safetensors --data held.csv");
    assert!(said.contains(&format!("accuracy {:.2} %", 100.0 * right / all)), "{right}: {said}");
    // The same run gives the same page but for its times, whatever the micro-batch.
    place.ok("train c.toml --out s --set train.micro_batch=1");
    let findings =
        |page: &str| page[page.find("Predictions").unwrap()..page.find("Epochs in numbers").unwrap()].to_owned();
    assert_eq!(findings(&page), findings(&place.text("s/report.html")));
}

#[test]
fn numbers_have_clouds_and_residuals_and_without_validation_there_are_only_columns() {
    let place = Place::new("report-numbers");
    place.ok("train n.toml --out r");
    let page = place.text("r/report.html");
    for part in
        [">sum: predicted against true<", ">product: residuals<", ">Importance of columns<", "<summary>Columns<"]
    {
        assert!(page.contains(part), "{part}");
    }
    place.ok("train n.toml --out s --set data.validation=0.0");
    let page = place.text("s/report.html");
    assert!(!page.contains("Predictions") && !page.contains("Importance") && page.contains("<summary>Columns<"));
}
