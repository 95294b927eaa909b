//! Bidirectional text in visual order (Unicode UAX 9): egui lays runs out from left to right only. Each run is a
//! section of its own, in which egui shapes letters in their own direction.
//!
//! The sentences around a name go from left to right in every language of the catalogue; a text without any letter of
//! that direction goes the other way as a whole.

use std::sync::Arc;

use eframe::egui::text::{LayoutJob, TextFormat, TextWrapping};
use eframe::egui::{self, Color32, Galley, Label, Response, Role, Ui, WidgetInfo};
use unicode_bidi::{BidiClass, BidiInfo, Level, bidi_class};

use super::theme::Type;

/// Whether there is anything to do.
fn has_right_to_left(text: &str) -> bool {
    // Most text is Latin: nothing below these has that direction.
    text.chars().any(|char| char >= '\u{590}' && is_right_to_left(char))
}

fn is_right_to_left(char: char) -> bool {
    matches!(bidi_class(char), BidiClass::R | BidiClass::AL)
}

/// The parts of one line, in the order in which they are seen. Letters from right to left are a part by themselves,
/// apart from spaces and marks, which another font may draw.
fn seen(line: &str) -> Vec<String> {
    let base = if line.chars().any(|char| bidi_class(char) == BidiClass::L) { Level::ltr() } else { Level::rtl() };
    let bidi = BidiInfo::new(line, Some(base));
    let Some(paragraph) = bidi.paragraphs.first() else { return Vec::new() };
    let (levels, runs) = bidi.visual_runs(paragraph, paragraph.range.clone());
    let mut parts = Vec::new();
    for run in runs {
        let is_reversed = levels.get(run.start).is_some_and(|level| level.is_rtl());
        let text = line.get(run).unwrap_or_default();
        if is_reversed {
            parts.extend(reversed(text));
        } else {
            parts.push(text.to_owned());
        }
    }
    parts
}

/// The parts of a run from right to left, the last one first.
fn reversed(run: &str) -> Vec<String> {
    let mut parts: Vec<(bool, String)> = Vec::new();
    for char in run.chars() {
        let continues = matches!(bidi_class(char), BidiClass::NSM | BidiClass::BN);
        let letters = is_right_to_left(char);
        match parts.last_mut() {
            Some((_, part)) if continues => part.push(char),
            Some((true, part)) if letters => part.push(char),
            _ => parts.push((letters, mirrored(char).to_string())),
        }
    }
    parts.into_iter().rev().map(|(_, part)| part).collect()
}

/// A bracket as it looks in text from right to left.
const fn mirrored(char: char) -> char {
    match char {
        '(' => ')',
        ')' => '(',
        '[' => ']',
        ']' => '[',
        '{' => '}',
        '}' => '{',
        '<' => '>',
        '>' => '<',
        '«' => '»',
        '»' => '«',
        other => other,
    }
}

fn append(job: &mut LayoutJob, line: &str, format: &TextFormat) {
    for part in seen(line) {
        // Space of next to nothing: sections without any would be joined, and shaped as one.
        job.append(&part, f32::MIN_POSITIVE, format.clone());
    }
}

/// `text` on one line, cut with an ellipsis where `room` (points) ends.
pub fn one_line(ui: &Ui, text: &str, kind: Type, color: Color32, room: f32) -> Arc<Galley> {
    let room = room.max(1.0);
    let format = TextFormat::simple(kind.font(), color);
    if !has_right_to_left(text) {
        let mut job = LayoutJob::simple_singleline(text.to_owned(), kind.font(), color);
        job.wrap = TextWrapping::truncate_at_width(room);
        return ui.painter().layout_job(job);
    }
    let line = |text: &str| {
        let mut job = LayoutJob { break_on_newline: false, ..LayoutJob::default() };
        append(&mut job, text, &format);
        ui.painter().layout_job(job)
    };
    let whole = line(text);
    if whole.size().x <= room {
        return whole;
    }
    // The part cut off is the end of the text, wherever that is seen.
    let ends: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
    let cut = |chars: usize| {
        let end = ends.get(chars).copied().unwrap_or_default();
        line(&format!("{}…", text.get(..end).unwrap_or_default().trim_end()))
    };
    let fits = ends.partition_point(|&end| {
        let chars = text.get(..end).map_or(0, |kept| kept.chars().count());
        cut(chars).size().x <= room
    });
    cut(fits.saturating_sub(1))
}

/// `text` wrapped at `room` points.
pub fn wrapped(ui: &Ui, text: &str, kind: Type, color: Color32, room: f32) -> Arc<Galley> {
    let room = room.max(1.0);
    if !has_right_to_left(text) {
        return ui.painter().layout(text.to_owned(), kind.font(), color, room);
    }
    let format = TextFormat::simple(kind.font(), color);
    let fits = |line: &str| {
        let mut job = LayoutJob::default();
        append(&mut job, line, &format);
        ui.painter().layout_job(job).size().x <= room
    };
    let mut job = LayoutJob { wrap: TextWrapping::no_max_width(), ..LayoutJob::default() };
    for (number, line) in broken(text, fits).iter().enumerate() {
        if number > 0 {
            job.append("\n", 0.0, format.clone());
        }
        append(&mut job, line, &format);
    }
    ui.painter().layout_job(job)
}

