/// An array of f32 with a shape, as in a file of weights.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    /// Its shape.
    pub shape: Vec<usize>,
    /// Its values, row after row.
    pub values: Vec<f32>,
}
