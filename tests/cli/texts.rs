//! Texts: a model of characters or bytes that is trained, measured, asked to write, and resumed.

use crate::place::Place;

const CONFIG: &str = r#"
[data]
path = "t.txt"
context = 8
sequences = 64
validation = 0.2
[model]
layers = [{ embedding = 16 }, { positions = "learned" },
    { residual = ["layer_norm", { attention = { heads = 2, causal = true } }] }, "layer_norm"]
output = { tied = true }
loss = "cross_entropy"
[train]
epochs = 3
batch = 8
[optimizer]
type = "adamw"
lr = 0.01
"#;

fn place(name: &str) -> Place {
    let place = Place::new(name);
    place.write("t.toml", CONFIG);
    let lines: Vec<String> = (0..60).map(|at| format!("{} geht Élan um {at}\n", ["Ada", "Bea"][at % 2])).collect();
    place.write("t.txt", lines.concat());
    place
}

/// The samples of a run.
fn samples(place: &Place, run: &str) -> Vec<String> {
    let lines = place.text(&format!("{run}/metrics.jsonl"));
    lines.lines().filter(|line| line.contains("\"kind\":\"written\"")).map(str::to_owned).collect()
}

#[test]
fn a_text_trains_measures_and_writes() {
    let place = place("text");
    let said = place.ok("train t.toml --out r");
    assert!(said.contains("64 sequences of 8 in an epoch") && said.contains("validation perplexity"), "{said}");
    assert!(place.text("r/config.toml").contains("target = \"token\""));
    let samples = samples(&place, "r");
    assert!(samples.len() == 2 && samples.iter().all(|line| line.len() > 100), "{samples:?}");
    let report = place.text("r/report.html");
    assert!(report.contains("What the model wrote") && report.contains("Perplexity"));

    let inspected = place.ok("inspect r");
    assert!(inspected.contains("sees      8 tokens at once") && inspected.contains("tokens: \"\\n\", \" \""));
    let measured = place.ok("eval r --data t.txt");
    assert!(measured.contains("perplexity ") && measured.starts_with("tokens "), "{measured}");
    // The model's loss on the held-out end is the one that training told.
    let text = place.text("t.txt");
    let characters: Vec<char> = text.chars().collect();
    let held = (characters.len() as f64 * 0.2).round() as usize;
    place.write("end.txt", characters[characters.len() - held..].iter().collect::<String>());
    let json = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    let page = json(&place.ok("eval r --last --data end.txt --json"));
    assert_eq!(page["tokens"], held - 1);
    let last = place.text("r/metrics.jsonl").lines().rfind(|line| line.contains("\"epoch\",")).map(json).unwrap();
    assert_eq!((&page["loss"], &page["metrics"]["perplexity"]), (&last["val_loss"], &last["val_perplexity"]));

    let write = |more: &str| place.ok(&format!("generate r --prompt Ada --tokens 30 {more} -q"));
    let written = write("--seed 1");
    assert!(written.starts_with("Ada") && written.chars().count() == 3 + 30 + 1, "{written}");
    assert_eq!(written, write("--seed 1"));
    assert_ne!(written, write("--seed 2"));
    assert_eq!(write("--temperature 0"), write("--top-k 1 --seed 9"));
    let page = json(&place.ok("generate r --prompt Ada --tokens 30 --seed 1 --json"));
    assert_eq!(format!("Ada{}\n", page["text"].as_str().unwrap()), written);
    assert_eq!(place.ok("generate r --tokens 0 -q"), "\n");
}

