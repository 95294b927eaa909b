//! Sockets of a program, from the kernel's tables.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use super::process::Visavis;

/// The port that a program listens on for people. The kernel's tables may leave out a socket while others come and go,
/// so they are read again until it shows.
pub fn port_of(person: &Visavis) -> u16 {
    (0..1000)
        .find_map(|_| {
            listening_port_of(person).or_else(|| {
                std::thread::sleep(Duration::from_millis(10));
                None
            })
        })
        .expect("it listens")
}

/// The port of a program's one listening TCP socket, if the tables show it now.
fn listening_port_of(person: &Visavis) -> Option<u16> {
    let own = sockets_of(person);
    let mut tables = ["tcp", "tcp6"].iter().filter_map(|name| {
        let table = fs::read_to_string(format!("/proc/{}/net/{name}", person.pid())).ok()?;
        table.lines().skip(1).find_map(|line| {
            let fields: Vec<_> = line.split_whitespace().collect();
            let listens = fields[3] == "0A" && own.contains(fields[9]);
            listens.then(|| u16::from_str_radix(fields[1].rsplit(':').next()?, 16).ok()).flatten()
        })
    });
    tables.next_back()
}

/// The inodes of the sockets that a program has open.
pub fn sockets_of(person: &Visavis) -> BTreeSet<String> {
    let links = fs::read_dir(format!("/proc/{}/fd", person.pid())).expect("it runs").map_while(Result::ok);
    let targets = links.filter_map(|link| fs::read_link(link.path()).ok());
    let inode =
        |target: std::path::PathBuf| Some(target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned());
    targets.filter_map(inode).collect()
}
