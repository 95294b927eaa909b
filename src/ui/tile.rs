//! Tile: a stream's latest picture in a rectangle of the window, the last stage of the video pipeline.
//!
//! ```text
//! slot -> paint, in the UI pass: where it goes -> paint callback: planes to textures, a shader -> window
//! ```
//!
//! Runs on the main thread and owns the textures. The planes go to GL as they are; the shader makes colours of them,
//! crops, mirrors and rounds the corners. Drawn in software (Mesa's llvmpipe on 2 cores), a paint of a 720p picture
//! takes 9 ms of CPU in a window of 1280x720 and 6 ms in one of 900x600; converted to RGBA for a texture of egui's it
//! takes 12 and 10 ms. A 720p picture in a tile of 240x135 takes 0.75 ms, of which scaling it down before the upload
//! could save 0.25 ms at most, so nothing is scaled down here.
//!
//! A caller that asks for a paint when a slot changes uses `request_repaint_after` with a delay above zero:
//! `request_repaint` makes egui paint twice each time.

mod options;
mod placement;
mod yuv_shader;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use eframe::{egui, egui_glow};

pub use self::options::{Fit, TileOptions};
use self::placement::Placement;
use self::yuv_shader::{Picture, YuvShader};
use crate::media::FrameSlot;

/// Draws pictures and owns their textures: one set a slot, however often it is shown.
///
/// Lives on the main thread for as long as the window. A slot's textures are freed once the slot is empty or gone.
#[derive(Debug, Default)]
pub struct TilePainter {
    tiles: Vec<Tile>,
    next_key: u64,
    shader: Arc<Mutex<YuvShader>>,
}

/// A slot that has been painted. The weak reference keeps the slot's address from being given to another slot.
#[derive(Debug)]
struct Tile {
    slot: Weak<FrameSlot>,
    key: u64,
}

impl TilePainter {
    /// A painter without textures; they are made when the first picture is painted.
    pub fn new() -> Self {
        Self::default()
    }

    /// Paints the slot's latest picture into `rect`; false when there is none (the caller draws something else there).
    ///
    /// Uploads only when the slot has changed since it was last painted.
    pub fn paint(&mut self, ui: &mut egui::Ui, rect: egui::Rect, slot: &Arc<FrameSlot>, options: TileOptions) -> bool {
        self.drop_gone();
        let (frame, version) = slot.get();
        let Some(frame) = frame else {
            self.drop_tiles(|tile| tile.shows(slot));
            return false;
        };
        if lock(&self.shader).is_refused() {
            return false;
        }
        let key = self.key_of(slot);
        let placement = Placement::new(rect, frame.width(), frame.height(), &options);
        if !ui.is_rect_visible(placement.rect) {
            return true;
        }
        let shader = Arc::clone(&self.shader);
        let picture = Picture { key, version, frame, placement, rounding: options.rounding };
        let callback = egui_glow::CallbackFn::new(move |info, painter| {
            lock(&shader).draw(painter.gl(), &info, &picture);
        });
        ui.painter().add(egui::PaintCallback { rect: placement.rect, callback: Arc::new(callback) });
        true
    }

    /// Frees the textures of slots that are gone, on screens that paint no picture. (`paint` frees them by itself.)
    pub fn free_gone(&mut self, ui: &egui::Ui) {
        self.drop_gone();
        if !lock(&self.shader).has_doomed() {
            return;
        }
        let shader = Arc::clone(&self.shader);
        let callback = egui_glow::CallbackFn::new(move |_, painter| {
            lock(&shader).free_doomed(painter.gl());
        });
        // Textures can be deleted only while the window's GL context is current, as it is in a paint callback; one that
        // has no area is never called.
        let rect = egui::Rect::from_min_size(ui.clip_rect().min, egui::Vec2::splat(1.0));
        ui.painter().add(egui::PaintCallback { rect, callback: Arc::new(callback) });
    }

    /// Marks every texture for [`TilePainter::free_gone`]: nothing is painted for a while.
    pub fn drop_all(&mut self) {
        self.drop_tiles(|_| true);
    }

    fn key_of(&mut self, slot: &Arc<FrameSlot>) -> u64 {
        if let Some(tile) = self.tiles.iter().find(|tile| tile.shows(slot)) {
            return tile.key;
        }
        let key = self.next_key;
        self.next_key += 1;
        self.tiles.push(Tile { slot: Arc::downgrade(slot), key });
        key
    }

    fn drop_gone(&mut self) {
        self.drop_tiles(|tile| tile.slot.strong_count() == 0);
    }

    fn drop_tiles(&mut self, is_over: impl Fn(&Tile) -> bool) {
        if !self.tiles.iter().any(&is_over) {
            return;
        }
        let mut shader = lock(&self.shader);
        self.tiles.retain(|tile| {
            let over = is_over(tile);
            if over {
                shader.doom(tile.key);
            }
            !over
        });
    }
}

