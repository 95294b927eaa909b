//! Choice of the desktop (X11 or Wayland) that the window opens on. The window library trusts the environment, and ends
//! where it is wrong: a Wayland socket of a session that is over, a scale that is no number. Such variables are taken
//! out of the environment before the library reads them.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

const WAYLAND_DISPLAY: &str = "WAYLAND_DISPLAY";
const WAYLAND_SOCKET: &str = "WAYLAND_SOCKET";
const SCALE: &str = "WINIT_X11_SCALE_FACTOR";

/// The name that a Wayland compositor has where no variable names another.
const FIRST_WAYLAND: &str = "wayland-0";

/// Scales at which a window can be used.
const SCALES: std::ops::RangeInclusive<f64> = 0.25..=10.0;

/// A variable that leads nowhere.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Correction {
    name: &'static str,
    /// The value that holds instead; `None`: as if it were not set.
    value: Option<OsString>,
    /// Reason for the correction, for the log.
    why: &'static str,
}

/// Environment variables, and the sockets and displays that they name.
trait Surroundings {
    fn variable(&self, name: &str) -> Option<OsString>;
    /// Somebody listens at this Unix socket.
    fn listens(&self, socket: &Path) -> bool;
    /// This descriptor is an open Unix socket.
    fn is_socket(&self, descriptor: i32) -> bool;
    /// This X display (`DISPLAY`) takes connections, or that cannot be told.
    fn has_display(&self, display: &str) -> bool;
}

fn set(surroundings: &impl Surroundings, name: &str) -> Option<OsString> {
    surroundings.variable(name).filter(|value| !value.is_empty())
}

fn corrections(surroundings: &impl Surroundings) -> Vec<Correction> {
    scale_correction(surroundings).into_iter().chain(desktop_corrections(surroundings)).collect()
}

fn scale_correction(surroundings: &impl Surroundings) -> Option<Correction> {
    let value = set(surroundings, SCALE)?;
    let text = value.to_string_lossy();
    let is_usable = text.eq_ignore_ascii_case("randr") || text.parse().is_ok_and(|scale: f64| SCALES.contains(&scale));
    let why = "WINIT_X11_SCALE_FACTOR is no scale from 0.25 to 10: ignored";
    (!is_usable).then_some(Correction { name: SCALE, value: None, why })
}

fn desktop_corrections(surroundings: &impl Surroundings) -> Vec<Correction> {
    let mut corrections = Vec::new();
    if let Some(value) = surroundings.variable(WAYLAND_SOCKET) {
        let descriptor = value.to_str().and_then(|text| text.parse().ok());
        if descriptor.is_some_and(|descriptor| surroundings.is_socket(descriptor)) {
            return corrections;
        }
        let why = "WAYLAND_SOCKET is no open socket: ignored";
        corrections.push(Correction { name: WAYLAND_SOCKET, value: None, why });
    }
    let display = set(surroundings, "DISPLAY");
    match (set(surroundings, WAYLAND_DISPLAY), &display) {
        (Some(name), Some(_)) if !has_wayland(surroundings, &name) => {
            let why = "WAYLAND_DISPLAY names nothing that is there: the window opens on X11";
            corrections.push(Correction { name: WAYLAND_DISPLAY, value: None, why });
        }
        (None, Some(display))
            if !surroundings.has_display(&display.to_string_lossy())
                && has_wayland(surroundings, OsStr::new(FIRST_WAYLAND)) =>
        {
            let why = "DISPLAY names nothing that is there: the window opens on Wayland";
            corrections.push(Correction { name: WAYLAND_DISPLAY, value: Some(FIRST_WAYLAND.into()), why });
        }
        _ => {}
    }
    corrections
}

/// True when a compositor of this name takes connections.
fn has_wayland(surroundings: &impl Surroundings, name: &OsStr) -> bool {
    let name = Path::new(name);
    let folder = surroundings.variable("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|folder| folder.is_absolute());
    let socket = if name.is_absolute() { Some(name.to_owned()) } else { folder.map(|folder| folder.join(name)) };
    socket.is_some_and(|socket| surroundings.listens(&socket))
}

/// Takes invalid variables out of this process's environment; the faults, for the log.
///
/// # Safety
///
/// No other thread may run: one that reads the environment meanwhile may read anything.
pub unsafe fn correct_environment() -> Vec<&'static str> {
    let corrections = corrections(&Here);
    for Correction { name, value, .. } in &corrections {
        // SAFETY: the caller sees to it that nobody else reads or writes the environment.
        match value {
            Some(value) => unsafe { std::env::set_var(name, value) },
            None => unsafe { std::env::remove_var(name) },
        }
    }
    corrections.into_iter().map(|correction| correction.why).collect()
}

/// This process's surroundings.
struct Here;

impl Surroundings for Here {
    fn variable(&self, name: &str) -> Option<OsString> {
        std::env::var_os(name)
    }

    fn listens(&self, socket: &Path) -> bool {
        std::os::unix::net::UnixStream::connect(socket).is_ok()
    }

    fn is_socket(&self, descriptor: i32) -> bool {
        let (mut kind, mut size) = (0_i32, size_of::<i32>() as libc::socklen_t);
        // SAFETY: `kind` and `size` are valid for what is written, and a descriptor that is none is an error.
        let asked = unsafe {
            let kind = (&raw mut kind).cast();
            libc::getsockopt(descriptor, libc::SOL_SOCKET, libc::SO_TYPE, kind, &raw mut size)
        };
        asked == 0 && kind == libc::SOCK_STREAM
    }

