//! Loss recovery: NACK and RTX, FEC, RED.
//!
//! ```text
//! VIDEO   ahead: `fec`, on lossy or long paths      on request: `nack` asks, `retransmission` unwraps the answers,
//!                                                   `copies` sends them twice on bad paths
//! SOUND   ahead: `redundancy`, the last frames once more in the next packets
//! ```

pub(in crate::rtc) mod copies;
pub(in crate::rtc) mod fec;
pub(in crate::rtc) mod nack;
pub(in crate::rtc) mod redundancy;
mod reordering;
pub(in crate::rtc) mod retransmission;
