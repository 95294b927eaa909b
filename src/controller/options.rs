//! Options that a controller is started with.

use std::net::IpAddr;

use crate::device::DeviceChoice;
use crate::identity::{ServerLink, display_name};
use crate::rtc::LinkProfile;
use crate::store::{Profile, Settings};

/// The profile, and the choices of the command line in place of the settings for this run.
#[derive(Debug)]
pub struct Options {
    /// Identity, settings and data, locked for this process.
    pub profile: Profile,
    /// The name that others see.
    pub name: Option<String>,
    /// Camera.
    pub camera: Option<DeviceChoice>,
    /// Microphone.
    pub microphone: Option<DeviceChoice>,
    /// Speaker.
    pub speaker: Option<DeviceChoice>,
    /// Servers for this run, beside those of the settings.
    pub servers: Vec<ServerLink>,
    /// Whether people who are no contacts may ring.
    pub strangers_may_ring: Option<bool>,
    /// Use only this address for calls and discovery.
    pub bind: Option<IpAddr>,
    /// Emulated network for the media that calls send, for measurements.
    pub link: Option<LinkProfile>,
}

impl Options {
    /// The name that others see: the command line's, else that of `settings`, else that of the computer's user; of
    /// those that can be seen.
    pub fn own_name(&self, settings: &Settings) -> String {
        let user = || ["USER", "USERNAME"].iter().find_map(|name| std::env::var(name).ok());
        let names = self.name.clone().into_iter().chain([settings.display_name.clone()]).chain(user());
        names.map(|name| display_name(&name)).find(|name| !name.is_empty()).unwrap_or_default()
    }

    /// Puts the command line's wishes into `settings`.
    pub(super) fn override_settings(&self, settings: &mut Settings) {
        settings.display_name = self.own_name(settings);
        if let Some(camera) = &self.camera {
            settings.camera.clone_from(camera);
        }
        if let Some(microphone) = &self.microphone {
            settings.microphone.clone_from(microphone);
        }
        if let Some(speaker) = &self.speaker {
            settings.speaker.clone_from(speaker);
        }
        settings.servers.extend(self.servers.iter().cloned());
        if let Some(may) = self.strangers_may_ring {
            settings.strangers_may_ring = may;
        }
    }

    /// Gives up the wishes that a change of the settings from `before` to `after` has overruled: from then on the
    /// setting is the person's own, also when it comes to be what the command line said.
    pub(super) fn give_up_changed(&mut self, before: &Settings, after: &Settings) {
        if before.display_name != after.display_name {
            self.name = None;
        }
        self.camera.take_if(|_| before.camera != after.camera);
        self.microphone.take_if(|_| before.microphone != after.microphone);
        self.speaker.take_if(|_| before.speaker != after.speaker);
        self.strangers_may_ring.take_if(|_| before.strangers_may_ring != after.strangers_may_ring);
        self.servers.retain(|server| after.servers.contains(server));
    }

    /// `changed` with the command line's wishes taken out again where nobody changed them, so that saving the settings
    /// keeps what was there.
    pub(super) fn settings_to_save(&self, changed: &Settings, saved: &Settings) -> Settings {
        let keep = |now: &DeviceChoice, wish: &Option<DeviceChoice>, before: &DeviceChoice| {
            if wish.as_ref() == Some(now) { before.clone() } else { now.clone() }
        };
        Settings {
            display_name: if self.name.is_some() && self.own_name(saved) == changed.display_name {
                saved.display_name.clone()
            } else {
                changed.display_name.clone()
            },
            camera: keep(&changed.camera, &self.camera, &saved.camera),
            microphone: keep(&changed.microphone, &self.microphone, &saved.microphone),
            speaker: keep(&changed.speaker, &self.speaker, &saved.speaker),
            servers: {
                let is_kept = |server: &&ServerLink| !self.servers.contains(server) || saved.servers.contains(server);
                changed.servers.iter().filter(is_kept).cloned().collect()
            },
            strangers_may_ring: if self.strangers_may_ring == Some(changed.strangers_may_ring) {
                saved.strangers_may_ring
            } else {
                changed.strangers_may_ring
            },
            ..changed.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::preferences::Preferences;
    use super::*;
    use crate::store::Store;

    #[test]
    fn the_policy_about_strangers_holds_for_this_run_unless_it_is_changed_in_it() {
        let folder = tempfile::tempdir().unwrap();
        let options = |policy| Options {
            profile: Profile::open(Some(&folder.path().join(format!("{policy:?}")))).unwrap(),
            name: Some("Ann".to_owned()),
            camera: None,
            microphone: None,
            speaker: None,
            strangers_may_ring: policy,
            servers: Vec::new(),
            bind: None,
            link: None,
        };
        let with = |may| Settings { strangers_may_ring: may, ..Settings::default() };
        for saved in [false, true] {
            for policy in [None, Some(false), Some(true)] {
                let options = options(policy);
                let mut settings = with(saved);
                options.override_settings(&mut settings);
                assert_eq!(settings.strangers_may_ring, policy.unwrap_or(saved));
                let untouched = options.settings_to_save(&settings, &with(saved));
                assert_eq!(untouched.strangers_may_ring, saved, "{policy:?}");
                let changed = with(!settings.strangers_may_ring);
                let kept = options.settings_to_save(&changed, &with(saved));
                assert_eq!(kept.strangers_may_ring, changed.strangers_may_ring, "{policy:?}");
            }
        }
    }

    /// As the window sends them: all settings, of which one is changed.
    #[test]
    fn a_setting_that_is_changed_and_changed_back_is_saved_over_the_command_lines_wish() {
        let folder = tempfile::tempdir().unwrap();
        let saved = |store: &Store| store.settings().unwrap();
        let options = Options {
            profile: Profile::open(Some(folder.path())).unwrap(),
            name: Some("Ann".to_owned()),
            camera: Some(DeviceChoice::None),
            microphone: Some(DeviceChoice::None),
            speaker: Some(DeviceChoice::None),
            strangers_may_ring: Some(false),
            servers: Vec::new(),
            bind: None,
            link: None,
        };
        let store = Store::in_memory().unwrap();
        let untouched = saved(&store);
        let mut preferences = Preferences::new(options, &store).unwrap();
        let wished = preferences.settings().clone();
        let other = Settings { mirror: !wished.mirror, ..wished.clone() };
        preferences.change(&store, &(&other).into()).1.unwrap();
        assert_eq!(saved(&store), Settings { mirror: other.mirror, ..untouched.clone() }, "nobody touched these");

        let ring = Settings { strangers_may_ring: true, ..other.clone() };
        preferences.change(&store, &(&ring).into()).1.unwrap();
        preferences.change(&store, &(&other).into()).1.unwrap();
        let refuse = Settings { mirror: other.mirror, strangers_may_ring: false, ..untouched };
        assert_eq!(saved(&store), refuse);

        let named = |name: &str| DeviceChoice::Named(name.to_owned());
        let (camera, microphone, speaker) = (named("Desk"), named("Headset"), named("Box"));
        let all = Settings { display_name: "Bob".to_owned(), camera, microphone, speaker, ..other.clone() };
        preferences.change(&store, &(&all).into()).1.unwrap();
        preferences.change(&store, &(&other).into()).1.unwrap();
        assert_eq!(saved(&store), other);
    }
}
