//! The speaker that is a WAV file: 48 kHz, mono, 16 bit. Written by the playout thread.

use std::fs::{self, File};
use std::io::{BufWriter, ErrorKind, Read, Write};
use std::path::Path;

use hound::{SampleFormat, WavSpec, WavWriter};

use crate::device::DeviceReason;
use crate::media::{CHANNELS, SAMPLE_RATE, open_regular_file};

/// Writes the speaker's sound.
pub(super) struct Recorder {
    writer: WavWriter<BufWriter<File>>,
    unflushed: usize,
    works: bool,
}

impl Recorder {
    /// A WAV file counts its bytes in 32 bits: about 12 hours fit.
    const MAX_SAMPLES: u32 = u32::MAX / 2 - SAMPLE_RATE;

    /// Creates `path`, or overwrites it if it is an earlier recording: a WAV file, or an empty one. Nothing else is
    /// touched, and no link is followed.
    pub(super) fn create(path: &Path) -> Result<Self, DeviceReason> {
        check_path(path)?;
        let spec = WavSpec {
            channels: CHANNELS,
            sample_rate: SAMPLE_RATE,
            bits_per_sample: 16,
            sample_format: SampleFormat::Int,
        };
        let mut options = File::options();
        options.write(true).create(true).truncate(true);
        // Something else may have taken the name since it was looked at.
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, libc::O_NOFOLLOW | libc::O_NONBLOCK);
        let is_new = !path.exists();
        let file = options.open(path).map_err(|error| reason_of_new(&error))?;
        Self::begin(file, spec).inspect_err(|_| {
            if is_new && let Err(error) = fs::remove_file(path) {
                tracing::debug!(%error, "an empty recording stays behind");
            }
        })
    }

    fn begin(file: File, spec: WavSpec) -> Result<Self, DeviceReason> {
        let mut writer = WavWriter::new(BufWriter::new(file), spec).map_err(reason_of)?;
        writer.flush().map_err(reason_of)?;
        Ok(Self { writer, unflushed: 0, works: true })
    }

    /// Goes on with the recording `path`, which could not be written for a while.
    pub(super) fn resume(path: &Path) -> Result<Self, DeviceReason> {
        check_path(path)?;
        let writer = WavWriter::append(path).map_err(reason_of)?;
        if writer.len() > Self::MAX_SAMPLES {
            return Err(DeviceReason::RecordingFull);
        }
        Ok(Self { writer, unflushed: 0, works: false })
    }

    /// True once the disk has taken the recording: one that is full says so only then.
    pub(super) const fn works(&self) -> bool {
        self.works
    }

    /// Appends a frame. Each second the header is brought up to date, so that the file can be played even if this
    /// process is killed.
    pub(super) fn write(&mut self, frame: &[f32]) -> Result<(), DeviceReason> {
        if self.writer.len() > Self::MAX_SAMPLES {
            return Err(DeviceReason::RecordingFull);
        }
        for sample in frame {
            let sample = (sample.clamp(-1.0, 1.0) * f32::from(i16::MAX)) as i16;
            self.writer.write_sample(sample).map_err(reason_of)?;
        }
        self.unflushed += frame.len();
        if self.unflushed >= SAMPLE_RATE as usize {
            self.unflushed = 0;
            self.writer.flush().map_err(reason_of)?;
            self.works = true;
        }
        Ok(())
    }
}

/// Checks that a recording can be written at `path`, for those who want to know beforehand: a new file is made and
/// taken away again, an earlier recording is left as it is.
pub fn check_recording(path: &Path) -> Result<(), DeviceReason> {
    check_path(path)?;
    if path.exists() {
        let opened = File::options().append(true).open(path);
        return opened.map(drop).map_err(|error| DeviceReason::of_file(&error));
    }
    let mut file = File::options().write(true).create_new(true).open(path).map_err(|error| reason_of_new(&error))?;
    let written = file.write_all(&[0; 4096]).and_then(|()| file.sync_data());
    drop(file);
    let removed = fs::remove_file(path);
    written.and(removed).map_err(|error| DeviceReason::of_file(&error))
}

/// The reason why a file cannot be made: it may be missing, but its folder may not.
fn reason_of_new(error: &std::io::Error) -> DeviceReason {
    match error.kind() {
        ErrorKind::NotFound => DeviceReason::FolderMissing,
        _ => DeviceReason::of_file(error),
    }
}

