//! What would allow a request that policy has refused, as commands for the operator.

use crate::{
    ninjaone::operation::{Operation, RiskClass},
    shell_word::shell_word,
    typed_command::typed,
};

use super::{
    explain::{SuggestedChange, suggested_changes},
    policy_set::PolicySet,
};

impl PolicySet {
    /// What would have to change, all of it, for this caller to be allowed this operation; empty if there is no such caller.
    #[must_use]
    pub fn changes_that_allow(
        &self,
        caller: &str,
        operation: &Operation,
        class: RiskClass,
    ) -> Vec<SuggestedChange> {
        self.policy_of_caller(caller)
            .map_or_else(Vec::new, |it| suggested_changes(it, operation, class))
    }
}

impl SuggestedChange {
    /// The command that makes the change; `None` if it is one in a text editor, or in the request.
    #[must_use]
    pub fn command(&self) -> Option<String> {
        match self {
            Self::Allow {
                operation, caller, ..
            } => {
                let command = format!("ninjaone-proxy caller allow {caller} {operation}");
                Some(typed(command).into_owned())
            }
            // A policy is changed in a text editor.
            Self::RemoveDeny(rule) => {
                let caller = rule.owner.strip_prefix("caller.")?;
                let selector = shell_word(&rule.selector.to_string());
                let command = format!("ninjaone-proxy caller deny {caller} {selector} --remove");
                Some(typed(command).into_owned())
            }
            Self::GrantTenant { .. }
            | Self::NameTenant(_)
            | Self::NameOneTenant
            | Self::AddOperation { .. } => None,
        }
    }
}
