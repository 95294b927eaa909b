//! Call history, of which the newest calls are kept.

use rusqlite::{OptionalExtension, params};

use crate::call::{CallEnd, MAX_USER_DATA};
use crate::identity::{PeerId, display_name, plain_text};

use super::{Store, StoreError};

/// How many calls are kept, those in vain of strangers aside.
pub const HISTORY_KEPT: usize = 400;

/// How many calls in vain of people who are no contacts are kept: anybody can make as many of these as they like.
const STRANGERS_IN_VAIN_KEPT: usize = 100;

/// Ends of incoming calls to which nobody here did anything, so that the caller alone decides how many there are.
const IN_VAIN: [CallEnd; 3] = [CallEnd::Missed, CallEnd::NeedsNewerHere, CallEnd::NeedsNewerThere];

/// Condition for rows of the history: incoming calls that ended as in [`IN_VAIN`], the first three parameters.
const INCOMING_IN_VAIN: &str = "(outgoing = 0 AND duration_s = 0 AND ended IN (?1, ?2, ?3))";

/// A call of the past.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryRecord {
    /// With whom.
    pub peer: PeerId,
    /// Their name then; empty when it cannot be shown.
    pub name: String,
    /// True when this side called.
    pub outgoing: bool,
    /// When it began, in seconds since 1970 (UTC).
    pub at_unix_s: i64,
    /// How long they were connected, in seconds; 0 when they never were.
    pub duration_s: u32,
    /// How it ended.
    pub ended: CallEnd,
    /// False for a missed call that nobody has looked at.
    pub seen: bool,
    /// The caller's note; empty without one.
    pub note: String,
}

/// A call as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptCall {
    /// Its number, by which it is forgotten.
    pub number: i64,
    /// How often in a row the person rang in vain since somebody looked, of an incoming call in vain; else 1.
    pub times: u32,
    /// The call; of several in a row the latest.
    pub record: HistoryRecord,
}

impl HistoryRecord {
    /// True for an incoming call that ended before anybody here did anything.
    pub fn is_incoming_in_vain(&self) -> bool {
        !self.outgoing && self.duration_s == 0 && IN_VAIN.contains(&self.ended)
    }
}

