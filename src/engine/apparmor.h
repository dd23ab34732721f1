// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "base/error.h"

// Makes sure that the default AppArmor profile is loaded as `name`, ctr's
// --apparmor-default-profile: one that is there under this name is taken as it is. Errors: USAGE
// (the name), UNSUPPORTED (no AppArmor, or no apparmor_parser to load it), SYSTEM.
fallible apparmor_have_default(const char *name);
