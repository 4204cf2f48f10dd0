//! `chronyd`, the NTP daemon of most Linux machines, as a server and as a client: the one on the path, else Debian's package
//! of it, unpacked into the checkout's own `.tools`. Nothing is installed, nothing needs root, and no clock is touched.

use std::fs::{self, File};
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::child;
use crate::workspace::Workspace;

/// The folder below `.tools`.
const FOLDER: &str = "chrony";
/// No step of fetching takes longer.
const FETCH_LIMIT: Duration = Duration::from_secs(60);
/// A daemon answers by then, or not at all.
const START_LIMIT: Duration = Duration::from_secs(5);
/// How often a free port is searched for: another process may take it before the daemon does.
const PORTS_TRIED: usize = 3;
/// A client without an answer gives up after this many seconds, and is killed a little later.
const CLIENT_SECONDS: u64 = 8;

/// A program that works on this machine.
pub struct Chronyd {
    program: PathBuf,
    /// The libraries that were fetched with it, if it needs any that the machine has not.
    libraries: Option<PathBuf>,
    /// Its version output.
    pub version: String,
}

impl Chronyd {
    /// Finds the daemon, or fetches it. One that does not serve on this machine, because it is confined to the folders of
    /// the system's own daemon, say, is none.
    pub fn find(workspace: &Workspace) -> Result<Self> {
        for program in on_the_path() {
            match Self::at(program, None) {
                Ok(found) => return Ok(found),
                Err(why) => println!("a chronyd is there, and is not used: {why:#}"),
            }
        }
        let folder = workspace.tools().join(FOLDER);
        let (program, libraries) = (folder.join("usr/sbin/chronyd"), folder.join("libraries"));
        if !program.is_file() {
            fetch(&workspace.tools(), &folder).context("there is none on the path, and no package of Debian's")?;
        }
        Self::at(program, libraries.is_dir().then_some(libraries))
    }

    fn at(program: PathBuf, libraries: Option<PathBuf>) -> Result<Self> {
        let mut found = Self { program, libraries, version: String::new() };
        let output = child::capture(found.command().arg("--version"), START_LIMIT)?;
        if !output.status.success() {
            bail!("{} does not start: {}", found.program.display(), output.stderr.trim());
        }
        // "chronyd (chrony) version 4.3 (+CMDMON ...)"
        found.version = output.stdout.split(" (+").next().unwrap_or_default().trim().to_string();
        let folder = std::env::temp_dir().join(format!("volvox-chronyd-{}", std::process::id()));
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let served = found.serve(&folder, "probe").map(drop);
        fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
        served.map(|()| found)
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        if let Some(libraries) = &self.libraries {
            command.env("LD_LIBRARY_PATH", libraries);
        }
        command
    }

    /// Starts a server of this machine's time at stratum 1, on a free port of the loopback.
    pub fn serve(&self, folder: &Path, name: &str) -> Result<Server> {
        let mut failure = None;
        for _ in 0..PORTS_TRIED {
            match self.serve_at(free_port()?, folder, name) {
                Ok(server) => return Ok(server),
                Err(why) => failure = Some(why),
            }
        }
        Err(failure.context("no port was tried")?)
    }

