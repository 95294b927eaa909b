//! What a person or a script asks for, turned into presses of the state chart, changes of the store, or device work.

use std::path::PathBuf;
use std::sync::Arc;

use crate::call::{CallError, CallState, ConversationId, DeviceKind, Input, InviteId, Press};
use crate::identity::{ContactLink, PeerId, PictureError, display_name, read_contact_picture};
use crate::media::{MediaSet, MediaTime, StreamState, VideoFormat};
use crate::playout::Sound;
use crate::store::{Settings, SettingsChange, StoreError};

use super::core::{Core, processing_of, unix_seconds};
use super::people::echo_id;
use super::system_event::SystemEvent;
use super::{Command, Event, NoticeKind, VersionSkew, VideoChoice};

impl Core {
    pub(super) fn on_command(&mut self, command: Command) {
        let name = command.name();
        let gates = Arc::clone(&self.gates);
        let pressed = gates.shut_by(&command);
        if !self.is_quitting() {
            self.follow_devices();
            self.finish_command(name, |core| core.carry_out_command(command));
        }
        if let Some(gate) = pressed {
            gate.handled();
        }
    }

    /// Carries out what was asked for, and reports why it cannot be.
    pub(super) fn finish_command(&mut self, name: &str, carry_out: impl FnOnce(&mut Self) -> Result<(), CallError>) {
        if let Err(error) = carry_out(self) {
            self.report(Event::Error { code: error.code(), message: error.to_string(), command: name.to_owned() });
        }
        self.publisher.mark();
    }

    fn carry_out_command(&mut self, command: Command) -> Result<(), CallError> {
        match command {
            Command::CreateStream { audio, video, max_fps, max_kbps } => {
                self.limits = (max_fps, max_kbps);
                let video = self.take_format(video);
                self.step(Input::Local(Press::OpenStream { streams: MediaSet::of_call(audio, video) }));
            }
            Command::CloseStream => self.close_stream()?,
            Command::AddContact { link } => self.add_contact(ContactLink::find_in(&link))?,
            Command::AddContactImage { path } => self.read_contact_image(path)?,
            Command::Contacts => {
                let events: Vec<Event> = self.people.contact_events().collect();
                events.into_iter().for_each(|event| self.report(event));
            }
            Command::RenameContact { id, name } => {
                let renamed = self.store.rename_contact(id, &display_name(&name));
                let changed = renamed.map_err(|error| self.store_error(error))?;
                self.contact_changed(id, changed)?;
            }
            Command::RemoveContact { id } => {
                let changed = self.store.remove_contact(id).map_err(|error| self.store_error(error))?;
                self.contact_changed(id, changed)?;
            }
            Command::BlockContact { id, on } => self.block(id, on)?,
            Command::Invite { to, user_data, audio, video } => self.invite(to, user_data, audio, video)?,
            Command::Cancel { invite } => self.step(Input::Local(Press::Cancel { invite })),
            Command::Accept { invite, audio, video } => {
                let rings =
                    matches!(self.machine.state(), CallState::Incoming(incoming) if incoming.invite() == invite);
                let video = if rings { self.take_format(video) } else { video != VideoChoice::Off };
                self.step(Input::Local(Press::Accept { invite, streams: MediaSet::of_call(audio, video) }));
            }
            Command::Reject { invite } => self.step(Input::Local(Press::Reject { invite })),
            Command::EnableAudio { on, participant: None } => {
                self.enable(StreamState::audio(on))?;
            }
            Command::EnableVideo { on, participant: None } => {
                self.enable(StreamState::camera(on))?;
            }
            Command::EnableAudio { on, participant: Some(id) } => {
                let remote = self.remotes.get_mut(&id).ok_or_else(not_in_the_call)?;
                remote.muted_here = !on;
                remote.audio.set_muted(!on);
            }
            Command::EnableVideo { on, participant: Some(id) } => {
                self.remotes.get_mut(&id).ok_or_else(not_in_the_call)?.hidden_here = !on;
            }
            Command::WishVideo { participant, lines } => {
                let remote = self.remotes.get_mut(&participant).ok_or_else(not_in_the_call)?;
                remote.wish = Some((lines, false));
                self.tell_wishes();
            }
            Command::Leave => self.step(Input::Local(Press::Leave)),
            Command::UpdateSettings { settings } => self.update_settings(&settings)?,
            Command::RefreshDevices => self.list_devices(),
            Command::TestSpeaker => self.playout.play(Sound::TestChime),
            Command::WatchMicrophone { on } => self.watch_microphone(on),
            Command::DismissOutcome => self.outcome = None,
            Command::DismissNotice { notice } => self.notices.dismiss(notice),
            Command::ClearHistory => {
                self.store.clear_history().map_err(|error| self.store_error(error))?;
                self.publisher.forget_history();
            }
            Command::TraceFrames { on: true } => {
                self.trace.start();
                self.hasten_statistics();
            }
            Command::TraceFrames { on: false } => self.report(self.trace.stop()),
            Command::SavePicture { participant, path } => {
                self.remotes.get(&participant).ok_or_else(not_in_the_call)?.save_picture(&path)?;
                self.report(Event::PictureSaved { participant, path });
            }
            Command::Quit => self.leave_for_good(),
        }
        Ok(())
    }

