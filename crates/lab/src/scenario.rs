//! Scenarios: the inputs of a run, as a text that a person can write and share.
//!
//! # The format
//!
//! One statement per line. Lines that begin with `#` are comments; empty lines are ignored.
//!
//! | statement | meaning |
//! |---|---|
//! | `nodes 4` | the number of nodes, called n1 to n4; by default the chapter's |
//! | `latency constant 2ms` | the delay of a message; `latency uniform 1ms 5ms`: between the two, equally likely; `latency exponential 1ms 10ms`: at least the first, and beyond it memoryless with the second as mean |
//! | `loss 1%` | on every link; also `duplicate 1%`, `reorder 1%`, `corrupt 1%`, `delay 5ms`, `bandwidth 100000` (bytes per second), several on a line |
//! | `unordered` | links are unordered, like datagrams; by default they are FIFO, like streams |
//! | `clocks offset 200ms drift 100ppm` | each wall clock is initially off by at most this much, and each clock drifts by at most this much, drawn from the seed |
//! | `at 10ms n1 enter` | a command to a node, in the protocol's own words; `leader` is the leader at that time, `all` is every node |
//! | `at 5ms every 20ms x10 n2 enter` | the same, ten times |
//! | `random 20 within 400ms enter` | twenty commands, each to a node and at a time drawn from the seed |
//! | `fault partition 1,2\|3 @ 40ms` | a fault begins or ends: the grammar of [`volvox_core::fault`] |
//! | `draw from 70ms` | a diagram begins here by default, because earlier events are only preparation |
//! | `for 2s` | the latest end of the run; by default 2 s |
//!
//! Spans are whole numbers with a unit: `ns`, `us`, `ms` or `s`.
//!
//! ```text
//! # Two ask at the same time; a third is cut off.
//! nodes 3
//! latency uniform 1ms 5ms
//! at 10ms n1 enter
//! at 10ms n2 enter
//! fault partition 1,2|3 @ 40ms
//! for 500ms
//! ```
//!
//! # Errors
//!
//! Errors point at line and column:
//!
//! ```text
//! mine.txt:4:6: expected a span such as 10ms
//!   at 10 n1 enter
//!      ^
//! ```

use std::fmt;
use volvox_core::fault::LinkFault;
use volvox_core::{Duration, Fault, NodeId, Rng, Scheduled};
use volvox_sim::{Clocks, Latency, Network};

/// The longest run.
const SPAN_MAX: Duration = Duration::from_secs(24 * 3600);
/// The most commands of one run.
const COMMANDS_MAX: u64 = 100_000;
/// The most nodes of any run.
const NODES_MAX: u64 = 1_000_000;
/// The longest text.
const TEXT_MAX: usize = 1 << 20;

/// The inputs of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scenario {
    /// Its source, for errors.
    pub name: String,
    /// The text that it was read from.
    pub text: String,
    /// The number of nodes, if given.
    pub nodes: Option<u64>,
    /// The properties of links.
    pub network: Network,
    /// The errors of clocks.
    pub clocks: Clocks,
    /// Commands at written moments.
    pub asked: Vec<Asked>,
    /// Commands at drawn moments.
    pub drawn: Vec<Drawn>,
    /// Faults, each with its place in the text.
    pub faults: Vec<(Scheduled, Place)>,
    /// The moment at which a diagram begins, if given.
    pub draw_from: Option<Duration>,
    /// The latest end of the run.
    pub span: Duration,
}

/// A place in a scenario: line and column, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The column, in characters.
    pub column: usize,
}

/// The target of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whom {
    /// This node.
    Node(NodeId),
    /// The leader at that time.
    Leader,
    /// Every node.
    All,
}

/// A command at a written moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The first moment.
    pub at: Duration,
    /// The interval.
    pub every: Duration,
    /// The number of times.
    pub times: u64,
    /// The target, with its place in the text.
    pub whom: (Whom, Place),
    /// The command in the protocol's words, with its place in the text.
    pub command: (String, Place),
}

