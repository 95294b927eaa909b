//! Scale of the window: as chosen, or smaller where the window has less room than the layout needs. Tiling window
//! managers and small screens give less than the minimum size of the window.

use eframe::egui::{self, Vec2};

/// The least scale: below, nothing could be read or pressed.
const MIN: f32 = 0.4;

/// The scale at which a window whose size at scale 1 is `room` (points) has room for `least`, and `chosen` at most.
fn fitting(chosen: f32, room: Vec2, least: Vec2) -> f32 {
    let fits = (room.x / least.x).min(room.y / least.y);
    chosen.min(fits).max(MIN.min(chosen))
}

/// The scale that the person has chosen (Ctrl and plus, minus or 0), kept while the window has no room for it.
#[derive(Debug, Default)]
pub struct Fit {
    /// The scale that was chosen, and the one set for want of room.
    shrunk: Option<(f32, f32)>,
}

impl Fit {
    /// The scale that was chosen, whether or not there is room for it.
    pub fn chosen(&self, ctx: &egui::Context) -> f32 {
        let scale = ctx.zoom_factor();
        self.shrunk.filter(|(_, set)| (set - scale).abs() < 0.001).map_or(scale, |(chosen, _)| chosen)
    }

    /// Draws everything so that at least `least` points fit into the window, from the next drawing on.
    pub fn follow(&mut self, ctx: &egui::Context, least: Vec2) {
        let (scale, chosen) = (ctx.zoom_factor(), self.chosen(ctx));
        let fits = fitting(chosen, ctx.content_rect().size() * scale, least);
        self.shrunk = (fits < chosen).then_some((chosen, fits));
        if (fits - scale).abs() >= 0.001 {
            ctx.set_zoom_factor(fits);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use egui::vec2;

    const MIN_ROOM: Vec2 = vec2(720.0, 480.0);

    #[test]
    fn a_window_with_room_is_drawn_as_chosen() {
        assert_eq!(fitting(1.0, vec2(1100.0, 720.0), MIN_ROOM), 1.0);
        assert_eq!(fitting(1.0, MIN_ROOM, MIN_ROOM), 1.0);
        assert_eq!(fitting(0.8, vec2(1100.0, 720.0), MIN_ROOM), 0.8);
        assert_eq!(fitting(1.5, vec2(1100.0, 720.0), MIN_ROOM), 1.5);
    }

    #[test]
    fn a_smaller_window_is_drawn_smaller() {
        for room in [vec2(640.0, 400.0), vec2(480.0, 360.0), vec2(1920.0, 300.0), vec2(400.0, 1080.0)] {
            for chosen in [0.9, 1.0, 2.0] {
                let scale = fitting(chosen, room, MIN_ROOM);
                let points = room / scale;
                assert!(points.x >= 719.9 && points.y >= 479.9, "{room:?}: {points:?}");
                assert!(scale <= chosen);
            }
        }
        assert_eq!(fitting(1.0, vec2(10.0, 10.0), MIN_ROOM), MIN);
        assert_eq!(fitting(2.0, vec2(1100.0, 720.0), MIN_ROOM), 1.5, "nor can more be chosen than fits");
    }

    #[test]
    fn what_was_chosen_comes_back_with_the_room() {
        let mut fit = Fit::default();
        let mut harness = egui_kittest::Harness::builder()
            .with_size(vec2(480.0, 360.0))
            .build_ui(move |ui| fit.follow(ui.ctx(), MIN_ROOM));
        harness.run();
        assert!((harness.ctx.zoom_factor() - 2.0 / 3.0).abs() < 0.01, "{}", harness.ctx.zoom_factor());
        harness.set_size(vec2(1100.0, 720.0));
        harness.run();
        assert_eq!(harness.ctx.zoom_factor(), 1.0);
    }
}
