// SPDX-License-Identifier: Apache-2.0
// Copying a tree with all that makes it the same tree: types, owners, modes, times, extended
// attributes, holes, hard links among each other. Private to snapshot/.
#pragma once
#include "base/error.h"

// Copies what is below `from`, and its own attributes, to the empty directory `to`. `scratch` is a
// directory on the file system of `to`, outside of it: the name .links in it is used and removed.
// Any depth; few descriptors. `from` must not change meanwhile (BUSY if a directory moves). A mount
// point below `from` is BUSY. Nothing is synced. After an error `to` holds a part.
fallible copy_tree(int from, int to, int scratch);
