//! The compiled policies of one configuration: for each caller, the decision on every operation, so that deciding is a look-up.

use std::sync::Arc;

use crate::{
    caller::Caller,
    names::{CallerName, TenantName},
    net::Method,
    ninjaone::{
        catalogue::{Catalogue, Parameters},
        operation::{Class, Operation, Scope},
    },
};

use super::{
    denial::{TenantProblem, Why},
    identity::{Held, Wish},
    rule::{Effect, Rule},
    tenant::Tenant,
};

/// Everything under this is NinjaOne's API; nothing else is ever forwarded, whatever a catalogue says.
const API_ROOT: &str = "/v2/";

/// What a [`Book`] is made from.
pub struct BookSource {
    pub catalogue: Arc<Catalogue>,
    /// In the order of every other table over tenants.
    pub tenants: Vec<TenantSource>,
    /// In the order of every other table over callers.
    pub callers: Vec<CallerSource>,
}

/// A tenant, for [`BookSource`].
pub struct TenantSource {
    pub name: TenantName,
    pub held: Held,
}

/// A caller and its rules, for [`BookSource`].
pub struct CallerSource {
    pub name: CallerName,
    /// The rules of its policies and its own, in the order written.
    pub rules: Vec<Rule>,
    /// Indexes into `BookSource::tenants`.
    pub tenants: Vec<usize>,
    pub reason_required: bool,
    pub on_behalf_of_required: bool,
    /// What refusals call its rules: the names of its policies, or `caller.<name>`. Empty: the owners of its rules.
    pub policies: Vec<Arc<str>>,
}

/// Who may do what. Never changes: a new configuration makes a new one.
pub struct Book {
    pub(super) catalogue: Arc<Catalogue>,
    pub(super) tenants: Vec<Arc<Tenant>>,
    pub(super) pages: Vec<Page>,
}

/// One caller's part of the book.
pub(super) struct Page {
    pub(super) name: CallerName,
    pub(super) rules: Vec<Line>,
    pub(super) tenants: Vec<Arc<Tenant>>,
    pub(super) reason_required: bool,
    pub(super) on_behalf_of_required: bool,
    pub(super) policies: Arc<str>,
    /// By operation index: as it is, and raised to `secrets`.
    verdicts: Vec<[Verdict; 2]>,
}

/// A rule and its text, made once.
pub(super) struct Line {
    pub(super) rule: Rule,
    pub(super) text: Arc<str>,
}

/// What the rules say of one operation; each holds the index of the rule that decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Allowed(usize),
    Denied(usize),
    Unmentioned,
}

/// A request as policy sees it.
#[derive(Clone, Copy)]
pub struct Question<'a> {
    pub caller: &'a Caller,
    /// The tenant that the base path `/tenant/<name>` names.
    pub base_path_tenant: Option<&'a str>,
    /// `NJP-Tenant`
    pub header_tenant: Option<&'a str>,
    pub method: Method,
    /// Canonical: decoded, alias folded, without base path.
    pub path: &'a str,
    /// As received.
    pub query: Option<&'a str>,
    pub reason: Option<&'a str>,
    pub on_behalf_of: Option<&'a str>,
}

/// What [`Book::decide`] says when it says yes. Only `Authorized` opens the next station.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    pub tenant: Arc<Tenant>,
    pub operation: Arc<Operation>,
    pub parameters: Parameters,
    pub class: Class,
    pub wish: Wish,
    pub rule: Arc<str>,
}

/// What [`Book::decide`] says when it says no, with as much as was known by then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub tenant: Option<Arc<Tenant>>,
    pub operation: Option<Arc<Operation>>,
    pub parameters: Parameters,
    pub class: Option<Class>,
    pub why: Why,
}

impl Book {
    /// Compiles the rules: for each caller and each operation, the rule that decides.
    #[must_use]
    pub fn new(source: BookSource) -> Self {
        let tenants: Vec<_> = source
            .tenants
            .into_iter()
            .enumerate()
            .map(|(index, TenantSource { name, held })| Arc::new(Tenant { name, index, held }))
            .collect();
        let pages = source
            .callers
            .into_iter()
            .map(|caller| Page::compile(caller, &source.catalogue, &tenants))
            .collect();
        Self {
            catalogue: source.catalogue,
            tenants,
            pages,
        }
    }

