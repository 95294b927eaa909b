//! Commands of a person or a script, turned into presses of the state chart, changes of the store, or device work.

use std::sync::Arc;

use crate::call::{CallEnd, CallError, CallState, ConversationId, Input, InviteId, Press};
use crate::device::DeviceKind;
use crate::identity::{ContactLink, ParseServerLinkError, PeerId, PictureError, ServerLink};
use crate::media::{MediaSet, MediaTime, StreamId, StreamState};
use crate::playout::Sound;
use crate::store::{Settings, SettingsChange};

use super::{Core, unix_seconds};
use crate::controller::directory::Refusal;
use crate::controller::handle::gate_of;
use crate::controller::server_list::keep_server;
use crate::controller::{Command, Event, NoticeKind, Outcome, SharedScreen, VersionSkew, VideoChoice};

impl Core {
    pub(in crate::controller) fn on_command(&mut self, command: Command) {
        let name = command.name();
        let gates = Arc::clone(self.sending.gates());
        let pressed = gate_of(&gates, &command);
        if !self.is_quitting() {
            self.follow_devices();
            self.finish_command(name, |core| core.carry_out_command(command));
        }
        if let Some(gate) = pressed {
            gate.handled();
        }
    }

    /// Carries a command out, or reports why it cannot be.
    pub(super) fn finish_command(&mut self, name: &str, carry_out: impl FnOnce(&mut Self) -> Result<(), CallError>) {
        if let Err(error) = carry_out(self) {
            self.report(Event::Error { code: error.code(), message: error.to_string(), command: name.to_owned() });
        }
        self.publisher.mark();
    }

    fn carry_out_command(&mut self, command: Command) -> Result<(), CallError> {
        match command {
            Command::CreateStream { audio, video, max_fps, max_kbps } => {
                self.captures.set_limits(max_fps, max_kbps);
                let video = self.take_format(video);
                let streams = self.with_screen(MediaSet::of_call(audio, video));
                self.press(Press::OpenStream { streams })?;
            }
            Command::CloseStream => self.close_stream()?,
            Command::AddContact { link } => self.add_contact(ContactLink::find_in(&link))?,
            Command::CreateInvitation => self.create_invitation()?,
            Command::AddContactImage { path } => self.directory.read_picture(path)?,
            Command::SetProfilePicture { path } => self.directory.read_own_picture(path)?,
            Command::TakeProfilePicture => self.take_own_picture()?,
            Command::RemoveProfilePicture => self.set_own_picture(None)?,
            Command::Contacts => {
                self.directory.contact_events().into_iter().for_each(|event| self.report(event));
            }
            Command::Contact { id } => {
                let event = self.directory.contact_event(id).map_err(|refusal| self.refused(refusal))?;
                self.report(event);
            }
            Command::RenameContact { id, name } => {
                let renamed = self.directory.rename(&self.store, id, &name);
                self.contact_changed(id, renamed)?;
            }
            Command::RemoveContact { id } => {
                let removed = self.directory.remove(&self.store, id);
                self.contact_changed(id, removed)?;
            }
            Command::BlockContact { id, on } => self.block(id, on)?,
            Command::FavouriteContact { id, on } => {
                let noted = self.directory.set_favourite(&self.store, id, on);
                self.contact_changed(id, noted)?;
            }
            Command::AddServer { link } => self.add_server(&link)?,
            Command::RemoveServer { link } => self.remove_server(&link)?,
            Command::Servers => self.signaling.servers().events().into_iter().for_each(|event| self.report(event)),
            Command::VerifyContact { id, on } => {
                let noted = self.directory.set_verified(&self.store, id, on);
                self.contact_changed(id, noted)?;
            }
            Command::Invite { to, user_data, audio, video } => self.invite(to, user_data, audio, video)?,
            Command::Cancel { invite } => self.press(Press::Cancel { invite })?,
            Command::Accept { invite, audio, video } => {
                let video =
                    if self.calls.asks_about(invite) { self.take_format(video) } else { video != VideoChoice::Off };
                self.press(Press::Accept { invite, streams: MediaSet::of_call(audio, video) })?;
            }
            Command::Reject { invite } => self.press(Press::Reject { invite })?,
            Command::Ignore { invite } => self.press(Press::Ignore { invite })?,
            Command::EnableAudio { on, participant: None } => {
                self.enable(StreamState::audio(on))?;
            }
            Command::EnableVideo { on, participant: None } => {
                self.enable(StreamState::camera(on))?;
            }
            Command::EnableAudio { on, participant: Some(id) } => self.remotes.set_muted_here(id, !on)?,
            Command::EnableVideo { on, participant: Some(id) } => self.remotes.set_hidden_here(id, !on)?,
            Command::SetVolume { participant, percent } => {
                let in_call = self.remotes.set_volume(participant, percent);
                let kept = self.directory.set_volume(&self.store, participant, percent, in_call);
                kept.map_err(|refusal| self.refused(refusal))?;
            }
            Command::WishVideo { participant, stream, lines } => {
                self.remotes.set_wish(participant, stream, lines)?;
                self.tell_wishes();
            }
            Command::ShareScreen { screen } => self.share_screen(screen)?,
            Command::StopSharing => self.stop_sharing()?,
            Command::Leave => self.press(Press::Leave)?,
            Command::UpdateSettings { settings } => self.update_settings(&settings)?,
            Command::RefreshDevices => self.devices.refresh(),
            Command::TestSpeaker => self.speaker.play(Sound::TestChime),
            Command::WatchMicrophone { on } => self.watch_microphone(on),
            Command::DismissOutcome => {
                // The words go first: they shall not stay where nothing can be stored.
                if let Some(Outcome { peer, kind: CallEnd::Missed, .. }) = self.calls.take_outcome() {
                    self.mark_calls_seen(Some(peer))?;
                }
            }
            Command::MarkCallsSeen { with } => self.mark_calls_seen(with)?,
            Command::DismissNotice { notice } => self.publisher.notices().dismiss(notice),
            Command::ForgetCall { call } => {
                if !self.store.forget_call(call).map_err(|error| self.refused(error.into()))? {
                    return Err(bad_argument(&"There is no call of this number in the history."));
                }
                self.publisher.forget_history();
            }
            Command::ClearHistory => {
                self.store.clear_history().map_err(|error| self.refused(error.into()))?;
                self.publisher.forget_history();
            }
            Command::TraceFrames { on: true } => self.remotes.start_trace(MediaTime::now()),
            Command::TraceFrames { on: false } => self.report(self.remotes.stop_trace()),
            Command::SavePicture { participant, stream, path } => {
                self.remotes.save_picture(participant, stream, &path)?;
                self.report(Event::PictureSaved { participant, stream, path });
            }
            Command::Quit => self.leave_for_good(),
        }
        Ok(())
    }

