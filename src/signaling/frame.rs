//! What stands in an envelope's body: JSON, one frame an envelope. Runs on the connections' tasks. Fields, kinds of frame and
//! kinds of message that this version does not know are another version's, and are passed over.
//!
//! ```text
//! dialer                                  listener
//! hello {challenge: a}          ------->              proves nothing yet: it may be a recording
//!                               <-------  hello {challenge: b, answer: a}     the listener is there, now
//! confirm {answer: b}           ------->              the dialer is there, now
//! message, name ...             <------>  message, name ...
//! ```

use serde::{Deserialize, Serialize};

use super::Message;

/// The first frame each way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// Random, chosen at each start of the app: tells a restarted app from a second connection. 32 hexadecimal digits.
    pub instance: String,
    /// The name that the person goes by.
    pub name: String,
    /// Random; comes back in the other side's next frame. 32 hexadecimal digits.
    pub challenge: String,
    /// The challenge that this hello answers: the listener's only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,
}

/// What a connection carries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Frame {
    /// Who I am, and prove that you are there.
    Hello(Hello),
    /// The dialer's proof.
    Confirm {
        /// The listener's challenge.
        answer: String,
    },
    /// The person now goes by another name.
    Name {
        /// Which.
        name: String,
    },
    /// A message for the call code.
    Message(Message),
}
