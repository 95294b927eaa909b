//! Figures of the operating system about a process and the machine: CPU seconds and memory (Linux's /proc).

use std::path::PathBuf;

use anyhow::Context;

/// CPU seconds (user and system) that a process has used so far.
pub fn cpu_seconds(pid: u32) -> anyhow::Result<f64> {
    let text = read(pid, "stat")?;
    // The second field is the name in parentheses and may hold spaces.
    let fields: Vec<&str> = text.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace().collect();
    let ticks = |index: usize| fields.get(index).and_then(|field| field.parse::<f64>().ok());
    let (user, system) = ticks(11).zip(ticks(12)).context("unreadable process statistics")?;
    // SAFETY: sysconf has no preconditions.
    let ticks_per_second = unsafe { libc::sysconf(libc::_SC_CLK_TCK) } as f64;
    Ok((user + system) / ticks_per_second)
}

/// Memory of a process in MiB: resident, and proportional (pages that several processes share counted once).
pub fn memory_mib(pid: u32) -> anyhow::Result<(f64, f64)> {
    let text = read(pid, "smaps_rollup")?;
    let field = |name: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix(name))
            .and_then(|rest| rest.split_whitespace().next()?.parse::<f64>().ok())
            .map(|kib| kib / 1024.0)
    };
    field("Rss:").zip(field("Pss:")).context("unreadable memory statistics")
}

/// Resources of a process.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Resources {
    /// Memory that no file backs (heap and stacks), in MiB.
    pub anonymous_mib: f64,
    /// Its threads.
    pub threads: f64,
    /// Its open files and sockets.
    pub descriptors: f64,
}

/// Resources of a process at this moment.
pub fn resources(pid: u32) -> anyhow::Result<Resources> {
    let text = read(pid, "status")?;
    let field = |name: &str| {
        let value = text.lines().find_map(|line| line.strip_prefix(name))?;
        value.split_whitespace().next()?.parse::<f64>().ok()
    };
    let (anonymous, threads) = field("RssAnon:").zip(field("Threads:")).context("unreadable process status")?;
    let descriptors = std::fs::read_dir(format!("/proc/{pid}/fd"))?.count() as f64;
    Ok(Resources { anonymous_mib: anonymous / 1024.0, threads, descriptors })
}

/// CPU seconds that the whole machine has been busy, and that a host took away, so far.
pub fn machine_busy_seconds() -> anyhow::Result<(f64, f64)> {
    let text = std::fs::read_to_string("/proc/stat")?;
    let ticks: Vec<f64> = text
        .lines()
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .skip(1)
        .filter_map(|field| field.parse().ok())
        .collect();
    let [user, nice, system, _idle, _wait, irq, soft_irq, steal, ..] = ticks[..] else {
        anyhow::bail!("unreadable machine statistics");
    };
    Ok(((user + nice + system + irq + soft_irq) / 100.0, steal / 100.0))
}

/// The machine's load average over a minute.
pub fn load_average() -> Option<f64> {
    std::fs::read_to_string("/proc/loadavg").ok()?.split_whitespace().next()?.parse().ok()
}

fn read(pid: u32, name: &str) -> anyhow::Result<String> {
    let path = PathBuf::from(format!("/proc/{pid}/{name}"));
    std::fs::read_to_string(&path).context("the process's statistics cannot be read (this measurement needs Linux)")
}
