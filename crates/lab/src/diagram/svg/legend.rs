//! The meaning of colours and signs, in as many lines as necessary.

use super::around::legend_width;
use super::lives::state_colour;
use super::{BAD, GOOD, LEFT, PLAIN, Picture, QUIET, escaped};
use std::fmt::Write;

const HIGH: f64 = 26.0;

/// The place of the next sign.
struct Pen {
    out: String,
    x: f64,
    y: f64,
    right: f64,
}

impl Pen {
    /// A sign and its meaning.
    fn item(&mut self, text: &str, sign: impl FnOnce(f64, f64) -> String) {
        let wide = 26.0 + legend_width(text, false) + 22.0;
        if self.x > LEFT && self.x + wide > self.right {
            self.line();
        }
        self.out += &sign(self.x, self.y);
        let _ = write!(
            self.out,
            "<text x=\"{:.1}\" y=\"{:.1}\" class=\"mark\">{}</text>",
            self.x + 26.0,
            self.y,
            escaped(text)
        );
        self.x += wide;
    }

    fn line(&mut self) {
        self.x = LEFT;
        self.y += HIGH;
    }
}

impl Picture<'_> {
    /// The legend, and its end.
    pub(super) fn legend(&self, right: f64, top: f64) -> (String, f64) {
        let mut pen = Pen { out: String::new(), x: LEFT, y: top + 30.0, right };
        for kind in &self.kinds {
            let colour = self.colour_of(kind);
            pen.item(kind, |x, y| {
                format!(
                    "<line x1=\"{x:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\" stroke=\"{colour}\" stroke-width=\"2\" \
                     marker-end=\"url(#head{})\"/>",
                    y - 5.0,
                    x + 20.0,
                    y - 5.0,
                    &colour[1..]
                )
            });
        }
        if !self.kinds.is_empty() {
            pen.line();
        }
        for (place, state) in self.states.iter().enumerate() {
            pen.item(&format!("[{state}]"), |x, y| {
                format!(
                    "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"10\" height=\"18\" fill=\"{}\" fill-opacity=\"0.45\"/>",
                    x + 5.0,
                    y - 14.0,
                    state_colour(place)
                )
            });
        }
        for (colour, text) in
            [("#000", "command from outside"), (GOOD, "event to the outside"), (BAD, "lost, or crashed")]
        {
            pen.item(text, |x, y| {
                format!("<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"6\" fill=\"{colour}\"/>", x + 10.0, y - 5.0)
            });
        }
        let mut notes = vec!["time is not to scale".to_string()];
        if self.diagram.is_cut {
            notes.push("and so on".to_string());
        }
        if !self.diagram.left_out.is_empty() {
            notes.push(self.diagram.left_out.clone());
        }
        for line in Picture::wrapped(&notes.join("; "), PLAIN, right - LEFT) {
            pen.line();
            let (x, y) = (pen.x, pen.y);
            let line = escaped(&line);
            let _ = write!(pen.out, "<text x=\"{x:.1}\" y=\"{y:.1}\" fill=\"{QUIET}\" class=\"mark\">{line}</text>");
        }
        (pen.out, pen.y + 8.0)
    }
}
