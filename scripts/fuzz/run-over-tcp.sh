#!/usr/bin/env bash
# Runs a command by two ranks that reach each other by TCP alone, as two machines do: in two network namespaces, each
# with a name of its own. Needs root, iproute2 and Open MPI.
#
# usage: run-over-tcp.sh COMMAND [ARGUMENT…]
set -euo pipefail

(($#)) || {
  echo "usage: run-over-tcp.sh COMMAND [ARGUMENT…]" >&2
  exit 64
}
names=(lyco-a lyco-b)
work="$(mktemp -d)"
clean() {
  for name in "${names[@]}"; do
    ip netns del "$name" 2>/dev/null || true
    rm -rf "/etc/netns/$name"
  done
  rm -rf "$work"
}
trap clean EXIT

for index in 0 1; do
  name="${names[index]}"
  ip netns add "$name"
  mkdir -p "/etc/netns/$name"
  printf '127.0.0.1 localhost\n10.77.0.1 lyco-a\n10.77.0.2 lyco-b\n' >"/etc/netns/$name/hosts"
done
ip link add veth-lyco-a netns lyco-a type veth peer name veth-lyco-b netns lyco-b
for index in 0 1; do
  name="${names[index]}"
  ip -n "$name" address add "10.77.0.$((index + 1))/24" dev "veth-$name"
  ip -n "$name" link set "veth-$name" up
  ip -n "$name" link set lo up
done

# What mpirun takes for ssh: the first word that is a name says where.
cat >"$work/agent" <<'AGENT'
#!/usr/bin/env bash
while [[ $1 == -* ]]; do shift; done
host=$1
shift
exec ip netns exec "$host" unshare --uts bash -c 'hostname "$0"; exec bash -c "$*"' "$host" "$@"
AGENT
chmod +x "$work/agent"
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
ip netns exec lyco-a unshare --uts bash -c 'hostname lyco-a; exec "$@"' mpirun \
  mpirun --mca plm_rsh_agent "$work/agent" --mca btl self,tcp --mca btl_tcp_if_include 10.77.0.0/24 \
  --mca oob_tcp_if_include 10.77.0.0/24 --bind-to none --host lyco-a:1,lyco-b:1 -n 2 "$@"
