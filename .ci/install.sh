#!/usr/bin/env bash
# Installs the Debian packages that a build of Cytograd needs and this machine lacks.
# Usage: .ci/install.sh [more packages...]
set -euo pipefail

packages=(g++ cmake ninja-build pkg-config libcli11-dev nlohmann-json3-dev libtomlplusplus-dev libpugixml-dev
  libxxhash-dev libzip-dev libhdf5-dev libstb-dev libjpeg62-turbo-dev libpng-dev libtiff-dev zlib1g-dev
  libhnswlib-dev libnlopt-dev doctest-dev libopenmpi-dev openmpi-bin liblinear-dev "$@")
missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || { echo "error: not root and no sudo; install: ${missing[*]}" >&2; exit 5; }
  as_root=(sudo)
fi
echo "installing ${missing[*]}"
"${as_root[@]}" apt-get update -qq
DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -qq -y --no-install-recommends "${missing[@]}" >/dev/null
