//! Measurements as a table in Markdown.

use super::figures::NetworkFigures;
use super::media_figures::MediaFigures;

/// A column: its heading, and its figure of a call.
pub type Column<T> = (&'static str, fn(&T) -> String);

/// Columns beside those of pictures and sound.
const COLUMNS: [Column<NetworkFigures>; 5] = [
    ("Lines", |row| row.lines.to_string()),
    ("PSNR (dB)", |row| or_dash(row.psnr_db)),
    ("To picture (s)", |row| or_dash(row.seconds_to_picture)),
    ("To 90 % (s)", |row| or_dash(row.seconds_back_to_90_percent)),
    ("Of the capacity (%)", |row| or_dash(row.capacity_used_percent)),
];

/// Columns of pictures and sound.
pub fn media_columns<T: AsRef<MediaFigures>>() -> [Column<T>; 6] {
    [
        ("Frames a second", |row| row.as_ref().fps.to_string()),
        ("Frozen (%)", |row| row.as_ref().frozen_percent.to_string()),
        ("Delay, median (ms)", |row| row.as_ref().latency_ms_p50.to_string()),
        ("Delay, 95 % (ms)", |row| row.as_ref().latency_ms_p95.to_string()),
        ("Sound concealed (%)", |row| row.as_ref().audio_concealed_percent.to_string()),
        ("kbit/s", |row| row.as_ref().kbps.to_string()),
    ]
}

/// The figure, or a dash where there is none.
pub fn or_dash(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

/// One network: our figures, and Chromium's where it was measured.
pub type Row = (NetworkFigures, Option<NetworkFigures>);

/// The rows as a Markdown table; where there are two figures the first one is ours.
pub fn table(rows: &[Row]) -> String {
    let columns = [&media_columns()[..], &COLUMNS].concat();
    of("Network", &columns, |row| if row.link.is_empty() { "clean" } else { &row.link }, rows)
}

/// Rows of ours, and of Chromium's where it was measured, under a `heading` each with its `name`.
pub fn of<T>(heading: &str, columns: &[Column<T>], name: fn(&T) -> &str, rows: &[(T, Option<T>)]) -> String {
    let both = rows.iter().any(|(_, theirs)| theirs.is_some());
    let mut text = if both { "Visavis / Chromium\n\n".to_owned() } else { String::new() };
    text += &format!("| {heading} |");
    for (heading, _) in columns {
        text += &format!(" {heading} |");
    }
    text += &format!("\n|{}\n", "-|".repeat(columns.len() + 1));
    for (ours, theirs) in rows {
        text += &format!("| {} |", name(ours));
        for (_, show) in columns {
            text += &match theirs {
                Some(theirs) => format!(" {} / {} |", show(ours), show(theirs)),
                None => format!(" {} |", show(ours)),
            };
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::figures::tests::figures;
    use super::*;

    #[test]
    fn our_figures_stand_alone_or_beside_chromiums() {
        let ours = figures("visavis", 30.0);
        let alone = table(&[(ours.clone(), None)]);
        assert!(alone.starts_with("| Network | Frames a second |"), "{alone}");
        assert!(
            alone.ends_with("| blackout=20:5 | 30 | 0 | 60 | 60 | 1 | 1500 | 720 | 39 | 0 | 0 | 80 |\n"),
            "{alone}"
        );
        let beside = table(&[(ours, Some(figures("chromium", 20.0)))]);
        assert!(beside.contains("| blackout=20:5 | 30 / 20 | 0 / 0 | 60 / 60 |"), "{beside}");
        assert!(beside.lines().skip(2).all(|line| line.matches('|').count() == 13), "{beside}");
    }
}
