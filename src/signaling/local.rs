//! State that every connection of this client shares: this side's identity, and the people who are welcome. Locked
//! where it changes; each lock is held for one look.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use data_encoding::HEXLOWER;
use tokio::sync::watch;

use super::flood::Pace;
use super::frame::Hello;
use super::invitations::Invitations;
use super::numbers::Numbers;
use super::version::Versions;
use crate::identity::{DeviceId, EnvelopeError, Identity, PeerId, display_name};
use crate::network::TokenBucket;

/// Characters of a challenge and of an instance.
pub(super) const RANDOM_CHARS: usize = 32;

pub(super) struct Local {
    pub(super) identity: Arc<Identity>,
    /// Random for each start.
    pub(super) instance: String,
    /// The same at each start.
    device: Option<DeviceId>,
    pub(super) name: watch::Sender<String>,
    /// People who are no contacts may ring.
    pub(super) strangers_welcome: AtomicBool,
    invitations: Mutex<Invitations>,
    blocked: Mutex<HashSet<PeerId>>,
    contacts: Mutex<HashSet<PeerId>>,
    /// People whom this side called or answered.
    engaged: Mutex<HashSet<PeerId>>,
    /// Changes with each of the three sets above.
    people: watch::Sender<()>,
    connections: AtomicU64,
    pub(super) numbers: Numbers,
    /// Bucket for reading from those who are nobody to this side.
    strangers: Mutex<TokenBucket>,
    wall_clock: Box<dyn Fn() -> SystemTime + Send + Sync>,
}

/// 128 random bits as text.
pub(super) fn random_text() -> Result<String, EnvelopeError> {
    let mut bytes = [0; RANDOM_CHARS / 2];
    getrandom::fill(&mut bytes).map_err(|_| EnvelopeError::Random)?;
    Ok(HEXLOWER.encode(&bytes))
}

fn unix_ms(time: SystemTime) -> i64 {
    let ms = |duration: Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
    match time.duration_since(UNIX_EPOCH) {
        Ok(since) => ms(since),
        Err(before) => -ms(before.duration()),
    }
}

impl Local {
    pub(super) fn new(identity: Arc<Identity>, name: &str) -> Result<Self, EnvelopeError> {
        Self::with_clock(identity, name, SystemTime::now)
    }

    /// The same with a clock of the caller's own.
    pub(super) fn with_clock(
        identity: Arc<Identity>,
        name: &str,
        wall_clock: impl Fn() -> SystemTime + Send + Sync + 'static,
    ) -> Result<Self, EnvelopeError> {
        Ok(Self {
            identity,
            instance: random_text()?,
            device: None,
            name: watch::Sender::new(display_name(name)),
            strangers_welcome: AtomicBool::new(true),
            invitations: Mutex::default(),
            blocked: Mutex::default(),
            contacts: Mutex::default(),
            engaged: Mutex::default(),
            people: watch::Sender::new(()),
            connections: AtomicU64::new(1),
            numbers: Numbers::new(Instant::now())?,
            strangers: Mutex::new(Pace::of_strangers(Instant::now())),
            wall_clock: Box::new(wall_clock),
        })
    }

    /// The same on this device.
    pub(super) fn on(self, device: Option<DeviceId>) -> Self {
        Self { device, ..self }
    }

    pub(super) fn is_blocked(&self, id: &PeerId) -> bool {
        has(&self.blocked, id)
    }

    /// Whether they are a contact who is not blocked.
    pub(super) fn is_contact(&self, id: &PeerId) -> bool {
        has(&self.contacts, id) && !self.is_blocked(id)
    }

    /// Whether they are more to this side than a passer-by: a contact, or somebody in a call with it.
    pub(super) fn is_known(&self, id: &PeerId) -> bool {
        self.is_contact(id) || has(&self.engaged, id) && !self.is_blocked(id)
    }

    /// The former set.
    pub(super) fn set_blocked(&self, blocked: HashSet<PeerId>) -> HashSet<PeerId> {
        let before = std::mem::replace(&mut *self.blocked.lock().unwrap_or_else(PoisonError::into_inner), blocked);
        self.people.send_replace(());
        before
    }

    pub(super) fn set_contacts(&self, contacts: HashSet<PeerId>) {
        *self.contacts.lock().unwrap_or_else(PoisonError::into_inner) = contacts;
        self.people.send_replace(());
    }

