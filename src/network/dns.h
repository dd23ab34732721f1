// SPDX-License-Identifier: Apache-2.0
// resolv.conf(5). Private to network/.
#pragma once
#include "network/result.h"

// Reads such a file, at most 64 KiB. Links are followed: /etc/resolv.conf usually is one.
fallible resolv_read(const char *path, char **ret);
// nameserver, domain, search, options; the last domain and search win, as in the C libraries.
void resolv_parse(const char *text, struct network_dns *ret);
