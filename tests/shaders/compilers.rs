//! What compilers take, where they are there: `spirv-val` and `tint` on the path, Dawn, FXC and DXC where `make drivers` has put
//! them. What is not there is said (`skip`).

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use accrue::gpu::Shader;
use naga::back::hlsl::ShaderModel;

use super::skip::skip;
use super::variants::{all_shaders, each_kernel, shaders};
use super::written::{direct3d, spirv};

/// An empty folder for a compiler's input.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// Where `make drivers` puts what it installs.
fn drivers() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("it lies in the target folder").join("drivers")
}

/// Debian's SwiftShader (chromium-common), which Dawn takes; Mesa only from 25 on.
const SWIFTSHADER: &str = "/usr/lib/chromium/vk_swiftshader_icd.json";

/// What a program says, if it is there.
fn run(command: &mut Command) -> Option<Output> {
    command.output().ok()
}

fn said(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|said| String::from_utf8_lossy(said)).concat()
}

#[test]
fn spirv_val_takes_every_kernel() {
    if run(Command::new("spirv-val").arg("--version")).is_none() {
        return skip("spirv-val", "not installed (Debian: spirv-tools)");
    }
    let path = folder("spirv").join("kernel.spv");
    let mut kernels = 0;
    each_kernel(|label, entry, module, info| {
        for (version, target) in [((1, 3), "vulkan1.1"), ((1, 6), "vulkan1.3")] {
            let words = spirv(module, info, entry, version).unwrap_or_else(|e| panic!("{label}: {e}"));
            let bytes: Vec<u8> = words.into_iter().flat_map(u32::to_le_bytes).collect();
            fs::write(&path, bytes).unwrap();
            let output = run(Command::new("spirv-val").args(["--target-env", target]).arg(&path)).unwrap();
            assert!(output.status.success(), "{label}: {}", said(&output));
        }
        kernels += 1;
    });
    println!("spirv-val: {kernels} kernels taken");
    assert!(kernels > 2 * shaders().len(), "{kernels} kernels");
}

/// The shaders that are standard WGSL, each a file of a folder, and how many are not.
fn standard(folder: &Path) -> (Vec<PathBuf>, usize) {
    let (standard, others): (Vec<_>, Vec<_>) = all_shaders().into_iter().partition(|shader| shader.is_standard());
    let file = |shader: &Shader| {
        let path = folder.join(format!("{}.wgsl", shader.name));
        fs::write(&path, shader.wgsl()).unwrap();
        path
    };
    let files: Vec<PathBuf> = standard.into_iter().map(file).collect();
    assert!(files.len() > others.len(), "{} of {} are standard", files.len(), files.len() + others.len());
    (files, others.len())
}

#[test]
fn tint_takes_every_standard_shader() {
    if run(Command::new("tint").arg("--help")).is_none() {
        return skip("tint", "not installed: what naga says of the WGSL is all that is known");
    }
    let (files, others) = standard(&folder("tint"));
    for path in &files {
        let output = run(Command::new("tint").args(["--format", "wgsl"]).arg(path)).unwrap();
        assert!(output.status.success(), "{}:\n{}", path.display(), said(&output));
    }
    println!("tint: {} taken, {others} are naga's own", files.len());
}

#[test]
fn dawn_takes_every_standard_shader() {
    if !drivers().join("node/node_modules/webgpu").exists() || !Path::new(SWIFTSHADER).exists() {
        return skip("dawn", "Dawn or SwiftShader is not installed (make drivers)");
    }
    let folder = folder("dawn");
    let (files, _) = standard(&folder);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/drivers/dawn.mjs");
    let mut node = Command::new("node");
    node.arg(script).arg(drivers().join("node")).arg(&folder);
    let output = run(node.env("VK_DRIVER_FILES", SWIFTSHADER).env("NODEVICE_SELECT", "1")).expect("node is installed");
    assert!(output.status.success(), "{}", said(&output));
    assert!(said(&output).contains(&format!("{0} of {0} taken", files.len())), "{}", said(&output));
    println!("Dawn: {}", said(&output).trim());
}

/// The kernels that may be chosen with a shader model, each text once: file by file, with the entry point in the first line. FXC
/// has no subgroups and is given no whole windows (`Kernels::fxc`).
fn hlsl(folder: &Path, model: ShaderModel) -> usize {
    let fxc = model == ShaderModel::V5_1;
    let mut texts: BTreeMap<String, String> = BTreeMap::new();
    each_kernel(|label, entry, module, info| {
        let (text, name) = direct3d(module, info, entry, model).unwrap_or_else(|e| panic!("{label}: {e}"));
        if !(fxc && (text.contains("WaveReadLaneAt") || entry == "windows")) {
            let plain = |c: char| if c.is_alphanumeric() || c == '.' { c } else { '-' };
            let label: String = label.replace([' ', '"', '{', '}'], "").chars().map(plain).take(120).collect();
            texts.entry(format!("//{name}\n{text}")).or_insert(label);
        }
    });
    for (at, (text, label)) in texts.iter().enumerate() {
        fs::write(folder.join(format!("{label}.{at}.hlsl")), text).unwrap();
    }
    texts.len()
}

#[test]
#[ignore = "takes many minutes: make drivers"]
fn fxc_and_dxc_take_every_kernel() {
    let root = drivers();
    assert!(root.join("hlslc/hlslc.exe").exists(), "make drivers installs the compilers");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/drivers/hlsl.sh");
    for (compiler, model) in [("dxc", ShaderModel::V6_0), ("fxc", ShaderModel::V5_1)] {
        let folder = folder(compiler);
        let count = hlsl(&folder, model);
        let output = run(Command::new("bash").arg(&script).args([compiler.as_ref(), folder.as_os_str()])).unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let table = root.join(format!("{compiler}.txt"));
        fs::write(&table, &said).unwrap();
        let of = |word| said.lines().filter(|line| line.starts_with(word)).collect::<Vec<_>>();
        println!("{compiler}: {} of {count} compiled; {}", of("ok ").len(), table.display());
        assert!(of("FAIL ").is_empty(), "{compiler}: {}", of("FAIL ").join("\n"));
        assert_eq!(of("ok ").len(), count, "{compiler} came to its end: {}", String::from_utf8_lossy(&output.stderr));
    }
}
