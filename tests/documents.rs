//! Documents held to the code: the contract of commands and events, the fields of measurements, paths and links.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod project_files;

use std::collections::BTreeSet;
use std::fs;

use clap::CommandFactory;
use project_files::{files_below, pages, root};
use visavis::store::Settings;

const AUTOMATION: &str = include_str!("../docs/automation.md");
const MEASUREMENTS: &str = include_str!("../docs/measurements.md");

#[test]
fn every_command_is_documented() {
    let source = include_str!("../src/controller/command.rs");
    let command = |row: &[String]| row.first().cloned();
    assert_eq!(
        first_names(&table(AUTOMATION, "## Commands", "Command"), command),
        variants(source, "pub enum Command {")
    );
}

#[test]
fn every_event_is_documented() {
    let source = include_str!("../src/controller/event.rs");
    let event = |row: &[String]| row.first().cloned();
    assert_eq!(first_names(&table(AUTOMATION, "## Events", "Event"), event), variants(source, "pub enum Event {"));
}

#[test]
fn every_field_of_statistics_is_documented() {
    let source = include_str!("../src/controller/event.rs");
    let mut fields = public_fields(source, "pub struct SentStats {");
    fields.extend(public_fields(source, "pub struct ReceivedStats {"));
    assert_eq!(all_names(&table(AUTOMATION, "### Statistics", "Field of `sent` and `received`")), fields);
}

#[test]
fn every_setting_is_documented() {
    let settings = serde_json::to_value(Settings::default()).expect("settings are an object");
    let fields: BTreeSet<String> = settings.as_object().expect("an object").keys().cloned().collect();
    assert_eq!(all_names(&table(AUTOMATION, "### Settings", "Setting")), fields);
}

#[test]
fn every_option_and_subcommand_is_documented() {
    let arguments = visavis::cli::Arguments::command();
    let options: BTreeSet<String> = arguments
        .get_arguments()
        .filter(|argument| argument.is_global_set())
        .filter_map(|argument| argument.get_long().map(|long| format!("--{long}")))
        .collect();
    let described = table(AUTOMATION, "## Options", "Option");
    let described = described.iter().flat_map(|row| names(&row[0])).map(|name| first_word(&name)).collect();
    assert_eq!(options, described);

    let mut missing = Vec::new();
    for subcommand in arguments.get_subcommands() {
        let name = format!("visavis {}", subcommand.get_name());
        let further: Vec<String> =
            subcommand.get_subcommands().map(|below| format!("{name} {}", below.get_name())).collect();
        let wanted = if further.is_empty() { vec![name] } else { further };
        missing.extend(wanted.into_iter().filter(|wanted| !AUTOMATION.contains(&format!("\n{wanted} "))));
    }
    assert!(missing.is_empty(), "docs/automation.md lacks {missing:?}");
}

#[test]
fn every_field_of_a_measured_call_is_documented() {
    let source = include_str!("../src/cli/bench/call.rs");
    let body = source.split("struct CallFigures {").nth(1).expect("the figures").split("\n}").next().expect("its end");
    let fields =
        body.lines().filter_map(|line| line.trim().split_once(": ")).map(|(name, _)| name.to_owned()).collect();
    assert_eq!(all_names(&table(MEASUREMENTS, "## A call on one computer", "Field")), fields);
}

#[test]
fn every_field_of_a_measured_server_is_documented() {
    let source = include_str!("../src/cli/bench/server.rs");
    let body =
        source.split("struct ServerFigures {").nth(1).expect("the figures").split("\n}").next().expect("its end");
    let fields =
        body.lines().filter_map(|line| line.trim().split_once(": ")).map(|(name, _)| name.to_owned()).collect();
    assert_eq!(all_names(&table(MEASUREMENTS, "## A server with many people", "Field")), fields);
}

#[test]
fn every_field_of_measured_nodes_is_documented() {
    let source = include_str!("../src/cli/bench/nodes.rs");
    let body = source.split("struct NodesFigures {").nth(1).expect("the figures").split("\n}").next().expect("its end");
    let fields =
        body.lines().filter_map(|line| line.trim().split_once(": ")).map(|(name, _)| name.to_owned()).collect();
    assert_eq!(all_names(&table(MEASUREMENTS, "### Several nodes", "Field of nodes")), fields);
}

