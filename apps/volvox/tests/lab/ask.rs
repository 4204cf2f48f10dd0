//! `volvox lab check` with bounds, and what it refuses.

use super::{document, lab, refused, says, scratch};
use serde_json::{Value, json};

/// Runs the command, which is refused before anything is explored.
fn refused_at_once(arguments: &[&str], problems: &[&str]) {
    let output = lab(arguments);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && output.stdout.is_empty(), "{arguments:?} ran first");
    for problem in problems {
        assert!(error.contains(problem), "{arguments:?}: {problem:?} is not in {error}");
    }
}

#[test]
fn a_chapter_is_asked_for_a_model_by_its_bounds() {
    let checked = document(&["check", "ricart-agrawala", "--nodes", "2", "--entries", "2"]);
    let model = &checked["models"][0];
    // The chapter's own model of two nodes and two entries has as many states.
    assert_eq!((&model["states"], &model["verdict"]), (&json!(251), &json!("good")), "{checked}");
    let bounds = json!({ "nodes": 2, "entries": 2, "crashes": 0, "losses": 0, "order": "unordered" });
    assert_eq!((&model["bounds"], &model["without"]), (&bounds, &Value::Null));
    assert_eq!(model["properties"], json!(["mutual exclusion", "no unrequested entry", "no starvation"]));
    let text = says(&["check", "ricart-agrawala", "--nodes", "2", "--crashes", "1", "--order", "fifo"]);
    assert!(text.contains("2 nodes, 1 entry, 1 crash, order fifo"), "{text}");
    assert!(
        text.contains("holds: mutual exclusion, no unrequested entry\n"),
        "with a crash, starvation is no question: {text}"
    );
    assert!(text.contains("everything that was asked holds"), "{text}");
}

#[test]
fn what_may_be_asked_is_shown() {
    let text = says(&["show", "paxos"]);
    assert!(text.contains("# What may be asked (volvox lab check paxos --BOUND VALUE ...)"), "{text}");
    assert!(
        text.contains("- --nodes 2..5 nodes (3 if not given): ") && text.contains("- --order fifo|unordered"),
        "{text}"
    );
    let shown = document(&["show", "paxos"]);
    assert!(
        shown["text"].as_str().is_some_and(|text| text.contains("# Why it is safe")),
        "a chapter as data has its text"
    );
    let nodes = shown["bounds"].as_array().expect("bounds").iter().find(|bound| bound["name"] == "nodes");
    assert_eq!(nodes.expect("nodes")["most"], 5, "{shown}");
    assert!(says(&["check", "--help"]).contains("--crashes"));
}

#[test]
fn a_rule_is_asked_about_with_bounds_and_without() {
    let arguments = ["check", "ricart-agrawala", "--nodes", "3", "--without", "order", "--diagram"];
    let output = lab(&arguments);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(!output.status.success(), "a property is broken: {text}");
    assert!(text.contains("3 nodes, 1 entry, order unordered, without order"), "{text}");
    assert!(text.contains("BROKEN: \"mutual exclusion\" in ") && text.contains("BROKEN: mutual exclusion: "), "{text}");
    // Without bounds these are the chapter's own models that show the rule, and break as they must.
    let checked = document(&["check", "ricart-agrawala", "--without", "tie-break"]);
    assert_eq!(checked["models"].as_array().expect("models").len(), 1, "{checked}");
    assert_eq!((&checked["models"][0]["without"], &checked["failed"]), (&json!("tie-break"), &json!(0)));
}

