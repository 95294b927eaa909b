//! YUV4MPEG2 files as a camera (`file:PATH.y4m`): the header's parser and the reader of frames, over any `BufRead`; and the
//! writer of such files.
//!
//! A file is somebody else's data: every size is capped before memory is asked for, and nothing here panics.

use std::io::{BufRead, ErrorKind, Read, Write};

use super::convert::MAX_SIDE;
use crate::call::DeviceReason;
use crate::media::VideoFrame;

/// The longest header or frame line that is read, in bytes.
const MAX_LINE: usize = 256;
const SIGNATURE: &str = "YUV4MPEG2";

/// Why a file is no camera.
#[derive(Debug, thiserror::Error)]
pub enum Y4mError {
    /// Reading failed.
    #[error("the file could not be read: {0}")]
    Io(#[from] std::io::Error),
    /// It does not begin with `YUV4MPEG2`.
    #[error("this is no y4m file")]
    NotY4m,
    /// A line without an end, or with bytes that are no text.
    #[error("a header line is damaged")]
    BadLine,
    /// A field of the header that cannot be understood.
    #[error("the header field {0:?} cannot be used")]
    BadField(String),
    /// No width or height, or sizes beyond 4096x4096.
    #[error("the picture size is missing or cannot be used")]
    BadSize,
    /// Other than 8-bit 4:2:0.
    #[error("only 8-bit 4:2:0 files can be played; this one is {0:?}")]
    BadChroma(String),
    /// The file ends within a frame.
    #[error("the file ends in the middle of a picture")]
    Truncated,
    /// A header and no frame after it.
    #[error("there is no picture in the file")]
    Empty,
}

impl From<Y4mError> for DeviceReason {
    fn from(error: Y4mError) -> Self {
        match error {
            Y4mError::Io(error) => Self::of_file(&error),
            Y4mError::NotY4m => Self::NotAFilm,
            Y4mError::BadLine => Self::DamagedHeader,
            Y4mError::BadField(field) => Self::HeaderField(field),
            Y4mError::BadSize => Self::PictureSize,
            Y4mError::BadChroma(format) => Self::PictureFormat(format),
            Y4mError::Truncated | Y4mError::Empty => Self::NoPicture,
        }
    }
}

/// What the header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Y4mHeader {
    /// Width in pixels, 1..=4096.
    pub width: usize,
    /// Height in pixels, 1..=4096.
    pub height: usize,
    /// Frames a second, as a fraction, between 1 and 120.
    pub fps: (u32, u32),
    /// Samples use 0..=255 (`XCOLORRANGE=FULL`).
    pub full_range: bool,
}

impl Y4mHeader {
    /// Bytes in one picture: Y, U and V packed, chroma rounded up.
    pub const fn frame_len(&self) -> usize {
        self.width * self.height + 2 * self.width.div_ceil(2) * self.height.div_ceil(2)
    }

    fn parse(line: &str) -> Result<Self, Y4mError> {
        let mut fields = line.split(' ').filter(|field| !field.is_empty());
        if fields.next() != Some(SIGNATURE) {
            return Err(Y4mError::NotY4m);
        }
        let mut header = Self { width: 0, height: 0, fps: (30, 1), full_range: false };
        for field in fields {
            let bad = || Y4mError::BadField(field.to_owned());
            let Some((tag, value)) = field.split_at_checked(1) else { return Err(bad()) };
            match tag {
                "W" => header.width = value.parse().map_err(|_| bad())?,
                "H" => header.height = value.parse().map_err(|_| bad())?,
                "F" => header.fps = parse_fps(value).ok_or_else(bad)?,
                "C" if !matches!(value, "420" | "420jpeg" | "420mpeg2" | "420paldv") => {
                    return Err(Y4mError::BadChroma(value.to_owned()));
                }
                "X" if value == "COLORRANGE=FULL" => header.full_range = true,
                // Interlacing, pixel shape and what future writers add do not change how the bytes are read.
                _ => {}
            }
        }
        let sides = 1..=MAX_SIDE;
        if sides.contains(&header.width) && sides.contains(&header.height) {
            Ok(header)
        } else {
            Err(Y4mError::BadSize)
        }
    }
}