    fn serve_at(&self, port: u16, folder: &Path, name: &str) -> Result<Server> {
        let configuration = folder.join(format!("{name}.conf"));
        let lines = [
            "local stratum 1".to_string(),
            "allow 127.0.0.1".to_string(),
            "bindaddress 127.0.0.1".to_string(),
            format!("port {port}"),
        ];
        fs::write(&configuration, [lines.as_slice(), &private(folder, name)].concat().join("\n") + "\n")?;
        let log = folder.join(format!("{name}.log"));
        let mut command = self.command();
        // -x: the clock is not touched; -u root -U: it stays who it is, and need not be root.
        command.args(["-d", "-x", "-u", "root", "-U", "-f"]).arg(&configuration);
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log).with_context(|| format!("cannot write {}", log.display()))?)
            .spawn()
            .with_context(|| format!("cannot start `{}`", child::show(&command)))?;
        let mut server = Server { child, address: format!("127.0.0.1:{port}") };
        let deadline = Instant::now() + START_LIMIT;
        while !answers(port)? {
            if let Some(status) = server.child.try_wait()? {
                bail!("chronyd ended with {status}: {}", fs::read_to_string(&log)?.trim());
            }
            if Instant::now() > deadline {
                bail!("chronyd does not answer after {START_LIMIT:?}: {}", fs::read_to_string(&log)?.trim());
            }
        }
        Ok(server)
    }

    /// Chrony's own client asks these servers once, sets nothing, and says by how much it would: in seconds, ahead of the
    /// machine's clock being positive.
    pub fn ask(&self, servers: &[&str], folder: &Path, name: &str) -> Result<f64> {
        let mut command = self.command();
        command.args(["-Q", "-t", &CLIENT_SECONDS.to_string(), "-u", "root", "-U", "-f", "/dev/null"]);
        for server in servers {
            let (host, port) = server.rsplit_once(':').with_context(|| format!("{server} has no port"))?;
            // Sixteen times per second, which it does on a local network only.
            command.arg(format!("server {host} port {port} iburst minpoll -4 maxpoll -4"));
        }
        command.args(private(folder, name));
        let output = child::capture(&mut command, Duration::from_secs(CLIENT_SECONDS + 5))?;
        let said = output.stdout + &output.stderr;
        offset_in(&said)
            .with_context(|| format!("`{}` did not take our answers; it said:\n{said}", child::show(&command)))
    }
}

/// A daemon that serves. It is killed when this is dropped.
pub struct Server {
    child: Child,
    /// Its address.
    pub address: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        child::end(&mut self.child);
    }
}

/// The options that separate a daemon from the system's own: no port and no socket for commands, its own pid file.
fn private(folder: &Path, name: &str) -> Vec<String> {
    let pid = folder.join(format!("{name}.pid"));
    vec!["cmdport 0".to_string(), "bindcmdaddress /".to_string(), format!("pidfile {}", pid.display())]
}

/// The offset in "System clock wrong by 2.500042 seconds (ignored)".
fn offset_in(said: &str) -> Option<f64> {
    said.split_once("System clock wrong by ")?.1.split_whitespace().next()?.parse().ok()
}

/// Whether a server of NTP is there: asked with the first byte that a request must have, and nothing else.
fn answers(port: u16) -> Result<bool> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.set_read_timeout(Some(Duration::from_millis(50)))?;
    let mut request = [0; 48];
    request[0] = 0o43;
    request[40..].copy_from_slice(b"anything");
    socket.send_to(&request, ("127.0.0.1", port))?;
    let mut answer = [0; 48];
    Ok(socket.recv(&mut answer).is_ok_and(|length| length == 48 && answer[24..32] == request[40..]))
}

fn free_port() -> Result<u16> {
    Ok(UdpSocket::bind("127.0.0.1:0").context("no UDP on the loopback")?.local_addr()?.port())
}

/// Daemons are where only root's path leads.
fn on_the_path() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    folders.extend(["/usr/sbin".into(), "/usr/local/sbin".into()]);
    let found = folders.into_iter().map(|folder| folder.join("chronyd")).find(|program| program.is_file());
    found.into_iter().collect()
}

/// Debian's package manager, which checks the signatures of what it downloads.
struct Apt {
    /// The folder of the package lists, if not the system's.
    options: Vec<String>,
}

impl Apt {
    /// Over the lists that the system has, which may be none.
    fn of_the_system() -> Self {
        Self { options: Vec::new() }
    }

    /// Over lists of the checkout's own, fetched again.
    fn of_our_own(folder: &Path) -> Result<Self> {
        let (lists, cache) = (folder.join("lists"), folder.join("cache"));
        for partial in [lists.join("partial"), cache.join("archives/partial")] {
            fs::create_dir_all(&partial).with_context(|| format!("cannot make {}", partial.display()))?;
        }
        let set = |name: &str, folder: &Path| format!("{name}={}", folder.display());
        let apt = Self { options: vec![set("Dir::State::lists", &lists), set("Dir::Cache", &cache)] };
        apt.run("apt-get", folder, &["update"])?;
        Ok(apt)
    }

