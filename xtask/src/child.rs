//! Child processes with a deadline: no command of the gate can hang.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// How often a waiting parent looks whether its child has ended.
const POLL: Duration = Duration::from_millis(5);

/// Output kept of one child and stream, at most; what comes after it is dropped.
const OUTPUT_BYTES_MAX: u64 = 16 << 20;

/// The output of a child that ended.
#[derive(Debug)]
pub struct Output {
    /// Its exit.
    pub status: ExitStatus,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

/// Runs `command` to its end, captures what it says, and kills it when `limit` has passed.
pub fn capture(command: &mut Command, limit: Duration) -> Result<Output> {
    capture_with_input(command, "", limit)
}

/// [`capture`], with `input` on the child's standard input.
pub fn capture_with_input(command: &mut Command, input: &str, limit: Duration) -> Result<Output> {
    let shown = show(command);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start `{shown}`"))?;
    if let Some(mut stdin) = child.stdin.take() {
        let input = input.to_string();
        // A child that ends without reading breaks the pipe, and its status says what there is to say.
        thread::spawn(move || stdin.write_all(input.as_bytes()));
    }
    let stdout = collect(child.stdout.take());
    let stderr = collect(child.stderr.take());
    let status = wait(&mut child, limit);
    let (stdout, stderr) = (stdout.join().unwrap_or_default(), stderr.join().unwrap_or_default());
    match status {
        Some(status) => Ok(Output { status, stdout, stderr }),
        None => bail!("`{shown}` did not end within {limit:?} and was killed; it said:\n{stdout}{stderr}"),
    }
}

/// Runs `command`, prints every line of its standard output and hands it to `on_line`; standard error goes through.
pub fn stream(command: &mut Command, limit: Duration, mut on_line: impl FnMut(&str)) -> Result<ExitStatus> {
    listen(command, limit, |line| {
        println!("{line}");
        on_line(line);
    })
}

/// Runs `command` and hands every line of its standard output to `on_line`; standard error goes through.
pub fn listen(command: &mut Command, limit: Duration, mut on_line: impl FnMut(&str)) -> Result<ExitStatus> {
    let shown = show(command);
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start `{shown}`"))?;
    let Some(stdout) = child.stdout.take() else { bail!("`{shown}` has no standard output") };
    let lines = read_lines(stdout);
    let deadline = Instant::now() + limit;
    loop {
        match lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(line) => on_line(&line),
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
            Err(mpsc::RecvTimeoutError::Timeout) => {
                end(&mut child);
                bail!("`{shown}` did not end within {limit:?} and was killed");
            }
        }
    }
    match wait(&mut child, deadline.saturating_duration_since(Instant::now()).max(Duration::from_secs(10))) {
        Some(status) => Ok(status),
        None => bail!("`{shown}` closed its output but did not end within {limit:?}, and was killed"),
    }
}

/// A child that keeps printing, such as a watch. It is killed when this is dropped.
pub struct Speaker {
    shown: String,
    child: Child,
    lines: mpsc::Receiver<String>,
    heard: Vec<String>,
}

impl Speaker {
    /// Starts `command` with `input` on its standard input, which then stays open.
    pub fn start(command: &mut Command, input: &str) -> Result<Self> {
        let shown = show(command);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start `{shown}`"))?;
        let Some(stdout) = child.stdout.take() else { bail!("`{shown}` has no standard output") };
        if let Some(stdin) = &mut child.stdin {
            stdin.write_all(input.as_bytes()).with_context(|| format!("cannot write to `{shown}`"))?;
        }
        Ok(Self { shown, child, lines: read_lines(stdout), heard: Vec::new() })
    }

    /// Listens until `enough` says so of all lines heard, and answers them; fails when `limit` has passed.
    pub fn hear(&mut self, limit: Duration, enough: impl Fn(&[String]) -> bool) -> Result<&[String]> {
        let deadline = Instant::now() + limit;
        while !enough(&self.heard) {
            match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => self.heard.push(line),
                Err(mpsc::RecvTimeoutError::Timeout) => {
                    bail!("`{}` did not say what was expected within {limit:?}; it said {:?}", self.shown, self.heard)
                }
                Err(mpsc::RecvTimeoutError::Disconnected) => bail!("`{}` ended; it said {:?}", self.shown, self.heard),
            }
        }
        Ok(&self.heard)
    }

    /// Everything said so far, without waiting.
    pub fn heard(&mut self) -> &[String] {
        self.heard.extend(self.lines.try_iter());
        &self.heard
    }

    /// Asks the child to end as a person at a terminal does, and waits until it has.
    pub fn interrupt(mut self, limit: Duration) -> Result<ExitStatus> {
        let signal = format!("kill -INT {}", self.child.id());
        capture(Command::new("sh").args(["-c", &signal]), limit)?;
        wait(&mut self.child, limit).with_context(|| format!("`{}` did not end on an interrupt", self.shown))
    }
}

