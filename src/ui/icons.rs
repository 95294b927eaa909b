//! The icons, drawn with strokes on a grid of 24 units, so that they are crisp at every size and in every colour.

use std::f32::consts::{FRAC_PI_2, PI, TAU};

use eframe::egui::{Color32, CornerRadius, Painter, Pos2, Rect, Shape, Stroke, StrokeKind, Vec2, pos2};

/// One icon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is named for what it shows")]
pub enum Icon {
    Search,
    Sliders,
    Close,
    More,
    Microphone,
    MicrophoneOff,
    Camera,
    CameraOff,
    Phone,
    HangUp,
    Expand,
    Shrink,
    SmallWindow,
    Copy,
    Qr,
    Check,
    Verified,
    Outgoing,
    Incoming,
    Speaker,
    SpeakerOff,
    Eye,
    EyeOff,
    Chart,
    Waves,
    Folder,
    Picture,
    Warning,
    Info,
    Trash,
    Block,
    PersonPlus,
    Up,
    ChevronUp,
    Refresh,
    Pencil,
    List,
    Moon,
    Fold,
    Unfold,
}

/// A pen over the 24-unit grid.
struct Pen<'a> {
    painter: &'a Painter,
    origin: Pos2,
    unit: f32,
    stroke: Stroke,
}

impl Pen<'_> {
    fn at(&self, x: f32, y: f32) -> Pos2 {
        self.origin + Vec2::new(x, y) * self.unit
    }

    fn line(&self, points: &[(f32, f32)]) {
        let points: Vec<_> = points.iter().map(|&(x, y)| self.at(x, y)).collect();
        for end in [points.first(), points.last()].into_iter().flatten() {
            self.painter.circle_filled(*end, self.stroke.width / 2.0, self.stroke.color);
        }
        self.painter.add(Shape::line(points, self.stroke));
    }

    fn rect(&self, (left, top): (f32, f32), (right, bottom): (f32, f32), corner: f32) {
        let corner = CornerRadius::same((corner * self.unit).round() as u8);
        let rect = Rect::from_min_max(self.at(left, top), self.at(right, bottom));
        self.painter.rect_stroke(rect, corner, self.stroke, StrokeKind::Middle);
    }

    fn circle(&self, x: f32, y: f32, r: f32) {
        self.painter.circle_stroke(self.at(x, y), r * self.unit, self.stroke);
    }

    fn dot(&self, x: f32, y: f32, r: f32) {
        self.painter.circle_filled(self.at(x, y), r * self.unit, self.stroke.color);
    }

    /// An arc around a point, from one angle to another (radians, clockwise from the right).
    fn arc(&self, (x, y): (f32, f32), (rx, ry): (f32, f32), from: f32, to: f32) {
        const STEPS: usize = 18;
        let points: [(f32, f32); STEPS + 1] = std::array::from_fn(|step| {
            let angle = from + (to - from) * step as f32 / STEPS as f32;
            (x + rx * angle.cos(), y + ry * angle.sin())
        });
        self.line(&points);
    }

    /// A telephone's handset, turned by `turn` radians about the middle; at 0 it lies on its hook.
    fn handset(&self, turn: f32) {
        let (sin, cos) = turn.sin_cos();
        let spin = |(x, y): (f32, f32)| {
            let (x, y) = (x - 12.0, y - 12.0);
            (12.0 + x * cos - y * sin, 12.0 + x * sin + y * cos)
        };
        const STEPS: usize = 16;
        let bow: [(f32, f32); STEPS + 1] = std::array::from_fn(|step| {
            let across = step as f32 / STEPS as f32;
            let x = 4.4 + 15.2 * across;
            spin((x, 10.2 + 2.6 * (2.0 * across - 1.0).powi(2)))
        });
        let heavy = Pen { painter: self.painter, stroke: Stroke::new(3.3 * self.unit, self.stroke.color), ..*self };
        heavy.line(&bow);
        let block = Pen { painter: self.painter, stroke: Stroke::new(4.6 * self.unit, self.stroke.color), ..*self };
        block.line(&[spin((4.7, 12.6)), spin((4.9, 14.2))]);
        block.line(&[spin((19.3, 12.6)), spin((19.1, 14.2))]);
    }

    fn slash(&self) {
        self.line(&[(4.0, 3.5), (20.0, 20.5)]);
    }
}

