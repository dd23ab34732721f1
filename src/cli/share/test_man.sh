#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# test_man.sh CORACLE PAGE...: the pages that coracle writes are those that are installed.
set -eu
coracle=$1
shift
folder=$(mktemp -d)
trap 'rm -r "$folder"' EXIT
"$coracle" __man "$folder"
printf '%s\n' "$@" | LC_ALL=C sort >"$folder/installed"
(cd "$folder" && LC_ALL=C ls -- *.1) | diff -u "$folder/installed" -
