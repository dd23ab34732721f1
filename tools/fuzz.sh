#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# One fuzzer for some seconds, from its corpus in the tree: tools/fuzz.sh PROGRAM SECONDS
# What it finds lies in build-test/fuzz/; add it to test/fuzz/corpus/NAME and write a unit test.
set -euo pipefail
top=$(cd "$(dirname "$0")/.." && pwd)
program=${1:?usage: tools/fuzz.sh PROGRAM SECONDS} seconds=${2:?usage: tools/fuzz.sh PROGRAM SECONDS}
name=$(basename "$program")
found=$top/build-test/fuzz/$name
mkdir -p "$found/new" "$found/crash"
corpus=$top/test/fuzz/corpus/${name#fuzz_}
[ -d "$corpus" ] || corpus=
"$program" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 -verbosity=0 \
	-artifact_prefix="$found/crash/" "$found/new" ${corpus:+"$corpus"}