    /// Notes that the missed calls of this person, or of everybody, have been seen.
    fn mark_calls_seen(&mut self, of: Option<PeerId>) -> Result<(), CallError> {
        self.store.mark_calls_seen(of).map_err(|error| self.refused(error.into()))?;
        self.publisher.forget_history();
        Ok(())
    }

    /// Tells the state chart of a press.
    ///
    /// # Errors
    ///
    /// Why the chart refuses it.
    fn press(&mut self, press: Press) -> Result<(), CallError> {
        self.step(Input::Local(press));
        self.calls.take_refusal()
    }

    /// Notes how video shall be captured; true when there shall be any.
    fn take_format(&mut self, video: VideoChoice) -> bool {
        self.captures.take_format(video, self.preferences.settings())
    }

    /// Turns a stream on or off: in the call, or else in the preview.
    fn enable(&mut self, stream: StreamState) -> Result<(), CallError> {
        let press = match (self.calls.state(), self.captures.wished()) {
            (CallState::Outgoing(_) | CallState::Conversation(_), _) => Press::EnableStream(stream),
            (CallState::Idle | CallState::Incoming(_), Some(wished)) => {
                Press::OpenStream { streams: wished.with(stream) }
            }
            (CallState::Idle | CallState::Incoming(_), None) => {
                return Err(CallError::BadArgument("No stream is open; open one with create_stream.".to_owned()));
            }
        };
        self.press(press)
    }

    /// These streams, and the screen as it is shared now: no other command stops that.
    fn with_screen(&self, streams: MediaSet) -> MediaSet {
        let screen = self.calls.sends().and_then(|sends| sends.get(StreamId::SCREEN));
        screen.map_or(streams, |screen| streams.with(screen))
    }

