//! Options that the window and every subcommand understand.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::controller::{LinkProfile, Options};
use crate::device::DeviceChoice;
use crate::identity::ServerLink;
use crate::store::Profile;

use super::address::parse_bind;
use super::log;

/// Value of `--link`.
const LINK_HELP: &str = "For measurements: what calls send goes through a bad network in software: loss=%, burst=packets, \
                         delay=ms (one way), jitter=ms, reorder=%, duplicate=%, rate=kbit/s or none, queue=ms, tcp=flows, each also as \
                         at=S:loss=%+delay=ms from second S on, blackout=S:seconds, seed=number, joined by commas \
                         (loss=2,delay=25,at=8:delay=125,at=20:rate=500)";

/// Value of `--strangers`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum StrangerPolicy {
    /// They may ring
    Ring,
    /// They hear nothing, as if nobody answered
    Refuse,
}

/// Options that the window and every subcommand understand.
#[derive(Debug, Clone, Args)]
pub struct CommonOptions {
    /// Folder of this identity, its settings and data (two can run side by side)
    #[arg(long, global = true, value_name = "DIR")]
    pub profile: Option<PathBuf>,
    /// Name that others see
    #[arg(long, global = true, value_name = "TEXT")]
    pub name: Option<String>,
    /// The camera.
    #[arg(
        help = "Camera: a device's name, test-card[:WxH@FPS], file:PATH.y4m or none",
        long,
        global = true,
        value_name = "NAME"
    )]
    pub camera: Option<DeviceChoice>,
    /// The microphone.
    #[arg(
        help = "Microphone: a device's name, tone[:HZ], file:PATH.wav or none",
        long,
        global = true,
        value_name = "NAME"
    )]
    pub microphone: Option<DeviceChoice>,
    /// Speaker: a device's name, file:PATH.wav (records what would be heard) or none
    #[arg(long, global = true, value_name = "NAME")]
    pub speaker: Option<DeviceChoice>,
    /// Server over which people elsewhere are reached, for this run: HOST:PORT*HASH (may be given several times)
    #[arg(long = "server", global = true, value_name = "LINK")]
    pub servers: Vec<ServerLink>,
    /// Whether people who are no contacts may ring
    #[arg(long, global = true, value_name = "POLICY")]
    pub strangers: Option<StrangerPolicy>,
    /// Use only this address or interface for calls and discovery
    #[arg(long, global = true, value_name = "ADDRESS", value_parser = parse_bind)]
    pub bind: Option<IpAddr>,
    /// For measurements: a bad network in software.
    #[arg(help = LINK_HELP, long, global = true, value_name = "PROFILE")]
    pub link: Option<LinkProfile>,
    /// Detail of the log on standard error: error, warn, info, debug or trace
    #[arg(long, global = true, value_name = "LEVEL", default_value = "warn", value_parser = log::parse_level)]
    pub log: String,
}

impl CommonOptions {
    /// The folder of the profile; `None` where none is given and the system names none.
    pub fn profile_dir(&self) -> Option<PathBuf> {
        self.profile.clone().or_else(Profile::default_dir)
    }

    /// Finds and locks the profile, and gathers the controller's options. The error is one sentence for a person.
    pub fn open(&self) -> anyhow::Result<Options> {
        Ok(Options {
            profile: Profile::open(self.profile.as_deref())?,
            name: self.name.clone(),
            camera: self.camera.clone(),
            microphone: self.microphone.clone(),
            speaker: self.speaker.clone(),
            servers: self.servers.clone(),
            strangers_may_ring: self.strangers.map(|policy| policy == StrangerPolicy::Ring),
            bind: self.bind,
            link: self.link.clone(),
        })
    }
}
