#!/usr/bin/env bash
# Fuzzes the readers of zip archives and pickles with libFuzzer. Usage: scripts/fuzz/fuzz-torch.sh [SECONDS, default 600]
# A trap ends it with status 77 and leaves the input that caused it in .build-fuzz/.
set -euo pipefail
cd "$(dirname "$0")/../.."
seconds=${1:-600}
build=.build-fuzz

# The target has no main of its own, so the manifest knows it only on demand.
LYCO_FUZZ=1 swift build -c release --sanitize=fuzzer --scratch-path "$build" --product torch-fuzz
binary=$(LYCO_FUZZ=1 swift build -c release --sanitize=fuzzer --scratch-path "$build" --show-bin-path)/torch-fuzz

corpus=$build/torch-corpus
mkdir -p "$corpus"
# The files, and the pickles in them alone: the target puts those into an archive of its own.
python3 - "$corpus" <<'PYTHON'
import pathlib
import sys
import zipfile

corpus = pathlib.Path(sys.argv[1])
fixtures = pathlib.Path("Fixtures")
for path in sorted([*fixtures.glob("torch/*.*"), *fixtures.glob("hostile/*.pt")]):
    if path.suffix in (".pt", ".pth", ".bin", ".ckpt") and path.stat().st_size <= 8192:
        name = f"{path.parent.name}-{path.name}"
        (corpus / name).write_bytes(path.read_bytes())
        try:
            with zipfile.ZipFile(path) as archive:
                for entry in archive.namelist():
                    if entry.endswith("data.pkl"):
                        (corpus / f"{name}.pkl").write_bytes(archive.read(entry))
        except Exception:  # many of them are no sound archives
            pass
PYTHON
cat > "$build/torch.dict" <<'DICTIONARY'
"PK\x01\x02"
"PK\x03\x04"
"PK\x05\x06"
"PK\x06\x06"
"PK\x06\x07"
"\x01\x00\x10\x00"
"\x80\x02"
"\x80\x04\x95"
"ctorch._utils\x0a_rebuild_tensor_v2\x0a"
"ctorch._utils\x0a_rebuild_tensor_v3\x0a"
"ctorch._utils\x0a_rebuild_parameter\x0a"
"ctorch._tensor\x0a_rebuild_from_type_v2\x0a"
"ctorch\x0aFloatStorage\x0a"
"ctorch.storage\x0aUntypedStorage\x0a"
"ctorch\x0abfloat16\x0a"
"ctorch\x0aSize\x0a"
"ctorch.nn.modules.container\x0aParameterDict\x0a"
"ccollections\x0aOrderedDict\x0a"
"c_codecs\x0aencode\x0a"
"X\x07\x00\x00\x00storage"
"\x8c\x07storage"
"\x8c\x0astate_dict"
"\x8c\x05torch"
"\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f"
"\x8a\x08\x00\x00\x00\x00\x00\x00\x00\x80"
"\x85R"
"\x86R"
"\x87R"
"tQ"
")R"
")\x81"
"}b"
"u."
DICTIONARY
exec "$binary" -max_total_time="$seconds" -max_len=8192 -timeout=5 -rss_limit_mb=2048 -print_final_stats=1 \
  -dict="$build/torch.dict" -artifact_prefix="$build/" "$corpus"
