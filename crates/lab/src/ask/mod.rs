//! Bounds that a reader may ask for, and the model that a chapter makes of them.
//!
//! A chapter's fixed models answer the questions of its author. A reader has others: what with four nodes, with two entries
//! each, with a crash? A chapter that can be asked declares a table of bounds, each with a name, a type, a default, a range
//! and a unit, and builds one model from their values. Its fixed models are written with the same structure where they fit,
//! so that nothing is written twice:
//!
//! ```
//! use volvox_lab::ask::Order;
//!
//! volvox_lab::bounds! {
//!     /// Nodes that want to enter.
//!     pub struct Bounds;
//!     nodes: u64 = 3, "each of them is asked to enter" in 2..=5 nodes;
//!     entries: u32 = 1, "that each node is asked for" in 1..=3 entries;
//!     order: Order = Order::Unordered, "in which the messages of a link arrive";
//! }
//!
//! let fixed = Bounds { nodes: 2, entries: 3, ..Bounds::default() };
//! assert_eq!((fixed.nodes, fixed.order), (2, Order::Unordered));
//! ```
//!
//! On the command line these are `volvox lab check P --nodes 4 --order fifo`.

mod value;

pub use value::{Crashed, Disks, Order, Value};

use crate::model::Explored;
use std::fmt;
use volvox_core::vocabulary::nearest;

/// The values of a bound.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Range {
    /// Whole numbers.
    Numbers {
        /// The least.
        least: u64,
        /// The greatest.
        most: u64,
        /// The noun of what is counted.
        unit: &'static str,
    },
    /// One of a few words; a value is the place of its word.
    Words(&'static [&'static str]),
}

/// A bound that a chapter knows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bound {
    /// Its name on the command line, without the dashes.
    pub name: &'static str,
    /// The thing that it bounds, in a few words.
    pub text: &'static str,
    /// Its values.
    pub range: Range,
    /// The value when nothing is said.
    pub default: u64,
}

impl Bound {
    /// Its help, in a line: `crashes: of nodes, for good`.
    pub fn help(&self) -> String {
        match self.range {
            Range::Numbers { unit, .. } if unit == self.name => format!("{unit}: {}", self.text),
            Range::Numbers { unit, .. } => format!("{}, in {unit}: {}", self.name, self.text),
            Range::Words(words) => format!("{}, such as {}: {}", self.name, words.join(" or "), self.text),
        }
    }

    /// A value in words: `4 nodes`, `order fifo`.
    pub fn told(&self, value: u64) -> String {
        match self.range {
            Range::Numbers { unit, .. } if value == 1 => format!("1 {}", singular(unit)),
            Range::Numbers { unit, .. } => format!("{value} {unit}"),
            Range::Words(words) => format!("{} {}", self.name, words[value as usize]),
        }
    }

    fn read(&self, text: &str) -> Result<u64, AskError> {
        let value = match self.range {
            Range::Numbers { least, most, .. } => text.parse().ok().filter(|number| (least..=most).contains(number)),
            Range::Words(words) => words.iter().position(|word| *word == text).map(|place| place as u64),
        };
        value.ok_or_else(|| AskError::Value { bound: *self, text: text.to_string() })
    }
}

/// `--nodes 2..5 nodes (3 if not given): each of them is asked to enter`.
impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Bound { name, text, range, default } = self;
        match range {
            Range::Numbers { least, most, unit } => {
                write!(f, "--{name} {least}..{most} {unit} ({default} if not given): {text}")
            }
            Range::Words(words) => {
                let default = words[*default as usize];
                write!(f, "--{name} {} ({default} if not given): {text}", words.join("|"))
            }
        }
    }
}

fn singular(unit: &str) -> &str {
    match unit {
        "entries" => "entry",
        "retries" => "retry",
        "crashes" | "losses" => &unit[..unit.len() - 2],
        _ => unit.strip_suffix('s').unwrap_or(unit),
    }
}

