//! The coverage in the catalogue of the book is the computed one. `UPDATE=1` writes it again.

use std::path::{Path, PathBuf};
use volvox_chapters::REGISTRY;
use volvox_lab::catalogue::{Catalogue, Group};
use volvox_lab::coverage::{done_of, standing};
use volvox_lab::recorded::Line;

/// The coverage lies between a line with the group, and this.
const END: &str = "<!-- end of coverage -->";

/// The coverage of a group: how many of its rows are done, and each row that an entry claims.
fn of_group(group: &Group, lines: &[Line]) -> String {
    let catalogue = Catalogue::get();
    let (done, of) = (done_of(lines, group.id, catalogue).len(), catalogue.rows_of(group.id).count());
    let mut text = format!("{done} of {of} are done, as the tests compute it from evidence.\n");
    let claimed = catalogue.rows_of(group.id).filter_map(|row| {
        let standing = standing(lines, row.id, catalogue)?;
        (!standing.entries.is_empty()).then_some((row.id, standing))
    });
    for (place, (id, standing)) in claimed.enumerate() {
        if place == 0 {
            text += "\n| mechanism | shown by | open |\n|---|---|---|\n";
        }
        let entries: Vec<String> = standing.entries.iter().map(|entry| format!("`{entry}`")).collect();
        let open: Vec<&str> = standing.open.iter().map(|demand| demand.name).collect();
        let open = if open.is_empty() { "-".to_string() } else { open.join("; ") };
        text += &format!("| [{id}](#{id}) | {} | {open} |\n", entries.join(", "));
    }
    text
}

/// The coverage of all groups.
fn of_all(lines: &[Line]) -> String {
    let catalogue = Catalogue::get();
    let mut text = "| group | about | mechanisms | done | claims |\n|---|---|---|---|---|\n".to_string();
    let mut sums = [0; 3];
    for group in &catalogue.groups {
        let (id, name) = (group.id, group.id.to_lowercase());
        let claims = read(&name).matches(&format!("<a id=\"Q-{id}-")).count();
        let counts = [catalogue.rows_of(id).count(), done_of(lines, id, catalogue).len(), claims];
        sums.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
        let [of, done, claims] = counts;
        text += &format!("| [{id}]({name}.md) | {} | {of} | {done} | {claims} |\n", group.name);
    }
    let [of, done, claims] = sums;
    text + &format!("| all | | {of} | {done} | {claims} |\n")
}

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../book/src/catalogue").join(format!("{name}.md"))
}

fn read(name: &str) -> String {
    let file = file(name);
    std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// The page with this coverage behind its marker.
fn with_coverage(page: &str, marker: &str, coverage: &str) -> Option<String> {
    let (head, rest) = page.split_once(&format!("{marker}\n"))?;
    let tail = rest.split_once(END).map_or_else(|| format!("\n{rest}"), |(_, tail)| tail.to_string());
    Some(format!("{head}{marker}\n\n{coverage}\n{END}{tail}"))
}

#[test]
fn the_catalogue_of_the_book_says_what_is_covered() {
    let lines = REGISTRY.recorded();
    let group_page = |group: &Group| (group.id.to_lowercase(), group.id.to_string(), of_group(group, &lines));
    let pages = Catalogue::get().groups.iter().map(group_page);
    for (name, group, coverage) in pages.chain([("README".into(), "all".into(), of_all(&lines))]) {
        let (file, page) = (file(&name), read(&name));
        let marker = format!("<!-- coverage: {group} -->");
        let wanted = with_coverage(&page, &marker, &coverage).unwrap_or_else(|| panic!("{name}.md has no {marker}"));
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&file, wanted).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        } else {
            assert_eq!(page, wanted, "{name}.md: `UPDATE=1 cargo test -p volvox-chapters` writes it again");
        }
    }
}

#[test]
fn coverage_is_put_behind_its_marker_and_replaced() {
    let once = with_coverage("# A\n\n<!-- coverage: A -->\n\nProse.\n", "<!-- coverage: A -->", "1 of 2\n").unwrap();
    assert_eq!(once, "# A\n\n<!-- coverage: A -->\n\n1 of 2\n\n<!-- end of coverage -->\n\nProse.\n");
    let twice = with_coverage(&once, "<!-- coverage: A -->", "2 of 2\n").unwrap();
    assert_eq!(twice, once.replace("1 of 2", "2 of 2"));
    assert_eq!(with_coverage("# B\n", "<!-- coverage: A -->", ""), None);
}
