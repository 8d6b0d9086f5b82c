use super::*;

const GOOD: &str = "[data]\npath = 'd.csv'\ntarget = 'y'\n[model]\nloss = 'mse'\n[train]\nbatch = 120\n";

fn check(overrides: &[&str]) -> Result<Config> {
    let overrides: Vec<_> = overrides.iter().map(|&text| text.to_owned()).collect();
    Config::parse(GOOD, "c.toml", &overrides, Path::new(""))
}

fn refusal(overrides: &[&str]) -> String {
    check(overrides).unwrap_err().to_string().replace(" (--set)", "")
}

#[test]
fn the_default_lacks_what_has_no_default() {
    assert!(Config::default().check().unwrap_err().to_string().starts_with("data.path: missing"));
}

#[test]
fn layers_are_widths_each_followed_by_an_activation_or_not() {
    for good in [
        "[]",
        "[64]",
        "[64, 32]",
        "[64, 'relu', 16777216, 'gelu_tanh']",
        "[1, 2, 'silu']",
        "['layer_norm', 8, 'layer_norm', 'relu']",
    ] {
        check(&[&format!("model.layers={good}")]).unwrap();
    }
    let text = refusal(&["model.layers=['relu', 64]"]);
    let rule = "is an activation; it must follow a width, as in [64,";
    assert_eq!(text, format!("model.layers[0]: \"relu\" {rule} \"relu\"]"));
    assert!(refusal(&["model.layers=[64, 'relu', 'tanh']"]).starts_with("model.layers[2]: \"tanh\" is an"));
    assert!(refusal(&["model.layers=[0]"]).starts_with("model.layers[0]: a layer of width 0; give 1 to 16777216"));
    assert!(refusal(&["model.layers=[16777217]"]).starts_with("model.layers[0]: a layer of width 16777217;"));
    assert!(refusal(&["model.layers=[1.5]"]).starts_with("model.layers: [1.5] is not a list of layers"));
}

#[test]
fn activations_in_layers_of_layers_follow_a_width_too() {
    for good in [
        "[8, {residual=['layer_norm', 'relu', 8, 'relu', 8]}, 'relu']",
        "[8, 'relu', {residual=['relu', 8]}]",
        "[{concat=[[], ['tanh'], [4, 'tanh']]}, 'relu']",
        "[{repeat={times=3, layers=[8, 'relu']}}, 4]",
        "[8, {repeat={times=3, layers=['relu', 8]}}]",
    ] {
        check(&[&format!("model.layers={good}")]).unwrap();
    }
    for (bad, place) in [
        ("[8, {residual=[8, 'relu', 'tanh']}]", "[1].residual[2]: \"tanh\" is an activation"),
        ("[8, 'relu', {repeat={times=2, layers=['tanh', 8]}}]", "[2].repeat.layers[0]: \"tanh\" is an"),
        ("[8, {repeat={times=2, layers=['tanh']}}]", "[1].repeat.layers[0]: \"tanh\" is an activation"),
        ("[{concat=[[8], [8, 'relu', 'relu']]}]", "[0].concat[1][2]: \"relu\" is an activation"),
    ] {
        let text = refusal(&[&format!("model.layers={bad}")]);
        assert!(text.starts_with(&format!("model.layers{place}")), "{text}");
    }
}

#[test]
fn names_that_are_not_known_find_the_nearest() {
    assert_eq!(
        refusal(&["model.layers=[8, 'ReLU']"]),
        "model.layers[1]: \"ReLU\" is not a known layer; did you mean \"relu\"?"
    );
    assert_eq!(
        refusal(&["model.loss=cross-entropy"]),
        "model.loss: \"cross-entropy\" is not a loss; did you mean \"cross_entropy\"?"
    );
    assert_eq!(
        refusal(&["model.loss=hinge"]),
        "model.loss: \"hinge\" is not a loss; write one of mse, cross_entropy, huber, bce"
    );
}

#[test]
fn numbers_out_of_range_are_refused() {
    for set in ["data.validation=1.0", "data.validation=-0.1", "data.validation=nan", "train.epochs=0"] {
        assert!(refusal(&[set]).contains(" is not "), "{set}");
    }
    for name in ["lr", "momentum", "dampening", "weight_decay"] {
        for value in ["-0.1", "nan", "inf", "1e39"] {
            assert!(refusal(&[&format!("optimizer.{name}={value}")]).contains("number from 0"));
        }
        check(&[&format!("optimizer.{name}=0")]).unwrap();
    }
}

