//! The GPU: it is lost, or a submission is dropped and nothing says so. The command ends with 6 and one line, and the same
//! command goes on to the same bytes. Or it has no memory left, and the command ends with 7 or does without.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::{all, library, real};
use crate::place::{Ended, Place};
use crate::skip::skip;

const LAYER: &str = "VK_LAYER_ACCRUE_faults";
const WORDS: &str = "train c.toml --set train.epochs=2 --set train.checkpoint=1 --set train.micro_batch=8";

/// How a submission fails; `layer.c` has the same names.
pub const KINDS: [&str; 3] = ["lost", "reset", "dropped"];

/// The folder in which Vulkan's loader finds the layer.
fn layer() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let library = library("layer.c");
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("layer");
        std::fs::create_dir_all(&folder).unwrap();
        let manifest = serde_json::json!({
            "file_format_version": "1.0.0",
            "layer": {
                "name": LAYER,
                "type": "GLOBAL",
                "library_path": library,
                "api_version": "1.3.0",
                "implementation_version": "1",
                "description": "lets calls fail",
            },
        });
        let beside = folder.join(format!("layer.json.{}", std::process::id()));
        std::fs::write(&beside, manifest.to_string()).unwrap();
        std::fs::rename(beside, folder.join("layer.json")).unwrap();
        folder
    })
}

/// A command of which the call at `at`, counted from 1, fails; how it ended, and how many such calls there were.
pub fn run(mut command: Command, log: &Path, at: usize, kind: &str) -> (Ended, usize) {
    let _ = std::fs::remove_file(log);
    command.env("VK_LAYER_PATH", layer()).env("VK_INSTANCE_LAYERS", LAYER);
    command.env("FAULT_AT", at.to_string()).env("FAULT_KIND", kind).env("FAULT_LOG", log);
    let ended = Ended::of(command, &format!("{kind} at call {at}"));
    let text = std::fs::read_to_string(log).expect("the loader puts the layer before the driver");
    (ended, text.lines().count())
}

/// Lets submission after submission of a command fail, the last one included; each time it ends with 6, and then comes
/// `after`, as it does after a first time without any fault. How many failed.
fn each_submission_fails(place: &Place, words: &str, kind: &str, after: impl Fn(&Ended)) -> usize {
    let log = place.path("submissions");
    let (ended, made) = run(place.command(words), &log, 0, kind);
    assert_eq!((ended.code, ended.err.as_str()), (0, ""), "nothing failed");
    after(&ended);
    let step = if all() { 1 } else { 4 };
    let mut failed = 0;
    for at in (1..made).step_by(step).chain([made]) {
        let (ended, made) = run(place.command(words), &log, at, kind);
        // Work is cut by measured time, so that another time there may be fewer.
        if at <= made {
            ended.failed(6, &["error: the GPU stopped answering: "]);
            failed += 1;
        }
        after(&ended);
    }
    failed
}

#[test]
fn whichever_submission_of_a_run_fails_it_ends_with_6_and_goes_on_to_the_same_bytes() {
    let place = Place::new("faults-gpu");
    place.ok(&format!("{WORDS} --out whole"));
    let words = format!("{WORDS} --out r");
    for kind in KINDS {
        let failed = each_submission_fails(&place, &words, kind, |ended| {
            let saved = place.path("r/checkpoints").read_dir().is_ok_and(|mut entries| entries.next().is_some());
            let said = ended.err.contains(" is kept; the same command goes on from it\n");
            assert_eq!(said, saved && ended.code != 0, "{ended}");
            place.ok(&words);
            for file in ["model.safetensors", "best.safetensors", "metrics.jsonl"] {
                let bytes = |run: &str| place.bytes(&format!("{run}/{file}"));
                assert!(bytes("whole") == bytes("r"), "{file} after {ended}");
            }
            std::fs::remove_dir_all(place.path("r")).unwrap();
        });
        println!("{failed} submissions {kind}, then the same bytes");
        assert!(failed > 5);
    }
}

#[test]
fn whichever_submission_of_predict_and_eval_fails_they_end_with_6_and_say_nothing() {
    let place = Place::new("faults-gpu-predict");
    place.ok("train c.toml --out r");
    let eval = place.ok("eval r --data held.csv");
    for kind in KINDS {
        let failed = each_submission_fails(&place, "predict r --data held.csv --out p.csv -q", kind, |ended| {
            assert_eq!(std::fs::remove_file(place.path("p.csv")).is_ok(), ended.code == 0, "{ended}");
        });
        assert!(failed > 1);
        let failed = each_submission_fails(&place, "eval r --data held.csv -q", kind, |ended| {
            assert_eq!(ended.out, if ended.code == 0 { eval.as_str() } else { "" }, "{ended}");
        });
        assert!(failed > 1);
    }
}

