//! Everything around the arrows: faults and their ends, silences, times, the page.

use super::space::{Area, BOLD, Face, Line, PLAIN, width_of};
use super::{BAD, COLOURS, Drawn, GOOD, LEFT, LEGIBLE, Picture, QUIET, TITLE, escaped};
use crate::diagram::{LeftOut, Row, Tone};
use std::collections::BTreeMap;
use std::fmt::Write;
use volvox_core::Instant;

const TITLE_FACE: Face = Face { size: 28.0, is_bold: true };
const BAR_FACE: Face = Face { size: 17.0, is_bold: true };

impl Picture<'_> {
    pub(super) fn bar_lines(&self, text: &str) -> Vec<String> {
        Picture::wrapped(text, BAR_FACE, self.right() - LEFT - 24.0)
    }

    pub(super) fn bar(&mut self, y: f64, text: &str, tone: Tone) {
        let (colour, width) = match tone {
            Tone::Bad => (BAD, 3.0),
            Tone::Good => (GOOD, 3.0),
            Tone::Broken => (BAD, 8.0),
        };
        let right = self.right();
        let _ = write!(
            self.lines,
            "<line x1=\"{LEFT:.1}\" y1=\"{y:.1}\" x2=\"{right:.1}\" y2=\"{y:.1}\" stroke=\"{colour}\" stroke-width=\"{width}\"/>"
        );
        let lines = self.bar_lines(text);
        let wide = lines.iter().map(|line| width_of(line, BAR_FACE)).fold(0.0, f64::max) + 20.0;
        let high = 4.0 + 22.0 * lines.len() as f64;
        let area = Area { left: right - wide, top: y - 13.0, right, bottom: y - 13.0 + high };
        let _ = write!(
            self.text,
            "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{wide:.1}\" height=\"{high:.1}\" rx=\"4\" fill=\"{colour}\"/>",
            area.left, area.top
        );
        for (number, line) in lines.iter().enumerate() {
            let _ = write!(
                self.text,
                "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\" fill=\"#fff\" class=\"bar\">{}</text>",
                right - wide / 2.0,
                y + 5.5 + 22.0 * number as f64,
                escaped(line)
            );
        }
        self.taken.push(area);
        self.bars.push(Line { from: (LEFT, y), to: (right, y) });
    }

    pub(super) fn gap_lines(&self, from: Instant, to: Instant, left_out: &LeftOut) -> Vec<String> {
        let mut text = format!("{:.1} ms", to.since(from).as_secs_f64() * 1e3);
        if !left_out.is_empty() {
            text += &format!(": {left_out}");
        }
        Picture::wrapped(&text, PLAIN, self.right() - LEFT - 20.0)
    }

    pub(super) fn gap(&mut self, y: f64, from: Instant, to: Instant, left_out: &LeftOut) {
        let lines = self.gap_lines(from, to, left_out);
        let (right, high) = (self.right(), 18.0 * lines.len() as f64);
        let _ = write!(
            self.lines,
            "<rect x=\"{LEFT:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{high:.1}\" fill=\"#fff\" fill-opacity=\"0.85\"/>\
             <line x1=\"{LEFT:.1}\" y1=\"{:.1}\" x2=\"{right:.1}\" y2=\"{:.1}\" stroke=\"#a0a0a0\" stroke-dasharray=\"2 6\"/>",
            y - 9.0,
            right - LEFT,
            y - 11.0,
            y - 11.0,
        );
        for (number, line) in lines.iter().enumerate() {
            let foot = y + 5.0 + 18.0 * number as f64;
            let _ = write!(
                self.text,
                "<text x=\"{:.1}\" y=\"{foot:.1}\" text-anchor=\"end\" fill=\"{QUIET}\" class=\"mark\">{}</text>",
                right - 4.0,
                escaped(line)
            );
            let left = right - 4.0 - width_of(line, PLAIN);
            self.taken.push(Area { left, top: foot - 13.0, right: right - 4.0, bottom: foot + 4.0 });
        }
    }

    /// The moments, each once.
    pub(super) fn times(&mut self) {
        let (mut last, mut said) = (f64::MIN, String::new());
        for (row, y) in self.diagram.rows.iter().zip(&self.ys) {
            let text = row.at().to_string();
            if *y - last < 17.0 || matches!(row, Row::Gap { .. }) || text == said {
                continue;
            }
            last = *y;
            let _ = write!(
                self.text,
                "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\" fill=\"#707070\" class=\"time\">{text}</text>",
                LEFT - 14.0,
                y + 5.0,
            );
            said = text;
        }
    }

    /// How wide and high it is: the legend needs as much as it is given.
    fn wide(&self) -> f64 {
        let texts_end = self.taken.iter().map(|area| area.right).fold(self.right(), f64::max);
        let title_ends = LEFT + width_of(&self.diagram.title, TITLE_FACE);
        texts_end.max(title_ends).max(760.0) + 24.0
    }

    /// The top of the legend: below all other text.
    fn foot(&self) -> f64 {
        self.taken.iter().map(|area| area.bottom).fold(self.bottom, f64::max)
    }

    pub(super) fn size(&self) -> (f64, f64) {
        let wide = self.wide();
        let (_, legend_ends) = self.legend(wide - 20.0, self.foot());
        let (_, logs_end) = self.logs(wide - 20.0, legend_ends);
        (wide, logs_end + 16.0)
    }

    /// The page; on a slide everything is in its middle.
    pub(super) fn finish(self, slide: Option<(f64, f64)>) -> Drawn {
        let (wide, high) = self.size();
        let (legend, legend_ends) = self.legend(wide - 20.0, self.foot());
        let (logs, _) = self.logs(wide - 20.0, legend_ends);
        let (left, seen_wide, seen_high) = match slide {
            None => (0.0, wide, high),
            Some((w, h)) => {
                let (seen_wide, seen_high) = (wide.max(high * w / h), high.max(wide * h / w));
                ((wide - seen_wide) / 2.0, seen_wide, seen_high)
            }
        };
        let (width, height) = slide.unwrap_or((wide, high));
        let is_legible = slide.is_none_or(|(w, _)| super::space::SIZE * w / seen_wide >= LEGIBLE);
        let mut heads = BTreeMap::new();
        for colour in COLOURS {
            heads.insert(
                colour,
                format!(
                    "<marker id=\"head{}\" viewBox=\"0 0 10 10\" refX=\"8\" refY=\"5\" markerWidth=\"7\" markerHeight=\"7\" \
                     orient=\"auto\"><path d=\"M0 0 L10 5 L0 10 z\" fill=\"{colour}\"/></marker>",
                    &colour[1..]
                ),
            );
        }
        let heads: String = heads.into_values().collect();
        let Picture { bands, lines, arrows, text, .. } = &self;
        let title = escaped(&self.diagram.title);
        let svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"{left:.0} 0 {seen_wide:.0} {seen_high:.0}\" \
             width=\"{width:.0}\" height=\"{height:.0}\" font-family=\"Helvetica, Arial, 'DejaVu Sans', sans-serif\">\
             <title>{title}</title><defs>{heads}</defs>\
             <style>.mark{{font-size:16px}} .label{{font-size:16px;font-weight:bold}} .bar{{font-size:17px;font-weight:bold}} \
             .time{{font-size:14px}} .mark,.label text{{paint-order:stroke;stroke:#fff;stroke-width:4px;stroke-linejoin:round}}</style>\
             <rect x=\"{left:.0}\" width=\"{seen_wide:.0}\" height=\"{seen_high:.0}\" fill=\"#fff\"/>\
             <text x=\"{LEFT:.1}\" y=\"{TITLE:.1}\" font-size=\"28\" font-weight=\"bold\">{title}</text>\
             {bands}{lines}{arrows}{text}{legend}{logs}</svg>\n"
        );
        Drawn { svg, is_legible }
    }
}

/// How wide a line of the legend is.
pub(super) fn legend_width(text: &str, is_bold: bool) -> f64 {
    width_of(text, if is_bold { BOLD } else { PLAIN })
}
