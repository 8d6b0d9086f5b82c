//! The arguments of a layer in a configuration: `{ max_pool = 2 }`, or a table of them, spelt as in PyTorch.

use serde_json::{Map, Value};

use crate::nearest::nearest;

/// Arguments by their names, all of which are known.
pub(super) struct Arguments {
    given: Map<String, Value>,
}

impl Arguments {
    /// From a table, or from the value of the main argument, which is the first name.
    pub(super) fn new(given: &Value, names: &[&str]) -> Result<Arguments, String> {
        let Value::Object(given) = given else {
            return Ok(Arguments { given: Map::from_iter([(names[0].to_owned(), given.clone())]) });
        };
        if let Some(name) = given.keys().find(|name| !names.contains(&name.as_str())) {
            let hint = match nearest(name, names.iter().copied()) {
                Some(near) => format!("did you mean {near:?}?"),
                None => format!("there is: {}", names.join(", ")),
            };
            return Err(format!("{name:?} is not a known argument; {hint}"));
        }
        Ok(Arguments { given: given.clone() })
    }

    /// A whole number from `least` on; `None` if it is not given.
    pub(super) fn whole(&self, name: &str, least: usize) -> Result<Option<usize>, String> {
        self.whole_up_to(name, least, MOST)
    }

    /// The same up to `most`.
    pub(super) fn whole_up_to(&self, name: &str, least: usize, most: usize) -> Result<Option<usize>, String> {
        let Some(value) = self.given.get(name) else { return Ok(None) };
        let found = whole(value, least, most)
            .ok_or_else(|| format!("{name} is {value}, but a whole number from {least} to {most} is wanted"))?;
        Ok(Some(found))
    }

    /// A number along both axes of an image, or `[height, width]`; `None` if it is not given.
    pub(super) fn pair(&self, name: &str, least: usize) -> Result<Option<[usize; 2]>, String> {
        let Some(value) = self.given.get(name) else { return Ok(None) };
        let pair = match value {
            Value::Array(pair) if pair.len() == 2 => [as_whole(&pair[0], least), as_whole(&pair[1], least)],
            one => [as_whole(one, least); 2],
        };
        let [Some(high), Some(wide)] = pair else {
            let wanted = format!("a whole number from {least} to {MOST}, or two as [height, width], are wanted");
            return Err(format!("{name} is {value}, but {wanted}"));
        };
        Ok(Some([high, wide]))
    }

    /// Yes or no; `None` if it is not given.
    pub(super) fn flag(&self, name: &str) -> Result<Option<bool>, String> {
        let Some(value) = self.given.get(name) else { return Ok(None) };
        value.as_bool().map(Some).ok_or_else(|| format!("{name} is {value}, but true or false is wanted"))
    }

    /// Yes, which stands for `yes`, no, or a number above 0; `None` if it is no or not given.
    pub(super) fn flag_or_positive(&self, name: &str, yes: f64) -> Result<Option<f64>, String> {
        match self.given.get(name).map(Value::as_bool) {
            Some(Some(flag)) => Ok(flag.then_some(yes)),
            _ => self.positive(name),
        }
    }

    /// A number above 0; `None` if it is not given.
    pub(super) fn positive(&self, name: &str) -> Result<Option<f64>, String> {
        let Some(value) = self.given.get(name) else { return Ok(None) };
        let found = value.as_f64().filter(|&found| found > 0.0 && (found as f32).is_finite() && found as f32 > 0.0);
        found.map(Some).ok_or_else(|| format!("{name} is {value}, but a number above 0 is wanted"))
    }
}

/// Most of a whole number.
const MOST: usize = 1 << 16;

fn as_whole(value: &Value, least: usize) -> Option<usize> {
    whole(value, least, MOST)
}

fn whole(value: &Value, least: usize, most: usize) -> Option<usize> {
    value.as_u64().and_then(|found| usize::try_from(found).ok()).filter(|found| (least..=most).contains(found))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const NAMES: [&str; 4] = ["kernel", "stride", "eps", "affine"];

    fn arguments(given: Value) -> Arguments {
        Arguments::new(&given, &NAMES).unwrap()
    }

    #[test]
    fn arguments_are_a_table_or_the_first_one_alone() {
        assert_eq!(arguments(json!(3)).pair("kernel", 1), Ok(Some([3, 3])));
        assert_eq!(arguments(json!([3, 2])).pair("kernel", 1), Ok(Some([3, 2])));
        let table = arguments(json!({ "kernel": [1, 4], "affine": true, "eps": 1e-3 }));
        assert_eq!((table.pair("kernel", 1), table.pair("stride", 1)), (Ok(Some([1, 4])), Ok(None)));
        assert_eq!((table.flag("affine"), table.positive("eps")), (Ok(Some(true)), Ok(Some(1e-3))));
    }

    #[test]
    fn what_is_wrong_is_said_in_a_sentence() {
        let unknown = Arguments::new(&json!({ "strid": 2 }), &NAMES).err().unwrap();
        assert_eq!(unknown, "\"strid\" is not a known argument; did you mean \"stride\"?");
        let wanted = "a whole number from 1 to 65536, or two as [height, width], are wanted";
        for wrong in [json!(0), json!([1]), json!([1, 2, 3]), json!("two"), json!(1.5), json!(-1), json!([2, 0])] {
            assert_eq!(arguments(wrong.clone()).pair("kernel", 1), Err(format!("kernel is {wrong}, but {wanted}")));
        }
        let wrong = arguments(json!({ "eps": 0, "affine": 1, "stride": -1 }));
        assert_eq!(wrong.positive("eps"), Err("eps is 0, but a number above 0 is wanted".to_owned()));
        assert_eq!(wrong.flag("affine"), Err("affine is 1, but true or false is wanted".to_owned()));
        assert_eq!(
            wrong.whole("stride", 1),
            Err("stride is -1, but a whole number from 1 to 65536 is wanted".to_owned())
        );
    }
}
