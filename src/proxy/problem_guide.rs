//! What each problem code means and what can be done about it: for `help CODE` and docs/reference/errors.md. What a code says of
//! one request stands in the response itself.

use super::error_code::ErrorCode;

/// One code, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ProblemGuide {
    /// `code` in the problem body, `decision` in the audit line.
    pub code: &'static str,
    /// The statuses that it comes with, in ascending order; `4xx` and `5xx` are NinjaOne's own.
    pub statuses: Vec<String>,
    /// When it comes: one or more sentences, like the others.
    pub meaning: &'static str,
    /// What the caller can do.
    pub caller: &'static str,
    /// What the operator can do.
    pub operator: &'static str,
}

/// Every code once, in the order in which a request can meet them.
#[must_use]
pub(crate) fn problem_guides() -> Vec<ProblemGuide> {
    let mut guides: Vec<ProblemGuide> = Vec::new();
    for code in ErrorCode::ALL {
        let statuses = statuses(code);
        if let Some(known) = guides.iter_mut().find(|it| it.code == code.as_str()) {
            known.statuses.extend(statuses);
            known.statuses.sort_unstable();
            continue;
        }
        let Advice {
            meaning,
            caller,
            operator,
        } = advice(code);
        guides.push(ProblemGuide {
            code: code.as_str(),
            statuses,
            meaning,
            caller,
            operator,
        });
    }
    guides
}

fn statuses(code: ErrorCode) -> Vec<String> {
    let own = code.status().as_u16().to_string();
    match code {
        ErrorCode::UpstreamRefused => vec!["4xx".to_owned()],
        ErrorCode::UpstreamBadAnswer => vec![own, "5xx".to_owned()],
        _ => vec![own],
    }
}

struct Advice {
    meaning: &'static str,
    caller: &'static str,
    operator: &'static str,
}

const fn advice(code: ErrorCode) -> Advice {
    match code {
        ErrorCode::BadRequest
        | ErrorCode::ExpectationFailed
        | ErrorCode::BrowserRefused
        | ErrorCode::HostRefused
        | ErrorCode::Unauthenticated
        | ErrorCode::MethodRefused
        | ErrorCode::EncodingRefused
        | ErrorCode::BodyTooLarge
        | ErrorCode::TargetTooLong
        | ErrorCode::HeadTooLarge => of_the_request(code),
        ErrorCode::PolicyDenied
        | ErrorCode::UnknownOperation
        | ErrorCode::TenantUnknown
        | ErrorCode::ReasonRequired
        | ErrorCode::CallerLimit => of_the_caller(code),
        ErrorCode::InsufficientPrivileges
        | ErrorCode::UpstreamThrottled
        | ErrorCode::UpstreamUnreachable
        | ErrorCode::UpstreamBadAnswer
        | ErrorCode::UpstreamRefused
        | ErrorCode::UpstreamTimeout => of_ninjaone(code),
        ErrorCode::LoginNeeded
        | ErrorCode::TokenUnavailable
        | ErrorCode::SendAgain
        | ErrorCode::AuditUnavailable
        | ErrorCode::Internal
        | ErrorCode::CallerGone => of_the_proxy(code),
    }
}

