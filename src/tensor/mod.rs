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
}

impl ParameterSpec {
    /// Its elements.
    pub fn elements(&self) -> usize {
        self.shape.iter().product()
    }

    /// Rows and columns; a vector is one row.
    pub fn matrix(&self) -> (usize, usize) {
        let columns = self.shape.last().copied().unwrap_or(1);
        (self.elements() / columns.max(1), columns)
    }

    /// Rows and columns on the GPU: a matrix is padded with +0 to multiples of four, a vector at its end.
    pub fn padded(&self) -> (usize, usize) {
        let (rows, columns) = self.matrix();
        (if self.shape.len() > 1 { pad4(rows) } else { rows }, pad4(columns))
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
        let parameters = Shape::Parameters(vec![ParameterSpec {
            name: "weight".into(),
            shape: vec![3, 2],
            init: Init::Constant(0.0),
        }]);
        assert_eq!((parameters.columns(), parameters.to_string()), (None, "weight [3, 2]".to_owned()));
    }
}
