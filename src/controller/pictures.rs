//! Profile pictures: this person's own, and those of contacts; and how often they travel.

use std::collections::HashMap;
use std::time::Duration;

use crate::identity::{PeerId, ProfilePicture};
use crate::media::MediaTime;
use crate::store::{Store, StoreError};

/// Between two pictures that one contact sends, or is sent on request.
const BETWEEN_PICTURES: Duration = Duration::from_secs(5);

/// Profile pictures by person.
#[derive(Debug, Default)]
pub(super) struct Pictures {
    own: Option<ProfilePicture>,
    of: HashMap<PeerId, ProfilePicture>,
    /// When contacts were sent one on request last.
    answered: HashMap<PeerId, MediaTime>,
    /// When contacts have sent one last.
    taken: HashMap<PeerId, MediaTime>,
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
    pub(super) fn answer(&mut self, to: PeerId, have: Option<&str>, now: MediaTime) -> Option<Option<ProfilePicture>> {
        let digest = self.own.as_ref().map(ProfilePicture::digest);
        let is_known = digest.as_deref() == have;
        (!is_known && is_due(&mut self.answered, to, now)).then(|| self.own.clone())
    }

    /// Takes the picture of a contact; true where it is another one than before.
    pub(super) fn take(
        &mut self,
        store: &Store,
        from: PeerId,
        picture: Option<ProfilePicture>,
        now: MediaTime,
    ) -> bool {
        // A damaged picture is none, rather than one that nobody can draw.
        let picture = picture.filter(|picture| picture.decode().is_some());
        if self.of.get(&from) == picture.as_ref() || !is_due(&mut self.taken, from, now) {
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
        self.answered.remove(&id);
        self.taken.remove(&id);
    }
}

/// Whether the last time is long enough ago; then this is the last time.
fn is_due(last: &mut HashMap<PeerId, MediaTime>, id: PeerId, now: MediaTime) -> bool {
    let is_due = last.get(&id).is_none_or(|last| now.since(*last) >= BETWEEN_PICTURES);
    if is_due {
        last.insert(id, now);
    }
    is_due
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::VideoFrame;

    fn picture(luma: u8) -> ProfilePicture {
        let mut frame = VideoFrame::black(64, 64);
        frame.planes_mut().0.fill(luma);
        ProfilePicture::of_frame(&frame).unwrap()
    }

    #[test]
    fn a_contact_is_sent_the_picture_that_they_do_not_have_and_not_too_often() {
        let (store, mut pictures) = (Store::in_memory().unwrap(), Pictures::default());
        let (id, start) = (PeerId::from_bytes([1; 32]), MediaTime::default());
        let (first, second) = (picture(50), picture(150));
        assert_eq!(pictures.answer(id, None, start), None, "there is none, and they have none");
        pictures.set_own(&store, Some(first.clone())).unwrap();
        assert_eq!(pictures.answer(id, Some(&first.digest()), start), None);
        assert_eq!(pictures.answer(id, None, start), Some(Some(first.clone())));
        assert_eq!(pictures.answer(id, None, start), None, "again at once");
        let later = start + BETWEEN_PICTURES;
        pictures.set_own(&store, Some(second.clone())).unwrap();
        assert_eq!(pictures.answer(id, Some(&first.digest()), later), Some(Some(second)));
        pictures.set_own(&store, None).unwrap();
        let later = later + BETWEEN_PICTURES;
        assert_eq!(pictures.answer(id, Some(&first.digest()), later), Some(None), "it was removed");
        assert_eq!(store.own_picture().unwrap(), None);
    }

    #[test]
    fn a_contacts_picture_is_kept_and_not_changed_too_often() {
        let (store, mut pictures) = (Store::in_memory().unwrap(), Pictures::default());
        let (id, start) = (PeerId::from_bytes([1; 32]), MediaTime::default());
        store.add_contact(id, "Ann", 100).unwrap();
        assert!(pictures.take(&store, id, Some(picture(50)), start));
        assert!(!pictures.take(&store, id, Some(picture(150)), start), "at once");
        assert!(!pictures.take(&store, id, Some(picture(50)), start + BETWEEN_PICTURES), "the same");
        assert!(pictures.take(&store, id, Some(picture(150)), start + BETWEEN_PICTURES));
        assert_eq!(Pictures::new(&store).unwrap().of(id), Some(&picture(150)));
        let damaged = ProfilePicture::of_jpeg(&picture(90).as_jpeg()[..400]);
        assert!(damaged.is_none_or(|damaged| damaged.decode().is_none() || damaged != picture(150)));
        assert!(pictures.take(&store, id, None, start + 2 * BETWEEN_PICTURES));
        assert!(store.pictures().unwrap().is_empty());
    }
}
