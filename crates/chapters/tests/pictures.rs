//! The pictures of all chapters, measured: nothing lies outside the page, and no text overlaps another. `PICTURES=FOLDER`
//! keeps them, with the drawings for terminals, for inspection.
// The slope of a label is computed as a browser does; its last digits do not matter.

use volvox_chapters::REGISTRY;
use volvox_core::Instant;
use volvox_lab::diagram::{Detail, Diagram, Format, Paper, View, Window, drawn, svg, terminal};
use volvox_lab::study::{self, Ran, Request};

/// A text of a picture, as placed on the page.
#[derive(Debug)]
struct Text {
    said: String,
    /// The start of its baseline, before rotation.
    left: f64,
    foot: f64,
    wide: f64,
    size: f64,
    /// The angle and centre of rotation.
    turned: (f64, f64, f64),
}

impl Text {
    /// A point of the text: a share of its width, and a share of its height.
    fn point(&self, along: f64, up: f64) -> (f64, f64) {
        let (x, y) = (self.left + along * self.wide, self.foot - up * self.size);
        let (angle, cx, cy) = self.turned;
        let (sin, cos) = angle.to_radians().sin_cos();
        (cx + (x - cx) * cos - (y - cy) * sin, cy + (x - cx) * sin + (y - cy) * cos)
    }

    /// Whether a point of the page lies well inside the letters.
    fn holds(&self, (x, y): (f64, f64)) -> bool {
        const MARGIN: f64 = 2.0;
        let (angle, cx, cy) = self.turned;
        let (sin, cos) = (-angle.to_radians()).sin_cos();
        let (x, y) = (cx + (x - cx) * cos - (y - cy) * sin, cy + (x - cx) * sin + (y - cy) * cos);
        let is_along = x > self.left + MARGIN && x < self.left + self.wide - MARGIN;
        is_along && y < self.foot - MARGIN && y > self.foot - 0.7 * self.size + MARGIN
    }

    fn is_over(&self, other: &Text) -> bool {
        let shares = (0..=20).map(|number| f64::from(number) / 20.0);
        shares
            .flat_map(|along| [0.1, 0.35, 0.6].map(|up| (along, up)))
            .any(|(along, up)| other.holds(self.point(along, up)))
    }
}

fn attribute<'t>(tag: &'t str, name: &str) -> Option<&'t str> {
    let (_, rest) = tag.split_once(&format!(" {name}=\""))?;
    rest.split_once('"').map(|(value, _)| value)
}

fn number(tag: &str, name: &str) -> Option<f64> {
    attribute(tag, name)?.parse().ok()
}

/// The texts of a picture. Letters count as half as wide as they are high, as in Helvetica.
fn texts(svg: &str) -> Vec<Text> {
    let mut texts = Vec::new();
    let (mut turned, mut class) = ((0.0, 0.0, 0.0), String::new());
    let mut rest = svg;
    while let Some(begin) = rest.find('<') {
        let end = begin + rest[begin..].find('>').expect("a tag ends");
        let tag = &rest[begin + 1..end];
        rest = &rest[end + 1..];
        if tag.starts_with("g ") {
            let turn = attribute(tag, "transform").and_then(|turn| turn.strip_prefix("rotate(")?.strip_suffix(')'));
            let turn: Vec<f64> = turn.expect("a turn").split(' ').map(|one| one.parse().expect("a number")).collect();
            (turned, class) = ((turn[0], turn[1], turn[2]), "label".to_string());
        } else if tag == "/g" {
            (turned, class) = ((0.0, 0.0, 0.0), String::new());
        } else if tag.starts_with("text ") {
            let close = rest.find("</text>").expect("a text ends");
            let mut said = String::new();
            let mut inside = &rest[..close];
            while let Some((text, more)) = inside.split_once('<') {
                said += text;
                inside = more.split_once('>').expect("a tag ends").1;
            }
            said += inside;
            let said = said.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&");
            let class = attribute(tag, "class").unwrap_or(&class);
            let size = number(tag, "font-size").unwrap_or(match class {
                "bar" => 17.0,
                "time" => 14.0,
                _ => 16.0,
            });
            let wide = 0.5 * size * said.chars().count() as f64;
            let x = number(tag, "x").expect("a place");
            let anchor = attribute(tag, "text-anchor").unwrap_or(if class == "label" { "middle" } else { "start" });
            let left = match anchor {
                "middle" => x - wide / 2.0,
                "end" => x - wide,
                _ => x,
            };
            texts.push(Text { said, left, foot: number(tag, "y").expect("a place"), wide, size, turned });
        }
    }
    texts
}

/// The defects of a picture.
fn problems(svg: &str) -> Vec<String> {
    let page: Vec<f64> =
        attribute(svg, "viewBox").expect("a page").split(' ').map(|one| one.parse().expect("a number")).collect();
    let (left, top, right, bottom) = (page[0], page[1], page[0] + page[2], page[1] + page[3]);
    let texts = texts(svg);
    let mut problems = Vec::new();
    for (place, text) in texts.iter().enumerate() {
        for (x, y) in [text.point(0.0, 0.0), text.point(1.0, 0.0), text.point(0.0, 0.7), text.point(1.0, 0.7)] {
            if x < left || x > right || y < top || y > bottom {
                problems.push(format!("{:?} is not on the page", text.said));
            }
        }
        for other in &texts[place + 1..] {
            if text.is_over(other) || other.is_over(text) {
                problems.push(format!("{:?} lies over {:?}", text.said, other.said));
            }
        }
    }
    problems
}

