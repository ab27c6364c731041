//! An access line in the REST format that the README recommends, and values that vary like real ones.
//!
//! Not a source of facts about API Gateway: only shape and length are right. Rule: the same number always gives the
//! same values, so that every run of a bench reads the same bytes.

/// What varies from line to line; a field that is missing in a request is `-`, as API Gateway writes it.
pub struct Line<'a> {
    pub request_id: &'a str,
    pub start_ms: i64,
    pub method: &'a str,
    pub route: &'a str,
    pub status: &'a str,
    pub response_latency_ms: u64,
    pub response_length: u32,
    pub lambda_request_id: &'a str,
    pub function_status: &'a str,
    pub integration_latency_ms: u64,
    pub integration_error: &'a str,
    pub error_message: &'a str,
    pub response_type: &'a str,
}

impl Line<'_> {
    /// All 21 keys of the README's format, in its order.
    pub fn recommended(&self) -> String {
        format!(
            concat!(
                r#"{{"requestId":"{}","extendedRequestId":"{}=","requestTimeEpoch":"{}","apiId":"a1b2c3d4e5","#,
                r#""stage":"prod","httpMethod":"{}","resourcePath":"{}","status":"{}","responseLatency":"{}","#,
                r#""responseLength":"{}","integrationRequestId":"{}","integrationStatus":"200","#,
                r#""functionStatus":"{}","integrationLatency":"{}","integrationError":"{}","errorMessage":"{}","#,
                r#""errorType":"{}","authorizerError":"-","authorizerRequestId":"-","wafError":"-","#,
                r#""xrayTraceId":"-"}}"#
            ),
            self.request_id,
            &self.request_id[..15],
            self.start_ms,
            self.method,
            self.route,
            self.status,
            self.response_latency_ms,
            self.response_length,
            self.lambda_request_id,
            self.function_status,
            self.integration_latency_ms,
            self.integration_error,
            self.error_message,
            self.response_type,
        )
    }
}

/// 128 bits that look random.
pub fn hash(n: u32, of: &str) -> u128 {
    xxhash_rust::xxh3::xxh3_128(format!("{of} {n}").as_bytes())
}

/// In the shape of a version 4 UUID.
pub fn uuid(n: u32, of: &str) -> String {
    let hex = format!("{:032x}", hash(n, of));
    format!("{}-{}-4{}-8{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..])
}
