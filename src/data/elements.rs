//! Numbers in the type in which they came: pixels and tokens take one or two bytes where a float takes four.

use std::borrow::Cow;
use std::ops::Range;

use crate::tensor::Element;

/// The largest whole number up to which each one is an `f32`.
pub(crate) const EXACT: u32 = 1 << 24;

/// Numbers of one type, as a slice.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Elements<'a> {
    /// Numbers of 32 bits.
    F32(&'a [f32]),
    /// Whole numbers from 0 to 255.
    U8(&'a [u8]),
    /// Whole numbers from 0 to 65 535.
    U16(&'a [u16]),
    /// Whole numbers from 0 to 2²⁴, all of which are exact as `f32`.
    U32(&'a [u32]),
}

impl<'a> Elements<'a> {
    /// How many there are.
    pub fn len(self) -> usize {
        match self {
            Elements::F32(values) => values.len(),
            Elements::U8(values) => values.len(),
            Elements::U16(values) => values.len(),
            Elements::U32(values) => values.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Their type.
    pub fn element(self) -> Element {
        match self {
            Elements::F32(_) => Element::F32,
            Elements::U8(_) => Element::U8,
            Elements::U16(_) => Element::U16,
            Elements::U32(_) => Element::U32,
        }
    }

    /// Some of them.
    ///
    /// # Panics
    /// When the range is not within them, as slices do.
    pub fn range(self, range: Range<usize>) -> Elements<'a> {
        match self {
            Elements::F32(values) => Elements::F32(&values[range]),
            Elements::U8(values) => Elements::U8(&values[range]),
            Elements::U16(values) => Elements::U16(&values[range]),
            Elements::U32(values) => Elements::U32(&values[range]),
        }
    }

    /// All of them as floats; copied unless they are.
    pub fn to_f32(self) -> Cow<'a, [f32]> {
        match self {
            Elements::F32(values) => Cow::Borrowed(values),
            Elements::U8(values) => values.iter().map(|&value| f32::from(value)).collect(),
            Elements::U16(values) => values.iter().map(|&value| f32::from(value)).collect(),
            Elements::U32(values) => values.iter().map(|&value| value as f32).collect(),
        }
    }

    /// Writes them as floats in the place of as many.
    pub(crate) fn write(self, into: &mut [f32]) {
        match self {
            Elements::F32(values) => into.copy_from_slice(values),
            Elements::U8(values) => into.iter_mut().zip(values).for_each(|(to, &value)| *to = f32::from(value)),
            Elements::U16(values) => into.iter_mut().zip(values).for_each(|(to, &value)| *to = f32::from(value)),
            Elements::U32(values) => into.iter_mut().zip(values).for_each(|(to, &value)| *to = value as f32),
        }
    }

    /// Whole numbers as such; floats as their bits.
    pub(crate) fn whole(self) -> impl Iterator<Item = u32> {
        (0..self.len()).map(move |at| self.at(at))
    }

    /// One of them: a whole number as such, a float as its bits.
    pub(crate) fn at(self, at: usize) -> u32 {
        match self {
            Elements::F32(values) => values[at].to_bits(),
            Elements::U8(values) => u32::from(values[at]),
            Elements::U16(values) => u32::from(values[at]),
            Elements::U32(values) => values[at],
        }
    }

    /// The place of the first whole number that is not exact as a float.
    pub(crate) fn inexact(self) -> Option<usize> {
        match self {
            Elements::U32(values) => values.iter().position(|&value| value > EXACT),
            _ => None,
        }
    }
}

impl<'a> From<&'a [f32]> for Elements<'a> {
    fn from(values: &'a [f32]) -> Self {
        Elements::F32(values)
    }
}

impl<'a, const N: usize> From<&'a [f32; N]> for Elements<'a> {
    fn from(values: &'a [f32; N]) -> Self {
        Elements::F32(values)
    }
}

impl<'a> From<&'a Vec<f32>> for Elements<'a> {
    fn from(values: &'a Vec<f32>) -> Self {
        Elements::F32(values)
    }
}

impl<'a> From<&'a [u8]> for Elements<'a> {
    fn from(values: &'a [u8]) -> Self {
        Elements::U8(values)
    }
}

impl<'a> From<&'a [u16]> for Elements<'a> {
    fn from(values: &'a [u16]) -> Self {
        Elements::U16(values)
    }
}

impl<'a> From<&'a [u32]> for Elements<'a> {
    fn from(values: &'a [u32]) -> Self {
        Elements::U32(values)
    }
}

