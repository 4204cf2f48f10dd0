//! The NTP of `crates/clocks` against `chronyd`: each asks the other, over UDP on the loopback.
//!
//! Our side is the crate's example `ntp`: the process that the simulator runs, with a socket. Where chronyd is not
//! installed, a line that begins with ABSENT says so, and the checks that need it are counted as skipped.

use std::fs;
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::chronyd::Chronyd;
use super::working_folder;
use crate::cargo;
use crate::child::{self, Speaker};
use crate::tally::Tally;
use crate::workspace::Workspace;

/// No asking of ours takes longer: the client itself gives up after 10 s.
const ASK_LIMIT: Duration = Duration::from_secs(20);
/// The error of our wrong server.
const WRONG_MS: i64 = 2_500;
/// The tolerance for chrony's measurement. It measures to microseconds, but a machine under load is late.
const CHRONY_SECONDS: f64 = 0.1;
/// How exactly our client knows its machine's own clock: it reads two, one after the other.
const READING_NS: u64 = 2_000;
/// A bound that is wider than this would show nothing.
const BOUND_NS_MAX: u64 = 100_000_000;

/// One named thing; it says what it measured, or what is wrong.
struct Check {
    name: &'static str,
    needs_chronyd: bool,
    run: fn(&Bench) -> Result<String>,
}

const CHECKS: &[Check] = &[
    Check { name: "chrony: our client asks chronyd", needs_chronyd: true, run: ours_asks },
    Check { name: "chrony: our client outvotes a server that is wrong", needs_chronyd: true, run: ours_outvotes },
    Check { name: "chrony: its client asks our server", needs_chronyd: true, run: chrony_asks },
    Check { name: "chrony: its client sees that ours is ahead, or behind", needs_chronyd: true, run: chrony_sees },
    Check { name: "chrony: its client outvotes ours that is wrong", needs_chronyd: true, run: chrony_outvotes },
    Check { name: "chrony: our server answers requests only", needs_chronyd: false, run: hostile },
];

/// The setup of the checks.
struct Bench {
    chronyd: Option<Chronyd>,
    /// The example of ours.
    ntp: PathBuf,
    folder: PathBuf,
}

/// Every name, to be selected by a word of it.
pub fn names() -> impl Iterator<Item = &'static str> {
    CHECKS.iter().map(|check| check.name)
}

/// Fetches chronyd, or says that it is absent.
pub fn fetch(workspace: &Workspace) -> Option<Chronyd> {
    match Chronyd::find(workspace) {
        Ok(chronyd) => Some(chronyd),
        Err(why) => {
            println!("ABSENT: chronyd: {}", format!("{why:#}").replace('\n', "; "));
            None
        }
    }
}

/// Runs what `selected` selects.
pub fn run(workspace: &Workspace, selected: impl Fn(&str) -> bool, tally: &mut Tally) -> Result<()> {
    let checks: Vec<&Check> = CHECKS.iter().filter(|check| selected(check.name)).collect();
    if checks.is_empty() {
        return Ok(());
    }
    cargo::run(&mut cargo::offline(workspace, &["build", "--package", "volvox-clocks", "--example", "ntp"]))?;
    let program = workspace.volvox();
    let ntp = program.parent().context("the program lies in a folder")?.join("examples").join("ntp");
    let bench = Bench { chronyd: fetch(workspace), ntp, folder: working_folder()?.join("chrony") };
    fs::create_dir_all(&bench.folder).with_context(|| format!("cannot make {}", bench.folder.display()))?;
    let version = bench.chronyd.as_ref().map_or("", |chronyd| &chronyd.version);
    let width = checks.iter().map(|check| check.name.len()).max().unwrap_or(0);
    println!("{:<width$}  result   seconds  {version}", "check");
    let mut failed = 0;
    for check in &checks {
        if check.needs_chronyd && bench.chronyd.is_none() {
            println!("{:<width$}  ABSENT         -", check.name);
            tally.skipped.push(format!("{}: there is no chronyd here (`apt-get install chrony`)", check.name));
            continue;
        }
        let started = Instant::now();
        let (result, remark) = match (check.run)(&bench) {
            Ok(remark) => ("ok", remark),
            Err(error) => ("FAILED", format!("{error:#}")),
        };
        println!("{:<width$}  {result:<6} {:>9.2}  {remark}", check.name, started.elapsed().as_secs_f64());
        if result == "FAILED" {
            failed += 1;
            tally.failed += 1;
        } else {
            tally.passed += 1;
        }
    }
    if failed > 0 {
        bail!("{failed} of {} checks against chrony failed; its logs are in {}", checks.len(), bench.folder.display());
    }
    fs::remove_dir_all(&bench.folder).with_context(|| format!("cannot remove {}", bench.folder.display()))?;
    // The checks against etcd's client may have left their logs beside it; then it is not empty, and stays.
    let _ = bench.folder.parent().map(fs::remove_dir);
    Ok(())
}

