//! "Did you mean …?": the known word that is nearest to one that is not known.

/// Returns the nearest of `known` to `word`, if one is near enough to be a slip of the fingers.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .filter_map(|candidate| Some((closeness(word, candidate)?, candidate)))
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, candidate)| candidate)
}

/// Returns how many letters to insert, delete, replace or swap with their neighbour to make one word of the other, in any
/// letter case, or `None` when that is more than a third of the letters.
pub fn closeness(word: &str, known: &str) -> Option<usize> {
    let (a, b) = (word.to_lowercase(), known.to_lowercase());
    let (a_letters, b_letters) = (a.chars().count(), b.chars().count());
    let limit = a_letters.max(b_letters) / 3;
    // First, because the distance of long texts takes long.
    if a_letters.abs_diff(b_letters) > limit {
        return None;
    }
    Some(strsim::osa_distance(&a, &b)).filter(|&distance| distance <= limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inserting_deleting_replacing_and_swapping_count_one_each() {
        assert_eq!(closeness("batch", "batch"), Some(0));
        assert_eq!(closeness("bach", "batch"), Some(1));
        assert_eq!(closeness("batcch", "batch"), Some(1));
        assert_eq!(closeness("batsh", "batch"), Some(1));
        assert_eq!(closeness("trian", "train"), Some(1));
        assert_eq!(closeness("micro_bacth_", "micro_batch"), Some(2));
        assert_eq!(closeness("kitten", "sitting"), None, "3 of 7 letters");
    }

    #[test]
    fn a_slip_finds_its_word_in_any_letter_case() {
        let known = ["relu", "leaky_relu", "tanh", "sigmoid"];
        assert_eq!(nearest("ReLU", known), Some("relu"));
        assert_eq!(nearest("LeakyReLU", known), Some("leaky_relu"));
        assert_eq!(nearest("tahn", known), Some("tanh"));
    }

    #[test]
    fn a_word_that_is_near_to_nothing_finds_nothing() {
        assert_eq!(nearest("softmax", ["relu", "tanh"]), None);
        assert_eq!(nearest("x", ["lr"]), None);
        assert_eq!(nearest("", ["seed"]), None);
        assert_eq!(nearest("seed", []), None);
        assert_eq!(nearest(&"batch".repeat(100_000), ["batch"]), None);
    }
}
