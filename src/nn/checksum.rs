//! A checksum over a description and the arrays with it, stored in the description itself.
//!
//! It is the XXH3 of 128 bits. It finds accidental damage (a flipped bit, a block of zeros); it is no signature, and prevents
//! no forgery. It is the first field of the description, the text of a JSON object, and covers all other characters of that
//! text as they are: `{"checksum":"<32 hex digits>","version":1,…}` for the text `{"version":1,…}`. A program that does not
//! know it reads one more field.

use xxhash_rust::xxh3::Xxh3;

use super::Arrays;

const BEFORE: &str = "{\"checksum\":\"";
const AFTER: &str = "\",";
const DIGITS: usize = 32;

/// The checksum of a text, and of each array's name, shape and numbers in the order of names, as 32 hex digits.
pub(crate) fn checksum(description: &str, arrays: &Arrays) -> String {
    let mut hash = Xxh3::new();
    // Each part is preceded by its length, so that no part can pass for the beginning of the next.
    let mut add = |bytes: &[u8]| {
        hash.update(&(bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    };
    add(description.as_bytes());
    for (name, array) in arrays {
        add(name.as_bytes());
        let shape: Vec<u8> = array.shape.iter().flat_map(|&size| (size as u64).to_le_bytes()).collect();
        add(&shape);
        add(bytemuck::cast_slice(&array.values));
    }
    format!("{:0DIGITS$x}", hash.digest128())
}

/// A description, a JSON object with at least one field, with the checksum added.
pub(crate) fn seal(description: &str, arrays: &Arrays) -> String {
    let fields = description.strip_prefix('{').unwrap_or(description);
    format!("{BEFORE}{}{AFTER}{fields}", checksum(description, arrays))
}

/// The checksum of a sealed text, if it has one, and the description without it.
pub(crate) fn unseal(text: &str) -> (Option<&str>, String) {
    let parts = || {
        let (digits, rest) = text.strip_prefix(BEFORE)?.split_at_checked(DIGITS)?;
        Some((digits, rest.strip_prefix(AFTER)?))
    };
    match parts() {
        Some((digits, fields)) => (Some(digits), format!("{{{fields}")),
        None => (None, text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::Array;

    fn arrays(name: &str, shape: &[usize], values: &[f32]) -> Arrays {
        Arrays::from([(name.to_owned(), Array { shape: shape.to_vec(), values: values.to_vec() })])
    }

    #[test]
    fn a_sealed_description_gives_itself_and_its_checksum_back() {
        let (text, arrays) = ("{\"version\":1}", arrays("w", &[2], &[1.0, 2.0]));
        let sealed = seal(text, &arrays);
        let (found, description) = unseal(&sealed);
        assert_eq!((found.unwrap(), description.as_str()), (checksum(text, &arrays).as_str(), text));
        let fields: serde_json::Value = serde_json::from_str(&sealed).unwrap();
        assert_eq!((fields["version"].as_u64(), fields["checksum"].as_str()), (Some(1), found));
        for other in ["", "{", text, "{\"checksum\":\"ü", "{\"checksum\":\"1234\",\"version\":1}"] {
            assert_eq!(unseal(other), (None, other.to_owned()));
        }
    }

    #[test]
    fn text_name_shape_and_numbers_all_count() {
        let sum = |text, name, shape: &[usize], values: &[f32]| checksum(text, &arrays(name, shape, values));
        let one = sum("{}", "w", &[1, 2], &[0.0, 1.0]);
        assert_eq!(one, sum("{}", "w", &[1, 2], &[0.0, 1.0]));
        // The format's own: files are kept for years.
        assert_eq!(one, "866184351feb378b18cf4f3eaadd4b5f");
        let others = [
            sum("{ }", "w", &[1, 2], &[0.0, 1.0]),
            sum("{}w", "", &[1, 2], &[0.0, 1.0]),
            sum("{}", "w", &[2, 1], &[0.0, 1.0]),
            sum("{}", "w", &[1, 2], &[-0.0, 1.0]),
        ];
        assert!(others.iter().all(|other| *other != one));
    }
}
