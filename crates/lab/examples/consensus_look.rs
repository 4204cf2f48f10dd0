use volvox_lab::chapters::all;
fn main() {
    let want: Vec<String> = std::env::args().skip(1).collect();
    for study in all() {
        if study.card().id != want[0] {
            continue;
        }
        let part = want.get(1).map(String::as_str).unwrap_or("all");
        let name = want.get(2).map(String::as_str).unwrap_or("");
        if part != "claims" {
            for model in study.models().into_iter().filter(|m| m.name.contains(name)) {
                let explored = (model.explore)();
                println!(
                    "{:?}: {:?} {} states depth {} {:?} unreached {:?} -> {:?}",
                    model.name, explored.ended, explored.states, explored.depth, explored.took, explored.unreached,
                    explored.verdict(model.expects)
                );
                if let Some(found) = explored.found {
                    println!("   {} in {} cycle {:?} replayed {}", found.property, found.actions.len(), found.cycle_from, found.replayed);
                    if part == "trace" {
                        println!("{}\n{:#?}", found.trace, found.actions);
                    }
                }
            }
        }
        if part != "models" && part != "trace" {
            for claim in study.claims().into_iter().filter(|m| m.id.contains(name)) {
                println!("{} {}", claim.id, claim.text);
                let begun = std::time::Instant::now();
                let rows = (claim.measure)();
                for row in &rows {
                    println!("   {row}");
                }
                println!("   broken: {} ({:?})", claim.breakage, begun.elapsed());
                for row in (claim.measure_broken)() {
                    println!("   {row}");
                }
                if let Some(plot) = claim.plot {
                    let file = format!("/tmp/plot-{}.svg", claim.id);
                    std::fs::write(&file, plot(&rows)).unwrap();
                    println!("   {file}");
                }
            }
        }
    }
}
