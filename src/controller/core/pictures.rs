//! Profile pictures between contacts: each asks the other's app once they are there, and tells of a change.

use crate::call::{CallError, Message, Standing};
use crate::identity::{PeerId, PictureError, ProfilePicture};
use crate::media::MediaTime;

use super::Core;
use crate::controller::Event;
use crate::controller::directory::Refusal;
use crate::controller::pictures::Word;

impl Core {
    /// Asks a contact who has come for their picture, in their turn.
    pub(super) fn ask_for_picture(&mut self, of: PeerId) {
        self.directory.pictures_mut().give_turn(of, Word::Ask);
    }

    /// Exchanges pictures with somebody who is a contact from now on.
    pub(super) fn greet_with_picture(&mut self, new: PeerId) {
        self.ask_for_picture(new);
        self.directory.pictures_mut().give_turn(new, Word::Show);
    }

    /// Carries out the turns that have come. A message that is lost is sent again when they come the next
    /// time.
    pub(super) fn take_picture_turns(&mut self, now: MediaTime) {
        while let Some((to, word)) = self.directory.pictures_mut().take_turn(now) {
            if !self.directory.is_contact(to) || !self.directory.is_online(to) {
                continue;
            }
            let pictures = self.directory.pictures();
            let message = match word {
                Word::Ask => Message::PictureWanted { have: pictures.of(to).map(ProfilePicture::digest) },
                Word::Show => Message::Picture { picture: pictures.own().cloned() },
            };
            if self.signaling.send(to, message).is_err() {
                tracing::debug!("there is no signaling to send a picture by");
            }
        }
    }

    /// Takes the request of a contact for this person's picture.
    pub(super) fn on_picture_wanted(&mut self, from: PeerId, standing: Standing, have: Option<&str>) {
        if standing == Standing::Contact {
            self.directory.pictures_mut().asked(from, have);
        }
    }

    /// Takes the picture of a contact.
    pub(super) fn on_picture(&mut self, from: PeerId, standing: Standing, picture: Option<ProfilePicture>) {
        let is_taken = standing == Standing::Contact;
        if is_taken && self.directory.pictures_mut().take(&self.store, from, picture, MediaTime::now()) {
            self.report(self.directory.state_event(from));
            self.publisher.mark();
        }
    }

    /// Takes the picture that a file gave, or says why it gave none.
    pub(super) fn on_own_picture_read(&mut self, read: Result<ProfilePicture, PictureError>) -> Result<(), CallError> {
        match read {
            Ok(picture) => self.set_own_picture(Some(picture)),
            Err(error) => Err(self.refused(Refusal::BadPicture(error))),
        }
    }

    /// Takes the camera's present picture as this person's own.
    pub(super) fn take_own_picture(&mut self) -> Result<(), CallError> {
        let frame = self.captures.preview().get().0;
        let picture = frame.and_then(|frame| ProfilePicture::of_frame(&frame)).ok_or_else(|| {
            CallError::BadArgument("The camera shows no picture. Turn it on, or choose a picture file.".to_owned())
        })?;
        self.set_own_picture(Some(picture))
    }

    /// Changes this person's own picture, and shows it to the contacts who are there.
    pub(super) fn set_own_picture(&mut self, picture: Option<ProfilePicture>) -> Result<(), CallError> {
        let set = picture.is_some();
        let kept = self.directory.pictures_mut().set_own(&self.store, picture);
        for contact in self.directory.contacts_online() {
            self.directory.pictures_mut().give_turn(contact, Word::Show);
        }
        self.report(Event::ProfilePicture { set });
        self.publisher.mark();
        kept.map_err(|error| self.refused(error.into()))
    }
}