/// Numbers of one type, in memory of their own.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// Numbers of 32 bits.
    F32(Vec<f32>),
    /// Whole numbers from 0 to 255.
    U8(Vec<u8>),
    /// Whole numbers from 0 to 65 535.
    U16(Vec<u16>),
}

impl Values {
    /// No number yet; whole numbers of 32 bits are kept as floats, which take the same memory.
    pub fn empty(element: Element) -> Values {
        match element {
            Element::U8 => Values::U8(Vec::new()),
            Element::U16 => Values::U16(Vec::new()),
            Element::U32 | Element::F32 => Values::F32(Vec::new()),
        }
    }

    /// All of them.
    pub fn elements(&self) -> Elements<'_> {
        match self {
            Values::F32(values) => Elements::F32(values),
            Values::U8(values) => Elements::U8(values),
            Values::U16(values) => Elements::U16(values),
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.elements().len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All of them as floats; copied unless they are.
    pub fn to_f32(&self) -> Cow<'_, [f32]> {
        self.elements().to_f32()
    }

    /// All of them as floats from now on, to be changed.
    pub fn floats(&mut self) -> &mut Vec<f32> {
        if !matches!(self, Values::F32(_)) {
            *self = Values::F32(self.to_f32().into_owned());
        }
        match self {
            Values::F32(values) => values,
            Values::U8(_) | Values::U16(_) => unreachable!("they are floats"),
        }
    }

    /// Adds numbers, each of which the type holds as it is.
    pub(super) fn extend(&mut self, numbers: impl Iterator<Item = f32>) {
        match self {
            Values::F32(values) => values.extend(numbers),
            Values::U8(values) => values.extend(numbers.map(|number| number as u8)),
            Values::U16(values) => values.extend(numbers.map(|number| number as u16)),
        }
    }

    /// Changes the memory that they lie in.
    pub(super) fn resize(&mut self, size: Resize) {
        match self {
            Values::F32(values) => size.of(values),
            Values::U8(values) => size.of(values),
            Values::U16(values) => size.of(values),
        }
    }
}

impl From<Vec<f32>> for Values {
    fn from(values: Vec<f32>) -> Self {
        Values::F32(values)
    }
}

/// What is done to the memory of an array that grows with the rows.
#[derive(Debug, Clone, Copy)]
pub(super) enum Resize {
    /// All values go; the memory stays.
    Clear,
    /// Room for so many more. It grows by an eighth, where a vector by itself would double.
    Room(usize),
    /// Room for so many times what is there and a little more, once; a guess that is too large for the memory is not kept.
    Guess(f64),
    /// What is too much is given back.
    Fit,
}

impl Resize {
    /// Of one array.
    pub fn of<T>(self, values: &mut Vec<T>) {
        match self {
            Resize::Clear => values.clear(),
            Resize::Room(more) if values.capacity() - values.len() < more => {
                values.reserve_exact(more.max(values.len() / 8).max(256));
            }
            Resize::Room(_) => {}
            Resize::Guess(times) => {
                let wanted = (values.len() as f64 * times * 1.02) as usize;
                // A refusal is no error yet: the file may end sooner.
                let _ = values.try_reserve_exact(wanted.saturating_sub(values.len()));
            }
            Resize::Fit => values.shrink_to_fit(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_become_the_same_floats() {
        for (elements, element) in [
            (Elements::U8(&[0, 7, 255]), Element::U8),
            (Elements::U16(&[0, 7, 255]), Element::U16),
            (Elements::U32(&[0, 7, 255]), Element::U32),
            (Elements::F32(&[0.0, 7.0, 255.0]), Element::F32),
        ] {
            assert_eq!((elements.to_f32(), elements.element()), (Cow::from(vec![0.0, 7.0, 255.0]), element));
            let mut floats = [9.0; 2];
            elements.range(1..3).write(&mut floats);
            assert_eq!(floats, [7.0, 255.0]);
        }
        assert_eq!(Elements::U32(&[EXACT, EXACT + 1]).inexact(), Some(1));
    }

    #[test]
    fn numbers_are_kept_in_their_type_until_they_are_changed() {
        let mut values = Values::empty(Element::U8);
        values.extend([1.0, 200.0].into_iter());
        assert_eq!(values, Values::U8(vec![1, 200]));
        values.floats()[1] = 0.5;
        assert_eq!(values, Values::F32(vec![1.0, 0.5]));
    }
}