/// `N:D`; `0:0` stands for unknown and counts as 30.
fn parse_fps(value: &str) -> Option<(u32, u32)> {
    let (numerator, denominator) = value.split_once(':')?;
    let (numerator, denominator): (u32, u32) = (numerator.parse().ok()?, denominator.parse().ok()?);
    if numerator == 0 || denominator == 0 {
        return Some((30, 1));
    }
    (numerator >= denominator && numerator / denominator <= 120).then_some((numerator, denominator))
}

/// Reads the header, then one picture at a time.
#[derive(Debug)]
pub struct Y4mReader<R> {
    input: R,
    header: Y4mHeader,
}

impl<R: BufRead> Y4mReader<R> {
    /// Reads the header.
    pub fn new(mut input: R) -> Result<Self, Y4mError> {
        let line = read_line(&mut input)?.ok_or(Y4mError::NotY4m)?;
        let header = Y4mHeader::parse(&line)?;
        Ok(Self { input, header })
    }

    /// What the header says.
    pub const fn header(&self) -> Y4mHeader {
        self.header
    }

    /// Reads the next picture into `picture`, whose length must be `frame_len()`. False at the end of the file.
    pub fn read_frame(&mut self, picture: &mut [u8]) -> Result<bool, Y4mError> {
        let Some(line) = read_line(&mut self.input)? else { return Ok(false) };
        if line.split(' ').next() != Some("FRAME") {
            return Err(Y4mError::BadLine);
        }
        match self.input.read_exact(picture) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Err(Y4mError::Truncated),
            Err(error) => Err(error.into()),
        }
    }

    /// Gives the reader back, to wind it to its start.
    pub fn into_inner(self) -> R {
        self.input
    }
}

/// Writes the header, then one picture at a time.
#[derive(Debug)]
pub struct Y4mWriter<W> {
    output: W,
}

impl<W: Write> Y4mWriter<W> {
    /// Writes the header of pictures of `size` (even, in pixels), 30 a second.
    pub fn new(mut output: W, (width, height): (u32, u32)) -> std::io::Result<Self> {
        writeln!(output, "{SIGNATURE} W{width} H{height} F30:1 Ip A1:1 C420jpeg")?;
        Ok(Self { output })
    }

    /// Adds a picture, of the header's size.
    pub fn write_frame(&mut self, picture: &VideoFrame) -> std::io::Result<()> {
        self.output.write_all(b"FRAME\n")?;
        self.output.write_all(picture.as_bytes())
    }

    /// Writes out what still waits.
    pub fn finish(mut self) -> std::io::Result<()> {
        self.output.flush()
    }
}

