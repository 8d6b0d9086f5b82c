//! The fields of a sample: what each is for, its shape and the type of its elements.

use crate::tensor::Element;

/// What a field is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// What the model sees.
    Input,
    /// What the model learns to say.
    Target,
    /// How much the sample counts.
    Weight,
}

/// One field of every sample, such as a column of a table or the pixels of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// What it is for.
    pub role: Role,
    /// The column or array that it comes from.
    pub name: String,
    /// Its shape in one sample, without the rows: `[]` for one number, `[height, width, channels]` for an image.
    pub dims: Vec<usize>,
    /// The type of its elements.
    pub element: Element,
}

impl Field {
    /// Elements of one sample.
    pub fn elements(&self) -> usize {
        self.dims.iter().product()
    }
}