/// Commands at drawn moments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drawn {
    /// The number of commands.
    pub times: u64,
    /// The latest moment.
    pub within: Duration,
    /// What, with where it is written.
    pub command: (String, Place),
}

/// One command, with its moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned<'a> {
    /// The moment.
    pub at: Duration,
    /// The target.
    pub whom: Whom,
    /// The command.
    pub text: &'a str,
    /// The place of the command in the text.
    pub place: Place,
}

/// Why a text is not a scenario, or not one of this protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScenarioError {
    /// The scenario.
    pub name: String,
    /// The place.
    pub place: Place,
    /// The line.
    pub shown: String,
    /// The reason.
    pub problem: String,
}

impl fmt::Display for ScenarioError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Place { line, column } = self.place;
        writeln!(f, "{}:{line}:{column}: {}", self.name, self.problem)?;
        writeln!(f, "  {}", self.shown)?;
        write!(f, "  {:>column$}", "^")
    }
}

impl std::error::Error for ScenarioError {}

impl Scenario {
    /// Reads a scenario; `name` is its source.
    ///
    /// # Errors
    /// When the text is not a scenario: with the place and what was expected there.
    pub fn parse(name: &str, text: &str) -> Result<Scenario, ScenarioError> {
        let mut scenario = Scenario {
            name: name.to_string(),
            text: text.to_string(),
            nodes: None,
            network: Network::default(),
            clocks: Clocks::default(),
            asked: Vec::new(),
            drawn: Vec::new(),
            faults: Vec::new(),
            draw_from: None,
            span: Duration::from_secs(2),
        };
        if text.len() > TEXT_MAX {
            let place = Place { line: 1, column: 1 };
            return Err(scenario.error(place, format!("a scenario of {} bytes; {TEXT_MAX} at most", text.len())));
        }
        for (number, line) in text.lines().enumerate() {
            let trimmed = line.trim();
            if trimmed.is_empty() || trimmed.starts_with('#') {
                continue;
            }
            let mut words = Words { line, at: 0 };
            if let Err((byte, problem)) = scenario.statement(&mut words, number + 1) {
                return Err(scenario.error(place_of(line, number + 1, byte), problem));
            }
        }
        let commands = scenario.asked.iter().map(|asked| asked.times).chain(scenario.drawn.iter().map(|d| d.times));
        let commands: u64 = commands.sum();
        if commands > COMMANDS_MAX {
            let place = Place { line: 1, column: 1 };
            return Err(scenario.error(place, format!("{commands} commands; {COMMANDS_MAX} at most")));
        }
        Ok(scenario)
    }

    /// An error at a place of this scenario.
    pub fn error(&self, place: Place, problem: impl Into<String>) -> ScenarioError {
        let shown = self.text.lines().nth(place.line - 1).unwrap_or("").chars().take(200).collect();
        ScenarioError { name: self.name.clone(), place, shown, problem: problem.into() }
    }

