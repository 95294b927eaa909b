//! Session descriptions that two sides exchange to connect (RFC 3264 with typed fields): no line of SDP (RFC 8866)
//! travels, so that nothing a peer sends can smuggle a line into the engine's. `rtc` turns them into SDP and back.
//!
//! ```text
//! {"version":1,"kind":"offer","generation":0,"ice_ufrag":"..","ice_pwd":"..","fingerprint":"AB:..","setup":"act_pass",
//!  "streams":[{"id":0,"kind":"audio","ssrcs":{"media":11}},
//!             {"id":1,"kind":"camera","ssrcs":{"media":12,"rtx":13,"fec":14}}],
//!  "codecs":[{"codec":"H264","level":40,"packetization":1}],"fec":{"scheme":"visavis-rs8","version":1},"red":true,
//!  "dtls_cookie":"0a1b.."}
//! ```
//!
//! Kinds of streams, codecs and schemes that this version does not know are ignored: both sides know the rest. A
//! description of another version is not read any further (`AnyDescription`).

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Fingerprint, HelloCookie, IcePwd, IceUfrag, Versions};
use crate::codec::{CodecSupport, VideoCodec, VideoLevel};
use crate::media::{MAX_STREAMS, StreamId, StreamKind};

/// Whether a description offers or answers (RFC 3264).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DescriptionKind {
    /// The callee's, made after Answer.
    Offer,
    /// The caller's reply.
    Answer,
}

/// The `a=setup` role of the DTLS handshake (RFC 8842).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DtlsSetup {
    /// Either (offers).
    ActPass,
    /// Client.
    Active,
    /// Server.
    Passive,
}

/// SSRCs of one stream (RFC 3550, 3): of its media, its RTX and its FEC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct StreamSsrcs {
    /// SSRC of the media.
    pub media: u32,
    /// SSRC of the retransmissions (RTX, RFC 4588); pictures have them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rtx: Option<u32>,
    /// SSRC of the forward error correction (FEC).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fec: Option<u32>,
}

impl StreamSsrcs {
    /// Each of them.
    pub fn iter(self) -> impl Iterator<Item = u32> {
        [Some(self.media), self.rtx, self.fec].into_iter().flatten()
    }
}

/// One stream that a side can send, and takes from the other side under the same identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct DescribedStream {
    /// Which stream; it stands for one media section.
    pub id: StreamId,
    /// Its source.
    pub kind: StreamKind,
    /// Its SSRCs.
    pub ssrcs: StreamSsrcs,
}

/// Format of the forward error correction: systematic Reed-Solomon over GF(256), a block a frame, in a stream of its
/// own (`rtc/repair/fec`). Its packets are not those of FlexFEC (RFC 8627).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FecScheme {
    /// `visavis-rs8`, version 1.
    Rs8,
}

impl FecScheme {
    const NAME: &str = "visavis-rs8";
    const VERSION: u32 = 1;
}

/// One side of a peer connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// Offer or answer.
    pub kind: DescriptionKind,
    /// 0 for the description that connects, one more for each ICE restart (RFC 8445, 9); an answer has its offer's.
    pub generation: u32,
    /// User name fragment of ICE.
    pub ice_ufrag: IceUfrag,
    /// Password of ICE.
    pub ice_pwd: IcePwd,
    /// Fingerprint of the DTLS certificate.
    pub fingerprint: Fingerprint,
    /// DTLS role.
    pub setup: DtlsSetup,
    /// Streams, in the order of the offer's media sections; at most [`MAX_STREAMS`], of different identifiers and
    /// SSRCs.
    pub streams: Vec<DescribedStream>,
    /// Video codecs that are decoded, the preferred one first.
    pub codecs: Vec<CodecSupport>,
    /// Forward error correction that is understood.
    pub fec: Option<FecScheme>,
    /// Redundant sound (RED, RFC 2198) is understood.
    pub red: bool,
    /// Cookie of this side should it be the DTLS server, which saves asking for it; of the description that connects.
    pub dtls_cookie: Option<HelloCookie>,
}

impl Description {
    /// Version of the descriptions that this program writes, and of those that it reads.
    pub const VERSION: u16 = 1;
    /// The same as a range, as invites carry it.
    pub const VERSIONS: Versions = Versions { min: Self::VERSION, max: Self::VERSION };

