#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds what we measure ourselves against: containerd, its shim and ctr 2.1.1, and the CNI plugins
# 1.7.1, from the Go module proxy. runc is Debian's. It takes a quarter of an hour and a gigabyte;
# nothing but the benches needs it.
#
#   test/bench/peers.sh [DIR]      default: .cache/peers; programs land in DIR/bin and DIR/cni
#
# Go 1.23 or newer must be in the path.
set -euo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
dir=${1:-$top/.cache/peers}
mkdir -p "$dir/bin" "$dir/cni"
dir=$(cd "$dir" && pwd)

containerd=github.com/containerd/containerd/v2@v2.1.1
plugins=github.com/containernetworking/plugins@v1.7.1

# The working directory of a module's own copy: `go install` refuses modules with replace or
# exclude lines, a build inside the module does not.
unpack() # MODULE@VERSION NAME
{
	local from
	from=$(cd / && go mod download -json "$1" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
	rm -rf "$dir/src/$2"
	mkdir -p "$dir/src"
	cp -r "$from" "$dir/src/$2"
	chmod -R u+w "$dir/src/$2"
	rm -rf "$dir/src/$2/vendor"
}

build() # SOURCE OUTPUT PACKAGE [FLAGS...]
{
	local in=$1 out=$2 package=$3
	shift 3
	[ -x "$out" ] && return
	(cd "$dir/src/$in" && GOFLAGS=-mod=mod CGO_ENABLED=0 \
		go build -trimpath -o "$out.new" "$@" "$package")
	mv "$out.new" "$out"
}

[ -d "$dir/src/containerd" ] || unpack "$containerd" containerd
[ -d "$dir/src/plugins" ] || unpack "$plugins" plugins
stamp='-X github.com/containerd/containerd/v2/version.Version=2.1.1'
for program in ctr containerd containerd-shim-runc-v2; do
	build containerd "$dir/bin/$program" "./cmd/$program" -ldflags "-s -w $stamp"
done
for plugin in main/bridge main/loopback ipam/host-local meta/portmap meta/firewall meta/tuning; do
	build plugins "$dir/cni/${plugin#*/}" "./plugins/$plugin" -ldflags '-s -w'
done
# Debian's runc, unpacked here and not installed.
if [ ! -x "$dir/bin/runc" ]; then
	(cd "$dir/src" && apt-get -q download runc && dpkg-deb -x runc_*.deb runc)
	cp "$dir/src/runc/usr/sbin/runc" "$dir/bin/runc"
fi
ls -l "$dir/bin" "$dir/cni"
