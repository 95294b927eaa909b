//! Keeper of a certificate: one task that asks for it, puts it in place for the next handshakes, and asks for the next
//! one when a third of its time is left. Connections that are open are not touched.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::Wanted;
use super::authority::Authority;
use super::files::Files;
use super::problem::Problem;
use crate::server::key::ServerKey;
use crate::server::tls::{Certificates, TlsError};

/// Between looks at the clock: it may be set, and the computer may have slept.
const LOOK: Duration = Duration::from_secs(3600);

/// State of a certificate, for the person who runs the server.
#[derive(Clone, Debug)]
pub(in crate::server) enum Standing {
    /// It is being asked for, and there is none.
    Asked,
    /// It is in place until then.
    Valid(SystemTime),
    /// It could not be had.
    Failed {
        /// Why.
        problem: Arc<Problem>,
        /// When it is asked for again, from then on.
        again: Duration,
    },
}

/// The task, which ends when this is dropped.
pub(in crate::server) struct Keeper {
    standing: watch::Receiver<Standing>,
    task: JoinHandle<()>,
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Keeper {
    /// Puts the certificate of the folder `data` in place, if it is there, and keeps one in place from then on. Needs a
    /// tokio runtime.
    pub(in crate::server) fn start(
        wanted: Wanted,
        data: &Path,
        key: Arc<ServerKey>,
        certificates: Arc<Certificates>,
    ) -> Self {
        let authority = Authority { wanted, files: Files::of(data), key, certificates };
        let (tell, standing) = watch::channel(Standing::Asked);
        Self { standing, task: tokio::spawn(keep(authority, tell)) }
    }

    /// Its present state, once each time that it changes.
    pub(in crate::server) async fn next(&mut self) -> Standing {
        if self.standing.changed().await.is_err() {
            // The task ends with this alone.
            return std::future::pending().await;
        }
        self.standing.borrow_and_update().clone()
    }
}

async fn keep(authority: Authority, tell: watch::Sender<Standing>) {
    let mut failures = 0_u32;
    let kept = authority.files.certificate(&authority.wanted.domain, &authority.key.public_key());
    let mut due = SystemTime::UNIX_EPOCH;
    if let Some(kept) = kept {
        match authority.certificates.put(&kept) {
            Ok(()) => {
                due = kept.renewal();
                if kept.not_after() > SystemTime::now() {
                    tell.send_replace(Standing::Valid(kept.not_after()));
                }
            }
            Err(error) => tracing::warn!(%error, "the certificate that is kept cannot be used"),
        }
    }
    // The first value of the channel counts as seen.
    if due <= SystemTime::now() && matches!(*tell.borrow(), Standing::Asked) {
        tell.send_replace(Standing::Asked);
    }
    loop {
        wait_until(due).await;
        let now = match obtain(&authority).await {
            Ok((until, renewal)) => {
                tracing::info!("a certificate was issued");
                let now = SystemTime::now();
                // By a clock that is ahead each new certificate is old: not at once again.
                (failures, due) = (0, if renewal > now { renewal } else { now + 12 * LOOK });
                Standing::Valid(until)
            }
            Err(problem) => {
                tracing::warn!("{problem}");
                failures = failures.saturating_add(1);
                let again = problem.pause(failures);
                due = SystemTime::now() + again;
                Standing::Failed { problem: Arc::new(problem), again }
            }
        };
        tell.send_replace(now);
    }
}

/// Asks for a certificate and puts it in place: its end, and when to renew it.
async fn obtain(authority: &Authority) -> Result<(SystemTime, SystemTime), Problem> {
    let issued = authority.obtain().await?;
    authority.certificates.put(&issued).map_err(|error: TlsError| {
        tracing::debug!(%error, "the authority's certificate cannot be used");
        Problem::OtherCertificate
    })?;
    Ok((issued.not_after(), issued.renewal()))
}

/// Waits by the system's clock.
async fn wait_until(time: SystemTime) {
    while let Ok(left) = time.duration_since(SystemTime::now())
        && !left.is_zero()
    {
        sleep(left.min(LOOK)).await;
    }
}