    /// The operations that rules speak about.
    #[must_use]
    pub fn catalogue(&self) -> &Arc<Catalogue> {
        &self.catalogue
    }

    /// All tenants, in the order of the configuration.
    #[must_use]
    pub fn tenants(&self) -> &[Arc<Tenant>] {
        &self.tenants
    }

    /// Decides a request: pure, and on the way to yes it allocates nothing but the path's parameters.
    ///
    /// # Errors
    /// The first of: tenant, operation, rules, reason, on-behalf-of that speaks against it.
    pub fn decide(&self, question: &Question<'_>) -> Result<Grant, Refusal> {
        let Some(page) = self.page(question.caller) else {
            return Err(Refusal::early(None, Why::not_allowed_by_any()));
        };
        let tenant = page
            .tenant(question.base_path_tenant, question.header_tenant)
            .map_err(|problem| Refusal::early(None, Why::TenantUnknown(problem)))?;
        let Some((operation, parameters)) = self.operation(question.method, question.path) else {
            return Err(Refusal::early(
                Some(Arc::clone(tenant)),
                Why::UnknownOperation,
            ));
        };
        let class = class_of(operation, question.query);
        match page.judge(operation, class, question) {
            Ok(line) => Ok(Grant {
                tenant: Arc::clone(tenant),
                operation: Arc::clone(operation),
                parameters,
                class,
                wish: line.rule.wish(),
                rule: Arc::clone(&line.rule.owner),
            }),
            Err(why) => Err(Refusal {
                tenant: Some(Arc::clone(tenant)),
                operation: Some(Arc::clone(operation)),
                parameters,
                class: Some(class),
                why,
            }),
        }
    }

    /// NinjaOne's scopes that the operations belong to that this caller may call.
    #[must_use]
    pub fn scopes(&self, caller: &Caller) -> Vec<Scope> {
        let Some(page) = self.page(caller) else {
            return Vec::new();
        };
        let allows = |operation: &Arc<Operation>| {
            matches!(
                page.verdict(operation, operation.class),
                Verdict::Allowed(_)
            )
        };
        let allowed = |scope: &Scope| {
            let mut operations = self.catalogue.all().iter();
            operations.any(|operation| operation.scope == *scope && allows(operation))
        };
        Scope::ALL.into_iter().filter(allowed).collect()
    }

    /// The caller's page. The name is compared too: an index of another configuration must not open someone else's page.
    fn page(&self, caller: &Caller) -> Option<&Page> {
        self.pages
            .get(caller.index)
            .filter(|page| page.name == caller.name)
    }

    pub(super) fn operation(
        &self,
        method: Method,
        path: &str,
    ) -> Option<(&Arc<Operation>, Parameters)> {
        if !path.starts_with(API_ROOT) {
            return None;
        }
        // HEAD is a GET without the body (RFC 9110 section 9.3.2), so a caller that may GET may HEAD.
        let method = match method {
            Method::Head => Method::Get,
            other => other,
        };
        self.catalogue.find(method, path)
    }
}

impl Page {
    fn compile(source: CallerSource, catalogue: &Catalogue, tenants: &[Arc<Tenant>]) -> Self {
        let rules: Vec<Line> = source.rules.into_iter().map(Line::from).collect();
        let mut verdicts = Vec::new();
        for operation in catalogue.all() {
            let row = [
                verdict(&rules, operation, operation.class),
                verdict(&rules, operation, raised(operation.class)),
            ];
            if verdicts.len() <= operation.index {
                verdicts.resize(operation.index + 1, [Verdict::Unmentioned; 2]);
            }
            if let Some(place) = verdicts.get_mut(operation.index) {
                *place = row;
            }
        }
        Self {
            policies: policies_text(&source.name, &source.policies, &rules),
            name: source.name,
            tenants: source
                .tenants
                .into_iter()
                .filter_map(|index| tenants.get(index).cloned())
                .collect(),
            reason_required: source.reason_required,
            on_behalf_of_required: source.on_behalf_of_required,
            rules,
            verdicts,
        }
    }

