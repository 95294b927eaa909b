//! A call of two headless Chromiums over the same bad network, for comparison.
//!
//! ```text
//! Chromium a -- WebSocket --> this process <-- WebSocket -- Chromium b      descriptions, candidates, reports
//! Chromium a <---- UDP ----> the relay's link <---- UDP ----> Chromium b    media
//! ```
//!
//! Both open a page that this process serves. On the loopback interface each page is given a port of the relay in place
//! of the address of the other page; on hosts of their own they reach each other without a relay, and the page that
//! offered restarts ICE when its network changes or its connection is lost.

mod browser;
mod candidate;
mod message;
mod page;
mod record;

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};

use super::namespaces::{Began, Host};
use super::network::{Measured, Place, WARM_UP_S, fidelity};
use crate::capture::barcode;
use crate::media::{Preset, VideoFormat, VideoFrame};
use crate::rtc::UdpRelay;

pub use browser::find;

use browser::Browser;
use message::{FromPage, PageCandidate, PageDescription, PageReport, ToPage};
use page::Page;

/// How long a Chromium may take to start, and a call to show its first pictures.
const START_TIMEOUT: Duration = Duration::from_secs(40);

/// Options of Chromium, and the film that its calls send.
#[derive(Debug)]
pub struct Chromium {
    program: PathBuf,
    film: PathBuf,
    preset: Preset,
}

impl Chromium {
    /// Calls of `program` that send `film` at a preset's size and rate.
    pub fn new(program: PathBuf, film: PathBuf, preset: Preset) -> Self {
        Self { program, film, preset }
    }

    /// Makes a call of `seconds` and records it.
    pub fn measure(&self, place: &Place<'_>, seconds: u32) -> anyhow::Result<Measured> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        runtime.block_on(self.call(place, seconds))
    }

    async fn call(&self, place: &Place<'_>, seconds: u32) -> anyhow::Result<Measured> {
        let mut tasks = JoinSet::new();
        let (_a, mut a) = self.open(Side::A, place, &mut tasks).await?;
        let (_b, mut b) = self.open(Side::B, place, &mut tasks).await?;
        let (relay, opened) = match place {
            Place::Loopback(link) => (Some(UdpRelay::open(link).await?), Began::now()),
            Place::Hosts(_) => (None, Began::now()),
        };
        let mut call = Call::new(relay);
        a.send(&ToPage::Offer).await?;
        let until = Instant::now() + START_TIMEOUT;
        while !call.has_both_pictures() {
            timeout_at(until, call.step([&mut a, &mut b])).await.context("Chromium showed no picture.")??;
        }
        let (began, moves) = place.begin(|| opened)?;
        call.run([&mut a, &mut b], Duration::from_secs(WARM_UP_S.into())).await?;
        a.send(&ToPage::Measure).await?;
        b.send(&ToPage::Measure).await?;
        let from = now_ms();
        call.run([&mut a, &mut b], Duration::from_secs(seconds.saturating_sub(WARM_UP_S).into())).await?;
        moves.finish()?;
        call.measured(began, from, place.settled_at(), &self.film)
    }

    /// Starts a Chromium and waits until its camera is open. `tasks` serve its page.
    async fn open(&self, side: Side, place: &Place<'_>, tasks: &mut JoinSet<()>) -> anyhow::Result<(Browser, Page)> {
        let VideoFormat { width, height, max_fps, max_kbps } = VideoFormat::of(self.preset, Some(30), None);
        let host = match place {
            Place::Loopback(_) => None,
            Place::Hosts(pair) => pair.hosts.get(side as usize),
        };
        let [server, listener] = [listen(host)?, listen(host)?];
        let (server_address, port) = (server.local_addr()?, listener.local_addr()?.port());
        tasks.spawn(page::serve(server));
        let restarts = u32::from(host.is_some());
        let address = format!(
            "http://{server_address}/?port={port}&width={width}&height={height}&fps={max_fps}&kbps={max_kbps}\
             &restarts={restarts}"
        );
        let browser = Browser::start(&self.program, host, &self.film, (width, height), &address)?;
        let opened = async {
            let mut page = Page::accept(&listener).await?;
            while !matches!(page.receive().await?, FromPage::Ready) {}
            anyhow::Ok(page)
        };
        let page = timeout(START_TIMEOUT, opened).await.context("Chromium did not open the page in time.")??;
        Ok((browser, page))
    }
}

