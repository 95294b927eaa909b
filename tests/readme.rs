//! The README's reference of commands and events leaves none out and invents none.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeSet;

const README: &str = include_str!("../README.md");

/// The variants of an enum, as the JSON lines write them.
fn variants(source: &str, head: &str) -> BTreeSet<String> {
    let body = source.split(head).nth(1).expect("the enum").split("\n}").next().expect("its end");
    body.lines()
        .filter_map(|line| line.strip_prefix("    "))
        .filter(|line| line.starts_with(|first: char| first.is_ascii_uppercase()))
        .map(|line| line.chars().take_while(char::is_ascii_alphanumeric).collect::<String>())
        .map(|name| snake_case(&name))
        .collect()
}

fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

/// The names in the first column of the table under a heading.
fn documented(heading: &str) -> BTreeSet<String> {
    let section = README.split(heading).nth(1).expect("the heading").split("\n###").next().expect("text");
    let table = section.split("\n\n").find(|part| part.contains("| `quit` |") || part.contains("| `ready` |"));
    let rows = table.expect("the table").lines();
    rows.filter_map(|row| row.strip_prefix("| `")?.split('`').next()).map(str::to_owned).collect()
}

#[test]
fn every_command_is_documented() {
    let source = include_str!("../src/controller/command.rs");
    assert_eq!(documented("### Commands"), variants(source, "pub enum Command {"));
}

#[test]
fn every_event_is_documented() {
    let source = include_str!("../src/controller/event.rs");
    assert_eq!(documented("### Events"), variants(source, "pub enum Event {"));
}
