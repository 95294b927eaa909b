//! Fidelity of pictures: the peak signal-to-noise ratio of their luma against that of the film.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use crate::capture::barcode;
use crate::capture::y4m::Y4mReader;
use crate::media::{Plane, VideoFrame};

/// The first picture of a y4m file; `None` of one that cannot be read, or whose sides are odd.
pub fn read(file: impl BufRead) -> Option<VideoFrame> {
    let mut reader = Y4mReader::new(file).ok()?;
    let mut picture = VideoFrame::black(reader.header().width as u32, reader.header().height as u32);
    next(&mut reader, &mut picture).then_some(picture)
}

/// The ratio of each picture, in dB, against the one of the film that has its number, which may go on counting where
/// the film begins again; those that cannot be read or have another size are left out. The numbers themselves do not
/// count.
pub fn psnr<'a>(film: &Path, shown: impl Iterator<Item = &'a VideoFrame>) -> anyhow::Result<Vec<f64>> {
    let (mut reader, mut original) = open(film)?;
    let mut count = 0;
    while next(&mut reader, &mut original) {
        count += 1;
    }
    (reader, original) = open(film)?;
    let size = |picture: &VideoFrame| (picture.width(), picture.height());
    let numbered = shown.filter(|picture| size(picture) == size(&original));
    let numbered: Vec<_> = numbered.filter_map(|picture| Some((barcode::read(picture)?, picture))).collect();
    let mut ratios = Vec::with_capacity(numbered.len());
    for place in 0..count {
        next(&mut reader, &mut original);
        let same = numbered.iter().filter(|(number, _)| usize::from(*number) % count == place);
        ratios.extend(same.map(|(_, picture)| luma_psnr(picture, &original)));
    }
    Ok(ratios)
}

/// A film at its start, and room for a picture of it.
fn open(film: &Path) -> anyhow::Result<(Y4mReader<BufReader<File>>, VideoFrame)> {
    let reader = Y4mReader::new(BufReader::new(File::open(film)?))?;
    let picture = VideoFrame::black(reader.header().width as u32, reader.header().height as u32);
    Ok((reader, picture))
}

/// Reads the next picture; false when there is none that fits.
fn next(reader: &mut Y4mReader<impl BufRead>, picture: &mut VideoFrame) -> bool {
    let bytes = picture.as_bytes_mut();
    bytes.len() == reader.header().frame_len() && matches!(reader.read_frame(bytes), Ok(true))
}

fn luma_psnr(picture: &VideoFrame, original: &VideoFrame) -> f64 {
    let skipped = barcode::rows(picture.width()) * picture.stride(Plane::Y);
    let pixels = |picture: &VideoFrame| picture.plane(Plane::Y).iter().copied().skip(skipped).collect::<Vec<_>>();
    let (picture, original) = (pixels(picture), pixels(original));
    let squares: f64 = picture.iter().zip(&original).map(|(a, b)| f64::from(a.abs_diff(*b)).powi(2)).sum();
    // Half a step in one pixel stands for none, so that equal pictures have a finite ratio.
    10.0 * (255.0 * 255.0 * picture.len() as f64 / squares.max(0.25)).log10()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::bench::film;

    #[test]
    fn pictures_are_compared_with_their_own_in_the_film() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("film.y4m");
        film::write(&path, (320, 180)).unwrap();
        let (mut reader, _) = open(&path).unwrap();
        let mut shown: Vec<VideoFrame> = Vec::new();
        for _ in 0..3 {
            let mut picture = VideoFrame::black(320, 180);
            assert!(next(&mut reader, &mut picture));
            shown.push(picture);
        }
        barcode::write_time(&mut shown[0], 123_456);
        shown[1].planes_mut().0.iter_mut().skip(barcode::rows(320) * 320).for_each(|pixel| *pixel ^= 2);
        barcode::write(&mut shown[1], 150 + 1);
        shown[2].planes_mut().0[..barcode::rows(320) * 320].fill(0);
        let ratios = psnr(&path, shown.iter().chain([&VideoFrame::black(160, 90)])).unwrap();
        let [same, two_steps] = ratios[..] else { panic!("{ratios:?}: the third cannot be read") };
        assert!(same > 90.0, "the numbers do not count: {same}");
        assert!((two_steps - 20.0 * 127.5_f64.log10()).abs() < 1e-9, "{two_steps}");
    }
}
