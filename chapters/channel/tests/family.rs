//! Runs everything that counts as done for a chapter of this family.

#[test]
fn every_chapter_is_what_the_coverage_says() {
    volvox_lab::coverage::check_family(&volvox_chapters_channel::FAMILY, env!("CARGO_MANIFEST_DIR"), &|text| {
        println!("{text}");
    });
}
