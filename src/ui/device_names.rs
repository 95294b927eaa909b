//! Lists of devices in the settings and in a call, and their names.

use crate::controller::Devices;
use crate::device::{DeviceChoice, DeviceKind};

use super::catalogue::{Text, Words};

/// Names of the devices of a kind that are plugged in.
pub fn plugged(devices: &Devices, kind: DeviceKind) -> Vec<String> {
    match kind {
        DeviceKind::Camera => devices.cameras.iter().map(|camera| camera.name.clone()).collect(),
        DeviceKind::Microphone => devices.microphones.clone(),
        DeviceKind::Speaker => devices.speakers.clone(),
    }
}

/// The devices to choose from, with their names: the system's default, those that are `plugged` in, the `synthetic`
/// ones, and the `chosen` one where it is none of these.
pub fn device_list(
    plugged: &[String],
    synthetic: &[DeviceChoice],
    chosen: Option<&DeviceChoice>,
    words: Words,
) -> Vec<(DeviceChoice, String)> {
    let mut choices = vec![DeviceChoice::SystemDefault];
    choices.extend(plugged.iter().cloned().map(DeviceChoice::Named));
    choices.extend_from_slice(synthetic);
    choices.extend(chosen.filter(|chosen| !choices.contains(chosen)).cloned());
    let named = |choice: DeviceChoice| {
        let name = device_name(&choice, plugged, words);
        (choice, name)
    };
    choices.into_iter().map(named).collect()
}

/// Name of a device in the list.
pub fn device_name(choice: &DeviceChoice, plugged: &[String], words: Words) -> String {
    match choice {
        DeviceChoice::SystemDefault => words.get(Text::SystemDefault).to_owned(),
        DeviceChoice::None => words.get(Text::NoDevice).to_owned(),
        DeviceChoice::TestCard { format: None } => words.get(Text::TestCard).to_owned(),
        DeviceChoice::TestCard { format: Some((width, height, fps)) } => {
            format!("{} {width} × {height} @ {fps}", words.get(Text::TestCard))
        }
        DeviceChoice::Tone { .. } => words.get(Text::Tone).to_owned(),
        DeviceChoice::File(path) => {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            words.with_name(Text::FileChoice, &name)
        }
        DeviceChoice::Named(name) if plugged.contains(name) => name.clone(),
        DeviceChoice::Named(name) => words.with_name(Text::NotPluggedIn, name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Language;

    #[test]
    fn a_device_that_is_gone_is_named_as_such() {
        let words = Words::of(Language::English, "");
        let choice = DeviceChoice::Named("Cam".into());
        assert_eq!(device_name(&choice, &["Cam".into()], words), "Cam");
        assert_eq!(device_name(&choice, &[], words), "Cam (not plugged in)");
    }

    #[test]
    fn the_chosen_device_is_listed_once_and_also_when_it_is_gone() {
        let words = Words::of(Language::English, "");
        let named = |name: &str| DeviceChoice::Named(name.to_owned());
        let plugged = ["Cam".to_owned()];
        let names = |chosen: Option<DeviceChoice>| {
            let list = device_list(&plugged, &[DeviceChoice::None], chosen.as_ref(), words);
            list.into_iter().map(|(_, name)| name).collect::<Vec<_>>()
        };
        let usual = ["System default", "Cam", "None"];
        for chosen in [None, Some(named("Cam")), Some(DeviceChoice::None), Some(DeviceChoice::SystemDefault)] {
            assert_eq!(names(chosen), usual);
        }
        assert_eq!(names(Some(named("Gone"))), [&usual[..], &["Gone (not plugged in)"]].concat());
    }
}
