#![doc = "placeholder"]
pub mod engine;
pub mod model;
pub mod read;
pub mod sim;