    fn has_display(&self, display: &str) -> bool {
        let Some((host, number)) = display.rsplit_once(':') else { return false };
        let number = number.split('.').next().unwrap_or_default();
        // Another computer's is asked by whoever opens the window.
        !(host.is_empty() || host == "unix") || self.listens(Path::new(&format!("/tmp/.X11-unix/X{number}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Stage {
        variables: Vec<(&'static str, &'static str)>,
        sockets: Vec<&'static str>,
        descriptors: Vec<i32>,
        displays: Vec<&'static str>,
    }

    impl Surroundings for Stage {
        fn variable(&self, name: &str) -> Option<OsString> {
            self.variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into())
        }

        fn listens(&self, socket: &Path) -> bool {
            self.sockets.iter().any(|known| Path::new(known) == socket)
        }

        fn is_socket(&self, descriptor: i32) -> bool {
            self.descriptors.contains(&descriptor)
        }

        fn has_display(&self, display: &str) -> bool {
            self.displays.contains(&display)
        }
    }

    fn changes(stage: &Stage) -> Vec<(&'static str, Option<OsString>)> {
        corrections(stage).into_iter().map(|correction| (correction.name, correction.value)).collect()
    }

    #[test]
    fn a_wayland_display_that_names_nothing_gives_way_to_x11() {
        for (name, folder) in
            [("wayland-0", "/run/user/1"), ("wayland-0", ""), ("/run/gone/wayland-9", "/run/user/1"), ("x", "relative")]
        {
            let mut stage = Stage { sockets: vec!["/run/user/1/wayland-1"], ..Stage::default() };
            stage.variables = vec![("WAYLAND_DISPLAY", name), ("XDG_RUNTIME_DIR", folder), ("DISPLAY", ":0")];
            assert_eq!(changes(&stage), [("WAYLAND_DISPLAY", None)], "{name} {folder}");
        }
        let mut stage =
            Stage { variables: vec![("WAYLAND_DISPLAY", "wayland-0"), ("DISPLAY", ":0")], ..Stage::default() };
        assert_eq!(changes(&stage), [("WAYLAND_DISPLAY", None)], "without XDG_RUNTIME_DIR");
        stage.variables.pop();
        assert!(changes(&stage).is_empty(), "nothing else is there: the error is told");
    }

    #[test]
    fn a_wayland_display_that_is_there_stays() {
        for (name, socket) in [("wayland-1", "/run/user/1/wayland-1"), ("/tmp/nested", "/tmp/nested")] {
            let stage = Stage {
                variables: vec![("WAYLAND_DISPLAY", name), ("XDG_RUNTIME_DIR", "/run/user/1"), ("DISPLAY", ":0")],
                sockets: vec![socket],
                ..Stage::default()
            };
            assert!(changes(&stage).is_empty(), "{name}");
        }
        let x11 = Stage { variables: vec![("DISPLAY", ":0")], displays: vec![":0"], ..Stage::default() };
        assert!(changes(&x11).is_empty());
    }

    #[test]
    fn an_x_display_that_names_nothing_gives_way_to_a_compositor_that_is_there() {
        let mut stage = Stage {
            variables: vec![("DISPLAY", ":9"), ("XDG_RUNTIME_DIR", "/run/user/1"), ("WAYLAND_DISPLAY", "")],
            sockets: vec!["/run/user/1/wayland-0"],
            ..Stage::default()
        };
        assert_eq!(changes(&stage), [("WAYLAND_DISPLAY", Some("wayland-0".into()))]);
        stage.sockets.clear();
        assert!(changes(&stage).is_empty());
    }

    #[test]
    fn a_socket_that_was_not_handed_over_is_ignored() {
        for value in ["", "abc", "-1", "17"] {
            let stage = Stage {
                variables: vec![("WAYLAND_SOCKET", value), ("WAYLAND_DISPLAY", "w"), ("DISPLAY", ":0")],
                descriptors: vec![5],
                ..Stage::default()
            };
            assert_eq!(changes(&stage), [("WAYLAND_SOCKET", None), ("WAYLAND_DISPLAY", None)], "{value:?}");
        }
        let stage = Stage {
            variables: vec![("WAYLAND_SOCKET", "5"), ("WAYLAND_DISPLAY", "gone"), ("DISPLAY", ":0")],
            descriptors: vec![5],
            ..Stage::default()
        };
        assert!(changes(&stage).is_empty(), "it comes before every name");
    }

    #[test]
    fn a_scale_that_is_none_is_ignored() {
        for scale in ["0", "abc", "-1", "nan", "inf", "1e-300", "1000", "1,5", " 2"] {
            let stage = Stage { variables: vec![("WINIT_X11_SCALE_FACTOR", scale)], ..Stage::default() };
            assert_eq!(changes(&stage), [("WINIT_X11_SCALE_FACTOR", None)], "{scale:?}");
        }
        for scale in ["", "1", "0.5", "3", "1.25", "randr", "RandR"] {
            let stage = Stage { variables: vec![("WINIT_X11_SCALE_FACTOR", scale)], ..Stage::default() };
            assert!(changes(&stage).is_empty(), "{scale:?}");
        }
    }

    #[test]
    fn what_is_there_is_told_from_what_is_not() {
        use std::os::fd::AsRawFd;
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("wayland-7");
        let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        assert!(Here.listens(&socket) && Here.is_socket(listener.as_raw_fd()));
        drop(listener);
        assert!(socket.exists() && !Here.listens(&socket), "what a session leaves behind");
        let file = std::fs::File::open(folder.path()).unwrap();
        assert!(!Here.is_socket(file.as_raw_fd()) && !Here.is_socket(-1));
        assert!(!Here.has_display(":4711") && !Here.has_display("nonsense") && Here.has_display("elsewhere:0"));
    }
}