    /// Notes how video shall be captured; true when there shall be any.
    fn take_format(&mut self, video: VideoChoice) -> bool {
        let VideoChoice::On(preset) = video else { return false };
        let (max_fps, max_kbps) = self.limits;
        let max_fps = max_fps.unwrap_or(self.settings.max_fps);
        self.format = VideoFormat::of(preset, Some(max_fps), max_kbps.or(self.settings.max_kbps));
        true
    }

    /// Turns a stream on or off: in the call, or else in the preview.
    fn enable(&mut self, stream: StreamState) -> Result<(), CallError> {
        let press = match (self.machine.state(), self.media.wished()) {
            (CallState::Outgoing(_) | CallState::Conversation(_), _) => Press::EnableStream(stream),
            (CallState::Idle | CallState::Incoming(_), Some(wished)) => {
                Press::OpenStream { streams: wished.with(stream) }
            }
            (CallState::Idle | CallState::Incoming(_), None) => {
                return Err(CallError::BadArgument("No stream is open; open one with create_stream.".to_owned()));
            }
        };
        self.step(Input::Local(press));
        Ok(())
    }

    fn close_stream(&mut self) -> Result<(), CallError> {
        if !matches!(self.machine.state(), CallState::Idle | CallState::Incoming(_)) {
            return Err(CallError::BadArgument("A call needs the stream; hang up to close it.".to_owned()));
        }
        self.limits = (None, None);
        if self.media.is_open() {
            self.release_media(None);
        }
        Ok(())
    }

    fn invite(&mut self, to: PeerId, user_data: String, audio: bool, video: VideoChoice) -> Result<(), CallError> {
        let (Some(invite), Some(conversation)) = (random_bits(), random_bits()) else {
            return Err(CallError::InviteFailed);
        };
        if self.people.is_blocked(to) {
            return Err(CallError::BadArgument("You have blocked this person. Unblock them to call.".to_owned()));
        }
        if let Some(skew) = self.people.skew(to) {
            return Err(self.needs_newer(to, skew));
        }
        let begins = match self.machine.state() {
            CallState::Idle => true,
            CallState::Incoming(incoming) => incoming.from() == to,
            CallState::Outgoing(_) | CallState::Conversation(_) => false,
        };
        if begins {
            self.outcome = None;
        }
        let video = if begins { self.take_format(video) } else { video != VideoChoice::Off };
        self.step(Input::Local(Press::Invite {
            invite: InviteId::from_bits(invite),
            conversation: ConversationId::from_bits(conversation),
            to,
            user_data,
            streams: MediaSet::of_call(audio, video),
        }));
        Ok(())
    }

    /// Says which side needs a newer Visavis for a call with this person.
    fn needs_newer(&mut self, id: PeerId, skew: VersionSkew) -> CallError {
        let name = self.people.name_of(id, None);
        self.notices.add(NoticeKind::NeedsNewer { name: name.clone(), skew });
        match skew {
            VersionSkew::FarIsOlder => CallError::FarNeedsNewer(name),
            VersionSkew::OwnIsOlder => CallError::OwnNeedsNewer(name),
        }
    }

    /// Looks for a contact in a picture file, on a thread of its own: a large picture takes some tenths of a second.
    fn read_contact_image(&mut self, path: PathBuf) -> Result<(), CallError> {
        if self.reading_image {
            return Err(CallError::BadArgument("Another picture is still being read; try again.".to_owned()));
        }
        let system = self.parts.system.clone();
        let read = move || system.send(SystemEvent::ContactImage(read_contact_picture(&path)));
        match std::thread::Builder::new().name("picture".into()).spawn(read) {
            Ok(_) => self.reading_image = true,
            Err(error) => {
                tracing::warn!("no thread to read a picture on: {error}");
                return Err(CallError::BadArgument("The picture could not be read; try again.".to_owned()));
            }
        }
        Ok(())
    }

    pub(super) fn add_contact_of_image(&mut self, read: Result<ContactLink, PictureError>) -> Result<(), CallError> {
        match read {
            Ok(link) => self.add_contact(Some(link)),
            Err(error) => {
                let said = CallError::BadArgument(error.to_string());
                self.notices.add(NoticeKind::BadPicture(error));
                Err(said)
            }
        }
    }

