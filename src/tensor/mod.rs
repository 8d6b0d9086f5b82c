//! Tensors: the shape of one sample, the element type, and arrays on the host. A leaf: it imports nothing.

mod array;
mod matrix;

use std::borrow::Cow;
use std::fmt;

pub use array::Array;
pub use matrix::{Matrix, Operand};

/// The type of elements: those that are computed with are [`Element::F32`], those of data may be whole numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Element {
    /// Whole numbers from 0 to 255, such as the pixels of an image.
    U8,
    /// Whole numbers from 0 to 65 535, such as tokens.
    U16,
    /// Whole numbers of 32 bits, such as the numbers of classes.
    U32,
    /// 32-bit floating point.
    #[default]
    F32,
}

impl Element {
    /// Bytes of one element.
    pub fn bytes(self) -> usize {
        match self {
            Element::U8 => 1,
            Element::U16 => 2,
            Element::U32 | Element::F32 => 4,
        }
    }
}

/// The shape of one sample of a tensor. The rows of a micro-batch are not part of it.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    /// One array per sample, channels last: `[columns]`, `[positions, columns]`, `[height, width, channels]`.
    Sample {
        /// From the outermost dimension to the innermost.
        dims: Vec<usize>,
        /// The type of an element.
        element: Element,
    },
    /// The parameters of a layer, array by array.
    Parameters(Vec<ParameterSpec>),
}

impl Shape {
    /// This many columns per sample.
    pub fn columns_of(columns: usize) -> Shape {
        Shape::of(&[columns])
    }

    /// These dimensions per sample, from the outermost to the innermost.
    pub fn of(dims: &[usize]) -> Shape {
        Shape::Sample { dims: dims.to_vec(), element: Element::F32 }
    }

    /// The dimensions of one sample; none for parameters.
    pub fn dims(&self) -> &[usize] {
        match self {
            Shape::Sample { dims, .. } => dims,
            Shape::Parameters(_) => &[],
        }
    }

    /// The innermost dimension (channels, features); `None` for parameters.
    pub fn columns(&self) -> Option<usize> {
        match self {
            Shape::Sample { dims, .. } => Some(dims.last().copied().unwrap_or(1)),
            Shape::Parameters(_) => None,
        }
    }

    /// The positions (pixels, tokens) of a sample: the product of all dimensions but the innermost.
    pub fn positions(&self) -> usize {
        let dims = self.dims();
        dims[..dims.len().saturating_sub(1)].iter().product()
    }

    /// The same positions with another innermost dimension.
    pub fn with_columns(&self, columns: usize) -> Shape {
        let mut dims = self.dims().to_vec();
        match dims.last_mut() {
            Some(last) => *last = columns,
            None => dims.push(columns),
        }
        Shape::of(&dims)
    }

    /// Elements of one sample in memory, with the innermost dimension padded to a multiple of four.
    pub fn padded(&self) -> usize {
        self.positions() * pad4(self.columns().unwrap_or(0))
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Shape::Sample { dims, .. } => {
                f.write_str("(rows")?;
                dims.iter().try_for_each(|dim| write!(f, ", {dim}"))?;
                f.write_str(")")
            }
            Shape::Parameters(parts) => {
                let parts: Vec<String> = parts.iter().map(|part| format!("{} {:?}", part.name, part.shape)).collect();
                f.write_str(&parts.join(", "))
            }
        }
    }
}

/// The first values of an array, before training.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Init {
    /// Every element the same.
    Constant(f32),
    /// Uniform between minus and plus this number.
    Uniform(f64),
    /// Normal with mean 0 and this deviation.
    Normal(f64),
}

/// One learned array of a layer.
#[derive(Clone, Debug, PartialEq)]
pub struct ParameterSpec {
    /// The name that PyTorch gives it: `weight`, `bias`, …
    pub name: Cow<'static, str>,
    /// Its shape, as in a PyTorch `state_dict`.
    pub shape: Vec<usize>,
    /// Its first values.
    pub init: Init,
    /// The order of its axes in memory, from the outermost to the innermost; empty for that of `shape`.
    pub axes: Vec<usize>,
}

impl ParameterSpec {
    /// An array that lies in memory as in a file.
    pub fn new(name: impl Into<Cow<'static, str>>, shape: &[usize], init: Init) -> ParameterSpec {
        ParameterSpec { name: name.into(), shape: shape.to_vec(), init, axes: Vec::new() }
    }

    /// The same array with its axes in this order in memory.
    pub fn in_order(self, axes: &[usize]) -> ParameterSpec {
        ParameterSpec { axes: axes.to_vec(), ..self }
    }

