//! The catalogue of NinjaOne's 315 API operations: finds the operation of a method and path.

use std::{collections::HashMap, sync::Arc};

use matchit::Router;

use crate::net::Method;

use super::{
    builtin_operations,
    operation::{Operation, ParameterKind},
};

/// Below this likeness (Jaro-Winkler, 0 to 1) nothing is suggested.
const SIMILARITY_MIN: f64 = 0.8;

/// The values of a path's parameters, in the order of the template; decoded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PathParameters(Box<[Box<str>]>);

impl PathParameters {
    /// The values, in the order of the template.
    #[must_use]
    pub fn values(&self) -> &[Box<str>] {
        &self.0
    }

    /// Each value with its name in the template of `operation`.
    pub fn named<'a>(
        &'a self,
        operation: &'a Operation,
    ) -> impl Iterator<Item = (&'a str, &'a str)> {
        operation
            .parameters
            .iter()
            .zip(&self.0)
            .map(|(parameter, value)| (&*parameter.name, &**value))
    }

    /// The value of the parameter `name` of `operation`.
    #[must_use]
    pub fn value<'a>(&'a self, operation: &'a Operation, name: &str) -> Option<&'a str> {
        self.named(operation)
            .find_map(|(known, value)| (known == name).then_some(value))
    }
}

/// Two operations that cannot stand in one catalogue, or one that cannot stand in any. Each names the added one's id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CatalogueError {
    #[error("there is an operation {id} already: {method} {template}")]
    DuplicateId {
        id: Box<str>,
        method: Method,
        template: Box<str>,
    },
    #[error("{id} has the method and path of {with}, which is catalogued already")]
    DuplicatePath { id: Box<str>, with: Box<str> },
    #[error("{id} has a path that cannot be told from another one's")]
    AmbiguousPath { id: Box<str> },
    #[error("{id} is for HEAD, which goes where GET goes: give GET instead")]
    HeadMethod { id: Box<str> },
}

/// Every operation that is known. What it does not know is refused.
#[derive(Clone)]
pub struct Catalogue {
    operations: Vec<Arc<Operation>>,
    by_id: HashMap<Box<str>, usize>,
    routers: Routers,
}

/// One router for each method; each leads to an index of the catalogue.
#[derive(Clone, Default)]
struct Routers {
    get: Router<usize>,
    post: Router<usize>,
    put: Router<usize>,
    patch: Router<usize>,
    delete: Router<usize>,
}

impl Routers {
    const fn for_method(&self, method: Method) -> &Router<usize> {
        match method {
            Method::Get | Method::Head => &self.get,
            Method::Post => &self.post,
            Method::Put => &self.put,
            Method::Patch => &self.patch,
            Method::Delete => &self.delete,
        }
    }

    const fn for_method_mut(&mut self, method: Method) -> &mut Router<usize> {
        match method {
            Method::Get | Method::Head => &mut self.get,
            Method::Post => &mut self.post,
            Method::Put => &mut self.put,
            Method::Patch => &mut self.patch,
            Method::Delete => &mut self.delete,
        }
    }
}

impl Catalogue {
    /// What is known of NinjaOne 15.1.
    #[must_use]
    pub fn builtin() -> Self {
        let mut catalogue = Self::empty();
        for operation in builtin_operations::builtin_operations() {
            // The table has no clash; `tests/parts/catalogue/` counts what arrived.
            let _ = catalogue.add(operation);
        }
        catalogue
    }

    /// The built-in operations and `extra`, which get the next indexes.
    ///
    /// # Errors
    /// An id, or a method and path, is taken: by a built-in operation or by another one of `extra`.
    pub fn with_added(extra: Vec<Operation>) -> Result<Self, CatalogueError> {
        let mut catalogue = Self::builtin();
        for operation in extra {
            catalogue.add(operation)?;
        }
        Ok(catalogue)
    }

    fn empty() -> Self {
        Self {
            operations: Vec::new(),
            by_id: HashMap::new(),
            routers: Routers::default(),
        }
    }

    fn add(&mut self, mut operation: Operation) -> Result<(), CatalogueError> {
        let id = Box::<str>::from(&*operation.id);
        if operation.method == Method::Head {
            return Err(CatalogueError::HeadMethod { id });
        }
        if let Some(taken) = self.by_id(&id) {
            return Err(CatalogueError::DuplicateId {
                id,
                method: taken.method,
                template: taken.template.clone(),
            });
        }
        operation.index = self.operations.len();
        self.routers
            .for_method_mut(operation.method)
            .insert(&*operation.template, operation.index)
            .map_err(|_| self.path_conflict(&operation))?;
        self.by_id.insert(id, operation.index);
        self.operations.push(Arc::new(operation));
        Ok(())
    }

