//! One chart as a `<figure>`: caption with legend, an inline SVG, and a line that shows values.
//!
//! The SVG has no fixed size: places are percentages and curves live in a stretched 1000 × 1000 box whose strokes do
//! not scale, so that letters keep their size on a narrow screen and on paper. The margins are in the style sheet.

use std::fmt::Write;

use super::scale::{Scale, Tick, drawable, thin};
use super::text::escape;

/// Above this many points the marks would touch and only the line is drawn.
const MOST_MARKS: usize = 60;

/// Labels of an axis with more letters than this need a wide screen.
const MOST_LETTERS: usize = 24;

/// The mark that tells a line apart without colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// No mark: the line of many points.
    None,
    /// A disc on every point.
    Disc,
    /// A square on every point.
    Square,
    /// A dot on every point, however many there are, and no line.
    Cloud,
}

/// One curve.
#[derive(Clone, Debug)]
pub struct Line {
    /// Its name in the legend; without a name it is not listed.
    pub name: String,
    /// Its class in the style sheet: colour and width.
    pub class: &'static str,
    /// The mark on its points.
    pub mark: Mark,
    /// Its points, x ascending.
    pub points: Vec<(f64, f64)>,
}

impl Line {
    /// A curve through the drawable `points`.
    pub fn new(name: &str, class: &'static str, mark: Mark, points: impl Iterator<Item = (f64, f64)>) -> Self {
        Self { name: name.into(), class, mark, points: points.filter(|p| drawable(p.1)).collect() }
    }

    /// The mark really drawn: none for many points, some if a line of one point would be invisible.
    fn shown_mark(&self) -> Mark {
        match self.points.len() {
            1 if self.mark == Mark::None => Mark::Disc,
            n if n > MOST_MARKS && self.mark != Mark::Cloud => Mark::None,
            _ => self.mark,
        }
    }
}

/// A chart with all it shows.
#[derive(Clone, Debug)]
pub struct Chart {
    /// Unique in the page, used by the description.
    pub id: String,
    /// The heading.
    pub title: String,
    /// A description for readers who cannot see it.
    pub description: String,
    /// What the x axis counts.
    pub x_name: &'static str,
    /// Left to right.
    pub x: Scale,
    /// Bottom to top.
    pub y: Scale,
    /// A second scale along the upper edge, at values of x: its name and ticks.
    pub upper: Option<(&'static str, Vec<Tick>)>,
    /// The curves, the first lowest.
    pub lines: Vec<Line>,
    /// Texts at values of x, ascending.
    pub said: Vec<(f64, String)>,
    /// What shows while nothing is pointed at; without it the last of these texts.
    pub at_rest: Option<String>,
    /// A sentence below the chart.
    pub remark: String,
}

impl Chart {
    /// The chart as HTML.
    pub fn figure(&self) -> String {
        let mut html = String::from("<figure>\n<figcaption><h2>");
        let _ = write!(html, "{}", escape(&self.title));
        if self.y.log {
            html.push_str(" <small>log scale</small>");
        }
        let named = self.lines.iter().filter(|line| !line.name.is_empty());
        let legend: String = named.map(|line| format!("<li>{}{}</li>", legend_key(line), escape(&line.name))).collect();
        let legend = if legend.is_empty() { legend } else { format!("\n<ul class=\"legend\">{legend}</ul>") };
        let _ = writeln!(html, "</h2>{legend}</figcaption>\n<div class=\"plot\">{}</div>", self.svg());
        if let Some(text) = self.at_rest.as_ref().or(self.said.last().map(|(_, last)| last)) {
            let _ = writeln!(html, "<p class=\"said\">{}</p>", escape(text));
        }
        if !self.remark.is_empty() {
            let _ = writeln!(html, "<p class=\"remark\">{}</p>", escape(&self.remark));
        }
        html + "</figure>\n"
    }

