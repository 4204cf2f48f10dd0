//! `volvox lab` as a person and as a program use it.
// Live runs are of the outside world: they are awaited with its clock.
#![allow(clippy::disallowed_methods)]

#[path = "lab/ask.rs"]
mod ask;

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// One program at a time: some of them explore on all cores, others are live and want some of the time of a core.
static TURN: Mutex<()> = Mutex::new(());

fn lab(arguments: &[&str]) -> Output {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let mut command = Command::new(env!("CARGO_BIN_EXE_volvox"));
    command.env("COLUMNS", "100").env_remove("NO_COLOR").arg("lab").args(arguments);
    command.output().expect("the program runs")
}

fn says(arguments: &[&str]) -> String {
    let output = lab(arguments);
    let (out, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "volvox lab {}: {out}\n{error}", arguments.join(" "));
    out.into_owned()
}

fn refused(arguments: &[&str]) -> String {
    let output = lab(arguments);
    assert!(!output.status.success(), "volvox lab {} succeeded", arguments.join(" "));
    String::from_utf8(output.stderr).expect("text")
}

fn document(arguments: &[&str]) -> Value {
    let said = says(&[arguments, &["--json"]].concat());
    serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"))
}

fn scratch(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("volvox-lab-{}-{name}", std::process::id()))
}

#[test]
fn the_list_tells_what_is_done_of_the_catalogue() {
    let list = document(&["list"]);
    assert_eq!(list["of"], 365);
    let protocols = list["protocols"].as_array().expect("protocols");
    let found = protocols.iter().find(|protocol| protocol["id"] == "ricart-agrawala").expect("it is registered");
    for part in ["mechanisms", "worlds", "properties", "claims", "rules", "models"] {
        assert!(!found[part].as_array().expect(part).is_empty(), "{part}: {found}");
    }
    assert!(says(&["list"]).contains("ricart-agrawala"));
    assert!(says(&["show", "ricart-agrawala"]).contains("# Why it is safe"));
}

#[test]
fn the_list_is_in_an_order_in_which_each_entry_needs_only_those_before_it() {
    let list = document(&["list"]);
    let entries = list["entries"].as_array().expect("entries");
    for (place, entry) in entries.iter().enumerate() {
        for needed in entry["needs"].as_array().expect("names") {
            let is_before = entries[..place].iter().any(|before| before["id"] == *needed);
            assert!(is_before, "{} needs {needed}", entry["id"]);
        }
    }
    let text = says(&["list"]);
    let line = text.lines().find(|line| line.contains(" ricart-agrawala ")).expect("its line");
    assert!(line.contains(" day ") && line.contains(" lamport-mutex "), "{line}");
}

#[test]
fn questions_are_asked_first_and_answered_on_request() {
    let asked = says(&["questions", "paxos"]);
    assert!(asked.contains("volvox lab claim Q-CON-1") && !asked.contains("4(n-1)"), "{asked}");
    assert!(says(&["questions", "paxos", "--answers"]).contains("4(n-1)"));
    assert!(says(&["show", "paxos"]).contains("# Predict, then run"));
    assert!(document(&["questions"])["entries"].as_array().expect("entries").len() >= 23);
    let all = document(&["questions", "raft"]);
    assert!(all["questions"].as_array().expect("questions").len() >= 3 && all["questions"][0]["answer"].is_null());
    assert!(
        refused(&["questions", "replicated-state-machine"]).contains("has no questions, since its kind is service")
    );
}

#[test]
fn a_claim_says_what_it_has_not_measured() {
    let claimed = document(&["claim", "Q-TIM-5"]);
    assert_eq!(claimed["claims"][0]["verdict"], "consistent", "a published measurement is not reproduced: {claimed}");
    let text = says(&["claim", "Q-MTX-3", "--broken"]);
    assert!(text.contains("condition  ") && text.contains("expected  measured  unit"), "{text}");
    assert!(
        text.contains("Q-MTX-3 holds") && text.contains("it fails, as expected") && text.contains("FAILS"),
        "{text}"
    );
    let nowhere = "/proc/nowhere";
    assert!(refused(&["claim", "Q-MTX-3", "--svg", nowhere]).contains("cannot create the folder /proc/nowhere"));
    let folder = scratch("plots");
    says(&["claim", "Q-MTX-3", "--svg", folder.to_str().expect("text")]);
    let plot = std::fs::read_to_string(folder.join("Q-MTX-3.svg")).expect("a picture");
    assert!(plot.contains(">2(N-1)<") && plot.contains(">expected<"), "{plot}");
    std::fs::remove_dir_all(folder).expect("it was written");
}

