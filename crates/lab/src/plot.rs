//! Plots of claims, as SVG: axes with round numbers, lines, dots, a legend. Readable on a slide, and small.

use crate::claim::Row;
use std::fmt::Write;

/// A plot.
#[derive(Clone, PartialEq, Debug)]
pub struct Plot {
    /// Above it.
    pub title: String,
    /// Below the horizontal axis, with the unit.
    pub x_label: String,
    /// Beside the vertical axis, with the unit.
    pub y_label: String,
    /// Whether the horizontal axis is logarithmic; then every x is positive.
    pub x_logarithmic: bool,
    /// The highest value of the vertical axis, which begins at 0; by default taken from the data.
    pub y_most: Option<f64>,
    /// The data.
    pub series: Vec<Series>,
}

/// One line of the legend.
#[derive(Clone, PartialEq, Debug)]
pub struct Series {
    /// Its name; empty where it is what is expected of the series before it.
    pub name: String,
    /// The style.
    pub mark: Mark,
    /// Its points, from left to right.
    pub points: Vec<(f64, f64)>,
}

/// How a series is drawn.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mark {
    /// A line from point to point.
    Line,
    /// The same, dashed: for what is expected.
    Dashes,
    /// A dot at each point.
    Dots,
}

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 440.0;
const LEFT: f64 = 76.0;
const RIGHT: f64 = 200.0;
const TOP: f64 = 48.0;
const BOTTOM: f64 = 62.0;
const TICKS: f64 = 6.0;

/// Colours that most eyes distinguish, also in print (Okabe and Ito 2008).
const COLOURS: [&str; 7] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000"];

/// The expected values (dashes) and the measured ones (dots) against one parameter, for a claim whose rows come value
/// by value of the parameter, each with the same series.
#[derive(Clone, Copy, Debug)]
pub struct Against<'a> {
    /// Above it.
    pub title: &'a str,
    /// The parameter, with its unit.
    pub x_label: &'a str,
    /// The quantity, with its unit.
    pub y_label: &'a str,
    /// The values of the parameter, in the order of the rows.
    pub values: &'a [f64],
    /// The rows of each value, in their order; a row without a name is left out.
    pub names: &'a [&'a str],
}

impl Against<'_> {
    /// The picture of these rows.
    ///
    /// # Panics
    /// When there are not as many rows as values and names say.
    pub fn svg(&self, rows: &[Row]) -> String {
        assert_eq!(rows.len(), self.values.len() * self.names.len(), "rows of {}", self.title);
        let mut series = Vec::new();
        for (place, name) in self.names.iter().enumerate().filter(|(_, name)| !name.is_empty()) {
            let points = |of: fn(&Row) -> f64| {
                let rows = rows.iter().skip(place).step_by(self.names.len());
                self.values.iter().copied().zip(rows.map(of)).collect()
            };
            series.push(Series { name: name.to_string(), mark: Mark::Dots, points: points(|row| row.measured) });
            series.push(Series { name: String::new(), mark: Mark::Dashes, points: points(|row| row.expected) });
        }
        let (title, x_label, y_label) = (self.title.into(), self.x_label.into(), self.y_label.into());
        Plot { title, x_label, y_label, x_logarithmic: false, y_most: None, series }.svg()
    }
}

impl Plot {
    /// The picture.
    ///
    /// # Panics
    /// When there is no point to draw.
    pub fn svg(&self) -> String {
        let axes = Axes::of(self);
        let mut out = String::new();
        let _ = writeln!(
            out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
             font-family=\"sans-serif\" font-size=\"14\">\n\
             <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"white\"/>"
        );
        text(&mut out, (LEFT, TOP - 20.0), "start", 17, &self.title);
        self.draw_grid(&axes, &mut out);
        let mut named = 0;
        for series in &self.series {
            // A series without a name belongs to the one before it.
            named += usize::from(!series.name.is_empty());
            let colour = COLOURS[named.saturating_sub(1) % COLOURS.len()];
            draw_series(series, colour, &axes, &mut out);
            if !series.name.is_empty() {
                draw_legend(series, colour, named - 1, &mut out);
            }
        }
        if self.series.iter().any(|series| series.name.is_empty()) {
            let expected = Series { name: "expected".into(), mark: Mark::Dashes, points: Vec::new() };
            draw_legend(&expected, "#777777", named, &mut out);
        }
        out.push_str("</svg>\n");
        out
    }

