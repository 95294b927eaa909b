//! `visavis bench echo`: echo return loss enhancement in four synthetic rooms, and the damage to the near voice.
//!
//! The far end speaks for 30 s; the person in the room speaks too, from the 20th second on.

use std::io::Write;

use clap::Args;
use serde::Serialize;

use crate::voice_processing::Processing;
use crate::voice_processing::rig::{EchoFigures, Room, measure_room};

use super::figures::round;

/// Options of `bench echo`.
#[derive(Debug, Args)]
pub struct EchoBench {
    /// Print one line of JSON a room
    #[arg(long)]
    json: bool,
}

/// One room with one kind of processing.
#[derive(Debug, Serialize)]
struct RoomFigures {
    room: &'static str,
    processing: &'static str,
    reverberation_ms: u32,
    drift_ppm: f64,
    #[serde(flatten)]
    figures: EchoFigures,
}

const KINDS: [(&str, Processing); 2] = [
    ("echo", Processing { echo_cancellation: true, noise_suppression: false, automatic_gain: false }),
    ("all", Processing::ALL),
];

impl EchoBench {
    /// Runs the measurement and prints it.
    pub fn run(&self) -> anyhow::Result<()> {
        let mut output = crate::cli::output::stdout();
        if !self.json {
            output.write_all(HEAD.as_bytes())?;
        }
        for (name, room) in Room::ALL {
            for (processing, what) in KINDS {
                let row = RoomFigures {
                    room: name,
                    processing,
                    reverberation_ms: room.reverberation_ms,
                    drift_ppm: room.drift_ppm,
                    figures: rounded(measure_room(room, what)),
                };
                let line = if self.json { serde_json::to_string(&row)? } else { table_row(&row) };
                writeln!(output, "{line}")?;
            }
        }
        Ok(())
    }
}

fn rounded(figures: EchoFigures) -> EchoFigures {
    EchoFigures {
        erle_start_db: round(figures.erle_start_db, 1),
        erle_db: round(figures.erle_db, 1),
        near_to_echo_before_db: round(figures.near_to_echo_before_db, 1),
        near_to_rest_after_db: round(figures.near_to_rest_after_db, 1),
        near_kept_db: round(figures.near_kept_db, 1),
        near_correlation: round(figures.near_correlation, 2),
        us_per_10_ms: round(figures.us_per_10_ms, 0),
    }
}

const HEAD: &str = "\
| room | processing | ERLE, 1 to 3 s | ERLE, 10 to 20 s | both speak: near / echo before | near / rest after | near kept | correlation | CPU for 10 ms |
|---|---|---|---|---|---|---|---|---|
";

fn table_row(row: &RoomFigures) -> String {
    let figures = &row.figures;
    format!(
        "| {} | {} | {} dB | {} dB | {} dB | {} dB | {} dB | {} | {} us |",
        row.room,
        row.processing,
        figures.erle_start_db,
        figures.erle_db,
        figures.near_to_echo_before_db,
        figures.near_to_rest_after_db,
        figures.near_kept_db,
        figures.near_correlation,
        figures.us_per_10_ms,
    )
}
