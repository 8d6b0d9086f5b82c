//! What the kernels of a network that is done at once cost: turns of loops, operations, floats.

use super::steps::Tile;
use super::{LAYERS, Layer, Net};
use crate::graph::LoopBound;
use crate::plan::BLOCK;
use crate::plan::lower::Source;

impl Net {
    /// Products of a row forward, and on the way back, which ends above the first layer.
    pub(super) fn products(&self, forward: bool) -> u64 {
        let layers = self.layers.iter().skip(usize::from(!forward));
        layers.map(|layer| (layer.inputs * layer.outputs) as u64).sum()
    }

    /// Floats of a row that pass through the arena once.
    pub(super) fn floats(&self) -> u32 {
        self.layers.iter().map(|layer| (layer.inputs + layer.outputs) as u32).sum()
    }

    /// Turns of the loops that a tile of rows takes.
    pub(super) fn loops_of_tile(&self) -> u64 {
        let wide = |columns: usize| columns.div_ceil(4 * self.lanes as usize) as u64;
        let rows = u64::from(self.tile.div_ceil(self.lanes));
        let mut turns = 0;
        for layer in &self.layers {
            let (inputs4, outputs4) = (layer.inputs.div_ceil(4) as u64, layer.outputs.div_ceil(4) as u64);
            // A loop takes one turn more than it has steps, that in which it finds its end; the loops inside it take one, too.
            turns += 8 + wide(layer.outputs) * (2 + inputs4) + wide(layer.inputs) * (2 + outputs4);
        }
        let (first, last) = (self.layers.first(), self.layers.last());
        let features4 = first.map_or(0, |layer| layer.inputs.div_ceil(4) as u64);
        let outputs = last.map_or(0, |layer| layer.outputs as u64);
        turns + rows * (2 + features4 + 5 * (outputs + 4))
    }

    /// Those of a tile of a gradient, which may be that of a bias or the window's loss.
    pub(super) fn loops_of_gradient(&self) -> LoopBound {
        LoopBound { fixed: LAYERS as u64 + 16, block: 40 }
    }

    /// Those of everything that one slot of whole windows can be: a micro-batch, or the parameters twice.
    pub(super) fn loops_of_windows(&self, source: &Source) -> LoopBound {
        let gradients = u64::from(self.tiles(Tile::Narrow));
        // An update looks at all gradients before it reads them again.
        let update = 2 * ((source.layout.floats() / 4) as u64 / u64::from(self.lanes) + 1);
        let tiles = (BLOCK as u64).div_ceil(u64::from(self.tile));
        LoopBound {
            fixed: gradients * (LAYERS as u64 + 8) + update + 64,
            block: tiles * (1 + self.loops_of_tile()) + gradients * 18 + 40,
        }
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

    /// Lanes that lie side by side over a layer's inputs: a power of two.
    pub(super) fn across(&self, layer: &Layer) -> u32 {
        (layer.inputs.div_ceil(4) as u32).next_power_of_two().min(self.lanes)
    }

    /// Tiles of all gradients.
    pub(super) fn tiles(&self, tile: Tile) -> u32 {
        self.layers.iter().map(|layer| self.layer_tiles(layer, tile)).map(|(weight, bias)| weight + bias).sum()
    }
}