#[test]
fn a_row_of_the_catalogue_is_shown_with_what_shows_it() {
    let row = document(&["show", "mtx-03"]);
    assert_eq!((&row["id"], &row["done"]), (&Value::from("MTX-03"), &Value::from(true)), "{row}");
    let demands = row["demands"].as_array().expect("demands");
    assert!(demands.iter().all(|demand| !demand["evidence"].as_array().expect("evidence").is_empty()), "{row}");
    let text = says(&["show", "MTX-03"]);
    assert!(text.contains("safe    mutual exclusion\n        model ") && text.contains("(ricart-agrawala)"), "{text}");
    // A demand without evidence is printed as open, also in a row that is claimed.
    assert!(says(&["show", "CON-09"]).contains("world   check\n        open"));
    assert!(says(&["show", "ACP-02"]).contains("client  psql\n        open: there is no interface"));
    assert!(says(&["show", "MTX-05"]).contains("no entry covers it yet"));
    assert!(says(&["show", "Q-MTX-3"]).contains("measured by ricart-agrawala"));
    assert!(says(&["show", "Q-MTX-6"]).contains("open: not measured yet"));
    let error = refused(&["show", "XYZ-99"]);
    assert!(error.contains("the catalogue has no XYZ-99; the nearest is "), "{error}");
    assert!(refused(&["show", "MTX-33"]).contains("the nearest is MTX-03"));
}

#[test]
fn an_experiment_and_a_service_do_what_they_can_and_refuse_the_rest() {
    let claimed = document(&["claim", "eight-fallacies", "--broken"]);
    let claims = claimed["claims"].as_array().expect("claims");
    assert!(claims.len() >= 6 && claims.iter().all(|claim| claim["fails_when_broken"] == true), "{claimed}");
    assert!(says(&["show", "eight-fallacies"]).contains("# Parameters"));
    assert!(says(&["show", "replicated-state-machine"]).contains("(service, CON-06)"));
    assert!(refused(&["run", "eight-fallacies"]).contains("`volvox lab claim eight-fallacies` measures it"));
    assert!(refused(&["run", "replicated-state-machine"]).contains("names the tests that show it"));
    assert!(refused(&["check", "replicated-state-machine"]).contains("has no model to explore"));
    assert!(refused(&["claim", "replicated-state-machine"]).contains("measures nothing"));
}

#[test]
fn a_run_is_drawn_without_colours_in_a_pipe() {
    let text = says(&["run", "ricart-agrawala", "--nodes", "4", "--seed", "7", "--diagram"]);
    assert!(
        text.contains("Request 1") && text.contains("◆ entered") && text.contains("holds     mutual exclusion"),
        "{text}"
    );
    assert!(!text.contains('\x1b'));
    let file = scratch("run.svg");
    says(&["run", "ricart-agrawala", "--svg", file.to_str().expect("a path")]);
    assert!(std::fs::read_to_string(&file).expect("the picture").contains("</svg>"));
    std::fs::remove_file(&file).expect("the picture was there");
}

#[test]
fn what_carries_messages_is_drawn_only_when_that_is_asked_for() {
    let text = says(&["run", "lamport-mutex", "--diagram"]);
    assert!(text.contains("of the channel (--all-messages shows all)") && text.contains("Request 1 @"), "{text}");
    assert!(!text.contains("Hello s") && !text.contains("Data s"), "{text}");
    let all = says(&["run", "lamport-mutex", "--diagram", "--all-messages"]);
    assert!(all.contains("Hello s") && !all.contains("not shown"), "{all}");
}

#[test]
fn faults_of_the_command_line_take_the_place_of_the_scenarios() {
    let ran = document(&["run", "raft", "--nodes", "5", "--fault", "crash leader @ 1s"]);
    assert_eq!(ran["faults"], serde_json::json!(["crash leader @ 1s"]), "{ran}");
}

