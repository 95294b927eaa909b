//! Commands of a person (through the window) or a script (through standard input).
//!
//! The JSON names are a contract that scripts rely on: add, never rename.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::call::InviteId;
use crate::identity::PeerId;
use crate::media::{Preset, StreamId, Volume};
use crate::store::SettingsChange;

/// The `video` field of a command: a preset's name, `true` (the standard preset) or `false` (no video).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VideoChoice {
    /// No video.
    Off,
    /// Video at this preset.
    On(Preset),
}

impl Default for VideoChoice {
    fn default() -> Self {
        Self::On(Preset::default())
    }
}

impl Serialize for VideoChoice {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Off => serializer.serialize_bool(false),
            Self::On(preset) => preset.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for VideoChoice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(VideoChoiceVisitor)
    }
}

struct VideoChoiceVisitor;

impl de::Visitor<'_> for VideoChoiceVisitor {
    type Value = VideoChoice;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("true, false or the name of a preset")
    }

    fn visit_bool<E: de::Error>(self, on: bool) -> Result<VideoChoice, E> {
        Ok(if on { VideoChoice::default() } else { VideoChoice::Off })
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<VideoChoice, E> {
        name.parse().map(VideoChoice::On).map_err(de::Error::custom)
    }
}

/// The source of a shared screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SharedScreen {
    /// The test card, for tests and measurements.
    Pattern,
}

const fn yes() -> bool {
    true
}

const fn camera() -> StreamId {
    StreamId::CAMERA
}

/// One request to the controller.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case", deny_unknown_fields)]
pub enum Command {
    /// Open camera and microphone, or change the open ones; also in mid-call.
    CreateStream {
        /// Open the microphone.
        #[serde(default = "yes")]
        audio: bool,
        /// Open the camera, and how.
        #[serde(default)]
        video: VideoChoice,
        /// Frames a second at most (settings' value unless given).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        max_fps: Option<u32>,
        /// Video kbit/s at most (settings' value unless given).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        max_kbps: Option<u32>,
    },
    /// Close camera and microphone outside a call.
    CloseStream,
    /// Add a contact from a `visavis:` link, a bare ID, or a text that contains one.
    AddContact {
        /// The link.
        link: String,
    },
    /// Make a link whose holder may ring once, although strangers may not.
    CreateInvitation,
    /// Add a contact from a picture of a QR code.
    AddContactImage {
        /// A PNG or JPEG file.
        path: std::path::PathBuf,
    },
    /// Show contacts a picture of this person: the middle of a picture file.
    SetProfilePicture {
        /// A PNG or JPEG file.
        path: std::path::PathBuf,
    },
    /// Show contacts a picture of this person: the middle of the camera's present picture.
    TakeProfilePicture,
    /// Show contacts no picture of this person any more.
    RemoveProfilePicture,
    /// List the contacts, one `contact` event each, without safety numbers.
    Contacts,
    /// Ask for the `contact` event of one contact, with their safety number.
    Contact {
        /// The person.
        id: PeerId,
    },
    /// Give a contact another name, here only.
    RenameContact {
        /// The person.
        id: PeerId,
        /// The name; empty goes back to the name that they chose.
        name: String,
    },
    /// Forget a contact.
    RemoveContact {
        /// The person.
        id: PeerId,
    },
    /// Refuse, or no longer refuse, everything from a person.
    BlockContact {
        /// The person.
        id: PeerId,
        /// Block or unblock.
        on: bool,
    },
    /// List a contact before the others, or no longer.
    FavouriteContact {
        /// The person.
        id: PeerId,
        /// Before the others, or not.
        on: bool,
    },
    /// Add a server, over which people elsewhere are reached, by its link.
    AddServer {
        /// The link: `HOST:PORT*HASH`.
        link: String,
    },
    /// Use a server no more.
    RemoveServer {
        /// Its link.
        link: String,
    },
    /// List the servers, one `server` event each.
    Servers,
    /// Note that the safety number of a contact was compared, or take that back.
    VerifyContact {
        /// The person.
        id: PeerId,
        /// Compared and the same, or not.
        on: bool,
    },
    /// Invite a person to a conversation.
    Invite {
        /// ID of the person.
        to: PeerId,
        /// A short note that the callee can read, at most 1 KiB.
        #[serde(default)]
        user_data: String,
        /// Send sound.
        #[serde(default = "yes")]
        audio: bool,
        /// Send video, and how.
        #[serde(default)]
        video: VideoChoice,
    },
    /// Take back an invite that is pending.
    Cancel {
        /// The invite.
        invite: InviteId,
    },
    /// Answer an invite; that of somebody who waits ends the present call.
    Accept {
        /// The invite.
        invite: InviteId,
        /// Send sound.
        #[serde(default = "yes")]
        audio: bool,
        /// Send video, and how.
        #[serde(default)]
        video: VideoChoice,
    },
    /// Decline an invite.
    Reject {
        /// The invite.
        invite: InviteId,
    },
    /// Be asked about an invite no more; the caller goes on hearing that it rings.
    Ignore {
        /// The invite.
        invite: InviteId,
    },
    /// Without a participant: start or stop sending sound. With one: hear them or not, here only.
    EnableAudio {
        /// On or off.
        on: bool,
        /// Owner of the stream; oneself if absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        participant: Option<PeerId>,
    },
    /// Without a participant: open or close the camera. With one: show their pictures or not, here only.
    EnableVideo {
        /// On or off.
        on: bool,
        /// Owner of the stream; oneself if absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        participant: Option<PeerId>,
    },
    /// Set how loud a person is heard here.
    SetVolume {
        /// ID of the person: a contact, or somebody in the call.
        participant: PeerId,
        /// The volume in percent.
        percent: Volume,
    },
    /// Tell somebody how many lines of one of their pictures are shown here at most.
    WishVideo {
        /// ID of the person.
        participant: PeerId,
        /// Their stream; the camera's if absent.
        #[serde(default = "camera")]
        stream: StreamId,
        /// Lines in physical pixels; less than 180 is taken for 180.
        lines: u32,
    },
    /// Share a screen in the call.
    ShareScreen {
        /// The source.
        screen: SharedScreen,
    },
    /// Share no screen any more.
    StopSharing,
    /// Hang up.
    Leave,
    /// Change settings; devices and presets change in mid-call too.
    UpdateSettings {
        /// Those that are named; the others stay as they are.
        settings: SettingsChange,
    },
    /// Refresh the list of devices.
    RefreshDevices,
    /// Play a short sound on the speaker.
    TestSpeaker,
    /// Open the microphone for its level meter while the settings are shown (`on`), or close it again.
    WatchMicrophone {
        /// On or off.
        on: bool,
    },
    /// Close the words about how the last call ended.
    DismissOutcome,
    /// Close a notice.
    DismissNotice {
        /// Its number in the snapshot.
        notice: u64,
    },
    /// Note that the missed calls have been seen.
    MarkCallsSeen {
        /// Those of this person alone.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        with: Option<PeerId>,
    },
    /// Take one call out of the history.
    ForgetCall {
        /// Its number in the snapshot.
        call: i64,
    },
    /// Empty the call history.
    ClearHistory,
    /// Note how old each picture of the far side's test card or film is when it is shown (`on`), or stop and report it.
    TraceFrames {
        /// On or off.
        on: bool,
    },
    /// Save the picture that a participant's tile shows as a new file (y4m, of one picture).
    SavePicture {
        /// ID of the participant.
        participant: PeerId,
        /// Their stream; the camera's if absent.
        #[serde(default = "camera")]
        stream: StreamId,
        /// The file, which must not exist.
        path: std::path::PathBuf,
    },
    /// End the program in good order.
    Quit,
}

