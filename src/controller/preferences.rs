//! Preferences of this run: the settings as they are saved, with the command line's wishes in their place.

use crate::media::VideoFormat;
use crate::store::{Settings, SettingsChange, Store, StoreError};
use crate::voice_processing::Processing;

use super::Options;

/// The settings, and the options that the program was started with.
pub(super) struct Preferences {
    options: Options,
    settings: Settings,
}

impl Preferences {
    /// The settings of `store` under `options`.
    pub(super) fn new(options: Options, store: &Store) -> Result<Self, StoreError> {
        let mut settings = store.settings()?;
        options.override_settings(&mut settings);
        Ok(Self { options, settings: settings.within_limits() })
    }

    /// The settings that hold now.
    pub(super) const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The options that the program was started with.
    pub(super) const fn options(&self) -> &Options {
        &self.options
    }

    /// Changes the settings and saves them; those before, and whether they were saved. They hold for this run also when
    /// they were not.
    pub(super) fn change(&mut self, store: &Store, change: &SettingsChange) -> (Settings, Result<(), StoreError>) {
        let settings = change.applied_to(&self.settings).within_limits();
        let saved =
            store.settings().and_then(|saved| store.save_settings(&self.options.settings_to_save(&settings, &saved)));
        (std::mem::replace(&mut self.settings, settings), saved)
    }

    /// The format that video is captured in.
    pub(super) fn video_format(&self) -> VideoFormat {
        let Settings { preset, max_fps, max_kbps, .. } = self.settings;
        VideoFormat::of(preset, Some(max_fps), max_kbps)
    }

    /// What is to be done to the microphone's sound.
    pub(super) const fn processing(&self) -> Processing {
        Processing {
            echo_cancellation: self.settings.echo_cancellation,
            noise_suppression: self.settings.noise_suppression,
            automatic_gain: self.settings.automatic_gain,
        }
    }
}
