//! What kernels read through textures, on adapters whose driver is faster at that.

use super::memory::Stretch;
use super::{BufferRole, Lowering, Plan, Reads};
use crate::Result;
use crate::gpu;
use crate::graph::{Resource, Step};

impl Plan {
    /// Decides what the kernels read through textures, and adds these textures: each step copies what it reads to the first of
    /// them.
    pub(super) fn read_through_textures(&mut self) -> Result<()> {
        let Reads::Textures { lines, from } = self.reads else { return Ok(()) };
        let mut steps: Vec<Vec<Step>> = self.op_steps().into_iter().map(std::mem::take).collect();
        let mut sizes = Vec::new();
        for step in steps.iter_mut().flatten() {
            self.through_textures(step, (lines, from), &mut sizes)?;
        }
        for (list, steps) in self.op_steps().into_iter().zip(steps) {
            *list = steps;
        }
        // Behind all buffers, so that the numbers of those stay what they are.
        for bytes in sizes {
            self.add(
                "copies of what a kernel reads",
                BufferRole::Copies,
                gpu::texels_size(bytes),
                wgpu::BufferUsages::empty(),
            );
        }
        Ok(())
    }

    /// The lists of steps whose values have memory of their own.
    fn op_steps(&mut self) -> Vec<&mut Vec<Step>> {
        let mut lists = vec![&mut self.forward];
        lists.extend(&mut self.in_use);
        if let Some(training) = &mut self.training {
            if let Lowering::Ops(steps) = &mut training.lowering {
                lists.extend([&mut steps.loss, &mut steps.gradient]);
            }
            lists.push(&mut training.update);
        }
        lists
    }

    fn through_textures(&self, step: &mut Step, (lines, from): (u64, u64), sizes: &mut Vec<u64>) -> Result<()> {
        let reflection = step.shader.reflection()?;
        let Some(entry) = reflection.entries.get(step.entry) else { return Ok(()) };
        // A kernel may look into a long table here and there: that is not copied.
        let moves = step.cost.bytes + step.cost.bytes_per_row * self.micro_batch as u64;
        let reads = |name: &str| {
            let place = step.bindings.iter().find(|(bound, _)| *bound == name)?.1;
            let Stretch { size, .. } = self.places.find(place).filter(|_| place != Resource::Data)?;
            (size <= 4 * moves && gpu::texels_high(size) <= lines).then_some(size)
        };
        // In the order of the kernel's bindings, in which textures are given to them.
        let readable = entry.bindings.iter().filter(|binding| entry.readable.contains(&binding.name));
        let read: Vec<(&str, u64)> = readable.filter_map(|b| Some((b.name.as_str(), reads(&b.name)?))).collect();
        if read.iter().map(|(_, bytes)| bytes).sum::<u64>() < from {
            return Ok(());
        }
        let names =
            step.bindings.iter().map(|&(name, _)| name).filter(|name| read.iter().any(|(read, _)| read == name));
        let names: Vec<&'static str> = names.collect();
        // A kernel from elsewhere may index its arrays by numbers that ours do not take.
        if step.shader.reflection_reading(step.entry, &names).is_err() {
            return Ok(());
        }
        // A part reads as the whole does: by another way it would not be the faster for being cut.
        step.parts.iter_mut().for_each(|part| part.through_textures.clone_from(&names));
        step.through_textures = names;
        for (at, &(_, bytes)) in read.iter().enumerate() {
            match sizes.get_mut(at) {
                Some(size) => *size = bytes.max(*size),
                None => sizes.push(bytes),
            }
        }
        Ok(())
    }
}