impl Command {
    /// Takes a `later` command into this one where the result is the same as that of both in their order, as of a
    /// slider's places; false where it is not.
    pub(super) fn absorb(&mut self, later: &Self) -> bool {
        match (self, later) {
            (Self::UpdateSettings { settings }, Self::UpdateSettings { settings: later }) => settings.extend(later),
            (
                Self::WishVideo { participant, stream, lines },
                Self::WishVideo { participant: who, stream: which, lines: later },
            ) if (&*participant, &*stream) == (who, which) => {
                *lines = *later;
            }
            (Self::SetVolume { participant, percent }, Self::SetVolume { participant: who, percent: later })
                if participant == who =>
            {
                *percent = *later
            }
            _ => return false,
        }
        true
    }

    /// The command's name in JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Self::CreateStream { .. } => "create_stream",
            Self::CloseStream => "close_stream",
            Self::AddContact { .. } => "add_contact",
            Self::CreateInvitation => "create_invitation",
            Self::AddContactImage { .. } => "add_contact_image",
            Self::SetProfilePicture { .. } => "set_profile_picture",
            Self::TakeProfilePicture => "take_profile_picture",
            Self::RemoveProfilePicture => "remove_profile_picture",
            Self::Contacts => "contacts",
            Self::Contact { .. } => "contact",
            Self::RenameContact { .. } => "rename_contact",
            Self::RemoveContact { .. } => "remove_contact",
            Self::BlockContact { .. } => "block_contact",
            Self::FavouriteContact { .. } => "favourite_contact",
            Self::AddServer { .. } => "add_server",
            Self::RemoveServer { .. } => "remove_server",
            Self::Servers => "servers",
            Self::VerifyContact { .. } => "verify_contact",
            Self::Invite { .. } => "invite",
            Self::Cancel { .. } => "cancel",
            Self::Accept { .. } => "accept",
            Self::Reject { .. } => "reject",
            Self::Ignore { .. } => "ignore",
            Self::EnableAudio { .. } => "enable_audio",
            Self::EnableVideo { .. } => "enable_video",
            Self::SetVolume { .. } => "set_volume",
            Self::WishVideo { .. } => "wish_video",
            Self::ShareScreen { .. } => "share_screen",
            Self::StopSharing => "stop_sharing",
            Self::Leave => "leave",
            Self::UpdateSettings { .. } => "update_settings",
            Self::RefreshDevices => "refresh_devices",
            Self::TestSpeaker => "test_speaker",
            Self::WatchMicrophone { .. } => "watch_microphone",
            Self::DismissOutcome => "dismiss_outcome",
            Self::DismissNotice { .. } => "dismiss_notice",
            Self::MarkCallsSeen { .. } => "mark_calls_seen",
            Self::ForgetCall { .. } => "forget_call",
            Self::ClearHistory => "clear_history",
            Self::TraceFrames { .. } => "trace_frames",
            Self::SavePicture { .. } => "save_picture",
            Self::Quit => "quit",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Result<Command, serde_json::Error> {
        serde_json::from_str(json)
    }

