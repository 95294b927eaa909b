//! The keys of the catalogue, and the key for each end of a call and each fault of a device.

use crate::call::DisconnectReason;
use crate::controller::{OutcomeKind, StoreFault};
use crate::device::DeviceKind;

macro_rules! texts {
    ($($key:ident),* $(,)?) => {
        /// Key of one text of the catalogue; the English file has the text.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[allow(missing_docs, reason = "en.rs says what each text says")]
        pub enum Text {
            $($key),*
        }

        impl Text {
            /// Every key.
            pub const ALL: &[Self] = &[$(Self::$key),*];
        }
    };
}

texts! {
    // The window and its parts
    AppName, ShuttingDown, Close, Cancel, Back, More, Settings,
    // Home: people
    People, Calls, Search, AddContact, OnThisNetwork, EchoName, EchoAbout, Online, OnlineLan,
    OnlineServer, Offline, TheyNeedNewer, YouNeedNewer, TheyNeedNewerHint, YouNeedNewerHint, Blocked, NoMatch, NoContactsTitle, NoContacts, Rename, Remove, Block, Unblock, AddToContacts,
    CopyId, NewName, Save, RemoveTitle, RemoveDetail,
    // Home: list
    Favourites, Favourite, MakeFavourite, NoFavourite, OfflineCount, ClearSearch, MissedCount, LastCall, ShowLists,
    HideLists, CallsInARow, CallBackVideoName, CallBackAudioName, ForgetCall, Quoted, ContactRenamed,
    // Home: first minutes
    InSettings, Above, HintName, HintAdding, HintEcho, HintSeen, UseTestPicture, PreviewResting, JoinMuted, JoinUnmuted,
    AddScan, AddScanDetail, InviteSomebody, CopyInvitationText, MailInvitation, InvitationSubject, InvitationText,
    // Home: safety numbers
    SafetyNumber, SafetyOf, SafetyTitle, SafetyDetail, SafetyByVoice, SafetyCodeName, SafetyCodeFailed, CopyNumber, Verified, SafetyVerified,
    SafetyUnverified, MarkVerified, UnmarkVerified, ScanCode, ScanStop, ScanDetail, ScanMatches, ScanOwn, ScanDiffers,
    // Home: adding a contact
    AddTitle, AddDetail, AddField, AddHint, AddAction, AddPicture, AddDrop, DropHere, PickTitle, PickEmpty, PickUp,
    PickUnreadable,
    // Home: one's own card
    YourPicture, YourPictureDetail, PictureChoose, PictureTake, PictureRemove,
    YourName, YourNameDetail, NoName, YourId, CopyLink, Copied, ShowQr, QrTitle, QrDetail, QrFailed,
    // Home: the preview
    CameraTurnOn, CameraTurnOff, PreviewOff, PreviewStarting, PreviewNoCamera, OpenSettings,
    // Home: calling
    CallWithVideo, CallWithAudio, NoteField, NoteHint, OfflineHint, BlockedHint, PickSomeone, PickSomeoneDetail,
    TryEcho,
    // Home: history
    HistoryEmptyTitle, HistoryEmpty, HistoryOutgoing, HistoryIncoming, CallAgain, CallVideoName, CallAudioName, ClearHistory,
    ClearHistoryTitle, ClearHistoryDetail, Today, Yesterday,
    // Invites
    Calling, Ringing, CancelCall, IncomingVideo, IncomingAudio, UnknownCaller, UnknownCallerDetail, TheirId, TheirNote,
    CallerOtherKey, CallerOtherKeyDetail, AnswerVideo, AnswerAudio, Decline,
    // The call
    Connecting, Reconnecting, Mute, Unmute, CameraOn, CameraOff, FullScreen, LeaveFullScreen, HangUp, Statistics,
    TheyMuted, TheyCameraOff, TheirScreen, MuteHere, UnmuteHere, HideHere, ShowHere, MutedHere, HiddenHere, SelfView, SelfViewBig,
    YouAreMuted, SpeakingMuted, Speaking, YouSpeak, NoCameraChosen, NoMicrophoneChosen, YourCameraIsOff, CallTime, PeopleInCall, InCall,
    // The bar and the menus of the call
    ChooseMicrophone, ChooseCamera, MediaSettings, MoreInCall, Volume, VolumeOf, UnmuteKeys, HeardWhileHeld, KeyTalk,
    HideSelfView, ShowSelfView, SizeSmall, SizeMedium, SizeLarge, PicturesOfOthers, FitAutomatic, FitFill, FitWhole,
    // The small window of a call
    SmallWindow, SmallWindowTitle, SmallWindowWhile, SmallWindowDetail, InSmallWindow, BackToCall, CloseSmallWindow,
    // The end of a call
    CallBack, CallEnded, LengthSeconds, LengthMinutes, LengthHours,
    // Statistics
    Sent, Received, StatCamera, StatScreen, StatSize, StatRate, StatBits, StatAsked, StatPath, StatLost, StatLoss, StatRoundTrip, StatJitter,
    StatDelay, StatLatency, StatFrozen, StatConcealed, StatCodec, StatRoute, RouteDirect, RouteRelay, NothingYet,
    FramesASecond, KilobitsASecond, Milliseconds, Percent, OnePacket, Packets, CurveAsked, CurveSentLoss,
    CurveReceivedLoss, LastMinute, QualityMeasuring, QualityGood, QualityUnstable, QualityPoor, CopyReport,
    CopyReportDetail, ReportPerson, ReportColumns,
    // Settings: appearance
    ContrastLabel, ContrastStandard, ContrastHigh, MotionLabel, MotionFull, MotionReduced,
    // Settings: text size and keys
    TextSizeLabel, TextSizeSystem, KeysInCall, KeysAnywhere, KeySearch, KeyTextLarger, KeyTextSmaller, KeyTextUsual, Lists,
    // Settings
    SectionVideo, SectionSound, SectionPrivacy, SectionLook, SectionKeys, Resolution, CameraGives, CameraGivesOther, PresetAbove,
    CameraClosed, FrameRate, BitRate, BitRateAuto, BitRateChoice, FrameRateChoice, Camera, Microphone, Speaker,
    SystemDefault, TestCard, Tone, NoDevice, FileChoice, NotPluggedIn, Level, TestSpeaker, EchoCancellation,
    EchoCancellationDetail, NoiseSuppression, NoiseSuppressionDetail, AutomaticGain, AutomaticGainDetail, Mirror, MirrorDetail,
    StrangersMayRing, StrangersDetail, MakeInvitation, CopyInvitation, InvitationDetail, LanguageLabel, LanguageSystem, LanguageEnglish, LanguageChinese, ThemeLabel,
    ThemeSystem, ThemeLight, ThemeDark, KeyMute, KeyCamera, KeyFullScreen, KeyLeaveFullScreen, KeyHangUp,
    KeyStatistics, KeyAnswer, KeyDecline, RefreshDevices, Version,
    // Settings: servers
    SectionServers, ServersDetail, ServerField, ServerHint, AddServer, BadServer, ServerConnecting, ServerOnline,
    ServerUnknownName, ServerNoAnswer, ServerOtherKey, ServerOtherName, ServerExpired, ServerUntrusted, ServerNoServer, ServerOtherVersion, ServerRefused, ServerLost,
    ServerClocksDiffer, ServerNoTls, ServerProxy, ServerProxySetting, ServerOffered, UseServer,
    RelayLabel, RelayAuto, RelayAlways, RelayNever, RelayDetail,
    // How calls end: headings
    EndDeclined, EndBusy, EndNoAnswer, EndCanceled, EndMissed, EndDeclinedHere, EndUnreachable, EndLeft, EndHungUp,
    EndFailed, EndLost, EndNeedsNewerHere, EndNeedsNewerThere,
    // How calls end: what it means
    EndDeclinedDetail, EndBusyDetail, EndNoAnswerDetail, EndCanceledDetail, EndMissedDetail, EndDeclinedHereDetail,
    EndUnreachableDetail, EndLeftDetail, EndHungUpDetail, EndFailedDetail, EndLostDetail,
    EndNeedsNewerHereDetail, EndNeedsNewerThereDetail,
    // How calls end: for the history
    BriefDeclined, BriefBusy, BriefNoAnswer, BriefCanceled, BriefMissed, BriefDeclinedHere, BriefUnreachable,
    BriefEnded, BriefFailed, BriefLost, BriefNeedsNewer,
    // Notices
    Dismiss, ContactAdded, BadLink, OwnLink, CameraBack, MicrophoneBack, SpeakerBack,
    MicrophoneFallback, SpeakerFallback, AllMissing, CameraMicrophoneMissing, CameraSpeakerMissing, SoundMissing,
    // Devices at fault
    CameraNotFound, MicrophoneNotFound, SpeakerNotFound,
    CameraMissing, CameraBusy, CameraForbidden, CameraUnplugged, CameraStalled,
    MicrophoneSilent, MicrophoneMissing, MicrophoneBusy, MicrophoneForbidden, MicrophoneUnplugged, MicrophoneStalled,
    SpeakerMissing, SpeakerBusy, SpeakerForbidden, SpeakerUnplugged, SpeakerStalled,
    // The store and the network at fault
    StoreFull, StoreNotWritable, StoreDiskFailed, StoreShared, StoreNewer, StoreDamaged, StoreEmptied, StoreNotAFile,
    StoreBusy, StoreFailed, NoNetwork, PortTaken, PortTakenInPart, ClocksDiffer,
    // The telephone: calls beside a call, closing, the tray, being reached
    WaitingCall, WaitingAnswer, WaitingAnswerEcho, WaitingIgnore, CloseTitle, CloseDetail, CloseQuit,
    CloseToTray, CloseKeep, TrayOpen, TrayDoNotDisturb, TrayMicrophone, TrayCamera, TrayHangUp, TrayQuit,
    TrayMissed, Reachable, KeepRunning, KeepRunningDetail, KeepRunningNoTray, Autostart, AutostartDetail, DoNotDisturb,
    DoNotDisturbDetail, QuietHours, QuietHoursDetail, QuietFrom, QuietUntil, RingSpeaker, RingSpeakerSame, RingVolume,
    // The telephone: keys of a second call, why nothing rings, Echo's card
    WaitingKeys, KeyWaitingAnswer, KeyWaitingDecline, QuietNow, QuietNowUntil, QuietTurnOff, EchoDetail,
    // Keys outside of the window
    MediaKeys, MediaKeysDetail, MediaPlayerRings, TalkKey, TalkKeyOff, TalkKeyDetail,
    // Why the program does not start
    ProfileNoHome, ProfileNotWritable, ProfileFull, ProfileNotAFile, ProfileInUse,
    IdentityFull, IdentityForbidden, IdentityNotAFile, IdentityFailed, IdentityDamaged, IdentityNoRandom,
}

