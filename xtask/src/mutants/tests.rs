//! The mutator on small sources.

use super::operators::Operator;
use super::sites::{self, Site};
use super::weave::weave;
use super::{Request, beyond_the_bars, by_hand, chapters, draw, report};
use crate::workspace::Workspace;

/// A process whose handler has this body.
fn handler(body: &str) -> String {
    format!("impl Process for P {{ fn on_message(&mut self, from: NodeId, cx: &mut Context<'_, P>) {{ {body} }} }}")
}

fn find(text: &str) -> Vec<Site> {
    sites::find(&[("p.rs".to_string(), text.to_string())]).expect("it parses")
}

/// The mutants of a handler with this body: the operator, the original, the substitute.
fn changes(body: &str) -> Vec<(Operator, String, String)> {
    let text = handler(body);
    let change = |site: Site| (site.name.operator, text[site.range].to_string(), site.instead);
    find(&text).into_iter().map(change).collect()
}

fn change(operator: Operator, original: &str, instead: &str) -> (Operator, String, String) {
    (operator, original.to_string(), instead.to_string())
}

#[test]
fn relations_and_connectives_are_exchanged() {
    assert_eq!(
        changes("let x = a < b && c != d;"),
        [
            change(Operator::Connective, "a < b && c != d", "a < b || c != d"),
            change(Operator::Relation, "a < b", "a <= b"),
            change(Operator::Relation, "c != d", "c == d"),
        ]
    );
}

#[test]
fn conditions_are_negated_once() {
    assert_eq!(
        changes("if a.b() { } else if !c { }"),
        [change(Operator::Negation, "a.b()", "!(a.b())"), change(Operator::Negation, "!c", "c")]
    );
    assert_eq!(changes("if a == b {}"), [change(Operator::Relation, "a == b", "a != b")]);
    assert_eq!(
        changes("if let Some(x) = y && self.keeps(x) {}"),
        [change(Operator::Negation, "self.keeps(x)", "!(self.keeps(x))")]
    );
    assert_eq!(
        changes("match a { Some(1) if b => {} _ => {} }"),
        [change(Operator::Negation, "b", "!(b)")],
        "a guard is a condition, and a pattern is none"
    );
}

#[test]
fn effects_and_changes_of_the_state_are_left_out() {
    assert_eq!(
        changes("self.x = y; self.heard.clear(); cx.set_timer(Timer::T, z); cx.note(\"said\", 1); assert!(a < b);"),
        [
            change(Operator::Removal, "self.x = y;", ""),
            change(Operator::Removal, "self.heard.clear();", ""),
            change(Operator::Removal, "cx.set_timer(Timer::T, z);", ""),
        ]
    );
    assert_eq!(
        changes("match a { A => self.on_a(cx), B => self.b() }"),
        [change(Operator::Removal, "self.on_a(cx)", "")],
        "the last expression of a handler may be an effect"
    );
}

#[test]
fn numbers_arithmetic_and_extremes_are_shifted() {
    assert_eq!(
        changes("let x = n + 1; let y = a.max(b);"),
        [
            change(Operator::Arithmetic, "n + 1", "n - 1"),
            change(Operator::Literal, "1", "2"),
            change(Operator::Literal, "1", "0"),
            change(Operator::Extremum, "a.max(b)", "a.min(b)"),
        ]
    );
}

#[test]
fn an_early_return_goes_on_unless_it_must_not() {
    assert_eq!(
        changes("let Some(x) = y else { return }; if a { return cx.send(b, c); } d"),
        [
            change(Operator::Negation, "a", "!(a)"),
            change(Operator::Return, "return cx.send(b, c)", "let _ = cx.send(b, c);"),
            change(Operator::Removal, "cx.send(b, c)", ""),
        ]
    );
    assert!(changes("let f = |x| { return x; };").is_empty(), "a closure returns from elsewhere");
}

