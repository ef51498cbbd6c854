#!/usr/bin/env bash
# Holds the sources to rules of CONTRIBUTING.md that a compiler does not know.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
failed=0

# complain RULE PATTERN PATH…: prints what matches outside of comments.
complain() {
  local rule=$1 pattern=$2 found
  shift 2
  found="$(grep -rnE --include='*.swift' "$pattern" "$@" | grep -vE '^[^:]*:[0-9]+: *//|// (kohya|diffusers|metadata):' || true)"
  [[ -z "$found" ]] && return
  echo "$rule:" >&2
  echo "$found" >&2
  failed=1
}

# In a line that needs such a word all the same, a comment says so.
complain "a family is known by its table, its graph and its pipeline alone" \
  '"(unet|te[1-4]?|vae|sd[1-3]|sdxl|flux|wan)"|0\.18215' \
  Sources/{Adapters,Autograd,Images,LinearAlgebra,Machine,Operations,Patterns,Safetensors,Sampling,TOML,Tensors,TorchFiles,Training,lyco-sample,lyco-train}
complain "Foundation is large: FoundationEssentials" \
  '^(package |public |@testable )?import Foundation$' Sources
complain "only tools and CommandSupport print or parse arguments" \
  '\bprint\(|import ArgumentParser' \
  $(find Sources -mindepth 1 -maxdepth 1 -type d ! -name 'lyco-*' ! -name CommandSupport ! -name '*-fuzz')
twice="$(grep -rhoE --include='*.swift' '^(package |public |private |fileprivate |final |indirect )*(struct|class|enum|protocol|actor) [A-Z][A-Za-z0-9]*' Sources \
  | awk '{ print $NF }' | sort | uniq -d)"
if [[ -n "$twice" ]]; then
  echo "a name is that of one type: found twice: ${twice//$'\n'/, }" >&2
  failed=1
fi
# Clones of a function for several processors are weak symbols: of two by one name the linker takes either, silently.
twice="$(for header in Sources/*/include/*.h; do grep -hoE '\blyco_[a-z0-9_]+\(' "$header" | sort -u; done | sort | uniq -d)"
if [[ -n "$twice" ]]; then
  echo "a name is that of one function in C: found twice: ${twice//$'\n'/, }" >&2
  failed=1
fi
exit "$failed"
