//! YUV4MPEG2 files as a camera (`file:PATH.y4m`): the reader of frames, over any `BufRead`; and the writer of such
//! files.
//!
//! A file is somebody else's data: every size is capped before memory is asked for, and nothing here panics.

mod header;

use std::io::{BufRead, ErrorKind, Read, Seek, SeekFrom, Write};

use header::SIGNATURE;
pub use header::Y4mHeader;

use crate::device::DeviceReason;
use crate::media::VideoFrame;

/// The longest header or frame line that is read, in bytes.
const MAX_LINE: u64 = 16 * 1024;
/// Lines between two pictures at most: the frame's own, empty ones, and headers of films that were joined.
const MAX_LINES: usize = 16;

/// Reads the header, then one picture at a time.
#[derive(Debug)]
pub struct Y4mReader<R> {
    input: R,
    header: Y4mHeader,
    /// Pictures read in this round.
    pictures: u64,
    /// The room that every line is read into.
    line: Vec<u8>,
}

impl<R: BufRead> Y4mReader<R> {
    /// Reads the header.
    pub fn new(mut input: R) -> Result<Self, DeviceReason> {
        let mut line = Vec::new();
        let header = read_header(&mut input, &mut line)?;
        Ok(Self { input, header, pictures: 0, line })
    }

    /// Contents of the header.
    pub const fn header(&self) -> Y4mHeader {
        self.header
    }

    /// Reads the next picture into `picture`, whose length must be `frame_len()`. False at the end of the film, which
    /// is after the last whole picture. Without a whole picture it fails.
    pub fn read_frame(&mut self, picture: &mut [u8]) -> Result<bool, DeviceReason> {
        if self.find_frame()? && self.read_whole(picture)? {
            self.pictures += 1;
            return Ok(true);
        }
        if self.pictures == 0 { Err(DeviceReason::NoPicture) } else { Ok(false) }
    }

    /// Goes to the next picture. A further film of the same form, as joining two files leaves it, goes on.
    fn find_frame(&mut self) -> Result<bool, DeviceReason> {
        for _ in 0..MAX_LINES {
            match read_line(&mut self.input, &mut self.line)? {
                Line::Whole(line) if line == b"FRAME" || line.starts_with(b"FRAME ") => return Ok(true),
                Line::Whole([]) => {}
                Line::Whole(line) if Y4mHeader::parse(line).is_ok_and(|header| header == self.header) => {}
                Line::Whole(_) | Line::Cut(_) => return Ok(false),
            }
        }
        Ok(false)
    }

    /// False where the file ends within the picture.
    fn read_whole(&mut self, picture: &mut [u8]) -> Result<bool, DeviceReason> {
        match self.input.read_exact(picture) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(false),
            Err(error) => Err(DeviceReason::of_file(&error)),
        }
    }
}

impl<R: BufRead + Seek> Y4mReader<R> {
    /// Winds back to the first picture.
    pub fn rewind(&mut self) -> Result<(), DeviceReason> {
        self.input.seek(SeekFrom::Start(0)).map_err(|error| DeviceReason::of_file(&error))?;
        self.pictures = 0;
        if read_header(&mut self.input, &mut self.line)? == self.header { Ok(()) } else { Err(DeviceReason::Changed) }
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

    /// Writes out the buffered bytes.
    pub fn finish(mut self) -> std::io::Result<()> {
        self.output.flush()
    }
}

/// One line of a file.
enum Line<'a> {
    /// Without its end, which is LF or CRLF.
    Whole(&'a [u8]),
    /// The file ends before the line does, or the line is too long.
    Cut(&'a [u8]),
}

/// Reads a line into `line`, replacing its content.
fn read_line<'a>(input: &mut impl BufRead, line: &'a mut Vec<u8>) -> Result<Line<'a>, DeviceReason> {
    line.clear();
    input.take(MAX_LINE).read_until(b'\n', line).map_err(|error| DeviceReason::of_file(&error))?;
    if line.pop_if(|last| *last == b'\n').is_none() {
        return Ok(Line::Cut(line));
    }
    line.pop_if(|last| *last == b'\r');
    Ok(Line::Whole(line))
}

