//! The cases of each kernel, and the combined finding of all cases.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::compare::{self, Compared, share};
use super::{Case, Event, Finding, Rounding, Section, gather, updates};
use crate::gpu::Gpu;
use crate::graph::{Op, Role};
use crate::optim::{Clip, LrFactors, Optimizer};
use crate::{Error, Result};

/// (rows, width): one and primes, on both sides of the sizes of a workgroup, a tile and a block.
const SHAPES: [(usize, usize); 7] = [(1, 1), (2, 3), (33, 5), (17, 257), (255, 31), (256, 4), (521, 13)];

/// Larger ones, for layers only: both sides of 256, in every place.
const LAYERS: [(usize, usize); 3] = [(257, 64), (64, 255), (31, 256)];

/// (rows, positions, width): blocks of several rows, of one row, and several of one row; sequences and images.
const POSITIONS: [(usize, &[usize], usize); 11] = [
    (33, &[3], 4),
    (21, &[4, 5], 5),
    (5, &[40], 7),
    (3, &[20, 15], 6),
    (35, &[3, 3], 1),
    (2, &[7, 41], 3),
    (4, &[6, 5], 13),
    (7, &[3], 48),
    (5, &[9], 24),
    (2, &[40], 12),
    (3, &[33], 32),
];

/// The cases with a row of weight 0 whose features are huge.
const MASKED: [(usize, &[usize], usize); 3] = [(70, &[], 3), (9, &[4, 5], 4), (5, &[7], 24)];

/// Fewest cases of an op: one that refuses every shape is wrong.
const FEWEST: usize = 4;

/// (inputs, outputs) of the layers whose parameters are updated.
const UPDATED: [(usize, usize); 3] = [(1, 1), (3, 5), (257, 31)];

/// The findings of each kernel so far.
#[derive(Default)]
struct Tally {
    kernels: BTreeMap<String, Finding>,
    /// Whether a kernel was reported, and whether it was right then.
    told: BTreeMap<String, bool>,
}

impl Tally {
    fn add(&mut self, case: &str, all: Vec<Compared>) {
        for compared in all {
            let finding = self.of(&compared.kernel);
            finding.cases += 1;
            let (apart, allowed) = (compared.apart(), compared.allowed);
            let known = finding.rounding.unwrap_or(Rounding { apart: 0.0, allowed: 0.0 });
            if compared.wrong || compared.share() > share(known.apart, known.allowed) || known.allowed == 0.0 {
                finding.rounding = Some(Rounding { apart, allowed });
            }
            if compared.wrong && finding.wrong.is_none() {
                finding.wrong = Some(format!("{case}: {compared}"));
            }
        }
    }

    fn of(&mut self, kernel: &str) -> &mut Finding {
        let new = || Finding { part: Section::Kernel, name: kernel.to_owned(), cases: 0, rounding: None, wrong: None };
        self.kernels.entry(kernel.to_owned()).or_insert_with(new)
    }

