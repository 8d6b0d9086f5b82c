//! The self-test: it finds nothing on an adapter that is right, and whatever is wrong, by name.

mod common;

use std::sync::Arc;

use accrue::doctor::{self, Event, Extent, Finding, Report, Section, Speed, check_ops, check_optimizers};
use accrue::gpu::{Gpu, Scalar, Shader};
use accrue::graph::{Op, Span, Step};
use accrue::ops::linear::matmul;
use accrue::ops::{self, ALL};
use accrue::optim::{self, Clip, Optimizer, Sgd};
use accrue::plan;
use common::changed::Changed;
use common::{gpu, op, small_gpu};

/// Keeps what is found.
fn into(findings: &mut Vec<Finding>) -> impl FnMut(Event) {
    |event| {
        if let Event::Found(finding) = event {
            findings.push(finding);
        }
    }
}

/// Runs the self-test, and looks whether it said in the end what it said on the way.
fn healthy(gpu: &Gpu, extent: Extent) -> Report {
    let mut seen = Vec::new();
    let report = doctor::check(gpu, extent, into(&mut seen)).unwrap();
    let seen: Vec<String> = seen.iter().map(|finding| finding.to_string()).collect();
    assert!(report.all_right(), "{}", seen.join("\n"));
    let said: Vec<String> = report.findings.iter().map(|finding| finding.to_string()).collect();
    assert!(seen == said && !seen.is_empty(), "each finding is told once: {seen:?}, not {said:?}");
    report
}

/// Kernels of a model in use and of an update, which the doctor does not come to: `golden_networks` holds them against PyTorch.
const NOT_ASKED: [&str; 2] = ["batch_norm.in_use", "batch_norm.settle"];

#[test]
fn an_adapter_that_is_right_is_called_right_and_every_kernel_there_is_was_asked() {
    let report = healthy(gpu(), Extent::All);
    let mut missing = Vec::new();
    let shaders = ops::each(1).map(|op| op.shader()).chain(optim::shaders());
    for shader in shaders.chain(plan::SHADERS.iter().copied()) {
        for entry in shader.reflect().unwrap().entries.keys() {
            let name = format!("{}.{entry}", shader.name);
            if NOT_ASKED.contains(&name.as_str()) {
                continue;
            }
            let finding = report.findings.iter().find(|finding| finding.name == name);
            missing.extend(finding.is_none_or(|finding| finding.cases == 0).then_some(name));
        }
    }
    for tiles in [&matmul::PLAIN, &matmul::TALL, &matmul::GROUP_32, &matmul::GROUP_64, &matmul::GROUP_128] {
        let name = format!("linear.{tiles}");
        missing.extend((!report.findings.iter().any(|finding| finding.name == name)).then_some(name));
    }
    assert!(missing.is_empty(), "not asked: {missing:?}");
    let cuts = report.findings.iter().filter(|finding| finding.part == Section::Bits);
    assert_eq!(cuts.count(), 8, "partitions");
    let verdict = report.verdict();
    assert!(verdict.starts_with("all right: ") && !verdict.contains('\n'), "{verdict}");
    let Speed { encode_us, dispatch_us, submit_us, forward_gflops, copy_gbs, .. } = report.speed;
    for (name, value) in [("encode", encode_us), ("dispatch", dispatch_us), ("submit", submit_us)] {
        assert!(value > 0.0 && value < 1e5, "{name}: {value} µs");
    }
    assert!(forward_gflops > 0.01 && copy_gbs.unwrap() > 0.01, "{:?}", report.speed);
}

#[test]
fn the_limits_of_the_smallest_device_are_enough_for_it() {
    assert_eq!(*small_gpu().limits(), accrue::wgpu::Limits::downlevel_defaults());
    healthy(small_gpu(), Extent::All);
}

/// The instances of an op.
fn samples(of: &str) -> ops::Samples {
    *ALL.iter().find(|samples| samples(1)[0].name() == of).unwrap()
}