/// Writes the pictures of a chapter if `PICTURES` asks for them.
fn keep(id: &str, diagram: &Diagram) {
    let Some(folder) = std::env::var_os("PICTURES").map(std::path::PathBuf::from) else { return };
    let write =
        |name: String, text: String| std::fs::write(folder.join(name), text).expect("the folder can be written");
    write(format!("{id}.svg"), svg(diagram));
    write(format!("{id}-wide.svg"), drawn(diagram, Format::Wide).svg);
    for columns in [80, 100, 160] {
        write(format!("{id}-{columns}.txt"), terminal(diagram, Paper { columns, is_coloured: false }));
    }
}

fn run(protocol: &str, request: Request) -> Ran {
    let shell = REGISTRY.find(protocol).unwrap_or_else(|error| panic!("{error}"));
    study::run(shell, &Request { moments_max: 100_000, ..request }).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn nothing_lies_over_anything_and_nothing_is_cut_off() {
    let mut found = Vec::new();
    for shell in REGISTRY.chapters() {
        for seed in [1, 5] {
            let id = shell.card().id;
            let ran = run(id, Request { seed, ..Request::default() });
            let diagram = Diagram::of(&ran).expect("recorded");
            found.extend(problems(&svg(&diagram)).into_iter().map(|problem| format!("{id}, seed {seed}: {problem}")));
            if seed == 1 {
                keep(id, &diagram);
                for format in [Format::Wide, Format::Standard] {
                    let slide = drawn(&diagram, format).svg;
                    found.extend(problems(&slide).into_iter().map(|problem| format!("{id}, {format:?}: {problem}")));
                }
            }
        }
    }
    assert!(found.is_empty(), "{} problems:\n{}", found.len(), found.join("\n"));
}

#[test]
fn the_measure_sees_what_lies_over_another_and_what_is_cut_off() {
    let page = |texts: &str| format!("<svg viewBox=\"0 0 200 100\">{texts}</svg>");
    let text = |x: u32, y: u32| format!("<text x=\"{x}\" y=\"{y}\" class=\"mark\">elected</text>");
    assert_eq!(problems(&page(&format!("{}{}", text(10, 20), text(10, 40)))), [""; 0]);
    assert!(problems(&page(&format!("{}{}", text(10, 20), text(30, 24))))[0].contains("lies over"));
    assert!(problems(&page(&text(180, 20)))[0].contains("not on the page"));
    let label = "<g transform=\"rotate(90.0 190.0 20.0)\" class=\"label\"><text x=\"190\" y=\"20\">Append</text></g>";
    assert!(problems(&page(label))[0].contains("not on the page"), "upright it begins above the page");
}

#[test]
fn a_slide_has_its_format_and_a_window_its_time() {
    let ran = run("paxos", Request { seed: 1, ..Request::default() });
    let diagram = Diagram::of(&ran).expect("recorded");
    for (format, width, height) in [(Format::Wide, 16.0, 9.0), (Format::Standard, 4.0, 3.0)] {
        let slide = drawn(&diagram, format).svg;
        let ratio = number(&slide, "width").expect("a width") / number(&slide, "height").expect("a height");
        assert!((ratio - width / height).abs() < 0.01, "{ratio}");
    }
    let at = |ms: u64| Instant(ms * 1_000_000);
    let window = Window { from: Some(at(10)), to: Some(at(20)) };
    let part = Diagram::with(&ran, &View { detail: Detail::Protocol, window }).expect("recorded");
    assert!(!part.rows.is_empty() && part.rows.len() < diagram.rows.len());
    assert!(part.rows.iter().all(|row| row.at() >= at(10) && row.at() <= at(20)), "{:?}", part.rows);
    assert_eq!(problems(&svg(&part)), [""; 0]);
}

#[test]
fn roles_and_logs_are_drawn() {
    let picture = |protocol: &str| {
        let ran = run(protocol, Request { seed: 1, ..Request::default() });
        svg(&Diagram::of(&ran).expect("recorded"))
    };
    for (protocol, roles) in [
        ("leases", vec!["grantor", "store", "client"]),
        ("two-phase-commit", vec!["coordinator", "participant"]),
        ("cristian", vec!["server", "client"]),
    ] {
        let picture = picture(protocol);
        for role in roles {
            assert!(picture.contains(&format!(">{role}<")), "{protocol}: no {role}");
        }
    }
    let raft = picture("raft");
    assert!(raft.contains("the logs at the end") && raft.contains(">1 t1<"), "no log");
}

#[test]
fn a_fault_and_what_follows_it_are_never_folded_away() {
    let fault = "crash 3 @ 1500ms".parse().expect("a fault");
    let scenario = "nodes 4\nlatency uniform 1ms 4ms\nat 5ms n2 enter\nfor 2s\n";
    let scenario = volvox_lab::scenario::Scenario::parse("idle.txt", scenario).expect("a scenario");
    let ran =
        run("token-ring", Request { seed: 1, faults: vec![fault], scenario: Some(scenario), ..Request::default() });
    let diagram = Diagram::of(&ran).expect("recorded");
    let picture = svg(&diagram);
    assert!(picture.contains(">crash 3<") && !diagram.is_cut, "an idle token hides the crash");
    let crash = Instant(1_500_000_000);
    assert!(diagram.rows.iter().filter(|row| row.at() > crash).count() >= 4, "{:?}", diagram.rows.last());
    assert!(diagram.rows.len() < 200, "{} rows", diagram.rows.len());
}