#[test]
fn what_cannot_be_written_or_drawn_is_refused_before_the_run() {
    let refused_at_once = |arguments: &[&str], problem: &str| {
        let output = lab(&[&["run", "ricart-agrawala"], arguments].concat());
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && error.contains(problem), "{arguments:?}: {error}");
        assert!(output.stdout.is_empty(), "{arguments:?} ran first");
    };
    refused_at_once(&["--svg", "/nonexistent/run.svg"], "cannot write /nonexistent/run.svg");
    refused_at_once(&["--shiviz", "/nonexistent/run.log"], "cannot write /nonexistent/run.log");
    refused_at_once(&["--diagram", "--from", "20ms", "--to", "10ms"], "--from 20.000ms is not before --to 10.000ms");
    refused_at_once(&["--diagram", "--from", "soon"], "expected a time such as 240ms or 2s");
    refused_at_once(&["--svg", "x.svg", "--size", "0x9"], "expected 16:9 or 4:3");
    refused_at_once(&["--size", "16:9"], "--svg");
    refused_at_once(&["--fault", "explode 1 @ 4ms"], "column 1: expected");
    refused_at_once(&["--trace", "--live"], "--live");
    assert!(!Path::new("x.svg").exists());
}

#[test]
fn a_run_is_told_as_a_trace_as_documents_and_for_shiviz() {
    let trace = says(&["run", "ricart-agrawala", "--seed", "7", "--trace"]);
    assert!(trace.lines().any(|line| line.contains("n1 -> n2 Request 1")), "{trace}");
    assert!(trace.lines().any(|line| line.contains("n2 <- n1 Request 1")), "{trace}");
    let ran = document(&["run", "ricart-agrawala", "--seed", "7"]);
    let happened = ran["happened"].as_array().expect("what happened");
    let sent = happened.iter().filter(|one| one["what"] == "send" && one["kind"] == "Request").count();
    assert_eq!(ran["messages"]["Request"], sent as u64, "{ran}");
    assert!(happened.iter().any(|one| one["what"] == "event" && one["text"] == "entered"));
    let file = scratch("shiviz.log");
    says(&["run", "ricart-agrawala", "--seed", "7", "--shiviz", file.to_str().expect("a path")]);
    let log = std::fs::read_to_string(&file).expect("the log");
    std::fs::remove_file(&file).expect("the log was there");
    assert!(log.starts_with(r"(?<host>\S*) (?<clock>{.*})\n(?<event>.*)"), "{log}");
    shiviz_log_is_sound(&log);
}

/// Each event counts its own node up by one, and knows no event of another that did not happen before it in the log.
fn shiviz_log_is_sound(log: &str) {
    let mut counts = std::collections::BTreeMap::<String, u64>::new();
    let lines: Vec<&str> = log.lines().skip(2).collect();
    assert!(lines.len() > 20 && lines.len().is_multiple_of(2), "{log}");
    for event in lines.chunks(2) {
        let (host, clock) = event[0].split_once(' ').expect("a host and a clock");
        let clock: std::collections::BTreeMap<String, u64> = serde_json::from_str(clock).expect("a clock");
        let count = counts.entry(host.to_string()).or_default();
        *count += 1;
        assert_eq!(clock[host], *count, "{event:?}");
        assert!(clock.iter().all(|(node, known)| counts.get(node).is_some_and(|count| known <= count)), "{event:?}");
    }
}

#[test]
fn what_had_no_effect_is_said_with_the_reason() {
    let vain = |protocol: &str, fault: &str, reason: &str| {
        let output = lab(&["run", protocol, "--fault", fault]);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(text.contains("had no effect: ") && text.contains(reason), "{protocol}, {fault}: {text}");
    };
    vain("leases", "crash leader", "no node led then");
    vain("ricart-agrawala", "skew 2 +300ms @ 1ms", "no node looked at its wall clock afterwards");
    vain("ricart-agrawala", "start 2 @ 1ms", "the node was up");
    vain("ricart-agrawala", "crash 2 @ 1ms", "n2 was down");
    let text = says(&["run", "ricart-agrawala"]);
    assert!(!text.contains("no effect"), "{text}");
}