    fn run(&self, program: &str, folder: &Path, arguments: &[&str]) -> Result<String> {
        let mut command = Command::new(program);
        command.current_dir(folder).arg("-qq");
        let patience = ["Acquire::Retries=0", "Acquire::http::Timeout=10", "Acquire::https::Timeout=10"];
        for option in patience.into_iter().chain(["APT::Sandbox::User=root"]) {
            command.args(["-o", option]);
        }
        for option in &self.options {
            command.args(["-o", option]);
        }
        succeed(command.args(arguments))
    }

    /// Downloads packages and unpacks them into `folder`.
    fn unpack(&self, packages: &[&str], folder: &Path) -> Result<()> {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        self.run("apt-get", folder, &[&["download"], packages].concat())?;
        for entry in fs::read_dir(folder)? {
            let package = entry?.path();
            if package.extension().is_some_and(|ending| ending == "deb") {
                succeed(Command::new("dpkg-deb").arg("-x").arg(&package).arg(folder))?;
            }
        }
        Ok(())
    }
}

/// Fetches the package into `folder`, whole or not at all; and the libraries it wants, where the machine has not all of them.
fn fetch(tools: &Path, folder: &Path) -> Result<()> {
    let partial = tools.join(format!("{FOLDER}.partial"));
    if partial.exists() {
        fs::remove_dir_all(&partial).with_context(|| format!("cannot remove {}", partial.display()))?;
    }
    fs::create_dir_all(&partial).with_context(|| format!("cannot make {}", partial.display()))?;
    let whole = partial.join("whole");
    let mut apt = Apt::of_the_system();
    if apt.unpack(&["chrony"], &whole).is_err() {
        apt = Apt::of_our_own(&partial)?;
        apt.unpack(&["chrony"], &whole)?;
    }
    let starts = child::capture(Command::new(whole.join("usr/sbin/chronyd")).arg("--version"), FETCH_LIMIT)?;
    if !starts.status.success() {
        fetch_libraries(&apt, &partial, &whole).with_context(|| starts.stderr.trim().to_string())?;
    }
    fs::rename(&whole, folder).with_context(|| format!("cannot put {} in its place", folder.display()))?;
    fs::remove_dir_all(&partial).with_context(|| format!("cannot remove {}", partial.display()))
}

/// All libraries that the package depends on, but for the C library, into one folder beside the program.
fn fetch_libraries(apt: &Apt, partial: &Path, whole: &Path) -> Result<()> {
    let but =
        ["recommends", "suggests", "conflicts", "breaks", "replaces", "enhances"].map(|kind| format!("--no-{kind}"));
    let arguments: Vec<&str> = ["depends", "--recurse"].into_iter().chain(but.iter().map(String::as_str)).collect();
    let listed = apt.run("apt-cache", partial, &[arguments.as_slice(), &["chrony"]].concat())?;
    let wanted = |line: &&str| line.starts_with("lib") && !line.starts_with("libc6") && !line.starts_with("libgcc");
    let packages: Vec<&str> = listed.lines().filter(wanted).collect();
    let unpacked = partial.join("unpacked");
    apt.unpack(&packages, &unpacked)?;
    let libraries = whole.join("libraries");
    fs::create_dir_all(&libraries)?;
    let find = format!("find '{}' -name '*.so.*' -exec cp -P -t '{}' {{}} +", unpacked.display(), libraries.display());
    succeed(Command::new("sh").args(["-c", &find])).map(drop)
}

fn succeed(command: &mut Command) -> Result<String> {
    let output = child::capture(command, FETCH_LIMIT)?;
    if !output.status.success() {
        bail!("`{}` failed: {}", child::show(command), output.stderr.trim());
    }
    Ok(output.stdout)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_offset_is_read_from_what_chronyd_says() {
        let said = "2026-01-01T00:00:00Z Disabled control of system clock\n\
                    2026-01-01T00:00:01Z System clock wrong by -2.499962 seconds (ignored)\n";
        assert_eq!(offset_in(said), Some(-2.499962));
        assert_eq!(offset_in("2026-01-01T00:00:09Z No suitable source for synchronisation\n"), None);
    }
}