/// What is wrong with the request itself.
const fn of_the_request(code: ErrorCode) -> Advice {
    match code {
        ErrorCode::BrowserRefused => Advice {
            meaning: "A web page in a browser sent the request ('Origin', 'Sec-Fetch-Site').",
            caller: "Call the proxy from a program or a script.",
            operator: "Nothing: keys of this proxy do not belong in web pages.",
        },
        ErrorCode::HostRefused => Advice {
            meaning: "The request names a host that this proxy does not serve. Nobody can lead a browser here by a name of their own.",
            caller: "Call the proxy by a host that it serves.",
            operator: "Add the host to listen.hosts.",
        },
        ErrorCode::Unauthenticated => Advice {
            meaning: "The request carries no key, or one that is unknown, has expired or was revoked. All of these get the same answer.",
            caller: "Send a key of this proxy, whole, as 'Authorization: Bearer', 'Authorization: Basic' or 'X-Api-Key'; for a key, ask the operator.",
            operator: "See what was wrong with the key: run 'ninjaone-proxy explain ID'. For keys that have expired, run 'ninjaone-proxy caller set NAME --expires DATE'. A new caller gets a key from 'ninjaone-proxy caller add NAME', a known one from 'ninjaone-proxy caller rotate NAME'.",
        },
        ErrorCode::MethodRefused => Advice {
            meaning: "The method is not one of GET, HEAD, POST, PUT, PATCH and DELETE, or a header or parameter overrides it.",
            caller: "Send the method that is meant. CONNECT comes from a client that takes this server for a forward proxy: add its host to NO_PROXY.",
            operator: "Nothing.",
        },
        ErrorCode::EncodingRefused => Advice {
            meaning: "The request's body has a 'Content-Encoding', and a policy must be able to read it.",
            caller: "Send the body as it is.",
            operator: "Nothing.",
        },
        ErrorCode::BodyTooLarge | ErrorCode::TargetTooLong | ErrorCode::HeadTooLarge => Advice {
            meaning: "The body (413), the target (414) or the head (431) is larger than allowed; the detail says which, and how much is allowed.",
            caller: "Send less in one request.",
            operator: "If it is meant, raise listen.max_body, listen.max_upload or listen.max_header. The target has a fixed bound.",
        },
        _ => Advice {
            meaning: "The request could be read in two ways, is no HTTP, or was not sent whole; the detail says what is wrong. An expectation that is not supported is 417.",
            caller: "Do what the detail and the hint say.",
            operator: "See what is wrong with it: run 'ninjaone-proxy explain ID'.",
        },
    }
}

/// What the caller may do, and how often.
const fn of_the_caller(code: ErrorCode) -> Advice {
    match code {
        ErrorCode::UnknownOperation => Advice {
            meaning: "No operation in the catalogue has this method and path. What is not known is not sent.",
            caller: "Compare the method and the path with NinjaOne's API documentation.",
            operator: "See what comes near: run 'ninjaone-proxy explain ID'. If NinjaOne has the operation, add an [[operation]] section for it.",
        },
        ErrorCode::TenantUnknown => Advice {
            meaning: "The caller may not use the tenant that the request names, or may use several and named none or two.",
            caller: "Name the tenant once: by 'NJP-Tenant: NAME', or by '/tenant/NAME' before '/v2/'.",
            operator: "See which tenants the caller may use: run 'ninjaone-proxy caller show NAME'. Without caller.NAME.tenants it may use all.",
        },
        ErrorCode::ReasonRequired => Advice {
            meaning: "A policy wants to know why the request is sent, or for whom.",
            caller: "Send it again with 'NJP-Reason: TEXT' or 'NJP-On-Behalf-Of: NAME', as the hint says.",
            operator: "Nothing, unless require_reason or on_behalf_of is not meant for this caller.",
        },
        ErrorCode::CallerLimit => Advice {
            meaning: "The caller sends faster than its limit, or has too many requests under way; 'bucket' says which. Its own limit goes before that of its policy, and that before limits.caller.",
            caller: "Send it again after as many seconds as Retry-After says.",
            operator: "Raise caller.NAME.limit, policy.NAME.limit or limits.caller; for requests to the token endpoint, limits.tokens.",
        },
        _ => Advice {
            meaning: "No rule allows the operation to the caller, or one denies it.",
            caller: "Ask the operator, with the request's ID.",
            operator: "See which rule decided, and what would allow it: run 'ninjaone-proxy explain ID'.",
        },
    }
}

