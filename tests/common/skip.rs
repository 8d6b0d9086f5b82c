//! What a test says where something is missing that a machine need not have.

use std::io::Write;

/// Says, past what the test runner captures, that a test was left out because `thing` is not there: a line `skipped: THING: WHY`.
///
/// Fails where `ACCRUE_REQUIRE` names the thing, as in `ACCRUE_REQUIRE=tint,dawn`. What every machine of a kind has, no test skips.
pub fn skip(thing: &str, why: &str) {
    let required = std::env::var("ACCRUE_REQUIRE").unwrap_or_default();
    let required = required.split(',').any(|required| required.trim() == thing);
    assert!(!required, "{thing}: {why}, and ACCRUE_REQUIRE names it");
    let _ = writeln!(std::io::stderr(), "skipped: {thing}: {why}");
}
