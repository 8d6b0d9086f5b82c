use super::*;

fn run(updates: usize, per_epoch: usize, loss: fn(usize) -> f64) -> Page {
    let point = |i: usize| {
        let (update, epoch) = (i as u64 + 1, (i / per_epoch) as u32 + 1);
        UpdatePoint { update, epoch, loss: loss(i), lr: 0.1, left_out: None }
    };
    let epoch = |e: usize| EpochPoint {
        epoch: e as u32,
        update: (e * per_epoch) as u64,
        train_loss: loss(e * per_epoch - 1),
        val_loss: Some(loss(e * per_epoch - 1) * 1.1),
        metrics: vec![("val_accuracy".into(), 0.9), ("val_r2".into(), 0.5)],
    };
    Page {
        title: "digits".into(),
        updates: (0..updates).map(point).collect(),
        epochs: (1..=updates / per_epoch).map(epoch).collect(),
        ..Page::default()
    }
}

fn falling(i: usize) -> f64 {
    2.3 / (1.0 + i as f64)
}

#[test]
fn a_run_shows_loss_and_metrics_but_no_constant_learning_rate() {
    let page = render(&run(36, 12, falling));
    for part in ["<h1>digits</h1>", ">Loss", ">Accuracy</h2>", ">R²</h2>", "log scale", "90.0\u{202f}%"] {
        assert!(page.contains(part), "{part}");
    }
    assert!(!page.contains("Learning rate"));
}

#[test]
fn a_learning_rate_that_changed_gets_a_chart() {
    let mut report = run(36, 12, falling);
    report.updates[20].lr = 0.05;
    assert!(render(&report).contains("Learning rate"));
}

/// A page with all that there is about a model of so many classes, or of numbers.
fn answered(classes: u32, evil: &str) -> Page {
    let odds = |row: u32| (0..classes).map(|class| f64::from((row * 7 + class) % 11)).collect();
    let answer = |row: u32| ClassAnswer { class: row % classes, said: row / 2 % classes, weight: 1.0, odds: odds(row) };
    let said = match classes {
        0 => Said::Numbers(vec![
            NumberAnswers {
                name: evil.into(),
                rows: (0..99).map(|i| (f64::from(i), 50.0)).collect()
            };
            2
        ]),
        _ => Said::Classes(ClassAnswers {
            classes: (0..classes).map(|c| format!("{evil}{c}")).collect(),
            rows: (0..99).map(answer).collect(),
        }),
    };
    let measured =
        Measured { metric: "accuracy".into(), value: 0.9, columns: vec![(evil.into(), 0.5)], rows: 99, times: 5 };
    let word = || evil.to_owned();
    let picture = Picture { png: vec![1, 2, 3], class: word(), said: word(), probability: 0.5 };
    let gallery = Gallery { all: 9, pictures: vec![picture] };
    let column = ColumnRow { name: word(), kind: word(), becomes: word(), missing: word(), levels: word() };
    Page {
        answers: Some(Answers { model: word(), rows: 99, said, gallery: Some(gallery) }),
        importance: Some(Importance::Measured(measured)),
        columns: vec![column],
        remarks: vec![word()],
        ..run(36, 12, falling)
    }
}

#[test]
fn a_model_of_classes_has_its_matrix_and_curves_and_one_of_numbers_its_clouds_and_residuals() {
    let has = |classes: u32, parts: &[&str]| {
        let page = render(&answered(classes, "x"));
        for part in
            [">Predictions</h2>", ">Importance of columns</h2>", "<summary>Columns</summary>"].iter().chain(parts)
        {
            assert!(page.contains(part), "{classes}: {part}");
        }
        assert!(!page.contains("NaN"));
        page
    };
    has(2, &[">Confusion matrix</h2>", ">ROC curve</h2>", ">x1, area "]);
    has(5, &[">Confusion matrix</h2>", ">x4, area "]);
    assert!(!has(20, &[">Confusion matrix</h2>"]).contains("ROC"));
    assert!(!has(21, &[">Confused classes</h2>"]).contains("Confusion"));
    has(0, &[">x: predicted against true</h2>", ">x: residuals</h2>", "mark cloud train"]);
    let page = render(&run(36, 12, falling));
    assert!(!page.contains("Predictions") && !page.contains("Importance") && !page.contains("Columns"));
}

#[test]
fn the_page_asks_for_nothing_from_the_network() {
    let page = [0, 2, 30].map(|classes| render(&answered(classes, ""))).concat();
    assert!(page.contains("<h2>Misjudged images</h2>"));
    let page = page.replace(" src=\"data:image/png;base64,", "");
    for word in ["http:", "https:", "@import", "url(", "<link rel=\"stylesheet\"", " src="] {
        assert!(!page.contains(word), "{word}");
    }
}

#[test]
fn every_text_from_outside_is_escaped() {
    let evil = "<script>\"&'";
    let pair = || vec![(evil.to_string(), evil.to_string())];
    let report = Page {
        title: evil.into(),
        version: evil.into(),
        summary: Some(evil.into()),
        note: Some(evil.into()),
        layers: vec![LayerRow { name: evil.into(), kind: evil.into(), ..LayerRow::default() }],
        facts: pair(),
        adapter: pair(),
        timings: vec![(evil.into(), 1.0)],
        config_toml: evil.into(),
        epochs: vec![EpochPoint { epoch: 1, update: 1, metrics: vec![(evil.into(), 1.0)], ..EpochPoint::default() }],
        ..Page::default()
    };
    let page = render(&report);
    assert!(!page.contains(evil) && page.matches("<script>").count() == 1);
    assert!(page.contains("&lt;script&gt;&quot;&amp;&#39;"));
    for classes in [0, 2, 30] {
        let page = render(&answered(classes, evil));
        assert!(!page.contains(evil) && page.matches("<script>").count() == 1, "{classes}");
    }
}

#[test]
fn an_empty_run_says_so() {
    let page = render(&Page::default());
    assert!(page.contains("No update was made.") && !page.contains("<figure"));
}

#[test]
fn losses_that_are_not_finite_are_left_out_and_said() {
    let page = render(&run(24, 12, |i| if i > 20 { f64::NAN } else { falling(i) }));
    assert!(page.contains("5 losses were not finite numbers and are left out."));
    let page = render(&run(24, 12, |_| f64::INFINITY));
    assert!(page.contains("28 losses were not finite") && !page.contains("id=\"loss-title\""));
}

#[test]
fn one_update_constant_zero_and_negative_losses_render() {
    for (updates, loss) in [(1, falling as fn(usize) -> f64), (24, |_| 0.0), (24, |_| 0.7), (24, |i| 5.0 - i as f64)] {
        let page = render(&run(updates, 12, loss));
        assert!(page.contains("<figure") && !page.contains("NaN") && !page.contains("log scale"));
    }
}

#[test]
fn a_run_without_validation_has_no_validation_curve() {
    let mut report = run(36, 12, falling);
    report.epochs.iter_mut().for_each(|e| (e.val_loss, e.metrics) = (None, Vec::new()));
    let page = render(&report);
    assert!(!page.contains("polyline class=\"validation\"") && page.contains("polyline class=\"train\""));
}

#[test]
fn a_long_run_stays_a_small_file() {
    let page = render(&run(200_000, 100, falling));
    assert!(page.len() < 120_000, "{} bytes", page.len());
    assert!(page.contains("of 2000 epochs; metrics.jsonl has them all."));
}
