//! Pictures for a far side whose decoder takes no more than a level, from its description to the access unit that it is
//! sent.

use serde_json::json;

use super::call::Call;
use crate::call::{AnyDescription, Description};
use crate::codec::{VideoCodec, VideoLevel};
use crate::decoder::video::VideoDecoder;

/// A description as a far side writes it that decodes up to this level.
fn description(level: VideoLevel) -> Description {
    let mut json = serde_json::to_value(AnyDescription::from(Description::for_test())).unwrap();
    json["codecs"][0]["level"] = json!(level.number());
    match serde_json::from_value(json).unwrap() {
        AnyDescription::Known(description) => *description,
        AnyDescription::OtherVersion(version) => panic!("version {version}"),
    }
}

/// Size of the pictures that a camera of 1920x1080 sends to such a far side, and pictures a second.
fn sent(level: VideoLevel) -> ((u32, u32), f64) {
    let mut call = Call::over("rate=20000,queue=200,delay=5", (1920, 1080), 6000);
    call.ends[0].path.state.far.follow(&description(level));
    call.run(4);
    let keyframe = call.ends[1].latest_keyframe.as_ref().unwrap();
    let picture = VideoDecoder::new().decode(keyframe).unwrap().unwrap();
    ((picture.width(), picture.height()), call.seen(1, 1, 4).1)
}

#[test]
fn a_far_side_is_sent_no_larger_and_no_more_pictures_than_the_level_that_it_announced() {
    for (level, expected) in [(30, (768, 432)), (31, (1280, 720)), (40, (1920, 1080))] {
        let level = VideoLevel::from_number(level);
        let (size, fps) = sent(level);
        assert_eq!(size, expected, "{level:?}");
        assert!(VideoCodec::PREFERRED.admits(level, size, fps.floor() as u32) && fps > 25.0, "{fps} at {level:?}");
    }
}
