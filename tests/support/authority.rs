//! A certificate authority in software, which speaks ACME: Let's Encrypt's own test server (Debian's `pebble`), on a
//! computer in software. It forgets everything when it ends.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rcgen::{CertificateParams, KeyPair};
use serde_json::json;
use tempfile::TempDir;

use super::internet::{Internet, SERVER_NAME, SERVER_V4, set_hosts};
use super::network::Computer;
use super::poll;
use super::process::SOON;

/// Its name, which the server's computer knows.
pub const AUTHORITY_NAME: &str = "acme.example";
/// Further name of the server, which the authority knows as well.
pub const SECOND_NAME: &str = "second.example";
/// Name that the authority and the server's computer know, and that leads to nobody.
pub const LOST_NAME: &str = "lost.example";
const DIRECTORY_PORT: u16 = 14000;
const MANAGEMENT_PORT: u16 = 15000;

/// The running authority. It is killed when dropped.
pub struct Authority {
    child: Child,
    folder: TempDir,
    computer: Computer,
}

impl Authority {
    /// An authority whose certificates last this long; `None`, with the reason printed, where this machine lacks it.
    pub fn start_in(internet: &Internet, validity: Duration) -> Option<Self> {
        if Command::new("pebble").arg("-h").stderr(Stdio::null()).status().is_err() {
            super::skip("an authority in software needs the program `pebble`");
            return None;
        }
        let (computer, folder) = (internet.computer()?, tempfile::tempdir().expect("a folder"));
        let names = [(SERVER_V4, SERVER_NAME), (SERVER_V4, SECOND_NAME), ("203.0.113.250", LOST_NAME)];
        set_hosts(computer.namespace(), &names)?;
        set_hosts(internet.server.namespace(), &[(&computer.address, AUTHORITY_NAME)])?;
        let key = KeyPair::generate().expect("a key");
        let names = [AUTHORITY_NAME.to_owned()];
        let own = CertificateParams::new(names).and_then(|own| own.self_signed(&key)).expect("its own certificate");
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("a file");
        write("own.pem", &own.pem());
        write("own.key", &key.serialize_pem());
        let config = json!({"pebble": {
            "listenAddress": format!("0.0.0.0:{DIRECTORY_PORT}"),
            "managementListenAddress": format!("127.0.0.1:{MANAGEMENT_PORT}"),
            "certificate": "own.pem",
            "privateKey": "own.key",
            "httpPort": 80,
            "tlsPort": 443,
            "certificateValidityPeriod": validity.as_secs(),
        }});
        write("config.json", &config.to_string());
        let child = computer
            .command("pebble")
            .args(["-config", "config.json"])
            .env("PEBBLE_VA_NOSLEEP", "1")
            .env("PEBBLE_WFE_NONCEREJECT", "0")
            .current_dir(folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("pebble starts");
        let authority = Self { child, folder, computer };
        let root = poll(SOON, || authority.ask("roots/0")).expect("the authority is ready");
        std::fs::write(authority.root(), root).expect("a file");
        Some(authority)
    }

    /// A page of its management.
    fn ask(&self, page: &str) -> Option<Vec<u8>> {
        let url = format!("https://127.0.0.1:{MANAGEMENT_PORT}/{page}");
        let output = self.computer.command("curl").args(["--silent", "--insecure", "--fail", &url]).output().ok()?;
        output.status.success().then_some(output.stdout)
    }

    /// The URL of its directory.
    pub fn directory(&self) -> String {
        format!("https://{AUTHORITY_NAME}:{DIRECTORY_PORT}/dir")
    }

    /// The file of the certificate that its directory has.
    pub fn own_root(&self) -> PathBuf {
        self.folder.path().join("own.pem")
    }

    /// The file of the root that the certificates lead to that it issues.
    pub fn root(&self) -> PathBuf {
        self.folder.path().join("root.pem")
    }

    /// Ends it, and leaves its files.
    pub fn end(&mut self) {
        let _already_gone = self.child.kill();
        let _status = self.child.wait();
    }
}

impl Drop for Authority {
    fn drop(&mut self) {
        self.end();
    }
}
