//! What stands behind the `?` of an address.

use axum::extract::{FromRequestParts, Query};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use serde::de::DeserializeOwned;

use super::refusal;

/// What is asked for behind the `?`. What cannot be read is refused as JSON, like everything else of the API.
pub(super) struct Question<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Question<T> {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, server: &S) -> Result<Self, Response> {
        match Query::from_request_parts(parts, server).await {
            Ok(Query(asked)) => Ok(Question(asked)),
            Err(refused) => Err(refusal(StatusCode::BAD_REQUEST, &refused.body_text())),
        }
    }
}
