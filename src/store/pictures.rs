//! Profile pictures: this person's own, and those that contacts have sent.

use std::collections::HashMap;

use rusqlite::{OptionalExtension, params};

use crate::identity::{PeerId, ProfilePicture};

use super::{Store, StoreError};

impl Store {
    /// This person's own picture.
    pub fn own_picture(&self) -> Result<Option<ProfilePicture>, StoreError> {
        let jpeg: Option<Vec<u8>> =
            self.connection.query_row("SELECT jpeg FROM own_picture", [], |row| row.get(0)).optional()?;
        Ok(jpeg.and_then(|jpeg| ProfilePicture::of_jpeg(&jpeg)))
    }

    /// Whether this person's own picture was chosen, or removed, on this device.
    pub fn has_chosen_picture(&self) -> Result<bool, StoreError> {
        Ok(self.connection.query_row("SELECT EXISTS (SELECT 1 FROM own_picture)", [], |row| row.get(0))?)
    }

    /// Keeps this person's own picture, or forgets it.
    pub fn set_own_picture(&self, picture: Option<&ProfilePicture>) -> Result<(), StoreError> {
        match picture {
            Some(picture) => self.connection.execute(
                "INSERT INTO own_picture (id, jpeg) VALUES (1, ?1) ON CONFLICT (id) DO UPDATE SET jpeg = excluded.jpeg",
                params![picture.as_jpeg()],
            )?,
            // That it was removed is known from then on.
            None => self.connection.execute(
                "INSERT INTO own_picture (id, jpeg) VALUES (1, x'') ON CONFLICT (id) DO UPDATE SET jpeg = x''",
                [],
            )?,
        };
        Ok(())
    }

    /// The pictures of all contacts who have one.
    pub fn pictures(&self) -> Result<HashMap<PeerId, ProfilePicture>, StoreError> {
        let mut statement = self.connection.prepare_cached("SELECT peer, jpeg FROM pictures")?;
        let rows = statement.query_map([], |row| Ok((PeerId::from_bytes(row.get(0)?), row.get::<_, Vec<u8>>(1)?)))?;
        let kept = rows.filter_map(|row| {
            row.map(|(id, jpeg)| ProfilePicture::of_jpeg(&jpeg).map(|picture| (id, picture))).transpose()
        });
        Ok(kept.collect::<Result<_, _>>()?)
    }

    /// Keeps the picture of a contact, or forgets it; of anybody else none is kept.
    pub fn set_picture(&self, id: PeerId, picture: Option<&ProfilePicture>) -> Result<(), StoreError> {
        match picture {
            Some(picture) => self.connection.execute(
                "INSERT INTO pictures (peer, jpeg) SELECT peer, ?2 FROM contacts WHERE peer = ?1
                 ON CONFLICT (peer) DO UPDATE SET jpeg = excluded.jpeg",
                params![id.as_bytes(), picture.as_jpeg()],
            )?,
            None => self.connection.execute("DELETE FROM pictures WHERE peer = ?1", params![id.as_bytes()])?,
        };
        Ok(())
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

    #[test]
    fn pictures_outlive_a_restart_and_go_with_the_contact() {
        let dir = tempfile::tempdir().unwrap();
        let id = PeerId::from_bytes([1; 32]);
        {
            let store = Store::open(dir.path()).unwrap();
            assert_eq!((store.own_picture().unwrap(), store.has_chosen_picture().unwrap()), (None, false));
            store.set_own_picture(Some(&picture(50))).unwrap();
            store.set_own_picture(Some(&picture(100))).unwrap();
            store.set_picture(id, Some(&picture(150))).unwrap();
            assert!(store.pictures().unwrap().is_empty(), "no contact");
            store.add_contact(id, "Ann", 100).unwrap();
            store.set_picture(id, Some(&picture(150))).unwrap();
            store.set_picture(id, Some(&picture(200))).unwrap();
        }
        let store = Store::open(dir.path()).unwrap();
        assert_eq!(store.own_picture().unwrap(), Some(picture(100)));
        assert_eq!(store.pictures().unwrap(), HashMap::from([(id, picture(200))]));
        store.set_own_picture(None).unwrap();
        assert_eq!((store.own_picture().unwrap(), store.has_chosen_picture().unwrap()), (None, true));
        store.remove_contact(id).unwrap();
        store.add_contact(id, "Ann", 200).unwrap();
        assert!(store.pictures().unwrap().is_empty(), "added anew");
        store.set_picture(id, Some(&picture(200))).unwrap();
        store.set_picture(id, None).unwrap();
        assert!(store.pictures().unwrap().is_empty());
    }

    #[test]
    fn a_picture_that_is_damaged_in_the_file_is_none() {
        let store = Store::in_memory().unwrap();
        store.add_contact(PeerId::from_bytes([1; 32]), "Ann", 100).unwrap();
        let damage = "INSERT INTO own_picture VALUES (1, x'ff'); INSERT INTO pictures SELECT peer, x'ff' FROM contacts";
        store.connection.execute_batch(damage).unwrap();
        assert_eq!(store.own_picture().unwrap(), None);
        assert!(store.pictures().unwrap().is_empty());
    }
}