/// Side of a call: the page that offers, and the other one.
#[derive(Clone, Copy)]
enum Side {
    A,
    B,
}

/// A listener on the loopback interface, of `host` where there is one. Must be called on a tokio runtime.
fn listen(host: Option<&Host>) -> anyhow::Result<TcpListener> {
    let bind = || std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    let listener = host.map_or_else(bind, |host| host.enter(bind))?;
    listener.set_nonblocking(true)?;
    Ok(TcpListener::from_std(listener)?)
}

/// Milliseconds of Unix time, the clock that the pages read, too.
fn now_ms() -> f64 {
    barcode::unix_micros() as f64 / 1000.0
}

/// A call that goes on. Times are in ms of Unix time.
struct Call {
    /// Relay between the pages; none where they reach each other without one.
    relay: Option<UdpRelay>,
    offered: Option<f64>,
    /// When each side saw the first picture.
    first: [Option<f64>; 2],
    reports: [Vec<PageReport>; 2],
    pictures: [Vec<VideoFrame>; 2],
}

impl Call {
    fn new(relay: Option<UdpRelay>) -> Self {
        Self { relay, offered: None, first: [None; 2], reports: Default::default(), pictures: Default::default() }
    }

    fn has_both_pictures(&self) -> bool {
        self.first.iter().all(Option::is_some)
    }

    /// Carries messages for so long.
    async fn run(&mut self, [a, b]: [&mut Page; 2], length: Duration) -> anyhow::Result<()> {
        let until = Instant::now() + length;
        loop {
            match timeout_at(until, self.step([&mut *a, &mut *b])).await {
                Ok(done) => done?,
                Err(_) => return Ok(()),
            }
        }
    }

    /// Takes one message of either page.
    async fn step(&mut self, [a, b]: [&mut Page; 2]) -> anyhow::Result<()> {
        let (said, from) = tokio::select! {
            said = a.receive() => (said?, 0),
            said = b.receive() => (said?, 1),
        };
        let other = if from == 0 { b } else { a };
        match said {
            FromPage::Description { description } => {
                self.offered.get_or_insert_with(now_ms);
                let sdp = candidate::without_candidates(&description.sdp);
                let description = PageDescription { sdp, ..description };
                other.send(&ToPage::Description { description: &description }).await?;
            }
            FromPage::Candidate { candidate } => {
                if let Some(candidate) = self.passed_on(from, candidate)? {
                    other.send(&ToPage::Candidate { candidate: &candidate }).await?;
                }
            }
            FromPage::FirstPicture { at } => self.first[from] = Some(at),
            FromPage::Report(report) => self.reports[from].push(report),
            FromPage::Picture(file) => self.pictures[from].extend(fidelity::read(file.as_slice())),
            FromPage::Ready | FromPage::Failed { .. } => {}
        }
        Ok(())
    }

    /// A candidate of side `from` as the other one is told it, if it is.
    fn passed_on(&self, from: usize, candidate: PageCandidate) -> anyhow::Result<Option<PageCandidate>> {
        let Some(relay) = &self.relay else {
            return Ok((!candidate::is_loopback(&candidate.candidate)).then_some(candidate));
        };
        let port = relay.port(from).context("the relay has two ends")?;
        let Some((end, text)) = candidate::through(&candidate.candidate, port) else { return Ok(None) };
        relay.set_end(from, end);
        Ok(Some(PageCandidate { candidate: text, ..candidate }))
    }

    /// The record of the call, which counts from `from` on, and from `settled_at` (seconds) after a move.
    fn measured(self, began: Began, from: f64, settled_at: Option<f64>, film: &Path) -> anyhow::Result<Measured> {
        let Self { offered, first, reports: [a, b], pictures, .. } = self;
        let psnr = fidelity::psnr(film, pictures.iter().flatten())?;
        let began_ms = began.unix_micros as f64 / 1000.0;
        let later = first.into_iter().flatten().fold(offered.unwrap_or(began_ms), f64::max);
        let end = [&a, &b].into_iter().filter_map(|reports| Some(reports.last()?.at)).fold(f64::INFINITY, f64::min);
        let seconds = |ms: f64| (ms - began_ms) / 1000.0;
        Ok(Measured {
            setup_ms: later - offered.unwrap_or(began_ms),
            began,
            window: (seconds(from), seconds(if end.is_finite() { end } else { from })),
            sides: [(&a, &b), (&b, &a)].map(|(near, far)| record::side(near, far, began_ms, settled_at)),
            psnr,
        })
    }
}
