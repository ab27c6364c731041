//! The `[http]` table: where health and metrics are told.

use std::net::SocketAddr;

use serde::Deserialize;
use toml::Spanned;

use super::HttpConfig;
use super::file::count;
use super::problem::{ConfigError, Source};

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HttpTable {
    listen: Option<Spanned<String>>,
    endpoint_metrics: Option<Spanned<u64>>,
}

/// What the table says, checked.
pub(super) fn http(source: &Source<'_>, table: &HttpTable, defaults: &HttpConfig) -> Result<HttpConfig, ConfigError> {
    let address = |text: &Spanned<String>| {
        text.get_ref().parse::<SocketAddr>().map_err(|_| {
            let wrong = format!("`{}` is no address to listen on: write it as \"127.0.0.1:9502\"", text.get_ref());
            source.wrong(text.span(), wrong)
        })
    };
    Ok(HttpConfig {
        listen: table.listen.as_ref().map(address).transpose()?,
        endpoint_metrics: count(source, table.endpoint_metrics.as_ref(), 0, 1000, defaults.endpoint_metrics)?,
    })
}