    pub(super) fn add_contact(&mut self, link: Option<ContactLink>) -> Result<(), CallError> {
        let Some(link) = link else {
            self.notices.add(NoticeKind::BadLink);
            return Err(CallError::BadArgument(
                "There is no Visavis link or ID in this; ask for it again and copy it whole.".to_owned(),
            ));
        };
        if link.id == self.identity.id() || link.id == echo_id() {
            self.notices.add(NoticeKind::OwnLink);
            return Err(CallError::BadArgument("This is your own link; give it to others.".to_owned()));
        }
        let chosen = link.name.unwrap_or_default();
        let added = self.store.add_contact(link.id, &chosen, unix_seconds(MediaTime::now()));
        added.map_err(|error| self.store_error(error))?;
        self.reload_contacts();
        self.report(self.people.event(link.id));
        self.notices.add(NoticeKind::ContactAdded { name: self.people.name_of(link.id, None) });
        Ok(())
    }

    fn contact_changed(&mut self, id: PeerId, changed: bool) -> Result<(), CallError> {
        if !changed {
            return Err(CallError::BadArgument("This person is not among your contacts.".to_owned()));
        }
        self.reload_contacts();
        self.report(self.people.event(id));
        Ok(())
    }

    fn block(&mut self, id: PeerId, on: bool) -> Result<(), CallError> {
        if id == echo_id() || id == self.identity.id() {
            return Err(CallError::BadArgument("This contact cannot be blocked.".to_owned()));
        }
        self.store.set_blocked(id, on).map_err(|error| self.store_error(error))?;
        // Before their messages are shut out, and this side's to them.
        if on && self.takes_part(id) {
            self.step(Input::Local(Press::Leave));
        }
        self.contact_changed(id, true)
    }

    /// Reads the contacts anew after a change.
    pub(super) fn reload_contacts(&mut self) {
        match self.store.contacts().and_then(|contacts| Ok((contacts, self.store.blocked()?))) {
            Ok((contacts, blocked)) => self.people.set_contacts(contacts, blocked),
            Err(error) => tracing::error!("the contacts could not be read: {error}"),
        }
        if let Some(signaling) = &self.signaling {
            signaling.set_blocked(self.people.blocked().clone());
            signaling.set_contacts(self.people.contacts());
        }
    }

    fn update_settings(&mut self, change: &SettingsChange) -> Result<(), CallError> {
        let settings = change.applied_to(&self.settings).within_limits();
        let saved = self
            .store
            .settings()
            .and_then(|saved| self.store.save_settings(&self.options.settings_to_save(&settings, &saved)));
        // They hold for this run also when they could not be saved.
        self.apply_settings(settings);
        saved.map_err(|error| self.store_error(error))
    }

    fn apply_settings(&mut self, settings: Settings) {
        let before = std::mem::replace(&mut self.settings, settings);
        if self.settings.display_name != before.display_name {
            self.machine.set_name(&self.settings.display_name);
            if let Some(signaling) = &self.signaling {
                signaling.set_name(&self.settings.display_name);
            }
        }
        if let Some(signaling) = &self.signaling {
            signaling.set_strangers_may_ring(self.settings.strangers_may_ring);
        }
        self.processing.set(processing_of(&self.settings));
        self.forget_notices_of_other_choices(&before);
        if self.settings.speaker != before.speaker {
            self.speaker = Default::default();
            self.set_speaker(self.settings.speaker.clone());
        }
        let video = (self.settings.preset, self.settings.max_fps, self.settings.max_kbps);
        if video != (before.preset, before.max_fps, before.max_kbps) {
            let (preset, max_fps, max_kbps) = video;
            self.limits = (None, None);
            self.format = VideoFormat::of(preset, Some(max_fps), max_kbps);
        }
        if let Some(streams) = self.media.wished() {
            self.change_media(streams);
        }
    }

    /// What was said of a device holds no more once another one is chosen.
    fn forget_notices_of_other_choices(&mut self, before: &Settings) {
        let Settings { camera, microphone, speaker, .. } = &self.settings;
        for (device, changed) in [
            (DeviceKind::Camera, *camera != before.camera),
            (DeviceKind::Microphone, *microphone != before.microphone),
            (DeviceKind::Speaker, *speaker != before.speaker),
        ] {
            if changed {
                self.notices.forget_device(device);
            }
        }
    }

    /// Words of the store for the one who asked; in the window nobody else would say them.
    fn store_error(&mut self, error: StoreError) -> CallError {
        tracing::warn!("the store: {error:?}");
        self.notices.add(NoticeKind::Store((&error).into()));
        CallError::BadArgument(error.to_string())
    }
}

fn not_in_the_call() -> CallError {
    CallError::BadArgument("This person is not in the call.".to_owned())
}

fn random_bits() -> Option<u128> {
    let mut bits = [0; 16];
    getrandom::fill(&mut bits).inspect_err(|error| tracing::error!("no random numbers: {error}")).ok()?;
    Some(u128::from_le_bytes(bits))
}
