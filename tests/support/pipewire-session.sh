#!/bin/bash
# A private, headless sound server without hardware: runs CMD inside it. Usage: pipewire-session.sh CMD [ARG...]
# Packages: pipewire pipewire-bin pipewire-pulse wireplumber dbus pulseaudio-utils
# Inside CMD, make the devices:
#   pactl load-module module-null-sink sink_name=spk rate=48000 channels=2
#   pactl load-module module-null-sink sink_name=micin rate=48000 channels=1 channel_map=mono
#   pactl load-module module-remap-source master=micin.monitor source_name=mic
#   pactl set-default-sink spk; pactl set-default-source mic
#   paplay -d micin tone.wav &                                                      feeds the microphone
#   parec -d spk.monitor --rate=48000 --channels=1 --file-format=wav heard.wav &    records what is played
# Levels come out x1.41 from the mono/stereo remix: assert on frequency, delay and gaps, not on level.
# SOUND_SERVER_PID is the process to stop (kill -STOP) for a server that hangs.
set -eu
home=$(mktemp -d); trap 'rm -rf "$home"' EXIT
export HOME=$home XDG_RUNTIME_DIR=$home/run XDG_CONFIG_HOME=$home/config PULSE_COOKIE=$home/cookie
mkdir -m700 "$XDG_RUNTIME_DIR"; mkdir -p "$XDG_CONFIG_HOME/pulse" "$HOME/.config/pulse"
head -c256 /dev/urandom >"$PULSE_COOKIE"          # without a 256-byte cookie the server answers "Invalid"
cp "$PULSE_COOKIE" "$XDG_CONFIG_HOME/pulse/cookie"; cp "$PULSE_COOKIE" "$HOME/.config/pulse/cookie"
# Bluetooth's monitor asks a login service about seats, and ends the session manager where there is none.
mkdir -p "$XDG_CONFIG_HOME"/wireplumber/{bluetooth.lua.d,wireplumber.conf.d}
echo 'bluez_monitor.enabled = false' >"$XDG_CONFIG_HOME/wireplumber/bluetooth.lua.d/80-none.lua"
echo 'wireplumber.profiles = { main = { monitor.bluez = disabled } }' >"$XDG_CONFIG_HOME/wireplumber/wireplumber.conf.d/80-none.conf"
dbus-run-session -- bash -c '
wait_for() { for _ in $(seq 600); do "$@" >"$XDG_RUNTIME_DIR/wait.log" 2>&1 && return; sleep 0.05; done; echo "never: $*" >&2; exit 97; }
pipewire >"$XDG_RUNTIME_DIR/pw.log" 2>&1 & a=$!
wait_for test -S "$XDG_RUNTIME_DIR/pipewire-0"
wireplumber >"$XDG_RUNTIME_DIR/wp.log" 2>&1 & b=$!
pipewire-pulse >"$XDG_RUNTIME_DIR/pp.log" 2>&1 & c=$!
export SOUND_SERVER_PID=$c
wait_for pactl info
sleep 1    # the session manager takes up its work; nothing tells when
r=0; "$@" || r=$?; kill -CONT $c; kill $c $b $a; wait 2>/dev/null; exit $r' -- "$@"