    /// Every command with its moment, in order; random choices come from `rng`.
    pub fn commands(&self, nodes: u64, rng: &mut Rng) -> Vec<Planned<'_>> {
        let mut planned = Vec::new();
        for Asked { at, every, times, whom, command } in &self.asked {
            planned.extend((0..*times).map(|time| Planned {
                at: *at + every.saturating_mul(time as u32),
                whom: whom.0,
                text: &command.0,
                place: command.1,
            }));
        }
        for Drawn { times, within, command } in &self.drawn {
            planned.extend((0..*times).map(|_| Planned {
                at: Duration::from_nanos(rng.between(0, within.as_nanos() as u64)),
                whom: Whom::Node(NodeId(rng.between(1, nodes))),
                text: &command.0,
                place: command.1,
            }));
        }
        planned.sort_by_key(|planned| planned.at);
        planned
    }

    fn statement(&mut self, words: &mut Words<'_>, line: usize) -> Result<(), Problem> {
        let begin = words.peek().0;
        match words.next() {
            "nodes" if self.nodes.is_some() => {
                return Err((begin, "the number of nodes is already given above".to_string()));
            }
            "nodes" => self.nodes = Some(words.number("how many nodes, such as 3", 1, NODES_MAX)?),
            "latency" => self.network.latency = words.latency()?,
            "unordered" => self.network.ordered = false,
            "clocks" => words.clocks(&mut self.clocks)?,
            "loss" | "duplicate" | "reorder" | "corrupt" | "delay" | "bandwidth" => {
                words.at = begin;
                self.network.fault = words.link(self.network.fault)?;
            }
            "at" => return self.asked(words, line),
            "random" => return self.drawn(words, line),
            "fault" => {
                let (from, _) = words.peek();
                let fault = words.rest().parse::<Scheduled>();
                let fault = fault.map_err(|error| (from + error.column, format!("expected {}", error.expected)))?;
                self.faults.push((fault, place_of(words.line, line, from)));
                return Ok(());
            }
            "draw" => {
                let (byte, word) = words.peek();
                if word != "from" {
                    return Err((byte, "expected from, as in: draw from 70ms".to_string()));
                }
                words.next();
                self.draw_from = Some(words.span()?);
            }
            "for" => self.span = words.span()?,
            _ => {
                let all = "nodes, latency, loss, duplicate, reorder, unordered, clocks, at, random, fault, draw or for";
                return Err((begin, format!("expected {all}")));
            }
        }
        words.end()
    }

    fn asked(&mut self, words: &mut Words<'_>, line: usize) -> Result<(), Problem> {
        let at = words.span()?;
        let (mut every, mut times) = (Duration::ZERO, 1);
        if words.peek().1 == "every" {
            words.next();
            every = words.span()?;
            let (byte, word) = words.peek();
            let count = word.strip_prefix('x').and_then(|count| count.parse().ok());
            times = count
                .filter(|count| (1..=COMMANDS_MAX).contains(count))
                .ok_or((byte, format!("expected how often, x1 to x{COMMANDS_MAX}, such as x10")))?;
            words.next();
        }
        let (byte, word) = words.peek();
        let whom = match word {
            "leader" => Whom::Leader,
            "all" => Whom::All,
            name => {
                let id = name.strip_prefix('n').and_then(|id| id.parse().ok()).filter(|id| *id > 0);
                Whom::Node(NodeId(id.ok_or((byte, "expected a node such as n1, or leader, or all".to_string()))?))
            }
        };
        words.next();
        let whom = (whom, place_of(words.line, line, byte));
        let command = words.command(line)?;
        self.asked.push(Asked { at, every, times, whom, command });
        Ok(())
    }

    fn drawn(&mut self, words: &mut Words<'_>, line: usize) -> Result<(), Problem> {
        let times = words.number("how many, such as 20", 1, COMMANDS_MAX)?;
        let (byte, word) = words.peek();
        if word != "within" {
            return Err((byte, "expected within, as in: random 20 within 400ms enter".to_string()));
        }
        words.next();
        let within = words.span()?;
        let command = words.command(line)?;
        self.drawn.push(Drawn { times, within, command });
        Ok(())
    }
}

/// The byte of the line, and the error.
type Problem = (usize, String);

fn place_of(line: &str, number: usize, byte: usize) -> Place {
    let column = line.char_indices().take_while(|(at, _)| *at < byte).count() + 1;
    Place { line: number, column }
}

struct Words<'a> {
    line: &'a str,
    at: usize,
}

impl<'a> Words<'a> {
    fn peek(&self) -> (usize, &'a str) {
        let rest = &self.line[self.at..];
        let begin = self.at + (rest.len() - rest.trim_start().len());
        (begin, self.line[begin..].split_whitespace().next().unwrap_or(""))
    }

