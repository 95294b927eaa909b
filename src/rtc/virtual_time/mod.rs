//! Whole paths in virtual time: the interceptors of both sides and a seeded link between them, a minute of call in a second.

mod end;
mod loss;
mod rate;
mod sound;