    /// Its elements.
    pub fn elements(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether another array has its name, shape and place in memory, whatever its first values are.
    pub fn is_like(&self, other: &ParameterSpec) -> bool {
        self.name == other.name && self.shape == other.shape && self.axes == other.axes
    }

    /// Its dimensions in memory, before padding.
    fn dims(&self) -> Vec<usize> {
        if self.axes.is_empty() { self.shape.clone() } else { self.axes.iter().map(|&axis| self.shape[axis]).collect() }
    }

    /// Rows and columns in memory, before padding; a vector is one row.
    pub fn matrix(&self) -> (usize, usize) {
        let columns = self.dims().last().copied().unwrap_or(1);
        (self.elements() / columns.max(1), columns)
    }

    /// Rows and columns on the GPU. The innermost dimension is padded with +0 to a multiple of four, the outermost too if there
    /// are several.
    pub fn padded(&self) -> (usize, usize) {
        let (rows, columns) = self.matrix();
        let rows = match self.dims()[..] {
            [outermost, _, ..] => rows / outermost.max(1) * pad4(outermost),
            _ => rows,
        };
        (rows, pad4(columns))
    }

    /// The place in memory of each element, in the order of the elements in a file.
    pub fn places(&self) -> impl Iterator<Item = usize> + '_ {
        let (_, stride) = self.padded();
        let (_, columns) = self.matrix();
        let rank = self.shape.len();
        let axes: Vec<usize> = if self.axes.is_empty() { (0..rank).collect() } else { self.axes.clone() };
        // Elements of the unpadded memory from one index of each axis of the file to the next.
        let mut steps = vec![0; rank];
        let mut step = 1;
        for &axis in axes.iter().rev() {
            steps[axis] = step;
            step *= self.shape[axis];
        }
        let mut index = vec![0; rank];
        let mut at = 0;
        (0..self.elements()).map(move |_| {
            let place = at / columns.max(1) * stride + at % columns.max(1);
            for axis in (0..rank).rev() {
                index[axis] += 1;
                at += steps[axis];
                if index[axis] < self.shape[axis] {
                    break;
                }
                at -= steps[axis] * self.shape[axis];
                index[axis] = 0;
            }
            place
        })
    }
}

/// The next multiple of four.
pub fn pad4(n: usize) -> usize {
    n.next_multiple_of(4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shape_is_positions_times_columns() {
        let image = Shape::of(&[28, 14, 3]);
        assert_eq!((image.positions(), image.columns(), image.padded()), (392, Some(3), 1568));
        assert_eq!(image.with_columns(8), Shape::of(&[28, 14, 8]));
        assert_eq!(image.to_string(), "(rows, 28, 14, 3)");
        let row = Shape::columns_of(5);
        assert_eq!((row.positions(), row.columns(), row.padded()), (1, Some(5), 8));
        let parameters = Shape::Parameters(vec![ParameterSpec::new("weight", &[3, 2], Init::Constant(0.0))]);
        assert_eq!((parameters.columns(), parameters.to_string()), (None, "weight [3, 2]".to_owned()));
    }

    #[test]
    fn an_array_lies_in_memory_in_the_order_of_its_axes_and_padded() {
        let zero = Init::Constant(0.0);
        let plain = ParameterSpec::new("weight", &[3, 2], zero);
        assert_eq!((plain.padded(), plain.places().collect::<Vec<_>>()), ((4, 4), vec![0, 1, 4, 5, 8, 9]));
        let vector = ParameterSpec::new("bias", &[3], zero);
        assert_eq!((vector.padded(), vector.places().collect::<Vec<_>>()), ((1, 4), vec![0, 1, 2]));
        let number = ParameterSpec::new("count", &[], zero);
        assert_eq!((number.elements(), number.padded(), number.places().collect::<Vec<_>>()), (1, (1, 4), vec![0]));
        // (outputs, inputs, height, width) as (outputs, height, width, inputs)
        let image = ParameterSpec::new("weight", &[5, 3, 1, 2], zero).in_order(&[0, 2, 3, 1]);
        assert_eq!((image.matrix(), image.padded()), ((10, 3), (16, 4)));
        let places: Vec<usize> = image.places().collect();
        for (at, &place) in places.iter().enumerate() {
            let (o, i, x) = (at / 6, at / 2 % 3, at % 2);
            assert_eq!(place, (o * 2 + x) * 4 + i, "element {at}");
        }
    }
}
