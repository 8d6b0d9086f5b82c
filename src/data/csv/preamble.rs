//! Lines before the first row: comments, and what separates the cells.

use std::io::Read;

use super::records::{Records, Stop};
use crate::data::table::Separator;

/// What the lines before the first row say.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Preamble {
    /// From a line such as `sep=;`, which spreadsheets write.
    pub separator: Option<Separator>,
    /// What was skipped.
    pub remark: Option<String>,
}

/// Goes to the first row, past blank lines, a first line `sep=;` and lines that begin with `#`. Where a separator follows the `#`, it
/// is the name of a column.
pub(super) fn preamble<R: Read>(records: &mut Records<R>) -> Result<Preamble, Stop> {
    let (mut separator, mut comments) = (None, 0u64);
    loop {
        let start = records.look("\"sep=;\"\r".len())?;
        match start {
            [b'\n' | b'\r', ..] => {}
            [b'#', next, ..] if b",;\t|".contains(next) => break,
            [b'#', ..] => comments += 1,
            _ if comments == 0 && separator.is_none() && said(start).is_some() => separator = said(start),
            _ => break,
        }
        records.skip_line()?;
    }
    let remark = match comments {
        0 => None,
        1 => Some("the first line begins with # and is left out".into()),
        _ => Some(format!("the first {comments} lines begin with # and are left out")),
    };
    Ok(Preamble { separator, remark })
}

/// The separator that a line names.
fn said(line: &[u8]) -> Option<Separator> {
    let (quote, line) = line.strip_prefix(b"\"").map_or((&b""[..], line), |line| (&b"\""[..], line));
    let (name, rest) = line.split_at_checked(4)?;
    let (separator, rest) = rest.split_first().filter(|_| name.eq_ignore_ascii_case(b"sep="))?;
    let rest = rest.strip_prefix(quote)?;
    let known = [Separator::Comma, Separator::Semicolon, Separator::Tab, Separator::Pipe];
    let separator = known.into_iter().find(|known| known.is(*separator))?;
    matches!(rest, [] | [b'\n' | b'\r', ..]).then_some(separator)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> (Option<Separator>, u64, String) {
        let mut records = Records::new(text.as_bytes(), Separator::Comma);
        let preamble = preamble(&mut records).unwrap_or_else(|_| panic!("{text:?}"));
        let rest = String::from_utf8(records.look(1000).unwrap().to_vec()).unwrap();
        assert!(matches!(records.advance(), Ok(true)));
        (preamble.separator, records.line, rest)
    }

    #[test]
    fn a_first_line_may_say_what_separates() {
        for line in ["sep=;\n", "SEP=;\r\n", "\"sep=;\"\r", "\n\nsep=;\n"] {
            let (separator, _, rest) = at(&format!("{line}a;b\n"));
            assert_eq!((separator, rest.as_str()), (Some(Separator::Semicolon), "a;b\n"), "{line:?}");
        }
        assert_eq!(at("sep=\t\r\na\n"), (Some(Separator::Tab), 2, "a\n".into()));
        for line in ["sep=;;\n", "sep=x\n", "sep\n", "sep=\n", "\"sep=;\n", "a\nsep=;\n"] {
            assert_eq!(at(line), (None, 1, line.into()), "{line:?}");
        }
    }

    #[test]
    fn comments_at_the_top_are_skipped() {
        assert_eq!(at("# one, two\r\n#\r\n\r\n# three\r\na,b\r\n"), (None, 5, "a,b\r\n".into()));
        assert_eq!(at("#,Name,Type\n1,2,3\n").1, 1);
        let mut records = Records::new(&b"# one\n# two\na\n"[..], Separator::Comma);
        let found = preamble(&mut records).unwrap_or_default();
        assert_eq!(found.remark.unwrap(), "the first 2 lines begin with # and are left out");
    }
}
