//! Profile pictures: this person's own, and those of contacts; and how often they travel. A picture is a letter of some
//! 40 KiB, and a server takes and holds few of them at once, so contacts are asked and answered one after the other.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use crate::identity::{PeerId, ProfilePicture};
use crate::media::MediaTime;
use crate::store::{Store, StoreError};

/// From one contact's turn to the next one's: a server passes on 64 KiB a second of an app.
const BETWEEN_TURNS: Duration = Duration::from_millis(700);
/// Pictures of one contact that are kept within [`KEPT_WITHIN`], at most.
const KEPT: u32 = 5;
const KEPT_WITHIN: Duration = Duration::from_secs(60);

/// Word to a contact about pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// They are asked for theirs.
    Ask,
    /// They are shown this person's own, or that there is none any more.
    Show,
}

/// Profile pictures by person.
#[derive(Debug, Default)]
pub(super) struct Pictures {
    own: Option<ProfilePicture>,
    /// It was chosen, or removed, on this device: another one of the same identity may have one.
    chosen: bool,
    of: HashMap<PeerId, ProfilePicture>,
    /// Contacts whose turn comes, and when the first one's does.
    turns: VecDeque<(PeerId, Word)>,
    next_turn: MediaTime,
    /// Pictures that were kept of each contact, and since when they are counted.
    kept: HashMap<PeerId, (u32, MediaTime)>,
}

impl Pictures {
    /// Those of `store`.
    pub(super) fn new(store: &Store) -> Result<Self, StoreError> {
        let (own, chosen) = (store.own_picture()?, store.has_chosen_picture()?);
        Ok(Self { own, chosen, of: store.pictures()?, ..Self::default() })
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
        self.chosen = true;
        store.set_own_picture(self.own.as_ref())
    }

    /// Gives a contact a turn, unless the same one waits already.
    pub(super) fn give_turn(&mut self, to: PeerId, word: Word) {
        let waits = self.turns.contains(&(to, word));
        if !waits && (word == Word::Ask || self.chosen) {
            self.turns.push_back((to, word));
        }
    }

    /// Takes the request of a contact who has the picture of this digest.
    pub(super) fn asked(&mut self, by: PeerId, have: Option<&str>) {
        let digest = self.own.as_ref().map(ProfilePicture::digest);
        if digest.as_deref() != have {
            self.give_turn(by, Word::Show);
        }
    }

    /// When the next turn comes.
    pub(super) fn due(&self) -> Option<MediaTime> {
        (!self.turns.is_empty()).then_some(self.next_turn)
    }

    /// The contact whose turn it is at `now`.
    pub(super) fn take_turn(&mut self, now: MediaTime) -> Option<(PeerId, Word)> {
        let turn = if now < self.next_turn { None } else { self.turns.pop_front() };
        if turn.is_some() {
            self.next_turn = now + BETWEEN_TURNS;
        }
        turn
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
        if self.of.get(&from) == picture.as_ref() || (picture.is_some() && !self.may_keep(from, now)) {
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

    fn may_keep(&mut self, from: PeerId, now: MediaTime) -> bool {
        let (count, since) = self.kept.entry(from).or_insert((0, now));
        if now.since(*since) >= KEPT_WITHIN {
            (*count, *since) = (0, now);
        }
        *count += 1;
        *count <= KEPT
    }

    /// Forgets the picture of somebody who is no contact any more.
    pub(super) fn forget(&mut self, id: PeerId) {
        self.of.remove(&id);
        self.kept.remove(&id);
        self.turns.retain(|(to, _)| *to != id);
    }
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

    fn all_turns(pictures: &mut Pictures) -> Vec<(PeerId, Word)> {
        let later = (1..).map(|turn| MediaTime::default() + turn * BETWEEN_TURNS);
        later.map_while(|now| pictures.take_turn(now)).collect()
    }

    #[test]
    fn a_contact_is_shown_the_picture_that_they_do_not_have_one_after_the_other() {
        let (store, mut pictures) = (Store::in_memory().unwrap(), Pictures::default());
        let [ann, bob] = [1, 2].map(|number| PeerId::from_bytes([number; 32]));
        pictures.asked(ann, Some("another device's"));
        assert_eq!(pictures.due(), None, "none was chosen or removed here");
        let own = picture(50);
        pictures.set_own(&store, Some(own.clone())).unwrap();
        pictures.asked(ann, Some(&own.digest()));
        assert_eq!(pictures.due(), None, "they have it");
        pictures.asked(ann, None);
        pictures.asked(ann, None);
        pictures.give_turn(bob, Word::Ask);
        let now = MediaTime::from_millis(5000);
        assert_eq!((pictures.take_turn(now), pictures.take_turn(now)), (Some((ann, Word::Show)), None));
        assert_eq!(pictures.due(), Some(now + BETWEEN_TURNS));
        assert_eq!(pictures.take_turn(now + BETWEEN_TURNS), Some((bob, Word::Ask)));
        pictures.set_own(&store, None).unwrap();
        pictures.asked(ann, None);
        pictures.asked(bob, Some(&own.digest()));
        pictures.next_turn = MediaTime::default();
        assert_eq!(all_turns(&mut pictures), [(bob, Word::Show)], "it was removed");
        assert_eq!(store.own_picture().unwrap(), None);
    }

    #[test]
    fn a_contacts_picture_is_kept_and_not_changed_too_often() {
        let (store, mut pictures) = (Store::in_memory().unwrap(), Pictures::default());
        let (id, start) = (PeerId::from_bytes([1; 32]), MediaTime::default());
        store.add_contact(id, "Ann", 100).unwrap();
        assert!(pictures.take(&store, id, Some(picture(50)), start));
        assert!(!pictures.take(&store, id, Some(picture(50)), start), "the same");
        let lumas = (60..).step_by(10);
        let taken = lumas.take_while(|luma| pictures.take(&store, id, Some(picture(*luma)), start)).count();
        assert_eq!(taken, KEPT as usize - 1, "at once");
        assert!(pictures.take(&store, id, None, start), "a removal always counts");
        assert!(store.pictures().unwrap().is_empty() && pictures.of(id).is_none());
        assert!(pictures.take(&store, id, Some(picture(150)), start + KEPT_WITHIN));
        assert_eq!(Pictures::new(&store).unwrap().of(id), Some(&picture(150)));
    }
}