    fn draw_grid(&self, axes: &Axes, out: &mut String) {
        let (bottom, right) = (HEIGHT - BOTTOM, WIDTH - RIGHT);
        for x in axes.x_ticks() {
            let at = axes.x(x);
            line(out, (at, TOP), (at, bottom), "#dddddd");
            text(out, (at, bottom + 20.0), "middle", 13, &number(x));
        }
        for y in ticks(0.0, axes.y_most) {
            let at = axes.y(y);
            line(out, (LEFT, at), (right, at), "#dddddd");
            text(out, (LEFT - 8.0, at + 4.0), "end", 13, &number(y));
        }
        line(out, (LEFT, bottom), (right, bottom), "black");
        line(out, (LEFT, TOP), (LEFT, bottom), "black");
        text(out, ((LEFT + right) / 2.0, HEIGHT - 18.0), "middle", 14, &self.x_label);
        let middle = (TOP + bottom) / 2.0;
        let _ = writeln!(
            out,
            "<text transform=\"translate(20 {middle}) rotate(-90)\" text-anchor=\"middle\">{}</text>",
            escaped(&self.y_label)
        );
    }
}

/// From values to places.
struct Axes {
    x_least: f64,
    x_most: f64,
    y_most: f64,
    is_logarithmic: bool,
}

impl Axes {
    fn of(plot: &Plot) -> Axes {
        let points = || plot.series.iter().flat_map(|series| &series.points);
        assert!(points().next().is_some(), "a plot of nothing: {}", plot.title);
        let x_least = points().map(|(x, _)| *x).fold(f64::INFINITY, f64::min);
        let x_most = points().map(|(x, _)| *x).fold(f64::NEG_INFINITY, f64::max);
        let highest = points().map(|(_, y)| *y).fold(0.0, f64::max);
        let y_most = plot.y_most.unwrap_or(highest * 1.1).max(f64::MIN_POSITIVE);
        let is_logarithmic = plot.x_logarithmic;
        assert!(!is_logarithmic || x_least > 0.0, "logarithms of what is not positive: {}", plot.title);
        let (x_least, x_most) = match is_logarithmic {
            true => (x_least, x_most.max(x_least * 2.0)),
            false if x_most > x_least => (x_least.min(0.0), x_most),
            false => (x_least.min(0.0), x_least + 1.0),
        };
        Axes { x_least, x_most, y_most, is_logarithmic }
    }

    fn x(&self, value: f64) -> f64 {
        let share = match self.is_logarithmic {
            true => binary_logarithm(value / self.x_least) / binary_logarithm(self.x_most / self.x_least),
            false => (value - self.x_least) / (self.x_most - self.x_least),
        };
        LEFT + share.clamp(0.0, 1.0) * (WIDTH - LEFT - RIGHT)
    }

    fn y(&self, value: f64) -> f64 {
        let bottom = HEIGHT - BOTTOM;
        bottom - (value / self.y_most).clamp(0.0, 1.0) * (bottom - TOP)
    }

    /// Round numbers: 1, 2 and 5 of each power of ten where the axis is logarithmic.
    fn x_ticks(&self) -> Vec<f64> {
        if !self.is_logarithmic {
            return ticks(self.x_least, self.x_most);
        }
        let mut decade = 1e-6;
        let mut found = Vec::new();
        while decade <= self.x_most {
            found.extend([1.0, 2.0, 5.0].map(|digit| digit * decade));
            decade *= 10.0;
        }
        found.retain(|tick| (self.x_least..=self.x_most).contains(tick));
        found
    }
}

/// Round numbers from `least` to `most`, six or so.
fn ticks(least: f64, most: f64) -> Vec<f64> {
    let rough = (most - least) / TICKS;
    let mut decade = 1e-9;
    while decade * 10.0 <= rough {
        decade *= 10.0;
    }
    let step = [1.0, 2.0, 5.0, 10.0].map(|digit| digit * decade).into_iter().find(|step| *step >= rough);
    let step = step.unwrap_or(decade * 10.0);
    let first = (least / step).ceil() as i64;
    let last = (most / step + 1e-9).floor() as i64;
    (first..=last).map(|count| count as f64 * step).collect()
}

/// The logarithm to base two, exact enough for a picture: bit by bit, the same on every machine.
fn binary_logarithm(mut value: f64) -> f64 {
    let mut whole = 0.0;
    while value >= 2.0 {
        value /= 2.0;
        whole += 1.0;
    }
    while value < 1.0 {
        value *= 2.0;
        whole -= 1.0;
    }
    let mut bit = 0.5;
    for _ in 0..24 {
        value *= value;
        if value >= 2.0 {
            value /= 2.0;
            whole += bit;
        }
        bit /= 2.0;
    }
    whole
}