    /// SSRCs of everything that this side sends.
    pub fn ssrcs(&self) -> impl Iterator<Item = u32> + '_ {
        self.streams.iter().flat_map(|stream| stream.ssrcs.iter())
    }

    /// The stream of this identifier.
    pub fn stream(&self, id: StreamId) -> Option<&DescribedStream> {
        self.streams.iter().find(|stream| stream.id == id)
    }

    /// The codec in which this side is sent pictures: of those that it decodes, the one that this version prefers.
    pub fn video_codec(&self) -> Option<CodecSupport> {
        VideoCodec::ALL.into_iter().find_map(|codec| self.codecs.iter().find(|support| support.codec == codec).copied())
    }
}

/// A description, or the version of one that is not understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AnyDescription {
    /// A description of this program's version.
    Known(Box<Description>),
    /// A description of another version.
    OtherVersion(u16),
}

impl From<Description> for AnyDescription {
    fn from(description: Description) -> Self {
        Self::Known(Box::new(description))
    }
}

/// A description whose fields do not fit together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the description's {0} is not usable")]
pub struct BadDescription(&'static str);

/// A description as JSON.
#[derive(Serialize, Deserialize)]
struct WireDescription {
    version: u16,
    kind: DescriptionKind,
    #[serde(default)]
    generation: u32,
    ice_ufrag: IceUfrag,
    ice_pwd: IcePwd,
    fingerprint: Fingerprint,
    setup: DtlsSetup,
    streams: Vec<WireStream>,
    #[serde(default)]
    codecs: Vec<WireCodec>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fec: Option<WireFec>,
    #[serde(default)]
    red: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    dtls_cookie: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct WireStream {
    id: StreamId,
    kind: String,
    ssrcs: StreamSsrcs,
}

#[derive(Serialize, Deserialize)]
struct WireCodec {
    codec: String,
    level: VideoLevel,
    packetization: u8,
}

#[derive(Serialize, Deserialize)]
struct WireFec {
    scheme: String,
    version: u32,
}

impl TryFrom<WireDescription> for Description {
    type Error = BadDescription;

    fn try_from(wire: WireDescription) -> Result<Self, BadDescription> {
        if wire.version != Self::VERSION {
            return Err(BadDescription("version"));
        }
        let fec = wire.fec.filter(|fec| fec.scheme == FecScheme::NAME && fec.version == FecScheme::VERSION);
        let fec = fec.map(|_| FecScheme::Rs8);
        check_identities(&wire.streams)?;
        let known = wire.streams.into_iter().filter_map(|WireStream { id, kind, ssrcs }| {
            let kind = StreamKind::of_name(&kind)?;
            let repaired = kind.is_video();
            let ssrcs = StreamSsrcs {
                media: ssrcs.media,
                rtx: ssrcs.rtx.filter(|_| repaired),
                fec: ssrcs.fec.filter(|_| repaired && fec.is_some()),
            };
            Some(DescribedStream { id, kind, ssrcs })
        });
        let streams: Vec<_> = known.collect();
        let mut pictures = streams.iter().filter(|stream| stream.kind.is_video()).peekable();
        let has_pictures = pictures.peek().is_some();
        if streams.is_empty() || pictures.any(|stream| stream.ssrcs.rtx.is_none()) {
            return Err(BadDescription("streams"));
        }
        let codecs = known_codecs(&wire.codecs);
        if has_pictures && codecs.is_empty() {
            return Err(BadDescription("codecs"));
        }
        let setup_fits = match wire.kind {
            DescriptionKind::Offer => wire.setup == DtlsSetup::ActPass,
            DescriptionKind::Answer => matches!(wire.setup, DtlsSetup::Active | DtlsSetup::Passive),
        };
        if !setup_fits {
            return Err(BadDescription("setup"));
        }
        let WireDescription { kind, generation, ice_ufrag, ice_pwd, fingerprint, setup, red, dtls_cookie, .. } = wire;
        // A hint: another engine's cookie may be of another form.
        let dtls_cookie = dtls_cookie.and_then(|text| HelloCookie::try_from(text).ok());
        Ok(Self { kind, generation, ice_ufrag, ice_pwd, fingerprint, setup, streams, codecs, fec, red, dtls_cookie })
    }
}

/// Streams are few, and neither an identifier nor an SSRC is used twice.
fn check_identities(streams: &[WireStream]) -> Result<(), BadDescription> {
    if streams.len() > MAX_STREAMS {
        return Err(BadDescription("number of streams"));
    }
    let mut ids: Vec<StreamId> = streams.iter().map(|stream| stream.id).collect();
    let mut ssrcs: Vec<u32> = streams.iter().flat_map(|stream| stream.ssrcs.iter()).collect();
    ids.sort_unstable();
    ssrcs.sort_unstable();
    if ids.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(BadDescription("identifiers"));
    }
    if ssrcs.first() == Some(&0) || ssrcs.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(BadDescription("SSRCs"));
    }
    Ok(())
}

