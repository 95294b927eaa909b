//! H.264 constrained baseline by openh264, picture by picture. Owned by the encoder thread.

use bytes::{BufMut, Bytes, BytesMut};
use openh264::encoder::{
    BitRate, Complexity, EncodedBitStream, Encoder, EncoderConfig, FrameRate, FrameType, IntraFramePeriod, Profile,
    RateControlMode, UsageType,
};
use openh264::formats::YUVSource;
use openh264::{OpenH264API, Timestamp};
use openh264_sys2::{
    ENCODER_OPTION, ENCODER_OPTION_BITRATE, ENCODER_OPTION_FRAME_RATE, ENCODER_OPTION_MAX_BITRATE,
    ENCODER_OPTION_SVC_ENCODE_PARAM_EXT, SBitrateInfo, SEncParamExt, SPATIAL_LAYER_0,
};

use crate::codec::VideoCodec;
use crate::media::{MediaTime, OutgoingPicture, Plane, VideoFrame};

/// Target of the rate control.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rate {
    pub(crate) kbps: u32,
    pub(crate) max_fps: u32,
}

/// The codec, owned by the encoder thread.
#[derive(Default)]
pub(super) struct VideoEncoder {
    codec: Option<Codec>,
    buffer: BytesMut,
}

struct Codec {
    encoder: Encoder,
    width: u32,
    height: u32,
    rate: Rate,
    /// Temporal layers that were asked for. The encoder may have refused them, and makes one.
    layers: u8,
    began_at: MediaTime,
}

impl VideoEncoder {
    /// Encodes one picture in so many temporal layers; `None` when the rate control leaves it out. More layers than
    /// before begin with a keyframe, fewer at the next one.
    pub(super) fn encode(
        &mut self,
        frame: &VideoFrame,
        rate: Rate,
        layers: u8,
        keyframe: bool,
    ) -> Result<Option<OutgoingPicture>, openh264::Error> {
        let fits = |codec: &Codec| {
            let layered = if keyframe { codec.layers == layers } else { codec.layers >= layers };
            layered && (codec.width, codec.height) == (frame.width(), frame.height())
        };
        if let Some(mut codec) = self.codec.take().filter(fits) {
            if codec.rate != rate {
                codec.change_rate(rate);
            }
            if keyframe {
                codec.encoder.force_intra_frame();
            }
            let unit = codec.encode(frame, &mut self.buffer)?;
            self.codec = Some(codec);
            // The rate control may leave out even a keyframe that somebody waits for; a fresh codec does not.
            if unit.is_some() || !keyframe {
                return Ok(unit);
            }
        }
        self.codec.insert(Codec::new(frame, rate, layers, set_layers)?).encode(frame, &mut self.buffer)
    }
}

impl Codec {
    fn new(
        frame: &VideoFrame,
        rate: Rate,
        layers: u8,
        set_layers: impl FnOnce(&mut Encoder, u8) -> bool,
    ) -> Result<Self, openh264::Error> {
        let config = EncoderConfig::new()
            .usage_type(UsageType::CameraVideoRealTime)
            .profile(Profile::Baseline)
            .complexity(Complexity::Low)
            .num_threads(1)
            .max_frame_rate(FrameRate::from_hz(rate.max_fps as f32))
            .bitrate(BitRate::from_bps(rate.kbps * 1000))
            .rate_control_mode(RateControlMode::Bitrate)
            .skip_frames(true)
            .scene_change_detect(false)
            .intra_frame_period(IntraFramePeriod::auto());
        let mut encoder = Encoder::with_api_config(OpenH264API::from_source(), config)?;
        if layers > 1 {
            // The options of the crate leave layers out, and the library takes them only once it has begun.
            encoder.encode_at(&Picture(frame), Timestamp::from_millis(0))?;
            if !set_layers(&mut encoder, layers) {
                tracing::warn!(layers, "the encoder refuses temporal layers");
                // The keyframe above leaves for nobody.
                encoder.force_intra_frame();
            }
        }
        let (width, height) = (frame.width(), frame.height());
        Ok(Self { encoder, width, height, rate, layers, began_at: frame.captured_at })
    }