impl Icon {
    /// Draws the icon around `center`, `size` points wide and high.
    pub fn paint(self, painter: &Painter, center: Pos2, size: f32, color: Color32) {
        let unit = size / 24.0;
        let stroke = Stroke::new((1.8 * unit).max(1.25), color);
        let origin = pos2(center.x - size / 2.0, center.y - size / 2.0);
        let pen = Pen { painter, origin, unit, stroke };
        match self {
            Self::Search => {
                pen.circle(10.5, 10.5, 6.5);
                pen.line(&[(15.4, 15.4), (20.0, 20.0)]);
            }
            Self::Sliders => {
                for (y, knob) in [(6.0, 15.5), (12.0, 8.0), (18.0, 14.0)] {
                    pen.line(&[(3.5, y), (knob - 2.6, y)]);
                    pen.circle(knob, y, 2.4);
                    pen.line(&[(knob + 2.6, y), (20.5, y)]);
                }
            }
            Self::Close => {
                pen.line(&[(6.0, 6.0), (18.0, 18.0)]);
                pen.line(&[(18.0, 6.0), (6.0, 18.0)]);
            }
            Self::More => {
                for x in [5.5, 12.0, 18.5] {
                    pen.dot(x, 12.0, 1.7);
                }
            }
            Self::Microphone | Self::MicrophoneOff => {
                pen.rect((8.8, 2.8), (15.2, 14.2), 3.2);
                pen.arc((12.0, 11.2), (6.6, 6.6), 0.0, PI);
                pen.line(&[(12.0, 17.8), (12.0, 21.2)]);
                if self == Self::MicrophoneOff {
                    pen.slash();
                }
            }
            Self::Camera | Self::CameraOff => {
                pen.rect((2.5, 6.2), (15.8, 17.8), 3.0);
                pen.line(&[(15.8, 10.8), (21.3, 7.6), (21.3, 16.4), (15.8, 13.2)]);
                if self == Self::CameraOff {
                    pen.slash();
                }
            }
            Self::Phone => pen.handset(-0.75 * PI),
            Self::HangUp => pen.handset(0.0),
            Self::Expand => {
                pen.line(&[(9.0, 4.0), (4.0, 4.0), (4.0, 9.0)]);
                pen.line(&[(15.0, 4.0), (20.0, 4.0), (20.0, 9.0)]);
                pen.line(&[(9.0, 20.0), (4.0, 20.0), (4.0, 15.0)]);
                pen.line(&[(15.0, 20.0), (20.0, 20.0), (20.0, 15.0)]);
            }
            Self::Shrink => {
                pen.line(&[(4.0, 9.0), (9.0, 9.0), (9.0, 4.0)]);
                pen.line(&[(20.0, 9.0), (15.0, 9.0), (15.0, 4.0)]);
                pen.line(&[(4.0, 15.0), (9.0, 15.0), (9.0, 20.0)]);
                pen.line(&[(20.0, 15.0), (15.0, 15.0), (15.0, 20.0)]);
            }
            Self::SmallWindow => {
                pen.line(&[(10.0, 19.0), (3.5, 19.0), (3.5, 5.0), (20.5, 5.0), (20.5, 10.0)]);
                pen.rect((13.0, 13.0), (20.5, 19.0), 1.0);
            }
            Self::Copy => {
                pen.rect((8.5, 8.5), (20.0, 20.0), 2.5);
                pen.line(&[(15.5, 5.8), (15.5, 4.0), (4.0, 4.0), (4.0, 15.5), (5.8, 15.5)]);
            }
            Self::Qr => {
                for corner in [(4.0, 4.0), (14.0, 4.0), (4.0, 14.0)] {
                    pen.rect(corner, (corner.0 + 6.0, corner.1 + 6.0), 1.2);
                }
                for (x, y) in [(14.5, 14.5), (19.5, 14.5), (17.0, 17.0), (14.5, 19.5), (19.5, 19.5)] {
                    pen.dot(x, y, 1.1);
                }
            }
            Self::Check => pen.line(&[(5.0, 12.5), (10.0, 17.5), (19.5, 7.0)]),
            Self::Verified => {
                pen.line(&[(12.0, 3.0), (19.5, 5.8), (19.5, 11.5), (17.4, 16.6), (12.0, 21.0)]);
                pen.line(&[(12.0, 3.0), (4.5, 5.8), (4.5, 11.5), (6.6, 16.6), (12.0, 21.0)]);
                pen.line(&[(8.4, 11.8), (11.2, 14.6), (15.8, 9.4)]);
            }
            Self::Outgoing => {
                pen.line(&[(6.0, 18.0), (18.0, 6.0)]);
                pen.line(&[(9.5, 6.0), (18.0, 6.0), (18.0, 14.5)]);
            }
            Self::Incoming => {
                pen.line(&[(18.0, 6.0), (6.0, 18.0)]);
                pen.line(&[(14.5, 18.0), (6.0, 18.0), (6.0, 9.5)]);
            }
            Self::Speaker | Self::SpeakerOff => {
                pen.line(&[(12.0, 4.5), (7.5, 8.7), (3.5, 8.7), (3.5, 15.3), (7.5, 15.3), (12.0, 19.5), (12.0, 4.5)]);
                if self == Self::Speaker {
                    pen.arc((12.5, 12.0), (4.0, 4.0), -0.9, 0.9);
                    pen.arc((12.5, 12.0), (8.0, 8.0), -0.9, 0.9);
                } else {
                    pen.line(&[(15.8, 9.2), (21.2, 14.8)]);
                    pen.line(&[(21.2, 9.2), (15.8, 14.8)]);
                }
            }
            Self::Eye | Self::EyeOff => {
                pen.arc((12.0, 16.5), (10.6, 10.6), PI + 0.5, TAU - 0.5);
                pen.arc((12.0, 7.5), (10.6, 10.6), 0.5, PI - 0.5);
                pen.circle(12.0, 12.0, 2.8);
                if self == Self::EyeOff {
                    pen.slash();
                }
            }
            Self::Chart => {
                for (x, top) in [(5.0, 14.0), (12.0, 5.0), (19.0, 10.0)] {
                    pen.line(&[(x, 19.0), (x, top)]);
                }
            }
            Self::Waves => {
                for (x, reach) in [(4.0, 2.0), (8.0, 5.0), (12.0, 8.0), (16.0, 5.0), (20.0, 2.0)] {
                    pen.line(&[(x, 12.0 - reach), (x, 12.0 + reach)]);
                }
            }
            Self::Folder => {
                pen.line(&[(3.5, 19.0), (3.5, 5.5), (9.5, 5.5), (11.5, 8.0), (20.5, 8.0), (20.5, 19.0), (3.5, 19.0)]);
            }
            Self::Picture => {
                pen.rect((3.5, 4.5), (20.5, 19.5), 2.5);
                pen.circle(8.5, 9.5, 1.6);
                pen.line(&[(4.5, 17.5), (10.0, 12.8), (13.0, 15.5), (16.0, 12.5), (19.7, 16.0)]);
            }
            Self::Warning => {
                pen.line(&[(12.0, 4.0), (21.0, 19.5), (3.0, 19.5), (12.0, 4.0)]);
                pen.line(&[(12.0, 10.0), (12.0, 14.0)]);
                pen.dot(12.0, 16.9, 1.1);
            }
            Self::Info => {
                pen.circle(12.0, 12.0, 8.5);
                pen.line(&[(12.0, 11.2), (12.0, 16.2)]);
                pen.dot(12.0, 8.0, 1.1);
            }
            Self::Trash => {
                pen.line(&[(4.5, 6.5), (19.5, 6.5)]);
                pen.line(&[(9.0, 6.5), (9.5, 4.0), (14.5, 4.0), (15.0, 6.5)]);
                pen.line(&[(6.3, 6.5), (7.2, 20.0), (16.8, 20.0), (17.7, 6.5)]);
            }
            Self::Block => {
                pen.circle(12.0, 12.0, 8.2);
                pen.line(&[(6.3, 6.3), (17.7, 17.7)]);
            }
            Self::PersonPlus => {
                pen.circle(9.5, 8.2, 3.8);
                pen.arc((9.5, 20.0), (6.6, 6.0), PI, TAU);
                pen.line(&[(18.5, 7.0), (18.5, 13.0)]);
                pen.line(&[(15.5, 10.0), (21.5, 10.0)]);
            }
            Self::Up => {
                pen.line(&[(12.0, 19.0), (12.0, 5.0)]);
                pen.line(&[(6.0, 11.0), (12.0, 5.0), (18.0, 11.0)]);
            }
            Self::ChevronUp => pen.line(&[(4.0, 16.0), (12.0, 8.0), (20.0, 16.0)]),
            Self::Refresh => {
                pen.arc((12.0, 12.0), (7.5, 7.5), -FRAC_PI_2 + 0.5, PI + 0.6);
                pen.line(&[(15.3, 8.2), (15.6, 5.2), (18.8, 6.0)]);
            }
            Self::List => {
                for y in [6.5, 12.0, 17.5] {
                    pen.line(&[(4.0, y), (20.0, y)]);
                }
            }
            Self::Moon => {
                pen.arc((12.0, 12.0), (8.5, 8.5), 0.085, 4.628);
                pen.arc((16.0, 8.0), (6.5, 6.5), 0.813, 3.899);
            }
            Self::Fold => pen.line(&[(6.0, 9.0), (12.0, 15.0), (18.0, 9.0)]),
            Self::Unfold => pen.line(&[(9.0, 6.0), (15.0, 12.0), (9.0, 18.0)]),
            Self::Pencil => {
                pen.line(&[(4.0, 20.0), (5.2, 15.2), (16.2, 4.2), (19.8, 7.8), (8.8, 18.8), (4.0, 20.0)]);
                pen.line(&[(13.6, 6.8), (17.2, 10.4)]);
            }
        }
    }
}
