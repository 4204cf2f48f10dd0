//! A source with all of its mutants in it, each behind its number, so that it is compiled once.

use std::ops::Range;

use super::sites::Site;

/// The module that says which mutant is active; it is only in the mutated copy of a crate.
pub const SWITCH: &str = "
/// Which mutant is active.
pub mod mutant {
    use core::sync::atomic::{AtomicU32, Ordering};

    static ACTIVE: AtomicU32 = AtomicU32::new(0);

    /// From now on this one is.
    pub fn activate(number: u32) {
        ACTIVE.store(number, Ordering::Relaxed);
    }

    /// The number of the mutant that is active; 0 for none.
    #[inline(always)]
    pub fn active() -> u32 {
        ACTIVE.load(Ordering::Relaxed)
    }
}
";

/// A source with mutants, and where in it each stands.
pub struct Woven {
    /// The text.
    pub text: String,
    /// Each mutant with all that was written for its place.
    pub places: Vec<(u32, Range<usize>)>,
}

/// All that is changed at one place.
struct Place<'s> {
    range: Range<usize>,
    is_statement: bool,
    mutants: Vec<(u32, &'s str)>,
    inside: Vec<Place<'s>>,
}

/// Puts every site of a file into its text, each with its number.
pub fn weave(text: &str, sites: &[(u32, &Site)]) -> Woven {
    let mut sorted: Vec<&(u32, &Site)> = sites.iter().collect();
    sorted.sort_by_key(|(number, site)| (site.range.start, std::cmp::Reverse(site.range.end), *number));
    let mut root = Place { range: 0..text.len(), is_statement: false, mutants: Vec::new(), inside: Vec::new() };
    for (number, site) in sorted {
        root.put(*number, site);
    }
    let mut woven = Woven { text: String::new(), places: Vec::new() };
    root.body(text, &mut woven);
    woven
}

impl<'s> Place<'s> {
    /// Sites come sorted by their beginning, the longer first: so what contains this one is the last of its level.
    fn put(&mut self, number: u32, site: &'s Site) {
        if let Some(last) = self.inside.last_mut()
            && last.range.end >= site.range.end
        {
            if last.range == site.range {
                last.mutants.push((number, &site.instead));
            } else {
                last.put(number, site);
            }
            return;
        }
        self.inside.push(Place {
            range: site.range.clone(),
            is_statement: site.is_statement,
            mutants: vec![(number, &site.instead)],
            inside: Vec::new(),
        });
    }

    /// The original, with what is changed inside it.
    fn body(&self, text: &str, woven: &mut Woven) {
        let mut at = self.range.start;
        for inside in &self.inside {
            woven.text.push_str(&text[at..inside.range.start]);
            inside.write(text, woven);
            at = inside.range.end;
        }
        woven.text.push_str(&text[at..self.range.end]);
    }

    fn write(&self, text: &str, woven: &mut Woven) {
        let start = woven.text.len();
        woven.text.push_str(if self.is_statement {
            "match crate::mutant::active() {"
        } else {
            "(match crate::mutant::active() {"
        });
        for (number, instead) in &self.mutants {
            woven.text.push_str(&format!(" {number} => {{ {instead} }}"));
        }
        woven.text.push_str(" _ => { ");
        self.body(text, woven);
        woven.text.push_str(if self.is_statement { " } }" } else { " } })" });
        let range = start..woven.text.len();
        woven.places.extend(self.mutants.iter().map(|(number, _)| (*number, range.clone())));
    }
}

impl Woven {
    /// The mutants of the narrowest place around this stretch of the text.
    pub fn around(&self, stretch: Range<usize>) -> Vec<u32> {
        let is_around = |range: &Range<usize>| range.start <= stretch.start && stretch.end <= range.end;
        let places = || self.places.iter().filter(|(_, range)| is_around(range));
        let narrowest = places().map(|(_, range)| range.len()).min();
        places().filter(|(_, range)| Some(range.len()) == narrowest).map(|(number, _)| *number).collect()
    }

    /// The mutants on the lines of this stretch.
    pub fn on_lines(&self, stretch: Range<usize>) -> Vec<u32> {
        let before = self.text[..stretch.start].rfind('\n').map_or(0, |at| at + 1);
        let after = self.text[stretch.end..].find('\n').map_or(self.text.len(), |at| stretch.end + at);
        let touches = |range: &Range<usize>| range.start < after && before < range.end;
        self.places.iter().filter(|(_, range)| touches(range)).map(|(number, _)| *number).collect()
    }
}