    /// Everybody who is known, see [`is_known`](Self::is_known).
    pub(super) fn known(&self) -> HashSet<PeerId> {
        let all = |people: &Mutex<HashSet<PeerId>>| people.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let blocked = all(&self.blocked);
        all(&self.contacts).into_iter().chain(all(&self.engaged)).filter(|id| !blocked.contains(id)).collect()
    }

    /// Notice of each change of who is known.
    pub(super) fn people(&self) -> watch::Receiver<()> {
        self.people.subscribe()
    }

    /// This side calls them or answers them. There are as many of them as a person called.
    pub(super) fn engage(&self, id: PeerId) {
        if self.engaged.lock().unwrap_or_else(PoisonError::into_inner).insert(id) {
            self.people.send_replace(());
        }
    }

    /// How long nothing more is read of this person; `None`: the next frame is.
    pub(super) fn pause(&self, pace: &mut Pace, id: &PeerId, now: Instant) -> Option<Duration> {
        let known = self.is_known(id);
        pace.pause(known, &mut self.strangers.lock().unwrap_or_else(PoisonError::into_inner), now)
    }

    /// A frame was read of the person whose pace this is.
    pub(super) fn has_read(&self, pace: &mut Pace) {
        pace.read(&mut self.strangers.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// A number for another connection.
    pub(super) fn next_connection(&self) -> u64 {
        self.connections.fetch_add(1, Ordering::Relaxed)
    }

    /// This computer's clock, in milliseconds of Unix time. For people to be told of, and for nothing else.
    pub(super) fn unix_ms(&self) -> i64 {
        unix_ms((self.wall_clock)())
    }

    /// The invitations, locked for one look.
    pub(super) fn invitations(&self) -> MutexGuard<'_, Invitations> {
        self.invitations.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether somebody may ring: a contact, a person in a call with this side, a guest, or anybody where strangers
    /// may.
    pub(super) fn may_ring(&self, id: &PeerId) -> bool {
        let is_guest = || self.invitations().of_guest(id).is_some() && !self.is_blocked(id);
        self.is_known(id) || self.strangers_welcome.load(Ordering::Relaxed) || is_guest()
    }

    /// This side's hello to somebody.
    pub(super) fn hello(&self, to: &PeerId, challenge: &str, answer: Option<String>) -> Hello {
        let (instance, name) = (self.instance.clone(), self.name.borrow().clone());
        Hello {
            instance,
            device: self.device.map(|device| device.to_string()),
            name,
            challenge: challenge.to_owned(),
            answer,
            versions: Versions::OWN,
            time: Some(self.unix_ms()),
            token: self.invitations().held(to).map(|token| token.to_string()),
        }
    }
}

fn has(people: &Mutex<HashSet<PeerId>>, id: &PeerId) -> bool {
    people.lock().unwrap_or_else(PoisonError::into_inner).contains(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_time_that_a_clock_can_show_is_said() {
        assert_eq!(unix_ms(UNIX_EPOCH), 0);
        assert_eq!(unix_ms(UNIX_EPOCH + Duration::from_millis(1_800_000_000_123)), 1_800_000_000_123);
        assert_eq!(unix_ms(UNIX_EPOCH - Duration::from_millis(1_800_000_000_123)), -1_800_000_000_123);
        let age_of_the_universe = Duration::from_secs(435_000_000_000_000_000);
        if let Some(far) = UNIX_EPOCH.checked_add(age_of_the_universe) {
            assert_eq!(unix_ms(far), i64::MAX);
        }
    }

    #[test]
    fn who_is_blocked_is_neither_a_contact_nor_known() {
        let local = Local::new(Arc::new(Identity::from_seed([1; 32])), "Me").unwrap();
        let [contact, called, stranger] = [2, 3, 4].map(|seed| Identity::from_seed([seed; 32]).id());
        local.set_contacts(HashSet::from([contact]));
        local.engage(called);
        let known = |local: &Local| [contact, called, stranger].map(|id| (local.is_contact(&id), local.is_known(&id)));
        assert_eq!(known(&local), [(true, true), (false, true), (false, false)]);
        local.set_blocked(HashSet::from([contact, called]));
        assert_eq!(known(&local), [(false, false); 3]);
        assert_eq!(local.set_blocked(HashSet::new()).len(), 2);
        assert_eq!(known(&local), [(true, true), (false, true), (false, false)]);
    }
}