    /// Adds the result of a case. A driver's refusal is a finding, too; a lost device ends the check.
    fn take(&mut self, case: &str, kernel: &str, result: Result<Vec<Compared>>) -> Result<()> {
        match result {
            Ok(all) => self.add(case, all),
            Err(Error::Internal(message) | Error::Kernel { message, .. }) => {
                let finding = self.of(kernel);
                finding.cases += 1;
                finding.wrong.get_or_insert(format!("{case}: {message}"));
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Reports the kernels whose name begins so, and those that turned out wrong since they were reported.
    fn tell(&mut self, prefix: &str, watch: &mut impl FnMut(Event)) {
        for (name, finding) in &self.kernels {
            let right = finding.wrong.is_none();
            let told = self.told.get(name);
            if told.map_or(name.starts_with(prefix), |&was| was && !right) {
                watch(Event::Found(finding.clone()));
                self.told.insert(name.clone(), right);
            }
        }
    }
}

/// Checks ops against their references, each in the middle of a network, on awkward shapes. `watch` gets the finding of every
/// kernel involved, including those of the layers and losses around the op. Each item makes the instances of an op to check,
/// for inputs of this many columns, as in [`ops::ALL`](crate::ops::ALL).
///
/// # Errors
/// If nothing can be said: the device is lost or out of memory, or an op does not fit such a network.
pub fn check_ops<S>(gpu: &Gpu, ops: impl IntoIterator<Item = S>, mut watch: impl FnMut(Event)) -> Result<()>
where
    S: Fn(usize) -> Vec<Arc<dyn Op>>,
{
    let mut tally = Tally::default();
    for samples in ops {
        let Some(op) = samples(1).into_iter().next() else { continue };
        watch(Event::Begins(op.name().to_owned()));
        let shader = op.shader().name;
        let cases = cases(&samples, op.role())?;
        if cases.len() < FEWEST {
            tally.take("too few shapes", op.name(), Err(Error::Internal(format!("it takes only {}", cases.len()))))?;
        }
        for case in cases {
            tally.take(&case.name, op.name(), compare::case(gpu, &case))?;
        }
        tally.tell(&format!("{shader}."), &mut watch);
    }
    tally.tell("", &mut watch);
    Ok(())
}

/// The cases of an op: every instance on every shape that it takes, with and without positions, and with a row of weight 0.
fn cases(samples: &impl Fn(usize) -> Vec<Arc<dyn Op>>, role: Role) -> Result<Vec<Case>> {
    let larger = if role == Role::Layer { &LAYERS[..] } else { &[] };
    let flat = SHAPES.iter().chain(larger).map(|&(rows, width)| (rows, &[][..], width));
    let mut cases = Vec::new();
    for shapes in [flat.collect::<Vec<_>>(), POSITIONS.to_vec()] {
        for (at, (rows, positions, width)) in shapes.into_iter().enumerate() {
            for op in samples(width) {
                cases.extend(Case::if_it_fits(op, rows, positions, width, at as u64)?);
            }
        }
    }
    for (rows, positions, width) in MASKED {
        for op in samples(width) {
            let Some(mut case) = Case::if_it_fits(op, rows, positions, width, 11)? else { continue };
            case.mask(rows - 1);
            case.name += " with a huge row that counts nothing";
            cases.push(case);
        }
    }
    Ok(cases)
}

/// Checks optimizers and clipping against their references over several updates.
///
/// # Errors
/// If nothing can be said: the device is lost or out of memory.
pub fn check_optimizers(gpu: &Gpu, all: &[(&dyn Optimizer, Clip)], mut watch: impl FnMut(Event)) -> Result<()> {
    let mut tally = Tally::default();
    for &(optimizer, clip) in all {
        watch(Event::Begins(optimizer.name().to_owned()));
        for layer in UPDATED {
            let name = format!("{} of a layer of {} × {}", optimizer.name(), layer.0, layer.1);
            let plain = updates::optimizer(gpu, optimizer, clip, LrFactors::default(), layer);
            tally.take(&name, optimizer.name(), plain)?;
            // Factors and clipping have nothing to do with each other.
            if clip == Clip::default() {
                let name = format!("{name} with factors of the learning rate");
                tally.take(
                    &name,
                    optimizer.name(),
                    updates::optimizer(gpu, optimizer, clip, updates::factors(), layer),
                )?;
            }
        }
    }
    tally.tell("", &mut watch);
    Ok(())
}

/// The kernels that belong to no op and no optimizer, unless ops have used them already.
pub(super) fn check_rest(gpu: &Gpu, mut watch: impl FnMut(Event)) -> Result<()> {
    watch(Event::Begins("windows and data".to_owned()));
    let mut tally = Tally::default();
    for layer in UPDATED {
        let name = format!("a layer of {} × {}", layer.0, layer.1);
        tally.take(&name, "window.close", updates::close(gpu, layer))?;
        tally.take(&name, "window.fold", updates::fold(gpu, layer.0))?;
        tally.take(&name, "window.check", updates::check(gpu, layer))?;
    }
    tally.take("three submissions", "window.mark", updates::mark(gpu))?;
    for (rows, features) in [(1, 1), (13, 257), (500, 6)] {
        let name = format!("{rows} rows of {features} features");
        tally.take(&name, "gather.gather", gather::gather(gpu, rows, features))?;
        tally.take(&name, "gather.unpack", gather::unpack(gpu, rows, features))?;
        tally.take(&name, "gather.cut", gather::cut(gpu, rows, features))?;
    }
    tally.tell("", &mut watch);
    Ok(())
}
