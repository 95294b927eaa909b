//! The tables, and the steps that bring those of an older version up to date.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::Connection;
use rusqlite_migration::{M, Migrations};

use super::StoreError;

/// One step a version of the schema; a step that was ever released is never changed.
const STEPS: &[M<'_>] = &[
    M::up(
        "CREATE TABLE settings (
         id INTEGER PRIMARY KEY CHECK (id = 1),
         json TEXT NOT NULL,
         unreadable_json TEXT
     ) STRICT;
     CREATE TABLE contacts (
         peer BLOB PRIMARY KEY CHECK (length(peer) = 32),
         name TEXT NOT NULL,
         given_name TEXT NOT NULL DEFAULT '',
         added_at_unix_s INTEGER NOT NULL
     ) STRICT;
     CREATE TABLE blocked (
         peer BLOB PRIMARY KEY CHECK (length(peer) = 32)
     ) STRICT;
     CREATE TABLE history (
         number INTEGER PRIMARY KEY AUTOINCREMENT,
         peer BLOB NOT NULL CHECK (length(peer) = 32),
         name TEXT NOT NULL,
         outgoing INTEGER NOT NULL,
         at_unix_s INTEGER NOT NULL,
         duration_s INTEGER NOT NULL,
         ended TEXT NOT NULL
     ) STRICT;",
    ),
    M::up("ALTER TABLE contacts ADD COLUMN verified_by BLOB CHECK (verified_by IS NULL OR length(verified_by) = 32)"),
    M::up(
        "CREATE TABLE undelivered_calls (
         peer BLOB PRIMARY KEY CHECK (length(peer) = 32),
         at_unix_s INTEGER NOT NULL
     ) STRICT",
    ),
    M::up(
        "CREATE TABLE given_invitations (
         token BLOB PRIMARY KEY CHECK (length(token) = 16),
         at_unix_s INTEGER NOT NULL
     ) STRICT;
     CREATE TABLE held_invitations (
         peer BLOB PRIMARY KEY CHECK (length(peer) = 32),
         token BLOB NOT NULL CHECK (length(token) = 16),
         at_unix_s INTEGER NOT NULL
     ) STRICT;",
    ),
    M::up(
        "ALTER TABLE contacts ADD COLUMN volume_percent INTEGER NOT NULL DEFAULT 100
         CHECK (volume_percent BETWEEN 0 AND 200)",
    ),
    // Calls of before count as seen.
    M::up(
        "ALTER TABLE history ADD COLUMN seen INTEGER NOT NULL DEFAULT 1;
         ALTER TABLE history ADD COLUMN note TEXT NOT NULL DEFAULT '';",
    ),
    M::up(
        "ALTER TABLE contacts ADD COLUMN favourite INTEGER NOT NULL DEFAULT 0;
         ALTER TABLE history ADD COLUMN times INTEGER NOT NULL DEFAULT 1;",
    ),
    M::up(
        "CREATE TABLE own_picture (
         id INTEGER PRIMARY KEY CHECK (id = 1),
         jpeg BLOB NOT NULL
     ) STRICT;
     CREATE TABLE pictures (
         peer BLOB PRIMARY KEY CHECK (length(peer) = 32),
         jpeg BLOB NOT NULL
     ) STRICT;",
    ),
];

/// Brings the schema up to date. Refuses one that a newer version made, and does not touch it.
pub(super) fn bring_up_to_date(connection: &mut Connection) -> Result<(), StoreError> {
    if version(connection)? == 0 {
        recognise(connection)?;
    }
    Migrations::from_slice(STEPS).to_latest(connection)?;
    let (found, made) = (tables(connection)?, made_by(STEPS.len())?);
    let is_whole = |(name, (_, columns)): (&String, &(String, BTreeSet<String>))| {
        found.get(name).is_some_and(|(_, found)| columns.is_subset(found))
    };
    if made.iter().all(is_whole) { Ok(()) } else { Err(StoreError::Damaged("a table or a column is missing".into())) }
}

/// The tables as a version of the schema has them.
fn made_by(version: usize) -> Result<Tables, StoreError> {
    let mut made = Connection::open_in_memory()?;
    Migrations::from_slice(STEPS).to_version(&mut made, version)?;
    tables(&made)
}

/// Refuses a file that a newer version made.
pub(super) fn refuse_newer(connection: &Connection) -> Result<(), StoreError> {
    if usize::try_from(version(connection)?).is_ok_and(|version| version <= STEPS.len()) {
        Ok(())
    } else {
        Err(StoreError::MadeByNewerVersion)
    }
}

/// The version of the schema as the file tells it; 0 for one without tables.
pub(super) fn version(connection: &Connection) -> Result<i64, StoreError> {
    Ok(connection.pragma_query_value(None, "user_version", |row| row.get(0))?)
}

/// A table: how it is made, and its columns.
type Tables = BTreeMap<String, (String, BTreeSet<String>)>;