/// The codecs that this version knows, at a level at which it can send, each once.
fn known_codecs(wire: &[WireCodec]) -> Vec<CodecSupport> {
    let mut known: Vec<CodecSupport> = Vec::new();
    for WireCodec { codec, level, packetization } in wire {
        let Some(codec) = VideoCodec::of_name(codec) else { continue };
        let usable = *packetization == codec.packetization() && *level >= codec.least_level();
        if usable && !known.iter().any(|support| support.codec == codec) {
            known.push(CodecSupport { codec, level: *level });
        }
    }
    known
}

impl From<&Description> for WireDescription {
    fn from(description: &Description) -> Self {
        let Description { kind, generation, setup, red, .. } = *description;
        let stream = |one: &DescribedStream| WireStream { id: one.id, kind: one.kind.name().into(), ssrcs: one.ssrcs };
        let codec = |one: &CodecSupport| WireCodec {
            codec: one.codec.name().into(),
            level: one.level,
            packetization: one.codec.packetization(),
        };
        let fec = |FecScheme::Rs8| WireFec { scheme: FecScheme::NAME.into(), version: FecScheme::VERSION };
        Self {
            version: Description::VERSION,
            kind,
            generation,
            ice_ufrag: description.ice_ufrag.clone(),
            ice_pwd: description.ice_pwd.clone(),
            fingerprint: description.fingerprint.clone(),
            setup,
            streams: description.streams.iter().map(stream).collect(),
            codecs: description.codecs.iter().map(codec).collect(),
            fec: description.fec.map(fec),
            red,
            dtls_cookie: description.dtls_cookie.as_ref().map(|cookie| cookie.as_str().to_owned()),
        }
    }
}

/// The version of a description, and everything else in it.
#[derive(Serialize, Deserialize)]
struct Versioned {
    version: u16,
    #[serde(flatten)]
    rest: serde_json::Map<String, serde_json::Value>,
}

impl Serialize for AnyDescription {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Known(description) => WireDescription::from(&**description).serialize(serializer),
            Self::OtherVersion(version) => {
                Versioned { version: *version, rest: serde_json::Map::new() }.serialize(serializer)
            }
        }
    }
}

impl<'de> Deserialize<'de> for AnyDescription {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        let Versioned { version, mut rest } = Versioned::deserialize(deserializer)?;
        if version != Description::VERSION {
            return Ok(Self::OtherVersion(version));
        }
        rest.insert("version".to_owned(), version.into());
        let wire: WireDescription = serde_json::from_value(rest.into()).map_err(D::Error::custom)?;
        Description::try_from(wire).map(Self::from).map_err(D::Error::custom)
    }
}