    fn encode(
        &mut self,
        frame: &VideoFrame,
        buffer: &mut BytesMut,
    ) -> Result<Option<OutgoingPicture>, openh264::Error> {
        let timestamp = Timestamp::from_millis(frame.captured_at.since(self.began_at).as_millis() as u64);
        let stream = self.encoder.encode_at(&Picture(frame), timestamp)?;
        let keyframe = matches!(stream.frame_type(), FrameType::IDR);
        let data = collect(&stream, buffer);
        let (codec, captured_at) = (VideoCodec::H264, frame.captured_at);
        Ok((!data.is_empty()).then_some(OutgoingPicture { codec, data, keyframe, captured_at }))
    }

    /// Sets the rates of bits and of pictures while running, without a keyframe.
    fn change_rate(&mut self, rate: Rate) {
        if rate.max_fps != self.rate.max_fps && !self.set_frame_rate_option(rate.max_fps as f32) {
            tracing::warn!(fps = rate.max_fps, "the encoder refuses a rate of pictures");
        }
        let bits = (rate.kbps * 1000) as i32;
        // A rate above the first one is refused unless the maximum is raised before; one below the present rate is
        // refused as a maximum unless the rate is lowered before.
        let options = if rate.kbps > self.rate.kbps {
            [ENCODER_OPTION_MAX_BITRATE, ENCODER_OPTION_BITRATE]
        } else {
            [ENCODER_OPTION_BITRATE, ENCODER_OPTION_MAX_BITRATE]
        };
        for option in options {
            if !self.set_bit_rate_option(option, bits) {
                tracing::warn!(option, kbps = rate.kbps, "the encoder refuses a bit rate");
            }
        }
        self.rate = rate;
    }

    fn set_frame_rate_option(&mut self, mut fps: f32) -> bool {
        // SAFETY: the encoder is initialised, and the option reads one float, which outlives the call.
        unsafe { self.encoder.raw_api().set_option(ENCODER_OPTION_FRAME_RATE, (&raw mut fps).cast()) == 0 }
    }

    fn set_bit_rate_option(&mut self, option: ENCODER_OPTION, bits: i32) -> bool {
        let mut info = SBitrateInfo { iLayer: SPATIAL_LAYER_0, iBitrate: bits };
        // SAFETY: the encoder is initialised (it has been made by its first picture), and both options read one
        // SBitrateInfo, which outlives the call.
        unsafe { self.encoder.raw_api().set_option(option, (&raw mut info).cast()) == 0 }
    }
}

/// Has the pictures from the next one on, a keyframe, in so many temporal layers; those of the highest one have
/// `nal_ref_idc` 0.
fn set_layers(encoder: &mut Encoder, layers: u8) -> bool {
    let mut parameters = SEncParamExt::default();
    // SAFETY: the encoder is initialised (it has encoded a picture); both calls take one SEncParamExt, which outlives
    // them.
    unsafe {
        let api = encoder.raw_api();
        let read = api.get_option(ENCODER_OPTION_SVC_ENCODE_PARAM_EXT, (&raw mut parameters).cast());
        parameters.iTemporalLayerNum = layers.into();
        read == 0 && api.set_option(ENCODER_OPTION_SVC_ENCODE_PARAM_EXT, (&raw mut parameters).cast()) == 0
    }
}

/// The access unit's NAL units, in memory that is used again once every packet of it has been sent.
fn collect(stream: &EncodedBitStream<'_>, buffer: &mut BytesMut) -> Bytes {
    for layer in (0..stream.num_layers()).filter_map(|index| stream.layer(index)) {
        for unit in (0..layer.nal_count()).filter_map(|index| layer.nal_unit(index)) {
            buffer.put_slice(unit);
        }
    }
    buffer.split().freeze()
}

struct Picture<'a>(&'a VideoFrame);