/// One line without its end; `None` at the end of the input.
fn read_line(input: &mut impl BufRead) -> Result<Option<String>, Y4mError> {
    let mut line = Vec::with_capacity(64);
    input.take(MAX_LINE as u64).read_until(b'\n', &mut line)?;
    if line.pop_if(|last| *last == b'\n').is_some() {
        return String::from_utf8(line).map(Some).map_err(|_| Y4mError::BadLine);
    }
    match line.len() {
        0 => Ok(None),
        _ if line.starts_with(SIGNATURE.as_bytes()) || line.starts_with(b"FRAME") => Err(Y4mError::BadLine),
        _ => Err(Y4mError::NotY4m),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn header(line: &str) -> Result<Y4mHeader, Y4mError> {
        Y4mReader::new(line.as_bytes()).map(|reader| reader.header())
    }

    #[test]
    fn what_is_written_is_read_again() {
        let mut picture = VideoFrame::black(64, 36);
        picture.planes_mut().1.fill(7);
        let mut file = Vec::new();
        let mut writer = Y4mWriter::new(&mut file, (64, 36)).unwrap();
        (0..2).for_each(|_| writer.write_frame(&picture).unwrap());
        writer.finish().unwrap();
        let mut reader = Y4mReader::new(file.as_slice()).unwrap();
        let mut read = vec![0; reader.header().frame_len()];
        assert!(reader.read_frame(&mut read).unwrap() && reader.read_frame(&mut read).unwrap());
        assert_eq!((read.as_slice(), reader.read_frame(&mut read.clone()).unwrap()), (picture.as_bytes(), false));
    }

    #[test]
    fn headers_of_common_writers_are_read() {
        assert_eq!(
            header("YUV4MPEG2 W640 H480 F30000:1001 Ip A1:1 C420jpeg XYSCSS=420JPEG XCOLORRANGE=LIMITED\n").unwrap(),
            Y4mHeader { width: 640, height: 480, fps: (30_000, 1001), full_range: false }
        );
        assert_eq!(
            header("YUV4MPEG2 H3 W5 C420mpeg2 F0:0 XCOLORRANGE=FULL\n").unwrap(),
            Y4mHeader { width: 5, height: 3, fps: (30, 1), full_range: true }
        );
    }

    #[test]
    fn bad_headers_are_refused_with_a_reason() {
        for (line, reason) in [
            ("", "this is no y4m file"),
            ("RIFF....\n", "this is no y4m file"),
            ("YUV4MPEG2 W640\n", "the picture size is missing or cannot be used"),
            ("YUV4MPEG2 W5000 H2\n", "the picture size is missing or cannot be used"),
            ("YUV4MPEG2 W0 H2\n", "the picture size is missing or cannot be used"),
            ("YUV4MPEG2 W99999999999999999999 H2\n", "the header field \"W99999999999999999999\" cannot be used"),
            ("YUV4MPEG2 W64 H-2\n", "the header field \"H-2\" cannot be used"),
            ("YUV4MPEG2 W64 H48 F1000:1\n", "the header field \"F1000:1\" cannot be used"),
            ("YUV4MPEG2 W64 H48 é\n", "the header field \"é\" cannot be used"),
            ("YUV4MPEG2 W64 H48 C444\n", "only 8-bit 4:2:0 files can be played; this one is \"444\""),
            ("YUV4MPEG2 W64 H48 C420p10\n", "only 8-bit 4:2:0 files can be played; this one is \"420p10\""),
            ("YUV4MPEG2 W64 H48", "a header line is damaged"),
        ] {
            assert_eq!(header(line).unwrap_err().to_string(), reason, "{line:?}");
        }
        let endless = Y4mReader::new(std::io::BufReader::new(std::io::repeat(b'Y')));
        assert!(matches!(endless, Err(Y4mError::NotY4m)));
    }

    #[test]
    fn frames_are_read_until_the_end_and_a_cut_one_is_an_error() {
        let mut file = b"YUV4MPEG2 W3 H3 F30:1\nFRAME\n".to_vec();
        file.extend(0..17);
        file.extend(b"FRAME Ip\n");
        file.extend(100..117);
        let mut reader = Y4mReader::new(&file[..]).unwrap();
        let mut picture = vec![0; reader.header().frame_len()];
        assert_eq!(picture.len(), 17);
        assert!(reader.read_frame(&mut picture).unwrap());
        assert_eq!(picture[16], 16);
        assert!(reader.read_frame(&mut picture).unwrap());
        assert_eq!(picture[0], 100);
        assert!(!reader.read_frame(&mut picture).unwrap());

        let mut cut = Y4mReader::new(&file[..30]).unwrap();
        assert!(matches!(cut.read_frame(&mut picture), Err(Y4mError::Truncated)));
    }

    proptest! {
        #[test]
        fn no_input_panics_or_takes_more_memory_than_a_picture(
            bytes in proptest::collection::vec(any::<u8>(), 0..400),
            fields in "( [WHFCIAX][0-9:a-zA-Z=]{0,8}){0,8}",
        ) {
            for input in [bytes.clone(), [format!("YUV4MPEG2{fields}\n").as_bytes(), &bytes].concat()] {
                if let Ok(mut reader) = Y4mReader::new(&input[..]) {
                    prop_assert!(reader.header().frame_len() <= 4096 * 4096 * 3 / 2);
                    let mut picture = vec![0; reader.header().frame_len().min(1 << 16)];
                    while matches!(reader.read_frame(&mut picture), Ok(true)) {}
                }
            }
        }
    }
}
