#!/bin/sh
# Installs Visavis for this user, or for everybody with PREFIX=/usr/local; `install.sh remove` takes it away again.
# Calls, contacts and settings stay in the profile, which this script never touches.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
prefix=${PREFIX:-$HOME/.local}

files() { (cd "$here" && find bin share -type f); }

refresh() {
    command -v update-desktop-database >/dev/null && update-desktop-database -q "$prefix/share/applications" || :
    command -v gtk-update-icon-cache >/dev/null && gtk-update-icon-cache -qtf "$prefix/share/icons/hicolor" || :
}

case ${1:-install} in
install)
    files | while IFS= read -r file; do
        mkdir -p "$prefix/$(dirname "$file")"
        # A program that runs keeps its file.
        rm -f "$prefix/$file"
        cp "$here/$file" "$prefix/$file"
    done
    # The folder need not be among those that the desktop looks for programs in.
    entry=share/applications/org.visavis.Visavis.desktop
    sed "s|^Exec=visavis|Exec=\"$prefix/bin/visavis\"|" "$here/$entry" >"$prefix/$entry"
    refresh
    echo "Visavis is installed. Start it from the menu of your desktop, or with: $prefix/bin/visavis"
    ;;
remove)
    files | while IFS= read -r file; do
        rm -f "$prefix/$file"
    done
    refresh
    echo "Visavis is removed. Its profile stays: contacts, settings and the key of your ID."
    ;;
*)
    echo "usage: install.sh [install|remove]" >&2
    exit 2
    ;;
esac