/// TIM-07: on one machine there is one clock, so the offset is zero, and must lie within half of the delay.
fn ours_asks(bench: &Bench) -> Result<String> {
    let chronyd = bench.chronyd()?.serve(&bench.folder, "asked")?;
    let found = bench.ask(&[&chronyd.address])?;
    let [server] = found.servers.as_slice() else { bail!("one was asked, and {} answered", found.servers.len()) };
    server.check_right()?;
    ensure!(found.ahead_ns == server.ahead_ns, "one is believed, and {} ns is chosen", found.ahead_ns);
    Ok(format!("ahead {} ns, within {} ns", server.ahead_ns, server.delay_ns / 2))
}

/// TIM-08: two that are right are a majority of three.
fn ours_outvotes(bench: &Bench) -> Result<String> {
    let first = bench.chronyd()?.serve(&bench.folder, "first")?;
    let second = bench.chronyd()?.serve(&bench.folder, "second")?;
    let wrong = bench.serve("127.0.0.1", WRONG_MS)?;
    let found = bench.ask(&[&first.address, &wrong.address, &second.address])?;
    let [one, liar, two] = found.servers.as_slice() else {
        bail!("three were asked, and {} answered", found.servers.len())
    };
    one.check_right()?;
    two.check_right()?;
    let off = liar.ahead_ns.abs_diff(WRONG_MS * 1_000_000);
    ensure!(off <= liar.delay_ns / 2 + READING_NS, "ours is {WRONG_MS} ms ahead, and seems {} ns", liar.ahead_ns);
    let believed = [one, liar, two].map(|server| server.believed);
    ensure!(believed == [true, false, true], "believed are {believed:?}, in the order chronyd, ours, chronyd");
    let bound = one.delay_ns.max(two.delay_ns) / 2 + READING_NS;
    ensure!(found.ahead_ns.unsigned_abs() <= bound, "{} ns is chosen, and {bound} ns are the most", found.ahead_ns);
    Ok(format!("ahead {} ns, as 2 of 3 say", found.ahead_ns))
}

fn chrony_asks(bench: &Bench) -> Result<String> {
    let server = bench.serve("127.0.0.1", 0)?;
    let seconds = bench.chronyd()?.ask(&[&server.address], &bench.folder, "asks")?;
    near(seconds, 0.0)?;
    Ok(format!("it says {seconds:+.6} s"))
}

/// The sign shows in the numbers: ahead is positive, behind is negative.
fn chrony_sees(bench: &Bench) -> Result<String> {
    let mut said = Vec::new();
    for ahead_ms in [WRONG_MS, -WRONG_MS] {
        let server = bench.serve("127.0.0.1", ahead_ms)?;
        let seconds = bench.chronyd()?.ask(&[&server.address], &bench.folder, "sees")?;
        near(seconds, ahead_ms as f64 / 1_000.0)?;
        said.push(format!("{seconds:+.6} s"));
    }
    Ok(format!("it says {}", said.join(" and ")))
}

/// Three addresses, because it takes two sources at one address for the same.
fn chrony_outvotes(bench: &Bench) -> Result<String> {
    let servers = [bench.serve("127.0.0.1", 0)?, bench.serve("127.0.0.2", WRONG_MS)?, bench.serve("127.0.0.3", 0)?];
    let addresses = servers.each_ref().map(|server| server.address.as_str());
    let seconds = bench.chronyd()?.ask(&addresses, &bench.folder, "outvotes")?;
    near(seconds, 0.0)?;
    Ok(format!("it says {seconds:+.6} s"))
}

