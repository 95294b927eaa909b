//! The last minute of a call as small curves, the newest second at the right. The drawing is made once a second, when
//! there is a new second, and kept until then.

use std::sync::Arc;

use eframe::egui::{Color32, CornerRadius, Pos2, Rect, Shape, Stroke, Ui, pos2, vec2};

use crate::controller::CallSample;

use super::super::buttons::{one_line, painted_words};
use super::super::catalogue::{Text, Words};
use super::super::theme::{Palette, Type, space};

/// Seconds from the left edge to the right one.
const SPAN: usize = 60;
const LEGEND: f32 = 17.0;
const PLOT: f32 = 38.0;
/// Room for the end of the scale, at the right.
const SCALE: f32 = 84.0;

/// Height of all curves of one person, in points.
#[cfg(test)]
const HEIGHT: f32 = PLOTS.len() as f32 * (LEGEND + PLOT + space::XS);

/// How a curve is told from the others, by more than its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pen {
    /// Broken, grey: the target.
    Broken,
    /// The accent: sent media.
    Thin,
    /// Thicker, amber: received media.
    Thick,
    /// Bars, amber.
    Bars,
}

/// One curve.
struct Series {
    name: Text,
    pen: Pen,
    value: fn(&CallSample) -> f32,
}

/// Curves on one scale.
struct Plot {
    unit: Text,
    /// The scale reaches at least so high.
    least_top: f32,
    series: &'static [Series],
}

const PLOTS: [Plot; 4] = [
    Plot {
        unit: Text::KilobitsASecond,
        least_top: 200.0,
        series: &[
            Series { name: Text::CurveAsked, pen: Pen::Broken, value: |sample| sample.asked_kbps },
            Series { name: Text::Sent, pen: Pen::Thin, value: |sample| sample.sent_kbps },
            Series { name: Text::Received, pen: Pen::Thick, value: |sample| sample.received_kbps },
        ],
    },
    Plot {
        unit: Text::Percent,
        least_top: 5.0,
        series: &[
            Series { name: Text::CurveSentLoss, pen: Pen::Thin, value: |sample| sample.sent_loss_percent },
            Series { name: Text::CurveReceivedLoss, pen: Pen::Thick, value: |sample| sample.received_loss_percent },
        ],
    },
    Plot {
        unit: Text::Milliseconds,
        least_top: 100.0,
        series: &[
            Series { name: Text::StatRoundTrip, pen: Pen::Thin, value: |sample| sample.round_trip_ms },
            Series { name: Text::StatLatency, pen: Pen::Thick, value: |sample| sample.latency_ms },
        ],
    },
    Plot {
        unit: Text::Milliseconds,
        least_top: 1000.0,
        series: &[Series { name: Text::StatFrozen, pen: Pen::Bars, value: |sample| sample.frozen_ms }],
    },
];

/// The curves of one person, as they were last drawn.
#[derive(Clone, Debug, Default)]
pub struct Chart {
    drawn: Option<(Arc<[CallSample]>, Rect)>,
    /// One of each plot.
    shapes: Vec<Shape>,
}

impl Chart {
    /// Draws the curves of `history` over the width that there is.
    pub fn show(&mut self, ui: &mut Ui, history: &Arc<[CallSample]>, words: Words) {
        let palette = Palette::of(ui);
        for (index, plot) in PLOTS.iter().enumerate() {
            let width = ui.available_width();
            let (_, rect) = ui.allocate_space(vec2(width, LEGEND + PLOT));
            let legend = Rect::from_min_size(rect.min, vec2(width, LEGEND));
            show_legend(ui, legend, plot, history.last(), words);
            let area = Rect::from_min_max(pos2(rect.left(), rect.top() + LEGEND), rect.max - vec2(SCALE, 0.0));
            if index == 0 && !self.is_drawn(history, area) {
                self.shapes.clear();
                self.drawn = Some((Arc::clone(history), area));
            }
            if self.shapes.len() <= index {
                self.shapes.push(Shape::Vec(curves(area, plot, history, palette)));
            }
            ui.painter().extend(self.shapes.get(index).cloned());
            show_scale(ui, area, plot, history, words);
        }
    }

