//! The cost of the kernels that compute a whole network: loop iterations, operations, floats.

use super::steps::Tile;
use super::{LAYERS, Layer, Net};
use crate::graph::{LoopBound, Step};
use crate::plan::BLOCK;
use crate::plan::lower::Source;

impl Net {
    /// Products per row, forward or backward; the backward pass ends above the first layer.
    pub(super) fn products(&self, forward: bool) -> u64 {
        let layers = self.layers.iter().skip(usize::from(!forward));
        layers.map(|layer| (layer.inputs * layer.outputs) as u64).sum()
    }

    /// Floats per row that pass through the arena once.
    pub(super) fn floats(&self) -> u32 {
        self.layers.iter().map(|layer| (layer.inputs + layer.outputs) as u32).sum()
    }

    /// Loop iterations for a tile of rows.
    pub(super) fn loops_of_tile(&self) -> u64 {
        let wide = |columns: usize| columns.div_ceil(4 * self.lanes as usize) as u64;
        let rows = u64::from(self.tile.div_ceil(self.lanes));
        let mut turns = 0;
        for layer in &self.layers {
            let (inputs4, outputs4) = (layer.inputs.div_ceil(4) as u64, layer.outputs.div_ceil(4) as u64);
            // A loop of n steps takes n + 1 iterations, the last one finds the end; so do the loops inside it.
            turns += 8 + wide(layer.outputs) * (2 + inputs4) + wide(layer.inputs) * (2 + outputs4);
        }
        let (first, last) = (self.layers.first(), self.layers.last());
        let features4 = first.map_or(0, |layer| layer.inputs.div_ceil(4) as u64);
        let outputs = last.map_or(0, |layer| layer.outputs as u64);
        turns + rows * (2 + features4 + 5 * (outputs + 4))
    }

    /// Loop iterations for a tile of a gradient: of a weight, a bias or the window's loss.
    pub(super) fn loops_of_gradient(&self) -> LoopBound {
        LoopBound { fixed: LAYERS as u64 + 16, block: 40 }
    }

    /// Loop iterations for one slot of whole windows: a micro-batch, or twice the parameters.
    pub(super) fn loops_of_windows(&self, source: &Source) -> LoopBound {
        let gradients = u64::from(self.tiles(Tile::Narrow));
        // An update checks all gradients before it reads them again.
        let update = 2 * ((source.layout.floats() / 4) as u64 / u64::from(self.lanes) + 1);
        let tiles = (BLOCK as u64).div_ceil(u64::from(self.tile));
        LoopBound {
            fixed: gradients * (LAYERS as u64 + 8) + update + 64,
            block: tiles * (1 + self.loops_of_tile()) + gradients * 18 + 40,
        }
    }

    /// Loop iterations of the update's own kernel, for all vec4 of an invocation.
    pub(super) fn loops_of_update(&self, source: &Source, update: &Step) -> u64 {
        update.loops.fixed * ((source.layout.floats() / 4) as u64 / u64::from(self.lanes) + 1)
    }

    /// Tiles of a layer's gradient: of its weight and of its bias.
    pub(super) fn layer_tiles(&self, layer: &Layer, tile: Tile) -> (u32, u32) {
        let (inputs4, outputs4) = (layer.inputs.div_ceil(4) as u32, layer.outputs.div_ceil(4) as u32);
        match tile {
            Tile::Wide => (inputs4.div_ceil(self.lanes) * outputs4.div_ceil(4), outputs4.div_ceil(self.lanes)),
            Tile::Narrow => {
                let across = self.across(layer);
                (inputs4.div_ceil(across) * outputs4.div_ceil(self.lanes / across), 0)
            }
        }
    }

    /// Lanes side by side over a layer's inputs: a power of two.
    pub(super) fn across(&self, layer: &Layer) -> u32 {
        (layer.inputs.div_ceil(4) as u32).next_power_of_two().min(self.lanes)
    }

    /// Tiles of all gradients.
    pub(super) fn tiles(&self, tile: Tile) -> u32 {
        self.layers.iter().map(|layer| self.layer_tiles(layer, tile)).map(|(weight, bias)| weight + bias).sum()
    }
}