impl YUVSource for Picture<'_> {
    fn dimensions(&self) -> (usize, usize) {
        (self.0.width() as usize, self.0.height() as usize)
    }

    fn strides(&self) -> (usize, usize, usize) {
        (self.0.stride(Plane::Y), self.0.stride(Plane::U), self.0.stride(Plane::V))
    }

    fn y(&self) -> &[u8] {
        self.0.plane(Plane::Y)
    }

    fn u(&self) -> &[u8] {
        self.0.plane(Plane::U)
    }

    fn v(&self) -> &[u8] {
        self.0.plane(Plane::V)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::ReferenceChain;
    use crate::decoder::video::VideoDecoder;
    use crate::media::ReceivedPicture;

    /// Diagonal bars that move by two pixels a picture.
    fn picture(width: u32, height: u32, number: u64) -> VideoFrame {
        let mut frame = VideoFrame::black(width, height);
        frame.captured_at = MediaTime::from_millis(number * 33);
        let (y, u, _) = frame.planes_mut();
        for (row, line) in y.chunks_exact_mut(width as usize).enumerate() {
            for (column, luma) in line.iter_mut().enumerate() {
                *luma = (16 + (row + column + number as usize * 2) % 64 * 3) as u8;
            }
        }
        u.fill(100);
        frame
    }

    fn bytes_of(encoder: &mut VideoEncoder, numbers: std::ops::Range<u64>, kbps: u32) -> usize {
        numbers
            .filter_map(|number| {
                let mut frame = picture(640, 360, number);
                let mut seed = number as u32 + 1;
                for luma in frame.planes_mut().0 {
                    seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    *luma += (seed >> 27) as u8;
                }
                encoder.encode(&frame, Rate { kbps, max_fps: 30 }, 1, false).unwrap()
            })
            .map(|unit| unit.data.len())
            .sum()
    }

    #[test]
    fn a_keyframe_comes_at_the_start_and_on_request_only() {
        let mut encoder = VideoEncoder::default();
        let rate = Rate { kbps: 600, max_fps: 30 };
        let keyframes: Vec<u64> = (0..90)
            .filter(|&number| {
                let unit = encoder.encode(&picture(640, 360, number), rate, 1, number == 40).unwrap();
                unit.is_some_and(|unit| unit.keyframe)
            })
            .collect();
        assert_eq!(keyframes, [0, 40]);
    }

    #[test]
    fn a_requested_keyframe_is_never_left_out() {
        let mut encoder = VideoEncoder::default();
        bytes_of(&mut encoder, 0..20, 50);
        for number in 20..40 {
            let unit = encoder.encode(&picture(640, 360, number), Rate { kbps: 50, max_fps: 30 }, 1, true).unwrap();
            assert!(unit.is_some_and(|unit| unit.keyframe), "{number}");
        }
    }

    #[test]
    fn a_keyframe_carries_its_parameter_sets_in_constrained_baseline() {
        let mut encoder = VideoEncoder::default();
        let rate = Rate { kbps: 600, max_fps: 30 };
        let unit = encoder.encode(&picture(1280, 720, 0), rate, 1, false).unwrap().unwrap();
        assert_eq!(unit.data[..5], [0, 0, 0, 1, 0x67], "an SPS comes first");
        assert_eq!(
            (unit.data[5], unit.data[6] & 0x40),
            (66, 0x40),
            "profile 66, constraint_set1: constrained baseline"
        );
        assert!(unit.data.windows(5).any(|bytes| bytes == [0, 0, 0, 1, 0x68]));
    }

    #[test]
    fn another_size_begins_with_a_keyframe() {
        let mut encoder = VideoEncoder::default();
        let rate = Rate { kbps: 600, max_fps: 30 };
        assert!(encoder.encode(&picture(640, 360, 0), rate, 1, false).unwrap().is_some_and(|unit| unit.keyframe));
        assert!(encoder.encode(&picture(640, 360, 1), rate, 1, false).unwrap().is_none_or(|unit| !unit.keyframe));
        assert!(encoder.encode(&picture(320, 180, 2), rate, 1, false).unwrap().is_some_and(|unit| unit.keyframe));
    }

    #[test]
    fn of_two_temporal_layers_the_upper_one_is_every_other_picture_and_nothing_needs_it() {
        let (mut encoder, mut decoder) = (VideoEncoder::default(), VideoDecoder::new());
        let (mut chain, rate) = (ReferenceChain::default(), Rate { kbps: 3000, max_fps: 30 });
        let (mut base, mut upper) = (0, 0);
        for number in 0..60 {
            let unit = encoder.encode(&picture(640, 360, number), rate, 2, number == 31).unwrap().unwrap();
            let mut first = None;
            unit.codec.packetize(&unit.data, 1150, &mut |payload| first = first.take().or(Some(payload)));
            assert_eq!(unit.keyframe, number == 0 || number == 31, "{number}");
            assert!(unit.keyframe || unit.codec.follows(&chain, &first.unwrap()), "{number}");
            if unit.is_discardable() {
                upper += 1;
                continue;
            }
            base += 1;
            unit.codec.note_references(&mut chain, &unit.data);
            let OutgoingPicture { codec, data, keyframe, captured_at: arrived_at } = unit;
            let unit = ReceivedPicture { codec, data, keyframe, arrived_at, rtp_timestamp: 0, capture_ntp: None };
            let shown = decoder.decode(&unit).unwrap().unwrap();
            let original = picture(640, 360, number);
            let apart = |(one, other): (&u8, &u8)| u64::from(one.abs_diff(*other));
            let error: u64 = shown.planes().0.iter().zip(original.planes().0).map(apart).sum();
            assert!(error / (640 * 360) < 8, "{number}: {error}");
        }
        assert_eq!((base, upper), (31, 29), "each keyframe begins anew");
    }

    #[test]
    fn layers_are_added_at_once_and_given_up_at_the_next_keyframe() {
        let (mut encoder, rate) = (VideoEncoder::default(), Rate { kbps: 3000, max_fps: 30 });
        let mut encode = |numbers: std::ops::Range<u64>, layers, keyframe| {
            let units: Vec<_> = numbers
                .map(|number| encoder.encode(&picture(640, 360, number), rate, layers, keyframe).unwrap().unwrap())
                .collect();
            let count = |is: fn(&OutgoingPicture) -> bool| units.iter().filter(|unit| is(unit)).count();
            (count(|unit| unit.keyframe), count(OutgoingPicture::is_discardable))
        };
        assert_eq!(encode(0..10, 1, false), (1, 0));
        assert_eq!(encode(10..20, 2, false), (1, 5));
        assert_eq!(encode(20..30, 1, false), (0, 5), "nobody is disturbed for fewer");
        assert_eq!((encode(30..31, 1, true), encode(31..40, 1, false)), ((1, 0), (0, 0)));
    }

    #[test]
    fn an_encoder_that_refuses_layers_begins_with_a_keyframe_and_goes_on_in_one_layer() {
        let rate = Rate { kbps: 3000, max_fps: 30 };
        let codec = Codec::new(&picture(640, 360, 0), rate, 2, |_, _| false).unwrap();
        let mut encoder = VideoEncoder { codec: Some(codec), ..VideoEncoder::default() };
        for number in 0..20 {
            let unit = encoder.encode(&picture(640, 360, number), rate, 2, number == 12).unwrap().unwrap();
            assert_eq!((unit.keyframe, unit.is_discardable()), (number % 12 == 0, false), "{number}");
        }
    }

    #[test]
    fn the_bit_rate_can_be_raised_above_the_first_and_lowered_again_without_a_keyframe() {
        let mut encoder = VideoEncoder::default();
        bytes_of(&mut encoder, 0..60, 150);
        let low = bytes_of(&mut encoder, 60..120, 150);
        bytes_of(&mut encoder, 120..150, 1200);
        let high = bytes_of(&mut encoder, 150..210, 1200);
        bytes_of(&mut encoder, 210..270, 150);
        let low_again = bytes_of(&mut encoder, 270..330, 150);
        assert!(high > low * 2, "{low} -> {high}");
        assert!(low_again * 2 < high, "{high} -> {low_again}");
    }
}
