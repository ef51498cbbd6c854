#!/usr/bin/env bash
# Fuzzes the header parser with libFuzzer. Usage: scripts/fuzz/fuzz-header.sh [SECONDS, default 600]
# A trap ends it with status 77 and leaves the input that caused it in .build-fuzz/.
set -euo pipefail
cd "$(dirname "$0")/../.."
seconds=${1:-600}
build=.build-fuzz

# The target has no main of its own, so the manifest knows it only on demand.
LYCO_FUZZ=1 swift build -c release --sanitize=fuzzer --scratch-path "$build" --product header-fuzz
binary=$(LYCO_FUZZ=1 swift build -c release --sanitize=fuzzer --scratch-path "$build" --show-bin-path)/header-fuzz

corpus=$build/corpus
mkdir -p "$corpus"
for file in Fixtures/broken/*.safetensors Fixtures/safetensors/*.safetensors Fixtures/safetensors/odd/*.safetensors; do
  cp "$file" "$corpus/$(basename "$file")"
  # The header alone too, for the parts that read plain JSON.
  tail -c +9 "$file" > "$corpus/$(basename "$file").json"
done
for folder in Fixtures/broken/*/; do
  index=$folder/model.safetensors.index.json
  if [ -f "$index" ]; then cp "$index" "$corpus/$(basename "$folder").index.json"; fi
done
cat > "$build/header.dict" <<'DICTIONARY'
"\"dtype\":"
"\"shape\":["
"\"data_offsets\":["
"\"__metadata__\":{"
"\"weight_map\":{"
"\"F32\""
"\"F4\""
"\"F6_E2M3\""
"\\u"
"\\ud83d\\ude00"
"18446744073709551615"
"9223372036854775807"
"1e999"
"null"
"{}"
"[]"
DICTIONARY
exec "$binary" -max_total_time="$seconds" -max_len=4096 -timeout=5 -rss_limit_mb=2048 -print_final_stats=1 \
  -dict="$build/header.dict" -artifact_prefix="$build/" "$corpus"
