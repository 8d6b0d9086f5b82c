//! `accrue export`: what it writes, and what it refuses. `scripts/check_export.py` holds it against other programs.

use std::fs;

use crate::place::Place;

#[test]
fn a_run_is_exported_to_files_or_to_standard_output() {
    let place = Place::new("export");
    place.ok("train c.toml --out runs/a -q");
    let said = place.ok("export runs/a --onnx model.onnx --pytorch model.py");
    assert_eq!(said, "wrote model.onnx and model.py\n");
    let onnx = fs::read(place.path("model.onnx")).unwrap();
    assert!(onnx.windows(13).any(|part| part == b"probabilities"));
    let program = fs::read_to_string(place.path("model.py")).unwrap();
    assert!(program.contains("\nWEIGHTS = Path(__file__).parent / \"runs/a/best.safetensors\"\n"), "{program}");
    assert!(program.contains("\nTARGET = \"side\"\n"), "{program}");

    assert_eq!(place.ok("export runs/a --pytorch -"), program);
    assert_eq!(place.command("export runs/a --onnx -").output().unwrap().stdout, onnx);
    let last = place.ok("export runs/a --last --pytorch -");
    assert_eq!(last, program.replace("best.safetensors", "model.safetensors"));
    let file = place.ok("export runs/a/best.safetensors --pytorch runs/own.py");
    assert_eq!(file, "wrote runs/own.py\n");
    let program = fs::read_to_string(place.path("runs/own.py")).unwrap();
    assert!(program.contains("\nWEIGHTS = Path(__file__).parent / \"a/best.safetensors\"\n"), "{program}");
}

#[test]
fn what_cannot_be_written_is_one_line_and_leaves_the_run_as_it_is() {
    let place = Place::new("export-refused");
    place.ok("train c.toml --out run -q");
    let model = fs::read(place.path("run/best.safetensors")).unwrap();
    place.fails("export run --onnx run/best.safetensors", 3, &["--onnx: ", "best.safetensors"]);
    assert_eq!(fs::read(place.path("run/best.safetensors")).unwrap(), model);
    place.fails("export run --onnx - --pytorch -", 3, &["--onnx", "would mix"]);
    place.fails("export run", 2, &["--onnx", "--pytorch"]);
    place.fails("export nowhere --onnx m.onnx", 9, &["nowhere"]);
}
