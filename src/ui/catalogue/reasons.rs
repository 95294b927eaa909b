//! Sentences with a reason and a remedy: about a device, or a file that stands for one, which cannot be used, and about
//! a picture in which no contact was found.

use std::path::Path;

use crate::device::{DeviceKind, DeviceReason, Remedy};
use crate::identity::PictureError;

/// The English sentence; `file` is the file that was chosen as the device, if one was.
pub(super) fn english(device: DeviceKind, reason: &DeviceReason, file: Option<&Path>) -> String {
    let (word, remedy) = (device.word(), remedy(reason, file).sentence(device));
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
    let (why, remedy) = (chinese_reason(reason), chinese_remedy(remedy(reason, file), word));
    match file {
        Some(path) => format!("文件“{}”不能用作{word}：{why}。{remedy}", path.display()),
        None => format!("无法使用{word}：{why}。{remedy}"),
    }
}

const fn remedy(reason: &DeviceReason, file: Option<&Path>) -> Remedy {
    if file.is_some() { reason.remedy().of_file() } else { reason.remedy() }
}

fn chinese_reason(reason: &DeviceReason) -> String {
    match reason {
        DeviceReason::FileMissing => "文件不存在".to_owned(),
        DeviceReason::FolderMissing => "所在的文件夹不存在".to_owned(),
        DeviceReason::Folder => "这是一个文件夹".to_owned(),
        DeviceReason::NotAFile => "这是管道或设备，不是文件".to_owned(),
        DeviceReason::LinkedFile => "这是指向别处的链接，不会跟随".to_owned(),
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

/// Why no contact was found in a picture, in Simplified Chinese.
pub(super) fn chinese_picture(error: &PictureError) -> String {
    match error {
        PictureError::Missing => "没有这个文件。请选择其他图片。".to_owned(),
        PictureError::Folder => "这是一个文件夹。请选择图片本身。".to_owned(),
        PictureError::NotAFile => "这不是文件。请选择其他图片。".to_owned(),
        PictureError::Forbidden => "没有读取图片的权限。请更改其权限，或选择它的副本。".to_owned(),
        PictureError::Unreadable(text) => format!("无法读取图片：{text}。请用它的副本重试。"),
        PictureError::TooLarge => "图片大于 16 MB。请只截取需要的部分后重试。".to_owned(),
        PictureError::TooManyPixels => "图片的边长超过 8192 像素。请只截取需要的部分后重试。".to_owned(),
        PictureError::OtherFormat(name) => {
            format!("这是 {name} 图片，只能读取 PNG 和 JPEG。请将其另存为 PNG，或截取屏幕。")
        }
        PictureError::NotAPicture => "这不是图片。请选择 PNG 或 JPEG 图片。".to_owned(),
        PictureError::Damaged => "图片已损坏。请选择其他图片，或让对方重新发送。".to_owned(),
        PictureError::NoCode => "图片中未找到二维码。请拍得更大、更清晰，或让对方发送链接。".to_owned(),
        PictureError::OtherCode => {
            "图片中的二维码不是 Visavis 联系人二维码。请让对方发送 Visavis 显示的二维码。".to_owned()
        }
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
