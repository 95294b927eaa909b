//! Windows: a named pipe. Its usual access list lets this user write to it, the system and administrators, and nobody
//! from another computer.

use std::convert::Infallible;
use std::io;
use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::windows::named_pipe::{ClientOptions, NamedPipeClient, NamedPipeServer, ServerOptions};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use super::super::profile_digest::digest_of;
use super::request::{MAX_REQUEST, Request, TAKEN, WITHIN};

/// ERROR_PIPE_BUSY: every instance of the pipe serves somebody.
const BUSY: i32 = 231;
/// Between tries at a pipe that is busy.
const AGAIN: Duration = Duration::from_millis(20);

/// Takes the pipe away when it is dropped.
#[derive(Debug)]
pub struct Listening {
    _end: oneshot::Sender<Infallible>,
}

/// Name of the pipe of the profile in this folder.
pub(super) fn address(profile: &Path) -> io::Result<String> {
    Ok(format!(r"\\.\pipe\visavis-{}", digest_of(&profile.canonicalize()?)))
}

fn runtime() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}

pub(super) fn listen(name: String, take: impl Fn(Request) + Send + 'static) -> io::Result<Listening> {
    let runtime = runtime()?;
    // A pipe that somebody else has made under this name is refused.
    let first = {
        let _entered = runtime.enter();
        ServerOptions::new().first_pipe_instance(true).create(&name)?
    };
    let (end, ended) = oneshot::channel();
    std::thread::Builder::new().name("instance".into()).spawn(move || {
        runtime.block_on(async {
            tokio::select! {
                _ = ended => {}
                error = serve(&name, first, take) => tracing::debug!("second starts are heard no more: {error}"),
            }
        });
    })?;
    Ok(Listening { _end: end })
}

/// Takes one request after the other, until the system fails.
async fn serve(name: &str, mut pipe: NamedPipeServer, take: impl Fn(Request)) -> io::Error {
    loop {
        if let Err(error) = pipe.connect().await {
            return error;
        }
        // The next one stands before this one ends: without any, the name would be free for others.
        let next = match ServerOptions::new().create(name) {
            Ok(next) => next,
            Err(error) => return error,
        };
        match timeout(WITHIN, read(&mut pipe)).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
            Ok(request) => take(request),
            Err(error) => tracing::debug!("a request of a second start was not read: {error}"),
        }
        pipe = next;
    }
}

/// Reads a request, which ends with a zero byte: a pipe has no half that could be closed.
async fn read(pipe: &mut NamedPipeServer) -> io::Result<Request> {
    let mut bytes = Vec::new();
    while !bytes.ends_with(&[0]) {
        if (&mut *pipe).take(MAX_REQUEST - bytes.len() as u64).read_buf(&mut bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    bytes.pop();
    let request = serde_json::from_slice(&bytes)?;
    pipe.write_all(TAKEN).await?;
    // Closing the pipe might discard the answer: the other side closes it first, which is no fault.
    let _ = pipe.read_u8().await;
    Ok(request)
}

pub(super) fn hand_over(name: &str, request: &Request) -> io::Result<()> {
    runtime()?.block_on(async { timeout(WITHIN, ask(name, request)).await? })
}

async fn ask(name: &str, request: &Request) -> io::Result<()> {
    let mut pipe = open(name).await?;
    let mut bytes = serde_json::to_vec(request)?;
    bytes.push(0);
    pipe.write_all(&bytes).await?;
    let mut answer = [0; TAKEN.len()];
    pipe.read_exact(&mut answer).await?;
    if answer == TAKEN { Ok(()) } else { Err(io::ErrorKind::InvalidData.into()) }
}

async fn open(name: &str) -> io::Result<NamedPipeClient> {
    loop {
        match ClientOptions::new().open(name) {
            Err(error) if error.raw_os_error() == Some(BUSY) => sleep(AGAIN).await,
            opened => return opened,
        }
    }
}
