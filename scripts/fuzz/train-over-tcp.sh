#!/usr/bin/env bash
# Trains with two ranks that reach each other by TCP alone (see run-over-tcp.sh), and compares with one process: the
# same numbers, and the same table of steps. Needs root.
#
# usage: train-over-tcp.sh BINDIR
set -euo pipefail

bin="$(cd "${1:?usage: train-over-tcp.sh BINDIR}" && pwd)"
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
tiny="$here/../../Fixtures/training/tiny"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT

for algorithm in lora lokr diag-oft; do
  options=(--pretrained_model_name_or_path "$tiny" --train_data_dir "$tiny/images" --caption_extension .txt
    --resolution 64 --train_batch_size 2 --cache_latents --validation_split 0.2 --network_module lycoris.kohya
    --network_dim 4 --network_args "algo=$algorithm" module_dropout=0.2 --ema_decay 0.9 --max_train_steps 6 --seed 1
    --threads 1 --quiet)
  "$bin/lyco-train" "${options[@]}" --output_dir "$work/one" --gradient_accumulation_steps 2 --log_csv "$work/one.csv"
  "$here/run-over-tcp.sh" "$bin/lyco-train" "${options[@]}" --output_dir "$work/two" --log_csv "$work/two.csv"
  cmp "$work/one.csv" "$work/two.csv"
  # Behind the header, which tells the time, are the numbers.
  python3 - "$work"/{one,two} <<'PYTHON'
import pathlib, sys
one, two = [next(pathlib.Path(folder).glob("*.safetensors")).read_bytes() for folder in sys.argv[1:]]
sys.exit(one[8 + int.from_bytes(one[:8], "little"):] != two[8 + int.from_bytes(two[:8], "little"):])
PYTHON
  echo "$algorithm: same bits"
done