/// What NinjaOne did, or kept the proxy from doing.
const fn of_ninjaone(code: ErrorCode) -> Advice {
    match code {
        ErrorCode::InsufficientPrivileges => Advice {
            meaning: "NinjaOne refuses the operation to the identity that the proxy used. Nothing was done.",
            caller: "Ask the operator, with the request's ID.",
            operator: "In NinjaOne, give the application the scope, or its user the role.",
        },
        ErrorCode::UpstreamThrottled => Advice {
            meaning: "NinjaOne asked for fewer requests, or the proxy's own budget for the tenant had no room in time; 'bucket' says which. A write was not sent, unless NinjaOne itself said 429.",
            caller: "Send it again after as many seconds as Retry-After says.",
            operator: "See who waits: run 'ninjaone-proxy status'. If NinjaOne takes more, raise limits.upstream.",
        },
        ErrorCode::UpstreamUnreachable => Advice {
            meaning: "No connection to NinjaOne could be made. Nothing was sent.",
            caller: "Send it again after as many seconds as Retry-After says.",
            operator: "See what is in the way: run 'ninjaone-proxy doctor'.",
        },
        ErrorCode::UpstreamRefused => Advice {
            meaning: "NinjaOne, or what stands before it, refused the request with a web page instead of JSON; the status is its own.",
            caller: "Look at the request first: its path, its parameters and its body.",
            operator: "Look in NinjaOne, and at what stands before it, for why it refuses this.",
        },
        ErrorCode::UpstreamTimeout => Advice {
            meaning: "NinjaOne sent no answer in time. It may have received the request.",
            caller: "Send a read again. Before you send a write again, look in NinjaOne whether it was done.",
            operator: "See whether NinjaOne answers: run 'ninjaone-proxy doctor'. The time is timeouts.first_byte.",
        },
        _ => Advice {
            meaning: "NinjaOne's answer could not be used: a page, no HTTP, or a refusal of the proxy's token. It may have done what was asked.",
            caller: "Send a read again. Before you send a write again, look in NinjaOne whether it was done.",
            operator: "See what came: run 'ninjaone-proxy explain ID'. See whether NinjaOne answers: run 'ninjaone-proxy doctor'.",
        },
    }
}

/// What the proxy itself lacks.
const fn of_the_proxy(code: ErrorCode) -> Advice {
    match code {
        ErrorCode::LoginNeeded => Advice {
            meaning: "The operation goes to NinjaOne as an identity that is not configured, or as a person, and nobody is logged in. Nothing was done.",
            caller: "Ask the operator, with the request's ID.",
            operator: "Log in: run 'ninjaone-proxy login TENANT'. Without a section for that identity, add tenant.NAME.user or tenant.NAME.service first.",
        },
        ErrorCode::TokenUnavailable => Advice {
            meaning: "There is no valid token for NinjaOne at the moment, or the token endpoint cannot make or revoke one. Nothing was sent.",
            caller: "Send it again after as many seconds as Retry-After says.",
            operator: "See why: run 'ninjaone-proxy status'.",
        },
        ErrorCode::SendAgain => Advice {
            meaning: "NinjaOne wants a person for this operation and did nothing, and the body was too long to be sent once more.",
            caller: "Send the same request again: it goes as the user from now on.",
            operator: "Nothing.",
        },
        ErrorCode::AuditUnavailable => Advice {
            meaning: "The audit log cannot be written, and nothing but reads goes to NinjaOne unrecorded. Nothing was sent.",
            caller: "Send it again after as many seconds as Retry-After says.",
            operator: "See why: run 'ninjaone-proxy status'. Mend the disk or the mode of audit.path.",
        },
        ErrorCode::CallerGone => Advice {
            meaning: "The caller hung up before the end. Nobody receives this one: it stands in the audit log.",
            caller: "Nothing, unless the connection was not meant to end.",
            operator: "Nothing.",
        },
        _ => Advice {
            meaning: "A fault of the proxy. The request may have been sent.",
            caller: "Before you send a write again, look in NinjaOne whether it was done.",
            operator: "Look in the log of the proxy, and report what it says.",
        },
    }
}