impl Store {
    /// Every call that is kept, by its beginning, latest first. One that a newer version wrote in its own words is left
    /// out.
    pub fn history(&self) -> Result<Vec<KeptCall>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT peer, name, outgoing, at_unix_s, duration_s, ended, number, times, seen, note FROM history
             ORDER BY at_unix_s DESC, number DESC",
        )?;
        let rows = statement.query_map([], |row| {
            let ended: String = row.get(5)?;
            let Ok(ended) = serde_json::from_str(&ended) else { return Ok(None) };
            let record = HistoryRecord {
                peer: PeerId::from_bytes(row.get(0)?),
                name: display_name(row.get_ref(1)?.as_str()?),
                outgoing: row.get(2)?,
                at_unix_s: row.get(3)?,
                duration_s: row.get(4)?,
                ended,
                seen: row.get(8)?,
                note: plain_text(row.get_ref(9)?.as_str()?, MAX_USER_DATA),
            };
            Ok(Some(KeptCall { number: row.get(6)?, times: row.get(7)?, record }))
        })?;
        Ok(rows.filter_map(Result::transpose).collect::<Result<_, _>>()?)
    }

    /// Adds a call. An incoming one in vain (missed, or from a program of another version) takes the place of the same
    /// person's latest, if that was in vain too, and counts how many nobody has seen; until somebody looks it stays
    /// unseen, and a note stays where there is no new one. Beyond [`HISTORY_KEPT`], and a hundred such calls of
    /// strangers beside them, the oldest are forgotten: no stranger can ring others' calls away.
    pub fn add_history(&mut self, record: &HistoryRecord) -> Result<(), StoreError> {
        let as_json = |end| serde_json::to_string(&end).map_err(|error| StoreError::Other(error.into()));
        let ended = as_json(record.ended)?;
        let [missed, newer_here, newer_there] = IN_VAIN.map(as_json);
        let (missed, newer_here, newer_there) = (missed?, newer_here?, newer_there?);
        let transaction = self.connection.transaction()?;
        let (mut times, mut note, mut seen) = (1_u32, record.note.clone(), record.seen);
        if record.is_incoming_in_vain() {
            let replaced = transaction
                .query_row(
                    &format!(
                        "DELETE FROM history WHERE {INCOMING_IN_VAIN} AND number =
                         (SELECT max(number) FROM history WHERE peer = ?4) RETURNING seen, note, times"
                    ),
                    params![missed, newer_here, newer_there, record.peer.as_bytes()],
                    |row| Ok((row.get::<_, bool>(0)?, row.get::<_, String>(1)?, row.get::<_, u32>(2)?)),
                )
                .optional()?;
            if let Some((false, unseen, before)) = replaced {
                times = times.saturating_add(before);
                seen = false;
                if note.is_empty() {
                    note = unseen;
                }
            }
        }
        let HistoryRecord { peer, name, outgoing, at_unix_s, duration_s, .. } = record;
        transaction.execute(
            "INSERT INTO history (peer, name, outgoing, at_unix_s, duration_s, ended, seen, note, times)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            params![peer.as_bytes(), name, outgoing, at_unix_s, duration_s, ended, seen, note, times],
        )?;
        for (not, kept) in [("", STRANGERS_IN_VAIN_KEPT), ("NOT ", HISTORY_KEPT)] {
            let these = format!("{not}({INCOMING_IN_VAIN} AND peer NOT IN (SELECT peer FROM contacts))");
            transaction.execute(
                &format!(
                    "DELETE FROM history WHERE {these} AND number NOT IN
                     (SELECT number FROM history WHERE {these} ORDER BY number DESC LIMIT ?4)"
                ),
                params![missed, newer_here, newer_there, kept as i64],
            )?;
        }
        Ok(transaction.commit()?)
    }

    /// How many calls nobody has looked at, of every call that is kept.
    pub fn unseen_calls(&self) -> Result<u32, StoreError> {
        let mut statement =
            self.connection.prepare_cached("SELECT coalesce(sum(times), 0) FROM history WHERE seen = 0")?;
        Ok(statement.query_row([], |row| row.get(0))?)
    }

    /// Forgets one call. False when there is none of this number.
    pub fn forget_call(&self, number: i64) -> Result<bool, StoreError> {
        Ok(self.connection.execute("DELETE FROM history WHERE number = ?1", [number])? > 0)
    }

    /// Notes that the missed calls of this person, or of everybody, have been seen.
    pub fn mark_calls_seen(&self, of: Option<PeerId>) -> Result<(), StoreError> {
        let of = of.map(|peer| *peer.as_bytes());
        let marked = "UPDATE history SET seen = 1 WHERE seen = 0 AND peer = coalesce(?1, peer)";
        self.connection.execute(marked, params![of])?;
        Ok(())
    }

    /// Takes the table of calls away, as damage of the file does.
    #[cfg(test)]
    pub(crate) fn lose_history(&self) {
        self.connection.execute_batch("DROP TABLE history").unwrap();
    }

    /// Forgets every call.
    pub fn clear_history(&self) -> Result<(), StoreError> {
        self.connection.execute("DELETE FROM history", [])?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::call::DisconnectReason;

    use super::*;

    /// The calls alone.
    fn kept_records(store: &Store) -> Vec<HistoryRecord> {
        store.history().unwrap().into_iter().map(|kept| kept.record).collect()
    }

    fn record(number: i64, ended: CallEnd) -> HistoryRecord {
        HistoryRecord {
            peer: PeerId::from_bytes([9; 32]),
            name: format!("Call {number}"),
            outgoing: number % 2 == 0,
            at_unix_s: 1_700_000_000 + number,
            duration_s: 7,
            ended,
            seen: true,
            note: String::new(),
        }
    }

    #[test]
    fn every_end_is_found_again_latest_first() {
        let mut store = Store::in_memory().unwrap();
        let ends = [
            CallEnd::Declined,
            CallEnd::Busy,
            CallEnd::NoAnswer,
            CallEnd::Canceled,
            CallEnd::Missed,
            CallEnd::DeclinedHere,
            CallEnd::Unreachable,
            CallEnd::Ended(DisconnectReason::Left),
            CallEnd::Ended(DisconnectReason::HungUp),
            CallEnd::Ended(DisconnectReason::Failed),
            CallEnd::Ended(DisconnectReason::Lost),
        ];
        let mut records: Vec<_> = ends.into_iter().enumerate().map(|(n, end)| record(n as i64, end)).collect();
        for record in &records {
            store.add_history(record).unwrap();
        }
        records.reverse();
        assert_eq!(kept_records(&store), records);
        store.clear_history().unwrap();
        assert!(store.history().unwrap().is_empty());
    }

    #[test]
    fn the_newest_calls_are_kept() {
        let mut store = Store::in_memory().unwrap();
        for number in 0..HISTORY_KEPT as i64 + 20 {
            store.add_history(&record(number, CallEnd::NoAnswer)).unwrap();
        }
        let history = kept_records(&store);
        assert_eq!(history.len(), HISTORY_KEPT);
        assert_eq!(history[0].name, "Call 419");
        assert_eq!(history[HISTORY_KEPT - 1].name, "Call 20");
    }

    fn missed(peer: u32, number: i64) -> HistoryRecord {
        let mut key = [0; 32];
        key[..4].copy_from_slice(&peer.to_be_bytes());
        let peer = PeerId::from_bytes(key);
        HistoryRecord { peer, outgoing: false, duration_s: 0, seen: false, ..record(number, CallEnd::Missed) }
    }

    #[test]
    fn one_person_who_is_missed_again_and_again_takes_one_row() {
        let mut store = Store::in_memory().unwrap();
        store.add_history(&missed(1, 0)).unwrap();
        store.add_history(&missed(2, 1)).unwrap();
        store.add_history(&missed(1, 2)).unwrap();
        assert_eq!(kept_records(&store), [missed(1, 2), missed(2, 1)]);
        assert_eq!(store.history().unwrap().iter().map(|kept| kept.times).collect::<Vec<_>>(), [2, 1]);
        let talked = HistoryRecord { ended: CallEnd::Ended(DisconnectReason::Left), ..missed(1, 3) };
        store.add_history(&talked).unwrap();
        for (times, ended) in (1..).zip(IN_VAIN) {
            let in_vain = HistoryRecord { ended, ..missed(1, 4) };
            store.add_history(&in_vain).unwrap();
            assert_eq!(store.history().unwrap()[0].times, times);
            assert_eq!(kept_records(&store), [in_vain, talked.clone(), missed(1, 2), missed(2, 1)]);
        }
    }

    #[test]
    fn a_missed_call_is_unseen_until_it_is_looked_at_and_its_note_outlives_a_call_without_one() {
        let mut store = Store::in_memory().unwrap();
        let unseen =
            |peer, number, note: &str| HistoryRecord { seen: false, note: note.into(), ..missed(peer, number) };
        let unseen_now = |store: &Store| -> Vec<(String, String)> {
            let history = store.history().unwrap().into_iter().map(|kept| kept.record);
            history.filter(|call| !call.seen).map(|call| (call.name, call.note)).collect()
        };
        let told = |name: &str, note: &str| (name.to_owned(), note.to_owned());
        store.add_history(&unseen(1, 0, "urgent\u{202e}")).unwrap();
        store.add_history(&unseen(2, 1, "")).unwrap();
        store.add_history(&unseen(1, 2, "")).unwrap();
        assert_eq!(unseen_now(&store), [told("Call 2", "urgent"), told("Call 1", "")]);
        store.add_history(&unseen(1, 3, "call me")).unwrap();
        assert_eq!(unseen_now(&store), [told("Call 3", "call me"), told("Call 1", "")]);
        store.mark_calls_seen(Some(unseen(1, 0, "").peer)).unwrap();
        assert_eq!(unseen_now(&store), [told("Call 1", "")]);
        store.add_history(&unseen(1, 4, "")).unwrap();
        assert_eq!(store.history().unwrap()[0].times, 1, "those before it were seen");
        assert_eq!(
            unseen_now(&store),
            [told("Call 4", ""), told("Call 1", "")],
            "a note that was seen is not told again"
        );
        store.mark_calls_seen(None).unwrap();
        assert!(unseen_now(&store).is_empty());
    }

    #[test]
    fn a_missed_call_that_nobody_has_seen_stays_so_when_a_call_of_another_version_takes_its_place() {
        let mut store = Store::in_memory().unwrap();
        store.add_history(&HistoryRecord { seen: false, note: "urgent".into(), ..missed(1, 0) }).unwrap();
        let newer = |number| HistoryRecord { ended: CallEnd::NeedsNewerHere, seen: true, ..missed(1, number) };
        store.add_history(&newer(1)).unwrap();
        let unseen = HistoryRecord { seen: false, note: "urgent".into(), ..newer(1) };
        let history: Vec<HistoryRecord> = store.history().unwrap().into_iter().map(|kept| kept.record).collect();
        assert_eq!((history, store.unseen_calls().unwrap()), (vec![unseen], 2));
        store.mark_calls_seen(None).unwrap();
        store.add_history(&newer(2)).unwrap();
        assert_eq!((store.history().unwrap()[0].record.seen, store.unseen_calls().unwrap()), (true, 0));
    }

    #[test]
    fn strangers_who_ring_and_hang_up_push_out_only_each_other() {
        let mut store = Store::in_memory().unwrap();
        let (friend, talked) = (missed(1, 0), record(1, CallEnd::Ended(DisconnectReason::HungUp)));
        store.add_contact(friend.peer, "Friend", 0).unwrap();
        store.add_history(&friend).unwrap();
        store.add_history(&talked).unwrap();
        for stranger in 2..1000 {
            let ended = IN_VAIN[stranger as usize % IN_VAIN.len()];
            store.add_history(&HistoryRecord { ended, ..missed(stranger, i64::from(stranger)) }).unwrap();
        }
        let history = kept_records(&store);
        assert_eq!(history.len(), STRANGERS_IN_VAIN_KEPT + 2);
        assert_eq!((&history[0], &history[STRANGERS_IN_VAIN_KEPT..]), (&missed(999, 999), &[talked, friend][..]));
    }

    #[test]
    fn a_name_that_cannot_be_seen_is_none_however_it_was_kept() {
        let mut store = Store::in_memory().unwrap();
        store.add_history(&HistoryRecord { name: "\u{ffa0}".into(), ..record(1, CallEnd::Busy) }).unwrap();
        store.add_history(&HistoryRecord { name: "B\u{202e}o".into(), ..record(2, CallEnd::Busy) }).unwrap();
        let names: Vec<_> = kept_records(&store).into_iter().map(|record| record.name).collect();
        assert_eq!(names, ["Bo", ""]);
    }

    #[test]
    fn an_end_in_unknown_words_is_left_out() {
        let mut store = Store::in_memory().unwrap();
        store.add_history(&record(1, CallEnd::Busy)).unwrap();
        store.connection.execute("UPDATE history SET ended = '\"abducted\"'", []).unwrap();
        store.add_history(&record(2, CallEnd::Missed)).unwrap();
        assert_eq!(kept_records(&store), [record(2, CallEnd::Missed)]);
    }

    #[test]
    fn calls_are_in_the_order_of_their_beginnings() {
        let mut store = Store::in_memory().unwrap();
        for began in [5, 9, 7] {
            store.add_history(&record(began, CallEnd::Busy)).unwrap();
        }
        let began: Vec<_> = kept_records(&store).iter().map(|record| record.at_unix_s - 1_700_000_000).collect();
        assert_eq!(began, [9, 7, 5]);
    }

    #[test]
    fn one_call_is_forgotten_by_its_number_and_no_other() {
        let mut store = Store::in_memory().unwrap();
        for number in 0..3 {
            store.add_history(&record(number, CallEnd::Busy)).unwrap();
        }
        let middle = store.history().unwrap()[1].number;
        assert!(store.forget_call(middle).unwrap() && !store.forget_call(middle).unwrap());
        assert_eq!(kept_records(&store), [record(2, CallEnd::Busy), record(0, CallEnd::Busy)]);
    }
}