#[test]
fn a_script_is_refused_where_it_is_wrong() {
    let header = "protocol ricart-agrawala\nnodes 3\nproperty mutual exclusion\n";
    let file = scratch("script.txt");
    let name = file.to_str().expect("a path");
    let refused_with = |text: &[u8], problem: &str| {
        std::fs::write(&file, text).expect("the temporary folder can be written");
        let error = refused(&["script", name]);
        assert!(error.contains(problem), "{problem:?} is not in {error}");
    };
    refused_with(format!("{header}> explode n1\n").as_bytes(), "line 4: expected");
    refused_with(
        format!("{header}> deliver n1->n2\n").as_bytes(),
        "line 4: no such message is in flight from n1 to n2",
    );
    refused_with(b"protocol paxos\n\xff\xfe\n", "line 2: these bytes are not text");
    refused_with("#\n".repeat(1_000_000).as_bytes(), "a script of 1000000 lines");
    refused_with("> settle\n".repeat(1_000_000).as_bytes(), "bytes; ");
    std::fs::write(&file, format!("{header}> command n1 enter\n> deliver\n> deliver\n")).expect("it can be written");
    let text = says(&["script", name, "--diagram"]);
    assert!(text.contains("● enter") && text.contains("▶│") && text.contains("the property holds"), "{text}");
    std::fs::remove_file(&file).expect("the script was there");
    assert!(says(&["script", "--help"]).contains("links free"));
}

