//! Raw key events of X11 (XInput 2.1, `XI_RawKeyPress`): they are heard whatever window has the keyboard, and other
//! programs get the key as ever, so that nothing is taken from them and a modifier alone will do.

use std::sync::Arc;

use x11rb::connection::Connection as _;
use x11rb::protocol::Event;
use x11rb::protocol::xinput::{self, ConnectionExt as _, XIEventMask};
use x11rb::protocol::xproto::{
    AtomEnum, ClientMessageEvent, ConnectionExt as _, CreateWindowAux, EventMask, Window, WindowClass,
};
use x11rb::rust_connection::RustConnection;

use crate::desktop::linux::talker::Talker;
use crate::store::TalkKey;

/// All keyboards together (`XIAllMasterDevices`).
const ALL_MASTERS: u16 = 1;

/// Ears on a display. Their thread ends with them.
#[derive(Debug)]
pub(super) struct Ears {
    display: Arc<RustConnection>,
    /// A window that is never shown: a message to it ends the thread.
    bell: Window,
}

impl Ears {
    /// Listens for a key; an error where the display is not reached or too old.
    pub(super) fn open(key: TalkKey, talker: Talker) -> Result<Self, Box<dyn std::error::Error>> {
        let (display, screen) = x11rb::connect(None)?;
        let root = display.setup().roots.get(screen).ok_or("the display has no such screen")?.root;
        let version = display.xinput_xi_query_version(2, 1)?.reply()?;
        if (version.major_version, version.minor_version) < (2, 1) {
            return Err("the display has no XInput 2.1".into());
        }
        let bell = display.generate_id()?;
        let hidden = CreateWindowAux::new();
        display.create_window(0, bell, root, 0, 0, 1, 1, 0, WindowClass::INPUT_ONLY, 0, &hidden)?.check()?;
        let mask = vec![XIEventMask::RAW_KEY_PRESS | XIEventMask::RAW_KEY_RELEASE];
        let events = [xinput::EventMask { deviceid: ALL_MASTERS, mask }];
        display.xinput_xi_select_events(root, &events)?.check()?;
        let codes = keycodes(&display, key)?;
        let display = Arc::new(display);
        let listener = Listener { display: Arc::clone(&display), key, codes, talker };
        std::thread::Builder::new().name("talk key".into()).spawn(move || listener.listen())?;
        Ok(Self { display, bell })
    }
}

impl Drop for Ears {
    fn drop(&mut self) {
        let end = ClientMessageEvent::new(32, self.bell, AtomEnum::STRING, [0_u32; 5]);
        let sent = self.display.send_event(false, self.bell, EventMask::NO_EVENT, end);
        if let Err(error) = sent.and_then(|_| self.display.flush()) {
            tracing::debug!("the display is gone: {error}");
        }
    }
}

struct Listener {
    display: Arc<RustConnection>,
    key: TalkKey,
    codes: Vec<u32>,
    talker: Talker,
}

impl Listener {
    fn listen(mut self) {
        loop {
            match self.display.wait_for_event() {
                // A key that is held repeats its press.
                Ok(Event::XinputRawKeyPress(event)) if self.codes.contains(&event.detail) => self.talker.hold(true),
                Ok(Event::XinputRawKeyRelease(event)) if self.codes.contains(&event.detail) => self.talker.hold(false),
                Ok(Event::MappingNotify(_)) => match keycodes(&self.display, self.key) {
                    Ok(codes) => {
                        // The release of a key that is held now may come with another code.
                        self.talker.hold(false);
                        self.codes = codes;
                    }
                    Err(_) => break,
                },
                Ok(Event::ClientMessage(_)) | Err(_) => break,
                Ok(_) => {}
            }
        }
        // Nobody hears of the release any more.
        self.talker.hold(false);
    }
}

/// Keys of the keyboard with the symbol of a key.
fn keycodes(display: &RustConnection, key: TalkKey) -> Result<Vec<u32>, x11rb::errors::ReplyError> {
    let (first, last) = (display.setup().min_keycode, display.setup().max_keycode);
    let mapping = display.get_keyboard_mapping(first, last - first + 1)?.reply()?;
    let (_, keysym) = key.keysym();
    let each = mapping.keysyms.chunks(usize::from(mapping.keysyms_per_keycode).max(1));
    Ok((u32::from(first)..).zip(each).filter(|(_, symbols)| symbols.contains(&keysym)).map(|(code, _)| code).collect())
}
