//! Settings that take one keyword out of a closed set. The set is the enum of the station that uses it; this file says how
//! its members are written, and how the JSON Schema describes it. Enums that only settings have are described where they stand.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{
    admin::{access::AdminRole, health::ReadinessCondition},
    credentials::{grant::application::ClientAuthMethod, login::authorization::AuthorizationFlow},
    names::IdentityKind,
    net::Method,
    ninjaone::{
        operation::{Payload, RiskClass, Scope},
        region::Region,
    },
};

/// A closed set of keywords.
pub trait KeywordSet: Copy + 'static {
    /// Its name in the JSON Schema.
    const NAME: &'static str;
    /// Its description in the JSON Schema.
    const DESCRIPTION: &'static str;
    /// All members that the configuration may name, in the order of the JSON Schema.
    const ALL: &'static [Self];

    /// How a member is written.
    fn word(self) -> &'static str;
}

/// A setting that holds one member of a closed set.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Keyword<T>(pub T);

impl<T: KeywordSet> Serialize for Keyword<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.word())
    }
}

impl<'de, T: KeywordSet> Deserialize<'de> for Keyword<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        let found = T::ALL.iter().find(|it| it.word() == text);
        found
            .map(|it| Self(*it))
            .ok_or_else(|| de::Error::custom(format_args!("`{text}` is none of {}", T::NAME)))
    }
}

impl<T: KeywordSet> JsonSchema for Keyword<T> {
    fn schema_name() -> Cow<'static, str> {
        T::NAME.into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let words: Vec<&str> = T::ALL.iter().map(|it| it.word()).collect();
        json_schema!({ "type": "string", "enum": words, "description": T::DESCRIPTION })
    }
}

impl KeywordSet for Region {
    const NAME: &'static str = "Region";
    const DESCRIPTION: &'static str = "The regions of NinjaOne.";
    const ALL: &'static [Self] = &Self::ALL;

    fn word(self) -> &'static str {
        self.as_str()
    }
}

impl KeywordSet for Scope {
    const NAME: &'static str = "Scope";
    const DESCRIPTION: &'static str = "NinjaOne's permissions.";
    const ALL: &'static [Self] = &Self::ALL;

    fn word(self) -> &'static str {
        self.as_str()
    }
}

impl KeywordSet for AuthorizationFlow {
    const NAME: &'static str = "Grant";
    const DESCRIPTION: &'static str = "What a login gives.";
    const ALL: &'static [Self] = &[Self::Code, Self::Implicit];

    fn word(self) -> &'static str {
        match self {
            Self::Code => "code",
            Self::Implicit => "implicit",
        }
    }
}

impl KeywordSet for ClientAuthMethod {
    const NAME: &'static str = "ClientAuth";
    const DESCRIPTION: &'static str =
        "How a client secret is sent: as form fields or in the `Authorization` header.";
    const ALL: &'static [Self] = &[Self::ClientSecretPost, Self::ClientSecretBasic];

    fn word(self) -> &'static str {
        match self {
            Self::ClientSecretPost => "body",
            Self::ClientSecretBasic => "basic",
        }
    }
}

impl KeywordSet for IdentityKind {
    const NAME: &'static str = "Identity";
    const DESCRIPTION: &'static str = "As whom a request goes to NinjaOne.";
    const ALL: &'static [Self] = &[Self::Service, Self::User];

    fn word(self) -> &'static str {
        self.as_str()
    }
}

/// Without HEAD: it is allowed wherever GET is, so no operation has it.
impl KeywordSet for Method {
    const NAME: &'static str = "Method";
    const DESCRIPTION: &'static str = "The methods of operations.";
    const ALL: &'static [Self] = &[Self::Get, Self::Post, Self::Put, Self::Patch, Self::Delete];

    fn word(self) -> &'static str {
        self.as_str()
    }
}

impl KeywordSet for RiskClass {
    const NAME: &'static str = "Class";
    const DESCRIPTION: &'static str = "How risky an operation is.";
    const ALL: &'static [Self] = &Self::ALL;

    fn word(self) -> &'static str {
        self.as_str()
    }
}

impl KeywordSet for Payload {
    const NAME: &'static str = "Body";
    const DESCRIPTION: &'static str = "What the bodies of an operation carry.";
    const ALL: &'static [Self] = &Self::ALL;

    fn word(self) -> &'static str {
        match self {
            // The catalogue writes `-`.
            Self::Plain => "plain",
            Self::Upload | Self::Download => self.as_str(),
        }
    }
}

impl KeywordSet for ReadinessCondition {
    const NAME: &'static str = "Ready";
    const DESCRIPTION: &'static str = "When `/readyz` says yes.";
    const ALL: &'static [Self] = &[Self::AllTokens, Self::AnyToken, Self::Listening];

    fn word(self) -> &'static str {
        match self {
            Self::AllTokens => "all-tokens",
            Self::AnyToken => "any-token",
            Self::Listening => "listening",
        }
    }
}

impl KeywordSet for AdminRole {
    const NAME: &'static str = "Role";
    const DESCRIPTION: &'static str = "What somebody may do on the admin listener.";
    const ALL: &'static [Self] = &[Self::Operator, Self::Auditor];

    fn word(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Auditor => "auditor",
        }
    }
}
