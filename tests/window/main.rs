//! The window as a person uses it: found by names and keys, without a display.

mod bar;
mod call;
mod desk;
mod home;
mod invites;
mod list;
mod preview;
mod scenes;
mod settings;
mod small;
mod text_size;
#[path = "../window_fixture/mod.rs"]
mod window_fixture;
mod words;

use std::cell::RefCell;
use std::sync::Arc;

use desk::{Desk, camera_off, high, touch};
use eframe::egui::{
    self, Key, Modifiers, Vec2,
    accesskit::{Action, Role},
};
use egui_kittest::kittest::{By, NodeT, Queryable};
use egui_kittest::{Harness, Node};

use visavis::call::DisconnectReason;
use visavis::controller::{
    CallView, Command, ConversationStatus, Notice, NoticeKind, OutcomeKind, Person, PersonKind, Quality, ServerDetail,
    ServerState, ServerStatus, Snapshot, StoreFault, VersionSkew, VideoChoice,
};
use visavis::device::{DeviceChoice, DeviceFault, DeviceKind};
use visavis::identity::{ServerLink, qr, safety_code, safety_number};
use visavis::media::{FRAME_SAMPLES, LevelMeter, Preset, VideoFrame, Volume};
use visavis::store::{Hint, Language, PictureFit, SelfViewSize, Settings, Theme};
use visavis::ui::{Now, Text, Window, WindowOptions, Words};
use window_fixture::{self as fixture, Controller, peer};

const NOW: Now = Now { media: fixture::LOOKED_AT, unix_s: 1_790_000_000 };