fn draw_series(series: &Series, colour: &str, axes: &Axes, out: &mut String) {
    if series.mark == Mark::Dots {
        for (x, y) in &series.points {
            let _ =
                writeln!(out, "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"4\" fill=\"{colour}\"/>", axes.x(*x), axes.y(*y));
        }
        return;
    }
    let points: Vec<String> =
        series.points.iter().map(|(x, y)| format!("{:.1},{:.1}", axes.x(*x), axes.y(*y))).collect();
    let dashes = if series.mark == Mark::Dashes { " stroke-dasharray=\"6 5\"" } else { "" };
    let _ = writeln!(
        out,
        "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"{dashes}/>",
        points.join(" ")
    );
}

fn draw_legend(series: &Series, colour: &str, place: usize, out: &mut String) {
    let (x, y) = (WIDTH - RIGHT + 14.0, TOP + 12.0 + 22.0 * place as f64);
    match series.mark {
        Mark::Dots => {
            let _ = writeln!(out, "<circle cx=\"{}\" cy=\"{y}\" r=\"4\" fill=\"{colour}\"/>", x + 11.0);
        }
        mark => {
            let dashes = if mark == Mark::Dashes { " stroke-dasharray=\"6 5\"" } else { "" };
            let _ = writeln!(
                out,
                "<line x1=\"{x}\" y1=\"{y}\" x2=\"{}\" y2=\"{y}\" stroke=\"{colour}\" stroke-width=\"2\"{dashes}/>",
                x + 22.0
            );
        }
    }
    text(out, (x + 30.0, y + 4.0), "start", 13, &series.name);
}

fn line(out: &mut String, from: (f64, f64), to: (f64, f64), colour: &str) {
    let _ = writeln!(
        out,
        "<line x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\" stroke=\"{colour}\"/>",
        from.0, from.1, to.0, to.1
    );
}

fn text(out: &mut String, at: (f64, f64), anchor: &str, size: u32, text: &str) {
    let _ = writeln!(
        out,
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\" font-size=\"{size}\">{}</text>",
        at.0,
        at.1,
        escaped(text)
    );
}

/// Text, escaped for a picture.
pub(crate) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// A number with as many digits, of three, as tell something.
pub(crate) fn number(value: f64) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plot(x_logarithmic: bool) -> Plot {
        let series = |name: &str, mark| Series { name: name.into(), mark, points: vec![(8.0, 1.0), (56.0, 1.6)] };
        Plot {
            title: "a < b".into(),
            x_label: "N".into(),
            y_label: "periods".into(),
            x_logarithmic,
            y_most: None,
            series: vec![series("measured", Mark::Dots), series("expected", Mark::Dashes)],
        }
    }

    #[test]
    fn every_series_is_drawn_and_named_and_text_is_escaped() {
        for x_logarithmic in [false, true] {
            let svg = plot(x_logarithmic).svg();
            assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
            assert_eq!(svg.matches("<circle").count(), 3, "two points, and one in the legend");
            assert_eq!(svg.matches("stroke-dasharray").count(), 2);
            assert!(svg.contains("a &lt; b") && svg.contains(">measured<") && svg.contains(">expected<"));
            assert!(!svg.contains("NaN") && !svg.contains("inf"));
        }
    }

    #[test]
    fn a_claim_is_drawn_against_its_parameter_as_far_as_it_was_measured() {
        let row = |expected: f64| Row {
            label: String::new(),
            expected,
            measured: expected,
            tolerance: crate::claim::Tolerance::Exact,
            unit: "calls",
            over: String::new(),
        };
        let (values, names) = (&[0.1, 0.3], &["attempts", ""]);
        let against = Against { title: "calls", x_label: "p", y_label: "calls", values, names };
        let svg = against.svg(&[row(1.2), row(9.0), row(2.0), row(9.0)]);
        assert!(svg.contains(">attempts<") && svg.contains(">expected<") && svg.contains(">0.3<"), "{svg}");
        assert!(!svg.contains(">0.4<") && !svg.contains(">8<"), "more than was measured: {svg}");
    }

    #[test]
    fn ticks_are_round_and_few() {
        assert_eq!(ticks(0.0, 1.76), [0.0, 0.5, 1.0, 1.5]);
        assert_eq!(ticks(0.0, 56.0), [0.0, 10.0, 20.0, 30.0, 40.0, 50.0]);
        assert_eq!(ticks(0.0, 100.0), [0.0, 20.0, 40.0, 60.0, 80.0, 100.0]);
        assert!((binary_logarithm(10.0) - core::f64::consts::LOG2_10).abs() < 1e-5);
    }
}