#[test]
fn what_waits_for_the_disk_does_not() {
    let found = changes("cx.persist(r); cx.send(a, b); cx.broadcast(&self.peers, m);");
    let hasty: Vec<_> =
        found.into_iter().filter(|(operator, ..)| *operator == Operator::Haste).map(|one| one.2).collect();
    assert_eq!(
        hasty,
        [
            "cx.send_after(volvox_core::Position::NONE, a, b)",
            "for peer in &self.peers { if *peer != cx.id() { cx.send_after(volvox_core::Position::NONE, *peer, m.clone()); } }",
        ]
    );
    assert!(changes("cx.send(a, b);").iter().all(|one| one.0 != Operator::Haste), "nothing is written, nothing waits");
}

#[test]
fn codec_text_tests_properties_and_limits_are_left_alone() {
    let text = handler("self.a(cx);")
        + "impl P { fn a(&mut self, cx: &mut Context<'_, P>) { if self.n >= WAITING_MAX { return; } self.n = m; }
             pub fn observed(&self) -> bool { self.n > 3 }
             const fn fixed() -> u64 { 1 + 1 } }
           impl fmt::Display for P { fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result { if a < b { f.pad(c); } d } }
           impl Encode for P { fn encode(&self, out: &mut Vec<u8>) { out.push(1); } }
           const N: u64 = 1 << 4;
           #[cfg(test)] mod tests { fn a() { b(1 + 1); } }";
    let found: Vec<(String, String)> =
        find(&text).into_iter().map(|site| (site.name.to_string(), text[site.range].to_string())).collect();
    let expected = [("p.rs on_message removal-1", "self.a(cx);"), ("p.rs a removal-1", "self.n = m;")];
    assert_eq!(found, expected.map(|(name, text)| (name.to_string(), text.to_string())));
}

#[test]
fn what_lies_behind_a_removed_rule_or_a_limit_is_left_alone() {
    let removals = |body: &str| -> Vec<String> {
        let found = changes(body).into_iter().filter(|(operator, ..)| *operator == Operator::Removal);
        found.map(|(_, original, _)| original).collect()
    };
    assert_eq!(removals("if self.config.keeps(Rule::A) { self.a(); } else { self.b(); }"), ["self.a();"]);
    assert_eq!(removals("if !self.config.keeps(Rule::A) && c { self.a(); } else { self.b(); }"), ["self.b();"]);
    assert_eq!(
        removals("if !self.config.keeps(Rule::A) || c { self.a(); }"),
        ["self.a();"],
        "it also runs with the rule"
    );
    assert_eq!(removals("if self.without == Some(Rule::A) { self.a(); } else { self.b(); }"), ["self.b();"]);
    assert_eq!(removals("match x { Some(Rule::A | Rule::B) => self.a = 1, _ => self.b = 1 }"), ["self.b = 1"]);
    assert_eq!(removals("if n >= N_MAX { self.a(); } else { self.b(); }"), ["self.b();"]);
    assert_eq!(removals("match x { Some(y) if y > N_MAX => self.a = 1, _ => self.b = 1 }"), ["self.b = 1"]);
    let returns = changes("if a || n > N_MAX { return cx.note(\"ignored\", 0); } if b { return; }");
    assert_eq!(returns.iter().filter(|(operator, ..)| *operator == Operator::Return).count(), 1, "{returns:?}");
}

#[test]
fn a_role_without_records_waits_for_no_disk() {
    let keeper = handler("self.write(cx); cx.send(a, b);") + "impl P { fn write(&mut self) { cx.persist(r); } }";
    let other = "fn ask(cx: &mut Context<'_, P>) { cx.send(c, d); }".to_string();
    let root = handler("ask(cx);");
    let files = [("keeper.rs", keeper), ("other.rs", other), ("root.rs", root)];
    let found = sites::find(&files.map(|(path, text)| (path.to_string(), text))).unwrap();
    let hasty = found.iter().filter(|site| site.name.operator == Operator::Haste);
    assert_eq!(hasty.map(|site| site.name.file.as_str()).collect::<Vec<_>>(), ["keeper.rs"]);
}

