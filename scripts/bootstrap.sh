#!/usr/bin/env bash
# Installs what the build needs and this Debian or Ubuntu lacks: system libraries, and Swift where there is none, which
# is asked first. Prints the folder of a Swift that is not on the path, for
#     swift="$(scripts/bootstrap.sh)"; export PATH="${swift:+$swift:}$PATH"
#
# usage: bootstrap.sh [--yes]   --yes: fetch Swift without asking
#
#   LYCO_SWIFT_FOLDER   where Swift goes (~/.local/share/swift)
#   LYCO_SWIFT_HOST     another place for the archive, its signature and keys/all-keys.asc, such as a mirror
#   LYCO_SWIFT_KEY      the fingerprint of another key, for archives that one has signed oneself
set -euo pipefail

version=6.3.1
# Swift's key for its releases 6.x. The archive must be signed by it: what all-keys.asc holds beside it is not trusted.
key="${LYCO_SWIFT_KEY:-52BB7E3DE28A71BE22EC05FFEF80A866B47A981F}"
host="${LYCO_SWIFT_HOST:-https://download.swift.org}"
keys="${LYCO_SWIFT_HOST:-https://www.swift.org}/keys/all-keys.asc"
folder="${LYCO_SWIFT_FOLDER:-$HOME/.local/share/swift}"

apt="$(dirname "${BASH_SOURCE[0]}")/apt.sh"

fail() {
  echo "bootstrap.sh: $*" >&2
  exit 1
}

yes=""
case "$*" in
  --yes) yes=1 ;;
  "") ;;
  *) fail "expected '--yes' or nothing, found '$*'" ;;
esac
# As pages show it, in groups; by less than the whole a key is not known.
key="${key// /}" key="${key^^}"
[[ "$key" =~ ^[0-9A-F]{40}$ ]] || fail "LYCO_SWIFT_KEY: expected a fingerprint of 40 digits, found '$key'"

# Whether a Swift is new enough.
serves() {
  local found
  found="$("$1" --version 2>/dev/null | sed -n 's/.*Swift version \([0-9]*\)\.\([0-9]*\).*/\1 \2/p' | head -n 1)" || return 1
  read -r major minor <<<"$found" || return 1
  [[ -n "$major" ]] && ((major > 6 || (major == 6 && minor >= 3)))
}

# By what names swift.org has this system's archive.
name_platform() {
  local ID="" VERSION_ID="" machine
  [[ ! -e /etc/os-release ]] || . /etc/os-release
  machine="$(uname -m)"
  case "$ID $VERSION_ID" in
    "debian 12") platform=debian12 ;;
    "ubuntu 22.04" | "ubuntu 24.04") platform="ubuntu$VERSION_ID" ;;
    *) fail "expected Debian 12 or Ubuntu 22.04 or 24.04 to fetch Swift for, found ${ID:-no name} $VERSION_ID;" \
      "get Swift $version from https://www.swift.org/install" ;;
  esac
  case "$machine" in
    x86_64) ;;
    aarch64) platform+=-aarch64 ;;
    *) fail "expected a processor of x86_64 or aarch64 to fetch Swift for, found $machine" ;;
  esac
}

# With an end where a server says nothing more.
fetch() { curl -fL --retry 2 --connect-timeout 30 --speed-limit 1 --speed-time 60 "$@"; }

fetch_swift() {
  local name url answer="" work signed
  name_platform
  name="swift-$version-RELEASE-$platform"
  url="$host/swift-$version-release/${platform//./}/swift-$version-RELEASE/$name.tar.gz"
  cat >&2 <<END
Swift 6.3 or newer is needed, and ${1}. This
  - fetches $url (about 1 GB)
  - checks that it is signed by the key ${key:0:4} … ${key: -16} ($keys)
  - unpacks it to $folder/$name (about 3 GB), outside of which nothing is changed; to undo it, delete that folder.
END
  if [[ -z "$yes" ]]; then
    [[ -t 0 ]] || fail "expected a terminal to ask at, found none; 'scripts/bootstrap.sh --yes' fetches Swift"
    read -r -p "Fetch Swift $version? [y/N] " answer
    [[ "$answer" == [yY]* ]] || fail "Swift is needed: https://www.swift.org/install"
  fi
  "$apt" ca-certificates curl gnupg binutils g++ git libc6-dev libcurl4-openssl-dev libncurses-dev libsqlite3-0 \
    libxml2-dev tzdata zlib1g-dev

  mkdir -p "$folder"
  # Beside its place, so that it takes it at once when it is whole.
  work="$(mktemp -d "$folder/.fetching.XXXXXX")"
  # gpg puts a socket beside its keys, whose path has to be short.
  keyring="$(mktemp -d /tmp/keyring.XXXXXX)"
  trap 'rm -rf "'"$work"'" "'"$keyring"'"' EXIT
  # The small files first: where they are missing, nothing large is fetched.
  fetch -sS -o "$work/swift.sig" "$url.sig" || fail "$url.sig: cannot be fetched"
  fetch -sS -o "$work/keys.asc" "$keys" || fail "$keys: cannot be fetched"
  fetch --progress-bar -o "$work/swift.tar.gz" "$url" >&2 || fail "$url: cannot be fetched whole"
  GNUPGHOME="$keyring" gpg --batch --quiet --no-autostart --import "$work/keys.asc" 2>/dev/null ||
    fail "$keys: expected keys, found none that gpg can read"
  signed="$(GNUPGHOME="$keyring" gpg --batch --status-fd 1 --verify "$work/swift.sig" "$work/swift.tar.gz" 2>/dev/null)" ||
    signed=""
  # The last word of a line of VALIDSIG is the fingerprint of the key. gpg says it of keys that were revoked or have
  # expired as well, and says that beside.
  grep -q "^\[GNUPG:\] VALIDSIG .* $key\$" <<<"$signed" && ! grep -qE '^\[GNUPG:\] (REV|EXP)' <<<"$signed" ||
    fail "$url: expected a signature by $key, found none that is valid; nothing was unpacked"
  mkdir "$work/swift"
  tar -xzf "$work/swift.tar.gz" -C "$work/swift" --strip-components 1 || fail "$url: cannot be unpacked"
  serves "$work/swift/usr/bin/swift" || fail "$url: expected Swift $version, found something that does not run as it"
  rm -rf "${folder:?}/$name"
  mv "$work/swift" "$folder/$name"
  echo "Swift $version is in $folder/$name" >&2
  echo "$folder/$name/usr/bin"
}

"$apt" libopenblas-dev liblapacke-dev libzstd-dev libssl-dev libdnnl-dev libpng-dev libjpeg-dev libwebp-dev \
  libre2-dev pkg-config python3
if command -v swift >/dev/null && serves swift; then exit 0; fi
for found in "$folder"/swift-*-RELEASE-*/usr/bin; do
  if serves "$found/swift"; then
    echo "$found"
    exit 0
  fi
done
if command -v swift >/dev/null; then
  fetch_swift "$(command -v swift) is older or does not run"
else
  fetch_swift "there is none"
fi
