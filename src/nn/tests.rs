//! Layers in layers: what is taken, what is refused and where, names, first weights.

use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::Result;
use crate::graph::MlpPart;

const NESTED: &str = r#"[
    6, "relu",
    {"residual": [4, "relu", 6]},
    {"residual": {"body": [5, "tanh", 3], "shortcut": [3]}},
    {"repeat": {"times": 2, "layers": [3, "relu", {"residual": ["layer_norm", 3]}]}},
    {"concat": [[2, "relu"], [], ["scale"]]},
    2
]"#;

fn model(layers: &str) -> Result<Model> {
    of_shape(&[5], layers)
}

fn of_shape(dims: &[usize], layers: &str) -> Result<Model> {
    let layers: Vec<Layer> = serde_json::from_str(layers).unwrap();
    Model::of_shape(dims, &layers, "mse")
}

fn refusal(layers: &str) -> String {
    refusal_of(&[5], layers)
}

fn refusal_of(dims: &[usize], layers: &str) -> String {
    let built = of_shape(dims, layers).and_then(|model| model.network(false).map(drop));
    built.expect_err(layers).to_string()
}

#[test]
fn weights_are_named_as_in_nested_sequentials() {
    let parameters = model(NESTED).unwrap().parameters();
    let names: Vec<String> = parameters.iter().map(|(name, shape)| format!("{name} {shape:?}")).collect();
    let mut wanted = vec![
        "0.bias [6]",
        "0.weight [6, 5]",
        "2.body.0.bias [4]",
        "2.body.0.weight [4, 6]",
        "2.body.2.bias [6]",
        "2.body.2.weight [6, 4]",
        "3.body.0.bias [5]",
        "3.body.0.weight [5, 6]",
        "3.body.2.bias [3]",
        "3.body.2.weight [3, 5]",
        "3.shortcut.0.bias [3]",
        "3.shortcut.0.weight [3, 6]",
        "4.0.0.bias [3]",
        "4.0.0.weight [3, 3]",
        "4.0.2.body.0.bias [3]",
        "4.0.2.body.0.weight [3]",
        "4.0.2.body.1.bias [3]",
        "4.0.2.body.1.weight [3, 3]",
        "5.0.0.bias [2]",
        "5.0.0.weight [2, 3]",
        "5.2.0.weight [3]",
        "6.bias [2]",
        "6.weight [2, 8]",
    ];
    let again: Vec<String> =
        wanted.iter().filter(|name| name.starts_with("4.0")).map(|name| name.replacen("4.0", "4.1", 1)).collect();
    wanted.extend(again.iter().map(String::as_str));
    wanted.sort_unstable();
    assert_eq!(names, wanted);
}

#[test]
fn a_nested_model_is_the_same_from_its_own_text() {
    let model = model(NESTED).unwrap();
    let text = serde_json::to_string(&model).unwrap();
    assert_eq!(serde_json::from_str::<Model>(&text).unwrap(), model);
    let given: Value = serde_json::from_str(NESTED).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap()["layers"], given);
    assert!(!text.contains("outside"), "{text}");

    let built = Layers::new()
        .linear(6)
        .named("relu")
        .residual(|body| body.linear(4).named("relu").linear(6))
        .residual_with(|body| body.linear(5).named("tanh").linear(3), |shortcut| shortcut.linear(3))
        .repeat(2, |layers| layers.linear(3).named("relu").residual(|body| body.named("layer_norm").linear(3)))
        .concat([Layers::new().linear(2).named("relu"), Layers::new(), Layers::new().named("scale")])
        .linear(2)
        .model(&[5], "mse");
    assert_eq!(built.unwrap(), model);
}