#[test]
fn a_counterexample_that_was_asked_for_is_drawn_and_kept() {
    let (picture, script) = (scratch("asked.svg"), scratch("asked.txt"));
    let files = ["--svg", picture.to_str().expect("a path"), "--save", script.to_str().expect("a path")];
    let output = lab(&[&["check", "lamport-mutex", "--nodes", "2", "--order", "unordered"], &files[..]].concat());
    assert!(!output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert!(std::fs::read_to_string(&picture).expect("the picture").contains("mutual exclusion"));
    let text = std::fs::read_to_string(&script).expect("the script");
    assert!(
        text.contains("`volvox lab check lamport-mutex --nodes 2 ") && text.contains("> command n1 enter"),
        "{text}"
    );
    std::fs::remove_file(&picture).expect("the picture was there");
    std::fs::remove_file(&script).expect("the script was there");
}

#[test]
fn bounds_that_make_no_model_are_refused_with_those_that_would() {
    let asked = |arguments: &[&str], problems: &[&str]| {
        refused_at_once(&[&["check", "ricart-agrawala"], arguments].concat(), problems);
    };
    for nodes in ["0", "1", "40", "-1", "abc", "2.5"] {
        let problem = format!("--nodes {nodes}: expected a whole number, from 2 to 4 nodes");
        asked(&["--nodes", nodes], &["ricart-agrawala: ", &problem]);
    }
    asked(
        &["--terms", "2"],
        &[
            "its models have no bound --terms",
            "\n  --nodes 2..4 nodes (3 if not given): ",
            "\n  --order fifo|unordered",
        ],
    );
    asked(
        &["--frobs", "2"],
        &["'--frobs'", "the models of ricart-agrawala have --nodes, --entries, ", "lab show ricart-agrawala"],
    );
    asked(&["--order", "lifo"], &["--order lifo: expected fifo or unordered"]);
    asked(&["--nodes", "2", "--crashes", "2"], &["--nodes 2 and --crashes 2 contradict one another"]);
    asked(&["--nodes", "2", "--nodes", "3"], &["'--nodes <COUNT>' cannot be used multiple times"]);
    asked(&["--nodes", "3", "--without", "ordr"], &["did you mean order?"]);
    refused_at_once(
        &["check", "channels", "--order", "anything", "--losses", "1"],
        &["--losses and --copies count nothing with --order anything"],
    );
    refused_at_once(&["check", "sliding-windows", "--scheme", "stop-and-wait"], &["it needs one bit"]);
    refused_at_once(&["check", "replicated-state-machine", "--nodes", "3"], &["has no model to explore"]);
    refused_at_once(&["check", "ricart-agrawla", "--nodes", "3"], &["did you mean ricart-agrawala?"]);
}

#[test]
fn flags_that_contradict_one_another_are_refused() {
    let asked = |arguments: &[&str], problem: &str| {
        refused_at_once(&[&["check", "ricart-agrawala"], arguments].concat(), &[problem]);
    };
    asked(&["--model", "two nodes", "--nodes", "3"], "--model names one of the chapter's own models");
    asked(&["--model", "two nodes", "--without", "order"], "cannot be used with");
    asked(&["--all"], "cannot be used with");
    asked(&["--diagram", "--json"], "--svg FILE draws beside it");
    asked(&["--from", "2ms"], "say --diagram or --svg FILE, too");
    asked(&["--diagram", "--from", "9ms", "--to", "2ms"], "--from 9.000ms is not before --to 2.000ms");
    asked(&["--svg", "x.svg", "--size", "0x9"], "expected 16:9 or 4:3");
    asked(&["--size", "16:9"], "--svg");
    asked(&["--svg", "/nonexistent/x.svg"], "cannot write /nonexistent/x.svg");
    asked(&["--save", "/nonexistent/x.txt"], "cannot write /nonexistent/x.txt");
    asked(&["--states", "0"], "0 is not in 1..");
    asked(&["--memory", "much"], "invalid value 'much'");
    refused_at_once(&["check", "--all", "--nodes", "3"], &["cannot be used with"]);
    refused_at_once(&["check", "--without", "order"], &["<PROTOCOL>"]);
    assert!(!std::path::Path::new("x.svg").exists());
}

/// A model that is too large ends at a limit, with the states that were explored until then.
#[test]
fn a_model_that_outgrows_its_limits_says_how_far_it_came() {
    let large = ["check", "raft", "--nodes", "5", "--terms", "3", "--entries", "3", "--disks", "late"];
    for (limit, stopped) in [(["--states", "3000"], "stopped at "), (["--memory", "24"], "stopped at 2")] {
        let output = lab(&[&large[..], &limit[..]].concat());
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(!output.status.success() && output.status.code() == Some(1), "{limit:?}: {text}");
        assert!(text.contains(&format!("not exhausted: {stopped}")) && text.contains(" states"), "{limit:?}: {text}");
        assert!(text.contains("not decided: --states and --memory are the limits"), "{limit:?}: {text}");
    }
    let output = lab(&[&large[..], &["--states", "3000", "--json"]].concat());
    let checked: Value = serde_json::from_slice(&output.stdout).expect("a document");
    assert_eq!(
        (&checked["models"][0]["verdict"], &checked["undecided"]),
        (&json!("undecided"), &json!(1)),
        "{checked}"
    );
}

/// A gap in the models of a chapter is printed with its reason.
#[test]
fn what_never_happens_is_said_for_each_model_and_for_the_chapter() {
    let text = says(&["check", "chang-roberts"]);
    assert!(text.contains("      never happened: "), "{text}");
    assert!(text.contains("in none of the models of chang-roberts:\n"), "{text}");
    let checked = document(&["check", "chang-roberts"]);
    let never = checked["never_in_any_model"].as_array().expect("what never happens");
    assert!(never.iter().any(|one| one["what"] == "fault crash"), "{checked}");
    assert!(never.iter().all(|one| one["why"].as_str().is_some_and(|why| !why.is_empty())), "{checked}");
    // Of a part of the models nothing can be said.
    assert!(!says(&["check", "chang-roberts", "--model", "four"]).contains("in none of the models"));
}

/// Without this rule the default scenario breaks nothing, so the counterexample of the checker is shown as a run.
#[test]
fn the_shortest_run_without_a_rule_is_drawn_where_the_scenario_breaks_nothing() {
    let output = lab(&["run", "paxos", "--without", "promise-on-disk", "--diagram"]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(!output.status.success(), "{text}");
    assert!(
        text.starts_with("the scenario breaks nothing without promise-on-disk, with seed 1: this is the shortest run")
    );
    assert!(text.contains("BROKEN: agreement: ") && text.contains("  BROKEN    agreement (always)"), "{text}");
    assert!(text.contains("Prepare 1.1") && text.contains("▶│"), "{text}");
    let output = lab(&["run", "paxos", "--without", "promise-on-disk", "--json"]);
    let ran: Value = serde_json::from_slice(&output.stdout).expect("a document");
    assert_eq!((&ran["world"], &ran["good"]), (&json!("checked"), &json!(false)), "{ran}");
    assert!(ran["happened"].as_array().is_some_and(|happened| happened.len() > 10), "{ran}");
    let output = lab(&["run", "berkeley", "--without", "unique", "--json"]);
    let ran: Value = serde_json::from_slice(&output.stdout).expect("a document");
    assert_eq!(ran["faults"], json!(["crash 1 @ 0s", "start 1 @ 2ms"]), "{ran}");
    // A scenario that breaks is shown itself, and so is one that the reader chose.
    let output = lab(&["run", "ricart-agrawala", "--without", "order"]);
    assert!(String::from_utf8_lossy(&output.stdout).contains(", seed 1, without order"));
    let text = says(&["run", "paxos", "--without", "promise-on-disk", "--fault", "heal @ 1ms"]);
    assert!(
        text.contains("nothing broke without promise-on-disk in this run: `volvox lab check paxos --without"),
        "{text}"
    );
}

/// Ballots grow from one passage of the loop to the next: a run, and no list of states.
#[test]
fn two_proposers_that_duel_are_drawn_with_their_real_ballots() {
    let output = lab(&["run", "paxos", "--without", "backoff", "--json"]);
    let ran: Value = serde_json::from_slice(&output.stdout).expect("a document");
    let happened = ran["happened"].as_array().expect("what happened");
    assert!(happened.iter().any(|one| one["what"] == "repeat"), "the loop is marked: {ran}");
    for proposer in [1, 2] {
        let begins =
            happened.iter().filter(|one| one["what"] == "send" && one["from"] == proposer && one["kind"] == "Prepare");
        let texts: Vec<&str> = begins.filter_map(|one| one["text"].as_str()).collect();
        let rounds = texts
            .iter()
            .map(|text| text.trim_start_matches("Prepare ").split('.').next().unwrap().parse::<u64>().unwrap());
        let rounds: Vec<u64> = rounds.collect();
        assert!(rounds.len() >= 2 && rounds.is_sorted(), "n{proposer}: {texts:?}");
    }
}

/// A clock fault changes what the protocols about clocks do: they ask again, and the run is another.
#[test]
fn clock_faults_act_on_the_protocols_about_clocks() {
    let ran = |protocol: &str, fault: &str| -> Value {
        let output = lab(&["run", protocol, "--fault", fault, "--json"]);
        serde_json::from_slice(&output.stdout).expect("a document")
    };
    for (protocol, node) in [("cristian", 2), ("berkeley", 2), ("ntp", 4)] {
        let still = ran(protocol, "heal @ 1ms");
        for fault in [
            format!("skew {node} +300ms @ 20ms"),
            format!("skew {node} -300ms @ 20ms"),
            format!("drift {node} 20000ppm @ 1ms"),
        ] {
            let moved = ran(protocol, &fault);
            assert_ne!(moved["chain"], still["chain"], "{protocol}, {fault}");
            assert_eq!(moved["in_vain"], json!([]), "{protocol}, {fault}: {moved}");
        }
        let moved = ran(protocol, &format!("skew {node} +300ms @ 20ms"));
        assert_eq!((&moved["events"]["ClockSet"], &moved["good"]), (&json!(1), &json!(true)), "{protocol}: {moved}");
    }
    // The clients of Cristian follow their server: once its machine's clock was set, what they believed is wrong.
    let moved = ran("cristian", "skew 1 +300ms @ 60ms");
    let accuracy = moved["properties"].as_array().expect("properties").iter().find(|one| one["name"] == "accuracy");
    assert_eq!(accuracy.expect("accuracy")["held"], false, "{moved}");
}

#[test]
fn a_seed_and_a_fault_that_make_no_sense_are_refused() {
    for command in ["run", "sweep", "step"] {
        for seed in ["abc", "-1", "1.5"] {
            let error = refused(&[command, "ricart-agrawala", "--seed", seed]);
            assert!(error.contains("expected a whole number from 0 to "), "{command} --seed {seed}: {error}");
            assert!(!error.contains("-- -1"), "{error}");
        }
    }
    refused_at_once(
        &["run", "ricart-agrawala", "--fault", "disk 2 full @ 1ms"],
        &["disk 2 full @ 1ms", "ricart-agrawala writes no records, so no disk of it can fail"],
    );
    refused_at_once(&["run", "ricart-agrawala", "--fault", "crash 9 @ 1ms"], &["there is no n9; nodes are n1 to n4"]);
}
