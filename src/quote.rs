//! Quotes foreign text in a message: on one line, not too long, and without anything that moves a cursor.

/// Text in quotes, with its control characters as escapes, cut after 40 characters.
pub(crate) fn shown(text: &str) -> String {
    const LONGEST: usize = 40;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{:?}…", &text[..end]),
        None => format!("{text:?}"),
    }
}

/// Another crate's message about a file, which may quote the file: on one line, cut after 300 characters.
pub(crate) fn line(message: &str) -> String {
    const LONGEST: usize = 300;
    let mut line: String = message.chars().take(LONGEST).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if message.chars().nth(LONGEST).is_some() {
        line.push('…');
    }
    line
}

/// One line of at most 60 characters of a user's text.
pub(crate) fn short(text: &str) -> String {
    const MOST: usize = 60;
    let mut line: String = text.chars().take(MOST).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(MOST).is_some() {
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_stranger_wrote_stays_on_one_short_line() {
        assert_eq!(shown("a\n\u{1b}[2Jb"), r#""a\n\u{1b}[2Jb""#);
        assert_eq!(shown(&"ü".repeat(50)), format!("\"{}\"…", "ü".repeat(40)));
        assert_eq!(line("a\r\nb"), "a  b");
        assert_eq!(line(&"x".repeat(9999)).chars().count(), 301);
    }
}
