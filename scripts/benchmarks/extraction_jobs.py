"""The extractions that take longest, of the pair of benchmark.sh: options of lyco-extract by a name for each."""

SLOW = {
    "dora": ["--algo", "lora", "--linear_dim", "32", "--dora_wd"],
    "lokr-8": ["--algo", "lokr", "--factor", "8"],
    "lokr-auto": ["--algo", "lokr", "--factor", "auto"],
    "boft": ["--algo", "boft", "--linear_dim", "8"],
    "loha": ["--algo", "loha", "--linear_dim", "8"],
    "glora": ["--algo", "glora", "--linear_dim", "8"],
    "auto": ["--algo", "auto", "--max_error", "0.8"],
}
