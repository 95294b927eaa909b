//! An HTTP proxy that knows CONNECT alone, on a computer in software.

use std::io::{BufRead, BufReader, Write, copy};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::network::Computer;

/// The running proxy; it ends with the test's process.
pub struct Proxy {
    /// How to set it, as an environment variable.
    pub setting: String,
    opened: Arc<AtomicUsize>,
}

impl Proxy {
    /// Starts it.
    pub fn start_on(computer: &Computer, port: u16) -> Self {
        let address = format!("{}:{port}", computer.address);
        let (setting, opened) = (format!("http://{address}"), Arc::new(AtomicUsize::new(0)));
        let counter = Arc::clone(&opened);
        let listener = computer.enter(move || TcpListener::bind(address).expect("the proxy's port"));
        // Threads that are started on a computer stay there, with the sockets that they open.
        computer.enter(move || {
            thread::spawn(move || {
                for client in listener.incoming().flatten() {
                    let counter = Arc::clone(&counter);
                    thread::spawn(move || serve(client, &counter));
                }
            });
        });
        Self { setting, opened }
    }

    /// Tunnels so far.
    pub fn opened(&self) -> usize {
        self.opened.load(Ordering::SeqCst)
    }
}

fn serve(mut client: TcpStream, opened: &AtomicUsize) -> std::io::Result<()> {
    let mut reader = BufReader::new(client.try_clone()?);
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if reader.read_until(b'\n', &mut head)? == 0 {
            return Ok(());
        }
    }
    let head = String::from_utf8_lossy(&head);
    let target = head.strip_prefix("CONNECT ").and_then(|rest| rest.split(' ').next()).unwrap_or_default();
    let Ok(mut server) = TcpStream::connect(target) else {
        return client.write_all(b"HTTP/1.1 502 Bad Gateway\r\n\r\n");
    };
    client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?;
    opened.fetch_add(1, Ordering::SeqCst);
    let (mut to_client, mut from_server) = (client, server.try_clone()?);
    thread::spawn(move || {
        let _ended = copy(&mut from_server, &mut to_client);
        let _gone = to_client.shutdown(Shutdown::Both);
    });
    let _ended = copy(&mut reader, &mut server);
    server.shutdown(Shutdown::Both)
}
