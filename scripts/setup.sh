#!/usr/bin/env bash
# Makes a fresh machine ready: a C linker for cargo, and a Vulkan loader and driver for wgpu where
# there is none. Asks nothing, and does nothing where all is there.
#
# scripts/setup.sh tests: also what only the tests need.
set -euo pipefail

fail() {
    echo "setup: $*" >&2
    exit 1
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        fail "cannot run \"$*\": neither root nor sudo is at hand"
    fi
}

# install WHAT APT DNF PACMAN ZYPPER APK: each but the first is the packages that have it there.
install() {
    local what=$1 packages
    echo "setup: installing $what" >&2
    if command -v apt-get >/dev/null; then
        read -ra packages <<<"$2"
        as_root env DEBIAN_FRONTEND=noninteractive apt-get update -qq
        as_root env DEBIAN_FRONTEND=noninteractive \
            apt-get install -y -qq --no-install-recommends "${packages[@]}"
    elif command -v dnf >/dev/null; then
        read -ra packages <<<"$3"
        as_root dnf install -y -q "${packages[@]}"
    elif command -v pacman >/dev/null; then
        read -ra packages <<<"$4"
        as_root pacman -Sy --noconfirm --needed "${packages[@]}"
    elif command -v zypper >/dev/null; then
        read -ra packages <<<"$5"
        as_root zypper --non-interactive install "${packages[@]}"
    elif command -v apk >/dev/null; then
        read -ra packages <<<"$6"
        as_root apk add "${packages[@]}"
    else
        fail "found no package manager to install $what with; install it by hand"
    fi || fail "could not install $what"
}

has_vulkan_loader() {
    # Where the linker's cache is (musl keeps none), else where libraries lie.
    PATH="$PATH:/sbin:/usr/sbin" ldconfig -p 2>/dev/null | grep -F libvulkan.so.1 >/dev/null ||
        compgen -G "/usr/lib*/libvulkan.so.1" >/dev/null
}

has_vulkan_driver() {
    local files=${VK_DRIVER_FILES:-${VK_ICD_FILENAMES:-}} file
    if [ -n "$files" ]; then
        # These replace what is installed: a driver that they do not name is not looked at.
        while IFS= read -r -d : file; do
            if [ -e "$file" ]; then
                return 0
            fi
        done <<<"$files:"
        return 1
    fi
    compgen -G "/usr/share/vulkan/icd.d/*.json" >/dev/null ||
        compgen -G "/usr/local/share/vulkan/icd.d/*.json" >/dev/null ||
        compgen -G "/etc/vulkan/icd.d/*.json" >/dev/null
}

# TensorBoard, with whose reader tests/record/tensorboard.rs reads, in a Python of its own.
tensorboard=2.21.0

has_tensorboard() {
    local python=target/tensorboard/bin/python
    [ -x "$python" ] && "$python" -c "
import sys
from importlib.metadata import version
sys.exit(version('tensorboard') != '$tensorboard')" 2>/dev/null
}

install_tensorboard() {
    if has_tensorboard; then
        return
    fi
    if ! python3 -c "import venv, ensurepip" 2>/dev/null; then
        # Debian has both in a package apart; elsewhere they come with Python.
        install "Python with venv" "python3-venv" "python3" "python" "python3" "python3"
    fi
    echo "setup: installing TensorBoard $tensorboard into target/tensorboard" >&2
    rm -rf target/tensorboard
    mkdir -p target
    if ! python3 -m venv target/tensorboard ||
        ! target/tensorboard/bin/python -m pip install --quiet --disable-pip-version-check \
            "tensorboard==$tensorboard"; then
        fail "could not install TensorBoard with pip into target/tensorboard"
    fi
    has_tensorboard || fail "found no TensorBoard $tensorboard after installing it"
}

# A browser, with which tests/report/report_page.rs looks at the page of a race.
has_browser() {
    local name
    if [ -x "${CHROME:-}" ] || compgen -G "/Applications/*Chrom*.app" >/dev/null; then
        return 0
    fi
    for name in google-chrome-stable chromium chromium-browser chrome microsoft-edge-stable; do
        if command -v "$name" >/dev/null; then
            return 0
        fi
    done
    return 1
}

install_browser() {
    if has_browser; then
        return
    fi
    if [ "$(uname -s)" = Darwin ]; then
        fail "a browser is missing: install Chrome or Chromium, or name one in CHROME"
    fi
    install "Chromium" "chromium" "chromium" "chromium" "chromium" "chromium"
    has_browser || fail "found no Chromium after installing it; name a browser in CHROME"
}

install_for_tests() {
    install_browser
    install_tensorboard
}

case "${1:-}" in
"" | tests) ;;
*) fail "\"$1\" is nothing to set up: give tests, or nothing" ;;
esac
cd "$(dirname "$0")/.."

if ! command -v cargo >/dev/null; then
    fail "cargo is missing: install Rust with rustup, as https://rustup.rs says, and run this again"
fi

# macOS has Metal; its linker comes with the command line tools.
if [ "$(uname -s)" = Darwin ]; then
    command -v cc >/dev/null || fail "cc is missing: run xcode-select --install"
    if [ "${1:-}" = tests ]; then
        install_for_tests
    fi
    exit 0
fi

if ! command -v cc >/dev/null; then
    # No package but the compiler's own is certain to name itself cc.
    install "a C linker" "gcc libc6-dev" "gcc" "gcc" "gcc" "gcc musl-dev"
fi

if ! has_vulkan_loader || ! has_vulkan_driver; then
    if [ -n "${VK_DRIVER_FILES:-${VK_ICD_FILENAMES:-}}" ] && ! has_vulkan_driver; then
        fail "VK_DRIVER_FILES or VK_ICD_FILENAMES names no driver that is there; unset it"
    fi
    install "a Vulkan loader and driver" \
        "libvulkan1 mesa-vulkan-drivers" \
        "vulkan-loader mesa-vulkan-drivers" \
        "vulkan-icd-loader vulkan-swrast" \
        "libvulkan1 libvulkan_lvp" \
        "vulkan-loader mesa-vulkan-swrast"
    if ! has_vulkan_loader || ! has_vulkan_driver; then
        fail "found no Vulkan loader and driver after installing them"
    fi
fi

if [ "${1:-}" = tests ]; then
    install_for_tests
fi