/// Declares the bounds of a chapter's models: a structure whose defaults are those of the table.
///
/// ```text
/// bounds! {
///     /// Nodes that want to enter.
///     pub struct Bounds;
///     nodes: u64 = 3, "each of them is asked to enter" in 2..=5 nodes;      a number: its range and its unit
///     order: Order = Order::Fifo, "in which the messages of a link arrive";   a word of an enum of `words!`
/// }
/// ```
#[macro_export]
macro_rules! bounds {
    ($(#[$attribute:meta])* $visibility:vis struct $name:ident;
        $($field:ident: $type:ty = $default:expr, $text:literal $(in $least:literal..=$most:literal $unit:ident)?;)+) => {
        $(#[$attribute])*
        #[derive(Clone, Copy, Debug)]
        $visibility struct $name {
            $(#[doc = $text] $visibility $field: $type,)+
        }

        impl Default for $name {
            fn default() -> $name {
                $name { $($field: $default),+ }
            }
        }

        impl $crate::ask::Bounds for $name {
            fn table() -> Vec<$crate::ask::Bound> {
                let default = $name::default();
                vec![$({
                    let words = <$type as $crate::ask::Value>::WORDS;
                    let range = $crate::ask::Range::Words(words);
                    $(
                        let range = { let _ = range; $crate::ask::Range::Numbers {
                            least: $least, most: $most, unit: stringify!($unit),
                        } };
                    )?
                    let default = $crate::ask::Value::number(default.$field);
                    $crate::ask::Bound { name: stringify!($field), text: $text, range, default }
                }),+]
            }

            fn of(values: &[u64]) -> $name {
                let mut values = values.iter().copied();
                $(let $field = $crate::ask::Value::of_number(values.next().expect("a value for each bound"));)+
                $name { $($field),+ }
            }
        }
    };
}

/// A structure of bounds; [`bounds!`](crate::bounds) writes it.
pub trait Bounds: Copy + Default {
    /// Its bounds, in the order of its fields.
    fn table() -> Vec<Bound>;

    /// The structure of these values, one for each bound.
    fn of(values: &[u64]) -> Self;
}

/// Bounds that make a model.
pub trait Instance: Bounds {
    /// Why no model has these bounds together, where each by itself is within its range.
    fn contradiction(&self) -> Option<String> {
        None
    }

    /// Explores the model, without this rule of the chapter.
    fn explore(&self, without: Option<&'static str>) -> Explored;
}

/// The contradiction of two bounds, each with its name, of which the first must not be greater.
pub fn reversed(least: (&str, u32), most: (&str, u32)) -> Option<String> {
    let ((least_name, least), (most_name, most)) = (least, most);
    (least > most).then(|| format!("--{least_name} {least} and --{most_name} {most} contradict one another"))
}

/// The questions that a chapter answers.
#[derive(Clone, Copy)]
pub struct Asking {
    table: fn() -> Vec<Bound>,
    contradiction: fn(&[u64]) -> Option<String>,
    explore: fn(&[u64], Option<&'static str>) -> Explored,
}

impl Asking {
    /// The models that these bounds make.
    pub const fn of<I: Instance>() -> Asking {
        Asking {
            table: I::table,
            contradiction: |values| I::of(values).contradiction(),
            explore: |values, without| I::of(values).explore(without),
        }
    }

    /// The bounds that it knows.
    pub fn bounds(&self) -> Vec<Bound> {
        (self.table)()
    }

    /// Reads a question: names of bounds and their values as text. Bounds that are not named have their defaults.
    ///
    /// # Errors
    /// When a bound is not known, a value is out of its range, or two contradict one another.
    pub fn question(&self, asked: &[(&str, &str)], without: Option<&'static str>) -> Result<Question, AskError> {
        let bounds = self.bounds();
        let mut values: Vec<u64> = bounds.iter().map(|bound| bound.default).collect();
        for (name, text) in asked {
            let place = bounds.iter().position(|bound| bound.name == *name);
            let place = place.ok_or_else(|| AskError::Unknown { name: (*name).to_string(), known: bounds.clone() })?;
            values[place] = bounds[place].read(text)?;
        }
        match (self.contradiction)(&values) {
            Some(why) => Err(AskError::Contradiction(why)),
            None => Ok(Question { asking: *self, bounds, values, without }),
        }
    }
}

/// A model that a reader asked for.
#[derive(Clone)]
pub struct Question {
    asking: Asking,
    bounds: Vec<Bound>,
    values: Vec<u64>,
    /// The removed rule.
    pub without: Option<&'static str>,
}

impl Question {
    /// Explores it.
    pub fn explore(&self) -> Explored {
        (self.asking.explore)(&self.values, self.without)
    }

    /// Its bounds with their values, as the command line says them.
    pub fn values(&self) -> impl Iterator<Item = (&'static str, String)> + '_ {
        self.bounds.iter().zip(&self.values).map(|(bound, value)| match bound.range {
            Range::Numbers { .. } => (bound.name, value.to_string()),
            Range::Words(words) => (bound.name, words[*value as usize].to_string()),
        })
    }
}

/// `4 nodes, 2 entries, no crash, order fifo, without clock`.
impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = self.bounds.iter().zip(&self.values);
        let shown = all.filter(|(bound, value)| !matches!(bound.range, Range::Numbers { .. }) || **value > 0);
        let told: Vec<String> = shown.map(|(bound, value)| bound.told(*value)).collect();
        f.write_str(&told.join(", "))?;
        match self.without {
            Some(rule) => write!(f, ", without {rule}"),
            None => Ok(()),
        }
    }
}

/// The reason why a question makes no model. The asker is at fault, and nothing was explored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum AskError {
    /// The chapter knows no such bound.
    Unknown {
        /// The name that was given.
        name: String,
        /// The bounds that it knows.
        known: Vec<Bound>,
    },
    /// The value is none of the bound, or out of its range.
    Value {
        /// The bound.
        bound: Bound,
        /// The text that was given.
        text: String,
    },
    /// Two bounds contradict one another.
    Contradiction(String),
}

impl fmt::Display for AskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AskError::Unknown { name, known } => {
                write!(f, "its models have no bound --{name}")?;
                if let Some(near) = nearest(name, known.iter().map(|bound| bound.name)) {
                    write!(f, "; did you mean --{near}?")?;
                }
                let known: Vec<String> = known.iter().map(|bound| format!("\n  {bound}")).collect();
                write!(f, "; they have{}", known.concat())
            }
            AskError::Value { bound, text } => match bound.range {
                Range::Numbers { least, most, unit } => {
                    write!(f, "--{} {text}: expected a whole number, from {least} to {most} {unit}", bound.name)
                }
                Range::Words(words) => write!(f, "--{} {text}: expected {}", bound.name, words.join(" or ")),
            },
            AskError::Contradiction(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for AskError {}

#[cfg(test)]
mod tests {
    use super::*;

    bounds! {
        /// A model.
        struct Small;
        nodes: u64 = 3, "nodes" in 2..=5 nodes;
        losses: u32 = 0, "lost" in 0..=2 losses;
        order: Order = Order::Unordered, "of messages";
    }

    impl Instance for Small {
        fn contradiction(&self) -> Option<String> {
            (self.nodes == 2 && self.losses > 1).then(|| "two nodes, two losses".to_string())
        }

        fn explore(&self, _: Option<&'static str>) -> Explored {
            unreachable!("nothing is explored here")
        }
    }

    fn asked(asked: &[(&str, &str)]) -> Result<String, String> {
        let question = Asking::of::<Small>().question(asked, Some("clock"));
        question.map(|question| question.to_string()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_question_is_read_and_told() {
        assert_eq!(asked(&[]).unwrap(), "3 nodes, order unordered, without clock");
        assert_eq!(
            asked(&[("order", "fifo"), ("losses", "1"), ("nodes", "4")]).unwrap(),
            "4 nodes, 1 loss, order fifo, without clock"
        );
        let question = Asking::of::<Small>().question(&[("losses", "2")], None).unwrap();
        let values: Vec<_> = question.values().collect();
        assert_eq!(values, [("nodes", "3".into()), ("losses", "2".into()), ("order", "unordered".into())]);
    }

    #[test]
    fn what_makes_no_model_is_refused_with_what_would() {
        for nodes in ["0", "1", "6", "40", "-1", "three", "99999999999999999999"] {
            let error = asked(&[("nodes", nodes)]).unwrap_err();
            assert_eq!(error, format!("--nodes {nodes}: expected a whole number, from 2 to 5 nodes"));
        }
        assert_eq!(asked(&[("order", "lifo")]).unwrap_err(), "--order lifo: expected fifo or unordered");
        let error = asked(&[("loses", "1")]).unwrap_err();
        assert!(error.starts_with("its models have no bound --loses; did you mean --losses?; they have\n"), "{error}");
        assert!(error.contains("\n  --nodes 2..5 nodes (3 if not given): nodes\n"), "{error}");
        assert!(error.ends_with("\n  --order fifo|unordered (unordered if not given): of messages"), "{error}");
        assert_eq!(asked(&[("nodes", "2"), ("losses", "2")]).unwrap_err(), "two nodes, two losses");
    }
}