    fn share_screen(&mut self, screen: SharedScreen) -> Result<(), CallError> {
        if !matches!(self.calls.state(), CallState::Conversation(_)) {
            return Err(CallError::BadArgument("A screen is shared in a call. Call somebody first.".to_owned()));
        }
        self.captures.choose_screen(screen);
        self.press(Press::EnableStream(StreamState::screen(true)))
    }

    fn stop_sharing(&mut self) -> Result<(), CallError> {
        if !self.calls.sends().unwrap_or_default().is_on(StreamId::SCREEN) {
            return Err(CallError::BadArgument("No screen is shared.".to_owned()));
        }
        self.press(Press::EnableStream(StreamState::screen(false)))
    }

    fn close_stream(&mut self) -> Result<(), CallError> {
        if !matches!(self.calls.state(), CallState::Idle | CallState::Incoming(_)) {
            return Err(CallError::BadArgument("A call needs the stream; hang up to close it.".to_owned()));
        }
        self.captures.set_limits(None, None);
        if self.captures.is_open() {
            self.release_media(None);
        }
        Ok(())
    }

    fn invite(&mut self, to: PeerId, user_data: String, audio: bool, video: VideoChoice) -> Result<(), CallError> {
        let (Some(invite), Some(conversation)) = (random_bits(), random_bits()) else {
            return Err(CallError::InviteFailed);
        };
        if self.directory.is_blocked(to) {
            return Err(CallError::BadArgument("You have blocked this person. Unblock them to call.".to_owned()));
        }
        if let Some(skew) = self.directory.skew(to) {
            return Err(self.needs_newer(to, skew));
        }
        let begins = match self.calls.state() {
            CallState::Idle => true,
            CallState::Incoming(incoming) => incoming.from() == to,
            CallState::Outgoing(_) | CallState::Conversation(_) => false,
        };
        if begins {
            self.calls.set_outcome(None);
        }
        let video = if begins { self.take_format(video) } else { video != VideoChoice::Off };
        self.press(Press::Invite {
            invite: InviteId::from_bits(invite),
            conversation: ConversationId::from_bits(conversation),
            to,
            user_data,
            streams: MediaSet::of_call(audio, video),
        })
    }

    /// Says which side needs a newer Visavis for a call with this person.
    pub(super) fn needs_newer(&mut self, id: PeerId, skew: VersionSkew) -> CallError {
        let name = self.directory.name_of(id, None);
        self.publisher.notices().add(NoticeKind::NeedsNewer { peer: id, name: name.clone(), skew });
        match skew {
            VersionSkew::FarIsOlder => CallError::FarNeedsNewer(name),
            VersionSkew::OwnIsOlder => CallError::OwnNeedsNewer(name),
        }
    }

    pub(super) fn add_contact_of_image(&mut self, read: Result<ContactLink, PictureError>) -> Result<(), CallError> {
        match read {
            Ok(link) => self.add_contact(Some(link)),
            Err(error) => Err(self.refused(Refusal::BadPicture(error))),
        }
    }

    fn add_contact(&mut self, link: Option<ContactLink>) -> Result<(), CallError> {
        let server = link.as_ref().and_then(|link| link.server.clone());
        let token = link.as_ref().and_then(|link| link.token);
        let added = self.directory.add(&self.store, link, unix_seconds(MediaTime::now()));
        let id = added.map_err(|refusal| self.refused(refusal))?;
        self.contact_changed(id, Ok(()))?;
        self.greet_with_picture(id);
        if let Some(token) = token {
            self.hold_invitation(id, token).map_err(|refusal| self.refused(refusal))?;
        }
        let name = self.directory.name_of(id, None);
        self.publisher.notices().add(NoticeKind::ContactAdded { id, name: name.clone() });
        // Asked, never silent: a server learns this person's address and whom they watch.
        let own = &self.preferences.settings().servers;
        if let Some(link) = server.filter(|link| !own.iter().any(|own| own.leads_where(link))) {
            self.report(Event::ServerOffered { id, name: name.clone(), link: link.clone() });
            self.publisher.notices().add(NoticeKind::ServerOffered { name, link });
        }
        Ok(())
    }

