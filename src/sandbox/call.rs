//! An authorised request to an operation, with its body as JSON.

use serde_json::Value;

use crate::ninjaone::{catalogue::PathParameters, operation::Operation};

use super::{
    answer::no_such,
    oauth::token_registry::Bearer,
    received_request::SandboxRequest,
    response::SandboxResponse,
    world::{Collection, Record, RecordId, WorldData, record},
};

/// An authorised request, and all that is needed to respond to it.
pub(super) struct ApiCall<'a> {
    pub(super) seed: u64,
    pub(super) request: &'a SandboxRequest,
    pub(super) operation: &'a Operation,
    pub(super) parameters: &'a PathParameters,
    pub(super) bearer: &'a Bearer,
    /// `null` if the operation takes none.
    pub(super) body: Value,
}

impl ApiCall<'_> {
    pub(super) fn text_at(&self, index: usize) -> Option<&str> {
        self.parameters.values().get(index).map(|it| &**it)
    }

    /// The id in the path parameter at this index, of something that exists.
    ///
    /// # Errors
    /// 404: nothing in the collection has this id.
    pub(super) fn id_of(
        &self,
        index: usize,
        world: &WorldData,
        of: Collection,
    ) -> Result<RecordId, SandboxResponse> {
        self.text_at(index)
            .and_then(|text| of.parse_id(text))
            .filter(|id| world.get(of, id).is_some())
            .ok_or_else(|| no_such(of))
    }

    /// The record whose id is in the path parameter at this index.
    ///
    /// # Errors
    /// 404: nothing in the collection has this id.
    pub(super) fn record_of<'w>(
        &self,
        index: usize,
        world: &'w WorldData,
        of: Collection,
    ) -> Result<&'w Record, SandboxResponse> {
        let id = self.text_at(index).and_then(|text| of.parse_id(text));
        id.and_then(|id| world.get(of, &id))
            .ok_or_else(|| no_such(of))
    }

    /// The members of the body.
    pub(super) fn members(&self) -> Record {
        record(self.body.clone())
    }

    /// The items of a body that is a list.
    pub(super) fn items(&self) -> &[Value] {
        self.body.as_array().map_or(&[], Vec::as_slice)
    }

    pub(super) fn query(&self, name: &str) -> Option<&str> {
        self.request.query.get(name)
    }
}