impl Tile {
    fn shows(&self, slot: &Arc<FrameSlot>) -> bool {
        std::ptr::eq(self.slot.as_ptr(), Arc::as_ptr(slot))
    }
}

/// Only the main thread takes this lock: egui asks that callbacks could be sent to another thread, and sends none.
fn lock(shader: &Mutex<YuvShader>) -> MutexGuard<'_, YuvShader> {
    shader.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use eframe::egui::{Rect, Shape, pos2, vec2};

    use super::*;
    use crate::media::FramePool;

    fn slot_with_picture() -> Arc<FrameSlot> {
        let slot = Arc::new(FrameSlot::new());
        let frame = FramePool::new().produce::<Infallible>(64, 48, |_| Ok(()));
        slot.put(frame.unwrap_or_else(|never| match never {}));
        slot
    }

    /// Runs one pass of a window of 400x300 points, and returns the areas that are left to paint callbacks.
    fn pass(mut draw: impl FnMut(&mut egui::Ui)) -> Vec<Rect> {
        let input = egui::RawInput {
            screen_rect: Some(Rect::from_min_size(pos2(0.0, 0.0), vec2(400.0, 300.0))),
            ..Default::default()
        };
        let mut output = egui::Context::default().run_ui(input, |ui| draw(ui));
        // The fonts' texture, which nobody uploads here.
        output.textures_delta.clear();
        let callbacks = output.shapes.iter().filter_map(|clipped| match &clipped.shape {
            Shape::Callback(callback) => Some(callback.rect),
            _ => None,
        });
        callbacks.collect()
    }

    fn square(left: f32) -> Rect {
        Rect::from_min_size(pos2(left, 0.0), vec2(100.0, 100.0))
    }

    #[test]
    fn a_slot_without_a_picture_paints_nothing() {
        let mut painter = TilePainter::new();
        let slot = Arc::new(FrameSlot::new());
        let areas = pass(|ui| assert!(!painter.paint(ui, square(0.0), &slot, TileOptions::default())));
        assert_eq!((areas.len(), painter.tiles.len()), (0, 0));
    }

    #[test]
    fn a_picture_is_painted_where_it_fits() {
        let mut painter = TilePainter::new();
        let slot = slot_with_picture();
        let contain = TileOptions { fit: Fit::Contain, ..Default::default() };
        let areas = pass(|ui| {
            assert!(painter.paint(ui, square(0.0), &slot, TileOptions::default()));
            assert!(painter.paint(ui, square(200.0), &slot, contain));
        });
        assert_eq!(areas, [square(0.0), Rect::from_min_size(pos2(200.0, 12.5), vec2(100.0, 75.0))]);
        assert_eq!(painter.tiles.len(), 1, "one slot has one set of textures, however often it is shown");
    }

    #[test]
    fn a_picture_out_of_sight_costs_no_drawing() {
        let mut painter = TilePainter::new();
        let slot = slot_with_picture();
        let areas = pass(|ui| assert!(painter.paint(ui, square(900.0), &slot, TileOptions::default())));
        assert!(areas.is_empty());
    }

    #[test]
    fn the_textures_of_a_slot_that_is_gone_are_freed() {
        let mut painter = TilePainter::new();
        let (kept, gone) = (slot_with_picture(), slot_with_picture());
        pass(|ui| {
            painter.paint(ui, square(0.0), &kept, TileOptions::default());
            painter.paint(ui, square(200.0), &gone, TileOptions::default());
        });
        let key = painter.key_of(&kept);
        assert!(pass(|ui| painter.free_gone(ui)).is_empty(), "there is nothing to free");
        drop(gone);
        assert_eq!(pass(|ui| painter.free_gone(ui)).len(), 1, "deleting needs a callback");
        assert!(lock(&painter.shader).has_doomed());
        assert_eq!(painter.tiles.iter().map(|tile| tile.key).collect::<Vec<_>>(), [key]);
    }

    #[test]
    fn the_textures_of_a_slot_that_is_empty_are_freed_and_made_anew() {
        let mut painter = TilePainter::new();
        let slot = slot_with_picture();
        pass(|ui| assert!(painter.paint(ui, square(0.0), &slot, TileOptions::default())));
        let key = painter.key_of(&slot);
        slot.clear();
        pass(|ui| assert!(!painter.paint(ui, square(0.0), &slot, TileOptions::default())));
        assert!(painter.tiles.is_empty() && lock(&painter.shader).has_doomed());
        assert_ne!(painter.key_of(&slot), key, "a doomed key is not used again");
    }

    #[test]
    fn frames_go_back_to_their_pool_after_the_pass() {
        let mut painter = TilePainter::new();
        let slot = slot_with_picture();
        pass(|ui| assert!(painter.paint(ui, square(0.0), &slot, TileOptions::default())));
        let frame = slot.take().expect("the slot has a picture");
        assert_eq!(Arc::strong_count(&frame), 1);
    }
}