/// The heading about a call's end.
pub(super) const fn outcome_title(kind: OutcomeKind) -> Text {
    match kind {
        OutcomeKind::Declined => Text::EndDeclined,
        OutcomeKind::Busy => Text::EndBusy,
        OutcomeKind::NoAnswer => Text::EndNoAnswer,
        OutcomeKind::Canceled => Text::EndCanceled,
        OutcomeKind::Missed => Text::EndMissed,
        OutcomeKind::DeclinedHere => Text::EndDeclinedHere,
        OutcomeKind::Unreachable => Text::EndUnreachable,
        OutcomeKind::Ended(DisconnectReason::Left) => Text::EndLeft,
        OutcomeKind::Ended(DisconnectReason::HungUp) => Text::EndHungUp,
        OutcomeKind::Ended(DisconnectReason::Failed) => Text::EndFailed,
        OutcomeKind::Ended(DisconnectReason::Lost) => Text::EndLost,
        OutcomeKind::NeedsNewerHere => Text::EndNeedsNewerHere,
        OutcomeKind::NeedsNewerThere => Text::EndNeedsNewerThere,
    }
}

/// The sentence about a call's end.
pub(super) const fn outcome_detail(kind: OutcomeKind) -> Text {
    match kind {
        OutcomeKind::Declined => Text::EndDeclinedDetail,
        OutcomeKind::Busy => Text::EndBusyDetail,
        OutcomeKind::NoAnswer => Text::EndNoAnswerDetail,
        OutcomeKind::Canceled => Text::EndCanceledDetail,
        OutcomeKind::Missed => Text::EndMissedDetail,
        OutcomeKind::DeclinedHere => Text::EndDeclinedHereDetail,
        OutcomeKind::Unreachable => Text::EndUnreachableDetail,
        OutcomeKind::Ended(DisconnectReason::Left) => Text::EndLeftDetail,
        OutcomeKind::Ended(DisconnectReason::HungUp) => Text::EndHungUpDetail,
        OutcomeKind::Ended(DisconnectReason::Failed) => Text::EndFailedDetail,
        OutcomeKind::Ended(DisconnectReason::Lost) => Text::EndLostDetail,
        OutcomeKind::NeedsNewerHere => Text::EndNeedsNewerHereDetail,
        OutcomeKind::NeedsNewerThere => Text::EndNeedsNewerThereDetail,
    }
}

