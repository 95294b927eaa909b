//! State of the main window as the window system tells it, and its way to the front.

use eframe::egui::{self, Rect, UserAttentionType, ViewportCommand, ViewportId, pos2, vec2};

use super::own_camera::Attention;

/// Whether nothing of the window can be seen.
pub fn is_hidden(viewport: &egui::ViewportInfo) -> bool {
    viewport.minimized == Some(true) || viewport.occluded == Some(true) || viewport.visible() == Some(false)
}

/// Whether the person looks at the window; where the system does not tell, they do.
pub fn attention(viewport: &egui::ViewportInfo) -> Attention {
    if is_hidden(viewport) {
        Attention::Hidden
    } else if viewport.focused == Some(false) {
        Attention::Behind
    } else {
        Attention::Here
    }
}

/// Brings the main window to the front.
pub fn raise(ctx: &egui::Context) {
    let commands = [
        ViewportCommand::Visible(true),
        ViewportCommand::Minimized(false),
        ViewportCommand::Focus,
        // Desktops that let no program take the keyboard show that it asks.
        ViewportCommand::RequestUserAttention(UserAttentionType::Informational),
    ];
    for command in commands {
        ctx.send_viewport_cmd_to(ViewportId::ROOT, command);
    }
}

/// The screen that the window is on, in points.
pub fn screen(ctx: &egui::Context, frame: &eframe::Frame) -> Option<Rect> {
    let window = frame.winit_window()?;
    let monitor = window.current_monitor().or_else(|| window.primary_monitor())?;
    let (at, size) = (monitor.position(), monitor.size());
    let pixels = window.scale_factor() as f32 * ctx.zoom_factor();
    Some(in_points((at.x, at.y), (size.width, size.height), pixels))
}

/// The screen at `at` with `size`, both in physical pixels, in points of `pixels` each.
fn in_points(at: (i32, i32), size: (u32, u32), pixels: f32) -> Rect {
    let (min, size) = (pos2(at.0 as f32, at.1 as f32), vec2(size.0 as f32, size.1 as f32));
    Rect::from_min_size(min / pixels, size / pixels)
}

/// Whether windows open on Wayland, where no program can place, raise or restore a window.
pub fn is_on_wayland() -> bool {
    let names = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    names("WAYLAND_DISPLAY") || names("WAYLAND_SOCKET")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_screen_beside_another_one_begins_where_that_ends() {
        let screen = in_points((1920, 0), (2560, 1440), 2.0);
        assert_eq!(screen, Rect::from_min_size(pos2(960.0, 0.0), vec2(1280.0, 720.0)));
    }
}
