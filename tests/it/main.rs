//! The integration tests, as one binary: each further one would link the AWS SDK again.

mod daemon;
mod moto;
mod moto_server;
