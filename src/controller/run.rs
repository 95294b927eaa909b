//! The controller's thread: start, the loop, and the end.

use std::sync::Arc;
use std::thread::JoinHandle;

use crate::identity::Identity;
use crate::media::Latest;
use crate::store::Store;

use super::core::Core;
use super::lanes::{Lanes, Next};
use super::publisher::{Publication, Repaint};
use super::{Command, Event, Gates, Handle, Options};

/// A running controller. Both faces hold one; quitting (or dropping) ends everything in good order.
pub struct Controller {
    handle: Handle,
    unsaved: Option<String>,
    thread: Option<JoinHandle<()>>,
}

impl Controller {
    /// Starts everything: identity, store, signaling, engine. `events` gets each report, on the controller's thread,
    /// and must not block; `on_change` is called from several threads after a new snapshot or a new picture.
    ///
    /// The error is one sentence for a person.
    pub fn start(
        options: Options,
        events: impl Fn(Event) + Send + 'static,
        on_change: impl Fn(Repaint) + Send + Sync + 'static,
    ) -> anyhow::Result<Self> {
        // The store first: beside an identity that is new, it cannot tell a loss from a beginning.
        let store = Store::open(options.profile.dir())?;
        let identity = Arc::new(Identity::load_or_create(options.profile.dir())?);
        let unsaved = store.fault().map(ToString::to_string);
        let (senders, lanes) = Lanes::new();
        let gates = Arc::new(Gates::default());
        let snapshot = Arc::new(Latest::new());
        let core = Core::new(
            options,
            identity,
            store,
            Arc::clone(&gates),
            (senders.parts, senders.peers),
            Publication { events: Box::new(events), snapshot: Arc::clone(&snapshot), on_change: Arc::new(on_change) },
        )?;
        let handle = Handle::new(senders.commands, snapshot, gates).with_doorbell(senders.doorbell);
        let thread = std::thread::Builder::new().name("controller".into()).spawn(move || run(core, &lanes))?;
        Ok(Self { handle, unsaved, thread: Some(thread) })
    }

    /// For sending commands and reading snapshots.
    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Why nothing can be saved, as it showed at the start: a sentence.
    pub fn unsaved(&self) -> Option<&str> {
        self.unsaved.as_deref()
    }

    /// Hangs up, closes everything, and waits for it.
    pub fn quit(mut self) {
        self.end();
    }

    fn end(&mut self) {
        if let Some(thread) = self.thread.take() {
            // An error means that it has ended already.
            let _ = self.handle.send(Command::Quit);
            if thread.join().is_err() {
                tracing::error!("the controller ended badly");
            }
        }
    }
}

impl Drop for Controller {
    fn drop(&mut self) {
        self.end();
    }
}

fn run(mut core: Core, lanes: &Lanes) {
    lanes.attach();
    core.begin();
    loop {
        match lanes.next(core.next_deadline()) {
            Next::Command(command) => core.on_command(command),
            Next::System(event) => core.on_system(event),
            Next::Hint(hint) => core.on_hint(hint),
            Next::Peer(event) => core.on_signaling(event),
            Next::Deadline => core.on_deadline(),
        }
        if core.is_done() {
            break;
        }
    }
    core.end();
}
