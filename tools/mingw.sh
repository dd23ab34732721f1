#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Compiles (only) the pure rooms for Windows, as 64-bit code: tools/mingw.sh OUTDIR
set -euo pipefail
top=$(cd "$(dirname "$0")/.." && pwd)
out=${1:?usage: tools/mingw.sh OUTDIR}
mkdir -p "$out/include"
# The headers of these libraries are plain C; of the host's headers nothing else may be seen.
ln -sfn /usr/include/json-c /usr/include/yaml.h "$out/include/"
failed=0
for room in $(awk '!/^#/ && /[ \t]pure([ \t]|$)/ { print $1 }' "$top/src/ROOMS"); do
	for file in $(find "$top/src/$room" -name '*.c' ! -name 'test_*' ! -name 'fuzz_*' | sort); do
		x86_64-w64-mingw32-gcc -c -O2 -std=gnu17 -Wall -Wextra -Werror -Wno-missing-field-initializers \
			-D_GNU_SOURCE -D__USE_MINGW_ANSI_STDIO=1 -DCORACLE_VERSION='"mingw"' \
			-include "$top/src/base/banned.h" -I"$top/src" -isystem "$out/include" \
			-o "$out/$room-$(basename "$file" .c).o" "$file" || failed=1
	done
done
exit "$failed"
