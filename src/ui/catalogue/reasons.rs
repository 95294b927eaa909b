//! Sentences about a device, or a file that stands for one, which cannot be used: its name, the reason, and the way on.

use std::path::Path;

use crate::call::{DeviceKind, DeviceReason, Remedy};

/// The English sentence; `file` is the file that was chosen as the device, if one was.
pub(super) fn english(device: DeviceKind, reason: &DeviceReason, file: Option<&Path>) -> String {
    let (word, remedy) = (device.word(), reason.remedy().sentence(device));
    match file {
        Some(path) => format!("The file “{}” cannot be the {word}: {reason}. {remedy}", path.display()),
        None => format!("The {word} could not be used: {reason}. {remedy}"),
    }
}

/// The same in Simplified Chinese.
pub(super) fn chinese(device: DeviceKind, reason: &DeviceReason, file: Option<&Path>) -> String {
    let word = match device {
        DeviceKind::Camera => "摄像头",
        DeviceKind::Microphone => "麦克风",
        DeviceKind::Speaker => "扬声器",
    };
    let (why, remedy) = (chinese_reason(reason), chinese_remedy(reason.remedy(), word));
    match file {
        Some(path) => format!("文件“{}”不能用作{word}：{why}。{remedy}", path.display()),
        None => format!("无法使用{word}：{why}。{remedy}"),
    }
}

fn chinese_reason(reason: &DeviceReason) -> String {
    match reason {
        DeviceReason::FileMissing => "文件不存在".to_owned(),
        DeviceReason::FolderMissing => "所在的文件夹不存在".to_owned(),
        DeviceReason::Folder => "这是一个文件夹".to_owned(),
        DeviceReason::NotAFile => "这是管道或设备，不是文件".to_owned(),
        DeviceReason::FileForbidden => "没有访问权限".to_owned(),
        DeviceReason::FileInTheWay => "该文件已存在且不是 WAV 文件，不会被覆盖".to_owned(),
        DeviceReason::NotAFilm => "这不是 YUV4MPEG2（y4m）影片".to_owned(),
        DeviceReason::NotAWav => "这不是 WAV 文件".to_owned(),
        DeviceReason::DamagedHeader => "文件头已损坏".to_owned(),
        DeviceReason::HeaderField(field) => format!("文件头中的“{field}”无法使用"),
        DeviceReason::PictureSize => "画面尺寸缺失，或超过 4096x4096".to_owned(),
        DeviceReason::PictureFormat(format) => format!("画面格式为“{format}”，只能播放 8 位 4:2:0"),
        DeviceReason::NoPicture => "其中没有完整的画面".to_owned(),
        DeviceReason::NoSound => "其中没有声音".to_owned(),
        DeviceReason::SoundFormat(coding) => format!("声音编码为 {coding}，只能播放 PCM、浮点、A-law 和 µ-law"),
        DeviceReason::SampleRate(hertz) => format!("无法使用 {hertz} Hz 的采样率"),
        DeviceReason::Channels(count) => format!("无法使用 {count} 个声道"),
        DeviceReason::Changed => "播放期间文件被更改".to_owned(),
        DeviceReason::DiskFull => "磁盘已满".to_owned(),
        DeviceReason::RecordingFull => "录音已达到 WAV 文件的最大长度".to_owned(),
        DeviceReason::WrongKind => "这是另一种设备".to_owned(),
        DeviceReason::CameraFormats(formats) => format!("它只提供 {formats} 格式的画面，Visavis 无法读取"),
        DeviceReason::DamagedPictures => "它的画面已损坏".to_owned(),
        DeviceReason::System(text) => format!("系统报告“{text}”"),
    }
}

fn chinese_remedy(remedy: Remedy, word: &str) -> String {
    match remedy {
        Remedy::AnotherFile => format!("请选择其他文件，或在设置中选择其他{word}。"),
        Remedy::Permissions => format!("请更改其权限，或在设置中选择其他{word}。"),
        Remedy::MakeFolder => format!("请先创建该文件夹，或在设置中选择其他{word}。"),
        Remedy::FreeSpace => format!("请释放一些空间，或在设置中选择其他{word}。"),
        Remedy::AnotherDevice => format!("请在设置中选择其他{word}。"),
        Remedy::PlugInAgain => format!("请重新连接，或在设置中选择其他{word}。"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_names_the_file_the_reason_and_the_way_on() {
        let file = Some(Path::new("film.y4m"));
        let reason = DeviceReason::PictureFormat("420p10".to_owned());
        assert_eq!(
            english(DeviceKind::Camera, &reason, file),
            "The file “film.y4m” cannot be the camera: its pictures are \"420p10\", and only 8-bit 4:2:0 can be played. \
             Choose another file, or another camera in Settings."
        );
        assert_eq!(
            chinese(DeviceKind::Camera, &reason, file),
            "文件“film.y4m”不能用作摄像头：画面格式为“420p10”，只能播放 8 位 4:2:0。请选择其他文件，或在设置中选择其他摄像头。"
        );
        let full = DeviceReason::DiskFull;
        assert_eq!(
            chinese(DeviceKind::Speaker, &full, None),
            "无法使用扬声器：磁盘已满。请释放一些空间，或在设置中选择其他扬声器。"
        );
    }
}
