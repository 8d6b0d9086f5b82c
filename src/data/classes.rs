//! Class labels as they are read, and the order of the classes.

use std::collections::HashMap;

use super::quantity::{instead_of_classes, other_spelling};
use crate::quote::shown;

/// More classes than this are taken for a mistake.
const MOST_CLASSES: usize = 65_536;

/// A class with a longer name is taken for one, too; with the number of classes it bounds what they can take.
const LONGEST: usize = 1024;

/// Gives each different label a number.
pub(super) struct Labels {
    places: HashMap<String, u32>,
    /// By number.
    classes: Vec<String>,
    /// Whether the classes are those of a saved model.
    fixed: bool,
}

impl Labels {
    /// Any label is a class.
    pub(super) fn new() -> Self {
        Labels { places: HashMap::new(), classes: Vec::new(), fixed: false }
    }

    /// Only these are classes, in this order.
    pub(super) fn fixed(classes: &[String]) -> Self {
        let places = classes.iter().cloned().zip(0..).collect();
        Labels { places, classes: classes.to_vec(), fixed: true }
    }

    /// Whether the classes and their order are known.
    pub(super) fn is_fixed(&self) -> bool {
        self.fixed
    }

    /// The classes so far, by number.
    pub(super) fn known(&self) -> &[String] {
        &self.classes
    }

    /// The number of a row's label; an error is the message about the cell.
    pub(super) fn number(&mut self, label: &str) -> Result<u32, String> {
        let place = match self.places.get(label) {
            Some(place) => *place,
            None if self.fixed => {
                let other = other_spelling(label).and_then(|label| self.places.get(&label).copied());
                return other.ok_or_else(|| self.unknown(label));
            }
            None if label.len() > LONGEST => {
                let advice = "shorten it, or name another column in data.target";
                return Err(format!("{} is longer than {LONGEST} bytes, too long for a class; {advice}", shown(label)));
            }
            None if self.classes.len() == MOST_CLASSES => {
                return Err(format!(
                    "{} is class number {}, more than {MOST_CLASSES} are not possible; \
                     if the column is a quantity, regression is meant: use loss = \"mse\"",
                    shown(label),
                    MOST_CLASSES + 1
                ));
            }
            None => {
                let place = self.classes.len() as u32;
                self.places.insert(label.to_owned(), place);
                self.classes.push(label.to_owned());
                place
            }
        };
        Ok(place)
    }

    /// The classes in their order, and in the place of each row's number its place in that order; an error is the message
    /// about the column.
    ///
    /// New classes are sorted: by number if all are whole numbers, otherwise by their text.
    pub(super) fn finish(self, labels: &mut [u32]) -> Result<Vec<String>, String> {
        if self.fixed {
            return Ok(self.classes);
        }
        if let [only] = &self.classes[..] {
            return Err(format!("every row has the class {}; at least two classes are needed", shown(only)));
        }
        if let Some(message) = instead_of_classes(self.classes.iter().map(String::as_str), labels.len()) {
            return Err(message);
        }
        let mut order: Vec<u32> = (0..).take(self.classes.len()).collect();
        let text = |place: &u32| &self.classes[*place as usize];
        let numbers: Option<Vec<i64>> = self.classes.iter().map(|class| class.parse().ok()).collect();
        match numbers {
            Some(numbers) => order.sort_by_key(|place| (numbers[*place as usize], text(place))),
            None => order.sort_by_key(text),
        }
        let classes = order.iter().map(|place| text(place).clone()).collect();
        let mut new_place = vec![0; order.len()];
        for (new, old) in (0..).zip(&order) {
            new_place[*old as usize] = new;
        }
        labels.iter_mut().for_each(|label| *label = new_place[*label as usize]);
        Ok(classes)
    }

    /// A label that the saved model does not have.
    fn unknown(&self, label: &str) -> String {
        let known = match self.classes.len() {
            0..=12 => self.classes.iter().map(|class| shown(class)).collect::<Vec<_>>().join(", "),
            count => format!("{count} classes from {} to {}", shown(&self.classes[0]), shown(&self.classes[count - 1])),
        };
        format!("{} is not a class of the model; it has {known}: correct the label or remove the row", shown(label))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finished(labels: &[&str]) -> Result<(Vec<String>, Vec<u32>), String> {
        let mut all = Labels::new();
        let mut numbers = labels.iter().map(|label| all.number(label)).collect::<Result<Vec<_>, _>>()?;
        Ok((all.finish(&mut numbers)?, numbers))
    }

    #[test]
    fn whole_numbers_are_ordered_by_number() {
        let (classes, labels) = finished(&["10", "9", "-1", "9"]).unwrap();
        assert_eq!((&classes[..], &labels[..]), (&["-1".to_owned(), "9".into(), "10".into()][..], &[2, 1, 0, 1][..]));
    }

    #[test]
    fn text_is_ordered_by_letters() {
        let (classes, labels) = finished(&["b", "10", "a", "9"]).unwrap();
        assert_eq!(classes, ["10", "9", "a", "b"]);
        assert_eq!(labels, [3, 0, 2, 1]);
    }

    #[test]
    fn labels_are_compared_as_text() {
        assert_eq!(finished(&["1", "01", "1.0"]).unwrap().0, ["01", "1", "1.0"]);
        assert_eq!(finished(&["1", "01", "0"]).unwrap().0, ["0", "01", "1"]);
    }

    #[test]
    fn the_order_of_the_rows_does_not_matter_to_the_classes() {
        assert_eq!(finished(&["x", "y", "x"]).unwrap().0, finished(&["y", "x"]).unwrap().0);
    }

    #[test]
    fn one_class_is_refused_unless_the_model_has_it() {
        assert!(finished(&["a", "a"]).unwrap_err().starts_with("every row has the class \"a\""));
        let mut known = Labels::fixed(&["b".into(), "a".into()]);
        assert_eq!(known.number("a").unwrap(), 1);
        assert_eq!(known.finish(&mut [1]).unwrap(), ["b", "a"]);
    }

    #[test]
    fn a_quantity_is_refused() {
        let numbers: Vec<String> = (0..100).map(|at| (at * at).to_string()).collect();
        let message = finished(&numbers.iter().map(String::as_str).collect::<Vec<_>>()).unwrap_err();
        assert!(message.starts_with("100 different numbers in 100 rows are a quantity, not classes"), "{message}");
    }

    #[test]
    fn an_unknown_class_of_a_saved_model_is_refused() {
        let message = Labels::fixed(&["0".into(), "1".into()]).number("2").unwrap_err();
        assert_eq!(
            message,
            "\"2\" is not a class of the model; it has \"0\", \"1\": correct the label or remove the row"
        );
    }

    #[test]
    fn too_many_classes_are_taken_for_regression() {
        let mut all = Labels::new();
        assert!((0..MOST_CLASSES).all(|label| all.number(&label.to_string()).is_ok()));
        all.number("7").unwrap();
        let message = all.number("0.5").unwrap_err();
        assert!(message.contains("number 65537") && message.contains("regression is meant"), "{message}");
        let message = Labels::new().number(&"x".repeat(LONGEST + 1)).unwrap_err();
        assert!(message.contains("longer than 1024 bytes") && message.len() < 200, "{message}");
    }
}
