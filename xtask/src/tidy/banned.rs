//! Calls and words that are not used here, each with what is used instead.

use super::Finding;
use super::tree::{File, PURE, Tree, library};

/// Something that is banned in some places.
struct Ban {
    /// The text to find in code, at word boundaries.
    text: &'static str,
    /// Whether comments are searched as well.
    in_comments: bool,
    /// Whether the ban holds on a line of this file; the flag says that the line belongs to a test.
    applies: fn(&File, bool) -> bool,
    /// The remedy.
    instead: &'static str,
}

const BANS: &[Ban] = &[
    Ban {
        text: "SystemTime::now",
        in_comments: false,
        applies: needs_a_world,
        instead: "ask the world: cx.wall() in a process, the clock of volvox-net outside",
    },
    Ban {
        text: "Instant::now",
        in_comments: false,
        applies: needs_a_world,
        instead: "ask the world: cx.now() in a process, the clock of volvox-net outside",
    },
    Ban {
        text: "thread::sleep",
        in_comments: false,
        applies: needs_a_world,
        instead: "set a timer in a process; wait on a channel or a condition with a time limit outside",
    },
    Ban {
        text: "sleep(",
        in_comments: false,
        applies: in_tests,
        instead: "wait for the condition with a deadline: recv_timeout, tokio::time::timeout, or a ticking interval between looks",
    },
    Ban {
        text: "HashMap",
        in_comments: false,
        applies: must_be_ordered,
        instead: "BTreeMap: its order is the same in every run",
    },
    Ban {
        text: "HashSet",
        in_comments: false,
        applies: must_be_ordered,
        instead: "BTreeSet: its order is the same in every run",
    },
    Ban {
        text: "println!",
        in_comments: false,
        applies: in_library,
        instead: "return the text, or log it with tracing; only the binary prints",
    },
    Ban {
        text: "eprintln!",
        in_comments: false,
        applies: in_library,
        instead: "return the text, or log it with tracing; only the binary prints",
    },
    Ban {
        text: "print!",
        in_comments: false,
        applies: in_library,
        instead: "return the text, or log it with tracing; only the binary prints",
    },
    Ban { text: "dbg!", in_comments: false, applies: everywhere, instead: "cx.note in a process, tracing outside" },
    Ban {
        text: "todo!",
        in_comments: false,
        applies: everywhere,
        instead: "write it, or leave the whole feature out and name it in the README",
    },
    Ban {
        text: "unimplemented!",
        in_comments: false,
        applies: everywhere,
        instead: "write it, or answer with the protocol's own error",
    },
    Ban {
        text: "#[ignore",
        in_comments: false,
        applies: everywhere,
        instead: "make the test fast enough to run, or give it a command of its own",
    },
    Ban {
        text: concat!("FIX", "ME"),
        in_comments: true,
        applies: everywhere,
        instead: "fix it now, or open an issue and say in words what does not hold",
    },
    Ban {
        text: concat!("XX", "X"),
        in_comments: true,
        applies: everywhere,
        instead: "fix it now, or open an issue and say in words what does not hold",
    },
    Ban {
        text: concat!("TO", "DO"),
        in_comments: true,
        applies: everywhere,
        instead: "do it now, or open an issue and say in words what does not hold",
    },
];

/// Every banned thing in every Rust source.
pub fn findings(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (file, source) in tree.sources() {
        for ban in BANS {
            if ban.in_comments {
                for (number, line) in file.lines().filter(|(_, line)| contains_word(line, ban.text)) {
                    findings.push(Finding::new(
                        &file.path,
                        number,
                        format!("`{}` in `{}`", ban.text, line.trim()),
                        ban.instead,
                    ));
                }
                continue;
            }
            for (number, line, test) in source.lines() {
                if (ban.applies)(file, test) && contains_word(line, ban.text) {
                    findings.push(Finding::new(
                        &file.path,
                        number,
                        format!("`{}` is not used here", ban.text),
                        ban.instead,
                    ));
                }
            }
        }
    }
    findings
}

