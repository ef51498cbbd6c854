#!/usr/bin/env bash
# Builds the documentation of the library products; a warning is an error. Pages: .build/documentation/MODULE,
# to be looked at with `swift package preview-documentation --target MODULE` (LYCO_DOCS=1 set, --disable-sandbox).
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# The plugin is a dependency of this alone.
export LYCO_DOCS=1
mkdir -p .build/documentation
for module in Tensors Safetensors TorchFiles Adapters Checkpoints; do
  swift package -Xswiftc -warnings-as-errors --allow-writing-to-directory .build/documentation \
    generate-documentation --target "$module" --warnings-as-errors \
    --output-path ".build/documentation/$module"
done
