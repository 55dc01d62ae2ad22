//! The organization filter, the query parameter `of`. Nobody has published its fields: it takes `id` (or `org`, `organization`)
//! with the operators of a device filter.

use super::{
    filter_terms::{FilterError, FilterOperator, parse_terms},
    world::{Record, integer},
};

/// Which organizations a request is about.
pub(super) struct OrganizationFilter(Vec<(Vec<u64>, bool)>);

impl OrganizationFilter {
    /// # Errors
    /// The text is no filter, or has another field than the id.
    pub(super) fn parse(text: &str) -> Result<Self, FilterError> {
        let terms = parse_terms(text)?;
        let conditions = terms.iter().map(|term| {
            let is_in = match term.operator {
                FilterOperator::In => Some(true),
                FilterOperator::NotIn => Some(false),
                _ => None,
            };
            let ids: Result<Vec<u64>, _> = term.values.iter().map(|it| it.parse()).collect();
            match (&*term.field, is_in, ids) {
                ("id" | "org" | "organization", Some(is_in), Ok(ids)) => Ok((ids, is_in)),
                (field, ..) => Err(FilterError(format!(
                    "there is no such condition for '{field}'"
                ))),
            }
        });
        conditions.collect::<Result<_, _>>().map(Self)
    }

    pub(super) fn matches(&self, organization: &Record) -> bool {
        let id = integer(organization, "id");
        self.0
            .iter()
            .all(|(ids, is_in)| id.is_some_and(|it| ids.contains(&it)) == *is_in)
    }
}
