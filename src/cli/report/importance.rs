//! How much each column matters, as bars.

use std::fmt::Write;

use super::metrics;
use super::text::{count, escape};

/// The most columns with a bar.
const MOST_BARS: usize = 20;

/// How much each column matters.
#[derive(Clone, Debug, PartialEq)]
pub enum Importance {
    /// It was measured.
    Measured(Measured),
    /// It was not, and why: a sentence.
    LeftOut(String),
}

/// The permutation importance of columns.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Measured {
    /// The name of the metric.
    pub metric: String,
    /// Its value.
    pub value: f64,
    /// Each column, and the mean value with its cells shuffled.
    pub columns: Vec<(String, f64)>,
    /// How many rows were shuffled.
    pub rows: usize,
    /// How often.
    pub times: u64,
}

/// The section of the page.
pub fn section(importance: &Importance) -> String {
    let mut html = "<section><h2>Importance of columns</h2>\n".to_owned();
    match importance {
        Importance::LeftOut(why) => {
            let _ = writeln!(html, "<p class=\"remark\">{}</p>", escape(why));
        }
        Importance::Measured(measured) => bars(&mut html, measured),
    }
    html + "</section>\n"
}

fn bars(html: &mut String, measured: &Measured) {
    let mut columns: Vec<(&str, f64)> =
        measured.columns.iter().map(|(name, value)| (name.as_str(), loss(measured, *value))).collect();
    columns.sort_by(|one, other| other.1.total_cmp(&one.1));
    let most = columns.first().map_or(0.0, |(_, loss)| *loss);
    let _ = writeln!(html, "<p class=\"remark\">{}</p>\n<dl class=\"bars\">", escape(&explained(measured)));
    for (name, loss) in columns.iter().take(MOST_BARS) {
        let width = if most > 0.0 { (100.0 * loss / most).clamp(0.0, 100.0) } else { 0.0 };
        let (name, shown) = (escape(name), metrics::difference(&measured.metric, *loss));
        let _ = writeln!(
            html,
            "<div><dt>{name}</dt><dd><svg aria-hidden=\"true\"><rect width=\"{width:.1}%\" height=\"100%\"/></svg><span>{shown}</span></dd></div>"
        );
    }
    html.push_str("</dl>\n");
    if let Some((_, next)) = columns.get(MOST_BARS) {
        let (left, most) = (columns.len() - MOST_BARS, metrics::difference(&measured.metric, *next));
        let _ = writeln!(html, "<p class=\"remark\">{left} more columns matter less: {most} at most.</p>");
    }
}

/// How much is lost: a metric that is to be low rises, others fall.
fn loss(measured: &Measured, value: f64) -> f64 {
    if metrics::is_error(&measured.metric) { value - measured.value } else { measured.value - value }
}

fn explained(measured: &Measured) -> String {
    let (name, value) = metrics::words(&measured.metric, measured.value);
    let falls = if metrics::is_error(&measured.metric) { "rises" } else { "falls" };
    let times = match measured.times {
        1 => "once".to_owned(),
        times => format!("{times} times"),
    };
    let rows = count(measured.rows as u64);
    format!(
        "How far {name}, {value} on {rows} validation rows, {falls} when the cells of a column are shuffled among them, {times} each. \
         Columns that say the same stand in for each other."
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(metric: &str, value: f64, columns: &[(&str, f64)]) -> String {
        let columns = columns.iter().map(|(name, value)| (name.to_string(), *value)).collect();
        let html =
            section(&Importance::Measured(Measured { metric: metric.into(), value, columns, rows: 90, times: 5 }));
        html.replace('\u{202f}', " ")
    }

    #[test]
    fn columns_come_in_the_order_of_their_importance() {
        let html = measured("accuracy", 0.9, &[("noise", 0.91), ("<age>", 0.8), ("sex", 0.6)]);
        let at = |text: &str| html.find(text).unwrap_or_else(|| panic!("{text}: {html}"));
        assert!(at("<dt>sex</dt>") < at("<dt>&lt;age&gt;</dt>") && at("&lt;age&gt;") < at("<dt>noise</dt>"));
        assert!(
            html.contains("width=\"100.0%\"") && html.contains("width=\"33.3%\"") && html.contains("width=\"0.0%\"")
        );
        assert!(html.contains("30.0 %") && html.contains("10.0 %") && html.contains("−1.0 %"), "{html}");
        assert!(html.contains("accuracy, 90.0 % on 90 validation rows, falls"));
    }

    #[test]
    fn an_error_rises() {
        let html = measured("rmse", 2.0, &[("a", 5.0), ("b", 2.0)]);
        assert!(
            html.contains("RMSE, 2.000 on 90 validation rows, rises") && html.contains("</svg><span>3.000"),
            "{html}"
        );
    }

    #[test]
    fn of_many_columns_the_first_have_bars_and_nothing_matters_without_harm() {
        let columns: Vec<(&str, f64)> = (0..40).map(|_| ("x", 0.5)).collect();
        let html = measured("accuracy", 0.5, &columns);
        assert!(html.matches("<dt>").count() == MOST_BARS && html.contains("20 more columns matter less: 0.0 %"));
        assert!(!html.contains("NaN"));
    }
}
