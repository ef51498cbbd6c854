#!/usr/bin/env bash
# Installs the wheel where there is neither Swift nor a -dev package, and has it do the main job and its own tests.
#
# usage: check-wheel.sh WHEEL [--chroot]   in a fresh environment with the system's own path, or in a small Debian 12
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
wheel="$1"
if [[ "${2-}" == --chroot ]]; then
  [[ "$wheel" != /* ]] || wheel="${wheel#"$PWD"/}"
  exec scripts/package/in-chroot.sh python3,python3-venv /lyco/scripts/package/check-wheel.sh "/lyco/$wheel"
fi
if command -v swift >/dev/null; then
  # A path without Swift.
  export PATH=/usr/local/bin:/usr/bin:/bin
  ! command -v swift >/dev/null || {
    echo "check-wheel.sh: expected no Swift on $PATH, found $(command -v swift)" >&2
    exit 1
  }
fi
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/python"
export PATH="$work/python/bin:$PATH"
pip install --quiet --no-index "$wheel"
for tool in extract merge convert inspect train sample; do
  "lyco-$tool" --version
done
unset LD_LIBRARY_PATH
# Nothing is found outside of the wheel that is not of every Linux.
foreign="$(ldd "$(python -c 'import lyco._commands; print(lyco._commands.executable())')" |
  grep -vE 'linux-vdso|ld-linux|/lyco\.libs/|lib(c|m|gcc_s|stdc\+\+|z|dl|rt|pthread)\.so' || true)"
if [[ -n "$foreign" ]]; then
  echo "check-wheel.sh: expected every library in the wheel, found $foreign" >&2
  exit 1
fi
scripts/main-job.sh "" "$work/pictures" >"$work/job.txt" 2>&1 || {
  tail -20 "$work/job.txt" >&2
  exit 1
}
[[ -s "$work/pictures/bags.png" ]]
PYTHONDONTWRITEBYTECODE=1 python -W ignore::UserWarning -m unittest discover --quiet Python/tests
pip uninstall --quiet --yes lyco
left="$(find "$work/python" -iname '*lyco*')"
if [[ -n "$left" ]]; then
  echo "check-wheel.sh: expected nothing after 'pip uninstall', found $left" >&2
  exit 1
fi
echo "check-wheel.sh: the main job and the tests pass with $(basename "$wheel") in $(. /etc/os-release && echo "$PRETTY_NAME")"