#[test]
fn a_text_resumes_to_the_bytes_of_one_go_and_trains_on_from_a_model() {
    let place = place("text-resume");
    place.ok("train t.toml --out whole");
    place.ok("train t.toml --out parts --set train.stop_after=1 --set train.micro_batch=8");
    place.ok("train t.toml --out parts --set train.micro_batch=3 --resume-with-changes");
    assert_eq!(place.bytes("parts/model.safetensors"), place.bytes("whole/model.safetensors"));
    assert_eq!(samples(&place, "parts"), samples(&place, "whole"));
    let verified = place.ok("verify t.toml --updates 3");
    assert!(verified.contains("equal under"), "{verified}");

    place.ok("train t.toml --out on --set model.init=whole --set train.epochs=1");
    let bytes = "--set model.init=whole --set data.tokens=bytes";
    place.fails(&format!("train t.toml --out bytes {bytes}"), 3, &["data.tokens", "bytes are wanted", "characters"]);
    let planned = place.ok("plan t.toml");
    assert!(planned.contains("of 64 samples"), "{planned}");
    place.write("other.txt", "Ada geht nicht um.\n".repeat(20));
    let other = "--set data.path=other.txt --set model.init=whole";
    place.fails(&format!("train t.toml --out other {other}"), 4, &["other.txt, line 1", "'i' is none of"]);
    let bytes = "--set data.tokens=bytes --set data.validation=t.txt";
    let said = place.ok(&format!("train t.toml --out bytes {bytes} --set train.epochs=1"));
    assert!(said.contains("256 different ones"), "{said}");
    assert!(place.ok("generate bytes --prompt Élan --tokens 5 -q").starts_with("Élan"));
}

#[test]
fn what_does_not_fit_a_text_is_said_in_a_line() {
    let place = place("text-errors");
    let fails = |set: &str, code, words: &[&str]| place.fails(&format!("train t.toml --out r {set}"), code, words);
    fails("--set model.loss=mse", 3, &["model.loss", "cross_entropy"]);
    fails("--set data.augment=['flip']", 3, &["data.augment", "not for a text"]);
    fails("--set train.best=auc", 3, &["train.best", "does not measure texts", "loss, accuracy or perplexity"]);
    fails("--set data.context=0", 3, &["data.context", "0 is not"]);
    fails("--set data.context=2000", 4, &["t.txt, to train on", "too few"]);
    let layers = |layers: &str| format!("--set model.layers=[{layers}]");
    let seeing = layers("{embedding=16},{attention={heads=2}}");
    fails(&seeing, 3, &["model.layers[1]", "causal = true"]);
    fails(&layers("{embedding=16},'batch_norm'"), 3, &["model.layers[1]", "layer_norm"]);
    fails(&layers("{embedding={num_embeddings=99,embedding_dim=16}}"), 3, &["num_embeddings is 99", "leave it out"]);
    fails("--set data.encoding=latin-1", 3, &["data.encoding", "not for a text"]);
    fails("--set data.target=x", 3, &["data.target", "not for a text"]);
    fails(&layers("{embedding=16},'flatten'"), 3, &["model.layers"]);
    fails(&format!("{} --set model.output={{bias=false}}", layers("16")), 3, &["model.layers", "{ embedding = 128 }"]);
    fails("--set data.path=x.npy", 4, &["x.npy", "data.tokens = \"numbers\""]);
    fails("--set data.tokens=numbers", 4, &["t.txt", "comes in a file .npy"]);
    fails(&layers("16"), 3, &["model.output", "embedding"]);
    place.write("rows.toml", CONFIG.replace("context = 8\n", ""));
    place.fails("train rows.toml --out r", 3, &["data.sequences", "data.context"]);
    place.write("plain.toml", CONFIG.replace("context = 8\n", "").replace("sequences = 64\n", ""));
    place.fails("train plain.toml --out r", 3, &["data.target: missing", "a text data.context"]);
    place.fails("cv t.toml", 3, &["data.context", "folds"]);

    place.ok("train t.toml --out r --set train.epochs=1");
    place.fails("predict r --data t.txt --out p.csv", 3, &["accrue generate"]);
    place.fails("export r --pytorch m.py", 3, &["cannot be exported yet"]);
    place.fails("generate r --prompt x", 4, &["--prompt, line 1", "'x' is none of"]);
    place.fails("generate r --temperature=-1", 3, &["temperature"]);
    place.fails("eval r --data t.txt --weight w", 3, &["--weight", "a text has none"]);
    place.fails("generate r --top-k 0", 3, &["top_k"]);
    place.write("new.txt", "Ada\nXyz\n");
    place.fails("eval r --data new.txt", 4, &["new.txt, line 2", "'X'"]);
}