    fn next(&mut self) -> &'a str {
        let (begin, word) = self.peek();
        self.at = begin + word.len();
        word
    }

    fn rest(&mut self) -> &'a str {
        let (begin, _) = self.peek();
        self.at = self.line.len();
        self.line[begin..].trim_end()
    }

    fn end(&self) -> Result<(), Problem> {
        match self.peek() {
            (_, "") => Ok(()),
            (byte, _) => Err((byte, "expected the end of the line".to_string())),
        }
    }

    fn number(&mut self, what: &str, least: u64, most: u64) -> Result<u64, Problem> {
        let (byte, word) = self.peek();
        let number = word.parse().ok().ok_or_else(|| (byte, format!("expected {what}")))?;
        if !(least..=most).contains(&number) {
            return Err((byte, format!("{number} is not within {least} to {most}")));
        }
        self.next();
        Ok(number)
    }

    fn span(&mut self) -> Result<Duration, Problem> {
        let (byte, word) = self.peek();
        let span = span_of(word).ok_or_else(|| (byte, "expected a span such as 10ms".to_string()))?;
        if span > SPAN_MAX {
            return Err((byte, format!("{word} is longer than {} s", SPAN_MAX.as_secs())));
        }
        self.next();
        Ok(span)
    }

    fn latency(&mut self) -> Result<Latency, Problem> {
        let (byte, word) = self.peek();
        self.next();
        match word {
            "constant" => Ok(Latency::Constant(self.span()?)),
            "uniform" => {
                let low = self.span()?;
                let (byte, _) = self.peek();
                let high = self.span()?;
                if high < low {
                    return Err((byte, "the longest span is shorter than the shortest".to_string()));
                }
                Ok(Latency::Uniform(low, high))
            }
            "exponential" => Ok(Latency::Exponential { minimum: self.span()?, mean: self.span()? }),
            _ => Err((byte, "expected constant D, uniform A B or exponential MIN MEAN".to_string())),
        }
    }

    fn clocks(&mut self, clocks: &mut Clocks) -> Result<(), Problem> {
        loop {
            let (byte, word) = self.peek();
            self.next();
            match word {
                "offset" => clocks.offset_max = self.span()?,
                "drift" => {
                    let (byte, word) = self.peek();
                    let ppm = word.strip_suffix("ppm").and_then(|ppm| ppm.parse().ok());
                    let ppm = ppm.filter(|ppm| *ppm <= 100_000);
                    clocks.drift_ppm_max = ppm.ok_or((byte, "expected 0ppm to 100000ppm".to_string()))?;
                    self.next();
                }
                _ => return Err((byte, "expected offset 200ms or drift 100ppm".to_string())),
            }
            if self.end().is_ok() {
                return Ok(());
            }
        }
    }

    /// The fault of every link, in the grammar of a fault of one link.
    fn link(&mut self, before: LinkFault) -> Result<LinkFault, Problem> {
        let (from, _) = self.peek();
        let prefix = "slow 1->2 ";
        let fault = format!("{prefix}{}", self.rest()).parse::<Fault>().map_err(|error| {
            (from + error.column.saturating_sub(prefix.len()), format!("expected {}", error.expected))
        })?;
        let Fault::Slow(_, _, more) = fault else { unreachable!("the fault that begins with its word") };
        let or = |a: u32, b: u32| if a > 0 { a } else { b };
        Ok(LinkFault {
            delay: more.delay.max(before.delay),
            loss_ppm: or(more.loss_ppm, before.loss_ppm),
            duplicate_ppm: or(more.duplicate_ppm, before.duplicate_ppm),
            reorder_ppm: or(more.reorder_ppm, before.reorder_ppm),
            corrupt_ppm: or(more.corrupt_ppm, before.corrupt_ppm),
            bandwidth: more.bandwidth.max(before.bandwidth),
        })
    }

    fn command(&mut self, line: usize) -> Result<(String, Place), Problem> {
        let (byte, word) = self.peek();
        if word.is_empty() {
            return Err((byte, "expected a command of the protocol".to_string()));
        }
        Ok((self.rest().to_string(), place_of(self.line, line, byte)))
    }
}