/// The words of the history about a call's end.
pub(super) const fn outcome_brief(kind: OutcomeKind) -> Text {
    match kind {
        OutcomeKind::Declined => Text::BriefDeclined,
        OutcomeKind::Busy => Text::BriefBusy,
        OutcomeKind::NoAnswer => Text::BriefNoAnswer,
        OutcomeKind::Canceled => Text::BriefCanceled,
        OutcomeKind::Missed => Text::BriefMissed,
        OutcomeKind::DeclinedHere => Text::BriefDeclinedHere,
        OutcomeKind::Unreachable => Text::BriefUnreachable,
        OutcomeKind::Ended(DisconnectReason::Left | DisconnectReason::HungUp) => Text::BriefEnded,
        OutcomeKind::Ended(DisconnectReason::Failed) => Text::BriefFailed,
        OutcomeKind::Ended(DisconnectReason::Lost) => Text::BriefLost,
        OutcomeKind::NeedsNewerHere | OutcomeKind::NeedsNewerThere => Text::BriefNeedsNewer,
    }
}

impl Text {
    /// The sentence about a device of which none is there.
    pub const fn device_missing(device: DeviceKind) -> Self {
        match device {
            DeviceKind::Camera => Self::CameraMissing,
            DeviceKind::Microphone => Self::MicrophoneMissing,
            DeviceKind::Speaker => Self::SpeakerMissing,
        }
    }

