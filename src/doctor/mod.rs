//! A self-test of a device: every kernel against its reference on awkward shapes, the law of partitions on a small run, and
//! the device's speed. `accrue doctor` prints it; an app can run it on its own device.
//!
//! A driver may compile a kernel wrongly; a training then goes wrong silently. The self-test runs each kernel alone and
//! compares it with its reference in `f64` on the same inputs from the GPU, so that it names the wrong kernel and none after
//! it. The tolerance of `f32` against `f64` follows from the sizes of the terms that are added.
//!
//! ```no_run
//! use accrue::{doctor, gpu::{Choice, Gpu}};
//! let gpu = Gpu::new(&Choice::default())?;
//! let report = doctor::check(&gpu, doctor::Extent::Chosen, |event| {
//!     if let doctor::Event::Found(finding) = event {
//!         println!("{finding}");
//!     }
//! })?;
//! assert!(report.all_right(), "{}", report.verdict());
//! # Ok::<(), accrue::Error>(())
//! ```
//!
//! The author of an op or an optimizer can check it against its reference with [`check_ops`] and [`check_optimizers`]; the
//! tests do, with the same [`Case`], [`rig`] and [`compare`].

mod bits;
pub mod case;
pub mod compare;
mod device;
mod gather;
mod kernels;
mod numbers;
pub mod rig;
pub mod speed;
pub mod updates;
mod variants;

use std::fmt;
use std::time::Instant;

use serde::Serialize;

pub use case::Case;
pub use device::{Device, Limits};
pub use kernels::{check_ops, check_optimizers};
pub use numbers::Numbers;
pub use speed::Speed;

use crate::Result;
use crate::gpu::Gpu;
use crate::ops;
use crate::optim::{Clip, Optimizer};

/// The subject of a [`Finding`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Section {
    /// A kernel, compared with its reference.
    Kernel,
    /// The bits of a run with cut windows, compared with those of whole windows.
    Bits,
}

/// A kernel's difference from its reference, at the element nearest to its tolerance.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Rounding {
    /// The difference.
    pub apart: f64,
    /// The tolerance: what rounding explains.
    pub allowed: f64,
}

/// The result of one check.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// Its subject.
    pub part: Section,
    /// The kernel, as in `linear.forward`, or the cut.
    pub name: String,
    /// The number of arrays, or runs, compared.
    pub cases: usize,
    /// The difference from its reference; `None` if bits are compared.
    pub rounding: Option<Rounding>,
    /// The error, if any: the case, the first wrong element, its value and its reference value.
    pub wrong: Option<String>,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.name;
        match (&self.wrong, self.rounding) {
            (Some(wrong), _) => write!(f, "WRONG  {name:<24} {wrong}"),
            (None, None) => write!(f, "ok     {name:<24} equal bits"),
            (None, Some(Rounding { apart: 0.0, .. })) => write!(f, "ok     {name:<24} exact"),
            (None, Some(Rounding { apart, allowed })) => write!(f, "ok     {name:<24} {apart:.1e} of {allowed:.1e}"),
        }
    }
}

/// The extent of the check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Every op and optimizer; among equivalent kernels, those that this adapter would choose.
    Chosen,
    /// All kernels, including those of other adapters, and three trainings per partition. Compiling takes several times as
    /// long.
    All,
}

/// An event of the check.
#[derive(Clone, Debug)]
pub enum Event {
    /// This is checked next; it may take a while.
    Begins(String),
    /// This was found, or turned out wrong after it was reported.
    Found(Finding),
}

/// All findings.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Kernels and cuts, each named once.
    pub findings: Vec<Finding>,
    /// The device's speed.
    pub speed: Speed,
    /// The duration of the check.
    pub seconds: f64,
}

impl Report {
    /// Whether nothing is wrong.
    pub fn all_right(&self) -> bool {
        self.findings.iter().all(|finding| finding.wrong.is_none())
    }

    /// The number of findings of one part, and the names of the wrong ones. The whole network is no kernel.
    fn count(&self, part: Section) -> (usize, Vec<&str>) {
        let of = || self.findings.iter().filter(move |finding| finding.part == part);
        (
            of().filter(|finding| finding.name != compare::NETWORK).count(),
            of().filter(|finding| finding.wrong.is_some()).map(|finding| finding.name.as_str()).collect(),
        )
    }

    /// The verdict in one line.
    pub fn verdict(&self) -> String {
        let ((kernels, wrong), (cuts, differ)) = (self.count(Section::Kernel), self.count(Section::Bits));
        let seconds = self.seconds;
        if self.all_right() {
            return format!("all right: {kernels} kernels, equal bits in {cuts} partitions, {seconds:.1} s");
        }
        let mut parts = Vec::new();
        if !wrong.is_empty() {
            parts.push(format!("{} of {kernels} kernels ({})", wrong.len(), wrong.join(", ")));
        }
        if !differ.is_empty() {
            parts.push(format!("the bits of {} of {cuts} partitions", differ.len()));
        }
        format!("WRONG: {}; do not trust results of this adapter and driver", parts.join(" and "))
    }
}

/// Checks a device: its kernels, the law of partitions, and its speed. `watch` hears what is checked next, and every finding as
/// it is made.
///
/// # Errors
/// [`Error::DeviceLost`](crate::Error::DeviceLost) and [`Error::Memory`](crate::Error::Memory): then nothing can be said.
pub fn check(gpu: &Gpu, extent: Extent, mut watch: impl FnMut(Event)) -> Result<Report> {
    let start = Instant::now();
    let mut findings: Vec<Finding> = Vec::new();
    let mut heard = |event: Event| {
        if let Event::Found(finding) = &event {
            match findings.iter_mut().find(|known| (known.part, &known.name) == (finding.part, &finding.name)) {
                Some(known) => *known = finding.clone(),
                None => findings.push(finding.clone()),
            }
        }
        watch(event);
    };
    check_ops(gpu, ops::ALL.iter().copied(), &mut heard)?;
    let optimizers = updates::cases();
    let optimizers: Vec<(&dyn Optimizer, Clip)> = optimizers.iter().map(|(one, clip)| (&**one, *clip)).collect();
    check_optimizers(gpu, &optimizers, &mut heard)?;
    kernels::check_rest(gpu, &mut heard)?;
    variants::check(gpu, extent, &mut heard)?;
    bits::check(gpu, extent, &mut heard)?;
    heard(Event::Begins("speed".to_owned()));
    let speed = speed::measure(gpu)?;
    Ok(Report { findings, speed, seconds: start.elapsed().as_secs_f64() })
}

/// The trainings whose bits are compared, in words.
pub fn runs(extent: Extent) -> &'static str {
    match extent {
        Extent::Chosen => "3 updates of 64 rows by AdamW, or by SGD",
        Extent::All => "3 updates of 64 rows by AdamW, Adam and SGD",
    }
}