fn read_header(input: &mut impl BufRead, line: &mut Vec<u8>) -> Result<Y4mHeader, DeviceReason> {
    match read_line(input, line)? {
        Line::Whole(line) => Y4mHeader::parse(line),
        Line::Cut(line) if line.starts_with(SIGNATURE.as_bytes()) => Err(DeviceReason::DamagedHeader),
        Line::Cut([]) => Err(DeviceReason::NoPicture),
        Line::Cut(_) => Err(DeviceReason::NotAFilm),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use proptest::prelude::*;

    use super::*;

    const HEADER: &str = "YUV4MPEG2 W4 H2 F30:1 C420jpeg\n";

    /// A picture of 4x2 pixels whose samples are all `value`.
    fn frame(value: u8) -> Vec<u8> {
        [&b"FRAME\n"[..], &[value; 12]].concat()
    }

    /// The first samples of the pictures of `rounds` rounds.
    fn played(file: &[u8], rounds: usize) -> Result<Vec<u8>, DeviceReason> {
        let mut reader = Y4mReader::new(Cursor::new(file))?;
        let mut picture = vec![0; reader.header().frame_len()];
        let mut values = Vec::new();
        for _ in 0..rounds {
            while reader.read_frame(&mut picture)? {
                assert!(picture.iter().all(|sample| *sample == picture[0]));
                values.push(picture[0]);
            }
            reader.rewind()?;
        }
        Ok(values)
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
    fn whatever_follows_the_last_whole_picture_the_film_goes_round() {
        let film = [HEADER.as_bytes(), &frame(1), &frame(2)].concat();
        let other = "YUV4MPEG2 W8 H2 F30:1 C420jpeg\n";
        for (name, tail) in [
            ("nothing", Vec::new()),
            ("a newline", b"\n".to_vec()),
            ("two newlines", b"\r\n\n".to_vec()),
            ("zeros", vec![0; 70]),
            ("many zeros", vec![0; 40_000]),
            ("newlines without end", vec![b'\n'; 10_000]),
            ("text", b"made by hand\n".to_vec()),
            ("a picture that is cut off", frame(3)[..12].to_vec()),
            ("a frame line alone", b"FRAME\n".to_vec()),
            ("half a frame line", b"FRA".to_vec()),
            ("a film of another size", [other.as_bytes(), b"FRAME\n", &[9; 24]].concat()),
            ("a header alone", HEADER.as_bytes().to_vec()),
        ] {
            assert_eq!(played(&[&film[..], &tail].concat(), 2), Ok(vec![1, 2, 1, 2]), "{name}");
        }
    }

    #[test]
    fn films_of_the_same_form_that_were_joined_are_played_through() {
        let film = |value| [HEADER.as_bytes(), &frame(value)].concat();
        assert_eq!(played(&[film(1), film(2), film(3)].concat(), 2), Ok(vec![1, 2, 3, 1, 2, 3]));
        assert_eq!(played(&[film(1), b"\n".to_vec(), film(2)].concat(), 1), Ok(vec![1, 2]), "with a newline between");
    }

    #[test]
    fn long_headers_and_line_ends_of_windows_are_read() {
        let comments = " XCOMMENT=made-by-a-tool".repeat(300);
        let long = HEADER.replace('\n', &format!("{comments}\n"));
        assert_eq!(played(&[long.as_bytes(), &frame(5)].concat(), 1), Ok(vec![5]));
        let windows =
            [HEADER.replace('\n', "\r\n").as_bytes(), b"FRAME\r\n", &[6; 12], b"FRAME Ip\r\n", &[7; 12]].concat();
        assert_eq!(played(&windows, 1), Ok(vec![6, 7]));
        let latin1 = HEADER.replace('\n', " XCOMMENT=caf").into_bytes();
        assert_eq!(played(&[&latin1[..], b"\xe9\n", &frame(8)].concat(), 1), Ok(vec![8]));
    }

    #[test]
    fn what_is_no_film_is_refused_with_its_reason() {
        for (file, reason) in [
            (Vec::new(), DeviceReason::NoPicture),
            (vec![b'Y'; 40_000], DeviceReason::NotAFilm),
            (b"YUV4MPEG2 W4 H2".to_vec(), DeviceReason::DamagedHeader),
            (HEADER.as_bytes().to_vec(), DeviceReason::NoPicture),
            ([HEADER.as_bytes(), &[0; 64]].concat(), DeviceReason::NoPicture),
            ([HEADER.as_bytes(), &frame(1)[..15]].concat(), DeviceReason::NoPicture),
        ] {
            assert_eq!(played(&file, 1), Err(reason));
        }
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
