// SPDX-License-Identifier: Apache-2.0
// The registry hives of an image's layers, as text that Wine reads. Called by transfer's worker,
// confined, right after a layer was unpacked: the hives are hostile.
//
// Beside Files/ and Hives/ a layer's folder then has Registry/, where its registry differs from the
// one below: SOFTWARE, SYSTEM, DEFAULT, NTUSER.DAT (hives, with all layers up to this one merged),
// system.reg, user.reg, userdef.reg (sections of Wine's files, without their head), environment
// (NAME=VALUE lines). The topmost layer that has one of these is the one that counts.
#pragma once
#include "base/error.h"

// lower_dirfd: what is below, merged; -1 for a base layer.
// Errors: CORRUPT and LIMIT, naming the hive; SYSTEM.
fallible windows_convert_hives(int new_dirfd, int lower_dirfd);