#[test]
fn a_refusal_names_the_whole_path() {
    for (layers, said) in [
        (
            r#"[3, {"residual": [{"embeding": [[2, 2]]}]}]"#,
            "[1].residual[0].embeding: \"embeding\" is not a known layer; did you mean \"embedding\"?",
        ),
        (r#"[3, {"residual": [{"embedding": 3}]}]"#, "[1].residual[0].embedding: takes a list of"),
        (r#"[3, {"residual": [3, "rely"]}]"#, "[1].residual[1]: \"rely\" is not a known layer; did you mean \"relu\"?"),
        (r#"[3, {"residual": [3, 1.5]}]"#, "[1].residual[1]: 1.5 is no layer; write a width"),
        (r#"[3, {"residual": [3, [3]]}]"#, "[1].residual[1]: [3] is no layer"),
        (r#"[3, {"residual": [0]}]"#, "[1].residual[0]: a layer of width 0; give 1 to"),
        (r#"[3, {"residual": []}]"#, "[1].residual: no layers"),
        (r#"[3, {"residual": 3}]"#, "[1].residual: 3 is no table; write { residual ="),
        (r#"[3, {"residual": {"shortcut": []}}]"#, "[1].residual: body is missing"),
        (
            r#"[3, {"residual": {"body": [3], "shortcuts": []}}]"#,
            "[1].residual.shortcuts: it takes no \"shortcuts\"; did you mean \"shortcut\"?",
        ),
        (r#"[3, {"residual": {"body": [3], "shortcut": ["scal"]}}]"#, "[1].residual.shortcut[0]: \"scal\" is not"),
        (r#"[3, {"residual": {"body": 3}}]"#, "[1].residual.body: 3 is no list of layers"),
        (r#"[3, {"repeat": {"times": 2}}]"#, "[1].repeat: layers is missing"),
        (
            r#"[3, {"repeat": {"time": 2, "layers": [3]}}]"#,
            "[1].repeat.time: it takes no \"time\"; did you mean \"times\"?",
        ),
        (r#"[3, {"repeat": {"times": 0, "layers": [3]}}]"#, "[1].repeat.times: 0 is not a number from 1 to 1024"),
        (
            r#"[3, {"repeat": {"times": 2, "layers": [3, {"concat": [[], ["rely"]]}]}}]"#,
            "[1].repeat.layers[1].concat[1][0]: \"rely\"",
        ),
        (r#"[3, {"concat": [[3]]}]"#, "[1].concat: takes 2 to 1024 lists"),
        (r#"[3, {"concat": [[3], 3]}]"#, "[1].concat[1]: 3 is no list of layers"),
        (r#"[3, {"resdual": [3]}]"#, "[1].resdual: \"resdual\" is not a known layer; did you mean \"residual\"?"),
        (r#"[3, "residual"]"#, "[1]: \"residual\" is not a known layer without arguments; write { residual = … }"),
        (r#"[3, {"relu": 1}]"#, "[1].relu: takes nothing; write \"relu\" alone"),
        // Shapes.
        (r#"[3, {"residual": [4]}]"#, "[1].residual: its body makes (rows, 4), but (rows, 3) is added to it"),
    ] {
        let text = refusal(layers);
        assert!(text.starts_with(&format!("model.layers{said}")), "{text}");
    }
    let deep = refusal(r#"[3, {"residual": [{"embedding": [[2, 1], [2, 1], [2, 1], [2, 1]]}, 3]}]"#);
    assert!(deep.starts_with("model.layers[1].residual[0]: embedding: "), "{deep}");
    let small = refusal_of(&[3, 3, 1], r#"[{"conv2d": {"channels": 4, "kernel": 5}}]"#);
    assert!(small.starts_with("model.layers[0]: conv2d: x is (rows, 3, 3, 1), which is smaller"), "{small}");
    let image = refusal_of(&[6, 6, 2], r#"[{"residual": [{"conv2d": {"channels": 2, "kernel": 3}}]}]"#);
    assert!(image.contains("keep size and channels in the body") && image.contains("shortcut = [{ conv2d"), "{image}");
}

#[test]
fn layers_are_limited_in_depth_and_in_number() {
    let nested = |depth: usize| format!("[1, {}1{}]", r#"{"residual":["#.repeat(depth), "]}".repeat(depth));
    assert!(model(&nested(DEEPEST)).unwrap().network(true).is_ok());
    let text = refusal(&nested(DEEPEST + 1));
    assert!(text.contains(&format!(": layers in layers deeper than {DEEPEST}")), "{text}");
    // The deepest text that the reader takes is refused by the same rule, in each way to nest.
    let concat = format!("[{}1{}]", r#"{"concat":[[],["#.repeat(DEEPEST + 1), "]]}".repeat(DEEPEST + 1));
    assert!(refusal(&concat).contains("deeper than"));
    let repeat = |times: usize, depth: usize| {
        let open = format!(r#"{{"repeat":{{"times":{times},"layers":["#).repeat(depth);
        format!("[{open}1{}]", "]}}".repeat(depth))
    };
    assert!(refusal(&repeat(2, DEEPEST + 1)).contains("deeper than"));
    assert_eq!(model(&repeat(4, 5)).unwrap().summary().len(), 1024);
    assert!(refusal(&repeat(2, 11)).starts_with("model.layers: 2048 layers; give 1 to 1024"));
    assert!(refusal(&repeat(1024, 16)).starts_with("model.layers: too many layers"));
    // Each time twice as wide.
    let text = refusal(r#"[{"repeat":{"times":60,"layers":[{"concat":[[],[]]}]}}, 1]"#);
    assert!(text.contains("16777216 are the most"), "{text}");
    let text = format!("{{\"inputs\":3,\"layers\":{},\"loss\":\"mse\"}}", "[{\"residual\":".repeat(100_000));
    assert!(serde_json::from_str::<Model>(&text).is_err(), "no stack overflows");
}

#[test]
fn each_repetition_has_first_weights_of_its_own_and_the_outermost_layers_keep_theirs() {
    let first = initial(&model(NESTED).unwrap(), 7);
    assert_ne!(first["4.0.0.weight"], first["4.1.0.weight"]);
    assert_ne!(first["4.0.2.body.1.weight"], first["4.1.2.body.1.weight"]);
    let plain = initial(&model("[6, \"relu\", 2]").unwrap(), 7);
    assert_eq!(first["0.weight"], plain["0.weight"]);
    // The format's own: a seed gives the same weights for years.
    let bits: Vec<u32> = first["3.shortcut.0.weight"].values[..3].iter().map(|w| w.to_bits()).collect();
    assert_eq!(bits, BITS);
    let normal = initial_of(&model(NESTED).unwrap(), FirstWeights::Normal, 7);
    assert!(normal["6.weight"].values.iter().all(|&w| w == 0.0), "the last layer of all");
    assert!(normal["4.1.2.body.1.weight"].values.iter().any(|&w| w != 0.0));
}

const BITS: [u32; 3] = [3200471955, 3172141829, 3196270446];

#[test]
fn a_linear_layer_on_an_image_is_refused_and_on_a_sequence_gives_an_output_for_each_token() {
    let text = refusal_of(&[4, 4, 3], "[\"relu\", 2]");
    assert!(
        text.starts_with("model.layers[1]: a linear layer on an image, (rows, 4, 4, 3); write \"flatten\""),
        "{text}"
    );
    for (tokens, layers) in [(4, "[8, \"relu\", 2]"), (1, "[8, 2]")] {
        let model = of_shape(&[tokens, 3], layers).unwrap();
        assert_eq!((model.positions(), model.outputs()), (tokens, 2));
        let graph = model.network(true).unwrap().graph;
        assert_eq!((graph.record().targets, graph.record().weights), (2 * tokens, tokens));
    }
}

#[test]
fn a_summary_says_shapes_and_work_of_each_layer() {
    let rows = of_shape(&[4, 3], r#"[8, {"concat": [["relu"], []]}, {"residual": [16]}]"#).unwrap().summary();
    let row =
        |row: &LayerSummary| (row.name.clone(), row.kind.clone(), row.shape(), row.parameters, row.multiplications);
    let found: Vec<_> = rows.iter().map(row).collect();
    let wanted = [
        ("0", "linear", "4×8", 32, 96),
        ("1.0.0", "relu", "4×8", 0, 0),
        ("1", "concat", "4×16", 0, 0),
        ("2.body.0", "linear", "4×16", 272, 1024),
        ("2", "add", "4×16", 0, 0),
    ];
    let text = |text: &str| text.to_owned();
    assert_eq!(found, wanted.map(|(name, kind, shape, p, m)| (text(name), text(kind), text(shape), p, m)));
    let all = Totals::of(&rows);
    assert_eq!(
        (all.parameters, all.multiplications, all.activation_bytes),
        (304, 1120, 4 * 4 * (8 + 8 + 16 + 16 + 16))
    );
}

#[test]
fn an_op_from_outside_is_found_by_its_name_in_every_layer() {
    let own: Arc<dyn crate::graph::Op> = Arc::new(crate::ops::Map { name: "swirl", ..*relu() });
    let layers = Layers::new().linear(3).op(own.clone()).residual(|body| body.linear(3).op(own.clone()));
    let model = layers.clone().linear(1).model(&[5], "mse").unwrap();
    assert_eq!(model.layers[1], "swirl".into());
    let kinds: Vec<String> = model.summary().into_iter().map(|row| row.kind).collect();
    assert_eq!(kinds, ["linear", "swirl", "linear", "swirl", "add", "linear"]);
    let text = serde_json::to_string(&model).unwrap();
    let read: Model = serde_json::from_str(&text).unwrap();
    assert_eq!(read, model);
    let said = read.check().unwrap_err().to_string();
    assert!(said.starts_with("model.layers[1]: \"swirl\" is not a known layer"), "{said}");
    assert!(read.with_ops(vec![own]).check().is_ok());
    let other = Arc::new(crate::ops::LayerNorm { eps: 0.5, ..crate::ops::LayerNorm::default() });
    let twice = Layers::new().op(other).op(Arc::new(crate::ops::LayerNorm::default())).linear(1);
    assert!(twice.model(&[5], "mse").unwrap_err().to_string().contains("two ops are called \"layer_norm\""));
    assert_eq!(json!(Layer::from(3)), json!(3));
}

fn relu() -> &'static crate::ops::Map {
    static RELU: crate::ops::Map = crate::ops::Map {
        name: "relu",
        wgsl: &[include_str!("../../shaders/relu.wgsl")],
        f: |x| x.max(0.0),
        df: |x| f64::from(x > 0.0),
        derivative_of: crate::graph::DerivativeOf::Output,
        kinks: &[0.0],
        export: || crate::graph::Export::new("nn.ReLU()", Vec::new()),
    };
    assert!(matches!(crate::graph::Op::mlp_part(&RELU), Some(MlpPart::Activation { .. })));
    &RELU
}
