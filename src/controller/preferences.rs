//! Preferences of this run: the settings as they are saved, with the command line's wishes in their place.

use std::sync::Arc;

use crate::media::{MediaTime, VideoFormat};
use crate::store::{Settings, SettingsChange, Store, StoreError};
use crate::voice_processing::{Processing, ProcessingSwitches};

use super::Options;
use super::do_not_disturb::DoNotDisturb;

/// The settings, and the options that the program was started with.
pub(super) struct Preferences {
    options: Options,
    settings: Settings,
    /// As the microphones' processors see them.
    processing: Arc<ProcessingSwitches>,
    do_not_disturb: DoNotDisturb,
}

impl Preferences {
    /// The settings of `store` under `options`.
    pub(super) fn new(options: Options, store: &Store) -> Result<Self, StoreError> {
        let mut settings = store.settings()?;
        options.override_settings(&mut settings);
        let settings = settings.within_limits();
        let processing = Arc::new(ProcessingSwitches::new(processing_of(&settings)));
        Ok(Self { options, settings, processing, do_not_disturb: DoNotDisturb::default() })
    }

    /// The settings that hold now.
    pub(super) const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Whether nothing rings now, as it was followed last.
    pub(super) const fn is_do_not_disturb(&self) -> bool {
        self.do_not_disturb.is_on()
    }

    /// When to follow the time of day again; `None` without quiet hours.
    pub(super) const fn do_not_disturb_due(&self) -> Option<MediaTime> {
        self.do_not_disturb.due()
    }

    /// Has do not disturb follow the settings and the local time; whether it is on now, if that has changed.
    pub(super) fn follow_do_not_disturb(&mut self, now: MediaTime) -> Option<bool> {
        self.do_not_disturb.follow(now, &self.settings).then(|| self.do_not_disturb.is_on())
    }

    /// The options that the program was started with.
    pub(super) const fn options(&self) -> &Options {
        &self.options
    }

    /// Changes the settings and saves them; those before, and whether they were saved. They hold for this run also when
    /// they were not.
    pub(super) fn change(&mut self, store: &Store, change: &SettingsChange) -> (Settings, Result<(), StoreError>) {
        let settings = change.applied_to(&self.settings).within_limits();
        self.options.give_up_changed(&self.settings, &settings);
        let saved =
            store.settings().and_then(|saved| store.save_settings(&self.options.settings_to_save(&settings, &saved)));
        self.processing.set(processing_of(&settings));
        (std::mem::replace(&mut self.settings, settings), saved)
    }

    /// The format that video is captured in.
    pub(super) fn video_format(&self) -> VideoFormat {
        let Settings { preset, max_fps, max_kbps, .. } = self.settings;
        VideoFormat::of(preset, Some(max_fps), max_kbps)
    }

    /// Switches of the processing of the microphone's sound, which follow the settings.
    pub(super) const fn processing(&self) -> &Arc<ProcessingSwitches> {
        &self.processing
    }
}

const fn processing_of(settings: &Settings) -> Processing {
    Processing {
        echo_cancellation: settings.echo_cancellation,
        noise_suppression: settings.noise_suppression,
        automatic_gain: settings.automatic_gain,
    }
}
