//! The limit of files and sockets that this process may have open (RLIMIT_NOFILE).

/// Raises the limit to `wanted`, or as far as the system lets it; the limit then. A larger one stays.
#[cfg(unix)]
pub fn raise_open_files(wanted: u64) -> u64 {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the pointer leads to a limit of this function's own.
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) } != 0 || limit.rlim_cur >= wanted {
        return limit.rlim_cur;
    }
    // Root may raise the second value, too.
    for rlim_max in [limit.rlim_max.max(wanted), limit.rlim_max] {
        let raised = libc::rlimit { rlim_cur: wanted.min(rlim_max), rlim_max };
        // SAFETY: the pointer leads to a limit of this function's own.
        if unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const raised) } == 0 {
            return raised.rlim_cur;
        }
    }
    limit.rlim_cur
}

/// The system has no such limit.
#[cfg(not(unix))]
pub fn raise_open_files(wanted: u64) -> u64 {
    wanted
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn the_limit_grows_and_never_shrinks() {
        let before = raise_open_files(0);
        assert_eq!(raise_open_files(before), before);
        assert!(raise_open_files(before + 1) >= before);
        assert!(raise_open_files(0) >= before);
    }
}
