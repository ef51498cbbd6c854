#!/usr/bin/env bash
# The main job on a bundled real pair, a small diffusion model and its fine-tune: extract, inspect, merge, verify,
# convert; then train an adapter and draw with it.
#
# usage: main-job.sh [BIN] [PICTURES]   BIN: the folder of the tools, else they are those of the path; PICTURES: where
# the pictures go, .build by default
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
bin="${1:+$1/}"
pictures="${2:-.build}"
mkdir -p "$pictures"
pair=Fixtures/real/fashion-ddpm
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT

show() {
  printf '\n$ %s\n' "${*//$bin/}"
  "$@"
}

# lyco-inspect ends with 2 where tensors differ, as those of step 4 do.
compare() {
  local status=0
  show "${bin}lyco-inspect" "$1" --limit 5 --diff "$2" || status=$?
  ((status == 0 || status == 2))
}

echo
echo "1. The difference of base and fine-tune, as an adapter of rank 8, with norms and biases"
show "${bin}lyco-extract" $pair/base.safetensors $pair/tuned.safetensors \
  -o "$work/adapter.safetensors" --linear_dim 8 --norms --bias --report "$work/report.json"

echo
echo "2. What the adapter is"
show "${bin}lyco-inspect" "$work/adapter.safetensors" --check

echo
echo "3. Merged back into the base"
show "${bin}lyco-merge" $pair/base.safetensors "$work/adapter.safetensors" \
  -o "$work/merged.safetensors"

echo
echo "4. How far that is from the fine-tune, and the same with the whole difference"
compare "$work/merged.safetensors" $pair/tuned.safetensors
show "${bin}lyco-extract" $pair/base.safetensors $pair/tuned.safetensors \
  -o "$work/full.safetensors" --mode full --norms --bias --quiet
show "${bin}lyco-merge" $pair/base.safetensors "$work/full.safetensors" \
  -o "$work/restored.safetensors"
compare "$work/restored.safetensors" $pair/tuned.safetensors

echo
echo "5. The adapter for diffusers and PEFT, and at half its rank"
show "${bin}lyco-convert" "$work/adapter.safetensors" --base $pair/base.safetensors --to peft \
  -o "$work/peft"
show "${bin}lyco-convert" "$work/adapter.safetensors" --dim 4 -o "$work/smaller.safetensors"

echo
echo "6. A new adapter: a small pipeline learns pictures of bags, which it has never seen (docs/training.md)"
tiny=Fixtures/training/tiny
show "${bin}lyco-train" --pretrained_model_name_or_path $tiny --train_data_dir $tiny/images \
  --caption_extension .txt --resolution 64 --train_batch_size 4 --max_train_steps 100 --learning_rate 2e-3 \
  --cache_latents --network_module lycoris.kohya --network_args algo=lokr factor=8 --network_dim 8 --network_alpha 8 \
  --seed 7 --output_dir "$work" --output_name bag
show "${bin}lyco-inspect" "$work/bag.safetensors" --limit 5

echo
echo "7. What it does: pictures of the same noise without and with it"
show "${bin}lyco-sample" --base $tiny "$work/bag.safetensors" --prompt "a photo of a bag" \
  --width 64 --height 64 --scale 2 --seed 5 --batch 4 --grid "$pictures/bags.png"