/// Types these lines into `volvox lab step`.
fn stepped(arguments: &[&str], lines: &str) -> (bool, String) {
    use std::io::Write;
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let mut command = Command::new(env!("CARGO_BIN_EXE_volvox"));
    command.args(["lab", "step"]).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("the program runs");
    child.stdin.take().expect("a pipe").write_all(lines.as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn a_run_is_chosen_step_by_step_and_taken_back() {
    let file = scratch("steps.txt");
    let name = file.to_str().expect("a path");
    let lines = "> command n1 enter\n1\nback\n> deliver n1->n3\nquit\n";
    let (is_good, text) = stepped(&["ricart-agrawala", "--nodes", "3", "--save", name], lines);
    assert!(is_good && text.contains("deliver n1->n2   # Request 1") && text.contains("n3 -> n1 Reply"), "{text}");
    let saved = std::fs::read_to_string(&file).expect("the script");
    let commands: Vec<&str> = saved.lines().filter(|line| line.starts_with('>')).collect();
    assert_eq!(commands, ["> command n1 enter", "> deliver n1->n3"], "{saved}");
    assert!(says(&["script", name]).contains("the property holds"));
    std::fs::remove_file(&file).expect("the script was there");
    let (is_good, text) = stepped(&["ricart-agrawala"], "999\nback\n");
    assert!(!is_good && text.contains("there is no 999") && text.contains("this is the beginning"), "{text}");
}

#[test]
fn what_is_wrong_is_said_with_what_would_be_right() {
    assert!(refused(&["run", "ricart-agrawla"]).contains("did you mean ricart-agrawala?"));
    assert!(refused(&["run", "ricart-agrawala", "--nodes", "99"]).contains("3 to 64 nodes"));
    assert!(refused(&["run", "ricart-agrawala", "--without", "clok"]).contains("did you mean clock?"));
    assert!(refused(&["run", "ricart-agrawala", "--fault", "partition 1,2 @ 4ms"]).contains("column 11"));
    assert!(refused(&["claim", "Q-MTX-33"]).contains("did you mean Q-MTX-3?"));
    assert!(refused(&["run", "ricart-agrawala", "--nodes", "-1"]).contains("expected a whole number"));
    assert!(refused(&["run", "ricart-agrawala", "--seed", "-1"]).contains("expected a whole number from 0"));
    assert!(!refused(&["show", "nope"]).contains("did you mean"), "half of the letters differ");
    for arguments in [["run", "raft", "--diagram"], ["run", "raft", "--trace"], ["check", "raft", "--diagram"]] {
        assert!(refused(&[&arguments[..], &["--json"]].concat()).contains("--json prints one document"));
    }
    assert!(
        refused(&["check", "ricart-agrawala", "--model", "without ordr"]).contains("did you mean \"without order\"?")
    );
    assert!(refused(&["check"]).contains("--all"));
    assert!(refused(&["claim"]).contains("Q-MTX-3"));
    assert!(refused(&["sweep", "store", "--nodes", "4"]).contains("3 or 5 nodes"));
    let file = scratch("wrong.txt");
    std::fs::write(&file, "nodes 3\nat 10 n1 enter\n").expect("the temporary folder can be written");
    let text = refused(&["run", "ricart-agrawala", "--scenario", file.to_str().expect("a path")]);
    assert!(text.contains(":2:4: expected a span such as 10ms\n  at 10 n1 enter\n     ^"), "{text}");
    std::fs::remove_file(&file).expect("the scenario was there");
}

#[test]
fn a_model_and_a_claim_are_shown_by_one_command_each() {
    let checked = document(&["check", "ricart-agrawala", "--model", "without order"]);
    assert_eq!(checked["models"][0]["as_expected"], true, "{checked}");
    assert!(checked["models"][0]["counterexample"]["trace"].as_str().is_some_and(|trace| trace.contains("Request")));
    let claimed = document(&["claim", "Q-MTX-3"]);
    assert_eq!(claimed["claims"][0]["holds"], true, "{claimed}");
}

#[test]
fn a_counterexample_is_found_saved_and_replayed() {
    let file = scratch("found.txt");
    let name = file.to_str().expect("a path");
    let swept = lab(&["sweep", "ricart-agrawala", "--without", "order", "--seeds", "200", "--save", name]);
    assert!(!swept.status.success(), "the sweep finds nothing: {}", String::from_utf8_lossy(&swept.stdout));
    let replayed = lab(&["replay", name]);
    let text = String::from_utf8_lossy(&replayed.stdout);
    assert!(text.contains("mutual exclusion is broken"), "{text}\n{}", String::from_utf8_lossy(&replayed.stderr));
    std::fs::remove_file(&file).expect("the counterexample was there");
}

#[test]
fn the_same_protocol_runs_with_one_process_per_node() {
    let ran = document(&["run", "ricart-agrawala", "--live", "--nodes", "3"]);
    assert_eq!((&ran["world"], &ran["good"]), (&Value::from("live"), &Value::from(true)), "{ran}");
    assert_eq!(ran["events"]["Entered"], 3, "{ran}");
    assert_eq!(ran["messages"]["Request"], 6, "{ran}");
    let text = says(&["run", "ricart-agrawala", "--live", "--diagram"]);
    assert!(text.contains("live: one OS process per node") && text.contains("◆ entered"), "{text}");
}

/// Sockets, files and clocks of the machine, for every chapter that says that it lives there.
#[test]
fn chapters_run_live_as_their_rows_ask() {
    let list = document(&["list"]);
    let is_live =
        |protocol: &&Value| protocol["worlds"].as_array().is_some_and(|all| all.iter().any(|one| one == "live"));
    let live: Vec<&Value> = list["protocols"].as_array().expect("protocols").iter().filter(is_live).collect();
    assert!(live.len() >= 15, "{} chapters are live", live.len());
    for protocol in live {
        let ran = document(&["run", protocol["id"].as_str().expect("a name"), "--live"]);
        assert_eq!((&ran["world"], &ran["good"]), (&Value::from("live"), &Value::from(true)), "{ran}");
    }
}

/// The command line as the client of a service: what it asks of a node goes to the coordinator and back over sockets.
#[test]
fn the_command_line_asks_a_coordinator_for_the_section() {
    let ran = document(&["run", "centralised", "--live"]);
    for kind in ["Request", "Granted", "Release"] {
        assert!(ran["messages"][kind].as_u64().is_some_and(|count| count >= 2), "{kind}: {ran}");
    }
    assert!(ran["events"]["Entered"].as_u64() >= Some(2) && ran["events"]["Entered"] == ran["events"]["Left"], "{ran}");
    assert_eq!((&ran["lost"], &ran["good"]), (&serde_json::json!({}), &Value::from(true)), "{ran}");
}

#[test]
fn a_process_of_a_live_run_is_killed_and_the_others_see_it() {
    // No node enters without the reply of the dead one (claim Q-MTX-7): this shows that the kill took effect.
    let output = lab(&["run", "ricart-agrawala", "--live", "--fault", "crash 4 @ 0ms", "--json"]);
    let ran: Value = serde_json::from_slice(&output.stdout).expect("a document");
    assert!(!output.status.success() && ran["events"]["Entered"].is_null(), "{ran}");
    let held: Vec<&Value> = ran["properties"].as_array().expect("properties").iter().map(|one| &one["held"]).collect();
    assert_eq!(held, [true, true, false], "safe, and not live: {ran}");
    let refused = refused(&["run", "ricart-agrawala", "--live", "--fault", "drift 1 100ppm @ 1ms"]);
    assert!(refused.contains("is not a fault of the live world"), "{refused}");
}

/// A live run that continues while the test interferes with it.
fn begin_live(arguments: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_volvox"));
    command.args(["lab", "run", "--live"]).args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("the program runs")
}

/// The processes that this one started, with their command lines.
fn children(parent: u32) -> Vec<(u32, String)> {
    let all = std::fs::read_dir("/proc").expect("the list of processes").flatten();
    let child = |entry: std::fs::DirEntry| {
        let id: u32 = entry.file_name().to_str()?.parse().ok()?;
        let stat = std::fs::read_to_string(entry.path().join("stat")).ok()?;
        // The name in parentheses may contain anything; after it come the state and the parent.
        let of: u32 = stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()?;
        let line = std::fs::read(entry.path().join("cmdline")).ok()?;
        (of == parent).then(|| (id, String::from_utf8_lossy(&line).replace('\0', " ")))
    };
    all.filter_map(child).collect()
}

/// How many bytes a process has written.
fn written(process: u32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{process}/io")).unwrap_or_default();
    text.lines().find_map(|line| line.strip_prefix("wchar: ")?.parse().ok()).unwrap_or(0)
}

/// The nodes of a live run, once each has written this much: with 4,000 bytes, each is running.
fn nodes_that_wrote(run: &Child, count: usize, bytes: u64) -> Vec<(u32, String)> {
    let deadline = Instant::now() + Duration::from_secs(60);
    let (_open, pause) = std::sync::mpsc::channel::<()>();
    loop {
        let mut nodes = children(run.id());
        nodes.retain(|(id, line)| line.contains("lab node") && written(*id) >= bytes);
        if nodes.len() == count {
            return nodes;
        }
        assert!(Instant::now() < deadline, "{} of {count} nodes wrote {bytes} bytes", nodes.len());
        let _ = pause.recv_timeout(Duration::from_millis(5));
    }
}

fn kill(signal: &str, process: u32) {
    let status = Command::new("kill").args([signal, &process.to_string()]).status().expect("kill runs");
    assert!(status.success(), "kill {signal} {process}");
}

/// The run does nothing by itself for a long time, so the test can interfere with it.
fn long_scenario(name: &str) -> PathBuf {
    let file = scratch(name);
    std::fs::write(&file, "nodes 3\nfor 5s\nat 4s all read #1\n").expect("the temporary folder can be written");
    file
}

#[test]
fn a_node_that_is_killed_from_another_shell_is_part_of_the_run() {
    killing_the_second_is_part_of_the_run("killed.txt", 4_000);
}

/// The first process of a node may be killed before it said that it runs, and while the others have not begun either.
#[test]
fn a_node_that_is_killed_while_it_begins_is_part_of_the_run() {
    killing_the_second_is_part_of_the_run("killed-early.txt", 0);
}

/// Kills it once every node has written this many bytes.
fn killing_the_second_is_part_of_the_run(scenario: &str, bytes: u64) {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let scenario = long_scenario(scenario);
    let run = begin_live(&["raft", "--json", "--scenario", scenario.to_str().expect("a path")]);
    let nodes = nodes_that_wrote(&run, 3, bytes);
    let (victim, _) = nodes.iter().find(|(_, line)| line.contains("--id 2 ")).expect("there is a second node");
    kill("-9", *victim);
    let output = run.wait_with_output().expect("the run ends");
    let ran: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    let faults: Vec<&str> = ran["faults"].as_array().expect("faults").iter().filter_map(Value::as_str).collect();
    assert!(matches!(faults[..], [one] if one.starts_with("crash 2 @ ")), "{ran}");
    assert_eq!((&ran["good"], ran["healed"].is_null()), (&Value::from(true), false), "it starts again: {ran}");
    std::fs::remove_file(&scenario).expect("the scenario was there");
}

#[test]
fn an_interrupt_leaves_no_process_and_no_folder() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let scenario = long_scenario("interrupted.txt");
    let run = begin_live(&["raft", "--scenario", scenario.to_str().expect("a path")]);
    let nodes = nodes_that_wrote(&run, 3, 4_000);
    let folder = nodes[0].1.split_whitespace().skip_while(|word| *word != "--folder").nth(1).expect("a folder");
    let folder = Path::new(folder).parent().expect("of the run").to_path_buf();
    assert!(folder.is_dir(), "{}", folder.display());
    kill("-INT", run.id());
    let output = run.wait_with_output().expect("the run ends");
    assert!(String::from_utf8_lossy(&output.stderr).contains("interrupted"), "{output:?}");
    assert!(!output.status.success() && !folder.exists());
    let left: Vec<u32> =
        nodes.iter().map(|(id, _)| *id).filter(|id| Path::new(&format!("/proc/{id}")).exists()).collect();
    assert!(left.is_empty(), "{left:?} are left");
    std::fs::remove_file(&scenario).expect("the scenario was there");
}
