//! Unix: a socket in a folder of this user alone.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use super::super::profile_digest::digest_of;
use super::request::{MAX_REQUEST, Request, TAKEN, WITHIN};

/// Takes the socket away when it is dropped. Its thread ends with the process.
#[derive(Debug)]
pub struct Listening {
    path: PathBuf,
}

impl Drop for Listening {
    fn drop(&mut self) {
        // An error means that it is gone already.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// The socket of the profile in this folder: in the session's own folder, where there is one, by a digest, because
/// a socket's path has 108 bytes at most; else beside the profile's files.
pub(super) fn address(profile: &Path) -> io::Result<PathBuf> {
    let profile = profile.canonicalize()?;
    let Some(session) = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|dir| dir.is_absolute()) else {
        return Ok(profile.join("window.sock"));
    };
    Ok(session.join(format!("visavis-{}.sock", digest_of(&profile))))
}

pub(super) fn listen(path: PathBuf, take: impl Fn(Request) + Send + 'static) -> io::Result<Listening> {
    // One that was left by an instance that ended badly: the profile's lock says that it has ended.
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&path)?;
    let listening = Listening { path };
    std::thread::Builder::new().name("instance".into()).spawn(move || {
        for stream in listener.incoming() {
            match stream.and_then(|stream| read(&stream)) {
                Ok(request) => take(request),
                Err(error) => tracing::debug!("a request of a second start was not read: {error}"),
            }
        }
    })?;
    Ok(listening)
}

fn read(mut stream: &UnixStream) -> io::Result<Request> {
    stream.set_read_timeout(Some(WITHIN))?;
    stream.set_write_timeout(Some(WITHIN))?;
    let mut bytes = Vec::new();
    stream.take(MAX_REQUEST).read_to_end(&mut bytes)?;
    let request = serde_json::from_slice(&bytes)?;
    stream.write_all(TAKEN)?;
    Ok(request)
}

pub(super) fn hand_over(path: &Path, request: &Request) -> io::Result<()> {
    let mut stream = UnixStream::connect(path)?;
    stream.set_read_timeout(Some(WITHIN))?;
    stream.set_write_timeout(Some(WITHIN))?;
    stream.write_all(&serde_json::to_vec(request)?)?;
    stream.shutdown(Shutdown::Write)?;
    let mut answer = Vec::new();
    stream.take(MAX_REQUEST).read_to_end(&mut answer)?;
    if answer == TAKEN { Ok(()) } else { Err(io::ErrorKind::InvalidData.into()) }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;

    use super::*;

    #[test]
    fn a_second_start_hands_its_link_over_and_nonsense_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("window.sock");
        let wanted = Request { link: Some("visavis:a?name=B".into()), background: false };
        assert!(hand_over(&path, &wanted).is_err(), "nobody listens");
        std::fs::write(&path, "left over").unwrap();
        let (sender, requests) = sync_channel(8);
        let listening = listen(path.clone(), move |request| sender.send(request).unwrap()).unwrap();
        UnixStream::connect(&path).unwrap().write_all(&[b'{'; 8192]).unwrap_or_default();
        hand_over(&path, &wanted).unwrap();
        assert_eq!(requests.recv().unwrap(), wanted);
        hand_over(&path, &Request::default()).unwrap();
        assert_eq!(requests.recv().unwrap(), Request::default());
        drop(listening);
        assert!(!path.exists() && hand_over(&path, &wanted).is_err());
    }

    #[test]
    fn each_profile_has_a_socket_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let (first, second) = (folder.path().join("a"), folder.path().join("b"));
        std::fs::create_dir(&first).unwrap();
        std::fs::create_dir(&second).unwrap();
        assert_ne!(address(&first).unwrap(), address(&second).unwrap());
        assert_eq!(address(&first).unwrap(), address(&first.join("../a")).unwrap());
        assert!(address(&folder.path().join("none")).is_err());
    }
}
