//! Parser of a line of standard input as a command, with the variants of JSON that scripting languages write.

use serde_json::{Map, Number, Value};

use crate::controller::Command;

/// The byte order mark (U+FEFF in UTF-8) that some programs write first.
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Characters of a command's name that an error tells, at most.
const MAX_NAME: usize = 64;

/// A line.
#[derive(Debug, PartialEq)]
pub(super) enum CommandLine {
    /// Nothing but white space.
    Empty,
    /// The end.
    Quit,
    /// Something to do.
    Command(Command),
    /// No command.
    Refused {
        /// Why, in a sentence.
        message: String,
        /// The name that the line gives, if it gives one.
        command: String,
    },
}

impl CommandLine {
    /// Reads a line.
    pub(super) fn read(line: &[u8]) -> Self {
        let line = line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line);
        if line.iter().all(u8::is_ascii_whitespace) {
            return Self::Empty;
        }
        let fields = match serde_json::from_slice(line) {
            Ok(Value::Object(fields)) => fields,
            Ok(_) => return Self::refused("it is no JSON object, such as {\"command\":\"contacts\"}", ""),
            Err(error) => return Self::refused(&format!("it is not JSON: {error}"), ""),
        };
        let name = match fields.get("command") {
            Some(Value::String(name)) => name.chars().take(MAX_NAME).collect::<String>(),
            Some(_) => return Self::refused("\"command\" is not a text", ""),
            None => return Self::refused("it has no field \"command\"", ""),
        };
        match serde_json::from_value(with_whole_numbers(fields)) {
            Ok(Command::Quit) => Self::Quit,
            Ok(command) => Self::Command(command),
            Err(error) => Self::refused(&error.to_string(), &name),
        }
    }

    fn refused(why: &str, command: &str) -> Self {
        Self::Refused { message: format!("This is not a command: {why}."), command: command.to_owned() }
    }
}

/// The same with 30 for 30.0, which is how languages with one kind of number write it.
fn with_whole_numbers(fields: Map<String, Value>) -> Value {
    fields.into_iter().map(|(name, value)| (name, whole_numbers(value))).collect()
}

fn whole_numbers(value: Value) -> Value {
    /// Beyond, a float does not tell one whole number from the next.
    const EXACT: f64 = (1_u64 << 53) as f64;
    match value {
        Value::Object(fields) => with_whole_numbers(fields),
        Value::Array(values) => values.into_iter().map(whole_numbers).collect(),
        Value::Number(number) => {
            let float = number.as_f64().filter(|float| number.is_f64() && float.fract() == 0.0 && float.abs() < EXACT);
            Value::Number(float.map_or(number, |float| Number::from(float as i64)))
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controller::VideoChoice;

    fn command(line: &str) -> Command {
        match CommandLine::read(line.as_bytes()) {
            CommandLine::Command(command) => command,
            other => panic!("{line}: {other:?}"),
        }
    }

    fn refusal(line: &str) -> (String, String) {
        match CommandLine::read(line.as_bytes()) {
            CommandLine::Refused { message, command } => (message, command),
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn a_byte_order_mark_costs_nothing() {
        assert_eq!(command("\u{feff}{\"command\":\"contacts\"}\r\n"), Command::Contacts);
        assert_eq!(command("\u{feff} {\"command\":\"leave\"}"), Command::Leave);
        assert_eq!(CommandLine::read("\u{feff}\r\n".as_bytes()), CommandLine::Empty);
        assert_eq!(CommandLine::read("\u{feff}{\"command\":\"quit\"}".as_bytes()), CommandLine::Quit);
    }

    #[test]
    fn a_whole_number_may_be_written_as_any_language_writes_it() {
        for fps in ["30", "30.0", "3e1", "30.000", "3.0E+1", "300e-1"] {
            let line = format!(r#"{{"command":"create_stream","audio":false,"video":"low","max_fps":{fps}}}"#);
            let Command::CreateStream { max_fps, .. } = command(&line) else { panic!("{fps}") };
            assert_eq!(max_fps, Some(30), "{fps}");
        }
        assert_eq!(
            command(r#"{"command":"update_settings","settings":{"max_fps":15.0}}"#),
            command(r#"{"command":"update_settings","settings":{"max_fps":15}}"#)
        );
        assert_eq!(command(r#"{"command":"dismiss_notice","notice":7.0}"#), Command::DismissNotice { notice: 7 });
        for fps in ["30.5", "-30.0", "1e300", "\"30\"", "30e9"] {
            let line = format!(r#"{{"command":"create_stream","max_fps":{fps}}}"#);
            assert_eq!(refusal(&line).1, "create_stream", "{fps}");
        }
    }

    #[test]
    fn a_refusal_says_what_is_wrong_in_words_of_the_contract() {
        for (line, why) in [
            ("[1,2]", "it is no JSON object"),
            ("\"contacts\"", "it is no JSON object"),
            (r#"{"to":"nobody"}"#, "it has no field \"command\""),
            (r#"{"command":5}"#, "\"command\" is not a text"),
            (r#"{"command":"create_stream","video":5}"#, "true, false or the name of a preset"),
            (r#"{"command":"create_stream","video":{"on":true}}"#, "true, false or the name of a preset"),
            (r#"{"command":"create_stream","video":"huge"}"#, "huge"),
            (r#"{"command":"create_stream","volume":3}"#, "volume"),
            (r#"{"command":"dance"}"#, "dance"),
            ("{\"command\":", "it is not JSON"),
        ] {
            let (message, _) = refusal(line);
            assert!(message.contains(why), "{line}: {message}");
            for inside in ["enum", "struct", "untagged", "variant of", "VideoChoice", "Text"] {
                assert!(!message.contains(inside), "{line}: {message}");
            }
        }
    }

    #[test]
    fn the_error_names_the_command() {
        assert_eq!(refusal(r#"{"command":"cancel","invite":"xyz"}"#).1, "cancel");
        assert_eq!(refusal(&format!(r#"{{"command":"{}"}}"#, "x".repeat(1000))).1.len(), MAX_NAME);
    }

    #[test]
    fn video_is_a_switch_or_a_preset() {
        for (json, video) in [("false", VideoChoice::Off), ("true", VideoChoice::default())] {
            let line = format!(r#"{{"command":"create_stream","video":{json}}}"#);
            let Command::CreateStream { video: read, .. } = command(&line) else { panic!("{json}") };
            assert_eq!(read, video);
        }
    }
}