/// The figures of `/metrics` are those of the page for whoever runs a server.
#[test]
fn every_metric_is_documented() {
    let source = include_str!("../src/server/page.rs").split("#[cfg(test)]").next().expect("the code");
    let mut words = source.split('"').skip(1).step_by(2).filter(|word| !word.is_empty());
    let is_name = |word: &&str| word.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'_'));
    let is_kind = |word: &&str| ["gauge", "counter"].contains(word);
    let names: BTreeSet<String> =
        words.by_ref().filter(|word| is_name(word) && !is_kind(word)).map(|name| format!("visavis_{name}")).collect();
    let page = include_str!("../docs/running-a-server.md");
    let rows = page.lines().filter(|line| line.starts_with("| `visavis_"));
    let described = rows.flat_map(names_in).collect();
    assert!(names.len() > 10, "{names:?}");
    assert_eq!(names, described);
}

fn names_in(row: &str) -> Vec<String> {
    row.split('`').skip(1).step_by(2).filter(|span| span.starts_with("visavis_")).map(str::to_owned).collect()
}

#[test]
fn every_part_of_a_link_profile_is_documented() {
    let source = include_str!("../src/rtc/transport/link/profile.rs");
    let code = source.split("#[cfg(test)]").next().expect("code before its tests");
    let parts: BTreeSet<String> = code
        .lines()
        .filter(|line| line.contains("\" =>"))
        .filter_map(|line| line.trim().strip_prefix('"')?.split('"').next())
        .map(str::to_owned)
        .collect();
    let rows = table(MEASUREMENTS, "## Calls over a bad network", "Part of a profile (joined by commas)");
    let documented: BTreeSet<String> = rows
        .iter()
        .flat_map(|row| names(&row[0]))
        .filter_map(|name| Some(name.split_once('=')?.0.to_owned()))
        .collect();
    assert!(parts.len() > 8, "the parts of a profile were not found: {parts:?}");
    assert_eq!(documented, parts);
}

#[test]
fn readme_stays_short() {
    let lines = include_str!("../README.md").lines().count();
    assert!(lines < 200, "README.md has {lines} lines; the contract and the figures have pages of their own in docs");
}

#[test]
fn every_folder_of_the_source_is_described() {
    let architecture = include_str!("../ARCHITECTURE.md");
    let described: BTreeSet<String> = all_names(&table(architecture, "## Folders", "folder"));
    let folders = fs::read_dir(root().join("src")).expect("the source").map_while(Result::ok);
    let folders =
        folders.filter(|entry| entry.path().is_dir()).map(|entry| entry.file_name().into_string().expect("UTF-8"));
    let missing: Vec<String> = folders.filter(|folder| !described.contains(folder)).collect();
    assert!(missing.is_empty(), "ARCHITECTURE.md describes no {missing:?}");
    let gone: Vec<&String> =
        described.iter().filter(|name| *name != "fuzz" && !root().join("src").join(name).is_dir()).collect();
    assert!(gone.is_empty(), "ARCHITECTURE.md describes {gone:?}, which does not exist");
}

#[test]
fn the_table_of_folders_has_the_tested_arrows() {
    let tested =
        include_str!("architecture.rs").split("const ARROWS").nth(1).and_then(|rest| rest.split("\n];").next());
    let code: String = tested
        .expect("the arrows")
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .map(str::trim)
        .collect();
    let mut checked = 0;
    for row in table(include_str!("../ARCHITECTURE.md"), "## Folders", "folder") {
        let described: BTreeSet<&str> = row[2].split(", ").filter(|name| *name != "nothing of ours").collect();
        if row[2].contains("everything") || row[2].contains(':') {
            continue;
        }
        for folder in names(&row[0]) {
            let entry =
                code.split(&format!("(\"{folder}\",")).nth(1).unwrap_or_else(|| panic!("no arrows of {folder}"));
            let allowed = entry.split(']').next().unwrap_or_default();
            let allowed: BTreeSet<&str> = allowed.split('"').skip(1).step_by(2).collect();
            assert_eq!(described, allowed, "{folder}");
            checked += 1;
        }
    }
    assert!(checked > 12, "{checked} folders were compared");
}