/// An op with its shader changed in every place where it says `from`.
fn broken(name: &'static str, of: &str, from: &str, to: &str) -> Box<dyn Fn(usize) -> Vec<Arc<dyn Op>>> {
    let source = op(of).shader().source();
    assert!(source.contains(from), "{of} says {from:?}");
    let source: &'static str = source.replace(from, to).leak();
    let shader = Shader::joined(name.to_owned(), vec![source]);
    let samples = samples(of);
    Box::new(move |width| samples(width).into_iter().map(|op| Changed::shader(op, shader)).collect())
}

fn wrong(findings: &[Finding]) -> Vec<(&str, &str)> {
    findings.iter().filter_map(|f| Some((f.name.as_str(), f.wrong.as_deref()?))).collect()
}

#[test]
fn a_mistake_in_one_kernel_is_found_and_no_other_kernel_is_blamed() {
    let mistakes = [
        // The last row of four is another's: one row finds nothing.
        (
            "slipped",
            "linear",
            "c3 = chain(w, left[at + 3u * size.x",
            "c3 = chain(w, left[at + 2u * size.x",
            &["slipped.forward"][..],
        ),
        // A sum that is right at once, and wrong when a window is cut inside a block.
        ("forgetful", "linear", "if !resumes(now) {", "if now.row0 != 77777u {", &["forgetful.backward_weight"]),
        // 1e-5 too much; the gradient is made of it.
        ("loud", "sigmoid", "vec4(1.0), x >=", "vec4(1.00001), x >=", &["loud.backward", "loud.forward"]),
        // f(0) is not 0, and stands in the padding.
        ("spilling", "sigmoid", "select(vec4(0.0), f(", "select(f(x[0]), f(", &["spilling.forward"]),
        // It ignores the gradient that comes from the ops after it.
        ("deaf", "relu", "select(dy,", "select(vec4(1.0),", &["deaf.backward"]),
        // A thousandth of a term that is small beside the others; a bias that is a little too large.
        ("lopsided", "layer_norm", "vec4(-along)", "vec4(-0.999 * along)", &["lopsided.backward_input"]),
        ("heavy", "layer_norm", "fma(h, parameters[c],", "fma(h, 1.0001 * parameters[c],", &["heavy.forward"]),
        ("unweighted", "mse", "d = weight * ", "d = ", &["unweighted.both"]),
    ];
    for (name, of, from, to, kernels) in mistakes {
        let mut findings = Vec::new();
        let result = check_ops(gpu(), [broken(name, of, from, to)], into(&mut findings));
        result.unwrap();
        let wrong = wrong(&findings);
        assert_eq!(wrong.iter().map(|w| w.0).collect::<Vec<_>>(), kernels, "{wrong:?}");
        let (_, message) = wrong[0];
        assert!(message.contains(name) && message.contains(" × ") && message.contains(" is "), "{message}");
    }
}

#[test]
fn a_shader_that_the_driver_refuses_is_a_finding_and_not_the_end() {
    let refused = broken("refused", "relu", "return select(dy,", "return nonsense(dy,");
    let mut findings = Vec::new();
    check_ops(gpu(), [refused, Box::new(samples("tanh"))], into(&mut findings)).unwrap();
    let wrong = wrong(&findings);
    assert_eq!(wrong.len(), 1, "{wrong:?}");
    assert!(wrong[0].1.contains("nonsense"), "{wrong:?}");
    assert!(findings.iter().any(|finding| finding.name == "tanh.forward"), "the next op is checked");
}

/// SGD whose kernel was told another momentum than its reference.
struct Slack(Sgd);

