//! Appearance that the desktop asks for: colour scheme, contrast, motion and text size, by the settings portal
//! (`org.freedesktop.portal.Settings`), as long as the window is there.

use std::collections::HashMap;

use zbus::MatchRule;
use zbus::blocking::{Connection, MessageIterator, Proxy};
use zbus::message::Type;
use zbus::zvariant::{OwnedValue, Value};

use crate::ui::{DesktopAppearance, WindowHandle, is_on_wayland};

const PORTAL: &str = "org.freedesktop.portal.Desktop";
const PATH: &str = "/org/freedesktop/portal/desktop";
const SETTINGS: &str = "org.freedesktop.portal.Settings";
/// Namespaces of the settings that are followed.
const APPEARANCE: &str = "org.freedesktop.appearance";
const GNOME: &str = "org.gnome.desktop.interface";
/// Changes that wait to be looked at.
const QUEUE: usize = 16;

/// Settings by namespace and key, as the portal gives them.
type Namespaces = HashMap<String, HashMap<String, OwnedValue>>;

/// Tells the window of the desktop's appearance and of its changes, on a thread of its own, until the bus is gone.
pub(super) fn watch(bus: &Connection, window: WindowHandle) {
    let bus = bus.clone();
    let follow = move || {
        if let Err(error) = follow(&bus, &window) {
            tracing::info!("the desktop does not tell of its appearance: {error}");
        }
    };
    if let Err(error) = std::thread::Builder::new().name("appearance".into()).spawn(follow) {
        tracing::warn!("no thread for the appearance: {error}");
    }
}

fn follow(bus: &Connection, window: &WindowHandle) -> zbus::Result<()> {
    // Listens first: a change between the two is not lost.
    let rule = MatchRule::builder()
        .msg_type(Type::Signal)
        .sender(PORTAL)?
        .path(PATH)?
        .interface(SETTINGS)?
        .member("SettingChanged")?
        .build();
    let changes = MessageIterator::for_match_rule(rule, bus, Some(QUEUE))?;
    let settings = Proxy::new(bus, PORTAL, PATH, SETTINGS)?;
    let namespaces: Namespaces = settings.call("ReadAll", &[APPEARANCE, GNOME].as_slice())?;
    // On X11 the desktop multiplies the display's resolution (`Xft.dpi`) by its text size.
    let mut told = Told { scales_text: is_on_wayland(), ..Told::default() };
    for (namespace, values) in &namespaces {
        for (key, value) in values {
            told.note(namespace, key, value);
        }
    }
    window.set_desktop_appearance(told.appearance());
    for change in changes.flatten() {
        let body = change.body();
        let Ok((namespace, key, value)) = body.deserialize::<(&str, &str, Value<'_>)>() else { continue };
        if told.note(namespace, key, &value) {
            window.set_desktop_appearance(told.appearance());
        }
    }
    Ok(())
}

/// The latest value of each setting.
#[derive(Debug, Default)]
struct Told {
    appearance: DesktopAppearance,
    /// GNOME's switch, which is older than the portal's and may stand beside it.
    animations_off: bool,
    /// The desktop's text size is not yet in the scale that the window system tells.
    scales_text: bool,
}

impl Told {
    fn appearance(&self) -> DesktopAppearance {
        let reduced_motion = self.appearance.reduced_motion || self.animations_off;
        DesktopAppearance { reduced_motion, ..self.appearance }
    }

    /// Notes one setting; false where it says nothing of the appearance.
    fn note(&mut self, namespace: &str, key: &str, value: &Value<'_>) -> bool {
        match (namespace, key, value) {
            // Older portals wrap a value twice.
            (_, _, Value::Value(inner)) => return self.note(namespace, key, inner),
            (APPEARANCE, "color-scheme", Value::U32(scheme)) => self.appearance.dark = *scheme == 1,
            (APPEARANCE, "contrast", Value::U32(contrast)) => self.appearance.high_contrast = *contrast == 1,
            (APPEARANCE, "reduced-motion", Value::U32(motion)) => self.appearance.reduced_motion = *motion == 1,
            (GNOME, "enable-animations", Value::Bool(animations)) => self.animations_off = !animations,
            (GNOME, "text-scaling-factor", Value::F64(factor)) if self.scales_text && factor.is_finite() => {
                self.appearance.text_percent = Some((factor * 100.0).round() as u16);
            }
            _ => return false,
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_of_the_portal_are_read_whether_wrapped_or_not_and_others_are_passed_over() {
        let mut told = Told { scales_text: true, ..Told::default() };
        assert!(told.note(APPEARANCE, "contrast", &Value::U32(1)));
        assert!(told.note(APPEARANCE, "color-scheme", &Value::Value(Box::new(Value::U32(1)))));
        assert!(told.note(GNOME, "enable-animations", &Value::Bool(false)));
        assert!(told.note(APPEARANCE, "reduced-motion", &Value::U32(0)));
        assert!(!told.note(APPEARANCE, "contrast", &Value::Bool(true)), "of another type");
        assert!(!told.note("org.example", "contrast", &Value::U32(0)));
        assert!(told.note(GNOME, "text-scaling-factor", &Value::F64(1.25)));
        assert!(!told.note(GNOME, "text-scaling-factor", &Value::F64(f64::NAN)));
        let text_percent = Some(125);
        let all = DesktopAppearance { dark: true, high_contrast: true, reduced_motion: true, text_percent };
        assert_eq!(told.appearance(), all);
        assert!(told.note(APPEARANCE, "color-scheme", &Value::U32(2)), "prefers light");
        assert!(told.note(GNOME, "enable-animations", &Value::Bool(true)));
        let rest = DesktopAppearance { high_contrast: true, text_percent, ..DesktopAppearance::default() };
        assert_eq!(told.appearance(), rest);
        assert!(!Told::default().note(GNOME, "text-scaling-factor", &Value::F64(1.25)), "the window system scales");
    }
}
