//! A call of two headless Chromiums over the same bad network, for comparison.
//!
//! ```text
//! Chromium a -- WebSocket --> this process <-- WebSocket -- Chromium b      descriptions, candidates, reports
//! Chromium a <---- UDP ----> the relay's link <---- UDP ----> Chromium b    media
//! ```
//!
//! Both open a page that this process serves. Each page is given a port of the relay in place of the address of the
//! other page.

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

use super::network::{Measured, WARM_UP_S, fidelity};
use crate::capture::barcode;
use crate::controller::LinkProfile;
use crate::media::{Preset, VideoFormat, VideoFrame};
use crate::rtc::UdpRelay;

pub use browser::find;

use browser::Browser;
use message::{FromPage, PageCandidate, PageDescription, Report, ToPage};
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

    /// Makes a call of `seconds` over `link` and records it.
    pub fn measure(&self, link: &LinkProfile, seconds: u32) -> anyhow::Result<Measured> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        runtime.block_on(self.call(link, seconds))
    }

    async fn call(&self, link: &LinkProfile, seconds: u32) -> anyhow::Result<Measured> {
        let mut tasks = JoinSet::new();
        let (server, serve) = page::serve().await?;
        tasks.spawn(serve);
        let (_a, mut a) = self.open("a", server).await?;
        let (_b, mut b) = self.open("b", server).await?;
        let relay = UdpRelay::open(link).await?;
        let mut call = Call {
            relay,
            began: now_ms(),
            offered: None,
            first: [None; 2],
            reports: Default::default(),
            pictures: Default::default(),
        };
        a.send(&ToPage::Offer).await?;
        let until = Instant::now() + START_TIMEOUT;
        while !call.has_both_pictures() {
            timeout_at(until, call.step([&mut a, &mut b])).await.context("Chromium showed no picture.")??;
        }
        call.run([&mut a, &mut b], Duration::from_secs(WARM_UP_S.into())).await?;
        a.send(&ToPage::Measure).await?;
        b.send(&ToPage::Measure).await?;
        let from = now_ms();
        call.run([&mut a, &mut b], Duration::from_secs(seconds.saturating_sub(WARM_UP_S).into())).await?;
        call.measured(from, &self.film)
    }

    /// Starts a Chromium and waits until its camera is open.
    async fn open(&self, name: &str, server: std::net::SocketAddr) -> anyhow::Result<(Browser, Page)> {
        let VideoFormat { width, height, max_fps, max_kbps } = VideoFormat::of(self.preset, Some(30), None);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        let address =
            format!("http://{server}/?port={port}&width={width}&height={height}&fps={max_fps}&kbps={max_kbps}");
        let browser = Browser::start(&self.program, name, &self.film, (width, height), &address)?;
        let opened = async {
            let mut page = Page::accept(&listener).await?;
            while !matches!(page.receive().await?, FromPage::Ready) {}
            anyhow::Ok(page)
        };
        let page = timeout(START_TIMEOUT, opened).await.context("Chromium did not open the page in time.")??;
        Ok((browser, page))
    }
}

/// Milliseconds of Unix time, the clock that the pages read, too.
fn now_ms() -> f64 {
    barcode::unix_micros() as f64 / 1000.0
}

/// A call that goes on. Times are in ms of Unix time.
struct Call {
    relay: UdpRelay,
    /// When the link began.
    began: f64,
    offered: Option<f64>,
    /// When each side saw the first picture.
    first: [Option<f64>; 2],
    reports: [Vec<Report>; 2],
    pictures: [Vec<VideoFrame>; 2],
}

impl Call {
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
                let port = self.relay.port(from).context("the relay has two ends")?;
                if let Some((end, text)) = candidate::through(&candidate.candidate, port) {
                    self.relay.set_end(from, end);
                    let candidate = PageCandidate { candidate: text, ..candidate };
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

    fn measured(self, from: f64, film: &Path) -> anyhow::Result<Measured> {
        let Self { began, offered, first, reports: [a, b], pictures, .. } = self;
        let psnr = fidelity::psnr(film, pictures.iter().flatten())?;
        let later = first.into_iter().flatten().fold(began, f64::max);
        let end = [&a, &b].into_iter().filter_map(|reports| Some(reports.last()?.at)).fold(f64::INFINITY, f64::min);
        let seconds = |ms: f64| (ms - began) / 1000.0;
        Ok(Measured {
            setup_ms: later - offered.unwrap_or(began),
            window: (seconds(from), seconds(if end.is_finite() { end } else { from })),
            sides: [record::side(&a, &b, began), record::side(&b, &a, began)],
            psnr,
        })
    }
}
