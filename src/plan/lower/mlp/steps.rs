//! The steps of a network that is computed at once: their shaders, sizes and bindings.

use super::{LAYERS, Net, SUBGROUP};
use crate::gpu::{Grid, Scalar, Shader};
use crate::graph::{DerivativeOf, LoopBound, Resource, Span, Step, Table, Work};
use crate::plan::Training;
use crate::plan::lower::{Lowered, Lowering, Source};
use crate::wgsl::{CHAIN, CLOCK, ONE_RATE, OUTER, PADDING, PLAIN, RATES, ROWS, SHARED, SPECIAL, STATS, SUM, UPDATE};

/// How a workgroup walks through the gradients.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Tile {
    /// 16 outputs at a time.
    Wide,
    /// Outputs and inputs side by side, for narrow layers; compiles fast.
    Narrow,
}

impl Tile {
    fn wgsl(self) -> &'static str {
        match self {
            Tile::Wide => include_str!("../../../../shaders/fused/tile16.wgsl"),
            Tile::Narrow => include_str!("../../../../shaders/fused/tile4.wgsl"),
        }
    }
}

impl Net {
    /// The steps.
    pub(super) fn lowered(&self, source: &Source, training: &Training) -> Lowered {
        let all = Span { start: 0, len: (source.layout.floats() / 4) as u32 };
        let shader = self.shader(
            &format!("fused.{}", self.name),
            Tile::Wide,
            &[include_str!("../../../../shaders/fused/kernels.wgsl")],
        );
        let by_rows = Grid::Tiles { columns: self.lanes, rows_each: self.tile };
        let rows = |entry, work| {
            self.step(source, Tile::Wide, Step::new("all layers", shader, entry, by_rows, work))
                .bind("samples", Resource::Samples)
                .bind("data", Resource::Data)
                .bind("parameters", Resource::Parameters(all))
        };
        let loops = LoopBound::fixed(self.loops_of_tile());
        let (forward, both) = (self.products(true), self.products(true) + self.products(false));
        let forward = rows("forward", Work { loops, computes: 2 * forward, per_line: self.floats(), once: forward });
        let rows = rows(
            "rows",
            Work { loops, computes: 2 * both, per_line: 2 * self.floats(), once: 2 * self.products(true) },
        );
        // One more than there are gradients: the window's loss.
        let tiles = Grid::Line((self.tiles(Tile::Wide) + 1) * self.lanes);
        let work = Work {
            loops: self.loops_of_gradient(),
            computes: 2 * self.products(true),
            per_line: 2 * self.floats(),
            once: self.products(true),
        };
        let weights = self
            .step(source, Tile::Wide, Step::new("all gradients", shader, "weights", tiles, work))
            .bind("gradients", Resource::Gradients(all))
            .bind("open_gradients", Resource::OpenGradients(all))
            .bind("stats", Resource::Stats);
        let micro_batch = vec![rows, weights];
        let training = if self.windows {
            Lowering::Windows { micro_batch, windows: self.windows_step(source, training, all) }
        } else {
            Lowering::Fused(micro_batch)
        };
        let (in_use, statistics) = (None, Vec::new());
        Lowered { forward: vec![forward], in_use, statistics, training: Some(training), arena: Some(self.arena()) }
    }

    fn windows_step(&self, source: &Source, training: &Training, all: Span) -> Step {
        let update = training.update_step(source.graph, source.layout);
        let own = update.shader.parts.last().copied().unwrap_or_default();
        let rate = if update.tables.is_empty() { ONE_RATE } else { RATES };
        let parts = [UPDATE, rate, own, include_str!("../../../../shaders/fused/windows.wgsl")];
        let shader = self.shader(&format!("windows.{}.{}", self.name, update.shader.name), Tile::Narrow, &parts);
        let computes = 2 * (2 * self.products(true) + self.products(false));
        let work = Work { loops: self.loops_of_windows(source), computes, per_line: 4 * self.floats(), once: 0 };
        let mut step = self
            .step(source, Tile::Narrow, Step::new("whole windows", shader, "windows", Grid::Group, work))
            .bind("samples", Resource::Samples)
            .bind("data", Resource::Data)
            .bind("open_gradients", Resource::OpenGradients(all));
        step.loops.fixed += self.loops_of_update(source, &update);
        step.bindings.extend(update.bindings);
        step.constants.extend(update.constants);
        step.tables.extend(update.tables);
        step
    }