#[test]
fn nesterov_needs_momentum_and_no_dampening() {
    let wish = "needs momentum above 0 and dampening 0; set them or leave nesterov out";
    assert!(refusal(&["optimizer.nesterov=true"]).contains(wish));
    let sets = ["optimizer.nesterov=true", "optimizer.momentum=0.9"];
    check(&sets).unwrap();
    assert!(refusal(&[&sets[..], &["optimizer.dampening=0.1"]].concat()).contains(wish));
}

#[test]
fn what_is_for_classes_is_refused_for_numbers_and_the_other_way_round() {
    assert_eq!(
        refusal(&["train.best=auc"]),
        "train.best: \"auc\" does not measure numbers, which loss = \"mse\" is for; write loss, rmse, mae or r2"
    );
    check(&["train.best=r2", "train.patience=3"]).unwrap();
    let classes = ["model.loss=bce", "train.best=auc", "train.class_weight={ \"1\" = 2 }"];
    check(&classes).unwrap();
    assert!(refusal(&["model.loss=bce", "train.best=mae"]).contains("write loss, accuracy, balanced_accuracy, f1,"));
    for weight in ["balanced", "{ a = 2.0 }"] {
        let text = refusal(&[&format!("train.class_weight={weight}")]);
        assert!(text.starts_with("train.class_weight: loss = \"mse\" is for numbers"), "{text}");
    }
    for bad in ["train.class_weight=even", "train.class_weight={ a = 'b' }", "train.patience=0", "train.best=aux"] {
        assert!(refusal(&["model.loss=bce", bad]).contains(" is not "), "{bad}");
    }
}

#[test]
fn a_classification_has_one_target_and_every_target_one_name() {
    check(&["data.target=['a', 'b']"]).unwrap();
    assert!(refusal(&["data.target=['a', 'b']", "model.loss=bce"]).starts_with("data.target: 2 columns"));
    assert!(refusal(&["data.target=['a', 'a']"]).contains("\"a\" is named twice"));
    assert!(refusal(&["data.target=[]"]).contains("missing"));
    assert!(refusal(&["data.target=['']"]).contains("\"\" is not the name"));
    check(&["data.features=['a', 'b']"]).unwrap();
    assert!(refusal(&["data.features=['a', 'a']"]).starts_with("data.features: \"a\" is named twice"));
    assert!(refusal(&["data.features=['a', 'y']"]).starts_with("data.features: \"y\" is target or weight too"));
    assert!(refusal(&["data.features=[]"]).starts_with("data.features: [] is not the name"));
    for bad in ["[0, 3]", "[3]", "[3, 16385]", "[1025, 1024]", "3", "[-1, 3]"] {
        let text = refusal(&[&format!("data.size={bad}")]);
        assert!(text.contains("is not a height and a width of 1 to 16384 pixels"), "{text}");
    }
    check(&["data.size=[1024, 1024]"]).unwrap();
    for (bad, said) in [
        ("['flp']", "\"flp\" is not known; did you mean \"flip\"?"),
        ("[{ corp = 4 }]", "\"corp\" is not known; did you mean \"crop\"?"),
        ("['flip', 'flip']", "has one of them twice"),
        ("[{ crop = 4 }, { crop = 2 }]", "has one of them twice"),
        ("[{ crop = 0 }]", "{ crop = 0 } is not a list of \"flip\" and { crop = N }"),
        ("['crop']", "is not a list of"),
        ("[{ flip = 4 }]", "is not a list of"),
        ("[{ crop = -4 }]", "is not a list of"),
        ("'flip'", "\"flip\" is not a list of"),
        ("['mirror']", "is not a list of"),
    ] {
        let text = refusal(&[&format!("data.augment={bad}")]);
        assert!(text.starts_with("data.augment: ") && text.contains(said), "{text}");
    }
    check(&["data.augment=[{ crop = 16383 }, 'flip']"]).unwrap();
    assert!(refusal(&["data.layout=nchw"]).starts_with("data.layout: "));
    assert!(refusal(&["data.path=''"]).contains("missing"));
    assert!(refusal(&["model.init=''"]).contains("is not the path"));
}
