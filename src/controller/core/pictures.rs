//! Profile pictures between contacts: each asks the other's app once they are there, and tells of a change at once.

use std::time::Instant;

use crate::call::{CallError, Message, Standing};
use crate::identity::{PeerId, PictureError, ProfilePicture};

use super::Core;
use crate::controller::Event;
use crate::controller::directory::Refusal;

impl Core {
    /// Asks a contact who has come for their picture, unless it is the one that is known.
    pub(super) fn ask_for_picture(&self, of: PeerId) {
        let have = self.directory.pictures().of(of).map(ProfilePicture::digest);
        // A message that is lost is made up for when they come the next time.
        let _ = self.signaling.send(of, Message::PictureWanted { have });
    }

    /// Exchanges pictures with somebody who is a contact from now on.
    pub(super) fn greet_with_picture(&self, new: PeerId) {
        if !self.directory.is_online(new) {
            return;
        }
        self.ask_for_picture(new);
        if let Some(own) = self.directory.pictures().own().cloned() {
            let _ = self.signaling.send(new, Message::Picture { picture: Some(own) });
        }
    }

    /// Sends this person's picture to a contact who asks for it.
    pub(super) fn on_picture_wanted(&mut self, from: PeerId, standing: Standing, have: Option<&str>) {
        if standing != Standing::Contact {
            return;
        }
        if let Some(picture) = self.directory.pictures_mut().answer(from, have, Instant::now()) {
            let _ = self.signaling.send(from, Message::Picture { picture });
        }
    }

    /// Takes the picture of a contact.
    pub(super) fn on_picture(&mut self, from: PeerId, standing: Standing, picture: Option<ProfilePicture>) {
        if standing == Standing::Contact && self.directory.take_picture(&self.store, from, picture) {
            self.report(self.directory.event(from));
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
        let kept = self.directory.pictures_mut().set_own(&self.store, picture.clone());
        for contact in self.directory.contacts_online() {
            let _ = self.signaling.send(contact, Message::Picture { picture: picture.clone() });
        }
        self.report(Event::ProfilePicture { set: picture.is_some() });
        self.publisher.mark();
        kept.map_err(|error| self.refused(error.into()))
    }
}
