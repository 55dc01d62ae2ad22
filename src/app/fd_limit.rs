//! File descriptors: as many as the system allows, with a reserve for NinjaOne, the audit log, the store and the admin
//! listeners that callers cannot exhaust.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Reserved for everything but callers' connections, unless there are fewer than twice as many in all: for connections that
/// are closing, the admin and probes listeners at their limit, connections to NinjaOne, files.
const RESERVED_DESCRIPTORS: u64 = 1024;

/// How many of the `wanted` connections callers may have. Raises the soft limit of this process to the hard one.
#[must_use]
pub(crate) fn connection_limit(wanted: usize) -> usize {
    let places = connections_within(wanted, raise_fd_limit());
    if places < wanted {
        tracing::warn!(
            wanted,
            places,
            "the limit of open files allows fewer connections than listen.connections: raise it with ulimit -n, or with LimitNOFILE in systemd"
        );
    }
    places
}

fn connections_within(wanted: usize, files: Option<u64>) -> usize {
    let Some(files) = files else {
        return wanted;
    };
    let most = files
        .saturating_sub(RESERVED_DESCRIPTORS)
        .max(files / 2)
        .max(1);
    wanted.min(usize::try_from(most).unwrap_or(usize::MAX))
}

/// The limit in force; `None` if there is no limit.
fn raise_fd_limit() -> Option<u64> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current == maximum {
        return current;
    }
    let raised = Rlimit {
        current: maximum,
        maximum,
    };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => maximum,
        Err(error) => {
            tracing::debug!(%error, "the limit of open files cannot be raised");
            current
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callers_never_get_all_descriptors() {
        assert_eq!(connections_within(4096, None), 4096);
        assert_eq!(connections_within(4096, Some(65_536)), 4096);
        assert_eq!(connections_within(4096, Some(4096)), 4096 - 1024);
        assert_eq!(connections_within(4096, Some(1024)), 512);
        assert_eq!(connections_within(4096, Some(256)), 128);
        assert_eq!(connections_within(4096, Some(1)), 1);
        assert_eq!(connections_within(10, Some(1024)), 10);
    }
}
