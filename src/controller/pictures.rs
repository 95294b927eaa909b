//! Profile pictures: this person's own, and those of contacts; and how often they travel.

use std::collections::HashMap;
use std::time::Instant;

use crate::identity::{PeerId, ProfilePicture};
use crate::network::TokenBucket;
use crate::store::{Store, StoreError};

/// Pictures a second, and at once, that one contact may send, or is sent on request.
const RATE: f64 = 0.1;
const BURST: f64 = 5.0;

/// Profile pictures by person.
#[derive(Debug, Default)]
pub(super) struct Pictures {
    own: Option<ProfilePicture>,
    of: HashMap<PeerId, ProfilePicture>,
    /// How many more contacts may be sent on request.
    answers: HashMap<PeerId, TokenBucket>,
    /// How many more contacts may send.
    takes: HashMap<PeerId, TokenBucket>,
}

impl Pictures {
    /// Those of `store`.
    pub(super) fn new(store: &Store) -> Result<Self, StoreError> {
        Ok(Self { own: store.own_picture()?, of: store.pictures()?, ..Self::default() })
    }

    /// This person's own.
    pub(super) const fn own(&self) -> Option<&ProfilePicture> {
        self.own.as_ref()
    }

    /// Somebody's.
    pub(super) fn of(&self, id: PeerId) -> Option<&ProfilePicture> {
        self.of.get(&id)
    }

    /// Changes this person's own; it holds for this run also where it is not kept.
    pub(super) fn set_own(&mut self, store: &Store, picture: Option<ProfilePicture>) -> Result<(), StoreError> {
        self.own = picture;
        store.set_own_picture(self.own.as_ref())
    }

    /// Answer to a contact who has the picture of this digest: none where it is the right one, or where they ask too
    /// often.
    pub(super) fn answer(&mut self, to: PeerId, have: Option<&str>, now: Instant) -> Option<Option<ProfilePicture>> {
        let digest = self.own.as_ref().map(ProfilePicture::digest);
        let is_known = digest.as_deref() == have;
        (!is_known && may_pass(&mut self.answers, to, now)).then(|| self.own.clone())
    }

    /// Takes the picture of a contact; true where it is another one than before.
    pub(super) fn take(&mut self, store: &Store, from: PeerId, picture: Option<ProfilePicture>, now: Instant) -> bool {
        // A damaged picture is none, rather than one that nobody can draw.
        let picture = picture.filter(|picture| picture.decode().is_some());
        if self.of.get(&from) == picture.as_ref() || !may_pass(&mut self.takes, from, now) {
            return false;
        }
        if let Err(error) = store.set_picture(from, picture.as_ref()) {
            tracing::warn!("a contact's picture was not kept: {error}");
        }
        match picture {
            Some(picture) => drop(self.of.insert(from, picture)),
            None => drop(self.of.remove(&from)),
        }
        true
    }

    /// Forgets the picture of somebody who is no contact any more.
    pub(super) fn forget(&mut self, id: PeerId) {
        self.of.remove(&id);
        self.answers.remove(&id);
        self.takes.remove(&id);
    }
}

fn may_pass(buckets: &mut HashMap<PeerId, TokenBucket>, id: PeerId, now: Instant) -> bool {
    buckets.entry(id).or_insert_with(|| TokenBucket::new(RATE, BURST, now)).take(now)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::media::VideoFrame;

    fn picture(luma: u8) -> ProfilePicture {
        let mut frame = VideoFrame::black(64, 64);
        frame.planes_mut().0.fill(luma);
        ProfilePicture::of_frame(&frame).unwrap()
    }

    const PAUSE: Duration = Duration::from_secs(60);

    #[test]
    fn a_contact_is_sent_the_picture_that_they_do_not_have_and_not_too_often() {
        let (store, mut pictures) = (Store::in_memory().unwrap(), Pictures::default());
        let (id, start) = (PeerId::from_bytes([1; 32]), Instant::now());
        let (first, second) = (picture(50), picture(150));
        assert_eq!(pictures.answer(id, None, start), None, "there is none, and they have none");
        pictures.set_own(&store, Some(first.clone())).unwrap();
        assert_eq!(pictures.answer(id, Some(&first.digest()), start), None);
        let answers = (0..9).map_while(|_| pictures.answer(id, None, start));
        assert_eq!(answers.collect::<Vec<_>>(), vec![Some(first.clone()); BURST as usize]);
        pictures.set_own(&store, Some(second.clone())).unwrap();
        assert_eq!(pictures.answer(id, Some(&first.digest()), start + PAUSE), Some(Some(second)));
        pictures.set_own(&store, None).unwrap();
        assert_eq!(pictures.answer(id, Some(&first.digest()), start + PAUSE), Some(None), "it was removed");
        assert_eq!(store.own_picture().unwrap(), None);
    }

    #[test]
    fn a_contacts_picture_is_kept_and_not_changed_too_often() {
        let (store, mut pictures) = (Store::in_memory().unwrap(), Pictures::default());
        let (id, start) = (PeerId::from_bytes([1; 32]), Instant::now());
        store.add_contact(id, "Ann", 100).unwrap();
        assert!(pictures.take(&store, id, Some(picture(50)), start));
        assert!(!pictures.take(&store, id, Some(picture(50)), start), "the same");
        let lumas = (60..).step_by(10);
        let taken = lumas.take_while(|luma| pictures.take(&store, id, Some(picture(*luma)), start)).count();
        assert_eq!(taken, BURST as usize - 1, "at once");
        assert!(pictures.take(&store, id, Some(picture(150)), start + PAUSE));
        assert_eq!(Pictures::new(&store).unwrap().of(id), Some(&picture(150)));
        assert!(pictures.take(&store, id, None, start + PAUSE));
        assert!(store.pictures().unwrap().is_empty() && pictures.of(id).is_none());
    }
}
