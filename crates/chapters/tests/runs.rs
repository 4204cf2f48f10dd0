//! Runs of chapters in the simulated world, as from the command line.

use volvox_chapters::REGISTRY;
use volvox_core::Scheduled;
use volvox_lab::diagram::{Diagram, Paper, svg, terminal};
use volvox_lab::scenario::Scenario;
use volvox_lab::study::{self, End, Held, Ran, Request};

const MOMENTS_MAX: usize = 100_000;

fn request(seed: u64) -> Request {
    Request { seed, moments_max: MOMENTS_MAX, ..Request::default() }
}

fn run(protocol: &str, request: &Request) -> Ran {
    let shell = REGISTRY.find(protocol).unwrap_or_else(|error| panic!("{error}"));
    study::run(shell, request).unwrap_or_else(|error| panic!("{error}"))
}

fn fault(text: &str) -> Scheduled {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn drawn(ran: &Ran, columns: usize) -> String {
    let diagram = Diagram::of(ran).expect("a run that was recorded");
    terminal(&diagram, Paper { columns, is_coloured: false })
}

#[test]
fn every_scenario_runs_the_same_twice_and_is_drawn_within_its_paper() {
    for shell in REGISTRY.chapters() {
        let id = shell.card().id;
        let first = study::run(shell, &request(5)).unwrap_or_else(|error| panic!("{id}: {error}"));
        let again = study::run(shell, &request(5)).expect("what ran once");
        assert_eq!((first.chain, &first.recording), (again.chain, &again.recording), "{id}");
        assert!(first.is_good(), "{id}:\n{first}");
        for columns in [60, 80, 100, 160] {
            let text = drawn(&first, columns);
            // Seven nodes do not fit on the narrowest paper, and the answer says what draws them.
            if columns == 60 && text.contains("nodes need") {
                assert!(text.contains("use --svg FILE"), "{id}: {text}");
                continue;
            }
            let longest = text.lines().map(|line| line.chars().count()).max().unwrap_or(0);
            assert!(longest <= columns, "{id}: {longest} of {columns} columns:\n{text}");
        }
        let picture = svg(&Diagram::of(&first).expect("recorded"));
        assert!(picture.starts_with("<svg") && picture.trim_end().ends_with("</svg>"), "{id}");
        assert_eq!(picture.matches("<text").count(), picture.matches("</text>").count(), "{id}");
    }
}

#[test]
fn every_message_that_was_sent_is_received_or_lost_or_under_way() {
    use volvox_sim::What;
    for shell in REGISTRY.chapters() {
        let ran = study::run(shell, &request(3)).expect("it runs");
        let recording = ran.recording.expect("recorded");
        let mut fates = vec![0; recording.messages.len()];
        for moment in &recording.moments {
            if let What::Delivered(id) | What::Lost(id, _) = moment.what {
                fates[id] += 1;
            }
        }
        assert!(fates.iter().all(|fate| *fate <= 1), "{}: a message with two fates", shell.card().id);
        let copies = recording.messages.iter().filter(|message| message.is_copy).count() as u64;
        assert_eq!(recording.messages.len() as u64, ran.statistics.sent + copies, "{}", shell.card().id);
        let delivered = recording.moments.iter().filter(|moment| matches!(moment.what, What::Delivered(_))).count();
        assert_eq!(delivered as u64, ran.statistics.delivered, "{}", shell.card().id);
    }
}

#[test]
fn a_diagram_shows_requests_crashes_pauses_and_cuts() {
    let faults = ["pause 4 @ 5ms", "partition 1,2|3,4 @ 8ms", "crash 2 @ 16ms", "resume 4 @ 30ms"];
    let request = Request { faults: faults.map(fault).to_vec(), ..request(7) };
    let ran = run("ricart-agrawala", &request);
    let text = drawn(&ran, 100);
    for wanted in
        ["● enter", "[requesting]", "━━ partition 1,2|3,4 ━", "✖ crashed", "◌ paused", "resumes", "(partition)", "▶│"]
    {
        assert!(text.contains(wanted), "no {wanted:?} in\n{text}");
    }
    let picture = svg(&Diagram::of(&ran).expect("recorded"));
    for wanted in ["partition 1,2|3,4", ">crashes<", ">paused<", "stroke-dasharray", "requesting"] {
        assert!(picture.contains(wanted), "no {wanted:?} in the picture");
    }
    let coloured = terminal(&Diagram::of(&ran).expect("recorded"), Paper { columns: 100, is_coloured: true });
    assert!(coloured.contains("\x1b[31m") && !text.contains('\x1b'));
}

#[test]
fn a_rule_that_is_taken_out_is_seen_to_be_missed() {
    let ran = run("ricart-agrawala", &Request { without: Some("order".to_string()), ..request(7) });
    assert_eq!(ran.end, End::Broken);
    let (property, _) = ran.broken().expect("two are inside");
    assert_eq!(property.name, "mutual exclusion");
    assert!(ran.properties.iter().any(|(_, held)| *held == Held::NotAsked), "what holds at the end was not evaluated");
    assert!(drawn(&ran, 100).contains("BROKEN: mutual exclusion"));
}

#[test]
fn what_does_not_fit_is_refused_with_what_would() {
    let refused = |protocol: &str, request: Request| {
        let shell = REGISTRY.find(protocol).expect("it is there");
        study::run(shell, &request).expect_err("it does not fit").to_string()
    };
    let asked = |protocol: &str| REGISTRY.find(protocol).err().map(|error| error.to_string()).unwrap_or_default();
    assert!(asked("ricart-agrawla").contains("did you mean ricart-agrawala?"));
    assert!(asked("kubernetes").ends_with("`volvox lab list` names all"));
    let text = refused("ricart-agrawala", Request { nodes: Some(1000), ..Request::default() });
    assert_eq!(text, "ricart-agrawala runs with 3 to 64 nodes, not with 1000");
    let text = refused("ricart-agrawala", Request { without: Some("clok".to_string()), ..Request::default() });
    assert!(text.contains("did you mean clock?"), "{text}");
    let text = refused("ricart-agrawala", Request { faults: vec![fault("crash 9 @ 1ms")], ..Request::default() });
    assert!(text.contains("there is no n9; nodes are n1 to n4"), "{text}");
    let scenario = Scenario::parse("mine.txt", "nodes 3\nat 1ms n2 entr\n").expect("a scenario");
    let text = refused("ricart-agrawala", Request { scenario: Some(scenario), ..Request::default() });
    assert!(text.starts_with("mine.txt:2:11: ricart-agrawala does not know this command"), "{text}");
    let scenario = Scenario::parse("mine.txt", "nodes 3\nat 1ms n7 enter\n").expect("a scenario");
    let text = refused("ricart-agrawala", Request { scenario: Some(scenario), ..Request::default() });
    assert!(text.starts_with("mine.txt:2:8: there is no n7"), "{text}");
}

#[test]
fn a_scenario_is_played_with_fewer_nodes_than_it_was_written_for() {
    let ran = run("ricart-agrawala", &Request { nodes: Some(3), ..request(1) });
    assert!(ran.is_good() && ran.nodes == 3, "{ran}");
    let scenario = Scenario::parse("mine.txt", "nodes 5\nat 1ms n5 enter\nat 1ms n1 enter\nfault crash 4 @ 9s\n");
    let scenario = Some(scenario.expect("a scenario"));
    let ran = run("ricart-agrawala", &Request { nodes: Some(3), scenario, ..request(1) });
    assert_eq!(ran.left_out, 2, "{ran}");
    assert_eq!(ran.statistics.commands, 1);
}

#[test]
fn the_document_of_a_run_says_what_the_text_says() {
    let ran = run("ricart-agrawala", &request(7));
    let document = ran.document();
    assert_eq!(document["protocol"], "ricart-agrawala");
    assert_eq!(document["messages"]["Request"], 9);
    assert_eq!(document["properties"][0]["held"], true);
    assert_eq!(document["good"], true);
    let text = ran.to_string();
    assert!(text.contains("Request 9, Reply 9") && text.contains("holds     mutual exclusion (always)"), "{text}");
}
