//! What the program and its documents tell people to do, and the reference of its codes: compared with the built program.

mod error_reference;
mod hints;
mod missing_rights;
mod setting_names;