    fn is_drawn(&self, history: &Arc<[CallSample]>, area: Rect) -> bool {
        self.drawn.as_ref().is_some_and(|(drawn, at)| Arc::ptr_eq(drawn, history) && *at == area)
    }
}

const fn ink(pen: Pen, palette: &Palette) -> Color32 {
    match pen {
        Pen::Broken => palette.text_soft,
        Pen::Thin => palette.accent,
        Pen::Thick | Pen::Bars => palette.warning,
    }
}

/// A value in the unit of its plot's scale.
fn said(plot: &Plot, value: f32) -> String {
    let digits = usize::from(plot.unit == Text::Percent);
    format!("{value:.digits$}")
}

/// The curves' names with their present values.
fn show_legend(ui: &Ui, rect: Rect, plot: &Plot, latest: Option<&CallSample>, words: Words) {
    let palette = Palette::of(ui);
    let mut left = rect.left();
    for series in plot.series {
        let value =
            latest.map_or_else(|| words.get(Text::NothingYet).to_owned(), |sample| said(plot, (series.value)(sample)));
        let ink = ink(series.pen, palette);
        let middle = rect.center().y;
        let key = [pos2(left, middle), pos2(left + 12.0, middle)];
        ui.painter().extend(stroke(&key, series.pen, ink));
        let room = (rect.right() - left - 18.0).max(0.0);
        let text = one_line(ui, &format!("{} {value}", words.get(series.name)), Type::Caption, palette.text_soft, room);
        let at = pos2(left + 18.0, middle - text.size().y / 2.0);
        painted_words(ui, Rect::from_min_size(at, text.size()), text.text());
        let width = text.size().x;
        ui.painter().galley(at, text, palette.text_soft);
        left += 18.0 + width + space::M;
    }
}

/// The ground, its middle line, and the curves over it.
fn curves(area: Rect, plot: &Plot, history: &[CallSample], palette: &Palette) -> Vec<Shape> {
    let line = Color32::from_white_alpha(26);
    let mut shapes = vec![
        Shape::rect_filled(area, CornerRadius::same(4), Color32::from_white_alpha(10)),
        Shape::hline(area.x_range(), area.center().y, Stroke::new(1.0, line)),
    ];
    let top = top_of(plot, history);
    for series in plot.series {
        let ink = ink(series.pen, palette);
        let points = points(area, top, history, series.value);
        if series.pen == Pen::Bars {
            let width = area.width() / SPAN as f32;
            shapes.extend(points.iter().filter(|at| at.y < area.bottom()).map(|at| {
                let bar = Rect::from_min_max(pos2(at.x - width, at.y), pos2(at.x, area.bottom()));
                Shape::rect_filled(bar.intersect(area), CornerRadius::ZERO, ink)
            }));
        } else {
            shapes.extend(stroke(&points, series.pen, ink));
        }
    }
    shapes
}

fn stroke(points: &[Pos2], pen: Pen, ink: Color32) -> Vec<Shape> {
    match pen {
        Pen::Broken => Shape::dashed_line(points, Stroke::new(1.25, ink), 4.0, 3.0),
        Pen::Thin => vec![Shape::line(points.to_vec(), Stroke::new(1.5, ink))],
        Pen::Thick => vec![Shape::line(points.to_vec(), Stroke::new(2.25, ink))],
        Pen::Bars => vec![Shape::line(points.to_vec(), Stroke::new(6.0, ink))],
    }
}

/// How high the scale reaches, beside its upper end.
fn show_scale(ui: &Ui, area: Rect, plot: &Plot, history: &[CallSample], words: Words) {
    let palette = Palette::of(ui);
    let text = words.fill(plot.unit, &[("value", &format!("{:.0}", top_of(plot, history)))]);
    let scale = one_line(ui, &text, Type::Caption, palette.text_soft, SCALE - space::S);
    ui.painter().galley(area.right_top() + vec2(space::S, -3.0), scale, palette.text_soft);
}

