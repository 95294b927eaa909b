//! Frames, the bodies of envelopes and records: JSON, one frame a body. Runs on the connections' tasks. Fields, kinds
//! of frame and kinds of message that this version does not know are another version's, and are passed over.
//!
//! ```text
//! dialer                                                   listener
//! envelope: hello {challenge: a, time}    ------->                  proves nothing yet: it may be a recording
//!                                         <-------  envelope: hello {challenge: b, answer: a, time}   the listener is there, now
//! record: confirm {answer: b}             ------->                  the dialer is there, now
//! records: letter, name ...               <------>  records: letter, name ...
//! ```
//!
//! The challenges alone show that nothing is a recording: no clock takes part. A recorded hello is answered with another
//! challenge, in an envelope that only its true sender opens, so no fitting confirm follows; and records open only on the
//! connection whose hellos they follow (see `identity::seal`).
//!
//! As JSON (each on one line; IDs of invites and conversations are 32 hexadecimal digits):
//!
//! ```text
//! {"hello":{"instance":"<32 hex>","name":"Ann","challenge":"<32 hex>","answer":"<32 hex, the listener's only>","time":1800000000000}}
//! {"confirm":{"answer":"<32 hex>"}}
//! {"letter":{"number":1,"message":{"type":"ringing","invite":"<32 hex>"}}}
//! {"name":{"name":"Ann B."}}
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
    /// The sender's clock, in milliseconds of Unix time (negative before 1970). Nothing depends on it: the receiver's app
    /// tells its person when it is far from its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<i64>,
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
    Letter {
        /// Grows from letter to letter of one run of the sender's app. A letter that is sent again over another connection
        /// keeps its number, so that it is read once.
        number: u64,
        /// The message.
        message: Message,
    },
}
