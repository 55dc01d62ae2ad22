//! What an operator asks the control loop for: `POST /reload` and `POST /drain`.

use bytes::Bytes;
use http::{Response, StatusCode};

use super::{
    access::Operator,
    control::{Control, ControlError},
    responses::{JSON, response, text_response},
};

/// What an operator may ask for, beside logins.
#[derive(Clone, Copy)]
pub(super) enum OperatorAction {
    Reload,
    Drain,
}

impl OperatorAction {
    pub(super) fn at(path: &str) -> Option<Self> {
        match path {
            "/reload" => Some(Self::Reload),
            "/drain" => Some(Self::Drain),
            _ => None,
        }
    }

    pub(super) async fn run(self, control: &Control, operator: &Operator) -> Response<Bytes> {
        let done = match self {
            Self::Reload => control.reload(operator).await.map(|report| {
                let status = if report.loaded {
                    StatusCode::OK
                } else {
                    StatusCode::UNPROCESSABLE_ENTITY
                };
                (status, serde_json::to_vec(&report).unwrap_or_default())
            }),
            Self::Drain => {
                let body = br#"{"schema":"drain/1","draining":true}"#.to_vec();
                control
                    .drain(operator)
                    .map(|()| (StatusCode::ACCEPTED, body))
            }
        };
        match done {
            Ok((status, body)) => response(status, JSON, body),
            Err(error) => {
                let status = match error {
                    ControlError::Busy | ControlError::Stopping => StatusCode::SERVICE_UNAVAILABLE,
                    ControlError::TimedOut => StatusCode::GATEWAY_TIMEOUT,
                };
                text_response(status, &format!("{error}\n"))
            }
        }
    }
}
