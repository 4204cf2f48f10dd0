//! A look at chapters.
fn main() {
    let only = std::env::args().nth(1).unwrap_or_default();
    for study in volvox_lab::chapters::all() {
        if !study.card().id.contains(&only) {
            continue;
        }
        println!("== {}", study.card().id);
        for model in study.models() {
            let explored = (model.explore)();
            println!(
                "{}: {} states depth {} {:?} in {:?}: {:?} unreached {:?}",
                model.name,
                explored.states,
                explored.depth,
                explored.ended,
                explored.took,
                explored.verdict(model.expects),
                explored.unreached
            );
            if let Some(found) = &explored.found {
                println!("   {} in {}: {:?}", found.property, found.actions.len(), found.actions);
            }
        }
        for claim in study.claims() {
            println!("{}", claim.id);
            for row in (claim.measure)() {
                println!("   {row}");
            }
            println!("  broken");
            for row in (claim.measure_broken)() {
                println!("   {row}");
            }
        }
    }
}
