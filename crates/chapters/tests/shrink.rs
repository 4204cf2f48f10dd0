//! Sweeps of chapters, and the size of their shrunk findings.

use volvox_chapters::REGISTRY;
use volvox_lab::shell::Shell;
use volvox_lab::shrink;
use volvox_lab::shrink::{Shrunk, SweepRequest, protocol_of};

fn swept(shell: &'static dyn Shell, rule: Option<&str>, seeds: u64) -> Vec<Shrunk> {
    let request = SweepRequest { seeds, without: rule.map(str::to_string), ..SweepRequest::default() };
    shrink::sweep(shell, &request, &|_, _| {}).unwrap_or_else(|error| panic!("{error}")).found
}

/// The property expected to break without each of these rules, and the most events that takes.
const RULES: [(&str, &str, &str, usize); 9] = [
    ("ricart-agrawala", "order", "mutual exclusion", 16),
    ("ricart-agrawala", "late-reply", "no starvation", 4),
    ("lamport-mutex", "tie-break", "mutual exclusion", 16),
    ("token-ring", "memory", "one token per epoch", 6),
    ("paxos", "promise-kept", "agreement", 25),
    ("paxos", "acceptance-on-disk", "agreement", 25),
    ("vector-clocks", "whole", "clock condition", 6),
    ("chandy-lamport", "fifo", "channel states", 12),
    ("cristian", "slew", "monotonicity", 4),
];

#[test]
fn what_a_rule_is_for_is_shown_by_a_short_script_that_is_followed_again() {
    for (id, rule, property, events_max) in RULES {
        let shell = REGISTRY.find(id).expect("a chapter");
        let found = swept(shell, Some(rule), 20_000);
        let shrunk = found.first().unwrap_or_else(|| panic!("{id} without {rule}: nothing breaks"));
        assert_eq!(shrunk.breach.property, property, "{id} without {rule}");
        let text = shrunk.text.as_ref().unwrap_or_else(|| panic!("{id} without {rule}: {shrunk}"));
        assert!(shrunk.events <= events_max, "{id} without {rule}: {shrunk}");

        assert_eq!(protocol_of(text), Ok(id));
        let again = shrink::replay(shell, text).unwrap_or_else(|error| panic!("{id} without {rule}: {error}\n{text}"));
        assert_eq!(again.text, *text, "it reads as it was printed");
        assert_eq!(again.breach.as_ref(), Some(&shrunk.breach), "{id} without {rule}");

        // With the rule in place the same actions do no harm, as far as they are possible.
        let with_rule: String =
            text.lines().filter(|line| !line.starts_with("without ")).map(|line| format!("{line}\n")).collect();
        if let Ok(followed) = shrink::replay(shell, &with_rule) {
            assert_eq!(followed.breach, None, "{id} with {rule}\n{}", followed.text);
        }
    }
}

#[test]
fn one_seed_shrinks_to_one_text() {
    let shell = REGISTRY.find("paxos").expect("a chapter");
    let request =
        SweepRequest { first_seed: 97, seeds: 1, without: Some("adopt-newest".to_string()), ..SweepRequest::default() };
    let once = || shrink::sweep(shell, &request, &|_, _| {}).expect("it fits").found;
    let first = once();
    assert_eq!(first.len(), 1, "seed 97");
    assert_eq!(first, once());
}

#[test]
fn with_all_of_its_rules_no_chapter_breaks() {
    for shell in REGISTRY.chapters() {
        let found = swept(shell, None, 60);
        assert!(found.is_empty(), "{}", found[0]);
    }
}

#[test]
fn counterexamples_of_the_checker_end_in_the_same_processes_by_hand() {
    let mut followed = 0;
    for shell in REGISTRY.chapters() {
        for model in shell.models() {
            let Some((_, steps)) = model.expects.counterexample() else { continue };
            // The few long ones are replayed where all models are explored.
            if steps <= 12 {
                let explored = (model.explore)();
                let found = explored.found.unwrap_or_else(|| panic!("{}: {}", shell.card().id, model.name));
                assert!(found.replayed, "{}: {}", shell.card().id, model.name);
                followed += 1;
            }
        }
    }
    assert!(followed >= 20, "{followed}");
}

#[test]
fn a_text_that_is_no_counterexample_says_where() {
    let shell = REGISTRY.find("ricart-agrawala").expect("a chapter");
    let header = "protocol ricart-agrawala\nnodes 3\nproperty mutual exclusion\n";
    for (text, line, expected) in [
        ("nodes 3\n", 1, "expected `property NAME`"),
        ("protocol paxos\n", 1, "expected protocol ricart-agrawala"),
        ("protocol ricart-agrawala\nnodes 1\n", 2, "expected nodes 3 to"),
        ("protocol ricart-agrawala\nwithout hope\n", 2, "expected a rule, one of: order"),
        ("property peace\n", 1, "expected a property, one of: mutual exclusion"),
        ("links loose\n", 1, "expected links free, lossy or strict"),
        (&format!("{header}> command n1 leave\n"), 4, "expected a command of the protocol"),
        (&format!("{header}\n> deliver n1->n2\n"), 5, "no such message is in flight from n1 to n2"),
        (&format!("{header}> explode\n"), 4, "expected cluster"),
        (&format!("{header}> cluster 3\n"), 4, "expected a command for the existing nodes"),
    ] {
        let error = shrink::replay(shell, text).expect_err(text);
        assert_eq!(error.line, line, "{text}: {error}");
        assert!(error.problem.starts_with(expected), "{text}: {error}");
    }
    assert!(shrink::protocol_of("> settle\nprotocol paxos\n").is_err());
    let holds = shrink::replay(shell, &format!("{header}> command n1 enter\n> settle\n")).expect("it can be followed");
    assert_eq!(holds.breach, None);
    assert!(holds.text.contains("Request 1"), "{}", holds.text);
}
