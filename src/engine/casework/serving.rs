//! Who serves an endpoint, as far as joins by exact IDs tell.
//!
//! Not where that is kept: that is `functions`. Rule: only an invocation of which a line was seen tells anything.

use std::sync::Arc;

use super::Casework;
use crate::engine::correlate::Link;
use crate::engine::functions::Function;
use crate::model::cause::Join;
use crate::model::inventory::ApiId;
use crate::model::request::{Endpoint, Request};

impl Casework {
    /// The function that serves an endpoint, if that is known.
    pub(in crate::engine) fn serving(&self, api: ApiId, endpoint: &Arc<Endpoint>) -> Option<Function> {
        self.functions.serving(&self.inventory, api, endpoint)
    }

    /// Whether an invocation was seen behind an endpoint.
    pub(in crate::engine) fn is_served(&self, api: ApiId, endpoint: &Arc<Endpoint>) -> bool {
        self.functions.is_known(api, endpoint)
    }

    /// The ID of a request that went well tells who serves its endpoint, where nobody knows yet.
    pub(in crate::engine) fn went_well(&mut self, request: &Request, endpoint: &Arc<Endpoint>) {
        if let Some(id) = request.lambda_request_id.as_deref().filter(|_| !self.is_served(request.api, endpoint)) {
            self.ran(request, endpoint, id);
        }
    }

    /// Joins by exact IDs tell who serves an endpoint.
    pub(super) fn learn(&mut self, request: &Request, endpoint: &Arc<Endpoint>, link: Option<&Link>) {
        let exact = link.filter(|l| l.join <= Join::ExecutionLog && !l.authorizer);
        if let Some(id) = exact.and_then(|link| link.id.as_ref()) {
            self.ran(request, endpoint, id);
        }
    }

    fn ran(&mut self, request: &Request, endpoint: &Arc<Endpoint>, id: &str) {
        let seen = self.invocations.get(id).filter(|i| i.is_seen());
        if let Some(function) = seen.and_then(|i| self.function(i)) {
            self.functions.learn(request.api, endpoint, &function);
        }
    }
}
