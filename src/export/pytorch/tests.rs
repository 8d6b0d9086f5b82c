use super::*;
use crate::export::samples::{of_a_table, of_numbers, of_shape};

/// The lines from the one that begins with `first` on, up to a line that is empty.
fn piece(program: &str, first: &str) -> String {
    let lines = program.lines().skip_while(|line| !line.starts_with(first));
    lines.take_while(|line| !line.is_empty()).map(|line| format!("{line}\n")).collect()
}

#[test]
fn a_program_says_what_becomes_of_each_column_in_the_order_of_the_features() {
    let program = pytorch(&of_a_table(), "runs/a b/best.safetensors").unwrap();
    let columns = r#"COLUMNS = {
    "price": Number(center=1.5, factor=0.25, fill=2.0, clip=True, indicator=True, decimal=",", thousands=".", sign="€"),
    "seen": Date(center=0.0, factor=1.0, fill=100.5, indicator=True, cycles=["year", "week", "day"]),
    "member": Pair(["false", "true"], boolean=True),
    "label": OneHot(["red", "\"blue\""], other=True),
    "town": Index(["Ulm", "Bonn"], fallback=2, other=True, missing=True),
}
"#;
    assert_eq!(piece(&program, "COLUMNS"), columns);
    let head = r#"WEIGHTS = Path(__file__).parent / "runs/a b/best.safetensors"
TARGET = "answer"
CLASSES = ["no", "yes"]
BLANKS = {"", "na", "n/a", "nan", "null", "none", "?", "-"}  # what stands for a missing cell, in any letter case
MISSING = {"unknown", "-9"}  # and letter by letter
MAY_MISS = True  # whether a missing cell is filled, or an error
SEPARATOR, ENCODING = None, "utf-8-sig"
HEADER = True
FALSE, TRUE = {"false", "no", "f", "n", "0"}, {"true", "yes", "t", "y", "1"}
"#;
    assert_eq!(piece(&program, "WEIGHTS"), head);
    let network = r#"def network():
    """The network; the numbers of its layers are in the names of the weights."""
    return nn.Sequential(
        nn.Linear(15, 3),
        nn.GELU(approximate='tanh'),
        nn.LayerNorm(3, eps=1e-5),
        nn.Linear(3, 2),
    )
"#;
    assert_eq!(piece(&program, "def network"), network);
}

#[test]
fn a_program_has_only_what_its_columns_need() {
    let program = pytorch(&of_numbers(&[1.into()]), "model.safetensors").unwrap();
    let classes = program.lines().filter(|line| line.starts_with("class "));
    assert_eq!(classes.collect::<Vec<_>>(), ["class Number:"]);
    assert!(!program.contains("import datetime") && !program.contains("TRUE ="));
    let columns = "COLUMNS = {\n    \"a\": Number(center=1.0, factor=0.5),\n    \
                   \"prediction\": Number(center=2.0, factor=2.0),\n}\n";
    assert_eq!(piece(&program, "COLUMNS"), columns);
    assert!(program.contains("\nTARGETS = [\"y\"]\nMEAN = [10.0]\nSTD = [4.0]\n"));
    assert!(program.contains("\nMAY_MISS = False"));
}

#[test]
fn how_the_file_was_read_is_how_the_program_reads() {
    let header = Some(Header::Names(vec!["a".into(), "prediction".into()]));
    let found = Reading { separator: Some(Separator::Tab), encoding: Some(Charset::Latin1), header, likely: None };
    let lines = "SEPARATOR, ENCODING = \"\\t\", \"cp1252\"\nHEADER = [\"a\", \"prediction\"]\n";
    assert_eq!(reading(&found), lines);
}

#[test]
fn a_long_list_is_broken_into_lines() {
    let items = (0..60).map(|at| at.to_string());
    let text = list(items, 4);
    assert!(text.starts_with("[\n        0, 1, 2,") && text.ends_with("59,\n    ]"), "{text}");
    assert!(text.lines().all(|line| line.len() <= 120));
    assert_eq!(list(["1".to_owned()].into_iter(), 4), "[1]");
}

