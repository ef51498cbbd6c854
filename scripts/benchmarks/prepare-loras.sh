# Sourced by the benchmarks after `root`, `work` and `python` are set: two LoRAs of the shape of SDXL in the work folder,
# written once.

for rank in 128 64; do
  [[ -e "$work/sdxl-rank$rank.safetensors" ]] || "$python" "$root/scripts/benchmarks/make-lora.py" \
    "$root/Fixtures/families/sdxl.sgm.txt" "$work/sdxl-rank$rank.safetensors" --rank "$rank" >&2
done
