//! Images that the model takes for something else, as pictures in the page itself.

use std::fmt::Write;

use super::text::{count, escape, percent};

/// Images of which the model says another class.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Gallery {
    /// How many there are.
    pub all: usize,
    /// Some of them, those first of which the model is most certain.
    pub pictures: Vec<Picture>,
}

/// One image.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Picture {
    /// As a PNG file.
    pub png: Vec<u8>,
    /// What it is.
    pub class: String,
    /// What the model says.
    pub said: String,
    /// The probability that the model gives to that.
    pub probability: f64,
}

/// The images with a line below each, as a `<figure>`; empty where none is misjudged.
pub fn figure(gallery: &Gallery) -> String {
    if gallery.pictures.is_empty() {
        return String::new();
    }
    let (shown, all) = (gallery.pictures.len(), count(gallery.all as u64));
    let which = match gallery.all {
        1 => "The only one that is taken for another class.".to_owned(),
        some if some == shown => format!("All {all} that are taken for another class."),
        _ => format!("{shown} of {all} that are taken for another class."),
    };
    let order = if shown > 1 { " Those of which the model is most certain come first." } else { "" };
    let key = "In bold what it is, then what the model says, and how likely it finds that.";
    let mut html = format!(
        "<figure class=\"gallery\">\n<figcaption><h2>Misjudged images</h2></figcaption>\n\
         <p class=\"remark\">{which}{order} {key}</p>\n<ul>\n"
    );
    for Picture { png, class, said, probability } in &gallery.pictures {
        let (class, said, png) = (escape(class), escape(said), base64(png));
        let _ = writeln!(
            html,
            "<li><img alt=\"{class}\" src=\"data:image/png;base64,{png}\"><b>{class}</b> <span>as {said}, {}</span></li>",
            percent(*probability)
        );
    }
    html + "</ul></figure>\n"
}

/// Bytes as text: six bits a letter, filled with `=`.
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let bits = three.iter().enumerate().fold(0u32, |bits, (at, &byte)| bits | u32::from(byte) << (16 - 8 * at));
        for letter in 0..4 {
            let filled = letter > three.len();
            text.push(if filled { '=' } else { char::from(LETTERS[(bits >> (18 - 6 * letter) & 63) as usize]) });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_become_the_text_that_the_standard_says() {
        for (bytes, text) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")] {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
        assert_eq!(base64(&[0xfb, 0xff]), "+/8=");
    }

    #[test]
    fn it_says_how_many_there_are_and_what_each_is_taken_for() {
        let picture = Picture { png: vec![1], class: "<4>".into(), said: "9".into(), probability: 0.875 };
        let of = |shown: usize, all| figure(&Gallery { all, pictures: vec![picture.clone(); shown] });
        assert_eq!(of(0, 0), "");
        assert!(of(1, 1).contains("The only one") && of(2, 2).contains("All 2 that"));
        let some = of(2, 30);
        assert!(some.contains("2 of 30 that") && some.matches("<img").count() == 2, "{some}");
        assert!(some.contains("<b>&lt;4&gt;</b> <span>as 9, 87.5"), "{some}");
    }
}
