//! Everything that makes a chapter of this family done.

#[test]
fn every_chapter_is_what_the_coverage_says() {
    volvox_lab::coverage::check_family(&volvox_chapters_foundations::FAMILY, env!("CARGO_MANIFEST_DIR"), &|text| {
        println!("{text}");
    });
}
