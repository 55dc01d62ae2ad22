//! Hostile callers, hostile networks and a hostile NinjaOne against the built program, over raw sockets.

mod answers;
mod evil;
mod floods;
mod head_cases;
mod head_writings;
mod heads;
mod hosts;
mod http2_server;
mod levels;
mod secrets;
mod stack;
mod targets;
mod upstream;
