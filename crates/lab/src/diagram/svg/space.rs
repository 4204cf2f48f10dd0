//! Space on the page: the width of texts, and the places of all boxes.

/// The size of most letters.
pub(super) const SIZE: f64 = 16.0;

/// The properties of a text that determine its size.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Face {
    pub size: f64,
    pub is_bold: bool,
}

pub(super) const PLAIN: Face = Face { size: SIZE, is_bold: false };
pub(super) const BOLD: Face = Face { size: SIZE, is_bold: true };

/// The width of a text in the widest usual typeface (DejaVu Sans): others leave a gap.
pub(super) fn width_of(text: &str, face: Face) -> f64 {
    let letters: f64 = text.chars().map(share_of).sum();
    letters * face.size * if face.is_bold { 1.13 } else { 1.0 }
}

/// The width of a letter, as a share of its height.
fn share_of(letter: char) -> f64 {
    match letter {
        'i' | 'j' | 'l' | '\'' | '|' | ' ' | '.' | ',' => 0.33,
        'f' | 't' | 'r' | 'I' | '(' | ')' | '[' | ']' | ':' | ';' | '-' | '/' => 0.42,
        'm' | 'w' | 'M' | 'W' | '@' | '%' => 0.98,
        'A'..='Z' | '+' | '=' | '<' | '>' | '#' | '…' | '◷' | '▪' | '_' => 0.80,
        _ => 0.64,
    }
}

/// A box on the page.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Area {
    pub left: f64,
    pub top: f64,
    pub right: f64,
    pub bottom: f64,
}

impl Area {
    /// The overlap of two boxes.
    pub fn shared(&self, other: &Area) -> f64 {
        let wide = (self.right.min(other.right) - self.left.max(other.left)).max(0.0);
        let high = (self.bottom.min(other.bottom) - self.top.max(other.top)).max(0.0);
        wide * high
    }

    /// The length of the part of a line inside the box.
    pub fn crossed_by(&self, line: &Line) -> f64 {
        let (dx, dy) = (line.to.0 - line.from.0, line.to.1 - line.from.1);
        let (mut enters, mut leaves) = (0.0_f64, 1.0_f64);
        for (begin, step, low, high) in
            [(line.from.0, dx, self.left, self.right), (line.from.1, dy, self.top, self.bottom)]
        {
            if step.abs() < 1e-9 {
                if begin < low || begin > high {
                    return 0.0;
                }
                continue;
            }
            let (a, b) = ((low - begin) / step, (high - begin) / step);
            enters = enters.max(a.min(b));
            leaves = leaves.min(a.max(b));
        }
        (leaves - enters).max(0.0) * (dx * dx + dy * dy).sqrt()
    }
}

/// A straight line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Line {
    pub from: (f64, f64),
    pub to: (f64, f64),
}

impl Line {
    pub fn length(&self) -> f64 {
        let (dx, dy) = (self.to.0 - self.from.0, self.to.1 - self.from.1);
        (dx * dx + dy * dy).sqrt()
    }

    /// The point at this share of its length.
    pub fn at(&self, share: f64) -> (f64, f64) {
        (self.from.0 + share * (self.to.0 - self.from.0), self.from.1 + share * (self.to.1 - self.from.1))
    }
}

/// A text along a line, as boxes: its middle, its width, and its direction.
pub(super) fn along(middle: (f64, f64), width: f64, (dx, dy): (f64, f64)) -> Vec<Area> {
    const PIECE: f64 = 18.0;
    let count = (width / PIECE).ceil().max(1.0);
    let piece = width / count;
    let place = |number: f64| (number + 0.5) * piece - width / 2.0;
    let areas = (0..count as usize).map(|number| {
        let (x, y) = (middle.0 + dx * place(number as f64), middle.1 + dy * place(number as f64));
        // The middle is on the baseline of the letters.
        Area { left: x - piece / 2.0, top: y - 0.76 * SIZE, right: x + piece / 2.0, bottom: y + 0.24 * SIZE }
    });
    areas.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boxes_share_what_they_share() {
        let area = |left, top| Area { left, top, right: left + 10.0, bottom: top + 10.0 };
        assert_eq!(area(0.0, 0.0).shared(&area(5.0, 8.0)), 10.0);
        assert_eq!(area(0.0, 0.0).shared(&area(10.0, 0.0)), 0.0);
        let line = Line { from: (-5.0, 5.0), to: (25.0, 5.0) };
        assert!((area(0.0, 0.0).crossed_by(&line) - 10.0).abs() < 1e-6);
        assert_eq!(area(0.0, 6.0).crossed_by(&line), 0.0);
    }

    #[test]
    fn capitals_are_wider_than_points_and_bold_is_wider_than_plain() {
        assert!(width_of("WWW", PLAIN) > 2.0 * width_of("...", PLAIN));
        assert!(width_of("enter", BOLD) > width_of("enter", PLAIN));
        let pieces = along((100.0, 50.0), 90.0, (1.0, 0.0));
        assert_eq!((pieces.len(), pieces[0].left, pieces[4].right), (5, 55.0, 145.0));
    }
}