#[test]
fn a_woven_source_has_every_mutant_and_still_parses() {
    let text =
        handler("if a < b && self.c(1) { self.d = max(e, 2); return; } match f { _ if g => cx.send(h, i), _ => {} }");
    let sites = find(&text);
    let numbered: Vec<(u32, &Site)> = (1..).zip(&sites).collect();
    let woven = weave(&text, &numbered);
    syn::parse_file(&woven.text).unwrap_or_else(|error| panic!("{error}:\n{}", woven.text));
    for (number, site) in &numbered {
        assert!(woven.text.contains(&format!(" {number} => {{ {} }}", site.instead)), "{}", site.name);
        let (_, place) = woven.places.iter().find(|(one, _)| one == number).expect("it has a place");
        assert!(woven.around(place.clone()).contains(number), "{}", site.name);
    }
    assert_eq!(weave(&text, &[]).text, text, "without mutants it is the source");
}

#[test]
fn an_error_is_that_of_the_narrowest_mutant_around_it() {
    let text = handler("if a < self.c(1) {}");
    let sites = find(&text);
    let literal = sites.iter().position(|site| site.name.operator == Operator::Literal).expect("there is one");
    let numbered: Vec<(u32, &Site)> = (0..).zip(&sites).collect();
    let woven = weave(&text, &numbered);
    let at = woven.text.find("2 }").expect("the changed literal");
    let owners = woven.around(at..at + 1);
    assert!(owners.contains(&(literal as u32)) && owners.len() == 2, "{owners:?}: it has two neighbours");
    assert!(woven.around(0..4).is_empty() && woven.on_lines(0..4).len() >= 3, "beyond every place, those of the line");
}

#[test]
fn every_chapter_has_something_to_change() {
    let workspace = Workspace::locate().unwrap();
    let all = chapters::all(workspace.root()).unwrap();
    assert!(all.len() >= 22, "{}", all.len());
    for chapter in &all {
        let found = sites::find(&chapter.modules).unwrap();
        assert!(found.len() >= 8, "{}: {}", chapter.id, found.len());
        let mut names: Vec<_> = found.iter().map(|site| &site.name).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), found.len(), "{}: names are distinct", chapter.id);
        for (path, text) in &chapter.modules {
            let here: Vec<(u32, &Site)> = (1..).zip(found.iter().filter(|site| site.name.file == *path)).collect();
            let woven = weave(text, &here);
            syn::parse_file(&woven.text).unwrap_or_else(|error| panic!("{path}: {error}"));
        }
    }
}

#[test]
fn what_was_written_by_hand_fits_the_sources() {
    let workspace = Workspace::locate().unwrap();
    let all = chapters::all(workspace.root()).unwrap();
    let mut count = 0;
    for chapter in &all {
        let mut found = by_hand::of(workspace.root(), chapter).unwrap();
        count += found.len();
        found.extend(sites::find(&chapter.modules).unwrap());
        for (path, text) in &chapter.modules {
            let here: Vec<(u32, &Site)> = (1..).zip(found.iter().filter(|site| site.name.file == *path)).collect();
            syn::parse_file(&weave(text, &here).text).unwrap_or_else(|error| panic!("{path}: {error}"));
        }
    }
    assert!(count >= 14, "{count}");
}

#[test]
fn a_wrong_name_is_answered_with_the_nearest() {
    let workspace = Workspace::locate().unwrap();
    let all = chapters::all(workspace.root()).unwrap();
    let error = chapters::named(&all, "lease").unwrap_err().to_string();
    assert_eq!(error, "there is no protocol `lease`; did you mean leases?");
    let error = chapters::named(&all, "zzzzzzzz").unwrap_err().to_string();
    assert!(error.contains("there are: ") && error.contains("paxos"), "{error}");
}