impl Optimizer for Slack {
    fn name(&self) -> &'static str {
        "slack"
    }

    fn check(&self) -> accrue::Result<()> {
        Ok(())
    }

    fn state_slots(&self) -> usize {
        self.0.state_slots()
    }

    fn step(&self, span: Span) -> Step {
        Sgd { momentum: 0.89999, ..self.0 }.step(span)
    }

    fn scalars(&self, update: u64, lr: f64) -> Vec<(&'static str, Scalar)> {
        self.0.scalars(update, lr)
    }

    fn reference(&self, update: u64, lr: f64, gradient: &[f64], parameters: &mut [f64], moments: &mut [f64]) {
        self.0.reference(update, lr, gradient, parameters, moments);
    }
}

#[test]
fn a_mistake_in_an_optimizer_is_found() {
    let slack = Slack(Sgd { momentum: 0.9, ..Sgd::default() });
    let mut findings = Vec::new();
    check_optimizers(gpu(), &[(&slack, Clip::default())], into(&mut findings)).unwrap();
    let wrong = wrong(&findings);
    // Both of its kernels: with factors of the learning rate and without.
    assert_eq!(
        wrong.iter().map(|w| w.0).collect::<Vec<_>>(),
        ["momentum.rates.update", "momentum.update"],
        "{wrong:?}"
    );
    assert!(wrong.iter().all(|w| w.1.contains("after update 2")), "{wrong:?}");
}

#[test]
fn the_verdict_names_what_is_wrong_in_one_line() {
    let finding = |part, name: &str, wrong: Option<&str>| {
        let (name, wrong) = (name.to_owned(), wrong.map(str::to_owned));
        Finding { part, name, cases: 1, rounding: None, wrong }
    };
    let speed = Speed {
        encode_us: 1.0,
        dispatch_us: 1.0,
        submit_us: 1.0,
        forward_gflops: 1.0,
        backward_input_gflops: 1.0,
        backward_weight_gflops: 1.0,
        copy_gbs: None,
    };
    let findings = vec![
        finding(Section::Kernel, "a.forward", None),
        finding(Section::Kernel, "b.forward", Some("NaN")),
        finding(Section::Bits, "8 × 8", Some("differs")),
        finding(Section::Bits, "64 × 1", None),
    ];
    let report = Report { findings, speed, seconds: 1.0 };
    assert!(!report.all_right());
    let wanted = "WRONG: 1 of 2 kernels (b.forward) and the bits of 1 of 2 partitions; \
                  do not trust results of this adapter and driver";
    assert_eq!(report.verdict(), wanted);
    assert_eq!(report.findings[1].to_string(), "WRONG  b.forward                NaN");
}

#[cfg(feature = "cli")]
fn accrue(arguments: &[&str]) -> std::process::Output {
    std::process::Command::new(env!("CARGO_BIN_EXE_accrue")).args(arguments).output().unwrap()
}

#[cfg(feature = "cli")]
#[test]
fn the_command_ends_with_0_and_says_quietly_one_line_or_all_in_json() {
    let quiet = accrue(&["doctor", "--quiet"]);
    let text = String::from_utf8(quiet.stdout).unwrap();
    assert_eq!(quiet.status.code(), Some(0), "{text}");
    assert!(text.lines().count() == 1 && text.starts_with("all right: "), "{text}");

    let json = accrue(&["doctor", "--json"]);
    assert_eq!(json.status.code(), Some(0));
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(json["all_right"], true);
    assert!(json["verdict"].as_str().unwrap().starts_with("all right: "));
    assert!(json["device"]["limits"]["buffer"].as_u64().unwrap() > 0);
    assert!(json["findings"].as_array().unwrap().len() > 30);
    assert!(json["speed"]["forward_gflops"].as_f64().unwrap() > 0.0);
}

#[cfg(feature = "cli")]
#[test]
fn the_command_ends_with_5_without_an_adapter() {
    let none = accrue(&["doctor", "--adapter", "no such adapter"]);
    assert_eq!(none.status.code(), Some(5));
    assert!(none.stdout.is_empty() && String::from_utf8(none.stderr).unwrap().contains("no such adapter"));
}