    fn contact_changed(&mut self, id: PeerId, changed: Result<(), Refusal>) -> Result<(), CallError> {
        changed.map_err(|refusal| self.refused(refusal))?;
        self.signaling.follow(&self.directory);
        self.report(self.directory.event(id));
        Ok(())
    }

    fn block(&mut self, id: PeerId, on: bool) -> Result<(), CallError> {
        let blocked = self.directory.set_blocked(&self.store, id, on);
        // Before their messages are shut out, and this side's to them.
        if blocked.is_ok() && on {
            self.step(Input::Local(Press::Block { peer: id }));
        }
        self.contact_changed(id, blocked)
    }

    fn add_server(&mut self, link: &str) -> Result<(), CallError> {
        let link: ServerLink = link.parse().map_err(|error: ParseServerLinkError| bad_argument(&error))?;
        self.publisher.notices().forget_server(&link);
        let mut servers = self.preferences.settings().servers.clone();
        let kept = keep_server(&mut servers, link)
            .ok_or_else(|| bad_argument(&"There are eight servers already. Remove one first."))?;
        self.set_servers(servers)?;
        self.signaling.servers().event(&kept).into_iter().for_each(|event| self.report(event));
        Ok(())
    }

    fn remove_server(&mut self, link: &str) -> Result<(), CallError> {
        let link: ServerLink = link.parse().map_err(|error: ParseServerLinkError| bad_argument(&error))?;
        let mut servers = self.preferences.settings().servers.clone();
        let before = servers.len();
        servers.retain(|other| *other != link);
        if servers.len() == before {
            return Err(bad_argument(&"This server is not among yours; `servers` lists them."));
        }
        self.set_servers(servers)
    }

    fn set_servers(&mut self, servers: Vec<ServerLink>) -> Result<(), CallError> {
        let settings = Settings { servers, ..self.preferences.settings().clone() };
        self.update_settings(&(&settings).into())
    }

    /// Words for the one who asked; in the window nobody else would say them.
    pub(super) fn refused(&mut self, refusal: Refusal) -> CallError {
        if let Some(notice) = refusal.notice() {
            self.publisher.notices().add(notice);
        }
        refusal.into()
    }

    fn update_settings(&mut self, change: &SettingsChange) -> Result<(), CallError> {
        let (before, saved) = self.preferences.change(&self.store, change);
        self.apply_settings(&before);
        saved.map_err(|error| self.refused(error.into()))
    }

    fn apply_settings(&mut self, before: &Settings) {
        let settings = self.preferences.settings();
        if settings.display_name != before.display_name {
            self.calls.set_name(&settings.display_name);
            self.signaling.set_name(&settings.display_name);
        }
        self.signaling.set_strangers_may_ring(settings.strangers_may_ring);
        self.follow_do_not_disturb();
        self.follow_ring_settings();
        let settings = self.preferences.settings();
        if settings.servers != before.servers {
            self.follow_servers();
        }
        let settings = self.preferences.settings();
        if settings.speaker != before.speaker {
            self.speaker.choose(settings.speaker.clone());
        }
        let video = |settings: &Settings| (settings.preset, settings.max_fps, settings.max_kbps);
        if video(settings) != video(before) {
            self.captures.set_format(self.preferences.video_format());
        }
        self.forget_notices_of_other_choices(before);
        if self.captures.is_open() {
            self.captures.follow_settings(self.preferences.settings());
            self.report_local_stream();
        }
    }

    /// Takes back the notices of a device once another one is chosen.
    fn forget_notices_of_other_choices(&mut self, before: &Settings) {
        let Settings { camera, microphone, speaker, .. } = self.preferences.settings();
        for (device, changed) in [
            (DeviceKind::Camera, *camera != before.camera),
            (DeviceKind::Microphone, *microphone != before.microphone),
            (DeviceKind::Speaker, *speaker != before.speaker),
        ] {
            if changed {
                self.publisher.notices().forget_device(device);
            }
        }
    }
}

fn bad_argument(why: &impl ToString) -> CallError {
    CallError::BadArgument(why.to_string())
}

fn random_bits() -> Option<u128> {
    let mut bits = [0; 16];
    getrandom::fill(&mut bits).inspect_err(|error| tracing::error!("no random numbers: {error}")).ok()?;
    Some(u128::from_le_bytes(bits))
}
