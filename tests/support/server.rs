//! `visavis-server` as a person starts it, on this computer or on one in software.

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use super::authority::Authority;
use super::internet::{Internet, SERVER_NAME, SERVER_PORT};
use super::network::{Computer, TwoNetworks, two_networks};
use super::poll;
use super::process::{SOON, text};

/// A running server. It is killed when dropped.
pub struct Server {
    /// The link that it gave.
    pub link: String,
    /// When it was ready.
    pub since: Instant,
    child: Child,
    output: BufReader<ChildStdout>,
    errors: Option<ChildStderr>,
}

/// Two networks, and a server on the router between them.
pub struct ServedNetworks {
    pub server: Server,
    pub networks: TwoNetworks,
    /// The folder of its key, and other folders of a test beside it.
    pub data: PathBuf,
    _folder: TempDir,
}

/// The server's port there.
const PORT: u16 = 8443;

impl ServedNetworks {
    /// `None`, with the reason printed, where the system does not allow it.
    pub fn build() -> Option<Self> {
        let networks = two_networks()?;
        let (folder, data) = data();
        let server = Server::start_on(&networks.router, &data, PORT);
        Some(Self { server, networks, data, _folder: folder })
    }

    /// Starts the server again, with its key.
    pub fn restart(&mut self) {
        self.server.kill();
        self.server = Server::start_on(&self.networks.router, &self.data, PORT);
    }
}

/// The server's program.
pub fn visavis_server() -> &'static str {
    env!("CARGO_BIN_EXE_visavis-server")
}

/// A folder for a server's key.
pub fn data() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("server");
    (folder, data)
}

impl Server {
    /// Starts a server on this computer's loopback, with its relay at any port.
    pub fn start(data: &std::path::Path, listen: &str) -> Self {
        Self::start_with(data, listen, &[])
    }

    /// The same with further options.
    pub fn start_with(data: &std::path::Path, listen: &str, options: &[&str]) -> Self {
        let mut command = Command::new(visavis_server());
        command.args(["--relay-port", "0"]).args(options);
        Self::spawn(command, data, listen)
    }

    /// Starts a server on a computer in software.
    pub fn start_on(computer: &Computer, data: &std::path::Path, port: u16) -> Self {
        Self::spawn(computer.command(visavis_server()), data, &format!("{}:{port}", computer.address))
    }

    /// Starts a server on the Internet in software, with its own ports and known by its name.
    pub fn start_in(internet: &Internet, data: &std::path::Path) -> Self {
        Self::start_as(&internet.server, SERVER_NAME, data)
    }

    /// Starts a server on a computer in software, with its own ports and known by this name or address.
    pub fn start_as(computer: &Computer, host: &str, data: &std::path::Path) -> Self {
        let mut command = computer.command(visavis_server());
        command.args(["--public", &format!("{host}:{SERVER_PORT}")]);
        Self::spawn(command, data, &format!("[::]:{SERVER_PORT}"))
    }

    /// Starts a server on the Internet in software for a domain, whose certificate is from this authority.
    pub fn start_for(
        internet: &Internet,
        data: &std::path::Path,
        authority: &Authority,
        domain: &str,
        port: u16,
    ) -> Self {
        let mut command = internet.server.command(visavis_server());
        command.args(["--domain", domain, "--acme-directory", &authority.directory(), "--acme-root"]);
        command.arg(authority.own_root());
        Self::spawn(command, data, &format!("[::]:{port}"))
    }

    /// The next line of this event. There is a line each ten seconds at least.
    pub fn expect(&mut self, event: &str) -> Value {
        let end = Instant::now() + 2 * SOON;
        while Instant::now() < end {
            let mut line = String::new();
            assert!(self.output.read_line(&mut line).expect("a line") > 0, "it has ended");
            let line: Value = serde_json::from_str(&line).expect("JSON");
            if line["event"] == event {
                return line;
            }
        }
        panic!("no line of {event}")
    }

    /// The same as one node of several, which are joined by NATS at this URL.
    pub fn start_node(computer: &Computer, host: &str, data: &std::path::Path, nats: &str) -> Self {
        let mut command = computer.command(visavis_server());
        command.args(["--public", &format!("{host}:{SERVER_PORT}"), "--nats", nats]);
        Self::spawn(command, data, &format!("[::]:{SERVER_PORT}"))
    }

    /// A figure of `/metrics`, as a person on the server's computer reads it.
    pub fn metric(computer: &Computer, name: &str) -> u64 {
        let mut curl = computer.command("curl");
        let page = curl.args(["--silent", "--insecure", &format!("https://127.0.0.1:{SERVER_PORT}/metrics")]).output();
        let page = String::from_utf8(page.expect("curl").stdout).expect("text");
        let line = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("{name} is not in {page}")).parse().expect("a number")
    }

    fn spawn(mut command: Command, data: &std::path::Path, listen: &str) -> Self {
        let mut child = command
            .args(["--json", "--listen", listen, "--data"])
            .arg(data)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("visavis-server starts");
        let mut output = BufReader::new(child.stdout.take().expect("piped"));
        let errors = child.stderr.take();
        let mut line = String::new();
        output.read_line(&mut line).expect("a line");
        let ready: Value = serde_json::from_str(&line).unwrap_or_else(|_| {
            let _already_gone = child.kill();
            panic!("no first line of JSON: {line}")
        });
        assert_eq!(ready["event"], "ready", "{ready}");
        Self { link: text(&ready, "link"), since: Instant::now(), child, output, errors }
    }

    /// CPU time that it has used so far, user and system.
    pub fn cpu(&self) -> Duration {
        let text = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).expect("its statistics");
        // The second field is the name in parentheses and may hold spaces.
        let fields: Vec<u64> = text
            .rsplit_once(')')
            .map_or("", |(_, rest)| rest)
            .split_whitespace()
            .map(|field| field.parse().unwrap_or_default())
            .collect();
        // SAFETY: it has no preconditions.
        let ticks_a_second = unsafe { libc::sysconf(libc::_SC_CLK_TCK) } as f64;
        Duration::from_secs_f64((fields[11] + fields[12]) as f64 / ticks_a_second)
    }

    /// Memory that it holds now, in MiB.
    pub fn resident_mib(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("its status");
        let kib = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.split_whitespace().next()?.parse().ok());
        kib.map_or(0.0, |kib: f64| kib / 1024.0)
    }

    /// Kills it without a chance to say anything.
    pub fn kill(&mut self) {
        let _already_gone = self.child.kill();
        let _status = self.child.wait();
    }

    /// Ends it in good order; what it logged.
    pub fn end(mut self) -> String {
        // SAFETY: the process is a child of this one that has not been waited for.
        assert_eq!(unsafe { libc::kill(self.child.id() as i32, libc::SIGTERM) }, 0);
        let status = poll(SOON, || self.child.try_wait().expect("a child of this process")).expect("it ends");
        assert!(status.success(), "it ended with {status}");
        let mut log = String::new();
        self.errors.take().expect("piped").read_to_string(&mut log).expect("text");
        let mut rest = String::new();
        self.output.read_to_string(&mut rest).expect("text");
        log
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}
