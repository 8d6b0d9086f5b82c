//! The layout of the parameters in one flat array: padded to multiples of four, each layer on its own boundary.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::graph::{Graph, ParameterSpec, Shape, Span, Tensor, TensorKind};
use crate::tensor::Array;
use crate::{Error, Result};

/// Layers begin at multiples of this many floats, so that every adapter can bind each layer alone.
const ALIGN: usize = 64;

/// Offset and length of each part of each layer, in floats.
#[derive(Clone, Debug, Default)]
pub struct Layout {
    parts: Vec<Placed>,
    layers: Vec<(Tensor, u16, Range<usize>)>,
    /// Floats of what is learned, which comes first.
    learned: usize,
    len: usize,
}

#[derive(Clone, Debug)]
struct Placed {
    name: String,
    part: ParameterSpec,
    at: usize,
}

impl Layout {
    /// The layout of the parameters, and behind them of the statistics.
    pub(super) fn new(graph: &Graph) -> Result<Layout> {
        let mut layout = Layout::default();
        for tensor in graph.of_kind(TensorKind::Parameter) {
            layout.add(graph, tensor, 0)?;
        }
        layout.len = layout.len.max(ALIGN);
        layout.learned = layout.len;
        for tensor in graph.of_kind(TensorKind::Statistic) {
            layout.add(graph, tensor, 0)?;
        }
        Ok(layout)
    }

    /// The layout of what is learned alone.
    pub fn learned_only(&self) -> Layout {
        let parts = self.parts.iter().filter(|placed| placed.at < self.learned).cloned().collect();
        let layers = self.layers.iter().filter(|(.., range)| range.start < self.learned).cloned().collect();
        Layout { parts, layers, learned: self.learned, len: self.learned }
    }

    /// The layout of their gradients: the parameters' layout, then one entry for each later use of a parameter.
    pub(super) fn of_gradients(graph: &Graph) -> Result<Layout> {
        let mut layout = Layout::new(graph)?;
        for tensor in graph.of_kind(TensorKind::Parameter) {
            for nth in 1..graph.uses(tensor) {
                layout.add(graph, tensor, nth)?;
            }
        }
        Ok(layout)
    }

    fn add(&mut self, graph: &Graph, tensor: Tensor, nth: u16) -> Result<()> {
        let info = graph.info(tensor);
        let Shape::Parameters(parts) = &info.shape else { return Ok(()) };
        let start = self.len;
        for part in parts {
            let name = match nth {
                0 => format!("{}.{}", info.name, part.name),
                later => Layout::name_of_use(&format!("{}.{}", info.name, part.name), later + 1),
            };
            let (rows, columns) = part.padded();
            let size = rows.checked_mul(columns).filter(|&size| size < u32::MAX as usize / 4 - self.len);
            let size = size.ok_or_else(|| {
                let shape = &part.shape;
                Error::Memory(format!("{name} of {shape:?} is more than can be numbered; make model.layers narrower"))
            })?;
            self.parts.push(Placed { name, part: part.clone(), at: self.len });
            self.len += size;
        }
        self.layers.push((tensor, nth, start..self.len));
        self.len = self.len.next_multiple_of(ALIGN);
        Ok(())
    }

    /// The name of the gradient of a parameter's n-th use, from 2 on.
    pub(crate) fn name_of_use(name: &str, nth: u16) -> String {
        format!("{name} of use {nth}")
    }

    /// Floats, padding included.
    pub fn floats(&self) -> usize {
        self.len
    }

    /// The whole array.
    pub fn all(&self) -> Span {
        Span { start: 0, len: (self.len / 4) as u32 }
    }

    /// What is learned: all but the statistics.
    pub fn learned(&self) -> Span {
        Span { start: 0, len: (self.learned / 4) as u32 }
    }

    /// The number of learned values, without padding.
    pub fn count(&self) -> usize {
        let learned = self.parts.iter().filter(|placed| placed.at < self.learned);
        learned.map(|placed| placed.part.elements()).sum()
    }

    /// Names and shapes, in order.
    pub fn arrays(&self) -> impl Iterator<Item = (&str, &[usize])> {
        self.parts.iter().map(|placed| (placed.name.as_str(), placed.part.shape.as_slice()))
    }

    /// Offset of a parameter, in floats.
    pub(super) fn start_of(&self, tensor: Tensor) -> usize {
        self.layers.iter().find(|(layer, nth, _)| (*layer, *nth) == (tensor, 0)).map_or(0, |(.., range)| range.start)
    }

    /// Each parameter's stretch and, with the use's number, the stretch of each later use's gradient.
    pub(super) fn layers(&self) -> impl Iterator<Item = (Tensor, u16, Range<usize>)> {
        self.layers.iter().cloned()
    }

    /// Packs named arrays into the flat array.
    ///
    /// # Errors
    /// A sentence that names the array that is missing, superfluous or of the wrong shape.
    pub fn pack(&self, arrays: &BTreeMap<String, Array>) -> Result<Vec<f32>, String> {
        if let Some(extra) = arrays.keys().find(|name| !self.parts.iter().any(|placed| placed.name == **name)) {
            return Err(format!("the model has no {extra}; it has {}", self.names()));
        }
        let mut flat = vec![0.0; self.len];
        for Placed { name, part, at } in &self.parts {
            let array = arrays.get(name).ok_or_else(|| format!("{name} is missing; the model has {}", self.names()))?;
            if array.shape != part.shape || array.values.len() != part.elements() {
                return Err(format!("{name} is {:?}, but the model's is {:?}", array.shape, part.shape));
            }
            part.places().zip(&array.values).for_each(|(place, &value)| flat[at + place] = value);
        }
        Ok(flat)
    }

    /// Unpacks the flat array into named arrays.
    pub fn unpack(&self, flat: &[f32]) -> BTreeMap<String, Array> {
        let mut arrays = BTreeMap::new();
        for Placed { name, part, at } in &self.parts {
            let values = part.places().map(|place| flat[at + place]).collect();
            arrays.insert(name.clone(), Array { shape: part.shape.clone(), values });
        }
        arrays
    }

    fn names(&self) -> String {
        let names: Vec<&str> = self.parts.iter().map(|placed| placed.name.as_str()).collect();
        names.join(", ")
    }
}