#[test]
fn whichever_memory_the_driver_refuses_a_run_ends_with_7_or_has_the_same_bytes() {
    let place = Place::new("faults-gpu-memory");
    // 8.6 MB of data and 8.6 MB of parameters, so that the driver is asked for memory of their own.
    let row = |row: usize| (0..2101).map(|at| ((row * at) % 97).to_string()).collect::<Vec<_>>().join(",");
    let head = (0..2100).map(|at| format!("x{at},")).collect::<String>() + "y";
    place.write("wide.csv", head + "\n" + &(1..=1024).map(|at| row(at) + "\n").collect::<String>());
    let words = "train n.toml --set data.path=wide.csv --set data.target=y --set model.layers=[1024,\"relu\"] \
                 --set train.epochs=1 --set train.batch=512 --set train.micro_batch=64 --set data.validation=0.0";
    place.ok(&format!("{words} --out whole"));
    let (mut refused, mut streamed) = (0, 0);
    for stays in ["0", "1"] {
        for at in 1.. {
            let mut command = place.command(&format!("{words} --out r --fresh"));
            command.env("FAULT_STAYS", stays);
            let (ended, made) = run(command, &place.path("allocations"), at, "memory");
            match ended.code {
                0 => {
                    let same = place.bytes("whole/model.safetensors") == place.bytes("r/model.safetensors");
                    assert!(same && !ended.err.contains("error"), "{ended}");
                    streamed += usize::from(ended.err.contains("the data is streamed from the host's memory instead"));
                }
                // The very first, without which there is no device.
                5 => ended.failed(5, &["gives no device"]),
                _ => {
                    let errors: Vec<&str> = ended.err.lines().filter(|line| !line.starts_with("[WARN ")).collect();
                    assert!(ended.code == 7 && errors.len() == 1, "{ended}");
                    assert!(errors[0].contains("the device has no memory left for "), "{ended}");
                    refused += 1;
                }
            }
            if at > made {
                assert_eq!((ended.code, ended.err.as_str()), (0, ""), "nothing was refused");
                break;
            }
        }
    }
    println!("refused {refused} times, streamed {streamed} times");
    assert!(refused > 2 && streamed > 0);
}

#[test]
fn an_adapter_that_does_not_compile_a_kernel_is_named_and_the_next_one_is_taken() {
    let place = Place::new("faults-gpu-compiler");
    let wanted = place.ok("train c.toml --out whole");
    let Some(manifest) = driver() else {
        return skip("driver manifest", "none of a driver of Vulkan is found, to have two adapters from");
    };
    let manifest = moved(&manifest);
    let twice = ["a.json", "b.json"].map(|name| {
        place.write(name, &manifest);
        place.path(name).display().to_string()
    });
    let words = "train c.toml --out r --fresh";
    let train = |drivers: &[String], words: &str, at: usize, stays: &str| {
        let mut command = place.command(words);
        let drivers = drivers.join(":");
        command.env("VK_DRIVER_FILES", &drivers).env("VK_ICD_FILENAMES", &drivers).env("FAULT_STAYS", stays);
        command.env("WGPU_BACKEND", "vulkan").env_remove("WGPU_ADAPTER_NAME");
        run(command, &place.path("pipelines"), at, "compiler").0
    };
    // One adapter, and no other that could be taken.
    let alone = train(&twice[..1], words, 1, "0");
    alone.failed(5, &["(vulkan, ", "does not compile the kernel accrue.", "take another adapter"]);
    // Two: the second one does it.
    let ended = train(&twice, words, 1, "0");
    let warnings: Vec<&str> = ended.err.lines().collect();
    assert!(ended.code == 0 && warnings.len() == 1, "{ended}");
    assert!(warnings[0].starts_with("warning: ") && warnings[0].ends_with("; the next adapter is taken"), "{ended}");
    assert!(place.bytes("r/model.safetensors") == place.bytes("whole/model.safetensors"), "{wanted}");
    // Both do not, or it is asked for by its name.
    let neither = train(&twice, words, 1, "1");
    assert!(neither.code == 5 && neither.err.lines().count() == 2, "{neither}");
    let name = alone.err.trim_start_matches("error: ").split_whitespace().next().unwrap();
    train(&twice, &format!("{words} --adapter {name}"), 1, "0").failed(5, &["does not compile the kernel"]);
}

/// The manifest of the driver that the tests run on, if it is that of Mesa's or the environment names it.
fn driver() -> Option<PathBuf> {
    let named = ["VK_DRIVER_FILES", "VK_ICD_FILENAMES"].into_iter().find_map(|name| std::env::var(name).ok());
    let named = named.filter(|files| !files.contains(':')).map(PathBuf::from);
    let installed = std::fs::read_dir("/usr/share/vulkan/icd.d").into_iter().flatten().flatten();
    let installed = installed.map(|entry| entry.path()).find(|path| path.to_string_lossy().contains("/lvp_icd"));
    named.or(installed).filter(|path| path.exists())
}

/// A manifest of a driver as it must be in another folder: its library is named relative to the manifest, or to nothing.
fn moved(manifest: &Path) -> String {
    let text = std::fs::read_to_string(manifest).unwrap();
    let mut page: serde_json::Value = serde_json::from_str(&text).unwrap();
    let library = &mut page["ICD"]["library_path"];
    let path = PathBuf::from(library.as_str().expect("a manifest names a library"));
    // Without a folder it is looked for where the system has its libraries.
    if path.components().count() > 1 {
        *library = real(manifest).parent().unwrap().join(path).to_string_lossy().into();
    }
    page.to_string()
}

#[test]
fn a_manifest_that_names_its_library_relative_to_itself_can_be_moved() {
    let place = Place::new("faults-gpu-manifest");
    for (named, wanted) in [
        ("libvulkan_lvp.so", "libvulkan_lvp.so".to_owned()),
        ("/usr/lib/x.so", "/usr/lib/x.so".to_owned()),
        ("./x.so", real(&place.path("")).join("./x.so").display().to_string()),
        ("../lib/x.so", real(&place.path("")).join("../lib/x.so").display().to_string()),
    ] {
        place.write("d.json", serde_json::json!({ "ICD": { "library_path": named } }).to_string());
        let page: serde_json::Value = serde_json::from_str(&moved(&place.path("d.json"))).unwrap();
        assert_eq!(page["ICD"]["library_path"], wanted);
    }
}
