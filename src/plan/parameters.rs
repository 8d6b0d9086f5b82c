//! How the parameters lie in one flat array: padded to multiples of four, each layer on a boundary of its own.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::graph::{Graph, ParameterSpec, Shape, Tensor, TensorKind};
use crate::{Error, Result};

/// Layers begin at multiples of this many floats, so that each can be bound alone on every adapter.
const ALIGN: usize = 64;

/// A named array of f32, as in a file of weights.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    /// Its shape.
    pub shape: Vec<usize>,
    /// Its values, row after row.
    pub values: Vec<f32>,
}

/// Where each part of each layer lies, in floats.
#[derive(Clone, Debug, Default)]
pub struct Layout {
    parts: Vec<Placed>,
    layers: Vec<(Tensor, Range<usize>)>,
    len: usize,
}

#[derive(Clone, Debug)]
struct Placed {
    name: String,
    part: ParameterSpec,
    at: usize,
}

impl Layout {
    pub(super) fn new(graph: &Graph) -> Result<Layout> {
        let mut layout = Layout::default();
        for tensor in graph.tensors() {
            let info = graph.info(tensor);
            let (TensorKind::Parameter, Shape::Parameters(parts)) = (info.kind, &info.shape) else { continue };
            let start = layout.len;
            for part in parts {
                let (rows, columns) = part.padded();
                let size = rows.checked_mul(columns).filter(|&size| size < u32::MAX as usize / 4 - layout.len);
                let size = size.ok_or_else(|| {
                    let (name, shape) = (format!("{}.{}", info.name, part.name), &part.shape);
                    Error::Memory(format!(
                        "{name} of {shape:?} is more than can be numbered; make model.layers narrower"
                    ))
                })?;
                layout.parts.push(Placed {
                    name: format!("{}.{}", info.name, part.name),
                    part: part.clone(),
                    at: layout.len,
                });
                layout.len += size;
            }
            layout.layers.push((tensor, start..layout.len));
            layout.len = layout.len.next_multiple_of(ALIGN);
        }
        layout.len = layout.len.max(ALIGN);
        Ok(layout)
    }

    /// Floats, padding included.
    pub fn floats(&self) -> usize {
        self.len
    }

    /// What is learned, padding left out.
    pub fn count(&self) -> usize {
        self.parts.iter().map(|placed| placed.part.elements()).sum()
    }

    /// Names and shapes, in order.
    pub fn arrays(&self) -> impl Iterator<Item = (&str, &[usize])> {
        self.parts.iter().map(|placed| (placed.name.as_str(), placed.part.shape.as_slice()))
    }

    pub(super) fn range(&self, tensor: Tensor) -> Range<usize> {
        let found = self.layers.iter().find(|(layer, _)| *layer == tensor);
        found.map(|(_, range)| range.clone()).unwrap_or_default()
    }

    /// The flat array of named arrays.
    ///
    /// # Errors
    /// A sentence that names the array which is missing, superfluous or of the wrong shape.
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
            let (_, columns) = part.matrix();
            let (_, stride) = part.padded();
            for (r, row) in array.values.chunks(columns.max(1)).enumerate() {
                flat[at + r * stride..][..columns].copy_from_slice(row);
            }
        }
        Ok(flat)
    }

    /// The named arrays of a flat array.
    pub fn unpack(&self, flat: &[f32]) -> BTreeMap<String, Array> {
        let mut arrays = BTreeMap::new();
        for Placed { name, part, at } in &self.parts {
            let (rows, columns) = part.matrix();
            let (_, stride) = part.padded();
            let values = (0..rows).flat_map(|r| &flat[at + r * stride..][..columns]).copied().collect();
            arrays.insert(name.clone(), Array { shape: part.shape.clone(), values });
        }
        arrays
    }

    fn names(&self) -> String {
        let names: Vec<&str> = self.parts.iter().map(|placed| placed.name.as_str()).collect();
        names.join(", ")
    }
}