/// The tables that are no part of SQLite itself.
fn tables(connection: &Connection) -> Result<Tables, StoreError> {
    let mut statement = connection.prepare(
        "SELECT tables.name, tables.sql, columns.name FROM sqlite_schema AS tables, pragma_table_info(tables.name) AS columns
         WHERE tables.type = 'table' AND tables.name NOT LIKE 'sqlite%'",
    )?;
    let mut rows = statement.query([])?;
    let mut tables = Tables::new();
    while let Some(row) = rows.next()? {
        let table = tables.entry(row.get(0)?).or_insert((row.get(1)?, BTreeSet::new()));
        table.1.insert(row.get(2)?);
    }
    Ok(tables)
}

/// Finds by its tables which version made a file that does not say so: a copy that was made by way of SQL, the usual
/// repair, loses the number. Tables that the repair has lost are made anew.
fn recognise(connection: &mut Connection) -> Result<(), StoreError> {
    let found = tables(connection)?;
    let is_ours = |of: &Tables| of.keys().any(|name| found.contains_key(name));
    for version in (1..=STEPS.len()).rev() {
        let made = made_by(version)?;
        let fits = made.iter().all(|(name, (_, columns))| found.get(name).is_none_or(|(_, of)| columns.is_subset(of)));
        if !is_ours(&made) || !fits {
            continue;
        }
        let transaction = connection.transaction()?;
        for (_, (sql, _)) in made.iter().filter(|(name, _)| !found.contains_key(*name)) {
            transaction.execute_batch(sql)?;
        }
        transaction.pragma_update(None, "user_version", version as i64)?;
        return Ok(transaction.commit()?);
    }
    if is_ours(&made_by(STEPS.len())?) {
        return Err(StoreError::Damaged("the tables are of no known version".into()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_steps_are_valid() {
        assert_eq!(Migrations::from_slice(STEPS).validate(), Ok(()));
    }

    #[test]
    fn contacts_of_every_older_version_are_kept_unverified_and_no_favourites() {
        for version in 1..STEPS.len() {
            for knows_version in [true, false] {
                let mut connection = Connection::open_in_memory().unwrap();
                Migrations::from_slice(STEPS).to_version(&mut connection, version).unwrap();
                connection
                    .execute("INSERT INTO contacts (peer, name, added_at_unix_s) VALUES (zeroblob(32), 'Ann', 5)", [])
                    .unwrap();
                if !knows_version {
                    connection.pragma_update(None, "user_version", 0).unwrap();
                }
                bring_up_to_date(&mut connection).unwrap();
                assert_eq!(super::version(&connection).unwrap(), STEPS.len() as i64);
                let kept = connection.query_row("SELECT name, verified_by, favourite FROM contacts", [], |row| {
                    Ok((row.get::<_, String>(0)?, row.get::<_, Option<Vec<u8>>>(1)?, row.get::<_, bool>(2)?))
                });
                assert_eq!(kept.unwrap(), ("Ann".to_owned(), None, false));
            }
        }
    }

    fn made() -> Connection {
        let mut connection = Connection::open_in_memory().unwrap();
        bring_up_to_date(&mut connection).unwrap();
        connection
    }

    #[test]
    fn a_file_that_lost_its_version_is_recognised() {
        for lost in [&[][..], &["history"], &["settings", "blocked"]] {
            let mut connection = made();
            connection
                .execute("INSERT INTO contacts (peer, name, added_at_unix_s) VALUES (zeroblob(32), 'Ann', 5)", [])
                .unwrap();
            for table in lost {
                connection.execute_batch(&format!("DROP TABLE {table}")).unwrap();
            }
            connection.execute_batch("CREATE TABLE lost_and_found (a); PRAGMA user_version = 0").unwrap();
            bring_up_to_date(&mut connection).unwrap();
            assert_eq!(version(&connection).unwrap(), STEPS.len() as i64);
            let name: String = connection.query_row("SELECT name FROM contacts", [], |row| row.get(0)).unwrap();
            assert_eq!(name, "Ann");
            let names = |connection: &Connection| tables(connection).unwrap().into_keys().collect::<BTreeSet<_>>();
            assert!(names(&connection).is_superset(&names(&made())));
        }
    }

    #[test]
    fn tables_of_another_program_are_damage_and_are_left_as_they_are() {
        let mut connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("CREATE TABLE contacts (phone TEXT)").unwrap();
        assert!(matches!(bring_up_to_date(&mut connection), Err(StoreError::Damaged(_))));
        assert_eq!(version(&connection).unwrap(), 0);
    }

    #[test]
    fn a_table_that_is_gone_without_a_repair_is_damage() {
        for loss in
            ["DROP TABLE history", "ALTER TABLE contacts RENAME TO contactz", "ALTER TABLE blocked RENAME peer TO p"]
        {
            let mut connection = made();
            connection.execute_batch(loss).unwrap();
            assert!(matches!(bring_up_to_date(&mut connection), Err(StoreError::Damaged(_))), "{loss}");
        }
    }

    #[test]
    fn a_newer_version_is_refused() {
        let connection = made();
        connection.pragma_update(None, "user_version", STEPS.len() as i64 + 1).unwrap();
        assert!(matches!(refuse_newer(&connection), Err(StoreError::MadeByNewerVersion)));
        connection.pragma_update(None, "user_version", -1).unwrap();
        assert!(matches!(refuse_newer(&connection), Err(StoreError::MadeByNewerVersion)));
    }
}