/// Where the seconds of `history` stand in `area`, whose height is `top`; the latest at the right edge.
fn points(area: Rect, top: f32, history: &[CallSample], value: fn(&CallSample) -> f32) -> Vec<Pos2> {
    let step = area.width() / (SPAN - 1) as f32;
    let seconds = history.iter().rev().take(SPAN).enumerate();
    let mut points: Vec<Pos2> = seconds
        .map(|(ago, sample)| {
            let share = (value(sample) / top).clamp(0.0, 1.0);
            pos2(area.right() - ago as f32 * step, area.bottom() - share * area.height())
        })
        .collect();
    points.reverse();
    points
}

/// The end of the scale: a round number above everything that is shown.
fn top_of(plot: &Plot, history: &[CallSample]) -> f32 {
    let values = history.iter().flat_map(|sample| plot.series.iter().map(|series| (series.value)(sample)));
    round_above(values.fold(plot.least_top, f32::max))
}

/// The least of 1, 2 and 5, times a power of ten, that is not below `value` (at least 1).
fn round_above(value: f32) -> f32 {
    let power = 10.0_f32.powi(value.max(1.0).log10().floor() as i32);
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|step| step * power).find(|&round| round >= value).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(values: &[f32]) -> Arc<[CallSample]> {
        values.iter().map(|&sent_kbps| CallSample { sent_kbps, ..CallSample::default() }).collect()
    }

    #[test]
    fn the_latest_second_is_at_the_right_edge_and_a_minute_fills_the_width() {
        let area = Rect::from_min_size(pos2(10.0, 20.0), vec2(590.0, 40.0));
        let value = |sample: &CallSample| sample.sent_kbps;
        let few = points(area, 100.0, &history(&[0.0, 50.0, 200.0]), value);
        assert_eq!(few, [pos2(580.0, 60.0), pos2(590.0, 40.0), pos2(600.0, 20.0)]);
        let many = points(area, 100.0, &history(&[1.0; 70]), value);
        assert_eq!((many.len(), many[0].x), (60, 10.0));
    }

    #[test]
    fn a_scale_ends_at_a_round_number() {
        for (value, top) in [(0.0, 1.0), (5.0, 5.0), (5.1, 10.0), (200.0, 200.0), (1480.0, 2000.0), (2001.0, 5000.0)] {
            assert_eq!(round_above(value), top, "{value}");
        }
        assert_eq!(top_of(&PLOTS[0], &history(&[1200.0, 80.0])), 2000.0);
        assert_eq!(top_of(&PLOTS[1], &history(&[])), 5.0);
    }

    #[test]
    fn curves_are_made_anew_only_for_a_new_second_or_place() {
        let context = eframe::egui::Context::default();
        crate::ui::Window::install(&context);
        let words = Words::of(crate::store::Language::English, "");
        let mut chart = Chart::default();
        let (one, two) = (history(&[100.0]), history(&[100.0, 90.0]));
        let mut drawn = |history: &Arc<[CallSample]>| {
            let mut height = 0.0;
            let input = eframe::egui::RawInput {
                screen_rect: Some(Rect::from_min_size(pos2(0.0, 0.0), vec2(400.0, 400.0))),
                ..Default::default()
            };
            let mut output = context.run_ui(input, |ui| {
                let top = ui.cursor().top();
                ui.spacing_mut().item_spacing.y = space::XS;
                chart.show(ui, history, words);
                height = ui.cursor().top() - top;
            });
            output.textures_delta.clear();
            assert_eq!(height, HEIGHT);
            assert_eq!(chart.shapes.len(), PLOTS.len());
            chart.drawn.as_ref().map(|(drawn, _)| Arc::as_ptr(drawn).cast::<u8>())
        };
        assert_eq!(drawn(&one), drawn(&one));
        assert_ne!(drawn(&one), drawn(&two));
    }
}
