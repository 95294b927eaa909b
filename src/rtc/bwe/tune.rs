//! TEMPORARY
use std::collections::HashMap;
use std::sync::OnceLock;

pub(in crate::rtc) fn tune(name: &str, default: f64) -> f64 {
    static VALUES: OnceLock<HashMap<String, f64>> = OnceLock::new();
    let values = VALUES.get_or_init(|| {
        let text = std::env::var("TUNE").unwrap_or_default();
        text.split(',')
            .filter_map(|part| {
                let (k, v) = part.split_once('=')?;
                Some((k.to_owned(), v.parse().ok()?))
            })
            .collect()
    });
    values.get(name).copied().unwrap_or(default)
}

pub(in crate::rtc) fn trace(text: impl FnOnce() -> String) {
    use std::io::Write;
    static FILE: OnceLock<Option<std::sync::Mutex<std::fs::File>>> = OnceLock::new();
    let file = FILE.get_or_init(|| {
        let name = std::env::var("BWE_TRACE").ok()?;
        Some(std::sync::Mutex::new(std::fs::File::create(format!("{name}.{}", std::process::id())).ok()?))
    });
    if let Some(file) = file {
        let _ = writeln!(file.lock().unwrap(), "{}", text());
    }
}