/// After every datagram that is not a request comes one that is: the answer to it is the first, and the only one, that
/// returns.
fn hostile(bench: &Bench) -> Result<String> {
    let server = bench.serve("127.0.0.1", 0)?;
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.connect(&server.address)?;
    socket.set_read_timeout(Some(ASK_LIMIT))?;
    let first_byte = |version: u8, mode: u8| {
        let mut bytes = vec![0xa5; 48];
        bytes[0] = version << 3 | mode;
        bytes
    };
    let mut refused: Vec<Vec<u8>> = vec![vec![], vec![0o43], first_byte(4, 3)[..47].to_vec(), vec![0xff; 1_400]];
    refused.extend([0, 1, 2, 4, 5, 6, 7].map(|mode| first_byte(4, mode)));
    refused.extend([0, 1, 2, 5, 6, 7].map(|version| first_byte(version, 3)));
    for (number, bytes) in refused.iter().enumerate() {
        socket.send(bytes)?;
        let mut request = first_byte(4, 3);
        request[40..48].copy_from_slice(&(number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
        // With something behind it, as those who sign have: it is not read, and nothing is sent in return for it.
        request.extend_from_slice(&[7; 20]);
        socket.send(&request)?;
        let mut answer = [0; 512];
        let length = socket.recv(&mut answer).with_context(|| format!("no answer after {bytes:02x?}"))?;
        ensure!(length == 48, "{length} bytes came after {bytes:02x?}");
        ensure!(answer[24..32] == request[40..48], "after {bytes:02x?} came an answer to something else");
    }
    Ok(format!("{} datagrams are ignored", refused.len()))
}

fn near(seconds: f64, expected: f64) -> Result<()> {
    ensure!((seconds - expected).abs() < CHRONY_SECONDS, "chrony says {seconds} s, and {expected} s is true");
    Ok(())
}

/// A server of ours. It is killed when this is dropped.
struct Ours {
    _speaker: Speaker,
    address: String,
}

impl Bench {
    fn chronyd(&self) -> Result<&Chronyd> {
        self.chronyd.as_ref().context("there is no chronyd")
    }

    fn serve(&self, host: &str, ahead_ms: i64) -> Result<Ours> {
        let mut command = Command::new(&self.ntp);
        command.args(["serve", &format!("{host}:0"), &ahead_ms.to_string()]);
        let mut speaker = Speaker::start(&mut command, "")?;
        let address = speaker.hear(ASK_LIMIT, |lines| !lines.is_empty())?[0].clone();
        Ok(Ours { _speaker: speaker, address })
    }

    fn ask(&self, servers: &[&str]) -> Result<Found> {
        let mut command = Command::new(&self.ntp);
        let output = child::capture(command.arg("ask").args(servers), ASK_LIMIT)?;
        fs::write(Path::new(&self.folder).join("ask.log"), format!("{}{}", output.stdout, output.stderr))?;
        if !output.status.success() {
            bail!("`{}` failed: {}", child::show(&command), output.stderr.trim());
        }
        Found::parse(&output.stdout).with_context(|| format!("our client said:\n{}", output.stdout))
    }
}

/// The findings of our client.
#[derive(Debug, PartialEq)]
struct Found {
    ahead_ns: i64,
    /// In the order in which they were asked.
    servers: Vec<OneServer>,
}

/// The findings about one server.
#[derive(Debug, PartialEq)]
struct OneServer {
    ahead_ns: i64,
    delay_ns: u64,
    samples: usize,
    believed: bool,
}

impl Found {
    fn parse(text: &str) -> Result<Self> {
        let mut servers = Vec::new();
        for line in text.lines() {
            let value = |name: &str| {
                let word = line.split_whitespace().find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
                word.with_context(|| format!("no {name} in `{line}`"))
            };
            let ahead_ns = value("ahead_ns")?.parse()?;
            if line.starts_with("chosen ") {
                return Ok(Self { ahead_ns, servers });
            }
            let (delay_ns, samples) = (value("delay_ns")?.parse()?, value("samples")?.parse()?);
            servers.push(OneServer { ahead_ns, delay_ns, samples, believed: value("believed")? == "yes" });
        }
        bail!("nothing was chosen")
    }
}

impl OneServer {
    /// Of a server with the same clock as ours: the filter is full, and zero lies within the bound.
    fn check_right(&self) -> Result<()> {
        ensure!(self.samples == 8 && self.believed, "{self:?} has not eight samples, or is not believed");
        ensure!(self.delay_ns / 2 < BOUND_NS_MAX, "{self:?} was in flight for too long to show anything");
        let bound = self.delay_ns / 2 + READING_NS;
        ensure!(
            self.ahead_ns.unsigned_abs() <= bound,
            "{self:?} has the same clock, and seems further than {bound} ns"
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_our_client_prints_is_understood() {
        let text = "server=127.0.0.1:9 ahead_ns=-12 delay_ns=40 samples=8 believed=yes\nchosen ahead_ns=-12\n";
        let server = OneServer { ahead_ns: -12, delay_ns: 40, samples: 8, believed: true };
        assert_eq!(Found::parse(text).unwrap(), Found { ahead_ns: -12, servers: vec![server] });
        assert!(Found::parse(text.lines().next().unwrap()).is_err(), "nothing chosen");
        assert!(Found::parse("server=a ahead_ns=1\n").unwrap_err().to_string().contains("delay_ns"));
    }

    #[test]
    fn a_server_outside_its_bound_is_not_right() {
        let server = |ahead_ns, delay_ns| OneServer { ahead_ns, delay_ns, samples: 8, believed: true };
        assert!(server(22_000, 40_000).check_right().is_ok());
        assert!(server(-22_001, 40_000).check_right().is_err());
        assert!(server(0, 2 * BOUND_NS_MAX).check_right().is_err());
        assert!(near(2.45, 2.5).is_ok() && near(-2.5, 2.5).is_err());
    }
}
