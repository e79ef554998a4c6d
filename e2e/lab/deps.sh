#!/usr/bin/env bash
# Checks the tools that the build needs and installs the missing Debian packages of packages.txt.
set -euo pipefail
cd "$(dirname "$0")"

go_help="the lab builds Kubernetes and LiveKit with Go 1.26, see https://go.dev/dl"
fail() { echo "error: $*" >&2; exit 1; }

command -v cargo >/dev/null \
    || fail "cargo is not installed; see https://rustup.rs (rust-toolchain.toml names the version)"
command -v python3 >/dev/null || fail "python3 is not installed; install the Debian package python3"
command -v go >/dev/null || fail "go is not installed; $go_help"
go_version=$(cd / && GOTOOLCHAIN=local go env GOVERSION)
printf '%s\n%s\n' go1.26 "$go_version" | sort --version-sort --check=quiet \
    || fail "$go_version is too old; $go_help"

mapfile -t wanted < <(sed 's/#.*//' packages.txt | tr -s '[:space:]' '\n' | sed '/^$/d')
installed=$(dpkg-query --show --showformat '${db:Status-Status} ${Package}\n' "${wanted[@]}" 2>/dev/null || true)
missing=()
for package in "${wanted[@]}"; do
    grep --quiet --line-regexp "installed $package" <<<"$installed" || missing+=("$package")
done
if [ ${#missing[@]} -eq 0 ]; then
    echo "deps: all ${#wanted[@]} Debian packages are installed"
    exit 0
fi

echo "deps: installing ${#missing[@]} of ${#wanted[@]} Debian packages: ${missing[*]}"
as_root=()
if [ "$(id -u)" -ne 0 ]; then
    echo "deps: only root may install packages: asking sudo"
    as_root=(sudo)
fi
"${as_root[@]}" apt-get update --quiet --quiet
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install --yes --quiet --quiet --no-install-recommends "${missing[@]}"
