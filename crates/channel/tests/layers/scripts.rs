//! Golden scripts. `UPDATE=1` rewrites their output: review the difference.

use volvox_channel::arq::{Arq, Config as Windows, Rule, Scheme};
use volvox_channel::links::{Config, Reliable};
use volvox_channel::talk::Talk;
use volvox_sim::script::check_folder;

const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scripts");

#[test]
fn the_scripts_print_what_they_say() {
    check_folder::<Reliable<Talk>>(format!("{SCRIPTS}/stack"), |_, _| Config::default().stack());
    check_folder::<Arq<Talk>>(format!("{SCRIPTS}/selective-repeat"), |_, _| {
        Windows::new((), Scheme::SelectiveRepeat, 2)
    });
    check_folder::<Arq<Talk>>(format!("{SCRIPTS}/go-back-n"), |_, _| Windows {
        without: Some(Rule::Window),
        ..Windows::new((), Scheme::GoBackN, 1)
    });
}
