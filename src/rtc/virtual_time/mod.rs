//! Whole paths in virtual time: the interceptors of both sides and a seeded link between them, a minute of call in a
//! second.

mod call;
mod change_tests;
mod end;
mod layer_tests;
mod level_tests;
mod loss_tests;
mod mesh_tests;
mod rate_tests;
mod shared_tests;
mod sound_tests;
mod wire_tests;