#[test]
fn arguments_are_read_or_refused() {
    let read = |words: &[&str]| Request::read(&words.iter().map(ToString::to_string).collect::<Vec<_>>());
    let request = read(&["paxos", "--sample", "7", "--seed", "3"]).unwrap();
    assert_eq!((request.chapters.as_slice(), request.sample, request.seed), (&["paxos".to_string()][..], 7, 3));
    assert_eq!(read(&[]).unwrap(), Request { chapters: Vec::new(), sample: 40, seed: 1, only: None });
    for (words, expected) in [
        (&["--sample"][..], "--sample takes a value"),
        (&["--sample", "many"], "`many` is no number"),
        (&["--sample", "0"], "tries nothing"),
        (&["--seeds", "1"], "no flag `--seeds`"),
    ] {
        let error = read(words).unwrap_err().to_string();
        assert!(error.contains(expected), "{words:?}: {error}");
    }
}

#[test]
fn a_sample_is_drawn_by_names() {
    let drawn = |seed| {
        let mut names = ["a", "b", "c", "d", "e", "f"];
        names.sort_by_key(|name| draw(seed, name));
        names
    };
    assert_eq!(drawn(1), drawn(1));
    assert!((2..20).any(|seed| drawn(seed) != drawn(1)));
}

#[test]
fn survivors_need_a_verdict_and_keep_within_the_bars() {
    let site = &find(&handler("self.x = y;"))[0];
    let tried = |fate| report::Tried {
        name: site.name.clone(),
        line: 1,
        original: "self.x = y;".to_string(),
        mutated: String::new(),
        fate,
        by: String::new(),
        remarks: Vec::new(),
    };
    let results = |killed: usize| report::Results {
        chapter: "p".to_string(),
        date: "2026-11-30".to_string(),
        commit: "abc".to_string(),
        seed: 1,
        mutants: 100,
        not_compiling: 0,
        tried: (0..killed).map(|_| tried(report::Fate::Property)).chain([tried(report::Fate::Survived)]).collect(),
    };
    let said = |verdict, original: &str| report::Judgement {
        chapter: "p".to_string(),
        mutant: site.name.to_string(),
        original: original.to_string(),
        verdict,
        reason: "Because.".to_string(),
    };
    let (equivalent, missed) = (report::Kind::Equivalent, report::Kind::Missed);
    assert!(beyond_the_bars(&results(5), &[said(equivalent, "self.x = y;")]).is_empty(), "one of six");
    assert_eq!(beyond_the_bars(&results(4), &[said(equivalent, "self.x = y;")]).len(), 1, "one of five");
    assert!(beyond_the_bars(&results(19), &[said(missed, "self.x = y;")]).is_empty(), "one of twenty");
    assert_eq!(beyond_the_bars(&results(18), &[said(missed, "self.x = y;")]).len(), 1, "one of nineteen");
    assert_eq!(beyond_the_bars(&results(30), &[]).len(), 1, "nothing is said of it");
    assert_eq!(
        beyond_the_bars(&results(30), &[said(equivalent, "self.x = z;")]).len(),
        1,
        "that was said of another text"
    );
    let text = toml::to_string(&results(2)).unwrap();
    assert_eq!(toml::from_str::<report::Results>(&text).unwrap(), results(2), "{text}");
    let all = [("p".to_string(), results(2))].into_iter().collect();
    let page = report::page(&all, &[said(missed, "self.x = y;")]);
    assert!(page.contains("| p | 2026-11-30 | abc | 1 | 100 | 3 | 2 | 0 | 0 | 0 | 0 | 1 | 0 | 0 |"), "{page}");
    assert!(page.contains("`p.rs on_message removal-1` (line 1): `self.x = y;` becomes `(left out)`"), "{page}");
    assert!(page.contains("**missed**: Because."), "{page}");
}
