use super::Shape;

/// A matrix of f64, row after row: a tensor of the reference. A tensor with positions has one row per position of each sample,
/// sample after sample.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Matrix {
    /// Rows: samples × positions.
    pub rows: usize,
    /// Columns.
    pub columns: usize,
    /// The values, row after row.
    pub values: Vec<f64>,
}

impl Matrix {
    /// All zeros.
    pub fn zeros(rows: usize, columns: usize) -> Matrix {
        Matrix { rows, columns, values: vec![0.0; rows * columns] }
    }

    /// From floats, row after row.
    pub fn from_f32(rows: usize, columns: usize, values: &[f32]) -> Matrix {
        assert_eq!(values.len(), rows * columns, "a matrix of {rows} × {columns}");
        Matrix { rows, columns, values: values.iter().map(|&v| f64::from(v)).collect() }
    }

    /// Makes each element from its row and column.
    pub fn build(rows: usize, columns: usize, f: impl Fn(usize, usize) -> f64) -> Matrix {
        let values = (0..rows * columns).map(|at| f(at / columns, at % columns)).collect();
        Matrix { rows, columns, values }
    }

    /// One element.
    pub fn at(&self, row: usize, column: usize) -> f64 {
        self.values[row * self.columns + column]
    }
}

/// An input of an op in the reference: its values, and one sample's shape.
#[derive(Clone, Copy, Debug)]
pub struct Operand<'a> {
    /// One sample's shape.
    pub shape: &'a Shape,
    /// (samples × positions, columns); parameters are one row, array after array.
    pub values: &'a Matrix,
    /// Whether each sample has a weight; empty if all have.
    pub counts: &'a [bool],
}

impl std::ops::Deref for Operand<'_> {
    type Target = Matrix;

    fn deref(&self) -> &Matrix {
        self.values
    }
}
