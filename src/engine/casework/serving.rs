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
use crate::model::time::Timestamp;

impl Casework {
    /// The function that serves an endpoint, if that is known.
    pub(in crate::engine) fn serving(&self, api: ApiId, endpoint: &Arc<Endpoint>) -> Option<Function> {
        self.functions.serving(&self.inventory, api, endpoint)
    }

    /// Whether an invocation was seen behind an endpoint.
    pub(in crate::engine) fn is_served(&self, api: ApiId, endpoint: &Arc<Endpoint>) -> bool {
        self.functions.is_known(api, endpoint)
    }

    /// The invocation of a request that went well tells who serves its endpoint, once its lines are seen.
    pub(in crate::engine) fn went_well(&mut self, request: &Request, endpoint: &Arc<Endpoint>) {
        if let Some(id) = &request.lambda_request_id {
            self.functions.await_lines(request.api, endpoint, request.start, id);
        }
    }

    /// Looks whether the lines came that are waited for. Before the rules of an API look at event time `at`.
    pub(in crate::engine) fn settle_serving(&mut self, api: ApiId, at: Timestamp) {
        let Self { functions, invocations, inventory, .. } = self;
        functions
            .settle(api, at, |id| invocations.get(id).filter(|i| i.is_seen()).and_then(|i| Self::wrote(inventory, i)));
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