    fn svg(&self) -> String {
        let id = escape(&self.id);
        let mut svg = format!(
            "<svg role=\"img\" aria-labelledby=\"{id}-title {id}-desc\">\n\
             <title id=\"{id}-title\">{}</title>\n<desc id=\"{id}-desc\">{}</desc>\n",
            escape(&self.title),
            escape(&self.description)
        );
        self.axes(&mut svg);
        svg.push_str("<svg viewBox=\"0 0 1000 1000\" preserveAspectRatio=\"none\" overflow=\"visible\">\n");
        for line in self.lines.iter().filter(|line| line.points.len() > 1 && line.mark != Mark::Cloud) {
            let _ = write!(svg, "<polyline class=\"{}\" points=\"", line.class);
            for (x, y) in thin(&line.points) {
                let _ = write!(svg, "{} {} ", short(1000.0 * self.x.at(x)), short(1000.0 - 1000.0 * self.y.at(y)));
            }
            svg.truncate(svg.trim_end().len());
            svg.push_str("\"/>\n");
        }
        svg.push_str("</svg>\n");
        for line in &self.lines {
            self.marks(&mut svg, line);
        }
        self.bands(&mut svg);
        svg + "</svg>"
    }

    /// Grid lines and labels. Those on the left hang out of the SVG into its margin.
    fn axes(&self, svg: &mut String) {
        for tick in &self.y.ticks {
            let y = short(100.0 - 100.0 * self.y.at(tick.value));
            let _ = write!(svg, "<line class=\"grid\" x2=\"100%\" y1=\"{y}%\" y2=\"{y}%\"/>");
            let _ = writeln!(svg, "<text class=\"y\" x=\"-10\" y=\"{y}%\" dy=\".35em\">{}</text>", escape(&tick.label));
        }
        let _ = writeln!(svg, "<text class=\"y\" x=\"-10\" y=\"100%\" dy=\"24\">{}</text>", escape(self.x_name));
        // Where labels are long, a narrow screen shows every other one.
        let letters: usize = self.x.ticks.iter().map(|tick| tick.label.chars().count()).sum();
        for (place, tick) in self.x.ticks.iter().enumerate() {
            let odd = letters > MOST_LETTERS && place % 2 == 1;
            self.x_tick(svg, tick, "100%", if odd { " odd" } else { "" }, 5, 24);
        }
        if let Some((name, ticks)) = &self.upper {
            let _ = writeln!(svg, "<text class=\"y\" x=\"-10\" y=\"0%\" dy=\"-14\">{}</text>", escape(name));
            for tick in ticks {
                self.x_tick(svg, tick, "0%", "", -5, -14);
            }
        }
    }

    /// A tick of `length` and its label, of a class, at distance `dy` from the edge at height `y`.
    fn x_tick(&self, svg: &mut String, tick: &Tick, y: &str, class: &str, length: i32, dy: i32) {
        let at = self.x.at(tick.value);
        let x = short(100.0 * at);
        // A long label at the very left would run into the name of the axis.
        let left = if at < 0.02 && tick.label.chars().count() > 2 { " left" } else { "" };
        let _ = write!(svg, "<svg class=\"tick\" x=\"{x}%\" y=\"{y}\"><line y2=\"{length}\"/></svg>");
        let label = escape(&tick.label);
        let _ = writeln!(svg, "<text class=\"x{left}{class}\" x=\"{x}%\" y=\"{y}\" dy=\"{dy}\">{label}</text>");
    }

    fn marks(&self, svg: &mut String, line: &Line) {
        if line.shown_mark() == Mark::None {
            return;
        }
        let cloud = if line.mark == Mark::Cloud { " cloud" } else { "" };
        let _ = write!(svg, "<g class=\"mark{cloud} {}\">", line.class);
        for (x, y) in &line.points {
            let (x, y) = (short(100.0 * self.x.at(*x)), short(100.0 - 100.0 * self.y.at(*y)));
            let _ = match line.shown_mark() {
                Mark::Square => write!(svg, "<rect x=\"{x}%\" y=\"{y}%\" width=\"6.5\" height=\"6.5\"/>"),
                _ => write!(svg, "<circle cx=\"{x}%\" cy=\"{y}%\" r=\"3.5\"/>"),
            };
        }
        svg.push_str("</g>\n");
    }