/// Outside the crates that have the right to real time: the live world, the binary and the gate.
fn needs_a_world(file: &File, test: bool) -> bool {
    // The laboratory's live rooms play a scenario to real processes, and it tells people how long an exploration took.
    let rooms = ["crates/net/", "apps/", "xtask/", "crates/lab/src/live/", "crates/lab/src/model/"];
    let real = rooms.iter().any(|room| file.path.starts_with(room));
    // An example measures, and needs a clock for it.
    !real && !test && !file.path.contains("/examples/")
}

/// The drivers of faults on live processes let time pass on purpose: a pause of five seconds *is* the fault.
fn in_tests(file: &File, test: bool) -> bool {
    test && !file.path.starts_with("tests/live/src/")
}

/// In the pure crates and in the simulated world, where one seed must give one run.
fn must_be_ordered(file: &File, test: bool) -> bool {
    let ordered =
        library(&file.path).is_some_and(|name| PURE.contains(&name) || matches!(name, "sim" | "sweep" | "lab"));
    ordered && !test
}

/// In a library; build scripts speak to cargo by printing.
fn in_library(file: &File, test: bool) -> bool {
    library(&file.path).is_some() && !test && !file.path.ends_with("/build.rs") && !file.path.contains("/examples/")
}

fn everywhere(_file: &File, _test: bool) -> bool {
    true
}

/// Whether `line` contains `text`, and not as a part of a longer word.
fn contains_word(line: &str, text: &str) -> bool {
    let word = |c: char| c.is_alphanumeric() || c == '_';
    let ends_in_word = text.chars().next_back().is_some_and(word);
    line.match_indices(text).any(|(at, _)| {
        let before = line[..at].chars().next_back().is_some_and(word) && text.chars().next().is_some_and(word);
        let after = ends_in_word && line[at + text.len()..].chars().next().is_some_and(word);
        !before && !after
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, text: &str) -> Vec<String> {
        findings(&Tree::of(&[(path, text)])).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn real_time_is_for_the_live_world() {
        let text = "fn f() { let t = std::time::Instant::now(); }\n";
        let found = check("crates/raft/src/node.rs", text);
        assert!(
            found.len() == 1
                && found[0].starts_with("crates/raft/src/node.rs:1: `Instant::now`")
                && found[0].contains("cx.now()"),
            "{found:?}"
        );
        assert!(check("crates/net/src/lib.rs", text).is_empty());
        assert!(check("apps/volvox/src/main.rs", text).is_empty());
    }

    #[test]
    fn tests_do_not_sleep() {
        let text = "fn f() {}\n#[cfg(test)]\nmod tests {\n    fn g() { pause(); std::thread::sleep(d); }\n}\n";
        let found = check("crates/net/src/link.rs", text);
        assert!(found.len() == 1 && found[0].contains("link.rs:4") && found[0].contains("deadline"), "{found:?}");
        assert!(!check("tests/conformance/src/net.rs", "async fn f() { tokio::time::sleep(d).await; }\n").is_empty());
    }

    #[test]
    fn unordered_maps_are_not_for_pure_crates() {
        assert_eq!(check("crates/store/src/lib.rs", "use std::collections::HashMap;\n").len(), 1);
        assert_eq!(check("crates/sim/src/lib.rs", "use std::collections::HashSet;\n").len(), 1);
        assert!(check("crates/etcd/src/lib.rs", "use std::collections::HashMap;\n").is_empty());
    }

    #[test]
    fn libraries_do_not_print() {
        assert_eq!(check("crates/lab/src/lib.rs", "fn f() { println!(\"x\"); }\n").len(), 1);
        assert!(check("apps/volvox/src/main.rs", "fn main() { println!(\"x\"); }\n").is_empty());
        assert!(check("crates/etcd/build.rs", "fn main() { println!(\"cargo:rerun-if-changed=x\"); }\n").is_empty());
    }

    #[test]
    fn stubs_and_promises_are_found_in_code_and_comments_only() {
        assert_eq!(check("crates/raft/src/a.rs", concat!("fn f() { to", "do!() }\n")).len(), 1);
        assert_eq!(check("apps/volvox/src/a.rs", concat!("#[test]\n#[ig", "nore]\nfn f() {}\n")).len(), 1);
        assert_eq!(check("crates/raft/src/a.rs", concat!("// FIX", "ME: later\n")).len(), 1);
        assert!(check("crates/raft/src/a.rs", "fn f() { g(\"unimplemented!\"); my_todo!(); }\n").is_empty());
    }
}