#[test]
fn a_layer_of_a_sequence_brings_its_class() {
    let layers = r#"[{"embedding": {"num_embeddings": 7, "embedding_dim": 8}}, {"positions": "learned"},
        {"attention": {"heads": 2, "kv_heads": 1, "causal": true, "bias": false}}, "flatten", 1]"#;
    let layers: Vec<crate::nn::Layer> = serde_json::from_str(layers).unwrap();
    let program = pytorch(&of_shape(&[2, 1], &layers), "model.safetensors").unwrap();
    for (class, module) in [
        ("class Tokens(nn.Embedding):", "        Tokens(7, 8),"),
        ("class Positions(nn.Embedding):", "        Positions(2, 8),"),
        ("class Attention(nn.Module):", "        Attention(8, 2, 1, True, False),"),
    ] {
        assert!(program.contains(class) && program.contains(module), "{class} {module}");
    }
}

#[test]
fn layers_of_layers_are_nested_modules() {
    let layers = r#"[3, {"residual": [4, "relu", 3]}, {"residual": {"body": [2], "shortcut": [2]}},
        {"repeat": {"times": 2, "layers": ["scale"]}}, {"concat": [[4, "relu"], []]}, 1]"#;
    let layers: Vec<crate::nn::Layer> = serde_json::from_str(layers).unwrap();
    let program = pytorch(&of_numbers(&layers), "model.safetensors").unwrap();
    let network = r#"    return nn.Sequential(
        nn.Linear(2, 3),
        Residual(
            nn.Sequential(
                nn.Linear(3, 4),
                nn.ReLU(),
                nn.Linear(4, 3),
            ),
        ),
        Residual(
            nn.Sequential(
                nn.Linear(3, 2),
            ),
            nn.Sequential(
                nn.Linear(3, 2),
            ),
        ),
        nn.Sequential(
            nn.Sequential(
                Scale(2),
            ),
            nn.Sequential(
                Scale(2),
            ),
        ),
        Concat(
            1,
            nn.Sequential(
                nn.Linear(2, 4),
                nn.ReLU(),
            ),
            nn.Sequential(),
        ),
        nn.Linear(6, 1),
    )
"#;
    assert_eq!(piece(&program, "    return nn.Sequential("), network);
    let classes: Vec<&str> = program.lines().filter(|line| line.contains("(nn.")).take(3).collect();
    assert_eq!(classes, ["class Residual(nn.Module):", "class Scale(nn.Module):", "class Concat(nn.ModuleList):"]);
}

#[test]
fn samples_of_a_shape_are_given_it_back() {
    let program = pytorch(&of_shape(&[1, 2], &["layer_norm".into(), 1.into()]), "m.safetensors").unwrap();
    let network = r#"    return Shaped(
        (1, 2),
        nn.LayerNorm(2, eps=1e-5),
        nn.Linear(2, 1),
        nn.Flatten(),
    )
"#;
    assert_eq!(piece(&program, "    return Shaped("), network);
    assert!(program.contains("x.permute(0, 3, 1, 2) if len(self.shape) == 3"));
}

#[test]
fn norms_and_scales_of_images_see_channels_last() {
    let [norm, scale] = ["layer_norm", "scale"].map(|name| {
        let op = crate::ops::find(name).unwrap();
        op.export(&crate::graph::Shape::of(&[4, 4, 3])).unwrap()
    });
    assert_eq!((norm.torch.as_str(), scale.torch.as_str()), ("ImageNorm(3, eps=1e-5)", "Scale(3)"));
    for export in [norm, scale] {
        let operators: Vec<&str> = export.onnx.iter().map(|node| node.operator).collect();
        assert_eq!((operators[0], operators[2], operators.len()), ("Transpose", "Transpose", 3));
        assert!(export.torch_class.contains("permute") || export.torch_class.contains("x.dim() == 4"));
    }
}