    /// Which tenant a request is for. A tenant that the caller may not use is as unknown as one that does not exist.
    pub(super) fn tenant(
        &self,
        base_path: Option<&str>,
        header: Option<&str>,
    ) -> Result<&Arc<Tenant>, TenantProblem> {
        let named = match (base_path, header) {
            (Some(one), Some(other)) if one != other => return Err(TenantProblem::Contradiction),
            (one, other) => one.or(other),
        };
        match (named, self.tenants.as_slice()) {
            (Some(name), mine) => mine
                .iter()
                .find(|tenant| tenant.name.as_str() == name)
                .ok_or(TenantProblem::NoSuchTenant),
            (None, [only]) => Ok(only),
            (None, []) => Err(TenantProblem::NoSuchTenant),
            (None, _) => Err(TenantProblem::Ambiguous),
        }
    }

    pub(super) fn verdict(&self, operation: &Operation, class: Class) -> Verdict {
        let column = usize::from(class != operation.class);
        self.verdicts
            .get(operation.index)
            .and_then(|row| row.get(column))
            .copied()
            .unwrap_or(Verdict::Unmentioned)
    }

    pub(super) fn line(&self, place: usize) -> Option<&Line> {
        self.rules.get(place)
    }

    fn judge(
        &self,
        operation: &Operation,
        class: Class,
        question: &Question<'_>,
    ) -> Result<&Line, Why> {
        let verdict = self.verdict(operation, class);
        let line = match verdict {
            Verdict::Allowed(place) | Verdict::Denied(place) => self.line(place),
            Verdict::Unmentioned => None,
        };
        let Some(line) = line else {
            return Err(Why::NotAllowed {
                policies: Arc::clone(&self.policies),
            });
        };
        if let Verdict::Denied(_) = verdict {
            return Err(Why::DeniedBy {
                rule: Arc::clone(&line.text),
            });
        }
        if self.reason_required && is_blank(question.reason) {
            return Err(Why::ReasonRequired);
        }
        if self.on_behalf_of_required && is_blank(question.on_behalf_of) {
            return Err(Why::OnBehalfOfRequired);
        }
        Ok(line)
    }
}

impl Refusal {
    fn early(tenant: Option<Arc<Tenant>>, why: Why) -> Self {
        Self {
            tenant,
            operation: None,
            parameters: Parameters::default(),
            class: None,
            why,
        }
    }
}

impl From<Rule> for Line {
    fn from(rule: Rule) -> Self {
        Self {
            text: Arc::from(rule.to_string()),
            rule,
        }
    }
}

/// The class of a request: the operation's, unless its query raises a read to `secrets`.
#[must_use]
pub fn class_of(operation: &Operation, query: Option<&str>) -> Class {
    if operation.class == Class::Read && operation.secrets_asked(query) {
        raised(operation.class)
    } else {
        operation.class
    }
}

fn raised(class: Class) -> Class {
    class.max(Class::Secrets)
}

/// Deny wins over allow; of equals the first one written is named.
fn verdict(rules: &[Line], operation: &Operation, class: Class) -> Verdict {
    let first = |effect| {
        rules.iter().position(|line: &Line| {
            line.rule.effect == effect && line.rule.applies(operation, class)
        })
    };
    if let Some(place) = first(Effect::Deny) {
        return Verdict::Denied(place);
    }
    first(Effect::Allow).map_or(Verdict::Unmentioned, Verdict::Allowed)
}

fn policies_text(caller: &CallerName, given: &[Arc<str>], rules: &[Line]) -> Arc<str> {
    let mut names: Vec<&str> = given.iter().map(AsRef::as_ref).collect();
    if names.is_empty() {
        for line in rules {
            if !names.contains(&&*line.rule.owner) {
                names.push(&line.rule.owner);
            }
        }
    }
    if names.is_empty() {
        return Arc::from(format!("caller.{caller}"));
    }
    Arc::from(names.join(", "))
}

fn is_blank(text: Option<&str>) -> bool {
    text.is_none_or(|text| text.trim().is_empty())
}