    #[test]
    fn commands_are_read_as_documented() {
        assert_eq!(
            parse(r#"{"command":"create_stream","audio":true,"video":"high-16:9","max_fps":15}"#).ok(),
            Some(Command::CreateStream {
                audio: true,
                video: VideoChoice::On(Preset::HighWide),
                max_fps: Some(15),
                max_kbps: None
            })
        );
        assert_eq!(
            parse(r#"{"command":"create_stream","video":true}"#).ok(),
            Some(Command::CreateStream {
                audio: true,
                video: VideoChoice::On(Preset::Standard),
                max_fps: None,
                max_kbps: None
            })
        );
        assert_eq!(parse(r#"{"command":"leave"}"#).ok(), Some(Command::Leave));
        let participant = PeerId::from_bytes([7; 32]);
        for (stream, read) in [(String::new(), StreamId::CAMERA), (r#","stream":2"#.to_owned(), StreamId::SCREEN)] {
            let json = format!(r#"{{"command":"wish_video","participant":"{participant}","lines":360{stream}}}"#);
            assert_eq!(parse(&json).ok(), Some(Command::WishVideo { participant, stream: read, lines: 360 }));
        }
    }

    #[test]
    fn later_places_of_a_slider_take_the_place_of_earlier_ones() {
        let change = |json: &str| Command::UpdateSettings { settings: serde_json::from_str(json).unwrap() };
        let mut waiting = change(r#"{"max_fps":10,"preset":"low"}"#);
        assert!(waiting.absorb(&change(r#"{"max_fps":20}"#)));
        assert_eq!(waiting, change(r#"{"max_fps":20,"preset":"low"}"#));
        let wish =
            |byte, stream, lines| Command::WishVideo { participant: PeerId::from_bytes([byte; 32]), stream, lines };
        let mut waiting = wish(1, StreamId::CAMERA, 720);
        assert!(waiting.absorb(&wish(1, StreamId::CAMERA, 180)) && !waiting.absorb(&wish(2, StreamId::CAMERA, 360)));
        assert!(!waiting.absorb(&wish(1, StreamId::SCREEN, 360)), "another picture of the same person");
        assert_eq!(waiting, wish(1, StreamId::CAMERA, 180));
        let volume = |byte, percent| {
            let participant = PeerId::from_bytes([byte; 32]);
            Command::SetVolume { participant, percent: Volume::from_percent(percent) }
        };
        let mut slid = volume(1, 100);
        assert!(slid.absorb(&volume(1, 140)) && !slid.absorb(&volume(2, 50)));
        assert_eq!(slid, volume(1, 140));
        assert!(!waiting.absorb(&Command::Leave) && !Command::Leave.absorb(&Command::Leave));
    }

    #[test]
    fn unknown_commands_and_bad_fields_are_refused() {
        assert!(parse(r#"{"command":"dance"}"#).is_err());
        assert!(parse(r#"{"command":"create_stream","video":"huge"}"#).is_err());
        assert!(parse(r#"{"command":"cancel","invite":"xyz"}"#).is_err());
        assert!(parse(r#"{"command":"create_stream","volume":3}"#).is_err());
        let participant = PeerId::from_bytes([7; 32]);
        let volume = |percent: i32| {
            parse(&format!(r#"{{"command":"set_volume","participant":"{participant}","percent":{percent}}}"#))
        };
        assert_eq!(volume(0).ok(), Some(Command::SetVolume { participant, percent: Volume::SILENT }));
        assert!(volume(200).is_ok() && volume(201).is_err() && volume(-1).is_err());
    }
}