/// Refuses an existing file, unless it is an earlier recording.
fn check_path(path: &Path) -> Result<(), DeviceReason> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(DeviceReason::of_file(&error)),
        Ok(there) if there.is_symlink() => return Err(DeviceReason::LinkedFile),
        Ok(there) if there.is_file() && there.len() == 0 => return Ok(()),
        Ok(_) => {}
    }
    let mut head = Vec::new();
    let read = open_regular_file(path).and_then(|file| file.take(12).read_to_end(&mut head));
    read.map_err(|error| DeviceReason::of_file(&error))?;
    let is_wav =
        head.len() == 12 && (head.starts_with(b"RIFF") || head.starts_with(b"RF64")) && head.ends_with(b"WAVE");
    if is_wav { Ok(()) } else { Err(DeviceReason::FileInTheWay) }
}

fn reason_of(error: hound::Error) -> DeviceReason {
    match error {
        hound::Error::IoError(error) => DeviceReason::of_file(&error),
        error => DeviceReason::System(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::FRAME_SAMPLES;

    fn samples(path: &Path) -> u32 {
        hound::WavReader::open(path).unwrap().duration()
    }

    #[test]
    fn the_file_is_whole_at_every_second_while_it_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("heard.wav");
        let mut recorder = Recorder::create(&path).unwrap();
        assert_eq!(samples(&path), 0);
        for _ in 0..75 {
            recorder.write(&[0.5; FRAME_SAMPLES]).unwrap();
        }
        let mut file = hound::WavReader::open(&path).unwrap();
        assert_eq!(file.duration(), SAMPLE_RATE, "what a killed process leaves");
        assert!(file.samples::<i16>().all(|sample| sample.is_ok_and(|sample| (16_380..=16_390).contains(&sample))));
        drop(recorder);
        assert_eq!(samples(&path), 75 * FRAME_SAMPLES as u32);
    }

    #[test]
    fn a_recording_is_gone_on_with_and_a_new_one_replaces_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("heard.wav");
        let write = |mut recorder: Recorder| (0..10).for_each(|_| recorder.write(&[0.5; FRAME_SAMPLES]).unwrap());
        write(Recorder::create(&path).unwrap());
        let resumed = Recorder::resume(&path).unwrap();
        assert!(!resumed.works(), "the disk may still be full");
        write(resumed);
        let mut file = hound::WavReader::open(&path).unwrap();
        assert_eq!(file.duration(), 20 * FRAME_SAMPLES as u32);
        assert!(file.samples::<i16>().all(|sample| sample.is_ok_and(|sample| (16_380..=16_390).contains(&sample))));
        write(Recorder::create(&path).unwrap());
        assert_eq!(samples(&path), 10 * FRAME_SAMPLES as u32);
    }

    #[test]
    #[cfg(unix)]
    fn what_is_no_recording_is_refused_and_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("letter.wav"), "Dear Zoë,").unwrap();
        fs::write(at("short"), "RIFF").unwrap();
        fs::write(at("empty.wav"), "").unwrap();
        std::os::unix::fs::symlink(at("letter.wav"), at("link.wav")).unwrap();
        std::os::unix::fs::symlink(at("nowhere"), at("loose.wav")).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(at("pipe.wav")).status().unwrap().success());
        for (path, reason) in [
            (at("letter.wav"), DeviceReason::FileInTheWay),
            (at("short"), DeviceReason::FileInTheWay),
            (at("link.wav"), DeviceReason::LinkedFile),
            (at("loose.wav"), DeviceReason::LinkedFile),
            (at("pipe.wav"), DeviceReason::NotAFile),
            ("/dev/null".into(), DeviceReason::NotAFile),
            (folder.path().to_owned(), DeviceReason::Folder),
            (at("none").join("a.wav"), DeviceReason::FolderMissing),
            (at("short").join("a.wav"), DeviceReason::FolderMissing),
        ] {
            assert_eq!(Recorder::create(&path).err(), Some(reason.clone()), "{}", path.display());
            assert_eq!(check_recording(&path), Err(reason), "{}", path.display());
        }
        assert_eq!(fs::read(at("letter.wav")).unwrap(), "Dear Zoë,".as_bytes());
        assert_eq!(check_recording(&at("empty.wav")), Ok(()));
        assert_eq!((check_recording(&at("new.wav")), at("new.wav").exists()), (Ok(()), false));
        assert!(Recorder::create(&at("empty.wav")).is_ok() && Recorder::create(&at("new.wav")).is_ok());
    }
}
