//! Sequences of tokens that lie in one line of them, and overlap or do not.

use super::Elements;
use crate::{Error, Result};

/// Where sequences lie in a line of tokens. The target of each token of a sequence is the token that follows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sequences {
    /// Tokens of a sequence.
    pub context: usize,
    /// Tokens from the beginning of one sequence to that of the next.
    pub stride: usize,
    /// How many there are. Where the last ones reach beyond the end of the line, nothing there counts.
    pub count: usize,
    /// How many of them an epoch has.
    pub epoch: usize,
    /// A token that is no target.
    pub ignore: Option<u32>,
}

impl Sequences {
    /// A text to train on: a sequence begins at each of its tokens. An epoch takes as many as lie end to end in it, from a
    /// beginning that is drawn anew for each epoch.
    ///
    /// # Errors
    /// [`Error::Data`] for fewer than two sequences of tokens.
    pub fn anywhere(tokens: usize, context: usize) -> Result<Sequences> {
        check(context)?;
        match (tokens / context).checked_sub(1) {
            Some(epoch @ 1..) => Ok(Sequences { context, stride: 1, count: tokens - context, epoch, ignore: None }),
            _ => {
                let message = format!(
                    "{tokens} tokens are too few to train on sequences of {context}; give {} or more, or a smaller context",
                    2 * context
                );
                Err(Error::data("text", message))
            }
        }
    }

    /// A text to measure a model on: sequences end to end from its first token, so that every token but the first is a target
    /// exactly once.
    ///
    /// # Errors
    /// [`Error::Data`] for fewer than two tokens.
    pub fn end_to_end(tokens: usize, context: usize) -> Result<Sequences> {
        check(context)?;
        if tokens < 2 {
            return Err(Error::data("text", format!("{tokens} tokens have none to predict; give two or more")));
        }
        let count = (tokens - 1).div_ceil(context);
        Ok(Sequences { context, stride: context, count, epoch: count, ignore: None })
    }

    /// Sequences by themselves: of each `context` tokens and the one behind them.
    ///
    /// # Errors
    /// [`Error::Data`] if the tokens are not whole sequences.
    pub fn apart(tokens: usize, context: usize) -> Result<Sequences> {
        check(context)?;
        let stride = context + 1;
        if tokens == 0 || !tokens.is_multiple_of(stride) {
            let message = format!("{tokens} tokens are no sequences of {context} and the token behind each");
            return Err(Error::data("tokens", message));
        }
        Ok(Sequences { context, stride, count: tokens / stride, epoch: tokens / stride, ignore: None })
    }

    /// The same with this many sequences in an epoch, if there are more.
    pub fn per_epoch(self, most: usize) -> Sequences {
        Sequences { epoch: self.epoch.min(most.max(1)), ..self }
    }

    /// In what order an epoch takes them: one of so many, each this far from the next, from a beginning below that.
    pub(crate) fn spacing(&self) -> (usize, usize) {
        match self.stride {
            1 if self.context > 1 => (self.count / self.context, self.context),
            _ => (self.count, 1),
        }
    }

    /// The tokens of some of them, the last one's target included, in a line of so many.
    pub(crate) fn range(&self, rows: std::ops::Range<usize>, tokens: usize) -> std::ops::Range<usize> {
        let end = rows.end.saturating_sub(1) * self.stride + self.context + 1;
        (rows.start * self.stride).min(tokens)..end.min(tokens)
    }

    /// Whether a line of so many tokens has a target for each sequence, and enough sequences for an epoch.
    pub(crate) fn fits(&self, tokens: usize) -> bool {
        let last = self.count.checked_sub(1).and_then(|last| last.checked_mul(self.stride));
        let lies = last.is_some_and(|begin| begin < tokens && begin + 1 < tokens);
        self.context > 0 && self.stride > 0 && lies && (1..=self.spacing().0).contains(&self.epoch)
    }

    /// How many tokens of a line that it fits are targets of its sequences.
    pub fn targets(&self, line: Elements) -> usize {
        let of = |row: usize| self.range(row..row + 1, line.len()).skip(1);
        (0..self.count).flat_map(of).filter(|&at| Some(line.at(at)) != self.ignore).count()
    }
}

fn check(context: usize) -> Result<()> {
    match context {
        0 => Err(Error::config("data.context", "0 is not a number of tokens; give 1 or more")),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_to_measure_on_have_each_token_once() {
        for tokens in 2..40 {
            for context in 1..12 {
                let all = Sequences::end_to_end(tokens, context).unwrap();
                let targets: Vec<usize> =
                    (0..all.count).flat_map(|row| all.range(row..row + 1, tokens).skip(1)).collect();
                assert!(targets.into_iter().eq(1..tokens), "{tokens} tokens, {context} in a sequence");
                assert!(all.fits(tokens));
            }
        }
    }

    #[test]
    fn sequences_to_train_on_are_whole_wherever_an_epoch_begins() {
        for tokens in 2..60 {
            for context in 1..12 {
                let Ok(all) = Sequences::anywhere(tokens, context) else {
                    assert!(tokens < 2 * context);
                    continue;
                };
                let (places, spacing) = all.spacing();
                assert_eq!((places, spacing), (if context == 1 { all.count } else { all.epoch }, context.max(1)));
                let last = (places - 1) * spacing + spacing - 1;
                assert!(last < all.count && all.range(last..last + 1, tokens).len() == context + 1);
            }
        }
    }

    #[test]
    fn what_is_too_short_or_no_sequence_is_refused() {
        assert!(Sequences::anywhere(15, 8).is_err() && Sequences::anywhere(16, 0).is_err());
        assert!(Sequences::end_to_end(1, 8).is_err());
        assert!(Sequences::apart(17, 8).is_err() && Sequences::apart(0, 8).is_err());
        let two = Sequences::apart(18, 8).unwrap();
        assert_eq!((two.count, two.range(1..2, 18)), (2, 9..18));
        assert_eq!(two.per_epoch(1).epoch, 1);
    }
}
