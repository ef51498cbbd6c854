# Sourced by the benchmarks after `root`, `work`, `python` and FAMILY (sd1, sdxl or wan) are set: the tools, and a
# checkpoint of the real shape of the family in the work folder (`base`), written once.

case "$FAMILY" in
  sd1)
    # shellcheck source=prepare-benchmark.sh
    source "$root/scripts/benchmarks/prepare-benchmark.sh"
    base="$work/base.safetensors" ;;
  sdxl)
    # shellcheck source=prepare-tools.sh
    source "$root/scripts/benchmarks/prepare-tools.sh"
    base="$work/sdxl-bf16.safetensors"
    if [[ ! -e "$base" ]]; then
      echo "generating a checkpoint of 6.9 GB in $work" >&2
      # The published list leaves out what does not act on pictures, and what reads the second encoder.
      cat "$root/Fixtures/families/sdxl.sgm.txt" "$root/scripts/benchmarks/sdxl-rest.txt" >"$work/sdxl.txt"
      "$python" "$root/scripts/benchmarks/make-checkpoint.py" --bf16 "$work/sdxl.txt" "$base.part"
      mv "$base.part" "$base"
    fi ;;
  wan)
    # shellcheck source=prepare-tools.sh
    source "$root/scripts/benchmarks/prepare-tools.sh"
    base="$work/wan-bf16.safetensors"
    if [[ ! -e "$base" ]]; then
      echo "generating a checkpoint of 2.8 GB in $work" >&2
      "$python" "$root/scripts/benchmarks/make-checkpoint.py" --bf16 \
        "$root/Fixtures/families/wan2.1-t2v-1.3B.native.txt" "$base.part"
      mv "$base.part" "$base"
    fi ;;
  *) echo "$(basename "$0"): FAMILY is '$FAMILY', expected sd1, sdxl or wan" >&2; exit 64 ;;
esac