#[test]
fn links_lead_somewhere() {
    let mut broken = Vec::new();
    for page in pages() {
        let text = fs::read_to_string(&page).expect("UTF-8");
        let folder = page.parent().expect("a folder");
        for target in links(&text) {
            let (file, anchor) = target.split_once('#').unwrap_or((&target, ""));
            let file = if file.is_empty() { page.clone() } else { folder.join(file) };
            let leads = file.exists()
                && (anchor.is_empty() || headings(&fs::read_to_string(&file).unwrap_or_default()).contains(anchor));
            if !leads {
                broken.push(format!("{}: {target}", page.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn source_files_that_documents_name_exist() {
    let root = root();
    let files = [files_below(&root.join("src")), files_below(&root.join("tests"))].concat();
    let mut missing = Vec::new();
    for page in pages().into_iter().filter(|page| !page.ends_with("CHANGELOG.md")) {
        let text = fs::read_to_string(&page).expect("UTF-8");
        for name in
            code_spans(&text).into_iter().flat_map(|span| alternatives(&span)).filter(|name| name.ends_with(".rs"))
        {
            if !files.iter().any(|file| file.ends_with(&name)) {
                missing.push(format!("{}: {name}", page.strip_prefix(&root).expect("below the root").display()));
            }
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

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

fn public_fields(source: &str, head: &str) -> BTreeSet<String> {
    let body = source.split(head).nth(1).expect("the struct").split("\n}").next().expect("its end");
    let fields = body.lines().filter_map(|line| line.trim().strip_prefix("pub ")?.split_once(": "));
    fields.map(|(name, _)| name.to_owned()).collect()
}

/// The rows of the table below `heading` whose first column has the title `title`, each as its cells.
fn table(page: &str, heading: &str, title: &str) -> Vec<Vec<String>> {
    let section = page.split(&format!("\n{heading}\n")).nth(1).unwrap_or_else(|| panic!("no heading {heading}"));
    let head = format!("| {title} |");
    let mut lines = section.lines().skip_while(|line| !line.starts_with(&head)).skip(2).peekable();
    assert!(lines.peek().is_some(), "no table of {title} below {heading}");
    let cells = |line: &str| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
    lines.take_while(|line| line.starts_with('|')).map(cells).collect()
}

fn first_names(rows: &[Vec<String>], column: impl Fn(&[String]) -> Option<String>) -> BTreeSet<String> {
    rows.iter().filter_map(|row| names(&column(row)?).into_iter().next()).collect()
}

fn all_names(rows: &[Vec<String>]) -> BTreeSet<String> {
    rows.iter().flat_map(|row| names(&row[0])).collect()
}

fn names(cell: &str) -> Vec<String> {
    code_spans(cell)
}

fn first_word(text: &str) -> String {
    text.split(' ').next().unwrap_or_default().to_owned()
}

/// The texts between backticks, blocks of code left out.
fn code_spans(text: &str) -> Vec<String> {
    let prose: Vec<&str> = text.split("```").step_by(2).collect();
    prose.iter().flat_map(|part| part.split('`').skip(1).step_by(2)).map(|span| span.replace('\n', " ")).collect()
}

/// The names that `a/{b,c}.rs` stands for.
fn alternatives(span: &str) -> Vec<String> {
    let Some((before, rest)) = span.split_once('{') else {
        return vec![span.to_owned()];
    };
    let Some((inside, after)) = rest.split_once('}') else {
        return vec![span.to_owned()];
    };
    inside.split(',').map(|part| format!("{before}{}{after}", part.trim())).collect()
}

fn links(text: &str) -> Vec<String> {
    let after = text.split("](").skip(1);
    let targets = after.filter_map(|rest| rest.split(')').next());
    targets.filter(|target| !target.contains("://") && !target.contains('\n')).map(str::to_owned).collect()
}

/// The anchors of a page's headings.
fn headings(page: &str) -> BTreeSet<String> {
    let titles = page.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches(['#', ' ']));
    let kept = |letter: &char| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_');
    titles.map(|title| title.to_lowercase().chars().filter(kept).collect::<String>().replace(' ', "-")).collect()
}