/// A span such as `10ms`.
pub fn span_of(word: &str) -> Option<Duration> {
    let digits = word.bytes().take_while(u8::is_ascii_digit).count();
    let number: u64 = word[..digits].parse().ok()?;
    let unit = match &word[digits..] {
        "ns" => 1,
        "us" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        _ => return None,
    };
    number.checked_mul(unit).map(Duration::from_nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "# a picture\nnodes 4\nlatency uniform 1ms 5ms\nloss 1% duplicate 2%\nreorder 3%\nunordered\n\
        clocks offset 20ms drift 100ppm\nat 10ms n1 enter\nat 5ms every 20ms x3 n2 multicast hello world\n\
        random 20 within 400ms enter\nfault partition 1,2|3 @ 40ms\n\nat 1s leader put x\nfor 2s\n";

    #[test]
    fn every_statement_is_read() {
        let scenario = Scenario::parse("good.txt", GOOD).unwrap_or_else(|error| panic!("{error}"));
        let ms = Duration::from_millis;
        assert_eq!(scenario.nodes, Some(4));
        assert_eq!(scenario.network.latency, Latency::Uniform(ms(1), ms(5)));
        let fault = scenario.network.fault;
        assert_eq!((fault.loss_ppm, fault.duplicate_ppm, fault.reorder_ppm), (10_000, 20_000, 30_000));
        assert!(!scenario.network.ordered);
        assert_eq!((scenario.clocks.offset_max, scenario.clocks.drift_ppm_max), (ms(20), 100));
        assert_eq!(scenario.faults[0].0.to_string(), "partition 1,2|3 @ 40ms");
        assert_eq!(scenario.span, ms(2000));
        let commands = scenario.commands(4, &mut Rng::new(1));
        assert_eq!(commands.len(), 25);
        assert!(commands.is_sorted_by_key(|planned| planned.at));
        let hello: Vec<_> = commands.iter().filter(|planned| planned.text == "multicast hello world").collect();
        assert_eq!(hello.iter().map(|planned| planned.at).collect::<Vec<_>>(), [ms(5), ms(25), ms(45)]);
        assert_eq!((hello[0].whom, hello[0].place), (Whom::Node(NodeId(2)), Place { line: 9, column: 25 }));
        assert_eq!(commands.last().map(|planned| planned.whom), Some(Whom::Leader));
        assert_eq!(commands, scenario.commands(4, &mut Rng::new(1)), "one seed, one run");
    }

    #[test]
    fn errors_point_at_line_and_column() {
        let cases = [
            ("nodes 3\nat 10 n1 enter", "2:4: expected a span such as 10ms\n  at 10 n1 enter\n     ^"),
            ("at 10ms 7 enter", "1:9: expected a node such as n1, or leader, or all\n  at 10ms 7 enter\n          ^"),
            ("nodes 0", "1:7: 0 is not within 1 to 1000000\n  nodes 0\n        ^"),
            ("nodes 3\nnodes 4", "2:1: the number of nodes is already given above"),
            ("latency normal 3ms", "1:9: expected constant D, uniform A B or exponential MIN MEAN"),
            ("latency uniform 3ms 2ms", "1:21: the longest span is shorter than the shortest"),
            ("loss 101%", "1:6: expected a rate"),
            ("fault partition 1 @ 40ms", "1:17: expected groups"),
            ("fault explode 1", "1:7: expected partition"),
            ("random 20 enter", "1:11: expected within"),
            ("at 10ms every 5ms 3 n1 enter", "1:19: expected how often"),
            ("at 10ms n1", "1:11: expected a command"),
            ("explode", "1:1: expected nodes, latency"),
            ("for 2s 3s", "1:8: expected the end of the line"),
            ("for 99999999s", "1:5: 99999999s is longer than"),
            ("at 1ms every 1ms x99999999999999999999 n1 go", "1:18: expected how often"),
            ("random 100000 within 1s go\nrandom 1 within 1s go", "1:1: 100001 commands"),
        ];
        for (text, expected) in cases {
            let error = Scenario::parse("mine.txt", text).expect_err(text).to_string();
            assert!(error.starts_with(&format!("mine.txt:{expected}")), "{text}:\n{error}");
        }
    }

    #[test]
    fn the_caret_counts_characters_and_not_bytes() {
        let error = Scenario::parse("m", "at 10ms n1 grüße\nat 1ms ñ1 x").expect_err("no node").to_string();
        assert_eq!(error, "m:2:8: expected a node such as n1, or leader, or all\n  at 1ms ñ1 x\n         ^");
    }
}
