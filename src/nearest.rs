//! "Did you mean …?": the known word that is nearest to one that is not known.

/// The nearest of `known` to `word`, if one is near enough to be a slip of the fingers.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .filter_map(|candidate| Some((closeness(word, candidate)?, candidate)))
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, candidate)| candidate)
}

/// The distance of two words in any letter case, or `None` when more than a third of the letters differ.
pub fn closeness(word: &str, known: &str) -> Option<usize> {
    let (a, b) = (letters(word), letters(known));
    let limit = a.len().max(b.len()) / 3;
    if a.len().abs_diff(b.len()) > limit {
        return None;
    }
    Some(distance(&a, &b)).filter(|&distance| distance <= limit)
}

fn letters(word: &str) -> Vec<char> {
    word.chars().flat_map(char::to_lowercase).collect()
}

/// How many letters to insert, delete, replace or swap with their neighbour to make `b` of `a`.
fn distance(a: &[char], b: &[char]) -> usize {
    // Three rows of the table: `row[j]` is the distance of the first `i` letters of `a` to the first `j` of `b`.
    let (mut before, mut above, mut row) =
        (vec![0; b.len() + 1], vec![0; b.len() + 1], (0..=b.len()).collect::<Vec<_>>());
    for i in 1..=a.len() {
        (before, above, row) = (above, row, before);
        row[0] = i;
        for j in 1..=b.len() {
            let replaced = above[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = replaced.min(above[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn between(a: &str, b: &str) -> usize {
        distance(&letters(a), &letters(b))
    }

    #[test]
    fn inserting_deleting_replacing_and_swapping_count_one_each() {
        assert_eq!(between("batch", "batch"), 0);
        assert_eq!(between("bach", "batch"), 1);
        assert_eq!(between("batcch", "batch"), 1);
        assert_eq!(between("batsh", "batch"), 1);
        assert_eq!(between("trian", "train"), 1);
        assert_eq!(between("", "seed"), 4);
        assert_eq!(between("seed", ""), 4);
        assert_eq!(between("kitten", "sitting"), 3);
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