    fn path_conflict(&self, added: &Operation) -> CatalogueError {
        let id = Box::<str>::from(&*added.id);
        let same = self.operations.iter().find(|known| {
            known.method == added.method && same_shape(&known.template, &added.template)
        });
        match same {
            Some(known) => CatalogueError::DuplicatePath {
                id,
                with: Box::<str>::from(&*known.id),
            },
            None => CatalogueError::AmbiguousPath { id },
        }
    }

    /// Which operation a request is. HEAD goes where GET goes. A literal segment wins over a parameter; an integer
    /// parameter takes canonical integers only, so that `/v2/device/01` is not a second name of `/v2/device/1`. One slash at the
    /// end changes nothing, and never stands for an empty parameter.
    #[must_use]
    pub fn find(
        &self,
        method: Method,
        canonical_path: &str,
    ) -> Option<(&Arc<Operation>, PathParameters)> {
        let path = canonical_path.strip_suffix('/').unwrap_or(canonical_path);
        let matched = self.routers.for_method(method).at(path).ok()?;
        let operation = self.operations.get(*matched.value)?;
        if matched.params.len() != operation.parameters.len() {
            return None;
        }
        let values = matched
            .params
            .iter()
            .zip(&operation.parameters)
            .map(|((_, value), parameter)| parameter.kind.is_valid(value).then(|| value.into()))
            .collect::<Option<Box<[Box<str>]>>>()?;
        Some((operation, PathParameters(values)))
    }

    /// Where a path has the shape of an operation, and only a value is not of its kind: the operation, the parameter's name and
    /// the value.
    #[must_use]
    pub fn find_with_wrong_value(
        &self,
        method: Method,
        canonical_path: &str,
    ) -> Option<(&Arc<Operation>, Box<str>, Box<str>)> {
        let path = canonical_path.strip_suffix('/').unwrap_or(canonical_path);
        let matched = self.routers.for_method(method).at(path).ok()?;
        let operation = self.operations.get(*matched.value)?;
        let mut values = matched.params.iter().zip(&operation.parameters);
        let (value, parameter) = values
            .find(|((_, value), it)| it.kind == ParameterKind::Integer && !it.kind.is_valid(value))
            .map(|((_, value), parameter)| (value, parameter))?;
        Some((operation, parameter.name.clone(), value.into()))
    }

    /// The operation with exactly this id.
    #[must_use]
    pub fn by_id(&self, id: &str) -> Option<&Arc<Operation>> {
        self.operations.get(*self.by_id.get(id)?)
    }

    /// The operation with this method and template. What the parameters are called does not matter.
    #[must_use]
    pub fn by_path(&self, method: Method, template: &str) -> Option<&Arc<Operation>> {
        let method = match method {
            Method::Head => Method::Get,
            other => other,
        };
        self.operations
            .iter()
            .find(|known| known.method == method && same_shape(&known.template, template))
    }

    /// Every operation, each at its `index`.
    #[must_use]
    pub fn all(&self) -> &[Arc<Operation>] {
        &self.operations
    }

    /// Operations of `method` whose template looks like `path`, the likest first; at most `most`.
    #[must_use]
    pub fn similar(&self, method: Method, path: &str, most: usize) -> Vec<&Arc<Operation>> {
        let method = match method {
            Method::Head => Method::Get,
            other => other,
        };
        let mut alike: Vec<_> = self
            .operations
            .iter()
            .filter(|known| known.method == method)
            .map(|known| (strsim::jaro_winkler(&known.template, path), known))
            .filter(|(likeness, _)| *likeness >= SIMILARITY_MIN)
            .collect();
        alike.sort_by(|(one, _), (other, _)| other.total_cmp(one));
        alike.truncate(most);
        alike.into_iter().map(|(_, known)| known).collect()
    }

    /// The id that was probably meant. Case does not count.
    #[must_use]
    pub fn suggest(&self, id: &str) -> Option<&str> {
        let wanted = id.to_ascii_lowercase();
        self.operations
            .iter()
            .map(|known| {
                let likeness = strsim::jaro_winkler(&known.id.to_ascii_lowercase(), &wanted);
                (likeness, &*known.id)
            })
            .filter(|(likeness, _)| *likeness >= SIMILARITY_MIN)
            .max_by(|(one, _), (other, _)| one.total_cmp(other))
            .map(|(_, id)| id)
    }
}

/// Whether two templates match the same paths: equal but for the names of parameters.
fn same_shape(one: &str, other: &str) -> bool {
    let shape = |segment: &str| segment.starts_with('{');
    let mut ours = one.split('/');
    let mut theirs = other.split('/');
    loop {
        match (ours.next(), theirs.next()) {
            (None, None) => return true,
            (Some(a), Some(b)) if a == b || (shape(a) && shape(b)) => {}
            _ => return false,
        }
    }
}
