//! x
pub struct Scenario;