impl Drop for Speaker {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// The lines that a child prints, until its output ends.
pub fn read_lines(stdout: ChildStdout) -> mpsc::Receiver<String> {
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(stdout).split(b'\n').map_while(Result::ok) {
            if sender.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                return;
            }
        }
    });
    lines
}

/// Waits for the end of `child`; kills it when `limit` has passed, and then answers `None`.
pub fn wait(child: &mut Child, limit: Duration) -> Option<ExitStatus> {
    let deadline = Instant::now() + limit;
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status),
            Ok(None) if Instant::now() < deadline => thread::sleep(POLL),
            _ => {
                end(child);
                return None;
            }
        }
    }
}

/// Kills `child` and waits for its end, so that no process is left behind.
pub fn end(child: &mut Child) {
    // Both fail only when the child has already ended, and that is what is wanted.
    let _ = child.kill();
    let _ = child.wait();
}

/// The command as a person would type it.
pub fn show(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy().into_owned()];
    for argument in command.get_args() {
        let argument = argument.to_string_lossy();
        let plain = argument.chars().all(|c| c.is_ascii_alphanumeric() || "-_=./:,@+%".contains(c));
        words.push(if plain && !argument.is_empty() { argument.into_owned() } else { format!("'{argument}'") });
    }
    words.join(" ")
}

fn collect(stream: Option<impl Read + Send + 'static>) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(stream) = stream {
            // A stream that breaks ends like one that is complete: what was read is what there is.
            let _ = stream.take(OUTPUT_BYTES_MAX).read_to_end(&mut bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capture_keeps_both_streams_and_the_status() {
        let output =
            capture(Command::new("sh").args(["-c", "echo out; echo err >&2; exit 3"]), Duration::from_secs(20))
                .unwrap();
        assert_eq!((output.stdout.as_str(), output.stderr.as_str()), ("out\n", "err\n"));
        assert_eq!(output.status.code(), Some(3));
    }

    #[test]
    fn a_child_that_hangs_is_killed_and_named() {
        let started = Instant::now();
        let error =
            capture(Command::new("sh").args(["-c", "exec cat /dev/zero > /dev/null"]), Duration::from_millis(50))
                .unwrap_err();
        assert!(error.to_string().contains("was killed"), "{error}");
        assert!(started.elapsed() < Duration::from_secs(10));
    }

    #[test]
    fn stream_sees_every_line() {
        let mut seen = Vec::new();
        let status = stream(Command::new("sh").args(["-c", "echo a; printf b"]), Duration::from_secs(20), |line| {
            seen.push(line.to_string())
        });
        assert!(status.unwrap().success());
        assert_eq!(seen, ["a", "b"]);
    }

    #[test]
    fn input_reaches_the_child() {
        let output = capture_with_input(&mut Command::new("cat"), "hello", Duration::from_secs(20)).unwrap();
        assert_eq!(output.stdout, "hello");
    }

    #[test]
    fn a_speaker_is_heard_line_by_line_and_ends_on_an_interrupt() {
        // Tests started in the background of a script have interrupts ignored, and so has every child, unless it
        // enables them itself, as every client here does.
        let echo = "import signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL)\n\
                    for line in sys.stdin: print(line, end='', flush=True)";
        let mut speaker = Speaker::start(Command::new("python3").args(["-c", echo]), "one\ntwo\n").unwrap();
        assert_eq!(speaker.hear(Duration::from_secs(20), |heard| heard.len() == 2).unwrap(), ["one", "two"]);
        assert!(speaker.hear(Duration::from_millis(20), |heard| heard.len() == 3).is_err());
        assert!(!speaker.interrupt(Duration::from_secs(20)).unwrap().success());
    }

    #[test]
    fn commands_are_shown_so_that_they_can_be_pasted() {
        assert_eq!(show(Command::new("etcdctl").args(["get", "a b", ""])), "etcdctl get 'a b' ''");
    }
}