/// The lines of `text` in the order of reading, each as long as `fits` allows: broken at spaces, and within a word that
/// is too long for any line.
fn broken(text: &str, fits: impl Fn(&str) -> bool) -> Vec<String> {
    let mut lines = Vec::new();
    for paragraph in text.split('\n') {
        let mut line = String::new();
        for word in paragraph.split_inclusive(' ') {
            if !line.is_empty() && !fits(format!("{line}{word}").trim_end()) {
                lines.push(std::mem::take(&mut line));
            }
            line.push_str(word);
            while !fits(line.trim_end()) && line.chars().count() > 1 {
                let ends: Vec<usize> = line.char_indices().map(|(at, _)| at).skip(1).collect();
                let whole = ends.partition_point(|&end| line.get(..end).is_some_and(&fits));
                let end = ends.get(whole.saturating_sub(1)).copied().unwrap_or(line.len());
                let rest = line.split_off(end);
                lines.push(std::mem::replace(&mut line, rest));
            }
        }
        lines.push(line);
    }
    lines.iter().map(|line| line.trim_end().to_owned()).collect()
}

/// How a label is fitted into its room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lines {
    /// On one line, cut.
    One,
    /// On as many as it takes.
    Many,
}

/// A label in the room that there is; assistive technology hears it in the order of reading.
pub fn label(ui: &mut Ui, text: &str, kind: Type, color: Color32, lines: Lines) -> Response {
    let room = ui.available_width();
    let galley = match lines {
        Lines::One => one_line(ui, text, kind, color, room),
        Lines::Many => wrapped(ui, text, kind, color, room),
    };
    let is_cut = galley.elided;
    let response = ui.add(Label::new(egui::WidgetText::Galley(galley)));
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, text));
    if is_cut { response.on_hover_text(text) } else { response }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_from_right_to_left_are_seen_the_last_one_first() {
        for (text, parts) in [
            // Two words of a Hebrew and of an Arabic name.
            ("שלום עולם", vec!["עולם", " ", "שלום"]),
            ("محمد علي", vec!["علي", " ", "محمد"]),
            ("דנה בת־אל (לוי)", vec!["(", "לוי", ")", " ", "בת־אל", " ", "דנה"]),
            ("שלום!", vec!["!", "שלום"]),
            // Marks stay on their letters, numbers go from left to right.
            ("שָׁלוֹם עולם", vec!["עולם", " ", "שָׁלוֹם"]),
            ("דירה 12 קומה", vec!["קומה", " ", "12", " ", "דירה"]),
            // Within a sentence from left to right.
            ("Call שלום עולם now", vec!["Call ", "עולם", " ", "שלום", " now"]),
            ("שלום עולם called", vec!["עולם", " ", "שלום", " called"]),
        ] {
            assert_eq!(seen(text), parts, "{text}");
        }
    }

    #[test]
    fn every_other_text_is_left_as_it_is() {
        for text in
            ["Ann Bee", "Ελένη", "小明", "(x) [y] <z>", "🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}", ""]
        {
            assert!(!has_right_to_left(text), "{text}");
        }
        assert_eq!(seen("Ann (Bee) 12").concat(), "Ann (Bee) 12");
    }

    #[test]
    fn a_name_that_is_too_long_loses_its_end() {
        let text = "שלום עולם ".repeat(12);
        let mut kept = String::new();
        // The fonts of the program have no such letters; how wide they are is all the same.
        let mut harness = egui_kittest::Harness::builder().allow_missing_glyphs().build_ui(|ui| {
            let galley = one_line(ui, &text, Type::Body, Color32::WHITE, 120.0);
            assert!(galley.size().x <= 120.0, "{}", galley.size().x);
            kept = galley.text().to_owned();
        });
        harness.run();
        drop(harness);
        assert!(kept.starts_with('…') && kept.trim_end().ends_with("שלום"), "{kept}");
    }

    #[test]
    fn lines_are_broken_in_the_order_of_reading() {
        let at_most = |most: usize| move |line: &str| line.chars().count() <= most;
        let text = "אחת שתים שלוש ארבע";
        assert_eq!(broken(text, at_most(9)), ["אחת שתים", "שלוש ארבע"]);
        assert_eq!(broken(text, at_most(40)), [text]);
        assert_eq!(broken("אבגדהוזחט כל", at_most(4)), ["אבגד", "הוזח", "ט כל"]);
        assert_eq!(broken("אב\nגד", at_most(9)), ["אב", "גד"]);
        assert_eq!(broken("אב", at_most(0)), ["א", "ב"], "whatever the room");
    }

    #[test]
    fn each_line_of_a_long_text_has_its_own_order() {
        let text = "אחת שתים שלוש ארבע חמש שש שבע שמונה תשע עשר";
        let mut shown = String::new();
        let mut harness = egui_kittest::Harness::builder().allow_missing_glyphs().build_ui(|ui| {
            let galley = wrapped(ui, text, Type::Body, Color32::WHITE, 120.0);
            assert!(galley.size().x <= 120.0, "{}", galley.size().x);
            shown = galley.text().to_owned();
        });
        harness.run();
        drop(harness);
        let lines: Vec<&str> = shown.lines().collect();
        assert!(lines.len() > 1 && lines[0].ends_with("אחת"), "the first line begins at its right: {shown}");
        let read: Vec<String> = lines.iter().map(|line| seen(line).concat()).collect();
        assert_eq!(read.join(" "), text, "nothing is lost");
    }
}
