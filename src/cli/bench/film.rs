//! Film in the place of a camera in measurements, written as a y4m file.

use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use clap::Args;

use super::figures::preset_of_size;
use crate::capture::film::{Film, PICTURES};
use crate::capture::y4m::Y4mWriter;
use crate::media::VideoFrame;

/// Options of `bench film`.
#[derive(Debug, Args)]
pub struct FilmBench {
    /// Where to write it (y4m; 207 MB at 1280x720)
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Picture size: one of the presets' sizes
    #[arg(long, default_value = "1280x720")]
    size: String,
}

impl FilmBench {
    /// Writes the film.
    pub fn run(&self) -> anyhow::Result<()> {
        Ok(write(&self.file, preset_of_size(&self.size)?.size())?)
    }
}

/// Writes the film of a size into a file.
pub fn write(file: &Path, (width, height): (u32, u32)) -> std::io::Result<()> {
    let mut writer = Y4mWriter::new(BufWriter::new(File::create(file)?), (width, height))?;
    let film = Film::new(width, height);
    let mut frame = VideoFrame::black(width, height);
    for number in 0..PICTURES {
        film.draw(number, &mut frame);
        writer.write_frame(&frame)?;
    }
    writer.finish()
}
