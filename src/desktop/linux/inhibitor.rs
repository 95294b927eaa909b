//! Inhibitor: the computer does not sleep, nor its screen go dark, during a call.

use std::collections::HashMap;

use zbus::blocking::Connection;
use zbus::zvariant::{OwnedObjectPath, Value};

use crate::ui::TITLE;

const SCREEN_SAVER: &str = "org.freedesktop.ScreenSaver";
const SCREEN_SAVER_PATH: &str = "/org/freedesktop/ScreenSaver";
const PORTAL: &str = "org.freedesktop.portal.Desktop";
const PORTAL_PATH: &str = "/org/freedesktop/portal/desktop";
/// Suspend and idle, in the portal's bits.
const SUSPEND_AND_IDLE: u32 = 4 | 8;

/// How sleep is held off now.
#[derive(Debug)]
enum Held {
    ScreenSaver(u32),
    Portal(OwnedObjectPath),
    /// The desktop knows neither.
    Nothing,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Inhibitor {
    bus: Connection,
    held: Option<Held>,
}

impl Inhibitor {
    pub(super) const fn new(bus: Connection) -> Self {
        Self { bus, held: None }
    }

    /// Holds sleep off while there is a reason, in words that the desktop may show.
    pub(super) fn follow(&mut self, reason: Option<&str>) {
        match (reason, self.held.take()) {
            (Some(_), Some(held)) => self.held = Some(held),
            (Some(reason), None) => self.held = Some(self.hold(reason)),
            (None, Some(held)) => self.release(&held),
            (None, None) => {}
        }
    }

    fn hold(&self, reason: &str) -> Held {
        self.by_screen_saver(reason).or_else(|_| self.by_portal(reason)).unwrap_or_else(|error| {
            tracing::info!("the desktop does not hold sleep off: {error}");
            Held::Nothing
        })
    }

    fn by_screen_saver(&self, reason: &str) -> zbus::Result<Held> {
        let call = (TITLE, reason);
        let name = Some(SCREEN_SAVER);
        let answer = self.bus.call_method(name, SCREEN_SAVER_PATH, name, "Inhibit", &call)?;
        Ok(Held::ScreenSaver(answer.body().deserialize()?))
    }

    fn by_portal(&self, reason: &str) -> zbus::Result<Held> {
        let options = HashMap::from([("reason", Value::from(reason))]);
        let call = ("", SUSPEND_AND_IDLE, options);
        let interface = Some("org.freedesktop.portal.Inhibit");
        let answer = self.bus.call_method(Some(PORTAL), PORTAL_PATH, interface, "Inhibit", &call)?;
        Ok(Held::Portal(answer.body().deserialize()?))
    }

    fn release(&self, held: &Held) {
        let released = match held {
            Held::ScreenSaver(cookie) => {
                let name = Some(SCREEN_SAVER);
                self.bus.call_method(name, SCREEN_SAVER_PATH, name, "UnInhibit", &(cookie,))
            }
            Held::Portal(request) => {
                let interface = Some("org.freedesktop.portal.Request");
                self.bus.call_method(Some(PORTAL), request, interface, "Close", &())
            }
            Held::Nothing => return,
        };
        if let Err(error) = released {
            tracing::debug!("sleep could not be allowed again: {error}");
        }
    }
}
