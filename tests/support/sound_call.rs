//! A call for the ears: Alice with the devices of a private sound server, Bob with a voice from a tone or a file and a
//! recording of what he hears.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::process::{Launch, SOON, Visavis, meet, prefixed};
use super::sound::{SoundServer, write_tone};

/// The default microphone of [`SoundStage`], as people read it.
pub const MICROPHONE: &str = "Visavis-Test-Microphone";
/// What is spoken into the microphones of [`SoundStage`], in Hz.
pub const SPOKEN_HZ: f32 = 1000.0;
/// What Bob speaks unless told otherwise, in Hz.
pub const BOB_HZ: f32 = 700.0;

/// A sound server with a microphone, and a folder.
pub struct SoundStage {
    pub server: SoundServer,
    pub directory: TempDir,
}

impl SoundStage {
    /// Sets it up; `None`, with the reason printed, where no sound server can run.
    pub fn set() -> Option<Self> {
        let server = SoundServer::start()?;
        let _stays_plugged_in = server.plug_in_microphone(MICROPHONE);
        Some(Self { server, directory: tempfile::tempdir().expect("a directory") })
    }

    /// A file of the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Speaks a tone into the microphones of these names, two minutes long.
    pub fn speak_into(&mut self, microphones: &[&str]) {
        let spoken = self.path("spoken.wav");
        write_tone(&spoken, SPOKEN_HZ, 120);
        microphones.iter().for_each(|name| self.server.feed(name, &spoken));
    }

    /// Alice and Bob, who have met. The sound of Alice's microphone is left as it is: a tone is steady, and would be
    /// taken out as noise.
    pub fn enter(&self, microphone: &str, speaker: &str) -> SoundCall {
        let mut call = self.enter_processed(microphone, speaker, format!("tone:{BOB_HZ}").into());
        call.stop_processing();
        call
    }

    /// Alice and Bob, who have met; what Alice's microphone gives is processed, and Bob speaks `voice`.
    pub fn enter_processed(&self, microphone: &str, speaker: &str, voice: OsString) -> SoundCall {
        let launch = Launch::new("Alice").option("--camera", "none");
        let launch = launch.option("--microphone", microphone).option("--speaker", speaker);
        let mut alice = self.server.give_to(launch).start();
        let heard_by_bob = self.path("bob.wav");
        let mut bob = Launch::new("Bob")
            .option("--camera", "none")
            .option("--microphone", voice)
            .option("--speaker", prefixed("file:", &heard_by_bob))
            .start();
        meet(&mut alice, &mut bob);
        SoundCall { alice, bob, heard_by_bob }
    }
}

/// Two people, and what is heard.
pub struct SoundCall {
    pub alice: Visavis,
    pub bob: Visavis,
    heard_by_bob: PathBuf,
}

impl SoundCall {
    /// Alice calls Bob; returns once her microphone is open.
    pub fn connect(&mut self) {
        self.alice.invite(&self.bob.id, json!(false));
        let invite = self.bob.expect_invite_from(&self.alice.id);
        self.bob.accept(&invite, json!(false));
        self.alice.expect_where("local_stream", SOON, |stream| stream["audio"] == true);
        self.bob.expect("stats");
    }

    /// Changes some of Alice's settings.
    pub fn change(&mut self, settings: Value) {
        self.alice.send(json!({"command": "update_settings", "settings": settings}));
    }

    /// Leaves the sound of Alice's microphone as it is.
    pub fn stop_processing(&mut self) {
        self.change(json!({"echo_cancellation": false, "noise_suppression": false, "automatic_gain": false}));
    }

    /// Goes on for `count` statistics of Bob's: two seconds each.
    pub fn go_on(&mut self, count: usize) {
        (0..count).for_each(|_| drop(self.bob.expect("stats")));
    }

    /// What Bob has heard so far.
    pub fn heard_by_bob(&self) -> &Path {
        &self.heard_by_bob
    }

    /// Alice hangs up, both end, and Bob's recording is whole.
    pub fn end(mut self) -> PathBuf {
        self.alice.say("leave");
        self.alice.expect("conversation_disconnected");
        self.bob.expect("conversation_disconnected");
        self.bob.quit();
        self.heard_by_bob
    }
}
