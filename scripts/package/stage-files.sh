#!/usr/bin/env bash
# Lays tools, man pages, completions and the pages of docs into a prefix.
#
# usage: stage-files.sh TOOLS PREFIX ZSH   ZSH: where zsh looks for completions, below PREFIX
set -euo pipefail

tools="$1" prefix="$2" zsh="$3"
here="$(dirname "${BASH_SOURCE[0]}")"
date="$(date -u -d "@${SOURCE_DATE_EPOCH:-$(git -C "$here" log -1 --format=%ct 2>/dev/null || date +%s)}" +%F)"
bash="$prefix/share/bash-completion/completions" fish="$prefix/share/fish/vendor_completions.d"
install -d "$prefix/bin" "$prefix/libexec/lyco" "$prefix/share/man/man1" "$bash" "$fish" "$prefix/$zsh"
install -m 755 "$tools/lyco" "$prefix/libexec/lyco/lyco"
"$here/write-manuals.py" "$tools" "$prefix/share/man/man1" --date "$date"
for path in "$tools"/lyco-*; do
  tool="$(basename "$path")"
  ln -sfn ../libexec/lyco/lyco "$prefix/bin/$tool"
  gzip -9nf "$prefix/share/man/man1/$tool.1"
  "$path" --generate-completion-script bash | sed "1{/^#!/d}" >"$bash/$tool"
  "$path" --generate-completion-script zsh >"$prefix/$zsh/_$tool"
  "$path" --generate-completion-script fish >"$fish/$tool.fish"
done
# With README, whose links lead there; those to sources lead nowhere.
doc="$prefix/share/doc/lyco" root="$here/../.."
install -d "$doc/docs"
install -m 644 "$root"/{README.md,CHANGELOG.md,NOTICE} "$doc"
install -m 644 "$root"/docs/* "$doc/docs"
