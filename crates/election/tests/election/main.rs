//! The protocols of this crate, in the simulated world and message by message.

mod bully;
mod chang_roberts;
mod ring;

use volvox_election::Command;

#[test]
fn commands_are_read_as_they_are_printed() {
    assert_eq!(Command::Suspect.to_string().parse(), Ok(Command::Suspect));
    let error = "elect".parse::<Command>().expect_err("is not a command");
    assert_eq!(error.to_string(), "`elect` is not a command; the only command is `suspect`");
}
