//! The area under the ROC curve, by ranks.

/// The most scores that are kept: 32 MiB of them. With more, the area is left out.
const MOST: usize = 1 << 22;

/// Each row's scores, kept until all rows are there.
#[derive(Clone, Debug, Default)]
pub(super) struct Scores {
    /// (rows, columns).
    scores: Vec<f64>,
    labels: Vec<u32>,
    weights: Vec<f32>,
    /// There were too many, or one that is no number.
    lost: bool,
}

/// The scores of a row: one for two classes, otherwise one for each class.
fn columns(classes: usize) -> usize {
    if classes == 2 { 1 } else { classes }
}

/// Whether the scores of so many rows can be kept.
pub fn can_be_ranked(rows: usize, classes: usize) -> bool {
    rows.saturating_mul(columns(classes)) <= MOST
}

impl Scores {
    /// Adds a row by its logits. The score of a class is the logarithm of its odds: it orders rows as the probability does, but
    /// does not end at 1.
    pub fn add(&mut self, logits: &[f32], classes: usize, label: u32, weight: f32) {
        if self.lost {
            return;
        }
        let from = self.scores.len();
        match logits {
            [logit] => self.scores.push(f64::from(*logit)),
            [no, yes] => self.scores.push(f64::from(*yes) - f64::from(*no)),
            logits => log_odds(logits, &mut self.scores),
        }
        self.labels.push(label);
        self.weights.push(weight);
        if self.scores[from..].iter().any(|score| score.is_nan()) || !can_be_ranked(self.labels.len(), classes) {
            *self = Scores { lost: true, ..Scores::default() };
        }
    }

    /// The area for two classes; for more the mean over the classes that some rows have and others do not. `None` if there is
    /// no such class.
    pub fn area(&self, classes: usize) -> Option<f64> {
        let columns = columns(classes);
        let of = |column: usize| {
            let class = if columns == 1 { 1 } else { column as u32 };
            let rows = self.scores.chunks_exact(columns).zip(&self.labels).zip(&self.weights);
            area(rows.map(|((scores, &label), &weight)| Row {
                score: scores[column],
                is_of_class: label == class,
                weight: f64::from(weight),
            }))
        };
        let areas: Vec<f64> = (0..columns).filter_map(of).collect();
        (!areas.is_empty()).then(|| areas.iter().sum::<f64>() / areas.len() as f64)
    }
}

/// log p / (1 - p) of each class.
fn log_odds(logits: &[f32], into: &mut Vec<f64>) {
    let most = logits.iter().fold(f64::NEG_INFINITY, |most, &logit| most.max(f64::from(logit)));
    let power = |logit: f32| (f64::from(logit) - most).exp();
    let sum: f64 = logits.iter().map(|&logit| power(logit)).sum();
    for (class, &logit) in logits.iter().enumerate() {
        let own = power(logit);
        // The sum without a term that is most of it would be rounding alone.
        let others = if 2.0 * own < sum {
            sum - own
        } else {
            logits.iter().enumerate().filter(|&(other, _)| other != class).map(|(_, &logit)| power(logit)).sum()
        };
        into.push(f64::from(logit) - most - others.ln());
    }
}

/// A row in the eyes of one class.
struct Row {
    score: f64,
    is_of_class: bool,
    weight: f64,
}

/// The share of pairs, one row of the class and one of the others, in which the first has the higher score; equal scores count
/// half. A pair weighs as much as the product of its rows' weights.
fn area(rows: impl Iterator<Item = Row>) -> Option<f64> {
    let mut rows: Vec<Row> = rows.collect();
    rows.sort_by(|one, other| one.score.total_cmp(&other.score));
    // The weights of both kinds among the rows with lower scores.
    let (mut of_class, mut others, mut pairs) = (0.0, 0.0, 0.0);
    for equal in rows.chunk_by(|one, other| one.score == other.score) {
        let weight =
            |wanted: bool| -> f64 { equal.iter().filter(|row| row.is_of_class == wanted).map(|row| row.weight).sum() };
        let (own, other) = (weight(true), weight(false));
        pairs += own * (others + other / 2.0);
        of_class += own;
        others += other;
    }
    (of_class > 0.0 && others > 0.0).then(|| pairs / (of_class * others))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(rows: &[(f32, u32, f32)]) -> Option<f64> {
        let mut scores = Scores::default();
        rows.iter().for_each(|&(logit, label, weight)| scores.add(&[logit], 2, label, weight));
        scores.area(2)
    }

    #[test]
    fn equal_scores_count_half_and_rows_by_their_weight() {
        assert_eq!(of(&[(0.1, 0, 1.0), (0.4, 0, 1.0), (0.35, 1, 1.0), (0.8, 1, 1.0)]), Some(0.75));
        assert_eq!(of(&[(0.0, 0, 1.0), (-0.0, 1, 1.0)]), Some(0.5));
        // A row of weight 2 is two rows.
        let twice = of(&[(1.0, 0, 1.0), (2.0, 1, 1.0), (2.0, 1, 1.0), (0.5, 1, 1.0)]);
        assert_eq!(of(&[(1.0, 0, 1.0), (2.0, 1, 2.0), (0.5, 1, 1.0)]), twice);
    }

    #[test]
    fn one_class_alone_or_a_score_that_is_no_number_has_no_area() {
        assert_eq!(of(&[(0.1, 1, 1.0), (0.4, 1, 1.0)]), None);
        assert_eq!(of(&[(0.1, 1, 1.0), (f32::NAN, 0, 1.0), (0.4, 0, 1.0)]), None);
    }

    #[test]
    fn classes_that_are_nearly_sure_are_still_ordered() {
        let mut found = Vec::new();
        // Both probabilities are 1 in f64.
        log_odds(&[50.0, 0.0, 0.0], &mut found);
        log_odds(&[60.0, 0.0, 0.0], &mut found);
        assert!((found[0] - (50.0 - 2f64.ln())).abs() < 1e-12 && (found[3] - (60.0 - 2f64.ln())).abs() < 1e-12);
        assert!((found[1] + 50.0).abs() < 1e-12, "{found:?}");
    }

    #[test]
    fn too_many_scores_are_not_kept() {
        assert!(can_be_ranked(MOST, 2) && !can_be_ranked(MOST + 1, 2) && !can_be_ranked(usize::MAX, 3));
        let (classes, mut scores) = (MOST / 4, Scores::default());
        let logits = vec![0.0; classes];
        (0..5).for_each(|row| scores.add(&logits, classes, row, 1.0));
        assert!(scores.lost && scores.scores.is_empty() && scores.area(classes).is_none());
    }
}