    /// The sentence about a device that another program holds.
    pub const fn device_busy(device: DeviceKind) -> Self {
        match device {
            DeviceKind::Camera => Self::CameraBusy,
            DeviceKind::Microphone => Self::MicrophoneBusy,
            DeviceKind::Speaker => Self::SpeakerBusy,
        }
    }

    /// The sentence about a device that the system keeps from Visavis.
    pub const fn device_forbidden(device: DeviceKind) -> Self {
        match device {
            DeviceKind::Camera => Self::CameraForbidden,
            DeviceKind::Microphone => Self::MicrophoneForbidden,
            DeviceKind::Speaker => Self::SpeakerForbidden,
        }
    }

    /// The sentence about a device that was unplugged while in use.
    pub const fn device_unplugged(device: DeviceKind) -> Self {
        match device {
            DeviceKind::Camera => Self::CameraUnplugged,
            DeviceKind::Microphone => Self::MicrophoneUnplugged,
            DeviceKind::Speaker => Self::SpeakerUnplugged,
        }
    }

    /// The sentence about a device that is open and gives nothing.
    pub const fn device_stalled(device: DeviceKind) -> Self {
        match device {
            DeviceKind::Camera => Self::CameraStalled,
            DeviceKind::Microphone => Self::MicrophoneStalled,
            DeviceKind::Speaker => Self::SpeakerStalled,
        }
    }

    /// The sentence about a device that was chosen by a name and is not there.
    pub const fn device_not_found(device: DeviceKind) -> Self {
        match device {
            DeviceKind::Camera => Self::CameraNotFound,
            DeviceKind::Microphone => Self::MicrophoneNotFound,
            DeviceKind::Speaker => Self::SpeakerNotFound,
        }
    }

    /// The sentence about a chosen device that is gone and the one in its place. (Nothing stands in for a camera.)
    pub const fn device_fallback(device: DeviceKind) -> Self {
        match device {
            DeviceKind::Microphone | DeviceKind::Camera => Self::MicrophoneFallback,
            DeviceKind::Speaker => Self::SpeakerFallback,
        }
    }

    /// The sentence about several kinds of device of which none is plugged in.
    pub const fn devices_missing(camera: bool, microphone: bool, speaker: bool) -> Self {
        match (camera, microphone, speaker) {
            (true, true, false) => Self::CameraMicrophoneMissing,
            (true, false, true) => Self::CameraSpeakerMissing,
            (false, true, true) => Self::SoundMissing,
            _ => Self::AllMissing,
        }
    }

    /// The sentence about data that could not be saved or read.
    pub const fn store_fault(fault: StoreFault) -> Self {
        match fault {
            StoreFault::DiskFull => Self::StoreFull,
            StoreFault::NotWritable => Self::StoreNotWritable,
            StoreFault::DiskFailed => Self::StoreDiskFailed,
            StoreFault::OthersCanWrite => Self::StoreShared,
            StoreFault::MadeByNewerVersion => Self::StoreNewer,
            StoreFault::Damaged => Self::StoreDamaged,
            StoreFault::Emptied => Self::StoreEmptied,
            StoreFault::NotAFile => Self::StoreNotAFile,
            StoreFault::Busy => Self::StoreBusy,
            StoreFault::Other => Self::StoreFailed,
        }
    }

    /// Sentence about a device that works again.
    pub const fn device_back(device: DeviceKind) -> Self {
        match device {
            DeviceKind::Camera => Self::CameraBack,
            DeviceKind::Microphone => Self::MicrophoneBack,
            DeviceKind::Speaker => Self::SpeakerBack,
        }
    }
}
