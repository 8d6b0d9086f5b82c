//! What a model of texts wrote while it was trained.

use std::fmt::Write;

use super::text::escape;
use crate::run::{WRITTEN, Written};

/// The most texts that are shown: the first, the last, and some between them.
const MOST: usize = 6;

/// The section; empty without texts.
pub fn section(all: &[Written]) -> String {
    if all.is_empty() {
        return String::new();
    }
    let mut html = format!(
        "<section class=\"written\"><h2>What the model wrote</h2>\n\
         <p class=\"remark\">{WRITTEN} tokens each, drawn as the model expects them.</p>\n"
    );
    let (count, last) = (all.len().min(MOST), all.len() - 1);
    for at in 0..count {
        let Written { epoch, text } = &all[last * at / (count - 1).max(1)];
        let _ = writeln!(html, "<h3>after epoch {epoch}</h3>\n<pre>{}</pre>", escape(text));
    }
    html + "</section>\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_and_the_last_are_always_shown() {
        let of =
            |count: u32| section(&(1..=count).map(|epoch| Written { epoch, text: "a<b".into() }).collect::<Vec<_>>());
        assert_eq!(of(0), "");
        assert!(of(1).contains("after epoch 1<") && of(1).contains("a&lt;b"));
        let many = of(40);
        assert_eq!(many.matches("<pre>").count(), MOST);
        assert!(many.contains("after epoch 1<") && many.contains("after epoch 40<"));
    }
}
