//! Names of devices in the lists of the settings.

use crate::device::DeviceChoice;

use super::catalogue::{Text, Words};

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
}
