//! The catalogue in English.

use super::Text;

/// The text of a key.
pub(super) const fn text(key: Text) -> &'static str {
    match key {
        Text::AppName => "Visavis",
        Text::ShuttingDown => "Visavis is closing…",
        Text::Close => "Close",
        Text::Cancel => "Cancel",
        Text::Back => "Back",
        Text::More => "More for {name}",
        Text::Settings => "Settings",
        Text::People => "People",
        Text::Calls => "Calls",
        Text::Search => "Search people",
        Text::AddContact => "Add contact",
        Text::OnThisNetwork => "On this network",
        Text::EchoName => "Echo test",
        Text::EchoAbout => "Hear and see yourself",
        Text::Online => "Online",
        Text::OnlineLan => "Online · this network",
        Text::OnlineServer => "Online · Internet",
        Text::Offline => "Offline",
        Text::TheyNeedNewer => "Needs a newer Visavis",
        Text::YouNeedNewer => "You need a newer Visavis",
        Text::TheyNeedNewerHint => "{name} needs a newer Visavis before you can call each other.",
        Text::YouNeedNewerHint => "You need a newer Visavis to call {name}.",
        Text::Blocked => "Blocked",
        Text::NoMatch => "Nobody here has that name.",
        Text::NoContactsTitle => "No contacts yet",
        Text::NoContacts => {
            "Add somebody with their link, or give them yours. People on the same network appear here by themselves."
        }
        Text::Rename => "Rename…",
        Text::Remove => "Remove…",
        Text::Block => "Block",
        Text::Unblock => "Unblock",
        Text::AddToContacts => "Add to contacts",
        Text::CopyId => "Copy ID",
        Text::NewName => "Name shown for this contact",
        Text::Save => "Save",
        Text::RemoveTitle => "Remove {name}?",
        Text::RemoveDetail => "They leave your contact list. You can add them again with their link.",
        Text::Favourites => "Favourites",
        Text::Favourite => "Favourite",
        Text::MakeFavourite => "Add to favourites",
        Text::NoFavourite => "Remove from favourites",
        Text::OfflineCount => "Offline ({count})",
        Text::ClearSearch => "Clear the search",
        Text::MissedCount => "Missed calls: {count}",
        Text::LastCall => "last call {time}",
        Text::ShowLists => "Show people and calls",
        Text::HideLists => "Hide people and calls",
        Text::CallsInARow => "{name} ({count})",
        Text::CallBackVideoName => "Call {name} back with video",
        Text::CallBackAudioName => "Call {name} back with audio",
        Text::ForgetCall => "Remove from the history",
        Text::Quoted => "“{text}”",
        Text::ContactRenamed => "{before} now calls themselves {name}.",
        Text::InSettings => "in Settings",
        Text::Above => "above",
        Text::HintName => "Others see you as “{name}”. Click your name to change it.",
        Text::HintAdding => {
            "People on this network appear by themselves. Add others by their link, or send them an invitation: the \
             button beside the search does both."
        }
        Text::HintEcho => {
            "Try a call alone: Echo answers by itself, and you hear and see yourself a second later. Nobody else does."
        }
        Text::HintSeen => "Got it",
        Text::UseTestPicture => "Use a test picture",
        Text::PreviewResting => "Your camera rests while another window is in front. It is back with a click here.",
        Text::JoinMuted => "Begin calls muted",
        Text::JoinUnmuted => "Calls begin muted: begin them with sound",
        Text::AddScan => "Scan a code",
        Text::AddScanDetail => "Hold the QR code of the other person in front of your camera.",
        Text::InviteSomebody => "They have no Visavis yet? Send them an invitation.",
        Text::CopyInvitationText => "Copy invitation",
        Text::MailInvitation => "By mail…",
        Text::InvitationSubject => "Call me with Visavis",
        Text::InvitationText => {
            "Let’s call each other with Visavis: video calls straight from desktop to desktop, without an account.\n\n\
             1. Get it: {page}\n\
             2. Open it, press “Add contact”, and paste my link:\n\n\
             {link}\n"
        }
        Text::SafetyNumber => "Safety number…",
        Text::SafetyOf => "Safety number of {name}",
        Text::SafetyTitle => "Safety number with {name}",
        Text::SafetyDetail => {
            "Compare it with the number on their screen: read it to each other, or scan their code. If both are the \
             same, nobody stands between you."
        }
        Text::SafetyByVoice => "Read it to each other. If both see the same, nobody stands between you.",
        Text::SafetyCodeName => "Code to be scanned by {name}",
        Text::SafetyCodeFailed => "The code could not be drawn. Compare the number instead.",
        Text::CopyNumber => "Copy number",
        Text::Verified => "Verified",
        Text::SafetyVerified => "You have verified {name}.",
        Text::SafetyUnverified => "You have not compared this number with {name} yet.",
        Text::MarkVerified => "Mark as verified",
        Text::UnmarkVerified => "Remove the mark",
        Text::ScanCode => "Scan their code",
        Text::ScanStop => "Show my code",
        Text::ScanDetail => "Hold the code on the screen of {name} in front of your camera.",
        Text::ScanMatches => "The code matches. {name} is verified.",
        Text::ScanOwn => "This is your own code. Scan the one on the screen of {name}.",
        Text::ScanDiffers => {
            "This code does not match. It belongs to another contact, or somebody stands between you and {name}: do \
             not trust this contact before you have added them anew from their own screen."
        }
        Text::AddTitle => "Add a contact",
        Text::AddDetail => "Paste the link or the ID that they gave you.",
        Text::AddField => "Link or ID",
        Text::AddHint => "visavis:…",
        Text::AddAction => "Add",
        Text::AddPicture => "Choose a picture…",
        Text::AddDrop => "You can also paste the picture, or drop it on this window.",
        Text::DropHere => "Drop the picture of a QR code to add a contact",
        Text::PickTitle => "Choose a picture",
        Text::PickEmpty => "There are no pictures in this folder.",
        Text::PickUp => "Parent folder",
        Text::PickUnreadable => "This folder cannot be read.",
        Text::YourName => "Your name",
        Text::YourPicture => "Your picture",
        Text::YourPictureDetail => "Your picture, as your contacts see it. Click to change it.",
        Text::PictureChoose => "Choose a picture…",
        Text::PictureTake => "Take the camera's picture",
        Text::PictureRemove => "Remove the picture",
        Text::YourNameDetail => "Your name, as others see it. Click to change it.",
        Text::NoName => "Type your name",
        Text::YourId => "Your ID {id}",
        Text::CopyLink => "Copy link",
        Text::Copied => "Copied",
        Text::ShowQr => "Show QR code",
        Text::QrTitle => "Your contact code",
        Text::QrDetail => "Others add you by scanning this code or by pasting your link.",
        Text::QrFailed => "The code could not be drawn. Give your link instead.",
        Text::CameraTurnOn => "Turn on the camera",
        Text::CameraTurnOff => "Turn off the camera",
        Text::PreviewOff => "Your camera is off",
        Text::PreviewStarting => "Your camera is starting…",
        Text::PreviewNoCamera => "No camera is chosen. You can still call with audio.",
        Text::OpenSettings => "Open settings",
        Text::CallWithVideo => "Call with video",
        Text::CallWithAudio => "Call with audio",
        Text::NoteField => "Note",
        Text::NoteHint => "Add a note they see while it rings (optional)",
        Text::OfflineHint => "{name} is offline. You can try all the same.",
        Text::BlockedHint => "You blocked {name}. Unblock them to call.",
        Text::PickSomeone => "Who would you like to see?",
        Text::PickSomeoneDetail => "Pick a person on the left.",
        Text::TryEcho => "Try the echo test",
        Text::HistoryEmptyTitle => "No calls yet",
        Text::HistoryEmpty => "Your calls will be listed here.",
        Text::HistoryOutgoing => "Outgoing",
        Text::HistoryIncoming => "Incoming",
        Text::CallAgain => "Call again",
        Text::CallVideoName => "Call {name} with video",
        Text::CallAudioName => "Call {name} with audio",
        Text::ClearHistory => "Clear the history",
        Text::ClearHistoryTitle => "Clear the history?",
        Text::ClearHistoryDetail => "All calls leave this list. Nobody else is told.",
        Text::Today => "Today {time}",
        Text::Yesterday => "Yesterday {time}",
        Text::Calling => "Calling…",
        Text::Ringing => "Ringing…",
        Text::CancelCall => "Cancel the call",
        Text::IncomingVideo => "would like a video call",
        Text::IncomingAudio => "would like an audio call",
        Text::UnknownCaller => "Not in your contacts",
        Text::UnknownCallerDetail => "Anyone can choose this name. They see and hear nothing unless you answer.",
        Text::CallerOtherKey => "Not the {name} of your contacts",
        Text::CallerOtherKeyDetail => {
            "The same name, but another key: they have a new identity, or somebody pretends to be them. Ask them another \
             way before you answer."
        }
        Text::TheirId => "Their ID {id}",
        Text::TheirNote => "Their note",
        Text::AnswerVideo => "Answer with video",
        Text::AnswerAudio => "Answer with audio",
        Text::Decline => "Decline",
        Text::Connecting => "Connecting…",
        Text::Reconnecting => "Reconnecting…",
        Text::Mute => "Mute the microphone",
        Text::Unmute => "Unmute the microphone",
        Text::CameraOn => "Turn the camera on",
        Text::CameraOff => "Turn the camera off",
        Text::FullScreen => "Full screen",
        Text::LeaveFullScreen => "Leave full screen",
        Text::HangUp => "Hang up",
        Text::Statistics => "Statistics",
        Text::TheyMuted => "{name} is muted",
        Text::TheyCameraOff => "{name}’s camera is off",
        Text::TheirScreen => "{name}’s screen",
        Text::MuteHere => "Mute {name} for me",
        Text::UnmuteHere => "Hear {name} again",
        Text::HideHere => "Hide {name}’s picture",
        Text::ShowHere => "Show {name}’s picture",
        Text::MutedHere => "You do not hear {name}",
        Text::HiddenHere => "You do not see {name}",
        Text::SelfView => "Your picture: click to swap, drag to move",
        Text::SelfViewBig => "{name}: click to swap back",
        Text::YouAreMuted => "You are muted",
        Text::SpeakingMuted => "You are muted. Hold Space to talk.",
        Text::Speaking => "{name} is speaking",
        Text::YouSpeak => "You are speaking",
        Text::NoCameraChosen => "No camera is chosen. Choose one in Settings.",
        Text::NoMicrophoneChosen => "No microphone is chosen. Choose one in Settings.",
        Text::YourCameraIsOff => "Your camera is off",
        Text::CallTime => "Call time {time}",
        Text::PeopleInCall => "{count} people",
        Text::InCall => "In a call",
        Text::ChooseMicrophone => "Choose microphone and speaker",
        Text::ChooseCamera => "Choose a camera",
        Text::MediaSettings => "Audio and video settings…",
        Text::MoreInCall => "More",
        Text::Volume => "Volume",
        Text::VolumeOf => "Volume of {name}",
        Text::UnmuteKeys => "M, or hold Space",
        Text::HeardWhileHeld => "You are heard while you hold Space.",
        Text::KeyTalk => "Talk while muted (hold)",
        Text::HideSelfView => "Hide my picture",
        Text::ShowSelfView => "Show my picture",
        Text::SizeSmall => "Small",
        Text::SizeMedium => "Medium",
        Text::SizeLarge => "Large",
        Text::PicturesOfOthers => "Pictures of the others",
        Text::FitAutomatic => "Automatic",
        Text::FitFill => "Fill",
        Text::FitWhole => "Whole",
        Text::CallBack => "Call back",
        Text::SmallWindow => "Small window",
        Text::SmallWindowTitle => "Call with {name}",
        Text::SmallWindowWhile => "Small window while in a call",
        Text::SmallWindowDetail => "When the window is minimized, the call stays on top in a small one.",
        Text::InSmallWindow => "The call is in the small window",
        Text::BackToCall => "Back to the call",
        Text::CloseSmallWindow => "Close the small window",
        Text::CallEnded => "{name}, {length}",
        Text::LengthSeconds => "{value} s",
        Text::LengthMinutes => "{value} min",
        Text::LengthHours => "{hours} h {minutes} min",
        Text::Sent => "Sent",
        Text::Received => "Received",
        Text::StatCamera => "Camera",
        Text::StatScreen => "Shared screen",
        Text::StatSize => "Picture size",
        Text::StatRate => "Frame rate",
        Text::StatBits => "Bit rate",
        Text::StatLost => "Lost",
        Text::StatRoundTrip => "Round trip",
        Text::StatJitter => "Jitter",
        Text::StatDelay => "Delay in this app",
        Text::StatFrozen => "Frozen",
        Text::StatConcealed => "Concealed sound",
        Text::StatCodec => "Codec",
        Text::StatRoute => "Route",
        Text::RouteDirect => "direct",
        Text::RouteRelay => "relay",
        Text::NothingYet => "–",
        Text::FramesASecond => "{value} fps",
        Text::KilobitsASecond => "{value} kbit/s",
        Text::Milliseconds => "{value} ms",
        Text::OnePacket => "1 packet",
        Text::Packets => "{value} packets",
        Text::StatAsked => "Encoder target",
        Text::StatPath => "Available bit rate",
        Text::StatLoss => "Loss before repair",
        Text::StatLatency => "Delay",
        Text::Percent => "{value} %",
        Text::CurveAsked => "Asked",
        Text::CurveSentLoss => "Loss sent",
        Text::CurveReceivedLoss => "Loss received",
        Text::LastMinute => "Curves: last minute",
        Text::QualityMeasuring => "Measuring…",
        Text::QualityGood => "Good connection",
        Text::QualityUnstable => "Unstable: sound first",
        Text::QualityPoor => "Poor connection",
        Text::CopyReport => "Copy report",
        Text::CopyReportDetail => "Copies these figures as text, without names, IDs or addresses.",
        Text::ReportPerson => "Person {number}",
        Text::ReportColumns => {
            "Last minute, a line a second: asked, sent, received (kbit/s), loss sent, received (%), round trip, delay, frozen, concealed sound (ms)"
        }
        Text::SectionVideo => "Video",
        Text::SectionSound => "Sound",
        Text::SectionPrivacy => "Privacy",
        Text::SectionLook => "Appearance",
        Text::SectionKeys => "Keys",
        Text::Resolution => "Resolution",
        Text::CameraGives => "Your camera gives {size} at {fps} fps.",
        Text::CameraGivesOther => "You asked for {asked}; your camera gives {size} at {fps} fps.",
        Text::PresetAbove => "{size} (more than your camera gives)",
        Text::CameraClosed => "What the camera really gives is shown here while it is open.",
        Text::FrameRate => "Frame rate at most",
        Text::BitRate => "Bit rate at most",
        Text::BitRateAuto => "Automatic ({value} kbit/s)",
        Text::BitRateChoice => "{value} kbit/s",
        Text::FrameRateChoice => "{value} fps",
        Text::Camera => "Camera",
        Text::Microphone => "Microphone",
        Text::Speaker => "Speaker",
        Text::SystemDefault => "System default",
        Text::TestCard => "Test card",
        Text::Tone => "Test tone",
        Text::NoDevice => "None",
        Text::FileChoice => "File: {name}",
        Text::NotPluggedIn => "{name} (not plugged in)",
        Text::Level => "Microphone level",
        Text::TestSpeaker => "Play a test sound",
        Text::EchoCancellation => "Echo cancellation",
        Text::EchoCancellationDetail => "Keeps what your speaker plays from going back to the others.",
        Text::NoiseSuppression => "Noise suppression",
        Text::NoiseSuppressionDetail => "Takes out steady noise, such as a fan. Off for music.",
        Text::AutomaticGain => "Automatic gain",
        Text::AutomaticGainDetail => "Makes your voice as loud as others’. The system’s volume is left alone.",
        Text::Mirror => "Mirror my picture",
        Text::MirrorDetail => "Only for you; others see you as you are.",
        Text::StrangersMayRing => "People I have not added may ring",
        Text::MakeInvitation => "New link for one call",
        Text::CopyInvitation => "Copy the link",
        Text::InvitationDetail => "Whoever holds this link may ring once, although only contacts can.",
        Text::StrangersDetail => "Off: only your contacts can ring.",
        Text::LanguageLabel => "Language",
        Text::LanguageSystem => "System",
        Text::LanguageEnglish => "English",
        Text::LanguageChinese => "简体中文",
        Text::ThemeLabel => "Theme",
        Text::ThemeSystem => "System",
        Text::ThemeLight => "Light",
        Text::ThemeDark => "Dark",
        Text::ContrastLabel => "Contrast",
        Text::ContrastStandard => "Standard",
        Text::ContrastHigh => "High",
        Text::MotionLabel => "Motion",
        Text::TextSizeLabel => "Text size",
        Text::TextSizeSystem => "System ({value} %)",
        Text::KeysInCall => "In a call",
        Text::KeysAnywhere => "Everywhere",
        Text::KeySearch => "Search people",
        Text::KeyTextLarger => "Larger text",
        Text::KeyTextSmaller => "Smaller text",
        Text::KeyTextUsual => "Usual text size",
        Text::Lists => "People and calls",
        Text::MotionFull => "Full",
        Text::MotionReduced => "Reduced",
        Text::KeyMute => "Mute or unmute",
        Text::KeyCamera => "Camera on or off",
        Text::KeyFullScreen => "Full screen",
        Text::KeyLeaveFullScreen => "Leave full screen",
        Text::KeyHangUp => "Hang up",
        Text::KeyStatistics => "Statistics",
        Text::KeyAnswer => "Answer a call",
        Text::KeyDecline => "Decline or cancel a call",
        Text::RefreshDevices => "Refresh devices",
        Text::Version => "Visavis {value}",
        Text::SectionServers => "Servers",
        Text::ServersDetail => {
            "Over a server you reach people outside your network. It learns your address and whom you look for, and \
             nothing that is said or shown."
        }
        Text::RelayLabel => "Calls through the server’s relay",
        Text::RelayAuto => "When needed",
        Text::RelayAlways => "Always",
        Text::RelayNever => "Never",
        Text::RelayDetail => {
            "“Always” keeps your address from the people whom you call. People who are no contacts never learn it over a \
             server."
        }
        Text::ServerField => "Link of a server",
        Text::ServerHint => "host:port*… or a name",
        Text::AddServer => "Add server",
        Text::BadServer => "This is not a server’s link. Copy it whole from the server’s first screen.",
        Text::ServerConnecting => "Connecting…",
        Text::ServerOnline => "Online, {value} ms away",
        Text::ServerUnknownName => "The server’s name is not known. Check the network, and the link.",
        Text::ServerNoAnswer => "The server does not answer. It may be off, or this network may block it.",
        Text::ServerProxy => {
            "The proxy of this network does not lead to the server. Check HTTPS_PROXY, with its user name and password, or \
             ask the people who run the network."
        }
        Text::ServerProxySetting => {
            "The proxy of this computer’s settings cannot be used. HTTPS_PROXY has the form \
             http://USER:PASSWORD@HOST:PORT or socks5://HOST:PORT."
        }
        Text::ServerOtherKey => {
            "The server has another key than its link says. Ask for its new link; if there is none, something in the \
             network pretends to be it."
        }
        Text::ServerOtherName => {
            "The server’s certificate is one of another name than its link has. Ask for its whole link, with the part \
             after *; if there is none, something in the network may pretend to be it."
        }
        Text::ServerExpired => {
            "The server’s certificate is out of date. Check this computer’s clock, or ask the person who runs the server."
        }
        Text::ServerUntrusted => {
            "No authority that this computer trusts vouches for the server’s certificate. Ask for its whole link, with \
             the part after *; if there is none, something in the network may pretend to be it."
        }
        Text::ServerNoServer => {
            "Something other than a Visavis server answers. Perhaps this network wants you to sign in first: open a web page."
        }
        Text::ServerOtherVersion => {
            "The server speaks another version. Update Visavis, or ask for the server to be updated."
        }
        Text::ServerRefused => "The server refused the connection. Try again later, or ask the person who runs it.",
        Text::ServerLost => "The connection to the server was lost. It is being restored.",
        Text::ServerClocksDiffer => {
            "This computer’s clock and the server’s differ by more than a minute. Calls work all the same; check the clock."
        }
        Text::ServerNoTls => "Secure connections cannot be set up on this computer. Start Visavis again.",
        Text::ServerOffered => "{name} is reached over the server {server}. Use it too? It learns your address.",
        Text::UseServer => "Use this server",
        Text::EndDeclined => "{name} declined",
        Text::EndBusy => "{name} is busy",
        Text::EndNoAnswer => "{name} did not answer",
        Text::EndCanceled => "You canceled the call to {name}",
        Text::EndMissed => "You missed a call from {name}",
        Text::EndDeclinedHere => "You declined the call from {name}",
        Text::EndUnreachable => "{name} cannot be reached",
        Text::EndLeft => "You hung up",
        Text::EndHungUp => "{name} hung up",
        Text::EndFailed => "The call could not be connected",
        Text::EndLost => "The connection to {name} was lost",
        Text::EndNeedsNewerHere => "You need a newer Visavis to call {name}",
        Text::EndNeedsNewerThere => "{name} needs a newer Visavis",
        Text::EndDeclinedDetail => "They chose not to answer now.",
        Text::EndBusyDetail => "Try again in a little while.",
        Text::EndNoAnswerDetail => "It rang for 45 seconds. They may see that you called.",
        Text::EndCanceledDetail => "They may see that you called.",
        Text::EndMissedDetail => "It rang, and nobody answered here.",
        Text::EndDeclinedHereDetail => "They are told that you declined.",
        Text::EndUnreachableDetail => "Their Visavis is not running, or is on a network that yours cannot reach.",
        Text::EndLeftDetail => "The call is over.",
        Text::EndHungUpDetail => "The call is over.",
        Text::EndFailedDetail => "No connection to {name} could be made. Check both networks, then call again.",
        Text::EndNeedsNewerHereDetail => {
            "Their version is newer than yours. Install the latest Visavis, then call again."
        }
        Text::EndNeedsNewerThereDetail => "Their version is older than yours. Ask them to install the latest Visavis.",
        Text::EndLostDetail => {
            "The network stopped carrying the call, or their program ended. Check the network, then call again."
        }
        Text::BriefDeclined => "Declined",
        Text::BriefBusy => "Busy",
        Text::BriefNoAnswer => "No answer",
        Text::BriefCanceled => "Canceled",
        Text::BriefMissed => "Missed",
        Text::BriefDeclinedHere => "Declined",
        Text::BriefUnreachable => "Not reached",
        Text::BriefEnded => "Ended",
        Text::BriefFailed => "Not connected",
        Text::BriefNeedsNewer => "Needs a newer Visavis",
        Text::BriefLost => "Connection lost",
        Text::WaitingCall => "{name} is calling",
        Text::WaitingAnswer => "End call and answer",
        Text::WaitingAnswerEcho => "Answer",
        Text::WaitingIgnore => "Ignore",
        Text::WaitingKeys => "{answer} answers, {decline} declines",
        Text::KeyWaitingAnswer => "Answer a second call",
        Text::KeyWaitingDecline => "Decline a second call",
        Text::QuietNow => "Do not disturb",
        Text::QuietNowUntil => "Do not disturb until {time}",
        Text::QuietTurnOff => "Turn off",
        Text::EchoDetail => "Speak and wave: you hear and see yourself a second later.",
        Text::CloseTitle => "Hang up?",
        Text::CloseDetail => "You are in a call with {name}.",
        Text::CloseQuit => "Hang up and quit",
        Text::CloseToTray => "Hang up and close",
        Text::CloseKeep => "Keep the call",
        Text::TrayOpen => "Open Visavis",
        Text::TrayDoNotDisturb => "Do not disturb",
        Text::TrayMicrophone => "Microphone",
        Text::TrayCamera => "Camera",
        Text::TrayHangUp => "Hang up",
        Text::TrayQuit => "Quit",
        Text::TrayMissed => "Missed calls: {count}",
        Text::Reachable => "Being reached",
        Text::KeepRunning => "Keep running when the window is closed",
        Text::KeepRunningDetail => "Visavis stays in the tray, with camera and microphone closed, and calls ring.",
        Text::KeepRunningNoTray => "This desktop shows no tray, so closing the window quits.",
        Text::Autostart => "Start with the desktop, in the background",
        Text::AutostartDetail => "No window opens: calls ring, and the tray opens it.",
        Text::DoNotDisturb => "Do not disturb",
        Text::DoNotDisturbDetail => "Nothing rings. Callers hear that you are busy, and their calls arrive as missed.",
        Text::QuietHours => "Do not disturb every day",
        Text::QuietHoursDetail => "From {from} until {until}, by the time of this computer.",
        Text::QuietFrom => "From",
        Text::QuietUntil => "Until",
        Text::RingSpeaker => "Ring on",
        Text::RingSpeakerSame => "The speaker of calls",
        Text::RingVolume => "Volume of the ring",
        Text::Dismiss => "Dismiss",
        Text::ContactAdded => "{name} is now in your contacts.",
        Text::BadLink => "No Visavis ID was found in that. Check that it was copied whole.",
        Text::OwnLink => "That is your own link. Give it to others so that they can add you.",
        Text::CameraBack => "The camera works again: {name}",
        Text::MicrophoneBack => "The microphone works again: {name}",
        Text::SpeakerBack => "The speaker works again: {name}",
        Text::MicrophoneFallback => "“{chosen}” is not there. Others hear you through {name} until it is back.",
        Text::SpeakerFallback => "“{chosen}” is not there. You hear others through {name} until it is back.",
        Text::AllMissing => "No camera, microphone or speaker was found. Plug them in, or choose others in Settings.",
        Text::CameraMicrophoneMissing => {
            "No camera and no microphone was found. Plug them in, or choose others in Settings."
        }
        Text::CameraSpeakerMissing => "No camera and no speaker was found. Plug them in, or choose others in Settings.",
        Text::SoundMissing => "No microphone and no speaker was found. Plug them in, or choose others in Settings.",
        Text::CameraNotFound => "There is no camera called “{name}”. Plug it in, or choose another one in Settings.",
        Text::MicrophoneNotFound => {
            "There is no microphone called “{name}”. Plug it in, or choose another one in Settings."
        }
        Text::SpeakerNotFound => "There is no speaker called “{name}”. Plug it in, or choose another one in Settings.",
        Text::CameraMissing => "No camera was found. Plug one in, or choose another one in Settings.",
        Text::CameraBusy => "The camera is used by another program. Close that program, or choose another camera.",
        Text::CameraForbidden => {
            "This computer does not let Visavis use the camera. Allow it in the system’s privacy settings."
        }
        Text::CameraUnplugged => "The camera was unplugged. Plug it in again and it comes back by itself.",
        Text::CameraStalled => "The camera is open but sends no picture. Unplug it and plug it in again.",
        Text::MicrophoneSilent => {
            "“{name}” gives only silence. Check its mute switch and the system’s sound settings, or choose another one."
        }
        Text::MicrophoneMissing => "No microphone was found. Plug one in, or choose another one in Settings.",
        Text::MicrophoneBusy => {
            "The microphone is used by another program. Close that program, or choose another microphone."
        }
        Text::MicrophoneForbidden => {
            "This computer does not let Visavis use the microphone. Allow it in the system’s privacy settings."
        }
        Text::MicrophoneUnplugged => "The microphone was unplugged. Plug it in again and it comes back by itself.",
        Text::MicrophoneStalled => "The microphone is open but gives no sound. Unplug it and plug it in again.",
        Text::SpeakerMissing => "No speaker was found. Plug one in, or choose another one in Settings.",
        Text::SpeakerBusy => "The speaker is used by another program. Close that program, or choose another speaker.",
        Text::SpeakerForbidden => {
            "This computer does not let Visavis use the speaker. Allow it in the system’s settings."
        }
        Text::SpeakerUnplugged => "The speaker was unplugged. Plug it in again and it comes back by itself.",
        Text::SpeakerStalled => "The speaker is open but takes no sound. Unplug it and plug it in again.",
        Text::StoreFull => "The disk is full, so Visavis cannot save. Free some space and try again.",
        Text::StoreNotWritable => {
            "Visavis may not write to its data folder, so nothing is saved. Check the folder’s permissions."
        }
        Text::StoreDiskFailed => {
            "The disk that Visavis’s data are on reports an error. Check the disk, and make a backup of the data."
        }
        Text::StoreShared => {
            "Others on this computer can write to Visavis’s data folder and act in your name. Make the folder yours alone."
        }
        Text::StoreNewer => {
            "The data was saved by a newer version of Visavis and was left as it is. Start the newer version."
        }
        Text::StoreDamaged => {
            "The data file visavis.db is damaged. Rename it and start again to begin with an empty one."
        }
        Text::StoreEmptied => {
            "The data file visavis.db is empty: the contacts, the history and the settings in it are lost. Put a backup \
             in its place, or delete it and start again without them."
        }
        Text::StoreNotAFile => {
            "In place of a file, Visavis’s data folder holds a link, a pipe or a folder. Move it away and start again."
        }
        Text::StoreBusy => "Another program is using Visavis’s data file. Close it and try again.",
        Text::StoreFailed => "Visavis could not read or save its data. Try again.",
        Text::ClocksDiffer => {
            "{name}’s clock and yours differ by more than a minute. Calls work; set both right so that the times shown agree."
        }
        Text::PortTaken => {
            "People on this network cannot be found: another program keeps network port 5353 to itself. Close that program."
        }
        Text::PortTakenInPart => {
            "Some people on this network may not be found: another program keeps network port 5353 to itself. Close it."
        }
        Text::NoNetwork => {
            "People on this network cannot be found. Check the network, then start Visavis again; Echo works meanwhile."
        }
        Text::MediaKeys => "Media keys and headset button",
        Text::MediaKeysDetail => "Play/pause answers with sound, mutes and unmutes. Stop declines and hangs up.",
        Text::MediaPlayerRings => "Incoming call",
        Text::TalkKey => "Push to talk in other windows",
        Text::TalkKeyOff => "Off",
        Text::TalkKeyDetail => "Hold the key while muted in a call to be heard. Other programs get it, too.",
        Text::ProfileNoHome => "This computer names no folder for Visavis’s data. Give one with --profile.",
        Text::ProfileNotWritable => {
            "The profile folder {path} cannot be used. Check its permissions, or choose another with --profile."
        }
        Text::ProfileFull => {
            "The disk is full, so the profile folder {path} cannot be made. Free some space and try again."
        }
        Text::ProfileNotAFile => {
            "{path} is a link, a pipe or a folder, and was left alone. Move it away and start again."
        }
        Text::ProfileInUse => {
            "Visavis is running already with this profile. Use that window, or choose another folder with --profile."
        }
        Text::IdentityFull => {
            "The disk is full, so no identity could be saved in {path}. Free some space and try again."
        }
        Text::IdentityForbidden => {
            "Visavis may not use the identity file {path}. Check its permissions and its folder’s, or choose another \
             profile with --profile."
        }
        Text::IdentityNotAFile => {
            "The identity file {path} is a link, a pipe or a folder, and was left alone. Put your identity.key there as \
             a file, or move the thing away to start with a new identity."
        }
        Text::IdentityFailed => "The identity file {path} could not be read or written. Check the disk that it is on.",
        Text::IdentityDamaged => {
            "The identity file {path} is damaged. Restore it from a backup, or move it away to start with a new identity."
        }
        Text::IdentityNoRandom => {
            "The system’s random source failed, so no identity could be made. Start Visavis again."
        }
    }
}