#[cfg(test)]
impl Description {
    /// An offer of a call's two streams, for tests: SSRCs 1 (audio) and 2 to 4 (camera).
    pub(crate) fn for_test() -> Self {
        let ssrcs = |media, rtx, fec| StreamSsrcs { media, rtx, fec };
        Self {
            kind: DescriptionKind::Offer,
            generation: 0,
            ice_ufrag: "abcd+/12".try_into().unwrap(),
            ice_pwd: "0123456789abcdefghijkl".try_into().unwrap(),
            fingerprint: ["AB"; 32].join(":").try_into().unwrap(),
            setup: DtlsSetup::ActPass,
            streams: vec![
                DescribedStream { id: StreamId::AUDIO, kind: StreamKind::Audio, ssrcs: ssrcs(1, None, None) },
                DescribedStream { id: StreamId::CAMERA, kind: StreamKind::Camera, ssrcs: ssrcs(2, Some(3), Some(4)) },
            ],
            codecs: vec![CodecSupport::own(VideoCodec::PREFERRED)],
            fec: Some(FecScheme::Rs8),
            red: true,
            dtls_cookie: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn written() -> Value {
        serde_json::to_value(AnyDescription::from(Description::for_test())).unwrap()
    }

    /// Reads the description for tests with one change.
    fn read(change: impl FnOnce(&mut Value)) -> Result<Description, String> {
        let mut json = written();
        change(&mut json);
        match serde_json::from_value(json) {
            Ok(AnyDescription::Known(description)) => Ok(*description),
            Ok(AnyDescription::OtherVersion(version)) => Err(format!("version {version}")),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn a_description_is_read_as_it_was_written() {
        assert_eq!(read(|_| {}), Ok(Description::for_test()));
        let cookie = "0a".repeat(20);
        let told = read(|json| json["dtls_cookie"] = json!(cookie)).unwrap();
        assert_eq!(told.dtls_cookie.as_ref().map(HelloCookie::as_str), Some(&*cookie));
        assert_eq!(serde_json::to_value(AnyDescription::from(told)).unwrap()["dtls_cookie"], json!(cookie));
        assert_eq!(read(|json| json["dtls_cookie"] = json!("0a")), Ok(Description::for_test()), "of another engine");
        assert_eq!(written()["fec"], json!({"scheme": "visavis-rs8", "version": 1}));
        assert_eq!(written()["codecs"], json!([{"codec": "H264", "level": 40, "packetization": 1}]));
        assert_eq!(written()["streams"][0], json!({"id": 0, "kind": "audio", "ssrcs": {"media": 1}}));
    }

    #[test]
    fn what_another_version_adds_is_passed_over() {
        let described = read(|json| {
            json["colour"] = json!("wide");
            json["codecs"] = json!([
                {"codec": "AV1", "level": 8, "packetization": 0},
                {"codec": "H264", "level": 52, "packetization": 0},
                {"codec": "H264", "level": 31, "packetization": 1},
            ]);
            json["streams"].as_array_mut().unwrap().push(json!({"id": 7, "kind": "hologram", "ssrcs": {"media": 70}}));
            json["fec"]["version"] = json!(2);
        });
        let described = described.unwrap();
        assert_eq!(described.video_codec(), Some(CodecSupport::default()));
        assert_eq!(described.streams.len(), 2);
        assert_eq!((described.fec, described.streams[1].ssrcs.fec), (None, None), "another scheme is not understood");
        assert_eq!(read(|json| json["fec"]["scheme"] = json!("flexfec")).unwrap().fec, None);
    }

    #[test]
    fn a_description_of_another_version_is_known_by_its_number() {
        for json in [json!({"version": 2}), json!({"version": 900, "streams": "none", "kind": {}})] {
            let version = json["version"].as_u64().unwrap() as u16;
            let read: AnyDescription = serde_json::from_value(json).unwrap();
            assert_eq!(read, AnyDescription::OtherVersion(version));
            let again: AnyDescription = serde_json::from_value(serde_json::to_value(&read).unwrap()).unwrap();
            assert_eq!(again, read);
        }
        assert!(serde_json::from_value::<AnyDescription>(json!({"kind": "offer"})).is_err());
    }

    #[test]
    fn fields_that_do_not_fit_are_refused() {
        type Change = fn(&mut Value);
        let changes: [Change; 15] = [
            |json| json["ice_ufrag"] = json!("abc"),
            |json| json["ice_ufrag"] = json!("abcd\r\na=candidate:1 1 udp 1 192.0.2.1 9 typ host"),
            |json| json["ice_pwd"] = json!("short"),
            |json| json["fingerprint"] = json!(["ab"; 32].join(":")),
            |json| json["setup"] = json!("active"),
            |json| json["kind"] = json!("answer"),
            |json| json["streams"] = json!([]),
            |json| json["streams"][1]["id"] = json!(0),
            |json| json["streams"][1]["ssrcs"]["rtx"] = json!(2),
            |json| json["streams"][1]["ssrcs"]["fec"] = json!(1),
            |json| json["streams"][1]["ssrcs"] = json!({"media": 2}),
            |json| json["streams"][0]["ssrcs"]["media"] = json!(0),
            |json| json["codecs"] = json!([]),
            |json| json["codecs"][0]["level"] = json!(29),
            |json| {
                let stream = |id| json!({"id": id, "kind": "audio", "ssrcs": {"media": id + 10}});
                json["streams"] = (0..9).map(stream).collect();
            },
        ];
        for (number, change) in changes.into_iter().enumerate() {
            assert!(read(change).is_err(), "change {number}");
        }
        assert!(read(|json| json["streams"][1]["ssrcs"] = json!({"media": 2, "rtx": 3})).is_ok(), "one without FEC");
        assert!(
            read(|json| {
                json["streams"].as_array_mut().unwrap().pop();
                json["codecs"] = json!([]);
            })
            .is_ok(),
            "sound alone"
        );
    }
}