    fn shader(&self, name: &str, tile: Tile, last: &[&'static str]) -> &'static Shader {
        let lanes = if self.lanes == SUBGROUP { "const LANES: u32 = 8u;\n" } else { "const LANES: u32 = 32u;\n" };
        let (loads, settles) = if self.shared {
            (SHARED, include_str!("../../../../shaders/fused/shared.wgsl"))
        } else {
            (PLAIN, include_str!("../../../../shaders/fused/plain.wgsl"))
        };
        let mut parts = vec![
            lanes,
            CLOCK,
            STATS,
            include_str!("../../../../shaders/fused/net.wgsl"),
            PADDING,
            CHAIN,
            SPECIAL,
            SUM,
            OUTER,
            ROWS,
            loads,
            settles,
            include_str!("../../../../shaders/fused/rows.wgsl"),
            include_str!("../../../../shaders/fused/weights.wgsl"),
            tile.wgsl(),
        ];
        parts.extend(self.activation);
        parts.extend(&self.loss);
        parts.extend(last);
        Shader::joined(format!("{name}.{}{}", self.lanes, if self.shared { ".shared" } else { "" }), parts)
    }

    /// A step with what all of them share: sizes, constants, the arena.
    fn step(&self, source: &Source, tile: Tile, step: Step) -> Step {
        let output = self.layers.last();
        let mut step = step
            .dims(&[
                ("layers", self.layers.len() as u32),
                ("tiles", self.tiles(tile)),
                ("rows_at", self.rows_at as u32),
                ("columns", output.map_or(0, |layer| layer.outputs) as u32),
                ("y_at", output.map_or(0, |layer| layer.y_at) as u32),
                ("y_stride4", output.map_or(0, |layer| layer.outputs.div_ceil(4)) as u32),
                ("d_at", output.map_or(0, |layer| layer.d_at) as u32),
                ("features4", source.record.features.div_ceil(4) as u32),
                ("record_stride4", (source.record.stride / 4) as u32),
                ("target_at", source.record.target_at as u32),
                ("weight_at", source.record.weight_at as u32),
            ])
            .constant("TILE", f64::from(self.tile))
            .constant("KEEPS_INPUT", f64::from(u8::from(self.derivative_of == DerivativeOf::Input)))
            .bind("arena", Resource::Arena);
        step.constants.extend(&self.constants);
        let (mut tile_at, mut rows) = (0, Vec::new());
        for layer in &self.layers {
            let (weight, bias) = self.layer_tiles(layer, tile);
            let fields = [
                ("inputs", layer.inputs as u32),
                ("inputs4", layer.inputs.div_ceil(4) as u32),
                ("outputs", layer.outputs as u32),
                ("outputs4", layer.outputs.div_ceil(4) as u32),
                ("x_at", layer.x_at as u32),
                ("y_at", layer.y_at as u32),
                ("d_at", layer.d_at as u32),
                ("parameters_at", (source.layout.start_of(layer.parameters) / 4) as u32),
                ("activated", u32::from(layer.activated)),
                ("tile_at", tile_at),
                ("tiles", weight),
                ("across", self.across(layer)),
            ];
            rows.push(fields.map(|(name, value)| (name, Scalar::U32(value))).to_vec());
            tile_at += weight + bias;
        }
        step.tables.push(Table { name: "layers", rows, bytes: 48 * LAYERS as u64 });
        step
    }
}