    /// One invisible vertical band per text; pointing at it shows the text.
    fn bands(&self, svg: &mut String) {
        let places: Vec<f64> = self.said.iter().map(|(x, _)| 100.0 * self.x.at(*x)).collect();
        for (i, (_, text)) in self.said.iter().enumerate() {
            let left = if i == 0 { 0.0 } else { (places[i - 1] + places[i]) / 2.0 };
            let right = places.get(i + 1).map_or(100.0, |next| (places[i] + next) / 2.0);
            let (x, width) = (short(left), short((right - left).max(0.0)));
            let text = escape(text);
            let _ = writeln!(
                svg,
                "<rect class=\"band\" x=\"{x}%\" width=\"{width}%\" height=\"100%\"><title>{text}</title></rect>"
            );
        }
    }
}

/// The line and its mark as they look in the chart, for the legend.
fn legend_key(line: &Line) -> String {
    let mark = match line.shown_mark() {
        Mark::None | Mark::Cloud => "",
        Mark::Disc => "<circle cx=\"13\" cy=\"6\" r=\"3.5\"/>",
        Mark::Square => "<rect x=\"13\" y=\"6\" width=\"6.5\" height=\"6.5\"/>",
    };
    let class = line.class;
    format!(
        "<svg class=\"key\" width=\"26\" height=\"12\" aria-hidden=\"true\"><polyline class=\"{class}\" \
         points=\"1 6 25 6\"/><g class=\"mark {class}\">{mark}</g></svg>"
    )
}

/// A coordinate with at most one digit after the point, and no more characters than it needs.
fn short(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map_or(text.clone(), String::from)
}

#[cfg(test)]
mod tests {
    use super::super::scale::Axis;
    use super::*;

    fn chart(points: &[(f64, f64)]) -> Option<Chart> {
        Some(Chart {
            id: "c".into(),
            title: "a < b".into(),
            description: "\"falls\" & falls".into(),
            x_name: "update",
            x: Scale::of_counts(1, 10),
            y: Scale::of_values(points.iter().map(|p| p.1), Axis::Value)?,
            upper: None,
            lines: vec![Line::new("one", "train", Mark::Disc, points.iter().copied())],
            said: points.iter().map(|p| (p.0, format!("update {}", p.0))).collect(),
            at_rest: None,
            remark: String::new(),
        })
    }

    #[test]
    fn titles_and_descriptions_are_escaped() {
        let html = chart(&[(1.0, 2.0)]).map(|c| c.figure()).unwrap_or_default();
        assert!(html.contains("a &lt; b") && html.contains("&quot;falls&quot; &amp; falls"));
        assert!(!html.contains("a < b"));
    }

    #[test]
    fn a_single_point_is_a_mark_without_a_line() {
        let svg = chart(&[(5.0, 2.0)]).map(|c| c.svg()).unwrap_or_default();
        assert!(svg.contains("<circle") && !svg.contains("<polyline"));
    }

    #[test]
    fn points_that_are_not_finite_are_left_out() {
        let chart = chart(&[(1.0, 2.0), (2.0, f64::NAN), (3.0, f64::INFINITY), (4.0, 1.0)]);
        assert_eq!(chart.as_ref().map(|c| c.lines[0].points.len()), Some(2));
        assert!(chart.is_some_and(|c| !c.svg().contains("NaN") && !c.svg().contains("inf")));
    }

    #[test]
    fn bands_tile_the_whole_width() {
        let svg = chart(&[(2.0, 2.0), (4.0, 1.0), (8.0, 1.0)]).map(|c| c.svg()).unwrap_or_default();
        for band in ["x=\"0%\" width=\"30%\"", "x=\"30%\" width=\"30%\"", "x=\"60%\" width=\"40%\""] {
            assert!(svg.contains(band), "{band} in {svg}");
        }
    }
}
